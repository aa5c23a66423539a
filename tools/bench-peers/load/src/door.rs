//! The way in: one request a saga, answered when it has ended. The same for every peer, so that none is measured by a better
//! client than another.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use peer_workload::Order;

/// One connection carries many sagas at once; a single one would be a bottleneck of its own.
const CONNECTIONS: usize = 8;

/// A peer's door.
pub(crate) struct Door {
    url: String,
    clients: Vec<reqwest::Client>,
    next: AtomicUsize,
}

impl Door {
    /// Prepares the connections.
    pub(crate) fn open(url: &str) -> Result<Self> {
        let client = |_| reqwest::Client::builder().http2_prior_knowledge().build();
        let clients = (0..CONNECTIONS).map(client).collect::<Result<_, _>>()?;
        Ok(Self { url: url.to_owned(), clients, next: AtomicUsize::new(0) })
    }

    /// Begins the order's saga and waits for its end. Whether it was rolled back.
    pub(crate) async fn run(&self, order: &Order) -> Result<bool> {
        let client = &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len()];
        let answer = client.post(format!("{}/{}/run", self.url, order.id)).json(order).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
