//! How fast sagas are begun: so many in flight, or so many a second. Separate from the load, which only begins one.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::load::Load;

/// Begins sagas until it is dropped.
pub(crate) struct Feeder(JoinHandle<Result<()>>);

impl Feeder {
    /// No more sagas.
    pub(crate) fn abort(self) {}
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// So many sagas in flight: each that ends makes room for another.
pub(crate) fn closed(load: &Load, in_flight: usize) -> Feeder {
    load.room.forget_permits(usize::MAX >> 4);
    load.room.add_permits(in_flight);
    let load = load.clone();
    Feeder(tokio::spawn(async move {
        loop {
            load.room.acquire().await?.forget();
            load.begin().await?;
        }
    }))
}

/// So many sagas a second, whatever becomes of them.
pub(crate) fn open(load: &Load, rate: u32) -> Feeder {
    let load = load.clone();
    Feeder(tokio::spawn(async move {
        let began = Instant::now();
        for number in 0_u32.. {
            let due = began + Duration::from_secs(1).mul_f64(f64::from(number) / f64::from(rate.max(1)));
            tokio::time::sleep_until(due.into()).await;
            load.begin().await?;
        }
        Ok(())
    }))
}

/// Waits, bounded, for what is still under way; how many sagas are left.
pub(crate) async fn drained(load: &Load, patience: Duration) -> usize {
    let deadline = Instant::now() + patience;
    while load.in_flight() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    load.take_ended();
    load.in_flight()
}
