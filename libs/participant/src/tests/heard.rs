//! Events of other services, and timers.

use super::booking::{How, Outcome, seat_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, shout, unbook};

#[test]
fn an_event_that_is_heard_twice_is_reacted_to_once() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.gets(shout(5, "fire")), ["Unbooked A"]);
        desk.gets(book(2, "A", How::Now));
        assert!(desk.gets(shout(5, "fire")).is_empty());
        assert_eq!(desk.gets(shout(6, "fire")), ["Unbooked A"]);
        let causes: Vec<_> = desk.published.iter().map(|record| desk.envelope(record).causation_id).collect();
        assert_eq!(causes, [1, 5, 2, 6].map(|id| Some(uuid::Uuid::from_u128(id))));
    });
}

#[test]
fn an_event_that_changes_nothing_leaves_no_trace() {
    Desk::each(|mut desk| {
        assert!(desk.gets(shout(5, "fire")).is_empty());
        assert!(desk.history().is_empty());
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.gets(shout(5, "fire")), ["Unbooked A"], "it had no effect before");
    });
}

#[test]
fn an_event_whose_only_effect_is_a_timer_is_remembered() {
    Desk::each(|mut desk| {
        desk.gets(shout(5, "wake me"));
        assert_eq!(desk.history(), ["backstitch.Reacted"]);
        desk.timers.clear();
        desk.gets(shout(5, "wake me"));
        assert!(desk.timers.is_empty(), "the second is a duplicate");
    });
}

#[test]
fn what_a_timer_does_has_no_cause_but_belongs_to_the_flow() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        assert_eq!(desk.timers.keys().collect::<Vec<_>>(), [&format!("booking-{FLOW}/hold")]);
        assert_eq!(desk.wakes(), ["Unbooked A"]);
        let (record, envelope) = (&desk.published[1], desk.envelope(&desk.published[1]));
        assert_eq!(envelope.causation_id, None);
        assert_eq!(envelope.correlation_id, uuid::Uuid::from_u128(77));
        assert_eq!(record.key.as_deref(), Some(FLOW.as_bytes()));
        assert_eq!(envelope.metadata.get("try"), None);
        assert_eq!(desk.stream(&seat_stream("A")), ["SeatTaken", "SeatFreed"]);
    });
}

#[test]
fn a_timer_that_fires_again_later_has_other_event_ids() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.wakes();
        desk.gets(book(2, "A", How::Now));
        assert_eq!(desk.wakes(), ["Unbooked A"]);
        let (first, second) = (desk.envelope(&desk.published[1]), desk.envelope(&desk.published[3]));
        assert_ne!(first.event_id, second.event_id);
    });
}

#[test]
fn a_timer_taken_back_does_not_fire() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.gets(shout(5, "fire"));
        assert!(desk.timers.is_empty());
    });
}

#[test]
fn an_event_or_a_timer_may_ask_for_a_call_and_the_flow_is_told_its_outcome() {
    Desk::each(|mut desk| {
        assert!(desk.gets(shout(5, "ask")).is_empty());
        assert!(desk.gets(shout(5, "ask")).is_empty(), "the second is a duplicate");
        assert_eq!(desk.jobs.len(), 1);
        assert!(desk.hears_back(Outcome::AskAgain).is_empty());
        assert_eq!(desk.jobs.len(), 2);
        assert_ne!(desk.jobs[0].id, desk.jobs[1].id);
        assert_eq!(desk.hears_back(Outcome::Yes), ["BookingFailed rumour"]);
        let envelope = desk.envelope(&desk.published[0]);
        assert_eq!(envelope.causation_id, None);
        assert_eq!(envelope.correlation_id, uuid::Uuid::from_u128(77));
    });
}

#[test]
fn a_call_that_no_command_waits_for_keeps_no_compensation_waiting() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        desk.gets(shout(5, "ask"));
        assert_eq!(desk.gets(unbook(2, How::Now).undoing(1)), ["Unbooked A"]);
        assert!(desk.hears_back(Outcome::No).is_empty());
    });
}
