//! The API on the real Postgres, with lanes played by the test: it writes what a lane would have written.
