//! From deliveries to work: decoded, or set aside with the reason. Separate, because only here a message can wait for the
//! schema registry.

use backstitch_contracts::{DecodeError, Envelope, headers};
use backstitch_messaging::{
    Delivery, LaneId, LearningDecoder, ReadValueError, TopicPartition, TraceContext, UnknownSchemas,
};

use crate::chain::chain;
use crate::input::{Input, Message, Timer};
use crate::logic::{Logic, Rejection, Use};
use crate::verdict::LaneError;

/// One thing that a batch has to deal with. Everything that was read has its place in the offsets, dealt with or not.
#[derive(Debug)]
pub(crate) struct Work {
    /// What to do with it.
    pub(crate) task: Task,
    /// The lanes that it is passed on to: homes of flows that it concerns.
    pub(crate) forward_to: Vec<LaneId>,
    /// Where it was read, and the offset after it; timers and answered calls have none.
    pub(crate) progress: Option<(TopicPartition, i64)>,
    /// Whether nobody waits for it.
    pub(crate) is_patient: bool,
}

impl Work {
    /// Whether there is anything to decide or to pass on.
    pub(crate) fn is_of_use(&self) -> bool {
        !matches!(self.task, Task::Pass)
    }

    /// Whether it may be kept back for a moment.
    pub(crate) fn can_wait(&self) -> bool {
        match self.task {
            Task::Decide(_) => self.is_patient && self.forward_to.is_empty(),
            Task::Pass => true,
            Task::Forward(_) | Task::Bury { .. } | Task::PutOff(_) => false,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Task {
    /// To be decided on by the logic.
    Decide(Input),
    /// To be decided in other lanes only.
    Forward(Box<Message>),
    /// To be set aside.
    Bury { delivery: Delivery, topic: String, rejection: Rejection },
    /// A timer that cannot be handled now: it rings again later.
    PutOff(Timer),
    /// Not for this group, or nothing at all.
    Pass,
}

/// Decodes deliveries, fetching schemas that were not seen before.
pub(crate) struct Intake {
    pub(crate) decoder: LearningDecoder,
    pub(crate) group: String,
    /// Only there, the word of a forwarding lane is believed.
    pub(crate) lane_topic: String,
}

impl Intake {
    /// What the logic has no use for is passed over before its data are read.
    pub(crate) async fn work(&self, deliveries: Vec<Delivery>, logic: &impl Logic) -> Result<Vec<Work>, LaneError> {
        let mut unknown = UnknownSchemas::default();
        let mut work = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            work.push(self.one(delivery, logic, &mut unknown).await?);
        }
        Ok(work)
    }

    async fn one(
        &self,
        delivery: Delivery,
        logic: &impl Logic,
        unknown: &mut UnknownSchemas,
    ) -> Result<Work, LaneError> {
        let progress = Some((delivery.source.clone(), delivery.offset + 1));
        let topic = origin_topic(&delivery, &self.lane_topic).to_owned();
        let other_group = delivery.header_text(headers::REDRIVE_GROUP).is_some_and(|group| group != self.group);
        let Some(value) = delivery.value.as_deref().filter(|_| !other_group) else {
            return Ok(Work { task: Task::Pass, forward_to: Vec::new(), progress, is_patient: true });
        };
        let (task, is_patient) = match self.read(&topic, value, logic, unknown).await {
            Ok(None) => (Task::Pass, true),
            Ok(Some((envelope, use_for_it))) => {
                let trace = TraceContext::of(&delivery);
                let envelope = envelope.upcasted(chrono::Utc::now());
                let message = Message { topic, delivery, envelope, trace, elsewhere: Vec::new() };
                (Task::Decide(Input::Message(Box::new(message))), use_for_it == Use::Soon)
            }
            Err(ReadValueError::Undecodable(error)) => {
                (Task::Bury { rejection: undecodable(&error), delivery, topic }, false)
            }
            Err(ReadValueError::Unavailable { reason }) => return Err(LaneError::Registry { reason }),
        };
        Ok(Work { task, forward_to: Vec::new(), progress, is_patient })
    }

    /// The envelope and its use, unless that is none.
    async fn read(
        &self,
        topic: &str,
        value: &[u8],
        logic: &impl Logic,
        unknown: &mut UnknownSchemas,
    ) -> Result<Option<(Envelope, Use)>, ReadValueError> {
        let opened = self.decoder.open(topic, value, unknown).await?;
        match logic.use_for(topic, opened.heading()) {
            Use::Never => Ok(None),
            found => Ok(Some((opened.finish()?, found))),
        }
    }
}

fn undecodable(error: &DecodeError) -> Rejection {
    let reason = match error {
        DecodeError::UnknownSchema { .. } => "unknown-schema",
        _ => "undecodable",
    };
    Rejection { reason, detail: chain(error) }
}

/// Whether another lane has passed this on to its home.
pub(crate) fn is_forwarded(delivery: &Delivery, lane_topic: &str) -> bool {
    delivery.topic() == lane_topic && delivery.header(headers::FORWARDED_FROM).is_some()
}

/// Where a message was first published: a forwarded one says so in `topic/partition/offset`.
fn origin_topic<'a>(delivery: &'a Delivery, lane_topic: &str) -> &'a str {
    delivery
        .header_text(headers::FORWARDED_FROM)
        .filter(|_| delivery.topic() == lane_topic)
        .and_then(|from| from.split('/').next())
        .filter(|topic| !topic.is_empty())
        .unwrap_or(delivery.topic())
}
