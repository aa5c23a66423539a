//! Definitions that cannot be used, and what their authors are told.

use std::time::Duration;

use backstitch_saga::definition::event;
use backstitch_saga::{Definition, DefinitionBuilder, StepBuilder, Trigger, compensate};

fn tea() -> DefinitionBuilder {
    Definition::builder("tea", 1).starts_on(Trigger::event("orders.events", "Ordered", "event.id"))
}

fn boil() -> StepBuilder {
    StepBuilder::ask("boil", "kitchen.commands", "Boil").done_on("Boiled").nothing_on_rollback()
}

fn pour() -> StepBuilder {
    StepBuilder::ask("pour", "kitchen.commands", "Pour").done_on("Poured")
}

fn problems(definition: DefinitionBuilder) -> Vec<String> {
    match definition.build() {
        Ok(definition) => panic!("{definition:?} was accepted"),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_definition_without_steps_has_nothing_to_do() {
    assert_eq!(problems(tea()), ["steps: a saga needs at least one step"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = Definition::builder("Tea Time", 0)
        .deadline(Duration::ZERO)
        .step(boil())
        .step(boil())
        .step(pour().attempts_max(0).timeout(Duration::ZERO));
    assert_eq!(
        problems(wrong),
        [
            "saga: `Tea Time` is no name: use small letters, digits and dashes",
            "version: versions count from 1",
            "deadline: a deadline of no time would end every saga at its start",
            "steps[1].name: another step is already called `boil`",
            "steps[2].timeout: no participant answers in no time",
            "steps[2].attempts_max: a step is asked at least once",
            "steps[2]: `on_rollback` is missing: say how the step is undone; expected one of: nothing, pivot, compensate",
        ]
    );
}

#[test]
fn a_step_uses_only_what_came_before_it() {
    let later = tea().step(pour().with([("heat", "steps.boil.heat")]).nothing_on_rollback()).step(boil());
    assert_eq!(problems(later), ["steps[0].with.heat: no step before this one is called `boil`"]);
    let own = boil().with([("heat", "steps.boil.heat")]);
    assert_eq!(problems(tea().step(own)), ["steps[0].with.heat: no step before this one is called `boil`"]);
}

#[test]
fn a_branch_uses_nothing_of_its_siblings() {
    let group = StepBuilder::parallel([[boil()], [pour().with([("heat", "steps.boil.heat")]).nothing_on_rollback()]]);
    let after = StepBuilder::ask("serve", "kitchen.commands", "Serve")
        .with([("heat", "steps.boil.heat")])
        .done_on("Served")
        .nothing_on_rollback();
    assert_eq!(
        problems(tea().step(group).step(after)),
        ["steps[0].parallel[1][0].with.heat: no step before this one is called `boil`"]
    );
}

#[test]
fn a_compensation_cannot_use_its_own_steps_result() {
    let wrong = pour().on_rollback(compensate("Empty").with([("cup", "steps.pour.cup")]).done_on("Emptied"));
    let problems = problems(tea().step(boil()).step(wrong));
    assert_eq!(
        problems,
        [
            "steps[1].on_rollback.with.cup: `steps.pour` may never come: a compensation cannot use its own step's result; expected one of: boil"
        ]
    );
}

#[test]
fn the_reason_is_known_to_compensations_only() {
    let right = pour().on_rollback(compensate("Empty").with([("why", "saga.reason")]).done_on("Emptied"));
    assert!(tea().step(right).build().is_ok());
    let wrong = pour().with([("why", "saga.reason")]).nothing_on_rollback();
    assert_eq!(
        problems(tea().step(wrong)),
        ["steps[0].with.why: unknown field of `saga` `reason`; expected one of: id, key, data"]
    );
}

#[test]
fn misspelt_names_and_functions_are_answered_with_the_right_ones() {
    let wrong = |expression| problems(tea().step(boil().when(expression)));
    assert_eq!(wrong("saga.dta.hot"), ["steps[0].when: unknown field of `saga` `dta`; did you mean `data`?"]);
    assert_eq!(wrong("sga.data.hot"), ["steps[0].when: unknown name `sga`; did you mean `saga`?"]);
    assert_eq!(wrong("event.hot"), ["steps[0].when: unknown name `event`; expected one of: saga, steps"]);
    assert_eq!(
        wrong("saga.data.name.startWith('E')"),
        ["steps[0].when: unknown function `startWith`; did you mean `startsWith`?"]
    );
}

#[test]
fn an_event_cannot_mean_both_yes_and_no() {
    let wrong = boil().refused_on("Boiled");
    assert_eq!(problems(tea().step(wrong)), ["steps[0].done_on[0]: `Boiled` cannot mean both done and refused"]);
    let right = boil().refused_on(event("Boiled").when("event.too_hot"));
    assert!(tea().step(right).build().is_ok());
}

#[test]
fn after_the_pivot_nothing_is_rolled_back() {
    let undo = || compensate("Empty").done_on("Emptied");
    let wrong = tea()
        .step(pour().pivot())
        .step(StepBuilder::ask("serve", "kitchen.commands", "Serve").done_on("Served").on_rollback(undo()));
    assert_eq!(problems(wrong), ["steps[1].on_rollback: nothing after the pivot is ever rolled back: say `nothing`"]);
    let twice = tea()
        .step(boil())
        .step(pour().pivot())
        .step(StepBuilder::ask("serve", "kitchen.commands", "Serve").done_on("Served").pivot());
    assert_eq!(problems(twice), ["steps[2].on_rollback: a saga has one pivot: after it everything only goes forward"]);
}

#[test]
fn a_pivot_cannot_stand_inside_a_group() {
    let group = StepBuilder::parallel([[boil()], [pour().pivot()]]);
    assert_eq!(
        problems(tea().step(group)),
        ["steps[0].parallel[1][0].on_rollback: a pivot cannot stand inside a parallel group"]
    );
}

#[test]
fn a_topic_that_does_not_tell_where_answers_come_needs_to_say_so() {
    let vague = StepBuilder::ask("boil", "kitchen", "Boil").done_on("Boiled").nothing_on_rollback();
    assert_eq!(
        problems(tea().step(vague.clone())),
        ["steps[0].ask: `kitchen` does not end in `.commands`: say with `answers_on` where answers come"]
    );
    assert!(tea().step(vague.answers_on("kitchen.out")).build().is_ok());
}

#[test]
fn undone_until_names_a_step_that_exists() {
    let wrong = boil().undone_on(event("Cooled").until("porr"));
    let problems = problems(tea().step(wrong).step(pour().nothing_on_rollback()));
    assert_eq!(problems, ["steps[0].undone_on[0].until: no step is called `porr`; did you mean `pour`?"]);
}

#[test]
fn kinds_of_steps_that_are_not_supported_say_so() {
    for kind in ["choice", "for_each", "sub_saga"] {
        let text = format!(r#"{{"saga":"tea","version":1,"steps":[{{"name":"boil","{kind}":{{}}}}]}}"#);
        let error = Definition::from_canonical_json(&text).unwrap_err();
        let problem = error.problems[0].to_string();
        assert_eq!(problem, format!("steps[0].{kind}: `{kind}` steps are not supported by this version"));
    }
}

#[test]
fn a_field_of_another_kind_of_step_is_pointed_out() {
    let text = r#"{"saga":"tea","version":1,"steps":[{"name":"wait","delay":"5m","timeout":"1m"}]}"#;
    let error = Definition::from_canonical_json(text).unwrap_err();
    assert_eq!(error.problems[0].to_string(), "steps[0].timeout: `timeout` means nothing for a delay");
}

#[test]
fn a_stored_definition_reads_back_equal_with_the_same_hash() {
    let definition = tea().step(boil()).step(pour().pivot()).build().unwrap();
    let stored = Definition::from_canonical_json(definition.to_canonical_json()).unwrap();
    assert_eq!(stored, definition);
    assert_eq!(stored.hash(), definition.hash());
    assert_eq!(stored.hash().len(), 64);
}

#[test]
fn too_many_steps_are_refused() {
    let many = (0..=100)
        .fold(tea(), |tea, number| tea.step(StepBuilder::delay(&format!("wait-{number}"), Duration::from_secs(1))));
    assert_eq!(problems(many), ["steps[100].name: a definition has at most 100 steps"]);
}
