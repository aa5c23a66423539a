//! Money from one account to another: two streams, written together or not at all. The accounts are the command's
//! consistency boundary: a transfer that was decided on an old balance is decided again.
//!
//! `cargo run -p backstitch-event-store --example transfer`
#![allow(dead_code, reason = "its tests take what they need")]

use std::error::Error;
use std::sync::Arc;

use backstitch_event_store::{
    Command, EventData, EventStore, Facts, Flow, MemoryStore, RetryPolicy, StreamId, Streams, execute, require,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happens to an account; amounts in minor units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Deposited { amount: u64 },
    Withdrawn { amount: u64 },
}

impl EventData for AccountEvent {}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum TransferRefused {
    #[error("nothing to transfer")]
    Nothing,
    #[error("{asked} are asked for, {left} are left")]
    TooLittle { asked: u64, left: u64 },
}

/// Puts money into an account.
pub(crate) struct Deposit {
    pub(crate) to: StreamId,
    pub(crate) amount: u64,
}

impl Command for Deposit {
    type Event = AccountEvent;
    type State = ();
    type Refusal = TransferRefused;

    fn streams(&self) -> Streams {
        Streams::new().write(self.to.clone())
    }

    fn apply(&self, (): &mut (), _stream: &StreamId, _event: &AccountEvent) {}

    fn handle(&self, (): &(), facts: &mut Facts<AccountEvent>) -> Result<(), TransferRefused> {
        require!(self.amount > 0, TransferRefused::Nothing);
        facts.emit(&self.to, AccountEvent::Deposited { amount: self.amount });
        Ok(())
    }
}

/// Moves money.
pub(crate) struct Transfer {
    pub(crate) from: StreamId,
    pub(crate) to: StreamId,
    pub(crate) amount: u64,
}

impl Command for Transfer {
    type Event = AccountEvent;
    /// The balance of the account that pays.
    type State = u64;
    type Refusal = TransferRefused;

    fn streams(&self) -> Streams {
        Streams::new().write(self.from.clone()).write(self.to.clone())
    }

    fn apply(&self, balance: &mut u64, stream: &StreamId, event: &AccountEvent) {
        if *stream == self.from {
            match event {
                AccountEvent::Deposited { amount } => *balance += amount,
                AccountEvent::Withdrawn { amount } => *balance -= amount,
            }
        }
    }

    fn handle(&self, balance: &u64, facts: &mut Facts<AccountEvent>) -> Result<(), TransferRefused> {
        require!(self.amount > 0, TransferRefused::Nothing);
        require!(*balance >= self.amount, TransferRefused::TooLittle { asked: self.amount, left: *balance });
        facts.emit(&self.from, AccountEvent::Withdrawn { amount: self.amount });
        facts.emit(&self.to, AccountEvent::Deposited { amount: self.amount });
        Ok(())
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let (ada, bob) = (StreamId::of("account", "ada"), StreamId::of("account", "bob"));
    let (flow, policy) = (|| Flow::begun_by(Uuid::new_v4()), RetryPolicy::default());
    execute(&*store, &Deposit { to: ada.clone(), amount: 100 }, &flow(), &policy).await?;
    let transfer = Transfer { from: ada, to: bob, amount: 70 };
    let executed = execute(&*store, &transfer, &flow(), &policy).await?;
    println!("transferred: {:?}", executed.appended.heads);
    match execute(&*store, &transfer, &flow(), &policy).await {
        Err(refused) => println!("{refused}: {}", refused.source().map(ToString::to_string).unwrap_or_default()),
        Ok(_) => println!("nobody should get here"),
    }
    Ok(())
}
