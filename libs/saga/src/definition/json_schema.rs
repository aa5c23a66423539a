//! The JSON Schema of definitions, with which editors complete and check while one writes.
//!
//! Separate because the short forms are read by hand-written code, which no derived schema knows; the rest follows from
//! the written form itself, down to its comments.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::spec::{BranchSpec, CompensationSpec, DefinitionSpec, EventSpec, OtherwiseSpec, RollbackSpec, StepSpec};
use crate::participant::Rate;
use crate::time::Span;

/// The JSON Schema (draft 2020-12) of a definition document.
pub fn json_schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<DefinitionSpec>();
    schema.insert("title".to_owned(), Value::from("Backstitch saga definition"));
    schema.into()
}

/// A list of items, or a single one.
pub(super) struct OneOrMany<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl JsonSchema for BranchSpec {
    fn schema_name() -> Cow<'static, str> {
        "BranchSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let step = generator.subschema_for::<StepSpec>();
        json_schema!({
            "description": "One branch: a step, or a list of them.",
            "anyOf": [step, { "type": "array", "items": step, "minItems": 1 }],
        })
    }
}

impl JsonSchema for OtherwiseSpec {
    fn schema_name() -> Cow<'static, str> {
        "OtherwiseSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let steps = generator.subschema_for::<BranchSpec>();
        json_schema!({
            "description": "What happens when none of a choice's conditions holds.",
            "anyOf": [
                { "const": "nothing", "description": "The saga goes on." },
                { "const": "roll_back", "description": "It is rolled back." },
                steps,
            ],
        })
    }
}

impl JsonSchema for EventSpec {
    fn schema_name() -> Cow<'static, str> {
        "EventSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An event: its type alone, or with a condition.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "event": { "type": "string", "description": "The event's type." },
                        "when": { "type": "string", "description": "Only if this holds." },
                        "until": {
                            "type": "string",
                            "description": "For `undone_on`: no longer once this step is done."
                        },
                    },
                    "required": ["event"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl JsonSchema for RollbackSpec {
    fn schema_name() -> Cow<'static, str> {
        "RollbackSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let compensation = generator.subschema_for::<CompensationSpec>();
        json_schema!({
            "description": "What a rollback does about it.",
            "anyOf": [
                { "const": "nothing", "description": "Nothing has to be undone." },
                { "const": "pivot", "description": "The point of no return: once done, the saga only goes forward." },
                { "const": "roll_back", "description": "The sub-saga is rolled back, even once it has completed." },
                compensation,
            ],
        })
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "So many in a time, as in `50/s`, `600/m`, `10/1h30m`.",
            "pattern": "^\\s*[0-9]+\\s*/\\s*([0-9]*(d|h|m|s|ms))([0-9]+(d|h|m|s|ms))*\\s*$",
            "examples": ["50/s", "600/m", "10/1h30m"],
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration, as in `250ms`, `30s`, `5m`, `1h30m`, `7d`.",
            "pattern": "^\\s*([0-9]+(d|h|m|s|ms))+\\s*$",
            "examples": ["30s", "5m", "1h30m", "7d"],
        })
    }
}
