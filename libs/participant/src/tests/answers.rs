//! Repeats and tries: what was answered is answered again, the same to the byte.

use backstitch_contracts::headers;

use super::booking::{How, flow_stream};
use super::desk::Desk;
use super::letters::{FLOW, book, letter, shout, unbook};

#[test]
fn a_repeated_command_gets_exactly_the_same_events_again() {
    Desk::each(|mut desk| {
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["Booked A"]);
        let history = desk.history();
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["Booked A"]);
        assert_eq!(desk.history(), history);
        assert_eq!(desk.published[0], desk.published[1]);
    });
}

#[test]
fn a_final_answer_is_the_answer_to_every_try() {
    Desk::each(|mut desk| {
        assert_eq!(desk.gets(book(1, "A", How::Now)), ["Booked A"]);
        assert_eq!(desk.gets(book(1, "A", How::Now).attempt(2)), ["Booked A"]);
        assert_eq!(desk.gets(book(2, "A", How::Now).of("0002-flow")), ["BookingFailed taken"]);
        assert_eq!(desk.gets(book(2, "A", How::Now).of("0002-flow").attempt(9)), ["BookingFailed taken"]);
        assert_eq!(desk.published[0], desk.published[1]);
        assert_eq!(desk.published[2], desk.published[3]);
    });
}

#[test]
fn after_a_retryable_answer_only_a_higher_try_runs_again() {
    Desk::each(|mut desk| {
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry)), ["BookingFailed busy"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry)), ["BookingFailed busy"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry).attempt(2)), ["Booked A"]);
        assert_eq!(desk.gets(book(1, "A", How::OnSecondTry).attempt(1)), ["Booked A"], "the first try comes late");
        let ids: Vec<_> = desk.published.iter().map(|record| desk.envelope(record).event_id).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);
        assert_eq!(ids[2], ids[3]);
    });
}

#[test]
fn an_answer_names_the_try_that_it_answers() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::OnSecondTry));
        desk.gets(book(1, "A", How::OnSecondTry).attempt(2));
        let tries: Vec<_> = desk.published.iter().map(|record| desk.envelope(record).metadata["try"].clone()).collect();
        assert_eq!(tries, ["1", "2"]);
    });
}

#[test]
fn an_answer_is_the_commands_effect_under_the_flows_key() {
    Desk::each(|mut desk| {
        desk.gets(book(1, "A", How::Now));
        let record = &desk.published[0];
        let envelope = desk.envelope(record);
        assert_eq!(record.topic, "bookings.events");
        assert_eq!(record.key.as_deref(), Some(FLOW.as_bytes()));
        assert_eq!(envelope.causation_id, Some(uuid::Uuid::from_u128(1)));
        assert_eq!(envelope.correlation_id, uuid::Uuid::from_u128(77));
        assert_eq!(envelope.user_id.as_deref(), Some("ada"));
        assert_eq!((envelope.aggregate_type.as_str(), envelope.aggregate_id.as_str()), ("Booking", FLOW));
        assert_eq!(envelope.metadata["source"], "booking");
        let header = |name: &str| {
            let found = record.headers.iter().find(|(header, _)| header == name);
            String::from_utf8(found.unwrap().1.clone()).unwrap()
        };
        assert_eq!(header(headers::CE_ID), envelope.event_id.to_string());
        assert_eq!(header(headers::CE_TYPE), "Booked");
        assert_eq!(header(headers::CE_SOURCE), "booking");
        assert_eq!(header(headers::CE_SPECVERSION), "1.0");
        assert_eq!(header(headers::CE_TIME), "2027-01-15T08:00:00.000000Z");
    });
}

#[test]
fn a_command_answered_without_an_event_is_done_once_all_the_same() {
    Desk::each(|mut desk| {
        assert!(desk.gets(book(1, "A", How::Silently)).is_empty());
        assert!(desk.gets(book(1, "A", How::Silently)).is_empty());
        assert_eq!(desk.stream(&super::booking::seat_stream("A")), ["SeatTaken"]);
        assert_eq!(desk.history(), ["backstitch.CommandAnswered"]);
    });
}

#[test]
fn a_command_nobody_handles_is_rejected_and_another_topics_event_is_passed_over() {
    Desk::each(|mut desk| {
        let rejection = desk.try_gets(letter("bookings.commands", 1, "Sing", serde_json::json!({}))).unwrap_err();
        assert_eq!(rejection.reason, "unknown-command");
        assert!(desk.gets(letter("street.events", 2, "Sing", serde_json::json!({}))).is_empty());
        assert!(desk.history().is_empty());
    });
}

#[test]
fn many_commands_of_a_flow_are_decided_in_one_batch() {
    Desk::each(|mut desk| {
        let letters = vec![
            book(1, "A", How::Now),
            book(1, "A", How::Now),
            shout(2, "listen"),
            unbook(3, How::Now).undoing(1),
            unbook(3, How::Now).undoing(1),
            book(4, "B", How::Now).of("0002-flow"),
        ];
        let told: Vec<_> = desk.gets_at_once(letters).into_iter().map(Result::unwrap).collect();
        let expected =
            [vec!["Booked A"], vec!["Booked A"], vec![], vec!["Unbooked A"], vec!["Unbooked A"], vec!["Booked B"]];
        assert_eq!(told, expected);
        assert_eq!(desk.history(), ["Booked", "Noticed", "Unbooked"]);
    });
}

#[test]
fn a_new_flow_is_begun_without_reading_and_a_known_one_is_not_read_again() {
    let mut desk = Desk::at(std::sync::Arc::default(), false);
    desk.gets(book(1, "A", How::Now));
    desk.gets(book(1, "A", How::Now));
    desk.gets(unbook(2, How::Now).undoing(1));
    assert!(desk.reads.is_empty(), "{:?}", desk.reads);
}

#[test]
fn a_flow_taken_for_new_that_is_not_is_read_and_decided_again() {
    let mut desk = Desk::at(std::sync::Arc::default(), false);
    desk.gets(book(1, "A", How::Now));
    desk.restart();
    assert_eq!(desk.gets(book(9, "B", How::OnSecondTry)), ["BookingFailed busy"]);
    let stream = flow_stream(FLOW);
    assert_eq!(desk.reads, [[format!("{stream} after 0")]]);
    assert_eq!(desk.history(), ["Booked", "BookingFailed"]);
}
