//! The promise of the checks, held against the expression language itself: whatever can be computed is not refused, and
//! is what was foreseen.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Names, infer};
use crate::check::fit::misfits;
use crate::check::{Field, Record, Shape};
use crate::definition::Code;
use crate::expression::{Expression, Facts, SagaFacts};
use crate::ids::SagaId;

fn record(fields: impl IntoIterator<Item = (&'static str, Shape)>) -> Shape {
    let field = |(name, shape): (&str, Shape)| Field { name: name.to_owned(), shape, optional: false };
    Shape::Record(Arc::new(Record { name: None, fields: fields.into_iter().map(field).collect() }))
}

fn names() -> Names {
    let item = record([("sku", Shape::Text), ("units", Shape::Int)]);
    let data = record([
        ("cups", Shape::Int),
        ("price", Shape::Double),
        ("note", Shape::one_of([Shape::Null, Shape::Text])),
        ("size", Shape::Symbols(["SMALL", "LARGE"].map(str::to_owned).to_vec().into())),
        ("items", Shape::List(Arc::new(item))),
        ("labels", Shape::Map(Arc::new(Shape::Text))),
        ("at", Shape::Time),
        ("hot", Shape::Bool),
    ]);
    let saga = record([("id", Shape::Text), ("key", Shape::Text), ("data", data)]);
    Names { shapes: vec![("saga".to_owned(), saga)], not_null: Vec::new() }
}

/// Data of that shape; with and without a note.
fn data(note: Value) -> Value {
    json!({
        "cups": 3, "price": 2.5, "note": note, "size": "LARGE", "hot": true, "at": "2027-01-15T08:00:00Z",
        "items": [{ "sku": "a", "units": 2 }, { "sku": "b", "units": 1 }], "labels": { "colour": "red" },
    })
}

fn computed(expression: &Expression, data: &Value) -> Option<Value> {
    let results = Map::new();
    let saga = SagaFacts { id: SagaId::derive("tea", "k"), key: "k", data, results: &results, reason: None };
    expression.evaluate(&Facts { saga: Some(saga), event: None, item: None }).ok()
}

/// Expressions of every kind but those that may leave a part of themselves uncomputed.
fn expressions() -> impl Strategy<Value = String> {
    let atoms = prop::sample::select(vec![
        "saga.key",
        "saga.data.cups",
        "saga.data.price",
        "saga.data.note",
        "saga.data.size",
        "saga.data.items",
        "saga.data.labels",
        "saga.data.at",
        "saga.data.hot",
        "saga.data.items[0]",
        "saga.data.items[1].units",
        "saga.data.labels.colour",
        "saga.data.nothing",
        "1",
        "2.5",
        "'LARGE'",
        "'x'",
        "true",
        "null",
        "[]",
        "[1, 2]",
        "{'a': 1}",
        "-saga.data.cups",
        "saga.data.labels['colour']",
        "saga.data['cups']",
    ]);
    atoms.prop_map(str::to_owned).prop_recursive(3, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in"]))
                .prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (inner.clone(), prop::sample::select(vec!["size", "string", "int", "double", "dyn", "!", "-"]))
                .prop_map(|(operand, function)| format!("{function}({operand})")),
            (two.clone(), prop::sample::select(vec!["contains", "startsWith", "endsWith"]))
                .prop_map(|((target, argument), function)| format!("({target}).{function}({argument})")),
            (inner.clone(), prop::sample::select(vec!["a", "units", "sku", "cups"]))
                .prop_map(|(operand, field)| format!("({operand}).{field}")),
            two.clone().prop_map(|(list, index)| format!("({list})[{index}]")),
            two.clone().prop_map(|(first, second)| format!("[{first}, {second}]")),
            two.clone().prop_map(|(first, second)| format!("{{'a': {first}, 'b': {second}}}")),
            inner.prop_map(|field| format!(
                "saga.data.items.map(i, {{'sku': i.sku, 'units': i.units * 2, 'a': {field}}})"
            )),
            Just("saga.data.items.filter(i, i.units > 1)".to_owned()),
            Just("saga.data.items.exists(i, i.sku == 'a')".to_owned()),
            Just("saga.data.items.all(i, i.units > 0)".to_owned()),
            Just("saga.data.items.exists_one(i, i.units == 2)".to_owned()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_can_be_computed_is_never_refused_and_is_what_was_foreseen(source in expressions()) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let (shape, remarks) = infer(&expression, &names());
        for note in [json!(null), json!("hot")] {
            let Some(value) = computed(&expression, &data(note)) else { continue };
            // That two sides are never equal is told although it can be computed: the answer is no.
            let refused: Vec<_> = remarks.iter().filter(|remark| remark.code != Code::NeverEqual).collect();
            prop_assert!(refused.is_empty(), "{source} is {value}: {refused:?}");
            let misfits: Vec<_> =
                misfits(&Shape::of(&value), &shape).into_iter().filter(|misfit| !misfit.code.is_warning()).collect();
            prop_assert!(misfits.is_empty(), "{source} is {value}, not {}: {misfits:?}", shape.describe());
        }
    }

    #[test]
    fn sides_that_are_never_equal_are_not_equal(left in expressions(), right in expressions()) {
        let source = format!("({left}) == ({right})");
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let (_, remarks) = infer(&expression, &names());
        let about_whole = remarks.last().is_some_and(|remark| remark.code == Code::NeverEqual);
        if about_whole && remarks.len() == 1 && !left.contains('=') && !right.contains('=') {
            for note in [json!(null), json!("hot")] {
                if let Some(value) = computed(&expression, &data(note)) {
                    prop_assert_eq!(&value, &json!(false), "{}", source);
                }
            }
        }
    }
}
