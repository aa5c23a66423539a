//! Commands over two streams: money from one account to another. Separate, because it is what a team would write.

use backstitch_event_store::{Command, EventData, Facts, StreamId, Streams, require};
use serde::{Deserialize, Serialize};

/// What happens to an account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Deposited { amount: u64, reference: String },
    Withdrawn { amount: u64, reference: String },
}

impl EventData for AccountEvent {}

#[derive(Debug, thiserror::Error)]
#[error("{asked} are asked for, {left} are left")]
pub(crate) struct TooLittle {
    asked: u64,
    left: u64,
}

/// Moves money; an account may go into the red by a million, so that the load does not run dry.
pub(crate) struct Transfer {
    pub(crate) from: StreamId,
    pub(crate) to: StreamId,
    pub(crate) amount: u64,
}

impl Command for Transfer {
    type Event = AccountEvent;
    type State = (u64, u64);
    type Refusal = TooLittle;

    fn streams(&self) -> Streams {
        Streams::new().write(self.from.clone()).write(self.to.clone())
    }

    fn apply(&self, (plus, minus): &mut (u64, u64), stream: &StreamId, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited { amount, .. } if *stream == self.from => *plus += amount,
            AccountEvent::Withdrawn { amount, .. } if *stream == self.from => *minus += amount,
            _ => {}
        }
    }

    fn handle(&self, (plus, minus): &(u64, u64), facts: &mut Facts<AccountEvent>) -> Result<(), TooLittle> {
        let left = (1_000_000 + plus).saturating_sub(*minus);
        require!(left >= self.amount, TooLittle { asked: self.amount, left });
        let (amount, reference) = (self.amount, "invoice 2026-11-0042".to_owned());
        facts.emit(&self.from, AccountEvent::Withdrawn { amount, reference: reference.clone() });
        facts.emit(&self.to, AccountEvent::Deposited { amount, reference });
        Ok(())
    }
}
