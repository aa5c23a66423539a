//! Row locks, and the transactions that hold them. Separate, because a process that stands still in a transaction holds
//! them until the server gives up on it.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_event_store::StreamId;

use super::tables::Batch;

/// A row that two transactions may want.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Head(StreamId),
    Lane(i32),
}

pub(super) type TransactionId = u64;

pub(super) struct Transaction {
    /// The process that it belongs to.
    pub(super) owner: String,
    pub(super) batch: Option<Batch>,
}

#[derive(Default)]
pub(super) struct Locks {
    held: BTreeMap<Row, TransactionId>,
    /// Those that are open; one that is missing was aborted.
    pub(super) open: BTreeMap<TransactionId, Transaction>,
    last: TransactionId,
}

impl Locks {
    pub(super) fn begin(&mut self, owner: &str) -> TransactionId {
        self.last += 1;
        self.open.insert(self.last, Transaction { owner: owner.to_owned(), batch: None });
        self.last
    }

    /// Takes all these rows, or none.
    pub(super) fn take(&mut self, rows: &BTreeSet<Row>, by: TransactionId) -> bool {
        let free = rows.iter().all(|row| self.held.get(row).is_none_or(|holder| *holder == by));
        if free {
            self.held.extend(rows.iter().map(|row| (row.clone(), by)));
        }
        free
    }

    pub(super) fn is_free(&self, row: &Row) -> bool {
        !self.held.contains_key(row)
    }

    /// Ends a transaction; what it had written is the answer, if it was still open.
    pub(super) fn end(&mut self, id: TransactionId) -> Option<Transaction> {
        self.held.retain(|_, holder| *holder != id);
        self.open.remove(&id)
    }

    /// Ends all transactions of a process.
    pub(super) fn abort(&mut self, owner: &str) -> usize {
        let ids: Vec<_> = self.open.iter().filter(|(_, it)| it.owner == owner).map(|(id, _)| *id).collect();
        for id in &ids {
            self.end(*id);
        }
        ids.len()
    }
}
