//! Messages of a flow, each below the one that caused it. Pure: what is shown can be tested without a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A message, as far as its place in the flow goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) version: i32,
    /// What it is about.
    pub(crate) aggregate: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) cause: Option<Uuid>,
    pub(crate) user: Option<String>,
    /// Who published it.
    pub(crate) source: Option<String>,
    /// Where it was read first: `topic/partition/offset`.
    pub(crate) read: String,
    /// How often it is on its topic.
    pub(crate) copies: u32,
}

impl Message {
    /// Its place among others: by time, and then by where it was read.
    fn place(&self) -> (DateTime<Utc>, &str) {
        (self.at, &self.read)
    }
}

/// A message and everything that it caused.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tree {
    #[serde(flatten)]
    pub(crate) message: Message,
    /// Its cause is known by name only: it is gone, or on no topic that was read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cause_not_found: bool,
    pub(crate) led_to: Vec<Tree>,
}

/// The messages as trees, oldest first. Repeats of a message are one. A message that is said to have caused itself, by
/// whatever detour, stands at the top.
pub(crate) fn grow(messages: Vec<Message>) -> Vec<Tree> {
    let mut by_id: BTreeMap<Uuid, Message> = BTreeMap::new();
    for message in messages {
        match by_id.get_mut(&message.id) {
            Some(known) => known.copies += message.copies,
            None => drop(by_id.insert(message.id, message)),
        }
    }
    let mut in_time: Vec<&Message> = by_id.values().collect();
    in_time.sort_by(|one, other| one.place().cmp(&other.place()));
    let mut led_to: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    let (mut tops, mut others, mut lost) = (Vec::new(), Vec::new(), BTreeSet::new());
    for message in in_time {
        match message.cause.filter(|cause| by_id.contains_key(cause)) {
            Some(cause) => {
                led_to.entry(cause).or_default().push(message.id);
                others.push(message.id);
            }
            None => {
                tops.push(message.id);
                lost.extend(message.cause);
            }
        }
    }
    let mut left = by_id;
    // What no top has led to is left, and stands at the top itself.
    let planted = tops.into_iter().chain(others).filter_map(|id| plant(id, &mut left, &led_to, &lost));
    let mut trees: Vec<Tree> = planted.collect();
    trees.sort_by(|one, other| one.message.place().cmp(&other.message.place()));
    trees
}

fn plant(
    id: Uuid,
    left: &mut BTreeMap<Uuid, Message>,
    led_to: &BTreeMap<Uuid, Vec<Uuid>>,
    lost: &BTreeSet<Uuid>,
) -> Option<Tree> {
    let message = left.remove(&id)?;
    let cause_not_found = message.cause.is_some_and(|cause| lost.contains(&cause));
    let below = led_to.get(&id).into_iter().flatten();
    let led_to = below.filter_map(|id| plant(*id, left, led_to, lost)).collect();
    Some(Tree { message, cause_not_found, led_to })
}

/// The trees with their branches; the message that was asked for is marked.
pub(crate) fn drawn(trees: &[Tree], asked: Uuid) -> String {
    let mut text = String::new();
    for tree in trees {
        draw(tree, asked, "", "", &mut text);
    }
    text.truncate(text.trim_end().len());
    text
}

fn draw(tree: &Tree, asked: Uuid, first: &str, rest: &str, text: &mut String) {
    let message = &tree.message;
    let version = if message.version == 1 { String::new() } else { format!(" v{}", message.version) };
    let at = message.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    // Writing to a string cannot fail.
    let _ = write!(text, "{first}{}{version}  {}  {at}  {}", message.kind, message.aggregate, message.read);
    let who = message.user.as_ref().map(|user| format!("by {user}"));
    let copies = (message.copies > 1).then(|| format!("{} times", message.copies));
    let cause = message.cause.filter(|_| tree.cause_not_found).map(|cause| format!("its cause {cause} was not found"));
    let marked = (message.id == asked).then(|| "<- asked for".to_owned());
    for word in [who, copies, cause, marked].into_iter().flatten() {
        let _ = write!(text, "  {word}");
    }
    text.push('\n');
    let last = tree.led_to.len().saturating_sub(1);
    for (place, below) in tree.led_to.iter().enumerate() {
        let (corner, line) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(below, asked, &format!("{rest}{corner}"), &format!("{rest}{line}"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u128, kind: &str, second: i64, cause: Option<u128>) -> Message {
        Message {
            id: Uuid::from_u128(id),
            kind: kind.to_owned(),
            version: 1,
            aggregate: "order-1".to_owned(),
            at: DateTime::from_timestamp(second, 0).unwrap_or_default(),
            cause: cause.map(Uuid::from_u128),
            user: None,
            source: None,
            read: format!("t/0/{second}"),
            copies: 1,
        }
    }

    #[test]
    fn what_was_caused_stands_below_its_cause_in_the_order_of_time() {
        let trees = grow(vec![
            message(3, "InventoryReserved", 3, Some(2)),
            message(1, "PlaceOrder", 0, None),
            message(4, "SagaStarted", 2, Some(5)),
            message(5, "OrderPlaced", 1, Some(1)),
            message(2, "ReserveInventory", 2, Some(5)),
        ]);
        assert_eq!(
            drawn(&trees, Uuid::from_u128(2)),
            "\
PlaceOrder  order-1  1970-01-01T00:00:00.000Z  t/0/0
└─ OrderPlaced  order-1  1970-01-01T00:00:01.000Z  t/0/1
   ├─ ReserveInventory  order-1  1970-01-01T00:00:02.000Z  t/0/2  <- asked for
   │  └─ InventoryReserved  order-1  1970-01-01T00:00:03.000Z  t/0/3
   └─ SagaStarted  order-1  1970-01-01T00:00:02.000Z  t/0/2"
        );
    }

    #[test]
    fn a_repeat_is_the_same_message_and_a_lost_cause_is_told() {
        let repeat = Message { read: "t/0/9".to_owned(), ..message(1, "OrderShipped", 9, Some(77)) };
        let trees = grow(vec![message(1, "OrderShipped", 4, Some(77)), repeat]);
        assert_eq!((trees.len(), trees[0].message.copies, trees[0].cause_not_found), (1, 2, true));
        assert!(
            drawn(&trees, Uuid::nil()).contains("t/0/4  2 times  its cause 00000000-0000-0000-0000-00000000004d was")
        );
    }

    #[test]
    fn messages_that_cause_each_other_are_shown_once_each() {
        let trees = grow(vec![message(1, "A", 1, Some(2)), message(2, "B", 2, Some(1)), message(3, "C", 3, Some(3))]);
        let tops: Vec<&str> = trees.iter().map(|tree| tree.message.kind.as_str()).collect();
        assert_eq!((tops, trees[0].led_to[0].message.kind.as_str()), (vec!["A", "C"], "B"));
        assert!(trees[0].led_to[0].led_to.is_empty() && trees[1].led_to.is_empty());
    }
}
