//! Where a message is decided: in the home lane of each flow that it concerns. Separate from the batch, because it is asked
//! once for each message, before any batch is tried, and its answer does not change while the lane is claimed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use backstitch_contracts::headers;
use backstitch_messaging::{LaneId, Record};

use crate::database::Store;
use crate::decode::{Task, Work, is_forwarded};
use crate::effects::Effects;
use crate::input::{Input, Message};
use crate::logic::LogicOn;
use crate::session::Session;

impl<L: LogicOn<S::Db>, S: Store> Session<L, S> {
    /// Notes which flows of the message are decided elsewhere, and where it has to be passed on to.
    pub(crate) fn find_homes(&self, work: &mut Work) {
        let Task::Decide(Input::Message(message)) = &mut work.task else { return };
        // One that panics stays here, where deciding on it panics too and is caught.
        let keys = catch_unwind(AssertUnwindSafe(|| self.logic.flow_keys(message))).unwrap_or_default();
        let topology = self.shared.inbox.topology();
        let at_home = |key: &str| topology.home(key) == self.lane;
        let stays = keys.is_empty() || keys.iter().any(|key| at_home(key));
        let elsewhere: Vec<String> = keys.into_iter().filter(|key| !at_home(key)).map(Into::into).collect();
        // Another lane has passed it on to all its homes, of which this is one.
        if !is_forwarded(&message.delivery, &self.shared.intake.lane_topic) {
            work.forward_to = elsewhere.iter().map(|key| topology.home(key)).collect();
            work.forward_to.sort_unstable();
            work.forward_to.dedup();
        }
        message.elsewhere = elsewhere;
        if !stays && !work.forward_to.is_empty() {
            let Task::Decide(Input::Message(message)) = std::mem::replace(&mut work.task, Task::Pass) else { return };
            work.task = Task::Forward(message);
        }
    }

    /// Passes the message on, unchanged, to each of its other homes.
    pub(crate) fn forward(&self, work: &Work, effects: &mut Effects) {
        let (Task::Decide(Input::Message(message)) | Task::Forward(message)) = &work.task else { return };
        for home in &work.forward_to {
            metrics::counter!("processor_forwarded_total", "topic" => message.topic.clone()).increment(1);
            effects.publish(self.forwarded(message, *home));
        }
    }

    fn forwarded(&self, message: &Message, home: LaneId) -> Record {
        let delivery = &message.delivery;
        let from = format!("{}/{}/{}", message.topic, delivery.source.partition, delivery.offset);
        let mut headers = delivery.headers.clone();
        headers.push((headers::FORWARDED_FROM.into(), from.into_bytes()));
        Record {
            topic: self.shared.inbox.topology().lane_topic.clone(),
            partition: Some(home.0),
            key: delivery.key.clone(),
            value: delivery.value.clone(),
            headers,
        }
    }
}
