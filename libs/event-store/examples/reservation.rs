//! A cart is reserved, all of its products or none. Which products there are is found in the cart's own stream while the
//! command is handled; their stocks then belong to its consistency boundary. The shop's opening is only read: if it
//! closes meanwhile, nothing is reserved.
//!
//! `cargo run -p backstitch-event-store --example reservation`
#![allow(dead_code, reason = "its tests take what they need")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use backstitch_event_store::{
    AppendRequest, Command, EventData, EventStore, ExpectedVersion, Facts, Flow, MemoryStore, RetryPolicy, StreamId,
    Streams, execute, require,
};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happens in the shop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ShopEvent {
    Closed,
    Filled { product: String, units: u64 },
    Received { units: u64 },
    Taken { units: u64 },
    CartReserved,
}

impl EventData for ShopEvent {}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ReservationRefused {
    #[error("the shop is closed")]
    Closed,
    #[error("{asked} of `{product}` are asked for, {left} are left")]
    OutOfStock { product: String, asked: u64, left: u64 },
}

pub(crate) fn shop() -> StreamId {
    StreamId::of("shop", "main")
}

pub(crate) fn stock(product: &str) -> StreamId {
    StreamId::of("stock", product)
}

/// Reserves what is in a cart.
pub(crate) struct ReserveCart {
    pub(crate) cart: StreamId,
}

#[derive(Debug, Default)]
pub(crate) struct Shop {
    closed: bool,
    wanted: BTreeMap<String, u64>,
    left: BTreeMap<StreamId, u64>,
}

impl Command for ReserveCart {
    type Event = ShopEvent;
    type State = Shop;
    type Refusal = ReservationRefused;

    fn streams(&self) -> Streams {
        Streams::new().write(self.cart.clone()).read(shop())
    }

    fn discover(&self, state: &Shop) -> Streams {
        state.wanted.keys().fold(Streams::new(), |streams, product| streams.write(stock(product)))
    }

    fn apply(&self, state: &mut Shop, stream: &StreamId, event: &ShopEvent) {
        match event {
            ShopEvent::Closed => state.closed = true,
            ShopEvent::Filled { product, units } => *state.wanted.entry(product.clone()).or_default() += units,
            ShopEvent::Received { units } => *state.left.entry(stream.clone()).or_default() += units,
            ShopEvent::Taken { units } => *state.left.entry(stream.clone()).or_default() -= units,
            ShopEvent::CartReserved => state.wanted.clear(),
        }
    }

    fn handle(&self, state: &Shop, facts: &mut Facts<ShopEvent>) -> Result<(), ReservationRefused> {
        require!(!state.closed, ReservationRefused::Closed);
        for (product, &asked) in &state.wanted {
            let left = state.left.get(&stock(product)).copied().unwrap_or(0);
            require!(left >= asked, ReservationRefused::OutOfStock { product: product.clone(), asked, left });
            facts.emit(&stock(product), ShopEvent::Taken { units: asked });
        }
        facts.emit(&self.cart, ShopEvent::CartReserved);
        Ok(())
    }
}

/// Puts an event where it belongs, whatever is there.
pub(crate) async fn put(store: &dyn EventStore, stream: &StreamId, event: ShopEvent) -> Result<(), Box<dyn Error>> {
    let event = Flow::begun_by(Uuid::new_v4()).event(0, stream, &event, Utc::now())?;
    store.append(AppendRequest::new().write(stream.clone(), ExpectedVersion::Any, vec![event])).await?;
    Ok(())
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let (cart, other) = (StreamId::of("cart", 1), StreamId::of("cart", 2));
    put(&*store, &stock("mug"), ShopEvent::Received { units: 3 }).await?;
    for cart in [&cart, &other] {
        put(&*store, cart, ShopEvent::Filled { product: "mug".to_owned(), units: 2 }).await?;
    }
    for cart in [cart, other] {
        let flow = Flow::begun_by(Uuid::new_v4());
        match execute(&*store, &ReserveCart { cart: cart.clone() }, &flow, &RetryPolicy::default()).await {
            Ok(executed) => println!("{cart}: reserved, {:?}", executed.appended.heads),
            Err(refused) => {
                println!("{cart}: {refused}: {}", refused.source().map(ToString::to_string).unwrap_or_default());
            }
        }
    }
    Ok(())
}
