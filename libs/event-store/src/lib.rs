//! backstitch-event-store
