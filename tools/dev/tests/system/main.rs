//! The whole system on real servers: five services, Kafka, the registry and Postgres, as a user runs them; killed, frozen,
//! cut off and fed with rubbish in the middle of their work.
//!
//! Apart from every other test, because these need the stack and minutes. Run one at a time, since they kill what others
//! stand on: `cargo test -p backstitch-dev --features system --test system -- --test-threads=1`.

mod backlog;
mod choreography;
mod compose;
mod crashes;
mod definitions;
mod disorder;
mod examples;
mod failing_steps;
mod foreign;
mod hot_product;
mod lanes;
mod moving;
mod orders;
mod outages;
mod payments;
mod poison;
mod read_models;
mod sub_sagas;
mod sums;
mod system;
mod traces;
mod wire;
mod zombie;
