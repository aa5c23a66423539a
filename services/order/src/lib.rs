//! The order service. A library beside the binary, so that tests reach its parts.

pub mod domain;
pub mod handlers;
pub mod http;
pub mod read;
pub mod settings;
