//! Definitions against the shapes of their messages: what is refused for certain, what is told, and what passes.

use std::sync::Arc;
use std::time::Duration;

use backstitch_saga::check::{Field, Findings, Record, Shape, Shapes};
use backstitch_saga::definition::event;
use backstitch_saga::{Definition, DefinitionBuilder, StepBuilder, Trigger, compensate};
use serde_json::json;

fn record(name: &str, fields: impl IntoIterator<Item = (&'static str, Shape)>) -> Arc<Record> {
    let fields = fields.into_iter().map(|(name, shape)| {
        // A question mark says that it may be left out.
        let optional = name.ends_with('?');
        Field { name: name.trim_end_matches('?').to_owned(), shape, optional }
    });
    Arc::new(Record { name: Some(name.to_owned()), fields: fields.collect() })
}

fn list(items: Shape) -> Shape {
    Shape::List(Arc::new(items))
}

fn symbols(all: [&str; 2]) -> Shape {
    Shape::Symbols(all.map(str::to_owned).to_vec().into())
}

/// A tea room: orders come, the kitchen boils and pours.
fn tea_room() -> Shapes {
    let mut shapes = Shapes::default();
    let item = Shape::Record(record("Item", [("sku", Shape::Text), ("units", Shape::Int)]));
    let ordered = [
        ("id", Shape::Text),
        ("cups", Shape::Int),
        ("price", Shape::Double),
        ("note", Shape::one_of([Shape::Null, Shape::Text])),
        ("size", symbols(["SMALL", "LARGE"])),
        ("items", list(item)),
        ("at", Shape::Time),
        ("labels", Shape::Map(Arc::new(Shape::Text))),
    ];
    shapes.topic_mut("orders.events").add("Ordered", 1, record("Ordered", ordered), true);
    let told = record("Told", [("id", Shape::Text), ("why", Shape::Text)]);
    shapes.topic_mut("orders.events").add("Told", 1, told, true);

    let portion = Shape::Record(record("Portion", [("sku", Shape::Text), ("units", Shape::Int)]));
    let boil = [
        ("id", Shape::Text),
        ("cups?", Shape::Int),
        ("note?", Shape::one_of([Shape::Null, Shape::Text])),
        ("size?", symbols(["SMALL", "LARGE"])),
        ("items?", list(portion)),
        ("price?", Shape::Double),
        ("at?", Shape::Time),
        ("title?", Shape::Text),
        ("labels?", Shape::Map(Arc::new(Shape::Text))),
        ("hot?", Shape::Bool),
    ];
    let kitchen = shapes.topic_mut("kitchen.commands");
    kitchen.add("Boil", 1, record("Boil", boil), true);
    kitchen.add("Empty", 1, record("Empty", [("id", Shape::Text), ("why", Shape::Text)]), true);
    let events = shapes.topic_mut("kitchen.events");
    let boiled = record("Boiled", [("id", Shape::Text), ("heat", Shape::Long), ("final", Shape::Bool)]);
    events.add("Boiled", 1, boiled, true);
    events.add("NoWater", 1, record("NoWater", [("id", Shape::Text), ("final", Shape::Bool)]), true);
    events.add("Emptied", 1, record("Emptied", [("id", Shape::Text)]), true);
    shapes
}

fn tea() -> DefinitionBuilder {
    Definition::builder("tea", 1).starts_on(Trigger::event("orders.events", "Ordered", "event.id"))
}

fn boil(with: &[(&str, &str)]) -> StepBuilder {
    let id = [("id", "saga.key")];
    StepBuilder::ask("boil", "kitchen.commands", "Boil")
        .with(id.into_iter().chain(with.iter().copied()))
        .done_on("Boiled")
        .nothing_on_rollback()
}

fn found(definition: DefinitionBuilder) -> Findings {
    definition.build().unwrap_or_else(|error| panic!("{error}")).check(&tea_room())
}

fn problems(definition: DefinitionBuilder) -> Vec<String> {
    let findings = found(definition);
    findings.problems.iter().map(|problem| format!("{} {problem}", problem.code)).collect()
}

fn warnings(definition: DefinitionBuilder) -> Vec<String> {
    let findings = found(definition);
    assert_eq!(findings.problems, [], "only warnings were expected");
    findings.warnings.iter().map(|warning| format!("{} {warning}", warning.code)).collect()
}

/// What a condition is answered with, without its place and the text of the condition.
fn about(condition: &str) -> Vec<String> {
    let start = format!("steps[0].when: in `{condition}`: ");
    let said = problems(tea().step(boil(&[]).when(condition)));
    said.iter().map(|problem| problem.replace(&start, "")).collect()
}

#[test]
fn what_a_schema_allows_passes_without_a_word() {
    for condition in [
        "saga.data.cups > 2 && saga.data.price < 9.5",
        "saga.data.cups < 2.5",
        "saga.data.size == 'LARGE' || saga.data.size in ['SMALL']",
        "saga.data.note == null || saga.data.note.startsWith('no ')",
        "has(saga.data.note) && saga.data.note != 'x'",
        "saga.data.items.exists(i, i.units > 2 && i.sku == 'earl-grey')",
        "saga.data.items.all(i, i.units > 0)",
        "saga.data.items.exists_one(i, i.sku == saga.key)",
        "saga.data.items.filter(i, i.units > 1).map(i, i.units * 2)[0] == 4",
        "size(saga.data.items) > 0 && saga.data.items[0].units == 1",
        "timestamp(saga.data.at) - duration('1h') < timestamp('2030-01-01T00:00:00Z')",
        "saga.data.labels.colour == 'red' && 'colour' in saga.data.labels",
        "string(saga.data.cups) + ' cups' == '3 cups'",
        "double(saga.data.cups) * saga.data.price > 10.0",
        "-saga.data.cups < 0 && saga.data.cups % 2 == 0",
        "dyn(saga.data.cups) == 'three'",
        "saga.data['cups'] == 3",
        "{'a': 1}.a == 1",
    ] {
        let findings = found(tea().step(boil(&[]).when(condition)));
        assert_eq!((findings.problems, findings.warnings), (vec![], vec![]), "{condition}");
    }
}

#[test]
fn an_unknown_field_is_answered_with_the_fields_there_are() {
    assert_eq!(about("saga.data.cps > 2"), ["BS0203 `Ordered` has no field `cps`; did you mean `cups`?"]);
    assert_eq!(
        about("saga.data.items.exists(i, i.unitz > 2)"),
        ["BS0203 `Item` has no field `unitz`; did you mean `units`?"]
    );
    assert_eq!(
        about("saga.data.cups.small"),
        ["BS0204 `saga.data.cups` is a whole number of 32 bits: there is no `small` in it"]
    );
    assert_eq!(about("saga.data['cps'] == 3"), ["BS0203 `Ordered` has no field `cps`; did you mean `cups`?"]);
}

#[test]
fn a_comparison_that_never_holds_is_refused() {
    assert_eq!(
        about("saga.data.cups == 'three'"),
        ["BS0205 `saga.data.cups` (a whole number of 32 bits) is never equal to the text `three`"]
    );
    assert_eq!(
        about("saga.data.size != 'LARG'"),
        ["BS0205 `saga.data.size` (one of `SMALL`, `LARGE`) is never equal to the text `LARG`; did you mean `LARGE`?"]
    );
    assert_eq!(about("saga.data.note == 3"), ["BS0205 `saga.data.note` (a text or null) is never equal to `3`"]);
    assert_eq!(
        about("'x' in saga.data.items.map(i, i.units)"),
        ["BS0205 the text `x` is never in this list, where each is a whole number of 32 bits"]
    );
}

#[test]
fn operators_and_functions_are_held_to_what_they_take() {
    assert_eq!(
        about("saga.data.cups + ' cups' == '3 cups'"),
        ["BS0204 `+` does not go with `saga.data.cups` (a whole number of 32 bits) and the text ` cups`: turn the \
          other one into a text with `string(…)`"]
    );
    assert_eq!(
        about("saga.data.price * 2 > 9.0"),
        [
            "BS0204 `*` does not go with `saga.data.price` (a number with a fraction) and `2`: turn one into the other's \
          kind with `double(…)` or `int(…)`"
        ]
    );
    assert_eq!(
        about("saga.data.cups < 'three'"),
        ["BS0204 `saga.data.cups` (a whole number of 32 bits) and the text `three` have no order"]
    );
    assert_eq!(
        about("saga.data.cups && true"),
        ["BS0204 `&&` wants true or false, and this is a whole number of 32 bits"]
    );
    assert_eq!(about("!saga.data.id"), ["BS0204 `!` wants true or false, and this is a text"]);
    assert_eq!(
        about("saga.data.cups.startsWith('x')"),
        ["BS0204 `startsWith` does not take `saga.data.cups` (a whole number of 32 bits)"]
    );
    assert_eq!(
        about("saga.data.cups.all(c, c > 1)"),
        ["BS0204 only a list or a record has items, and this is `saga.data.cups` (a whole number of 32 bits)"]
    );
}

#[test]
fn what_a_condition_rules_out_is_not_looked_at() {
    for guarded in [
        "has(saga.data.coupon) && saga.data.coupon == 'x'",
        "!has(saga.data.coupon) || saga.data.coupon == 'x'",
        "(has(saga.data.coupon) ? saga.data.coupon : 'none') == 'x'",
    ] {
        let warned = warnings(tea().step(boil(&[]).when(guarded).refused_on("NoWater")));
        assert_eq!(warned.len(), 1, "{warned:#?}");
        assert!(warned[0].starts_with("BS0304 steps[0].when: "), "{warned:#?}");
        assert!(warned[0].contains("`saga.data.coupon` is never there: no schema has it"), "{warned:#?}");
    }
}

#[test]
fn a_condition_is_true_or_false_and_a_key_is_a_text_or_a_number() {
    assert_eq!(
        problems(tea().step(boil(&[]).when("saga.data.cups"))),
        ["BS0206 steps[0].when: a condition is true or false, and this is a whole number of 32 bits"]
    );
    let by_list = Definition::builder("tea", 1).starts_on(Trigger::event("orders.events", "Ordered", "event.items"));
    assert_eq!(
        problems(by_list.step(boil(&[]))),
        ["BS0207 starts_on[0].key: a key is a text or a number, and this is a list, each a record `Item`"]
    );
    assert_eq!(
        problems(tea().step(boil(&[]).key("event.ordr"))),
        ["BS0203 steps[0].key: in `event.ordr`: `Boiled` has no field `ordr`; expected one of: final, heat, id"]
    );
}

#[test]
fn a_payload_fits_its_command_field_by_field() {
    let whole = boil(&[
        ("cups", "saga.data.cups"),
        ("note", "saga.data.note"),
        ("size", "saga.data.size"),
        ("items", "saga.data.items.map(i, {'sku': i.sku, 'units': i.units})"),
        ("price", "saga.data.price"),
        ("at", "saga.data.at"),
        ("title", "string(saga.data.cups) + ' cups'"),
        ("labels", "{'size': saga.data.size}"),
        ("hot", "saga.data.cups > 2"),
    ]);
    assert_eq!(problems(tea().step(whole)), [""; 0]);
    let wrong = boil(&[
        ("cup", "saga.data.cups"),
        ("note", "saga.data.cups"),
        ("size", "'HUGE'"),
        ("items", "saga.data.items.map(i, {'sku': i.sku, 'count': i.units})"),
        ("at", "'tomorrow'"),
        ("price", "saga.data.id"),
        ("labels", "{'cups': saga.data.cups}"),
    ]);
    let mut said = problems(tea().step(wrong));
    said.sort();
    assert_eq!(
        said,
        [
            "BS0208 steps[0].with.items[]: `units` is missing: `Portion` wants a whole number of 32 bits there",
            "BS0209 steps[0].with.cup: `Boil` has no field `cup`; did you mean `cups`?",
            "BS0209 steps[0].with.items[].count: `Portion` has no field `count`; expected one of: sku, units",
            "BS0210 steps[0].with.at: a time (RFC 3339) is wanted, and this is the text `tomorrow`",
            "BS0210 steps[0].with.labels.cups: a text is wanted, and this is a whole number of 32 bits",
            "BS0210 steps[0].with.note: a text or null is wanted, and this is a whole number of 32 bits",
            "BS0210 steps[0].with.price: a number with a fraction is wanted, and this is a text",
            "BS0210 steps[0].with.size: one of `SMALL`, `LARGE` is wanted, and this is the text `HUGE`; \
             expected one of: SMALL, LARGE",
        ]
    );
}

#[test]
fn a_written_number_that_is_too_large_for_its_field_is_refused() {
    let step = |cups| {
        let text = json!({ "saga": "tea", "version": 1, "steps": [{ "name": "boil", "ask": "kitchen.commands",
            "to": "Boil", "with": { "id": "saga.key", "cups": cups }, "done_on": "Boiled", "on_rollback": "nothing" }] });
        let definition = Definition::from_canonical_json(&text.to_string()).unwrap();
        definition.check(&tea_room()).problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(step(json!(3)), [""; 0]);
    assert_eq!(
        step(json!(3_000_000_000_i64)),
        ["steps[0].with.cups: a whole number of 32 bits is wanted, and this is `3000000000`"]
    );
    assert_eq!(step(json!(2.5)), ["steps[0].with.cups: a whole number of 32 bits is wanted, and this is `2.5`"]);
}

#[test]
fn without_a_payload_of_its_own_a_command_gets_the_data_that_started_the_saga() {
    let step = StepBuilder::ask("boil", "kitchen.commands", "Empty").done_on("Emptied").nothing_on_rollback();
    let said = problems(tea().step(step));
    assert!(
        said.contains(&"BS0208 steps[0].with: `why` is missing: `Empty` wants a text there".to_owned()),
        "{said:#?}"
    );
    assert!(said.iter().any(|problem| problem.contains("`Empty` has no field `cups`")), "{said:#?}");
}

#[test]
fn a_saga_that_is_started_by_name_alone_may_hold_anything() {
    let named = Definition::builder("tea", 1).step(boil(&[("cups", "saga.data.whatever.it_is")]));
    assert_eq!(problems(named), [""; 0]);
}

#[test]
fn a_saga_of_several_triggers_may_use_what_any_of_them_says() {
    let two = || tea().starts_on(Trigger::event("orders.events", "Told", "event.id")).deadline(Duration::from_mins(5));
    assert_eq!(problems(two().step(boil(&[("title", "saga.data.why")]))), [""; 0]);
    assert_eq!(
        problems(two().step(boil(&[("title", "saga.data.whi")]))),
        ["BS0203 steps[0].with.title: in `saga.data.whi`: `Ordered` or `Told` has no field `whi`; did you mean `why`?"]
    );
}

#[test]
fn what_a_trigger_announced_is_undone_with_its_own_data() {
    let undo = || compensate("Empty").to("kitchen.commands").with([("id", "saga.key"), ("why", "saga.data.why")]);
    let told = Trigger::event("orders.events", "Told", "event.id").on_rollback(undo().done_on("Emptied"));
    assert_eq!(problems(tea().starts_on(told).step(boil(&[]))), [""; 0]);
    let ordered = Trigger::event("orders.events", "Ordered", "event.id").on_rollback(undo().done_on("Emptied"));
    let definition = Definition::builder("tea", 1)
        .starts_on(ordered)
        .starts_on(Trigger::event("orders.events", "Told", "event.id"))
        .step(boil(&[]));
    let said = problems(definition);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].starts_with("BS0203 starts_on[0].on_rollback.with.why: in `saga.data.why`"), "{said:#?}");
}

#[test]
fn a_steps_result_is_what_its_answer_says() {
    let then = |title: &str| {
        let pour = StepBuilder::ask("pour", "kitchen.commands", "Boil")
            .with([("id", "saga.key"), ("title", title)])
            .done_on("Boiled")
            .nothing_on_rollback();
        tea().step(boil(&[])).step(StepBuilder::delay("rest", Duration::from_secs(1))).step(pour)
    };
    assert_eq!(problems(then("steps.boil.id")), [""; 0]);
    assert_eq!(
        problems(then("steps.boil.heat")),
        ["BS0210 steps[2].with.title: a text is wanted, and this is a whole number"]
    );
    assert_eq!(
        problems(then("steps.boil.heet")),
        ["BS0203 steps[2].with.title: in `steps.boil.heet`: `Boiled` has no field `heet`; did you mean `heat`?"]
    );
    assert_eq!(
        problems(then("steps.rest.end")),
        ["BS0203 steps[2].with.title: in `steps.rest.end`: `steps.rest` has no result, so there is no `end` in it"]
    );
}

#[test]
fn messages_and_topics_that_no_schema_has_are_refused_with_the_right_name() {
    let ask = |topic: &str, command: &str| {
        let step = StepBuilder::ask("boil", topic, command).with([("id", "saga.key")]).done_on("Boiled");
        tea().step(step.nothing_on_rollback().answers_on("kitchen.events"))
    };
    assert_eq!(
        problems(ask("kitchen.commands", "Boyl")),
        ["BS0202 steps[0].to: no schema of `kitchen.commands` has a message `Boyl`; did you mean `Boil`?"]
    );
    assert_eq!(
        problems(ask("orders.events", "Boil")),
        ["BS0202 steps[0].to: no schema of `orders.events` has a message `Boil` (it is on `kitchen.commands`); \
          expected one of: Ordered, Told"]
    );
    assert_eq!(
        problems(ask("kitchn.commands", "Boil")),
        [
            "BS0201 steps[0].ask: no schema has the topic `kitchn.commands`, and one has another of nearly that name; if \
          both exist, give the schema of this one; did you mean `kitchen.commands`?"
        ]
    );
    assert_eq!(
        warnings(ask("cellar.commands", "Fetch")),
        ["BS0301 steps[0].ask: the schema of `cellar.commands` is not known: nothing that is sent or read there was \
          checked"]
    );
    let version = |version| {
        let text = json!({ "saga": "tea", "version": 1, "steps": [{ "name": "tell",
            "emit": { "event": "Told", "version": version, "topic": "orders.events",
                      "with": { "id": "saga.key", "why": "'so'" } } }] });
        let definition = Definition::from_canonical_json(&text.to_string()).unwrap();
        definition.check(&tea_room()).problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(version(1), [""; 0]);
    assert_eq!(version(4), ["steps[0].emit.event: `Told` has no version 4 on `orders.events`; there is 1"]);
}

#[test]
fn null_where_a_value_is_wanted_is_told_and_a_condition_settles_it() {
    let with = |title: &str| tea().step(boil(&[("title", title)]));
    assert_eq!(
        warnings(with("saga.data.note")),
        ["BS0302 steps[0].with.title: this may be null, and a text is wanted: such a saga would be stuck here"]
    );
    for settled in
        ["saga.data.note != null ? saga.data.note : 'none'", "saga.data.note == null ? 'none' : saga.data.note"]
    {
        assert_eq!(warnings(with(settled)), [""; 0], "{settled}");
    }
    assert_eq!(warnings(tea().step(boil(&[("title", "saga.data.note")]).when("saga.data.note != null"))), [""; 0]);
}

#[test]
fn the_result_of_a_step_that_may_be_skipped_is_asked_for_first() {
    let then = |condition: Option<&str>, title: &str| {
        let pour = StepBuilder::ask("pour", "kitchen.commands", "Boil")
            .with([("id", "saga.key"), ("title", title)])
            .done_on("Boiled")
            .nothing_on_rollback();
        let pour = condition.into_iter().fold(pour, StepBuilder::when);
        tea().step(boil(&[]).when("saga.data.cups > 2")).step(pour)
    };
    let warned = ["BS0303 steps[1].with.title: `steps.boil` may have been skipped: ask `has(steps.boil)` first"];
    assert_eq!(warnings(then(None, "steps.boil.id")), warned);
    assert_eq!(warnings(then(None, "has(steps.boil) ? steps.boil.id : 'none'")), [""; 0]);
    assert_eq!(warnings(then(Some("has(steps.boil)"), "steps.boil.id")), [""; 0]);
    assert_eq!(warnings(then(Some("saga.data.cups > 2"), "steps.boil.id")), [""; 0]);
    assert_eq!(warnings(then(Some("saga.data.cups > 1"), "steps.boil.id")), warned);
}

fn kettle(name: &str) -> StepBuilder {
    StepBuilder::ask(name, "kitchen.commands", "Boil")
        .with([("id", "saga.key")])
        .done_on("Boiled")
        .nothing_on_rollback()
}

#[test]
fn an_event_that_two_open_steps_would_claim_is_refused_or_told() {
    let wait = |name: &str| StepBuilder::wait_for_event(name, "kitchen.events", "Boiled", "event.id");
    let beside = |one, other| tea().step(StepBuilder::parallel([[one], [other]]));
    assert_eq!(
        problems(beside(wait("first"), wait("second"))),
        ["BS0211 steps[0].parallel[1][0].wait_for: `first` and `second` wait for the same `Boiled` at the same time, \
          and only one of them gets it: tell them apart with `when`, or put them one after the other"]
    );
    assert_eq!(
        problems(beside(wait("first"), kettle("boil"))),
        [
            "BS0211 steps[0].parallel[0][0].wait_for: `first` waits for `Boiled` while `boil` may be open, which takes it \
          for its own answer: put them one after the other"
        ]
    );
    assert_eq!(
        warnings(beside(kettle("one"), kettle("other"))),
        ["BS0305 steps[0].parallel[1][0]: `one` and `other` both expect `Boiled` while both are open: an answer that \
          names no command is left to neither"]
    );
    assert_eq!(problems(tea().step(wait("first")).step(wait("second"))), [""; 0]);
}

#[test]
fn what_can_never_be_reached_is_refused() {
    assert_eq!(problems(tea().step(boil(&[]).when("1 > 2 || false"))), [""; 0], "what is computed is not foreseen");
    assert_eq!(
        problems(tea().step(boil(&[]).when("false"))),
        ["BS0212 steps[0].when: this condition never holds, so what it stands before is never reached"]
    );
    assert_eq!(
        problems(tea().step(boil(&[]).retry_on("NoWater").refused_on("NoWater"))),
        ["BS0212 steps[0].refused_on[0]: never reached: `retry_on` takes every `NoWater` first"]
    );
    assert_eq!(
        problems(tea().step(boil(&[]).retry_on(event("NoWater").when("!event.final")).refused_on("NoWater"))),
        [""; 0]
    );
    let slow = tea()
        .deadline(Duration::from_mins(30))
        .step(StepBuilder::delay("rest", Duration::from_mins(20)))
        .step(StepBuilder::delay("sleep", Duration::from_mins(10)))
        .step(boil(&[]));
    assert_eq!(
        problems(slow),
        ["BS0212 steps[2]: never reached: the delays before it take 30m, and the saga's deadline is 30m"]
    );
    let twice = tea().starts_on(Trigger::event("orders.events", "Ordered", "event.id").when("event.cups > 2"));
    assert_eq!(
        problems(twice.step(boil(&[]))),
        ["BS0212 starts_on[1]: never reached: a trigger before it takes every `Ordered`"]
    );
}

fn written(steps: serde_json::Value) -> Findings {
    let text = json!({
        "saga": "tea", "version": 1, "starts_on": [{ "topic": "orders.events", "event": "Ordered", "key": "event.id" }],
        "steps": steps,
    });
    Definition::from_canonical_json(&text.to_string()).unwrap_or_else(|error| panic!("{error}")).check(&tea_room())
}

fn step(name: &str, title: &str) -> serde_json::Value {
    json!({ "name": name, "ask": "kitchen.commands", "to": "Boil", "with": { "id": "saga.key", "title": title },
            "done_on": "Boiled", "on_rollback": "nothing" })
}

fn all(findings: &Findings) -> Vec<String> {
    let all = findings.problems.iter().chain(&findings.warnings);
    all.map(|problem| format!("{} {problem}", problem.code)).collect()
}

#[test]
fn a_branch_of_a_choice_is_checked_under_its_condition() {
    let choice = |condition: &str, title: &str| {
        written(json!([
            { "name": "which", "choice": [{ "when": condition, "do": step("boil", title) }], "otherwise": "nothing" },
            step("pour", "'tea'"),
        ]))
    };
    assert_eq!(all(&choice("saga.data.note != null", "saga.data.note")), [""; 0]);
    assert_eq!(
        all(&choice("saga.data.cups > 2", "saga.data.nte")),
        [
            "BS0203 steps[0].choice[0].do[0].with.title: in `saga.data.nte`: `Ordered` has no field `nte`; did you mean `note`?"
        ]
    );
    assert_eq!(
        all(&choice("saga.data.cups", "'tea'")),
        ["BS0206 steps[0].choice[0].when: a condition is true or false, and this is a whole number of 32 bits"]
    );
    let after = written(json!([
        { "name": "which", "choice": [
            { "when": "true", "do": step("boil", "'tea'") },
            { "when": "saga.data.cups > 2", "do": step("brew", "'tea'") },
        ], "otherwise": "nothing" },
        step("pour", "steps.boil.id"),
    ]));
    assert_eq!(
        all(&after),
        [
            "BS0212 steps[0].choice[1]: never reached: a condition before it always holds",
            "BS0303 steps[1].with.title: `steps.boil` may have been skipped: ask `has(steps.boil)` first",
        ]
    );
}

#[test]
fn what_is_done_for_each_item_sees_the_item_and_afterwards_a_list() {
    let each = |list: &str, title: &str, after: &str| {
        written(json!([
            { "name": "items", "for_each": { "in": list, "do": step("boil", title) } },
            step("pour", after),
        ]))
    };
    assert_eq!(all(&each("saga.data.items", "item.sku + string(index)", "steps.boil[0].id")), [""; 0]);
    assert_eq!(
        all(&each("saga.data.items", "item.skv", "'tea'")),
        ["BS0203 steps[0].for_each.do[0].with.title: in `item.skv`: `Item` has no field `skv`; did you mean `sku`?"]
    );
    assert_eq!(
        all(&each("saga.data.cups", "'tea'", "'tea'")),
        ["BS0204 steps[0].for_each.in: a list is wanted, and this is a whole number of 32 bits"]
    );
    assert_eq!(
        all(&each("saga.data.items", "'tea'", "steps.boil.map(one, one.heat)")),
        ["BS0210 steps[1].with.title: a text is wanted, and this is a list, each a whole number"]
    );
}

#[test]
fn what_a_sub_saga_is_told_is_checked_and_what_it_answers_may_be_anything() {
    let sub_saga = |with: &str| {
        written(json!([
            { "name": "cake", "sub_saga": { "start": "cake", "with": { "cups": with } }, "timeout": "1h",
              "on_rollback": "nothing" },
            step("pour", "steps.cake.whatever"),
        ]))
    };
    assert_eq!(all(&sub_saga("saga.data.cups")), [""; 0]);
    assert_eq!(
        all(&sub_saga("saga.data.cps")),
        ["BS0203 steps[0].sub_saga.with.cups: in `saga.data.cps`: `Ordered` has no field `cps`; did you mean `cups`?"]
    );
}
