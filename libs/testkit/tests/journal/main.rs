//! The journal as it is stored and published, today and by earlier releases.

mod released;
mod schemas;
mod stories;
