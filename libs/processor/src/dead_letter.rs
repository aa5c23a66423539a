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
    let mut all: Vec<Header> = delivery.headers.iter().filter(|(name, _)| !name.starts_with("dlq-")).cloned().collect();
    let provenance = [
        (headers::DLQ_REASON, rejection.reason.to_owned()),
        (headers::DLQ_ERROR, rejection.detail.chars().take(2_000).collect()),
        (headers::DLQ_FINGERPRINT, fingerprint(topic, group, rejection)),
        (headers::DLQ_GROUP, group.to_owned()),
        (headers::DLQ_TOPIC, topic.to_owned()),
        (headers::DLQ_PARTITION, delivery.source.partition.to_string()),
        (headers::DLQ_OFFSET, delivery.offset.to_string()),
        (headers::DLQ_AT, at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
    ];
    all.extend(provenance.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
    Record {
        topic: format!("{topic}.dlq"),
        partition: None,
        key: delivery.key.clone(),
        value: delivery.value.clone(),
        headers: all,
    }
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

    #[test]
    fn failures_of_one_kind_share_a_fingerprint() {
        let print = |detail: &str| fingerprint("orders.events", "inventory", &Rejection::invalid(detail));
        assert_eq!(print("item 7: unknown product `a-1`"), print("item 12: unknown product `b`"));
        assert_ne!(print("item 7: unknown product `a-1`"), print("item 7: no quantity"));
    }
}
