//! A saga's story as lines people can read.
//!
//! Separate because transcripts are the tests' language: one line per thing the outside world notices.

use backstitch_saga::{Effect, Event, Fact};

/// The lines that an event and its effects add to a transcript.
pub(crate) fn lines(event: &Event, effects: &[Effect]) -> Vec<String> {
    let said = match &event.fact {
        Fact::StepQueued { step, participant, .. } => {
            Some(format!("{step} waits for its turn at {}", who(participant)))
        }
        Fact::StartRefused { reason } => Some(format!("start refused: {reason}")),
        Fact::CancelledBeforeStart { by } => Some(format!("refused: cancelled by {by}")),
        Fact::SagaPaused { by } => Some(format!("paused by {by}")),
        Fact::SagaResumed { by } => Some(format!("resumed by {by}")),
        Fact::SagaStuck { step, reason, .. } => Some(format!("stuck at {step}: {reason}")),
        Fact::SagaUnstuck { by: Some(by) } => Some(format!("set free by {by}")),
        Fact::SagaUnstuck { by: None } => Some("set free by a late answer".to_owned()),
        Fact::CancelRefused { reason, .. } => Some(format!("cancel refused: {reason}")),
        Fact::DefinitionMoved { version, by, .. } => Some(format!("moved to version {version} by {by}")),
        Fact::MoveRefused { reason, .. } => Some(format!("move refused: {reason}")),
        Fact::SagaDeadlinePassed {} => Some("the deadline passed".to_owned()),
        Fact::SagaCompleted {} => Some("completed".to_owned()),
        Fact::SagaRolledBack { reason } => Some(format!("rolled back: {reason}")),
        Fact::SagaAbandoned { by } => Some(format!("abandoned by {by}")),
        _ => None,
    };
    effects.iter().map(effect_line).chain(said).collect()
}

fn effect_line(effect: &Effect) -> String {
    match effect {
        Effect::Send(command) => format!("{} <- {}", who(&command.topic), command.command_type),
        Effect::Report(report) => {
            let reason = report.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} <- {}{reason}", report.parent.definition, report.answer.event_type())
        }
        Effect::Emit(emission) => format!("{} <- {}", emission.topic, emission.event_type),
    }
}

fn who(topic: &str) -> &str {
    topic.strip_suffix(".commands").unwrap_or(topic)
}

/// Compares a transcript with what a test expects; indentation and empty lines do not count.
///
/// # Panics
/// When they differ, showing both.
pub(crate) fn compare(actual: &[String], expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(
        actual == expected,
        "the story reads\n    {}\nand should read\n    {}\n",
        actual.join("\n    "),
        expected.join("\n    ")
    );
}
