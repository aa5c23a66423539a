//! Bytes that somebody made to hurt, or that a disk or a bug made. None of them panics, hangs, or takes memory that
//! it did not bring; what decodes at all can be written and read again.

use backstitch_contracts::{Catalog, DecodeError, Decoder, Encoder, frame};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::samples;

const HEAD: &str = r#"{"name": "event_id", "type": "string"}, {"name": "event_type", "type": "string"},
    {"name": "event_version", "type": "int"}, {"name": "aggregate_id", "type": "string"},
    {"name": "aggregate_type", "type": "string"},
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "correlation_id", "type": "string"}"#;

fn decoder(schema: &str) -> Decoder {
    let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
    decoder.learn(1, schema).unwrap();
    decoder
}

/// A schema whose `data` is of this type, and the bytes before that data.
fn with_data(kind: &str) -> (String, Vec<u8>) {
    let schema =
        format!(r#"{{"type": "record", "name": "E", "fields": [{HEAD}, {{"name": "data", "type": {kind}}}]}}"#);
    let mut bytes = frame(1).to_vec();
    let id = b"\x4800000000-0000-0000-0000-000000000001";
    bytes.extend([&id[..], &[2, b'X', 2, 0, 0, 0], id].concat());
    (schema, bytes)
}

fn problem(topic: &str, schema: &str, bytes: &[u8]) -> String {
    match decoder(schema).decode(topic, bytes) {
        Err(DecodeError::Malformed { path, problem, .. }) => format!("{path}: {problem}"),
        other => panic!("{other:?}"),
    }
}

/// The largest lengths and counts that can be written down.
const HUGE: [&[u8]; 3] = [
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];

#[test]
fn a_length_that_the_bytes_do_not_bear_out_takes_no_memory() {
    for kind in [r#""string""#, r#""bytes""#] {
        let (schema, head) = with_data(kind);
        for huge in HUGE {
            let bytes = [&head, huge, b"abc"].concat();
            assert_eq!(problem("foreign", &schema, &bytes), "data: the bytes end too early");
        }
    }
    let (schema, head) = with_data(r#"{"type": "fixed", "name": "F", "size": 1099511627776}"#);
    assert_eq!(problem("foreign", &schema, &head), "data: the bytes end too early");
}

#[test]
fn a_count_that_the_bytes_do_not_bear_out_takes_no_time() {
    let (schema, head) = with_data(r#"{"type": "array", "items": "long"}"#);
    for huge in HUGE {
        let shown = problem("foreign", &schema, &[&head, huge, &[2, 4]].concat());
        assert_eq!(shown, "data[2]: the bytes end too early");
    }
    for empty in [r#""null""#, r#"{"type": "record", "name": "Nothing", "fields": []}"#] {
        let (schema, head) = with_data(&format!(r#"{{"type": "array", "items": {empty}}}"#));
        for huge in HUGE {
            let shown = problem("foreign", &schema, &[&head, huge].concat());
            assert_eq!(shown, "data: it has more elements than its bytes explain");
        }
    }
}

#[test]
fn a_value_nested_without_end_is_refused() {
    let (schema, head) =
        with_data(r#"{"type": "record", "name": "L", "fields": [{"name": "l", "type": ["null", "L"]}]}"#);
    let nested = |levels: usize| [head.clone(), vec![2; levels], vec![0]].concat();
    assert!(decoder(&schema).decode("foreign", &nested(20)).is_ok());
    assert!(problem("foreign", &schema, &nested(1_000_000)).ends_with("it nests more than 64 levels deep"));
}

#[test]
fn a_default_that_contains_itself_is_a_schema_error_and_no_endless_work() {
    let (schema, _) = with_data(
        r#"{"type": "record", "name": "L", "fields": [
            {"name": "a", "type": "L", "default": {}}, {"name": "b", "type": "L", "default": {}}
        ]}"#,
    );
    let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
    assert!(decoder.learn(1, &schema).is_err());
}

#[test]
fn a_default_that_doubles_at_every_level_is_a_schema_error() {
    let levels = (0..11).rev().fold(r#"{"type": "record", "name": "R11", "fields": []}"#.to_owned(), |inner, level| {
        format!(
            r#"{{"type": "record", "name": "R{level}", "fields": [
                {{"name": "a", "type": {inner}, "default": {{}}}}, {{"name": "b", "type": "R{}", "default": {{}}}}
            ]}}"#,
            level + 1
        )
    });
    let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
    let error = decoder.learn(1, &levels).unwrap_err().to_string();
    assert_eq!(error, "the default of field `a` of `R0` is not of the field's type, or too large");
}

#[test]
fn numbers_and_lengths_that_cannot_be_are_refused() {
    let (schema, head) = with_data(r#""long""#);
    let with = |bytes: &[u8]| [&head, bytes].concat();
    let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let read = decoder(&schema).decode("foreign", &with(&[&longest[..], &[0x01]].concat())).unwrap();
    assert_eq!(read.data, i64::MIN);
    for last in [&[0x02][..], &[0x81, 0x00], &[0xff]] {
        let shown = problem("foreign", &schema, &with(&[&longest[..], last].concat()));
        assert_eq!(shown, "data: a number is longer than its type");
    }
    let (schema, head) = with_data(r#""string""#);
    assert_eq!(problem("foreign", &schema, &[&head[..], &[1]].concat()), "data: a length is negative");
}

#[test]
fn what_is_no_message_is_told_apart() {
    let schema = samples::schemas().into_iter().find(|(topic, ..)| topic == "orders.events").unwrap().1;
    let decoder = decoder(&schema);
    for unframed in [&b""[..], b"\0", b"\0\0\0\0", b"{\"event_id\": 1}", &[1, 0, 0, 0, 1, 7]] {
        assert_eq!(decoder.decode("orders.events", unframed), Err(DecodeError::NotFramed));
    }
    assert_eq!(decoder.decode("orders.events", &frame(u32::MAX)), Err(DecodeError::UnknownSchema { id: u32::MAX }));
    assert_eq!(problem("orders.events", &schema, &frame(1)), "event_id: the bytes end too early");
    let (foreign, head) = with_data(r#""int""#);
    assert_eq!(problem("foreign", &foreign, &[&head[..], &[2, 7]].concat()), ": 1 bytes are left over");
    assert_eq!(
        problem("foreign", r#""string""#, &[&frame(1)[..], &[0]].concat()),
        ": it is no envelope: the schema is no record"
    );
    let plain = r#"{"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]}"#;
    assert_eq!(
        problem("foreign", plain, &[&frame(1)[..], &[2]].concat()),
        ": it is no envelope: missing field `event_id`"
    );
}

/// A change to a message's bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), proptest::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        any::<Index>().prop_map(Damage::Remove),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
        }
    }
    bytes
}

#[test]
fn a_damaged_message_is_read_or_refused_and_what_is_read_can_be_written_again() {
    for (topic, text, schema) in samples::schemas() {
        let (encoder, decoder) = (Encoder::new(&text, 1).unwrap(), decoder(&text));
        let members = samples::members(&schema).into_iter().map(|member| samples::envelopes(&member));
        let messages = proptest::strategy::Union::new(members);
        let mut runner = TestRunner::new(Config { cases: 512, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&(messages, proptest::collection::vec(damage(), 1..4)), |(envelope, damages)| {
            let bytes = damaged(encoder.encode(&envelope).unwrap(), &damages);
            if let Ok(read) = decoder.decode(&topic, &bytes) {
                let again = encoder.encode(&read).unwrap();
                prop_assert_eq!(decoder.decode(&topic, &again).unwrap(), read);
            }
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{topic}: {failure}"));
    }
}

proptest! {
    #[test]
    fn noise_is_refused_by_every_schema(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (topic, text, _) in samples::schemas().into_iter().take(3) {
            let bytes = [&frame(1)[..], &noise].concat();
            prop_assert!(decoder(&text).decode(&topic, &bytes).is_err());
        }
    }
}
