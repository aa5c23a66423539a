//! The contract of participants, told as stories of a booking desk: shown once, for every service.

mod answers;
mod booking;
mod calls;
mod desk;
mod failures;
mod heard;
mod letters;
mod looking;
mod schema;
mod seats;
mod snapshots;
mod undoing;
mod walk;
