//! What a process knows of participants: its circuit breakers, shared by all its lanes. Separate from the lanes, which
//! only tell what they have heard and look at the clocks; the rules are the engine's, the rows are in `store`.

mod answers;
pub mod backlogs;
mod keeper;
mod limits;
pub mod store;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use backstitch_saga::Timestamp;
use backstitch_saga::participant::{Breaker, BreakerRules, Clocks, Heard, Opening, Openings};
use tokio::sync::Notify;

pub use answers::Answers;
pub use keeper::{READ_EVERY, keep};
pub use limits::limits;

/// The circuit breakers of one process.
#[derive(Debug, Default)]
pub struct Participants {
    rules: BreakerRules,
    known: Mutex<Known>,
    clocks: RwLock<Arc<Clocks>>,
    /// Whether an answer would change anything: then lanes look at every event, and else at none.
    listens: AtomicBool,
    /// Tells the keeper that there is something to write.
    changed: Notify,
}

/// What was heard since the rows were last read.
#[derive(Debug, Default)]
struct Known {
    breakers: BTreeMap<String, Breaker>,
    /// Changes that no row has yet, and when they came about.
    unwritten: BTreeMap<String, (Change, Timestamp)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Opens,
    Closes,
}

impl Participants {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(rules: BreakerRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// When breakers open, and for how long.
    #[must_use]
    pub const fn rules(&self) -> &BreakerRules {
        &self.rules
    }

    /// The openings as they were last read.
    #[must_use]
    pub fn clocks(&self) -> Arc<Clocks> {
        self.clocks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is of any use to tell of answers: a participant was silent, or its breaker is open.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.listens.load(Ordering::Relaxed)
    }

    /// A lane has heard of a participant, or has waited for it in vain.
    pub fn hear(&self, topic: &str, heard: Heard, at: Timestamp) {
        let mut known = self.known();
        let breaker = known.breakers.remove(topic).unwrap_or_default();
        let was_open = breaker.is_open();
        let breaker = breaker.hear(heard, at, &self.rules);
        let change = match (was_open, breaker.is_open()) {
            (false, true) => Some(Change::Opens),
            (true, false) => Some(Change::Closes),
            (true, true) | (false, false) => None,
        };
        if let Some(change) = change {
            known.unwritten.insert(topic.to_owned(), (change, at));
            self.changed.notify_one();
        }
        if breaker != Breaker::default() {
            known.breakers.insert(topic.to_owned(), breaker);
        }
        self.listens.store(!known.breakers.is_empty(), Ordering::Relaxed);
    }

    /// These are the openings now. What was heard and is not written yet stands.
    pub fn learn(&self, openings: Vec<(String, Opening)>) {
        let clocks: Clocks = openings.into_iter().collect();
        {
            let mut known = self.known();
            let topics: Vec<String> = known.breakers.keys().cloned().collect();
            for topic in topics.into_iter().chain(clocks.iter().map(|(topic, _)| topic.to_owned())) {
                if known.unwritten.contains_key(&topic) {
                    continue;
                }
                let current = clocks.of(&topic).and_then(Openings::current);
                let breaker = known.breakers.remove(&topic).unwrap_or_default().as_opened(current);
                if breaker != Breaker::default() {
                    known.breakers.insert(topic, breaker);
                }
            }
            self.listens.store(!known.breakers.is_empty(), Ordering::Relaxed);
        }
        let mut known = self.clocks.write().unwrap_or_else(PoisonError::into_inner);
        if **known != clocks {
            *known = Arc::new(clocks);
        }
    }

    /// Takes what is to be written.
    fn take_unwritten(&self) -> BTreeMap<String, (Change, Timestamp)> {
        std::mem::take(&mut self.known().unwritten)
    }

    /// It could not be written; what was heard since is newer.
    fn give_back(&self, unwritten: BTreeMap<String, (Change, Timestamp)>) {
        let mut known = self.known();
        for (topic, change) in unwritten {
            known.unwritten.entry(topic).or_insert(change);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
