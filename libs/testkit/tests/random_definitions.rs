//! Definitions nobody would write keep the laws too.

use std::time::Duration;

use backstitch_saga::{Definition, StepBuilder, compensate};
use backstitch_testkit::{Specimen, Walk, wander, wander_and_move};
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

/// The shape of a step, without its name.
#[derive(Clone, Debug)]
enum Shape {
    Command { compensated: bool, attempts: u32, needed: bool },
    Delay,
    Wait { timeout: bool, go_on: bool },
    Emit,
    SubSaga { rolls_back: bool },
    Group { branches: Vec<Vec<Shape>>, together: bool },
    Choice { branches: Vec<(bool, Vec<Shape>)>, otherwise: Option<Vec<Shape>> },
    Each { body: Vec<Shape>, items: usize, at_once: u32, together: bool },
}

fn single() -> BoxedStrategy<Shape> {
    let command = (any::<bool>(), 1..4_u32, any::<bool>()).prop_map(|(compensated, attempts, needed)| Shape::Command {
        compensated,
        attempts,
        needed,
    });
    let wait = (any::<bool>(), any::<bool>()).prop_map(|(timeout, go_on)| Shape::Wait { timeout, go_on });
    let sub_saga = any::<bool>().prop_map(|rolls_back| Shape::SubSaga { rolls_back });
    prop_oneof![5 => command, 1 => Just(Shape::Delay), 1 => wait, 1 => Just(Shape::Emit), 1 => sub_saga].boxed()
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let nested = single().prop_recursive(2, 8, 3, |inner| {
        let steps = || vec(inner.clone(), 1..3);
        let group = (vec(steps(), 2..4), any::<bool>());
        let choice = (vec((any::<bool>(), steps()), 1..3), proptest::option::of(steps()));
        let each = (steps(), 0..4_usize, 1..3_u32, any::<bool>());
        prop_oneof![
            group.prop_map(|(branches, together)| Shape::Group { branches, together }),
            choice.prop_map(|(branches, otherwise)| Shape::Choice { branches, otherwise }),
            each.prop_map(|(body, items, at_once, together)| Shape::Each { body, items, at_once, together }),
        ]
    });
    vec(nested, 1..5)
}

/// Where a step stands: some kinds are not allowed everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Top,
    InGroup,
    InEach,
}

/// Names steps as it goes, and forgets compensations after the pivot, where the language forbids them.
struct Writer {
    /// What step names begin with.
    word: &'static str,
    count: usize,
    pivot_at: Option<usize>,
    pivot_passed: bool,
}

impl Writer {
    fn steps(&mut self, shapes: &[Shape], place: Place) -> Vec<StepBuilder> {
        shapes.iter().map(|shape| self.step(shape, place)).collect()
    }

    fn step(&mut self, shape: &Shape, place: Place) -> StepBuilder {
        let inside = place.max(Place::InGroup);
        if let Shape::Group { branches, together } = shape {
            let branches: Vec<_> = branches.iter().map(|branch| self.steps(branch, inside)).collect();
            let group = StepBuilder::parallel(branches);
            return if *together { group.roll_back_together() } else { group };
        }
        self.count += 1;
        let name = format!("{}-{}", self.word, self.count);
        match shape {
            Shape::Choice { branches, otherwise } => {
                let choice = branches.iter().fold(StepBuilder::choice(&name), |choice, (holds, steps)| {
                    let condition = if *holds { "saga.data.all" } else { "!saga.data.all" };
                    choice.branch(condition, self.steps(steps, inside))
                });
                match otherwise {
                    Some(steps) => choice.otherwise(self.steps(steps, inside)),
                    None if self.pivot_passed => choice.otherwise_nothing(),
                    None => choice.otherwise_roll_back(),
                }
            }
            Shape::Each { body, items, at_once, together } if place != Place::InEach => {
                let list = format!("{:?}", (0..*items).collect::<Vec<_>>());
                let each = StepBuilder::for_each(&name, &list, self.steps(body, Place::InEach)).at_once(*at_once);
                if *together { each.roll_back_together() } else { each }
            }
            Shape::Each { .. } => StepBuilder::delay(&name, Duration::from_secs(5)),
            Shape::Wait { .. } if place == Place::InEach => StepBuilder::delay(&name, Duration::from_secs(5)),
            Shape::Command { compensated, attempts, needed } => {
                let command = self.command(&name, *compensated, place).attempts_max(*attempts);
                if *needed { command } else { command.when("saga.data.all") }
            }
            Shape::Delay => StepBuilder::delay(&name, Duration::from_secs(5)),
            Shape::Wait { timeout: false, .. } => StepBuilder::wait_for_signal(&name, &name),
            Shape::Wait { go_on, .. } => {
                let wait = StepBuilder::wait_for_signal(&name, &name).timeout(Duration::from_mins(1));
                if *go_on || self.pivot_passed { wait.go_on_after_timeout() } else { wait }
            }
            Shape::Emit => StepBuilder::emit(&name, "things.events", "ThingNoted", [("key", "saga.key")]),
            Shape::SubSaga { rolls_back } => {
                let sub_saga = StepBuilder::sub_saga(&name, "other").timeout(Duration::from_mins(1));
                if *rolls_back && !self.pivot_passed {
                    sub_saga.roll_back_sub_saga()
                } else {
                    sub_saga.nothing_on_rollback()
                }
            }
            Shape::Group { .. } => unreachable!("groups are written above"),
        }
    }

    fn command(&mut self, name: &str, compensated: bool, place: Place) -> StepBuilder {
        let command = StepBuilder::ask(name, "things.commands", "Do")
            .key("event.key")
            .done_on(format!("Done{}", self.count).as_str())
            .refused_on(format!("Refused{}", self.count).as_str())
            .retry_on(format!("Busy{}", self.count).as_str());
        if self.pivot_at.is_some_and(|at| self.count >= at) && place == Place::Top && !self.pivot_passed {
            self.pivot_passed = true;
            return command.pivot();
        }
        if compensated && !self.pivot_passed {
            let undo = compensate("Undo").done_on(format!("Undone{}", self.count).as_str());
            return command.on_rollback(undo.refused_on(format!("NotUndone{}", self.count).as_str()).attempts_max(2));
        }
        command.nothing_on_rollback()
    }
}

fn write(shapes: &[Shape], pivot_at: Option<usize>) -> Definition {
    write_ending(shapes, &[], "step", pivot_at)
}

/// The same with further steps at its end, whose names begin with another word.
fn write_ending(shapes: &[Shape], end: &[Shape], word: &'static str, pivot_at: Option<usize>) -> Definition {
    let mut writer = Writer { word: "step", count: 0, pivot_at, pivot_passed: false };
    let mut steps = writer.steps(shapes, Place::Top);
    writer.word = word;
    steps.extend(writer.steps(end, Place::Top));
    let definition = Definition::builder("random", 1).deadline(Duration::from_hours(1));
    let definition = steps.into_iter().fold(definition, |definition, step| definition.step(step));
    definition.build().unwrap_or_else(|error| panic!("{error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_definition_ends_whatever_goes_wrong(
        shapes in shapes(),
        pivot_at in proptest::option::of(1..6_usize),
        all in any::<bool>(),
        is_sub_saga in any::<bool>(),
        choices in vec(any::<u16>(), 0..30),
        unsendable in vec(any::<u16>(), 0..3),
    ) {
        let data = serde_json::json!({ "key": "key-1", "all": all });
        let specimen = Specimen::of(write(&shapes, pivot_at)).starting_with(data);
        let specimen = if is_sub_saga { specimen.as_sub_saga() } else { specimen };
        wander(&specimen, &Walk { choices, unsendable });
    }

    #[test]
    fn a_saga_that_moves_to_a_definition_with_another_end_keeps_the_laws(
        shapes in shapes(),
        ends in (shapes(), shapes()),
        pivot_at in proptest::option::of(1..6_usize),
        all in any::<bool>(),
        choices in vec(any::<u16>(), 0..30),
    ) {
        let data = serde_json::json!({ "key": "key-1", "all": all });
        let from = Specimen::of(write_ending(&shapes, &ends.0, "old", pivot_at)).starting_with(data);
        let to = from.under(write_ending(&shapes, &ends.1, "new", pivot_at));
        let story = wander_and_move(&from, &to, &Walk { choices, unsendable: Vec::new() });
        let mut facts = story.journal().iter().map(|event| serde_json::to_string(event).unwrap());
        let refused = facts.clone().any(|fact| fact.contains(r#""kind":"MoveRefused""#));
        assert!(!refused || facts.any(|fact| fact.contains("old-")), "refused, though only the common part was reached");
    }

    #[test]
    fn every_definition_reads_back_from_its_canonical_text(shapes in shapes(), pivot_at in proptest::option::of(1..6_usize)) {
        let definition = write(&shapes, pivot_at);
        let read = Definition::from_canonical_json(definition.to_canonical_json()).unwrap();
        assert_eq!(read.hash(), definition.hash());
    }
}
