//! The logic under test: it writes down what it was told, in a table, and answers each message with a record.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::Envelope;
use backstitch_messaging::{LaneId, Record};
use backstitch_processor::{
    Caller, Effects, Input, Job, Loading, Logic, LogicOn, Message, Rejection, Statement, Timer, Use,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

pub(crate) const TABLES: &str = "CREATE TABLE toy (
    position bigserial PRIMARY KEY, id text NOT NULL UNIQUE, lane integer NOT NULL, key text NOT NULL,
    number bigint NOT NULL, kind text NOT NULL)";

/// Lets a test stop a logic in the middle of its transaction.
#[derive(Clone)]
pub(crate) struct Hold {
    pub(crate) reached: Arc<Semaphore>,
    pub(crate) go_on: Arc<Semaphore>,
}

pub(crate) struct Toy {
    lane: LaneId,
    hold: Option<Hold>,
    /// How long it loads when its lane is claimed.
    loads_for: Duration,
    staged: Vec<Row>,
    /// How often each of those that are named for it has gone wrong.
    stumbled: HashMap<String, usize>,
}

struct Row {
    id: String,
    key: String,
    number: i64,
    kind: &'static str,
}

impl Toy {
    pub(crate) fn new(lane: LaneId, hold: Option<Hold>) -> Self {
        Self { lane, hold, loads_for: Duration::ZERO, staged: Vec::new(), stumbled: HashMap::new() }
    }

    pub(crate) fn loading_for(mut self, time: Duration) -> Self {
        self.loads_for = time;
        self
    }

    fn note(&mut self, id: String, key: &str, number: i64, kind: &'static str) {
        self.staged.push(Row { id, key: key.to_owned(), number, kind });
    }

    /// A timer or a call named `stumbling` is rejected at first, panics then, and goes well in the end.
    fn stumble(&mut self, id: &str) -> Result<(), Rejection> {
        if !id.starts_with("stumbling") {
            return Ok(());
        }
        let times = self.stumbled.entry(id.to_owned()).or_default();
        *times += 1;
        match *times {
            1 => Err(Rejection::invalid("not yet")),
            2 => panic!("still not"),
            _ => Ok(()),
        }
    }

    fn on_message(&mut self, message: &Message, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        let data = &message.envelope.data;
        let key = message.key_text().unwrap_or_default().to_owned();
        let number = data["number"].as_i64().unwrap_or_default();
        let id = message.envelope.event_id.to_string();
        match data["told"].as_str().unwrap_or_default() {
            "record" => {
                let keys = self.flow_keys(message);
                for key in keys.iter().filter(|key| !message.elsewhere.iter().any(|other| other == *key)) {
                    self.note(format!("{id} of {key}"), key, number, "message");
                }
            }
            "panic" => panic!("told to panic"),
            "reject" => return Err(Rejection::invalid("told to reject")),
            // Postgres has no NUL in texts: refused with SQLSTATE 22021.
            "poison" => self.note(format!("{id}\0"), &key, number, "message"),
            "cancel_timer" => {
                effects.cancel_timer(key.clone());
                self.note(id.clone(), &key, number, "message");
            }
            "timer" => {
                let wait = TimeDelta::milliseconds(data["milliseconds"].as_i64().unwrap_or_default());
                effects.set_timer(key.clone(), now + wait, json!({}));
                self.note(id.clone(), &key, number, "message");
            }
            "call" => effects.call(key.clone(), "toy", json!({})),
            other => return Err(Rejection::unknown_command(other)),
        }
        effects.publish(Record::new("answers", &key, id.into_bytes()));
        Ok(())
    }
}

impl Logic for Toy {
    fn use_for(&self, _topic: &str, heading: &Envelope) -> Use {
        match heading.metadata.get("use").map(String::as_str) {
            Some("never") => Use::Never,
            Some("soon") => Use::Soon,
            _ => Use::Now,
        }
    }

    /// A message may name a second flow beside its key's.
    fn flow_keys<'a>(&self, message: &'a Message) -> Vec<Cow<'a, str>> {
        let second = message.envelope.metadata.get("second-key").map(String::as_str);
        message.key_text().into_iter().chain(second).map(Cow::Borrowed).collect()
    }

    fn needs_locks(&self, _inputs: &[&Input]) -> bool {
        self.hold.is_some()
    }

    fn decide(&mut self, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        match input {
            Input::Message(message) => self.on_message(message, now, effects)?,
            Input::Timer(timer) => {
                self.stumble(&timer.id)?;
                self.note(format!("timer {}", timer.id), &timer.id, 0, "timer");
            }
            Input::Answered(answered) => {
                self.stumble(&answered.job.id)?;
                self.note(format!("call {}", answered.job.id), &answered.job.id, 0, "call");
            }
        }
        Ok(())
    }

    fn committed(&mut self) {
        self.staged.clear();
    }

    fn aborted(&mut self) {
        self.staged.clear();
    }
}

#[async_trait]
impl LogicOn for Toy {
    async fn claimed(&mut self, _lane: LaneId, _db: &mut PgConnection) -> Result<Vec<Timer>, sqlx::Error> {
        tokio::time::sleep(self.loads_for).await;
        Ok(Vec::new())
    }

    async fn load(&mut self, _inputs: &[&Input], _loading: Loading, _db: &mut PgConnection) -> Result<(), sqlx::Error> {
        if let Some(hold) = self.hold.take() {
            hold.reached.add_permits(1);
            hold.go_on.acquire().await.unwrap().forget();
        }
        Ok(())
    }

    fn write(&mut self, statement: &mut Statement) {
        if self.staged.is_empty() {
            return;
        }
        statement
            .part(
                "toy_added",
                "INSERT INTO toy (lane, id, key, number, kind)
                 SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[], $5::text[])",
            )
            .bind(vec![self.lane.0; self.staged.len()])
            .bind(self.staged.iter().map(|row| row.id.clone()).collect::<Vec<_>>())
            .bind(self.staged.iter().map(|row| row.key.clone()).collect::<Vec<_>>())
            .bind(self.staged.iter().map(|row| row.number).collect::<Vec<_>>())
            .bind(self.staged.iter().map(|row| row.kind.to_owned()).collect::<Vec<_>>());
    }
}

/// Answers calls, or never.
pub(crate) struct ToyCaller {
    pub(crate) hangs: bool,
}

#[async_trait]
impl Caller for ToyCaller {
    async fn call(&self, _job: &Job) -> Value {
        if self.hangs {
            tokio::time::sleep(Duration::MAX).await;
        }
        json!("done")
    }
}
