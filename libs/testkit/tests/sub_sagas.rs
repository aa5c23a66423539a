//! Sagas that start sagas, told as stories from both sides: what a step learns of the saga it started, and what that one
//! does when it is no longer wanted.

use std::time::Duration;

use backstitch_saga::{Effect, SagaId, check_together, react, sub_saga};
use backstitch_testkit::{Misbehaviours, Specimen, Story, keeps_the_laws, started};
use serde_json::{Value, json};

fn saga(text: &str) -> Specimen {
    Specimen::of(backstitch_saga_yaml::parse("saga.yaml", text).unwrap_or_else(|error| panic!("{error}")))
}

const TOUR: &str = "
saga: tour
version: 1
starts_on: { topic: tours.events, event: TourAsked, key: event.tour }
steps:
  - name: hire-bus
    ask: buses.commands
    to: HireBus
    done_on: BusHired
    on_rollback: { compensate: ReturnBus, done_on: BusReturned }
  - name: visit
    sub_saga: { start: museum-visit, with: { people: saga.data.people } }
    on_rollback: roll_back
    timeout: 2d
  - name: dine
    ask: inns.commands
    to: BookTable
    with: { bill: steps.visit.price }
    done_on: TableBooked
    refused_on: NoTableFree
    on_rollback: nothing
";

fn tour(on_rollback: &str) -> Specimen {
    saga(&TOUR.replace("on_rollback: roll_back", &format!("on_rollback: {on_rollback}")))
        .starting_with(json!({ "tour": "t-1", "people": 4 }))
        .answering("visit", json!({ "price": 80 }))
        .refusing("visit", json!({ "reason": "closed on Mondays" }))
}

#[test]
fn a_step_starts_another_saga_and_is_done_when_that_has_completed() {
    let story = started(&tour("roll_back")).done("hire-bus").done("visit").done("dine");
    story.reads("buses <- HireBus\n saga <- StartSubSaga\n inns <- BookTable\n completed");
    let start = &story.commands()[1];
    assert_eq!(start.topic, sub_saga::TOPIC);
    assert_eq!(start.key, "tour/t-1/visit");
    assert_eq!(
        start.payload,
        json!({
            "definition": "museum-visit", "key": "tour/t-1/visit", "data": r#"{"people":4}"#,
            "parent_id": SagaId::derive("tour", "t-1"), "parent_definition": "tour", "parent_key": "t-1",
            "parent_step": "visit",
        })
    );
    assert_eq!(story.commands()[2].payload, json!({ "bill": 80 }));
}

#[test]
fn a_sub_saga_that_was_rolled_back_is_a_no() {
    started(&tour("roll_back")).done("hire-bus").refused("visit").undone("hire-bus").reads(
        "
        buses <- HireBus
        saga <- StartSubSaga
        buses <- ReturnBus
        rolled back: closed on Mondays
        ",
    );
}

#[test]
fn a_sub_saga_that_takes_too_long_is_cancelled() {
    let story = started(&tour("roll_back")).done("hire-bus").time_passes(Duration::from_hours(48));
    let cancel = story.commands().last().unwrap();
    assert_eq!(cancel.key, "tour/t-1/visit");
    assert_eq!(cancel.payload["completed_too"], true);
    assert_eq!(cancel.payload["reason"], "no reply");
    story.undone("visit").undone("hire-bus").reads(
        "
        buses <- HireBus
        saga <- StartSubSaga
        saga <- CancelSubSaga
        buses <- ReturnBus
        rolled back: no reply
        ",
    );
}

#[test]
fn one_that_completes_while_it_is_being_cancelled_is_waited_for_until_it_is_rolled_back() {
    let story = started(&tour("roll_back")).done("hire-bus").cancelled("ann").done("visit");
    assert_eq!(story.state().status(), "rolling_back");
    assert_eq!(story.undone("visit").undone("hire-bus").state().status(), "rolled_back");
}

#[test]
fn a_completed_sub_saga_is_rolled_back_where_the_definition_says_so() {
    started(&tour("roll_back"))
        .done("hire-bus")
        .done("visit")
        .refused("dine")
        .undone("visit")
        .undone("hire-bus")
        .reads(
            "
        buses <- HireBus
        saga <- StartSubSaga
        inns <- BookTable
        saga <- CancelSubSaga
        buses <- ReturnBus
        rolled back: NoTableFree
        ",
        );
}

#[test]
fn a_completed_sub_saga_stays_where_the_definition_says_so_and_a_running_one_is_stopped() {
    let story = started(&tour("nothing")).done("hire-bus").done("visit").refused("dine").undone("hire-bus");
    assert_eq!(story.state().status(), "rolled_back");
    assert!(story.commands().iter().all(|command| command.command_type != "CancelSubSaga"));
    let story = started(&tour("nothing")).done("hire-bus").cancelled("ann");
    assert_eq!(story.commands().last().unwrap().payload["completed_too"], false);
    // It had completed just before: so it stays.
    assert_eq!(story.done("visit").undone("hire-bus").state().status(), "rolled_back");
}

#[test]
fn a_sub_saga_that_cannot_be_rolled_back_needs_a_person() {
    let story = started(&tour("roll_back")).done("hire-bus").done("visit").refused("dine").undoing_refused("visit");
    assert_eq!(story.state().reason().as_deref(), Some("the compensation was refused: SubSagaGoesOn"));
    assert_eq!(story.skipped("ann").undone("hire-bus").state().status(), "rolled_back");
}

#[test]
fn whoever_waits_for_a_sub_saga_keeps_the_laws() {
    for on_rollback in ["roll_back", "nothing", "pivot"] {
        keeps_the_laws(&tour(on_rollback), Misbehaviours(2));
    }
}

#[test]
fn a_sub_saga_for_each_item_has_a_key_for_each() {
    let text = "
saga: tour
version: 1
steps:
  - name: each-group
    for_each:
      in: saga.data.groups
      do:
        name: visit
        sub_saga: { start: museum-visit, with: { people: item } }
        on_rollback: roll_back
        timeout: 2d
  - name: pay
    ask: banks.commands
    to: Pay
    with: { bills: \"steps.visit.map(visit, visit.price)\" }
    done_on: Paid
    on_rollback: nothing
";
    let groups = saga(text).starting_with(json!({ "groups": [4, 7] })).answering("visit", json!({ "price": 80 }));
    let story = started(&groups);
    let keys: Vec<&str> = story.commands().iter().map(|command| command.key.as_str()).collect();
    assert_eq!(keys, ["tour/key-1/visit/0", "tour/key-1/visit/1"]);
    let story = story.done("visit/1").done("visit/0");
    assert_eq!(story.commands().last().unwrap().payload, json!({ "bills": [80, 80] }));
    keeps_the_laws(&groups, Misbehaviours(2));
}

#[test]
fn a_sub_saga_may_have_a_key_of_its_own_and_too_long_ones_are_replaced() {
    let own = TOUR.replace("start: museum-visit,", "start: museum-visit, key: \"'group of ' + saga.key\",");
    let story = started(&saga(&own).starting_with(json!({ "tour": "t-1", "people": 4 }))).done("hire-bus");
    assert_eq!(story.commands()[1].key, "group of t-1");
    let long = "t".repeat(199);
    let story = started(&saga(TOUR).starting_with(json!({ "tour": long, "people": 4 }))).done("hire-bus");
    let start = &story.commands()[1];
    assert_eq!(start.key, start.id.to_string());
}

#[test]
fn what_is_too_long_for_a_sub_saga_is_said_at_once() {
    let own = TOUR.replace("start: museum-visit,", "start: museum-visit, key: saga.data.name,");
    let story = started(&saga(&own).starting_with(json!({ "tour": "t-1", "people": 4, "name": "n".repeat(201) })));
    let reason = story.done("hire-bus").state().reason().unwrap();
    assert_eq!(reason, "`sub_saga.key` could not be evaluated: it has 201 bytes, 200 are allowed");
}

const VISIT: &str = "
saga: museum-visit
version: 1
steps:
  - name: book-guide
    ask: guides.commands
    to: BookGuide
    done_on: GuideBooked
    refused_on: NoGuideFree
    on_rollback: { compensate: FreeGuide, done_on: GuideFreed }
  - name: buy-tickets
    ask: tills.commands
    to: BuyTickets
    done_on: TicketsBought
    refused_on: SoldOut
    on_rollback: { compensate: ReturnTickets, done_on: TicketsReturned }
result: { price: steps.buy_tickets.price }
";

fn visit() -> Specimen {
    saga(VISIT).answering("buy-tickets", json!({ "price": 80 })).as_sub_saga()
}

fn with_a_pivot() -> Specimen {
    let text = VISIT.replace("{ compensate: ReturnTickets, done_on: TicketsReturned }", "pivot");
    saga(&text).answering("buy-tickets", json!({ "price": 80 })).as_sub_saga()
}

fn told(story: &Story, specimen: &Specimen) -> Value {
    let effects = story.journal().iter().flat_map(|event| react(specimen.definition(), event));
    let reports = effects.filter_map(|effect| match effect {
        Effect::Report(report) => Some(report),
        Effect::Send(_) | Effect::Emit(_) => None,
    });
    reports.last().map(|report| report.result).unwrap_or_default()
}

#[test]
fn a_sub_saga_tells_its_result_when_it_has_completed() {
    let story = started(&visit()).done("book-guide").done("buy-tickets");
    story.reads("guides <- BookGuide\n tills <- BuyTickets\n parent <- SubSagaCompleted\n completed");
    assert_eq!(told(&story, &visit()), json!({ "price": 80 }));
}

#[test]
fn a_sub_saga_that_is_rolled_back_says_why() {
    started(&visit()).done("book-guide").refused("buy-tickets").undone("book-guide").reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        guides <- FreeGuide
        parent <- SubSagaRolledBack: SoldOut
        rolled back: SoldOut
        ",
    );
}

#[test]
fn a_running_sub_saga_is_rolled_back_when_its_parent_says_so() {
    started(&visit()).done("book-guide").stopped_by_its_parent().undone("buy-tickets").undone("book-guide").reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        tills <- ReturnTickets
        guides <- FreeGuide
        parent <- SubSagaRolledBack: cancelled by parent parent-1: no longer wanted
        rolled back: cancelled by parent parent-1: no longer wanted
        ",
    );
}

#[test]
fn a_completed_sub_saga_is_rolled_back_only_when_that_is_what_its_parent_wants() {
    let completed = || started(&visit()).done("book-guide").done("buy-tickets");
    completed().stopped_by_its_parent().reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        parent <- SubSagaCompleted
        completed
        parent <- SubSagaCompleted
        ",
    );
    completed().rolled_back_by_its_parent().undone("buy-tickets").undone("book-guide").reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        parent <- SubSagaCompleted
        completed
        tills <- ReturnTickets
        guides <- FreeGuide
        parent <- SubSagaRolledBack: cancelled by parent parent-1: no longer wanted
        rolled back: cancelled by parent parent-1: no longer wanted
        ",
    );
}

#[test]
fn past_its_pivot_a_sub_saga_goes_on_and_says_so() {
    let why = "the pivot buy-tickets may have happened: from there the saga only goes forward";
    started(&with_a_pivot()).done("book-guide").stopped_by_its_parent().done("buy-tickets").reads(&format!(
        "
        guides <- BookGuide
        tills <- BuyTickets
        cancel refused: {why}
        parent <- SubSagaGoesOn: {why}
        parent <- SubSagaCompleted
        completed
        "
    ));
    let completed = started(&with_a_pivot()).done("book-guide").done("buy-tickets").rolled_back_by_its_parent();
    assert_eq!(completed.state().status(), "completed");
}

#[test]
fn a_sub_saga_cancelled_before_its_start_never_starts_and_both_are_answered() {
    let never = backstitch_testkit::rolled_back_before_start(&visit());
    never.started_again().reads(
        "
        refused: cancelled by parent parent-1: no longer wanted
        parent <- SubSagaRolledBack: cancelled by parent parent-1: no longer wanted
        start refused: cancelled by parent parent-1: no longer wanted
        parent <- SubSagaRolledBack: cancelled by parent parent-1: no longer wanted
        ",
    );
}

#[test]
fn an_end_that_was_told_is_told_again_to_whoever_asks_again() {
    let story = started(&visit()).done("book-guide").done("buy-tickets").started_again();
    story.reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        parent <- SubSagaCompleted
        completed
        parent <- SubSagaCompleted
        ",
    );
    assert_eq!(told(&story, &visit()), json!({ "price": 80 }));
}

#[test]
fn a_sub_saga_of_somebody_else_is_a_no_and_is_left_alone() {
    let story = started(&saga(VISIT)).started_by_another_saga().cancelled_by_another_saga();
    story.reads(
        "
        guides <- BookGuide
        stranger <- SubSagaRolledBack: it was already started by somebody else
        stranger <- SubSagaRolledBack: it was started by somebody else
        ",
    );
    assert_eq!(story.state().status(), "advancing");
}

#[test]
fn a_result_that_cannot_be_computed_needs_a_person() {
    let story = started(&saga(VISIT).as_sub_saga()).done("book-guide").done("buy-tickets");
    assert_eq!(story.state().status(), "stuck");
    story.skipped("ann").reads(
        "
        guides <- BookGuide
        tills <- BuyTickets
        stuck at result: `steps.buy_tickets.price` could not be evaluated: it is not there
        set free by ann
        parent <- SubSagaCompleted
        completed
        ",
    );
}

#[test]
fn sub_sagas_keep_the_laws_and_their_parents_know_how_they_ended() {
    for specimen in [visit(), with_a_pivot()] {
        keeps_the_laws(&specimen, Misbehaviours(2));
    }
}

fn wrong_together(texts: &[&str]) -> Vec<String> {
    let parse = |text: &&str| backstitch_saga_yaml::parse("saga.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    let definitions: Vec<_> = texts.iter().map(parse).collect();
    check_together(&definitions).into_iter().map(|(place, problem)| format!("{place} {problem}")).collect()
}

#[test]
fn definitions_that_start_each_other_are_checked_together() {
    assert_eq!(wrong_together(&[TOUR, VISIT]), Vec::<String>::new());
    assert_eq!(
        wrong_together(&[TOUR]),
        ["0 steps[1].sub_saga.start: no definition is called `museum-visit`; expected one of: tour"]
    );
    let pivot = VISIT.replace("{ compensate: ReturnTickets, done_on: TicketsReturned }", "pivot");
    assert_eq!(
        wrong_together(&[TOUR, &pivot]),
        [
            "0 steps[1].on_rollback: `museum-visit` has a pivot and cannot be rolled back once it has completed: say `nothing`"
        ]
    );
    let circle = "
saga: museum-visit
version: 1
steps:
  - { name: again, sub_saga: { start: tour }, on_rollback: nothing, timeout: 1d }
";
    assert_eq!(
        wrong_together(&[TOUR, circle]),
        [
            "0 steps[1].sub_saga.start: `museum-visit` would start `tour` again, and so for ever",
            "1 steps[0].sub_saga.start: `tour` would start `museum-visit` again, and so for ever",
        ]
    );
}
