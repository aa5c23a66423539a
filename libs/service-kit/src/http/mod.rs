//! The HTTP side of a process: its own pages (`/livez`, `/readyz`, `/metrics`), and what every route of a service is
//! wrapped in. Separate from the routes, which the services bring.

mod auth;
mod body;
mod health;
mod limits;
mod observe;
mod problem;
mod serve;

pub use auth::{Admin, Caller, Guard, Operator, Viewer};
pub use body::{Body, Path, Query};
pub use health::{Readiness, Switch};
pub use problem::{Problem, ProblemBody};
pub use serve::{Bound, app};

#[cfg(test)]
mod tests;
