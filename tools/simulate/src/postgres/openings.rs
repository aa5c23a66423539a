//! The rows of circuit breakers. Separate from those of lanes: whoever has found something out writes them, without a
//! fence.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backstitch_orchestrator::participants::store::OpeningStore;
use backstitch_saga::participant::Opening;
use backstitch_saga::{By, Timestamp};

use super::Connection;
use crate::world::lock;

/// The rows.
#[derive(Default)]
pub(crate) struct Breakers {
    open: BTreeMap<String, Opening>,
    past: Vec<(String, Opening)>,
}

impl Breakers {
    /// How often breakers have opened.
    pub(crate) fn count(&self) -> usize {
        self.open.len() + self.past.len()
    }
}

impl Connection {
    fn note_openings(&self, what: &str, topic: &str) {
        self.life.world.tell(|| format!("{} {what} the breaker of {topic}", self.life.name));
        self.database.openings.send_modify(|changes| *changes += 1);
    }
}

#[async_trait]
impl OpeningStore for Connection {
    async fn openings(&mut self) -> Result<Vec<(String, Opening)>, sqlx::Error> {
        self.reach("openings").await?;
        let tables = lock(&self.database.tables);
        let open = tables.breakers.open.iter().map(|(topic, opening)| (topic.clone(), opening.clone()));
        Ok(open.chain(tables.breakers.past.iter().cloned()).collect())
    }

    async fn open_breaker(&mut self, topic: &str, at: Timestamp, by: Option<&By>) -> Result<bool, sqlx::Error> {
        self.reach("open").await?;
        let opens = {
            let mut tables = lock(&self.database.tables);
            let is_new = !tables.breakers.open.contains_key(topic);
            let opening = Opening { opened_at: at, closed_at: None, by: None };
            let row = tables.breakers.open.entry(topic.to_owned()).or_insert(opening);
            row.by = by.cloned().or(row.by.take());
            is_new || by.is_some()
        };
        if opens {
            self.note_openings("opens", topic);
        }
        self.hear_back("opened").await?;
        Ok(opens)
    }

    async fn close_breaker(&mut self, topic: &str, at: Timestamp, a_persons: bool) -> Result<bool, sqlx::Error> {
        self.reach("close").await?;
        let closed = {
            let mut tables = lock(&self.database.tables);
            let closes = |opening: &Opening| opening.opened_at <= at && (opening.by.is_none() || a_persons);
            let is_open = tables.breakers.open.get(topic).is_some_and(closes);
            let closed = is_open.then(|| tables.breakers.open.remove(topic)).flatten();
            let past = closed.map(|opening| (topic.to_owned(), Opening { closed_at: Some(at), by: None, ..opening }));
            tables.breakers.past.extend(past);
            is_open
        };
        if closed {
            self.note_openings("closes", topic);
        }
        self.hear_back("closed").await?;
        Ok(closed)
    }

    async fn prune_openings(&mut self) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
