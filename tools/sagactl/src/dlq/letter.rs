//! A dead letter: the original's bytes, and why it is here. Pure, so that what a redrive sends can be tested without a
//! broker.

use std::fmt;
use std::str::FromStr;

use backstitch_contracts::headers;
use backstitch_messaging::{Delivery, Header, Record};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::DlqFilter;

/// On a marker in a dead-letter topic: which dead letter was sent again.
pub(crate) const REDRIVEN: &str = "dlq-redriven";
/// On a marker: when.
pub(crate) const REDRIVEN_AT: &str = "dlq-redriven-at";
/// What a dead-letter topic's name ends in.
pub(crate) const SUFFIX: &str = ".dlq";

/// Where a dead letter lies: `orders.commands.dlq/2/17`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LetterId {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.rsplitn(3, '/');
            let (offset, partition, topic) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
            topic.ends_with(SUFFIX).then(|| Self { topic: topic.to_owned(), partition, offset })
        };
        read().ok_or_else(|| format!("`{text}` names no dead letter: TOPIC.dlq/PARTITION/OFFSET, as lists show it"))
    }
}

/// A dead letter as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) id: LetterId,
    pub(crate) delivery: Delivery,
}

/// What lists show.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: Option<i64>,
    pub(crate) key: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) at: Option<String>,
}

impl Letter {
    /// A dead letter, or `None` for a marker.
    pub(crate) fn of(delivery: Delivery) -> Option<Self> {
        if delivery.header(REDRIVEN).is_some() {
            return None;
        }
        let id = LetterId {
            topic: delivery.topic().to_owned(),
            partition: delivery.source.partition,
            offset: delivery.offset,
        };
        Some(Self { id, delivery })
    }

    fn word(&self, header: &str) -> Option<String> {
        self.delivery.header_text(header).map(ToOwned::to_owned)
    }

    /// The topic the original was on.
    pub(crate) fn origin(&self) -> String {
        self.word(headers::DLQ_TOPIC)
            .unwrap_or_else(|| self.id.topic.strip_suffix(SUFFIX).unwrap_or(&self.id.topic).to_owned())
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            id: self.id.to_string(),
            topic: self.origin(),
            partition: self.word(headers::DLQ_PARTITION).and_then(|text| text.parse().ok()),
            offset: self.word(headers::DLQ_OFFSET).and_then(|text| text.parse().ok()),
            key: self.delivery.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()),
            event_type: self.word(headers::CE_TYPE),
            group: self.word(headers::DLQ_GROUP),
            reason: self.word(headers::DLQ_REASON),
            error: self.word(headers::DLQ_ERROR),
            fingerprint: self.word(headers::DLQ_FINGERPRINT),
            at: self.word(headers::DLQ_AT),
        }
    }

    /// Whether the filter means it.
    pub(crate) fn matches(&self, filter: &DlqFilter) -> bool {
        let same = |asked: &Option<String>, header| asked.is_none() || *asked == self.word(header);
        filter.topic.as_ref().is_none_or(|topic| *topic == self.origin())
            && same(&filter.group, headers::DLQ_GROUP)
            && same(&filter.reason, headers::DLQ_REASON)
            && same(&filter.fingerprint, headers::DLQ_FINGERPRINT)
    }

    /// The original, addressed to the group that could not deal with it: same bytes, same partition, without what was
    /// added when it was set aside.
    pub(crate) fn original(&self) -> Record {
        let kept = |(name, _): &&Header| !name.starts_with("dlq-") && name != headers::REDRIVE_GROUP;
        let mut record = Record {
            topic: self.origin(),
            partition: self.word(headers::DLQ_PARTITION).and_then(|text| text.parse().ok()),
            key: self.delivery.key.clone(),
            value: self.delivery.value.clone(),
            headers: self.delivery.headers.iter().filter(kept).cloned().collect(),
        };
        if let Some(group) = self.word(headers::DLQ_GROUP) {
            record = record.header(headers::REDRIVE_GROUP, group);
        }
        record
    }

    /// Says in the dead-letter topic that it was sent again, so that lists leave it out.
    pub(crate) fn marker(&self, now: DateTime<Utc>) -> Record {
        let record = Record {
            topic: self.id.topic.clone(),
            partition: Some(self.id.partition),
            key: self.delivery.key.clone(),
            value: None,
            headers: Vec::new(),
        };
        record.header(REDRIVEN, self.id.to_string()).header(REDRIVEN_AT, now.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use backstitch_messaging::TopicPartition;

    use super::*;

    fn letter() -> Letter {
        let header = |name: &'static str, value: &str| (name.into(), value.as_bytes().to_vec());
        let delivery = Delivery {
            source: TopicPartition::new("orders.commands.dlq", 2),
            offset: 17,
            timestamp_millis: None,
            key: Some(b"order-1".to_vec()),
            value: Some(vec![0, 1, 2, 255]),
            headers: vec![
                header("traceparent", "00-1-2-01"),
                header(headers::DLQ_TOPIC, "orders.commands"),
                header(headers::DLQ_PARTITION, "3"),
                header(headers::DLQ_GROUP, "order"),
                header(headers::DLQ_REASON, "undecodable"),
            ],
        };
        Letter::of(delivery).unwrap()
    }

    #[test]
    fn a_redrive_sends_the_very_bytes_to_the_one_group_where_they_came_from() {
        let record = letter().original();
        assert_eq!((record.topic.as_str(), record.partition), ("orders.commands", Some(3)));
        assert_eq!((record.key, record.value), (Some(b"order-1".to_vec()), Some(vec![0, 1, 2, 255])));
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["traceparent", headers::REDRIVE_GROUP]);
        assert_eq!(record.headers[1].1, b"order");
    }

    #[test]
    fn a_marker_names_its_letter_and_is_none_itself() {
        let marker = letter().marker(DateTime::UNIX_EPOCH);
        assert_eq!((marker.topic.as_str(), marker.partition, &marker.value), ("orders.commands.dlq", Some(2), &None));
        let delivery = Delivery { headers: marker.headers, ..letter().delivery };
        assert_eq!(delivery.header_text(REDRIVEN), Some("orders.commands.dlq/2/17"));
        assert!(Letter::of(delivery).is_none());
    }

    #[test]
    fn filters_leave_out_what_they_do_not_name() {
        let filter = |topic: Option<&str>, reason: Option<&str>| DlqFilter {
            topic: topic.map(ToOwned::to_owned),
            reason: reason.map(ToOwned::to_owned),
            ..DlqFilter::default()
        };
        assert!(letter().matches(&filter(None, None)));
        assert!(letter().matches(&filter(Some("orders.commands"), Some("undecodable"))));
        assert!(!letter().matches(&filter(Some("orders.events"), None)));
        assert!(!letter().matches(&filter(None, Some("panic"))));
    }

    #[test]
    fn an_id_reads_as_it_is_shown() {
        let id: LetterId = "orders.commands.dlq/2/17".parse().unwrap();
        assert_eq!(id, letter().id);
        assert_eq!(id.to_string(), "orders.commands.dlq/2/17");
        for wrong in ["orders.commands/2/17", "orders.commands.dlq/2", "x.dlq/a/1"] {
            assert!(wrong.parse::<LetterId>().is_err(), "{wrong}");
        }
    }
}
