//! backstitch-service-kit
