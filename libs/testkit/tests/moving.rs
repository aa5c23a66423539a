//! Sagas that are to go on under another definition of their name, told as stories: what may differ, and what may not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use backstitch_saga::migrate::can_move;
use backstitch_testkit::{Specimen, Story, started};
use serde_json::json;

fn saga(text: &str) -> Specimen {
    let data = json!({ "visit": "v-1", "guests": ["ann", "bob"], "young": true });
    let definition = backstitch_saga_yaml::parse("saga.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    Specimen::of(definition).starting_with(data)
}

const VISIT: &str = r"
saga: visit
version: 1
starts_on: { topic: visits.events, event: VisitAsked, key: event.visit, on_rollback: { compensate: Regret, to: visits.commands, done_on: Regretted } }
steps:
  - name: enter
    ask: gates.commands
    to: LetIn
    done_on: LetIn
    refused_on: GateClosed
    on_rollback: { compensate: LetOut, with: { visit: saga.key }, done_on: LetOut }
  - name: company
    choice:
      - when: saga.data.young
        do: { name: guide, ask: guides.commands, to: FindGuide, done_on: GuideFound, on_rollback: nothing }
    otherwise: nothing
  - name: each-guest
    for_each:
      in: saga.data.guests
      at_once: 1
      do: { name: greet, ask: hosts.commands, to: Greet, done_on: Greeted, on_rollback: { compensate: Shun, done_on: Shunned } }
  - { name: closing, wait_for: { signal: bell, timeout: 1h } }
  - name: sell
    ask: shops.commands
    to: Sell
    done_on: Sold
    on_rollback: pivot
  - { name: bye, ask: gates.commands, to: SayGoodbye, done_on: SaidGoodbye, on_rollback: nothing }
";

/// The same of a later version, with one text replaced.
fn later(what: &str, by: &str) -> Specimen {
    assert!(VISIT.contains(what), "{what}");
    saga(&VISIT.replace("version: 1", "version: 2").replace(what, by))
}

fn visit() -> Story {
    started(&saga(VISIT))
}

/// Why the story's saga cannot move there.
fn obstacles(story: &Story, to: &Specimen) -> Vec<String> {
    let found = can_move(story.definition(), to.definition(), story.state());
    found.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn entered() -> Story {
    visit().done("enter")
}

fn greeted() -> Story {
    entered().done("guide").done("greet/0")
}

fn sold() -> Story {
    greeted().done("greet/1").signalled("bell", json!({})).done("sell")
}

#[test]
fn a_saga_goes_on_under_the_later_definition() {
    let with_gift = later(
        "  - { name: bye",
        "  - { name: gift, ask: shops.commands, to: Give, done_on: Given, on_rollback: nothing }\n  - { name: bye",
    );
    let story = greeted().moved_to(&with_gift, "ann").done("greet/1").signalled("bell", json!({}));
    let story = story.done("sell").done("gift").done("bye");
    story.reads(
        "
        gates <- LetIn
        guides <- FindGuide
        hosts <- Greet
        hosts <- Greet
        moved to version 2 by ann
        shops <- Sell
        shops <- Give
        gates <- SayGoodbye
        completed
        ",
    );
}

#[test]
fn a_saga_that_cannot_move_says_why_and_stays_where_it_is() {
    let story = entered().moved_to(&later("to: LetIn", "to: OpenGate"), "ann").done("guide");
    story.reads(
        "
        gates <- LetIn
        guides <- FindGuide
        move refused: `enter` is `OpenGate` to `gates.commands`, and the saga has sent `LetIn` to `gates.commands`
        hosts <- Greet
        ",
    );
}

#[test]
fn moving_to_where_it_is_already_means_nothing() {
    let story = entered();
    assert_eq!(story.clone().moved_to(&saga(VISIT), "ann").journal(), story.journal());
}

#[test]
fn a_saga_that_has_ended_moves_nowhere() {
    let ended = visit().refused("enter").undone("start");
    let journaled = ended.journal().len();
    let later = later("done_on: Sold", "done_on: [Sold, GivenAway]");
    assert_eq!(obstacles(&ended, &later), ["the saga is rolled back"]);
    assert_eq!(ended.moved_to(&later, "ann").journal().len(), journaled);
}

#[test]
fn a_stuck_saga_moves_to_the_definition_that_mends_it() {
    let story = entered().done("guide").done("greet/0").done("greet/1").signalled("bell", json!({}));
    let story = story.cannot_send("bye").done("sell");
    let mended = later("to: SayGoodbye", "to: Wave");
    story.moved_to(&mended, "ann").can_send_again().retried("bob").done("bye").reads(
        "
        gates <- LetIn
        guides <- FindGuide
        hosts <- Greet
        hosts <- Greet
        shops <- Sell
        stuck at bye: it fits no schema
        moved to version 2 by ann
        set free by bob
        gates <- Wave
        completed
        ",
    );
}

#[test]
fn a_paused_saga_moves_and_stays_paused() {
    let later = later("to: FindGuide", "to: CallGuide");
    let story = visit().paused("bob").moved_to(&later, "ann");
    assert_eq!(story.state().status(), "paused");
    story.resumed("bob").done("enter").reads(
        "
        gates <- LetIn
        paused by bob
        moved to version 2 by ann
        resumed by bob
        guides <- CallGuide
        ",
    );
}

#[test]
fn what_begins_beside_the_present_step_begins_with_the_move() {
    let text = |branches: &str| format!("saga: two\nversion: 1\nsteps: [{{ parallel: [{branches}] }}]");
    let step = |name: &str| {
        format!(
            "{{ name: {name}, ask: things.commands, to: Do-{name}, done_on: Done, key: event.k, on_rollback: nothing }}"
        )
    };
    let from = saga(&text(&[step("a"), step("b")].join(", ")));
    let to = saga(&text(&[step("a"), step("b"), step("c")].join(", ")));
    started(&from).moved_to(&to, "ann").done("a").done("b").done("c").reads(
        "
        things <- Do-a
        things <- Do-b
        moved to version 1 by ann
        things <- Do-c
        completed
        ",
    );
}

#[test]
fn what_the_saga_has_come_to_must_be_there_and_the_same() {
    let cases = [
        (entered(), "name: enter", "name: let-in", "there is no step `enter`, which the saga has come to"),
        (
            entered(),
            "ask: gates.commands\n    to: LetIn",
            "ask: doors.commands\n    answers_on: gates.events\n    to: LetIn",
            "`enter` is `LetIn` to `doors.commands`, and the saga has sent `LetIn` to `gates.commands`",
        ),
        (
            entered(),
            "{ name: guide, ask: guides.commands, to: FindGuide, done_on: GuideFound, on_rollback: nothing }",
            "{ name: guide, delay: 1h }",
            "`guide` is a delay, and was a command",
        ),
        (
            entered(),
            "compensate: LetOut,",
            "compensate: ThrowOut,",
            "`enter` would be undone by `ThrowOut` to `gates.commands`, and was done to be undone by `LetOut` to `gates.commands`",
        ),
        (
            entered(),
            "compensate: Regret,",
            "compensate: Mourn,",
            "`start` would be undone by `Mourn` to `visits.commands`, and was done to be undone by `Regret` to `visits.commands`",
        ),
        (
            visit(),
            "refused_on: GateClosed",
            "refused_on: GateStuck",
            "`enter` does not expect `GateClosed` on `gates.events`, which may be on its way",
        ),
        (
            greeted().done("greet/1"),
            "signal: bell",
            "signal: gong",
            "`closing` waits for the signal `gong`, and has waited for the signal `bell`",
        ),
        (
            visit().signalled("bell", json!({})),
            "signal: bell",
            "signal: gong",
            "`closing` waits for the signal `gong`, and has waited for the signal `bell`",
        ),
    ];
    for (story, what, by, expected) in cases {
        assert_eq!(obstacles(&story, &later(what, by))[0], expected);
    }
}

#[test]
fn a_passed_pivot_stays_a_pivot_and_nothing_becomes_one() {
    let no_pivot = later("on_rollback: pivot", "on_rollback: nothing");
    assert_eq!(
        obstacles(&sold(), &no_pivot),
        ["`sell` would be undone by nothing, and was done to be undone by nothing, being the pivot"]
    );
    assert_eq!(obstacles(&greeted(), &no_pivot), [""; 0], "it is not reached yet");
    let from = saga(&VISIT.replace("on_rollback: pivot", "on_rollback: nothing"));
    let story = started(&from).done("enter").done("guide").done("greet/0").done("greet/1").signalled("bell", json!({}));
    assert_eq!(
        obstacles(&story, &saga(VISIT)),
        ["`sell` would be undone by nothing, being the pivot, and was done to be undone by nothing"]
    );
}

#[test]
fn what_was_never_done_does_not_come_before_what_was() {
    let early = later(
        "  - name: enter",
        "  - { name: ring, ask: gates.commands, to: Ring, done_on: Rung, on_rollback: nothing }\n  - name: enter",
    );
    assert_eq!(obstacles(&visit(), &early), ["`enter` comes after `ring`, which the saga has not done"]);
    let between = later("  - { name: closing", "  - { name: rest, delay: 5m }\n  - { name: closing");
    assert_eq!(obstacles(&greeted(), &between), [""; 0], "it is yet to come");
    let story = greeted().done("greet/1");
    assert_eq!(obstacles(&story, &between), ["`closing` comes after `rest`, which the saga has not done"]);
}

#[test]
fn the_branch_that_was_taken_is_there_and_leads_the_same_way() {
    let other_way = later(
        "      - when: saga.data.young",
        "      - { when: saga.data.old, do: { name: chair, delay: 1s } }\n      - when: saga.data.young",
    );
    assert_eq!(obstacles(&entered(), &other_way), ["`guide` comes after `chair`, which the saga has not done"]);
    let another = later(
        "    otherwise: nothing",
        "      - { when: saga.data.old, do: { name: chair, delay: 1s } }\n    otherwise: nothing",
    );
    assert_eq!(obstacles(&entered(), &another), [""; 0], "a further branch changes nothing");
}

#[test]
fn only_what_was_kept_of_a_result_can_be_used() {
    let uses = |field: &str| later("to: SayGoodbye", &format!("to: SayGoodbye, with: {{ n: steps.enter.{field} }}"));
    assert_eq!(
        obstacles(&entered(), &uses("number")),
        ["`number` of the result of `enter` would be used, and was not kept when it came"]
    );
    assert_eq!(obstacles(&visit(), &uses("number")), [""; 0], "it has not come yet");
    let numbered = started(&uses("number")).done("enter");
    assert_eq!(obstacles(&numbered, &uses("number")), [""; 0]);
    assert_eq!(
        obstacles(&numbered, &uses("colour")),
        ["`colour` of the result of `enter` would be used, and was not kept when it came"]
    );
    let of_items = later("to: SayGoodbye", "to: SayGoodbye, with: { n: size(steps.greet) }");
    let expected = "all of the result of `greet` would be used, and was not kept when it came";
    assert_eq!(obstacles(&entered().done("guide"), &of_items), [expected]);
    assert_eq!(obstacles(&entered(), &of_items), [""; 0]);
}

#[test]
fn on_its_way_back_only_what_is_still_to_be_undone_matters() {
    let back = greeted().cancelled("bob");
    assert_eq!(obstacles(&back, &later("to: LetIn", "to: OpenGate")), [""; 0], "it is behind");
    let other = later("compensate: Shun,", "compensate: Insult,");
    let expected = "`greet/1` would be undone by `Insult` to `hosts.commands`, and was done to be undone by `Shun` to `hosts.commands`";
    assert_eq!(obstacles(&back, &other)[0], expected);
    assert_eq!(obstacles(&back.undone("greet/1").undone("greet/0"), &other), [""; 0], "it is undone");
    let answers = later("done_on: Shunned", "done_on: Cut");
    let expected = "`greet/1` does not expect `Shunned` on `hosts.events`, which may be on its way";
    assert_eq!(obstacles(&greeted().cancelled("bob"), &answers), [expected]);
}

#[test]
fn a_saga_moves_only_to_a_definition_of_its_name() {
    assert_eq!(
        obstacles(&visit(), &later("saga: visit", "saga: call")),
        ["it is a saga of `visit` and cannot become one of `call`"]
    );
}

#[test]
fn timeouts_conditions_and_payloads_may_change() {
    let patient =
        later("done_on: LetIn\n", "done_on: [LetIn, Inside]\n    timeout: 5m\n    with: { visit: saga.key }\n");
    assert_eq!(obstacles(&visit(), &patient), [""; 0]);
    assert_eq!(obstacles(&visit(), &later("starts_on:", "deadline: 5h\nstarts_on:")), [""; 0]);
}
