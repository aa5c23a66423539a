//! Sagas that decide about their steps, told as stories: choices between branches, lists with something to do for each
//! item.

use backstitch_saga::{Direction, StepName, command_id};
use backstitch_testkit::{Misbehaviours, Specimen, Story, keeps_the_laws, started};
use serde_json::{Value, json};

fn saga(text: &str) -> Specimen {
    Specimen::of(backstitch_saga_yaml::parse("saga.yaml", text).unwrap_or_else(|error| panic!("{error}")))
}

const VISIT: &str = r#"
saga: visit
version: 1
starts_on: { topic: visits.events, event: VisitAsked, key: event.visit }
steps:
  - name: enter
    ask: gates.commands
    to: LetIn
    done_on: LetIn
    on_rollback: { compensate: LetOut, done_on: LetOut }
  - name: company
    choice:
      - when: saga.data.age < 14
        do:
          name: find-guide
          ask: guides.commands
          to: FindGuide
          done_on: GuideFound
          refused_on: NoGuideFree
          on_rollback: { compensate: SendGuideHome, done_on: GuideWentHome }
      - when: saga.data.age < 18
        do:
          - name: call-parents
            ask: parents.commands
            to: Call
            done_on: ParentsAgreed
            refused_on: ParentsRefused
            on_rollback: nothing
          - { name: think, delay: 1m }
    otherwise: nothing
  - name: show
    ask: halls.commands
    to: Show
    with: { visit: saga.key, guide: "has(steps.find_guide) ? steps.find_guide.guide : 'nobody'" }
    done_on: Shown
    refused_on: HallClosed
    on_rollback: nothing
"#;

fn visit(age: u32) -> Specimen {
    saga(VISIT).starting_with(json!({ "visit": "v-1", "age": age })).answering("find-guide", json!({ "guide": "gwen" }))
}

#[test]
fn the_first_branch_whose_condition_holds_is_taken() {
    let story = started(&visit(9)).done("enter").done("find-guide").done("show");
    story.reads("gates <- LetIn\n guides <- FindGuide\n halls <- Show\n completed");
    assert_eq!(story.commands()[2].payload["guide"], "gwen");
    let story = started(&visit(15)).done("enter").done("call-parents").silence("think").done("show");
    story.reads("gates <- LetIn\n parents <- Call\n halls <- Show\n completed");
    assert_eq!(story.commands()[2].payload["guide"], "nobody");
}

#[test]
fn without_a_condition_that_holds_the_saga_goes_on_where_it_says_so() {
    started(&visit(40)).done("enter").done("show").reads("gates <- LetIn\n halls <- Show\n completed");
}

#[test]
fn only_the_branch_taken_is_undone() {
    started(&visit(9)).done("enter").done("find-guide").refused("show").undone("find-guide").undone("enter").reads(
        "
        gates <- LetIn
        guides <- FindGuide
        halls <- Show
        guides <- SendGuideHome
        gates <- LetOut
        rolled back: HallClosed
        ",
    );
}

#[test]
fn without_a_condition_that_holds_the_saga_is_rolled_back_where_it_says_so() {
    let strict = VISIT.replace("otherwise: nothing", "otherwise: roll_back");
    let story = started(&saga(&strict).starting_with(json!({ "visit": "v-1", "age": 40 }))).done("enter");
    story.undone("enter").reads("gates <- LetIn\n gates <- LetOut\n rolled back: no condition of company held");
}

#[test]
fn a_condition_that_cannot_be_told_needs_a_person_who_may_pass_the_choice_by() {
    let story = started(&saga(VISIT).starting_with(json!({ "visit": "v-1" }))).done("enter");
    let reason = story.state().reason().unwrap();
    assert!(reason.starts_with("`saga.data.age < 14` could not be evaluated"), "{reason}");
    assert_eq!(story.skipped("ann").done("show").state().status(), "completed");
}

#[test]
fn choices_keep_the_laws_whichever_branch_is_taken() {
    for age in [9, 15, 40] {
        keeps_the_laws(&visit(age), Misbehaviours(2));
    }
}

const PARCELS: &str = r#"
saga: parcels
version: 1
starts_on: { topic: orders.events, event: OrderPacked, key: event.order }
steps:
  - name: each-parcel
    for_each:
      in: saga.data.parcels
      at_once: 2
      items_max: 5
      do:
        - name: weigh
          ask: scales.commands
          to: Weigh
          with: { parcel: item.id, place: index }
          done_on: Weighed
          on_rollback: nothing
        - name: send
          when: item.home
          ask: couriers.commands
          to: Send
          with: { parcel: item.id, grams: steps.weigh.grams }
          done_on: { event: Sent, when: event.parcel == item.id }
          refused_on: { event: NotSent, when: event.parcel == item.id }
          undone_on: { event: Lost, when: event.parcel == item.id, until: pay }
          on_rollback: { compensate: CallBack, with: { parcel: item.id, why: saga.reason }, done_on: CalledBack }
  - name: pay
    ask: couriers.commands
    to: Pay
    with:
      parcels: size(steps.weigh)
      grams: steps.weigh.map(weighed, weighed.grams)
      sent: "steps.send.filter(sent, sent != null).map(item, item.tracking)"
    done_on: Paid
    refused_on: NotPaid
    on_rollback: nothing
"#;

fn parcel(number: usize) -> Value {
    json!({ "id": format!("p-{number}"), "home": number != 1 })
}

fn parcels(count: usize) -> Specimen {
    let parcels: Vec<Value> = (0..count).map(parcel).collect();
    let specimen = saga(PARCELS).starting_with(json!({ "order": "o-1", "parcels": parcels }));
    (0..count).fold(specimen, |specimen, number| {
        let send = format!("send/{number}");
        let sent = json!({ "parcel": format!("p-{number}"), "tracking": format!("t-{number}") });
        specimen
            .answering(&format!("weigh/{number}"), json!({ "grams": 100 + number }))
            .answering(&send, sent)
            .refusing(&send, json!({ "parcel": format!("p-{number}") }))
            .undoing(&send, json!({ "parcel": format!("p-{number}") }))
    })
}

fn steps(story: &Story) -> Vec<&str> {
    story.state().current_steps().into_iter().map(StepName::as_str).collect()
}

#[test]
fn something_is_done_for_each_item_a_few_at_once() {
    let story = started(&parcels(3));
    assert_eq!(steps(&story), ["weigh/0", "weigh/1"]);
    let story = story.done("weigh/1");
    // The parcel 1 is not sent home, so that the third may begin.
    assert_eq!(steps(&story), ["weigh/0", "weigh/2"]);
    let story = story.done("weigh/0").done("send/0").done("weigh/2").done("send/2").done("pay");
    story.reads(
        "
        scales <- Weigh
        scales <- Weigh
        scales <- Weigh
        couriers <- Send
        couriers <- Send
        couriers <- Pay
        completed
        ",
    );
}

#[test]
fn each_item_is_seen_by_its_own_steps_and_its_results_by_all_later_ones() {
    let story = started(&parcels(3)).done("weigh/1").done("weigh/0").done("send/0").done("weigh/2").done("send/2");
    let payloads: Vec<&Value> = story.commands().iter().map(|command| &command.payload).collect();
    assert_eq!(payloads[1], &json!({ "parcel": "p-1", "place": 1 }));
    assert_eq!(payloads[4], &json!({ "parcel": "p-2", "grams": 102 }));
    assert_eq!(payloads[5], &json!({ "parcels": 3, "grams": [100, 101, 102], "sent": ["t-0", "t-2"] }));
}

#[test]
fn each_item_has_its_own_command_id_derived_from_its_place() {
    let story = started(&parcels(2));
    let ids: Vec<_> = story.commands().iter().map(|command| command.id).collect();
    let saga = story.commands()[0].saga;
    assert_eq!(ids, [0, 1].map(|item| command_id(saga, "weigh", Some(item), Direction::Forward)));
}

#[test]
fn an_empty_list_is_behind_at_once() {
    let story = started(&parcels(0));
    story.reads("couriers <- Pay");
    assert_eq!(story.commands()[0].payload, json!({ "parcels": 0, "grams": [], "sent": [] }));
}

#[test]
fn when_one_item_is_refused_exactly_those_done_or_possibly_done_are_undone() {
    let story = started(&parcels(4)).done("weigh/0").done("send/0").done("weigh/1").done("weigh/2").done("weigh/3");
    // The parcel 2 is on its way, nobody knows how far; the parcel 1 was never sent.
    let story = story.refused("send/3").undone("send/2").undone("send/0");
    story.reads(
        "
        scales <- Weigh
        scales <- Weigh
        couriers <- Send
        scales <- Weigh
        scales <- Weigh
        couriers <- Send
        couriers <- Send
        couriers <- CallBack
        couriers <- CallBack
        rolled back: NotSent
        ",
    );
    let undone: Vec<&Value> = story.commands().iter().rev().take(2).map(|command| &command.payload).collect();
    assert_eq!(undone[1], &json!({ "parcel": "p-2", "why": "NotSent" }));
    assert_eq!(undone[0], &json!({ "parcel": "p-0", "why": "NotSent" }));
}

#[test]
fn items_that_may_are_undone_together_as_many_as_were_done() {
    let together = PARCELS.replace("  - name: pay\n", "    roll_back: together\n  - name: pay\n");
    let list: Vec<Value> = [0, 2, 3].map(parcel).into();
    let specimen = saga(&together).starting_with(json!({ "order": "o-1", "parcels": list }));
    let specimen = [(0, "p-0"), (1, "p-2"), (2, "p-3")].into_iter().fold(specimen, |specimen, (item, id)| {
        let specimen = specimen.answering(&format!("weigh/{item}"), json!({ "grams": 1 }));
        specimen.answering(&format!("send/{item}"), json!({ "parcel": id, "tracking": "t" }))
    });
    let story = started(&specimen).done("weigh/0").done("send/0").done("weigh/1").done("send/1").done("weigh/2");
    let story = story.done("send/2").refused("pay");
    assert_eq!(steps(&story), ["send/2", "send/1"]);
    let story = story.undone("send/1").undone("send/2").undone("send/0");
    assert_eq!(story.state().status(), "rolled_back");
}

#[test]
fn a_stranger_s_answer_finds_the_item_whose_condition_it_meets() {
    let story = started(&parcels(3)).done("weigh/0").done("weigh/1").done("weigh/2");
    assert_eq!(steps(&story), ["send/0", "send/2"]);
    let story = story.done_by_a_foreigner("send/2");
    assert_eq!(steps(&story), ["send/0"]);
}

#[test]
fn a_stranger_s_answer_that_says_nothing_of_the_item_is_nobody_s() {
    let story = started(&parcels(3)).done_by_a_foreigner("weigh/0");
    assert_eq!(steps(&story), ["weigh/0", "weigh/1"]);
}

#[test]
fn one_item_taken_back_by_itself_rolls_all_back() {
    let story = started(&parcels(3)).done("weigh/0").done("send/0").done("weigh/1").done("weigh/2").done("send/2");
    let story = story.taken_back("send/0").undone("send/2");
    assert_eq!(story.state().reason().as_deref(), Some("send/0 was taken back: Lost"));
}

#[test]
fn a_list_that_is_too_long_or_none_needs_a_person() {
    let story = started(&parcels(6));
    assert_eq!(story.state().reason().as_deref(), Some("the list has 6 items, 5 are allowed"));
    story.cancelled("ann").reads(
        "
        stuck at each-parcel: the list has 6 items, 5 are allowed
        rolled back: cancelled by ann
        ",
    );
    let story = started(&saga(PARCELS).starting_with(json!({ "order": "o-1", "parcels": "many" })));
    assert_eq!(story.state().reason().as_deref(), Some("there is no list to do something for each item of"));
}

#[test]
fn lists_keep_the_laws() {
    for count in 0..3 {
        keeps_the_laws(&parcels(count), Misbehaviours(2));
    }
}
