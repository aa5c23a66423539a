//! What expressions answer, tested at the seam the engine uses.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::facts::SagaFacts;
use super::{Code, Expression, Facts, Template};
use crate::ids::SagaId;

fn evaluate(source: &str) -> Result<Value, String> {
    let data = json!({
        "order_id": "o-1", "total": 1200, "large": 18_446_744_073_709_551_615_u64,
        "items": [{ "product_id": "p-1", "quantity": 2, "price": 5 }, { "product_id": "p-2", "quantity": 1, "price": 7 }],
    });
    let mut results = Map::new();
    results.insert("pay".to_owned(), json!({ "payment_id": "pay-9" }));
    let event = json!({ "retry_possible": true, "quantity": 2 });
    let saga = SagaFacts {
        id: SagaId::derive("d", "k"),
        key: "k",
        data: &data,
        results: &results,
        reason: Some("no reply".to_owned()),
    };
    let facts = Facts { saga: Some(saga), event: Some(&event), item: None };
    Expression::compile(source)?.evaluate(&facts).map_err(|error| error.to_string())
}

#[test]
fn a_path_reads_what_is_there() {
    assert_eq!(evaluate("saga.data.order_id"), Ok(json!("o-1")));
    assert_eq!(evaluate("steps.pay.payment_id"), Ok(json!("pay-9")));
    assert_eq!(evaluate("saga.reason"), Ok(json!("no reply")));
    assert_eq!(evaluate("saga.key"), Ok(json!("k")));
    assert_eq!(evaluate("event.retry_possible"), Ok(json!(true)));
    assert_eq!(evaluate("saga.data.large"), Ok(json!(18_446_744_073_709_551_615_u64)));
}

#[test]
fn whole_numbers_add_up() {
    assert_eq!(evaluate("event.quantity + 1"), Ok(json!(3)));
    assert_eq!(evaluate("saga.data.total * 2 > 2399"), Ok(json!(true)));
    assert_eq!(evaluate("saga.data.items[0].quantity + 1"), Ok(json!(3)));
}

#[test]
fn a_list_keeps_only_the_fields_it_is_asked_for() {
    let items = evaluate("saga.data.items.map(i, {'product_id': i.product_id, 'quantity': i.quantity})");
    assert_eq!(items, Ok(json!([{ "product_id": "p-1", "quantity": 2 }, { "product_id": "p-2", "quantity": 1 }])));
}

#[test]
fn presence_can_be_asked() {
    assert_eq!(evaluate("has(steps.pay)"), Ok(json!(true)));
    assert_eq!(evaluate("has(steps.ship)"), Ok(json!(false)));
    assert_eq!(evaluate("has(saga.data.coupon) ? saga.data.coupon : 'none'"), Ok(json!("none")));
}

#[test]
fn what_is_missing_is_an_error_and_no_panic() {
    for source in ["saga.data.nothing", "saga.key.deeper", "1 / 0", "saga.data.items[9]", "saga.data.order_id + 1"] {
        assert!(evaluate(source).is_err(), "{source}");
    }
}

#[test]
fn text_that_is_no_expression_says_where() {
    let error = evaluate("saga.data.").unwrap_err();
    assert!(error.starts_with("`saga.data.` is no expression: "), "{error}");
}

#[test]
fn a_reference_inside_a_loop_is_found_and_the_loop_variable_is_not() {
    let expression = Expression::compile("saga.data.items.exists(i, i.sku == event.sku && has(steps.pay.id))").unwrap();
    let paths: Vec<String> = expression.references().paths.iter().map(|path| path.segments.join(".")).collect();
    assert_eq!(paths, ["saga.data.items", "event.sku", "steps.pay.id"]);
}

#[test]
fn a_payload_is_a_tree_of_expressions() {
    let template = Template::compile(&json!({ "a": ["'x'", 1, true], "b": { "c": "1 + 1" } })).unwrap();
    assert_eq!(template.evaluate(&Facts::default()), Ok(json!({ "a": ["x", 1, true], "b": { "c": 2 } })));
    let errors = Template::compile(&json!({ "a": ["1 +"], "b": { "c": ")" } })).unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, [".a[0]", ".b.c"]);
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[xy]?".prop_map(Value::from),
        Just(json!(3)),
        Just(json!(["x"])),
    ];
    plain.prop_recursive(2, 6, 2, |inner| {
        prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|fields| Value::Object(fields.into_iter().collect()))
    })
}

fn condition() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec!["event", "event.a", "event.b", "event.a.b", "event.b.a", "saga.data"]);
    let leaf = (path, "[xy]?", 0..4).prop_map(|(path, text, kind)| match kind {
        0 => format!("has({path}.a)"),
        1 => format!("{path} == '{text}'"),
        2 => format!("{path} == null"),
        _ => path.to_owned(),
    });
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("({left}) && ({right})")),
        ]
    })
}

proptest! {
    /// What the shortcut is sure of is what the expression language answers.
    #[test]
    fn a_simple_condition_means_the_same_without_the_language(source in condition(), event in value()) {
        let expression = Expression::compile(&source).unwrap();
        let facts = Facts { event: Some(&event), ..Facts::default() };
        if let Code::Program(program, Some(condition)) = &expression.code
            && let Some(holds) = condition.holds(&facts)
        {
            prop_assert_eq!(expression.run(program, &facts), Ok(Value::Bool(holds)));
        }
    }
}

#[test]
fn what_starts_an_order_needs_no_language() {
    let source = "!has(event.flow) || event.flow == null || event.flow == 'orchestrated'";
    let expression = Expression::compile(source).unwrap();
    let Code::Program(_, Some(condition)) = &expression.code else { panic!("{source} is not taken for a simple one") };
    for (event, holds) in [
        (json!({}), true),
        (json!({ "flow": null }), true),
        (json!({ "flow": "orchestrated" }), true),
        (json!({ "flow": "choreographed" }), false),
    ] {
        assert_eq!(condition.holds(&Facts { event: Some(&event), ..Facts::default() }), Some(holds), "{event}");
    }
}
