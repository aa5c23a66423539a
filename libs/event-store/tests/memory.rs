//! The suite of all stores over the store in memory.

use std::sync::Arc;

use backstitch_event_store::{MemoryStore, contract};

#[tokio::test]
async fn the_store_in_memory_keeps_its_word() {
    contract::every_store_keeps_its_word(Arc::new(MemoryStore::new())).await;
}
