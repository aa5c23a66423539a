//! Dead letters: the original bytes untouched, and headers that say what happened, where, and to whom.

use backstitch_contracts::headers;
use backstitch_messaging::{Delivery, Header, Record};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::logic::Rejection;

/// The record for `<topic>.dlq`. `topic` is where the message was first published.
pub(crate) fn dead_letter(
    delivery: &Delivery,
    topic: &str,
    group: &str,
    rejection: &Rejection,
    at: DateTime<Utc>,
) -> Record {
    // Without the mark of forwarding: should it be sent again, it has to find its home lane anew.
    let sent = |(name, _): &&Header| !name.starts_with("dlq-") && name != headers::FORWARDED_FROM;
    let mut all: Vec<Header> = delivery.headers.iter().filter(sent).cloned().collect();
    let (partition, offset) = first_published(delivery);
    let provenance = [
        (headers::DLQ_REASON, rejection.reason.to_owned()),
        (headers::DLQ_ERROR, rejection.detail.chars().take(2_000).collect()),
        (headers::DLQ_FINGERPRINT, fingerprint(topic, group, rejection)),
        (headers::DLQ_GROUP, group.to_owned()),
        (headers::DLQ_TOPIC, topic.to_owned()),
        (headers::DLQ_PARTITION, partition),
        (headers::DLQ_OFFSET, offset),
        (headers::DLQ_AT, at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
    ];
    all.extend(provenance.into_iter().map(|(name, value)| (name.into(), value.into_bytes())));
    Record {
        topic: format!("{topic}.dlq"),
        partition: None,
        key: delivery.key.clone(),
        value: delivery.value.clone(),
        headers: all,
    }
}

/// Partition and offset where the message was first published: a forwarded one says so in `topic/partition/offset`.
fn first_published(delivery: &Delivery) -> (String, String) {
    let forwarded = delivery.header_text(headers::FORWARDED_FROM).and_then(|from| {
        let (from, offset) = from.rsplit_once('/')?;
        let (_, partition) = from.rsplit_once('/')?;
        Some((partition.to_owned(), offset.to_owned()))
    });
    forwarded.unwrap_or_else(|| (delivery.source.partition.to_string(), delivery.offset.to_string()))
}

/// Equal for failures that differ only in numbers and quoted values, so that a thousand of a kind are one group.
fn fingerprint(topic: &str, group: &str, rejection: &Rejection) -> String {
    let mut shape = String::new();
    let mut quoted = false;
    for character in rejection.detail.chars() {
        match character {
            '`' | '"' => quoted = !quoted,
            _ if quoted || character.is_ascii_digit() => {}
            _ => shape.push(character),
        }
    }
    let mut hash = Sha256::new();
    for part in [topic, group, rejection.reason, &shape] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstitch_messaging::TopicPartition;

    #[test]
    fn a_forwarded_message_is_buried_where_it_was_first_published() {
        let delivery = Delivery {
            source: TopicPartition::new("saga.inputs", 0),
            offset: 7,
            timestamp_millis: None,
            key: None,
            value: Some(b"bytes".to_vec()),
            headers: vec![(headers::FORWARDED_FROM.into(), b"saga.commands/3/41".to_vec())],
        };
        let rejection = Rejection::unknown_command("Frobnicate");
        let letter = dead_letter(&delivery, "saga.commands", "orchestrator", &rejection, DateTime::UNIX_EPOCH);
        let header =
            |name: &str| letter.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice());
        assert_eq!(letter.topic, "saga.commands.dlq");
        assert_eq!(header(headers::DLQ_PARTITION), Some(b"3".as_slice()));
        assert_eq!(header(headers::DLQ_OFFSET), Some(b"41".as_slice()));
        assert_eq!(header(headers::FORWARDED_FROM), None, "sent again, it must find its home lane anew");
    }

    #[test]
    fn failures_of_one_kind_share_a_fingerprint() {
        let print = |detail: &str| fingerprint("orders.events", "inventory", &Rejection::invalid(detail));
        assert_eq!(print("item 7: unknown product `a-1`"), print("item 12: unknown product `b`"));
        assert_ne!(print("item 7: unknown product `a-1`"), print("item 7: no quantity"));
    }
}
