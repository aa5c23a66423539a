//! How a process lives: settings, telemetry, health, HTTP, and a shutdown that drains. Separate, so that every service's
//! `main.rs` is a checklist and the ritual is written and tested once.
//!
//! ```no_run
//! # use backstitch_service_kit as kit;
//! # #[derive(serde::Deserialize, serde::Serialize)]
//! # struct Settings { #[serde(default)] process: kit::config::ProcessSettings, #[serde(default)] telemetry: kit::config::TelemetrySettings }
//! # impl kit::config::Config for Settings {
//! #     fn process(&self) -> &kit::config::ProcessSettings { &self.process }
//! #     fn telemetry(&self) -> &kit::config::TelemetrySettings { &self.telemetry }
//! # }
//! fn main() -> std::process::ExitCode {
//!     kit::Service::<Settings>::new("order", env!("CARGO_PKG_VERSION")).run(|context| async move {
//!         let shutdown = context.shutdown.clone();
//!         context.tasks.spawn("work", async move {
//!             shutdown.cancelled().await;
//!             Ok(())
//!         });
//!         Ok(())
//!     })
//! }
//! ```

mod cli;
pub mod config;
pub mod database;
pub mod http;
mod logs;
mod metrics;
mod process;
mod ritual;
mod service;
mod tasks;
mod telemetry;

/// Services make and drop many small texts and trees; ratios in `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub use service::{Context, Service, exit};
pub use tasks::{ShutdownToken, Tasks};
pub use telemetry::current_trace_headers;
