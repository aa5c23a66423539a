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
fn limits_are_for_participants_that_are_asked_and_leave_something_to_do() {
    let wrong = tea()
        .in_flight_max("kitchn.commands", 5)
        .in_flight_max("kitchen.commands", 0)
        .rate_max("kitchen.commands", 0, Duration::from_secs(1))
        .in_flight_max("saga.commands", 5)
        .step(boil());
    assert_eq!(
        problems(wrong),
        [
            "participants.kitchen.commands.in_flight_max: where no command may be under way, no saga ever ends",
            "participants.kitchen.commands.rate_max: a rate is at least one command, in some time",
            "participants.kitchn.commands: no step asks `kitchn.commands`; did you mean `kitchen.commands`?",
            "participants.saga.commands: sagas are no participant: a sub-saga that starts another might wait for the \
             place it takes itself",
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
fn a_choice_says_what_happens_otherwise() {
    let silent = StepBuilder::choice("taste").branch("saga.data.sweet", [boil()]);
    assert_eq!(
        problems(tea().step(silent.clone())),
        [
            "steps[0]: `otherwise` is missing: say what happens when no condition holds; expected one of: nothing, roll_back, a step, a list of steps"
        ]
    );
    assert!(tea().step(silent.otherwise_nothing()).build().is_ok());
    assert_eq!(
        problems(tea().step(StepBuilder::choice("taste").otherwise_nothing())),
        ["steps[0].choice: a choice has 1 to 32 branches"]
    );
}

#[test]
fn a_branch_that_is_not_taken_has_no_results_for_others() {
    let heat = || pour().with([("heat", "steps.boil.heat")]).nothing_on_rollback();
    let choice = StepBuilder::choice("taste").branch("saga.data.sweet", [boil()]).otherwise([heat()]);
    assert_eq!(
        problems(tea().step(choice)),
        ["steps[0].otherwise[0].with.heat: no step before this one is called `boil`"]
    );
    let choice = StepBuilder::choice("taste").branch("saga.data.sweet", [boil()]).otherwise_nothing();
    assert!(tea().step(choice).step(heat()).build().is_ok());
}

#[test]
fn a_choice_has_a_pivot_in_every_branch_or_in_none() {
    let choice = || StepBuilder::choice("taste").branch("saga.data.sweet", [pour().pivot()]);
    assert_eq!(
        problems(tea().step(choice().otherwise([boil()]))),
        [
            "steps[0].choice: a pivot in one branch needs one in every other: after the choice nobody could say whether there is a way back"
        ]
    );
    let other = StepBuilder::ask("spill", "kitchen.commands", "Spill").done_on("Spilt").pivot();
    assert!(tea().step(choice().otherwise([other])).build().is_ok());
    // Whoever does not go on needs none.
    assert!(tea().step(choice().otherwise_roll_back()).build().is_ok());
    let late = StepBuilder::choice("late").branch("true", [boil()]).otherwise_roll_back();
    assert_eq!(
        problems(tea().step(pour().pivot()).step(late)),
        ["steps[1].otherwise: nothing after the pivot is ever rolled back: say `nothing`"]
    );
}

fn each(steps: impl IntoIterator<Item = StepBuilder>) -> StepBuilder {
    StepBuilder::for_each("each-cup", "saga.data.cups", steps)
}

#[test]
fn the_item_is_seen_inside_its_list_only() {
    let pour = || pour().with([("cup", "item.size"), ("place", "index")]).nothing_on_rollback();
    assert!(tea().step(each([pour()])).build().is_ok());
    let wrong = problems(tea().step(pour()));
    assert_eq!(
        wrong,
        [
            "steps[0].with.cup: unknown name `item`; expected one of: saga, steps",
            "steps[0].with.place: unknown name `index`; expected one of: saga, steps"
        ]
    );
}

#[test]
fn outside_its_list_a_steps_result_is_a_list_too() {
    let serve = |heat| {
        StepBuilder::ask("serve", "kitchen.commands", "Serve")
            .with([("heat", heat)])
            .done_on("Served")
            .nothing_on_rollback()
    };
    assert!(tea().step(each([boil()])).step(serve("steps.boil.map(b, b.heat)")).build().is_ok());
    assert!(tea().step(each([boil(), serve("steps.boil.heat")])).build().is_ok());
    assert_eq!(
        problems(tea().step(each([boil()])).step(serve("steps.boil.heat"))),
        [
            "steps[1].with.heat: `steps.boil` is a list, one for each item: say which, as in `steps.boil[0].heat`, or use `map`"
        ]
    );
}

#[test]
fn what_a_list_cannot_hold_is_refused_with_the_way_out() {
    let pivot = "steps[0].for_each.do[0].on_rollback: a pivot cannot stand inside a list";
    assert_eq!(problems(tea().step(each([pour().pivot()]))), [pivot]);
    let inner = StepBuilder::for_each("each-spoon", "item.spoons", [boil()]);
    assert_eq!(
        problems(tea().step(each([inner]))),
        ["steps[0].for_each.do[0].for_each: a list in a list is too much for one saga: start a sub-saga for each item"]
    );
    let wait = StepBuilder::wait_for_signal("wait", "go");
    assert_eq!(
        problems(tea().step(each([wait]))),
        [
            "steps[0].for_each.do[0].wait_for: what comes could not say which item it is for: start a sub-saga for each, and wait there"
        ]
    );
    assert_eq!(
        problems(tea().step(each([boil()]).at_once(0).items_max(1_001)).step(each([]))),
        [
            "steps[0].for_each.at_once: with none at once nothing would ever be done",
            "steps[0].for_each.items_max: a list has 1 to 1000 items",
            "steps[1].name: another step is already called `each-cup`",
            "steps[1].for_each.do: a branch needs at least one step",
        ]
    );
}

#[test]
fn undone_until_names_a_step_that_is_done_once() {
    let cool = boil().undone_on(event("Cooled").until("pour"));
    assert_eq!(
        problems(tea().step(cool.clone()).step(each([pour().nothing_on_rollback()]))),
        ["steps[0].undone_on[0].until: `pour` is done for each item of a list: say a step outside of it"]
    );
    assert!(tea().step(each([cool, pour().nothing_on_rollback()])).build().is_ok());
}

#[test]
fn undone_until_names_a_step_that_exists() {
    let wrong = boil().undone_on(event("Cooled").until("porr"));
    let problems = problems(tea().step(wrong).step(pour().nothing_on_rollback()));
    assert_eq!(problems, ["steps[0].undone_on[0].until: no step is called `porr`; did you mean `pour`?"]);
}

#[test]
fn a_sub_saga_says_how_long_it_may_take_and_what_becomes_of_it() {
    let bake = || StepBuilder::sub_saga("bake", "cake");
    assert_eq!(
        problems(tea().step(bake())),
        [
            "steps[0]: `timeout` is missing: how long may the sub-saga take?",
            "steps[0]: `on_rollback` is missing: say what becomes of a sub-saga that has completed; expected one of: nothing, roll_back, pivot",
        ]
    );
    let bake = || bake().timeout(Duration::from_hours(2));
    for right in [bake().nothing_on_rollback(), bake().roll_back_sub_saga(), bake().pivot()] {
        assert!(tea().step(right).build().is_ok());
    }
    let other = compensate("Eat").done_on("Eaten");
    assert_eq!(
        problems(tea().step(bake().on_rollback(other))),
        ["steps[0].on_rollback: a sub-saga knows how to take itself back: say `roll_back`, or `nothing`"]
    );
    assert_eq!(
        problems(tea().step(pour().pivot()).step(bake().roll_back_sub_saga())),
        ["steps[1].on_rollback: nothing after the pivot is ever rolled back: say `nothing`"]
    );
    assert_eq!(
        problems(tea().step(pour().roll_back_sub_saga())),
        ["steps[0].on_rollback: only a sub-saga is rolled back: say which command to `compensate` with"]
    );
}

#[test]
fn the_result_is_told_from_what_the_steps_found_out() {
    let right = tea().step(boil()).result([("heat", "steps.boil.heat")]);
    assert!(right.build().is_ok());
    let wrong = tea().step(boil()).result([("heat", "steps.biol.heat")]);
    assert_eq!(problems(wrong), ["result.heat: no step before this one is called `biol`; did you mean `boil`?"]);
    let named = StepBuilder::ask("result", "kitchen.commands", "Boil").done_on("Boiled").nothing_on_rollback();
    let twice = tea().step(named).result([("heat", "1")]);
    assert_eq!(problems(twice), ["result: a step is called `result` already"]);
}

#[test]
fn sagas_are_found_by_what_they_start_with() {
    assert!(tea().step(boil()).search("guest", "saga.data.guest").build().is_ok());
    let wrong = tea().step(boil()).search("Guest", "steps.boil.heat");
    assert_eq!(
        problems(wrong),
        [
            "search.Guest: `Guest` is no name: use small letters, digits and dashes",
            "search.Guest: no step before this one is called `boil`",
        ]
    );
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
