//! The messages: envelope, payloads, their schemas, and the way between bytes and values. Separate from transport, so
//! that whoever has bytes (a service, a tool, a test) reads and writes them the same way, with no network near.
//!
//! `schemas/` is the wire truth. [`Catalog`] holds it, [`Encoder`] and [`Decoder`] speak it, and the modules
//! [`orders`], [`inventory`], [`payments`], [`shipping`], [`customers`] and [`saga`] are its Rust types.

mod avro;
mod catalog;
pub mod customers;
mod decoder;
pub mod describe;
mod encoder;
mod envelope;
mod framing;
pub mod headers;
pub mod inventory;
mod layout;
pub mod orders;
mod payload;
pub mod payments;
pub mod saga;
pub mod shipping;
pub mod upcast;
mod writer;

pub use avro::SchemaError;
pub use catalog::{Catalog, CatalogError, Cleanup, Kind, Topic};
pub use decoder::{DecodeError, Decoder, Opened};
pub use encoder::{EncodeError, Encoder};
pub use envelope::{Envelope, STREAM_VERSION, TypedError};
pub use framing::{frame, schema_id};
pub use payload::{Payload, member_name};
