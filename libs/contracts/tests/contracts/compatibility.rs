//! Readers of today read everything that was ever written: every topic's schema is BACKWARD_TRANSITIVE, by
//! `apache-avro`'s judgement. And the judgement is not blind: what breaks the rule is refused.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use backstitch_contracts::{Catalog, Topic};
use serde_json::{Value, json};

pub(crate) fn topics() -> Vec<Topic> {
    Catalog::embedded().unwrap().topics().filter(|topic| topic.schema.is_some()).cloned().collect()
}

pub(crate) fn schema(topic: &Topic) -> Value {
    serde_json::from_str(topic.schema.as_deref().unwrap()).unwrap()
}

pub(crate) fn can_read(writer: &Value, reader: &Value) -> bool {
    let parse = |schema: &Value| Schema::parse_str(&schema.to_string()).unwrap();
    // Anything but full means that some message could not be read.
    matches!(SchemaCompatibility::can_read(&parse(writer), &parse(reader)), Ok(Compatibility::Full))
}

fn members(schema: &mut Value) -> &mut Vec<Value> {
    let data = schema["fields"].as_array_mut().unwrap().last_mut().unwrap();
    data["type"].as_array_mut().unwrap()
}

/// The topic's schema as it was when it carried these members only.
fn with_members(topic: &Topic, keep: impl Fn(usize) -> bool) -> Value {
    let mut older = schema(topic);
    let mut index = 0..;
    members(&mut older).retain(|_| keep(index.next().unwrap()));
    older
}

#[test]
fn the_newest_schema_reads_every_record_file_that_ever_was() {
    let mut records = 0;
    for topic in topics() {
        let newest = schema(&topic);
        for (index, file) in topic.files.iter().enumerate() {
            assert!(can_read(&with_members(&topic, |i| i == index), &newest), "{}: {file} is not readable", topic.name);
            assert!(can_read(&with_members(&topic, |i| i <= index), &newest), "{}: up to {file}", topic.name);
            records += 1;
        }
    }
    assert!(records > 60, "only {records} records were seen");
}

#[test]
fn a_member_taken_away_is_refused() {
    for topic in topics().into_iter().filter(|topic| topic.members.len() > 1) {
        let released = schema(&topic);
        for (index, member) in topic.members.iter().enumerate() {
            assert!(!can_read(&released, &with_members(&topic, |i| i != index)), "{}: without {member}", topic.name);
        }
    }
}

#[test]
fn a_new_field_needs_a_default() {
    for topic in topics() {
        let released = schema(&topic);
        for index in 0..topic.members.len() {
            let mut next = released.clone();
            let fields = members(&mut next)[index]["fields"].as_array_mut().unwrap();
            fields.push(json!({ "name": "added_later", "type": "string" }));
            assert!(!can_read(&released, &next), "{}: {}", topic.name, topic.members[index]);
            members(&mut next)[index]["fields"].as_array_mut().unwrap().last_mut().unwrap()["default"] = json!("");
            assert!(can_read(&released, &next), "{}: {}", topic.name, topic.members[index]);
        }
    }
}

#[test]
fn a_field_of_another_type_is_refused() {
    for topic in topics() {
        let released = schema(&topic);
        for index in 0..topic.members.len() {
            let mut next = released.clone();
            let field = members(&mut next)[index]["fields"].as_array_mut().unwrap().first_mut().unwrap();
            field.as_object_mut().unwrap().remove("default");
            field["type"] = json!({ "type": "array", "items": "string" });
            assert!(!can_read(&released, &next), "{}: {}", topic.name, topic.members[index]);
        }
    }
}
