//! Messages of every kind, made from the schemas themselves, and the way into `apache-avro`'s own values. Separate from
//! the tests, because several of them need the same messages; and no code of ours is used to make them.

use std::collections::{BTreeMap, HashMap};

use apache_avro::Schema;
use apache_avro::schema::{RecordSchema, UnionSchema};
use apache_avro::types::Value as Avro;
use backstitch_contracts::{Catalog, Envelope};
use chrono::{DateTime, SecondsFormat};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// First and last microsecond of the years 0 to 9999.
const MICROS: std::ops::RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;

/// The envelope schemas of all topics that have one: topic, text, parsed.
pub(crate) fn schemas() -> Vec<(String, String, Schema)> {
    let catalog = Catalog::embedded().unwrap();
    let with_schema = catalog.topics().filter_map(|topic| Some((topic.name.clone(), topic.schema.clone()?)));
    with_schema.map(|(name, text)| (name, text.clone(), Schema::parse_str(&text).unwrap())).collect()
}

/// The members of an envelope's `data`.
pub(crate) fn members(envelope: &Schema) -> Vec<RecordSchema> {
    let Schema::Record(record) = envelope else { panic!("{envelope:?} is no record") };
    let Schema::Union(union) = &record.fields.last().unwrap().schema else { panic!("data is no union") };
    let record = |schema: &Schema| match schema {
        Schema::Record(record) => record.clone(),
        other => panic!("{other:?} is no record"),
    };
    union.variants().iter().map(record).collect()
}

/// Type and version of a member: `OrderPlacedV2` is version 2 of `OrderPlaced`.
pub(crate) fn type_and_version(member: &str) -> (String, i32) {
    match member.rsplit_once('V').and_then(|(name, version)| Some((name, version.parse().ok()?))) {
        Some((name, version)) => (name.to_owned(), version),
        None => (member.to_owned(), 1),
    }
}

/// Any envelope around any data of this member.
pub(crate) fn envelopes(member: &RecordSchema) -> BoxedStrategy<Envelope> {
    let (event_type, event_version) = type_and_version(member.name.name());
    let head =
        (any::<[u128; 2]>(), any::<Option<u128>>(), MICROS, ".{0,12}", "[A-Za-z]{0,12}", any::<Option<String>>());
    // One entry at most: apache-avro's maps have no order, so two would be written in any.
    (head, btree_map(".{0,8}", ".{0,8}", 0..2), record(member))
        .prop_map(move |((ids, causation, micros, aggregate_id, aggregate_type, user_id), metadata, data)| Envelope {
            event_id: Uuid::from_u128(ids[0]),
            event_type: event_type.clone(),
            event_version,
            aggregate_id,
            aggregate_type,
            occurred_at: DateTime::from_timestamp_micros(micros).unwrap(),
            correlation_id: Uuid::from_u128(ids[1]),
            causation_id: causation.map(Uuid::from_u128),
            user_id,
            metadata,
            data,
        })
        .boxed()
}

fn record(record: &RecordSchema) -> BoxedStrategy<Value> {
    let names: Vec<String> = record.fields.iter().map(|field| field.name.clone()).collect();
    let fields: Vec<_> = record.fields.iter().map(|field| value(&field.schema)).collect();
    fields.prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect::<Map<_, _>>())).boxed()
}

fn value(schema: &Schema) -> BoxedStrategy<Value> {
    match schema {
        Schema::Null => Just(Value::Null).boxed(),
        Schema::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Schema::Int => any::<i32>().prop_map(Value::from).boxed(),
        Schema::Long => any::<i64>().prop_map(Value::from).boxed(),
        Schema::String => ".{0,16}".prop_map(Value::from).boxed(),
        Schema::TimestampMicros => MICROS.prop_map(|micros| json!(rfc3339(micros))).boxed(),
        Schema::Array(array) => vec(value(&array.items), 0..4).prop_map(Value::from).boxed(),
        Schema::Map(map) => btree_map(".{0,8}", value(&map.types), 0..3).prop_map(|map| json!(map)).boxed(),
        Schema::Union(union) => proptest::strategy::Union::new(union.variants().iter().map(value)).boxed(),
        Schema::Record(inner) => record(inner),
        other => panic!("no message has a {other:?}"),
    }
}

fn rfc3339(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The envelope as `apache-avro` would have it, for a schema of ours.
pub(crate) fn as_avro(envelope: &Envelope, schema: &Schema) -> Avro {
    let Schema::Record(record) = schema else { panic!("{schema:?} is no record") };
    let data = members(schema)
        .iter()
        .position(|member| {
            type_and_version(member.name.name()) == (envelope.event_type.clone(), envelope.event_version)
        })
        .unwrap();
    let json = serde_json::to_value(envelope).unwrap();
    let fields = record.fields.iter().map(|field| {
        let value = match (field.name.as_str(), &field.schema) {
            ("data", Schema::Union(union)) => {
                Avro::Union(u32::try_from(data).unwrap(), Box::new(avro(&json["data"], &union.variants()[data])))
            }
            (name, schema) => avro(&json[name], schema),
        };
        (field.name.clone(), value)
    });
    Avro::Record(fields.collect())
}

fn avro(json: &Value, schema: &Schema) -> Avro {
    match (schema, json) {
        (Schema::Null, Value::Null) => Avro::Null,
        (Schema::Boolean, Value::Bool(flag)) => Avro::Boolean(*flag),
        (Schema::Int, Value::Number(number)) => Avro::Int(i32::try_from(number.as_i64().unwrap()).unwrap()),
        (Schema::Long, Value::Number(number)) => Avro::Long(number.as_i64().unwrap()),
        (Schema::String, Value::String(text)) => Avro::String(text.clone()),
        (Schema::Uuid(_), Value::String(text)) => Avro::Uuid(text.parse().unwrap()),
        (Schema::TimestampMicros, Value::String(text)) => {
            Avro::TimestampMicros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
        }
        (Schema::Array(array), Value::Array(items)) => {
            Avro::Array(items.iter().map(|item| avro(item, &array.items)).collect())
        }
        (Schema::Map(map), Value::Object(entries)) => {
            let entry = |(key, value): (&String, &Value)| (key.clone(), avro(value, &map.types));
            Avro::Map(entries.iter().map(entry).collect::<HashMap<_, _>>())
        }
        (Schema::Union(union), value) => optional(union, value),
        (Schema::Record(record), Value::Object(values)) => {
            let field = |field: &apache_avro::schema::RecordField| {
                (field.name.clone(), avro(values.get(&field.name).unwrap(), &field.schema))
            };
            Avro::Record(record.fields.iter().map(field).collect())
        }
        (schema, value) => panic!("{value} is no {schema:?}"),
    }
}

/// All unions below `data` are of null and one more.
fn optional(union: &UnionSchema, value: &Value) -> Avro {
    let [Schema::Null, some] = union.variants() else { panic!("{union:?} is more than optional") };
    match value {
        Value::Null => Avro::Union(0, Box::new(Avro::Null)),
        value => Avro::Union(1, Box::new(avro(value, some))),
    }
}

/// An envelope with fixed ids and times around this data.
pub(crate) fn fixed(event_type: &str, event_version: i32, data: Value) -> Envelope {
    Envelope {
        event_id: Uuid::from_u128(0x0001),
        event_type: event_type.to_owned(),
        event_version,
        aggregate_id: "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".to_owned(),
        aggregate_type: "Order".to_owned(),
        occurred_at: DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap(),
        correlation_id: Uuid::from_u128(0x0002),
        causation_id: Some(Uuid::from_u128(0x0003)),
        user_id: None,
        metadata: BTreeMap::from([("source".to_owned(), "order".to_owned())]),
        data,
    }
}
