//! The shipping service. A library beside the binary, so that tests reach its parts.

pub mod carrier;
pub mod domain;
pub mod handlers;
pub mod http;
pub mod settings;
