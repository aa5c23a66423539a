//! backstitch-event-store-postgres
