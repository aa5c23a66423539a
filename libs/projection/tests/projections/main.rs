//! Projections on a real Postgres.
