//! backstitch-processor
