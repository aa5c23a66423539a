//! Events that two steps would claim while both are open.
//!
//! Separate because it looks at pairs of steps, and only at those that may be open at the same time: in different
//! branches of one group.

use super::Findings;
use crate::definition::plan::{Action, Ask, Node, Payload, Step, WaitSource};
use crate::definition::spec::{OtherwiseSpec, StepSpec};
use crate::definition::{Code, Definition, Problem};

/// A step that reads events, with its place in the document.
struct Reader<'d> {
    step: &'d Step,
    path: String,
}

/// Tells of every event that steps of different branches would claim.
pub(super) fn check(definition: &Definition, findings: &mut Findings) {
    let mut found = Vec::new();
    sequence(definition, definition.flow(), &definition.spec().steps, "steps", &mut found);
    found.into_iter().for_each(|problem| findings.add(problem));
}

/// Compares the branches of the groups in here; answers all steps in here that read events.
fn sequence<'d>(
    definition: &'d Definition,
    nodes: &'d [Node],
    specs: &[StepSpec],
    path: &str,
    found: &mut Vec<Problem>,
) -> Vec<Reader<'d>> {
    let mut readers = Vec::new();
    for (index, (node, spec)) in nodes.iter().zip(specs).enumerate() {
        let path = format!("{path}[{index}]");
        match node {
            Node::Step(index) => {
                readers.extend(definition.steps().get(*index).map(|step| Reader { step, path }));
            }
            Node::Group { branches, together: _ } => {
                let mut earlier: Vec<Reader<'d>> = Vec::new();
                let specs = spec.parallel.as_deref().unwrap_or_default();
                for (index, (branch, spec)) in branches.iter().zip(specs).enumerate() {
                    let path = format!("{path}.parallel[{index}]");
                    let here = sequence(definition, branch, &spec.0, &path, found);
                    for one in &earlier {
                        found.extend(here.iter().flat_map(|other| both_claim(one, other)));
                    }
                    earlier.extend(here);
                }
                readers.extend(earlier);
            }
            // Only one branch is taken: they claim nothing of each other.
            Node::Choice { step: _, branches, otherwise } => {
                let specs = spec.choice.as_deref().unwrap_or_default();
                for (index, (branch, spec)) in branches.iter().zip(specs).enumerate() {
                    let path = format!("{path}.choice[{index}].do");
                    readers.extend(sequence(definition, branch, &spec.steps.0, &path, found));
                }
                if let Some(OtherwiseSpec::Do(spec)) = &spec.otherwise {
                    let path = format!("{path}.otherwise");
                    readers.extend(sequence(definition, otherwise, &spec.0, &path, found));
                }
            }
            // Items' answers name the command that was sent for the item.
            Node::ForEach { step: _, body, together: _ } => {
                let steps = spec.for_each.as_ref().map(|each| each.steps.0.as_slice()).unwrap_or_default();
                readers.extend(sequence(definition, body, steps, &format!("{path}.for_each.do"), found));
            }
        }
    }
    readers
}

/// What a step reads.
enum Claim<'d> {
    Answers(&'d Ask),
    Awaits { topic: &'d str, event: &'d str, key: Option<&'d str>, when: Option<&'d str> },
    Nothing,
}

fn claim(step: &Step) -> Claim<'_> {
    match &step.action {
        Action::Command(command) => match &command.ask.payload {
            Payload::Written(_) => Claim::Answers(&command.ask),
            // Sagas name the command they answer.
            Payload::Start(_) | Payload::Cancel { .. } => Claim::Nothing,
        },
        Action::Wait(wait) => match &wait.source {
            WaitSource::Event { topic, event, key } => Claim::Awaits {
                topic,
                event: &event.event,
                key: key.as_ref().map(|key| key.source()),
                when: event.when.as_ref().map(|when| when.source()),
            },
            WaitSource::Signal(_) => Claim::Nothing,
        },
        // Nobody is asked, so no answer can be anybody else's.
        Action::Observe(_) | Action::Delay(_) | Action::Emit(_) | Action::Choice(_) | Action::ForEach(_) => {
            Claim::Nothing
        }
    }
}

fn both_claim(one: &Reader<'_>, other: &Reader<'_>) -> Vec<Problem> {
    let names = (&one.step.name, &other.step.name);
    match (claim(one.step), claim(other.step)) {
        (Claim::Answers(ask), Claim::Answers(other_ask)) => {
            let same_key = ask.key.as_ref().map(|key| key.source()) == other_ask.key.as_ref().map(|key| key.source());
            let shared = events(ask).into_iter().find(|event| events(other_ask).contains(event));
            let Some(event) = shared.filter(|_| ask.answers_on == other_ask.answers_on && same_key) else {
                return Vec::new();
            };
            let message = format!(
                "`{}` and `{}` both expect `{event}` while both are open: an answer that names no command is left \
                 to neither",
                names.0, names.1
            );
            vec![Problem::of(Code::ToldApartByCommand, &other.path, message)]
        }
        (Claim::Awaits { topic, event, key, when }, Claim::Awaits { topic: t, event: e, key: k, when: w }) => {
            if (topic, event, key, when) != (t, e, k, w) {
                return Vec::new();
            }
            let message = format!(
                "`{}` and `{}` wait for the same `{event}` at the same time, and only one of them gets it: tell them \
                 apart with `when`, or put them one after the other",
                names.0, names.1
            );
            vec![Problem::of(Code::ClaimedTwice, format!("{}.wait_for", other.path), message)]
        }
        (Claim::Answers(ask), Claim::Awaits { topic, event, key, .. }) => {
            mixed(ask, topic, event, key, &format!("{}.wait_for", other.path), names)
        }
        (Claim::Awaits { topic, event, key, .. }, Claim::Answers(ask)) => {
            mixed(ask, topic, event, key, &format!("{}.wait_for", one.path), (names.1, names.0))
        }
        (Claim::Nothing, _) | (_, Claim::Nothing) => Vec::new(),
    }
}

/// A step waits for what answers another: an event that names no command goes to the one that asked.
fn mixed(
    ask: &Ask,
    topic: &str,
    event: &str,
    key: Option<&str>,
    path: &str,
    (asker, waiter): (&crate::ids::StepName, &crate::ids::StepName),
) -> Vec<Problem> {
    let same_key = ask.key.as_ref().map(|key| key.source()) == key;
    if ask.answers_on != topic || !same_key || !events(ask).contains(&event) {
        return Vec::new();
    }
    let message = format!(
        "`{waiter}` waits for `{event}` while `{asker}` may be open, which takes it for its own answer: put them one \
         after the other"
    );
    vec![Problem::of(Code::ClaimedTwice, path, message)]
}

fn events(ask: &Ask) -> Vec<&str> {
    ask.done.iter().chain(&ask.refused).chain(&ask.retry).map(|event| event.event.as_str()).collect()
}
