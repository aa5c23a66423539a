//! Sagas whose participants have limits: they wait for their turns.

use std::time::Duration;

use backstitch_saga::participant::Turns;
use backstitch_saga::{Definition, Direction, StepBuilder, Timestamp, Waiting, compensate};
use backstitch_testkit::{Specimen, Story, started};

fn baking() -> Specimen {
    let knead = StepBuilder::ask("knead", "kitchen.commands", "Knead")
        .done_on("Kneaded")
        .refused_on("NoFlour")
        .on_rollback(compensate("ThrowAway").done_on("ThrownAway"));
    let bake = StepBuilder::ask("bake", "oven.commands", "Bake")
        .done_on("Baked")
        .refused_on("NoFire")
        .retry_on("OvenTooCold")
        .timeout(Duration::from_secs(30))
        .attempts_max(2)
        .deadline(Duration::from_secs(100))
        .on_rollback(compensate("TakeOut").done_on("TakenOut"));
    let definition = Definition::builder("baking", 1).in_flight_max("oven.commands", 1).step(knead).step(bake);
    Specimen::of(definition.build().unwrap_or_else(|error| panic!("{error}")))
}

/// How long until the attempt or the wait of the step under way ends.
fn left(story: &Story) -> Option<Duration> {
    story.state().open_deadlines().next().map(|open| open.at.since(story.now()))
}

#[test]
fn only_whoever_has_limits_is_waited_for() {
    started(&baking()).done("knead").turn("bake").done("bake").reads(
        "
        kitchen <- Knead
        bake waits for its turn at oven
        oven <- Bake
        completed
    ",
    );
}

#[test]
fn the_attempt_s_clock_starts_at_the_turn_and_the_step_s_runs_before() {
    let waits = started(&baking()).done("knead").time_passes(Duration::from_secs(40));
    assert_eq!(left(&waits), Some(Duration::from_secs(60)));
    let asked = waits.clone().turn("bake");
    assert_eq!(left(&asked), Some(Duration::from_secs(30)));
    let late = waits.time_passes(Duration::from_secs(45)).turn("bake");
    assert_eq!(left(&late), Some(Duration::from_secs(15)));
}

#[test]
fn what_was_cancelled_in_the_queue_did_not_happen() {
    started(&baking()).done("knead").cancelled("ann").undone("knead").reads(
        "
        kitchen <- Knead
        bake waits for its turn at oven
        kitchen <- ThrowAway
        rolled back: cancelled by ann
    ",
    );
}

#[test]
fn what_fell_silent_before_may_have_happened_though_it_waits_again() {
    started(&baking()).done("knead").turn("bake").silence("bake").cancelled("ann").turn("bake").undone("bake").reads(
        "
        kitchen <- Knead
        bake waits for its turn at oven
        oven <- Bake
        bake waits for its turn at oven
        bake waits for its turn at oven
        oven <- TakeOut
        kitchen <- ThrowAway
    ",
    );
}

#[test]
fn a_step_that_had_no_turn_in_time_is_given_up_and_did_not_happen() {
    started(&baking()).done("knead").time_passes(Duration::from_secs(100)).undone("knead").reads(
        "
        kitchen <- Knead
        bake waits for its turn at oven
        kitchen <- ThrowAway
        rolled back: bake had no turn in time
    ",
    );
}

#[test]
fn another_try_waits_for_another_turn_and_raises_the_try() {
    let story = started(&baking()).done("knead").turn("bake").asks_for_another_try("bake").turn("bake");
    let tries: Vec<u32> =
        story.commands().iter().filter(|sent| sent.command_type == "Bake").map(|sent| sent.try_number).collect();
    assert_eq!(tries, [1, 2]);
}

#[test]
fn an_answer_to_a_command_that_was_never_sent_means_nothing() {
    started(&baking()).done("knead").done_by_a_foreigner("bake").refused("bake").reads(
        "
        kitchen <- Knead
        bake waits for its turn at oven
    ",
    );
}

#[test]
fn a_paused_saga_keeps_its_place_in_the_queue_and_its_time() {
    let paused = started(&baking()).done("knead").paused("ann");
    let before = paused.state().open().first().map(|open| open.waiting.clone());
    let resumed = paused.time_passes(Duration::from_secs(1_000)).resumed("ann");
    let after = resumed.state().open().first().map(|open| open.waiting.clone());
    let place = |waiting: Option<Waiting>| match waiting {
        Some(Waiting::Turn { queued_at, .. }) => Some(queued_at),
        _ => None,
    };
    assert_eq!(place(before), place(after));
    assert_eq!(left(&resumed), Some(Duration::from_secs(100)));
}

fn turns_of(stories: &[Story]) -> Turns {
    let mut turns = Turns::new(stories[0].definition().limits().clone());
    for story in stories {
        let saga = story.state().saga().unwrap_or_else(|| panic!("it has ended")).id;
        turns.moved(saga, Some((story.definition(), story.state())));
    }
    turns
}

/// Sagas of three keys, the first of which queued first.
fn three() -> [Story; 3] {
    let saga = |key: &str| started(&baking().with_key(key));
    let after = |key: &str, seconds: u64| saga(key).time_passes(Duration::from_secs(seconds)).done("knead");
    [after("b", 1), after("a", 2), after("c", 3)]
}

fn next(turns: &mut Turns) -> Option<(String, Direction)> {
    let turn = turns.next(Timestamp::from_micros(i64::MAX / 2))?;
    Some((turn.saga.to_string(), turn.direction))
}

fn id(story: &Story) -> String {
    story.state().saga().map(|saga| saga.id.to_string()).unwrap_or_default()
}

#[test]
fn turns_come_in_the_order_of_queueing() {
    let stories = three();
    let mut turns = turns_of(&stories);
    assert_eq!(next(&mut turns), Some((id(&stories[0]), Direction::Forward)));
    let [first, second, third] = stories;
    // Its place is taken, and nobody else's turn comes before it is free again.
    let mut turns = turns_of(&[first.clone().turn("bake"), second.clone(), third.clone()]);
    assert_eq!(next(&mut turns), None);
    let mut turns = turns_of(&[second.clone(), third, first.turn("bake").silence("bake")]);
    assert_eq!(next(&mut turns), Some((id(&second), Direction::Forward)));
}

#[test]
fn compensations_have_their_turn_first() {
    let [first, second, third] = three();
    let back = third.turn("bake").silence("bake").cancelled("ann");
    let mut turns = turns_of(&[first, second, back.clone()]);
    assert_eq!(next(&mut turns), Some((id(&back), Direction::Compensate)));
}

#[test]
fn whoever_reads_the_states_again_counts_the_same() {
    let [first, second, third] = three();
    let stories = [first.turn("bake"), second, third.paused("ann")];
    let mut walked = turns_of(&three());
    for story in &stories {
        let saga = story.state().saga().unwrap_or_else(|| panic!("it has ended")).id;
        walked.moved(saga, Some((story.definition(), story.state())));
    }
    let counts = |turns: &Turns| turns.counts().map(|(_, waiting, taken)| (waiting, taken)).collect::<Vec<_>>();
    assert_eq!(counts(&walked), counts(&turns_of(&stories)));
    assert_eq!(counts(&walked), [(1, 1)]);
}
