//! The words in a picture.
//!
//! Separate so that both kinds of picture say the same.

use backstitch_saga::definition::sketch::{Does, StepSketch, Undo};

/// What a step does, in a line or two below its name.
pub(crate) fn lines(step: &StepSketch) -> Vec<String> {
    let mut lines = match &step.does {
        Does::Ask { command, topic, timeout, attempts_max, .. } => {
            vec![format!("asks {command}"), format!("{topic} · {attempts_max} × {timeout}")]
        }
        Does::Start { definition, timeout } => {
            vec![format!("starts {definition}"), format!("sub-saga · up to {timeout}")]
        }
        Does::Delay(delay) => vec![format!("lets {delay} pass")],
        Does::Wait { what, topic, timeout, .. } => {
            let from = topic.as_ref().map_or_else(|| "signal".to_owned(), Clone::clone);
            let time = timeout.map_or_else(String::new, |timeout| format!(" · up to {timeout}"));
            vec![format!("waits for {what}"), format!("{from}{time}")]
        }
        Does::Observe { topic, timeout, .. } => {
            let time = timeout.map_or_else(String::new, |timeout| format!(" · told after {timeout}"));
            vec!["is observed".to_owned(), format!("{topic}{time}")]
        }
        Does::Emit { event, topic } => vec![format!("tells {event}"), topic.clone()],
    };
    if let Some(when) = &step.when {
        lines.push(format!("if {when}"));
    }
    lines
}

/// Which answers lead on.
pub(crate) fn done(step: &StepSketch) -> String {
    match &step.does {
        Does::Ask { answers, .. } | Does::Observe { answers, .. } => answers.done.join(" | "),
        Does::Start { .. } => "completed".to_owned(),
        Does::Wait { timeout: Some(_), goes_on: true, .. } => "came, or not in time".to_owned(),
        Does::Wait { .. } => "came".to_owned(),
        Does::Delay(_) | Does::Emit { .. } => String::new(),
    }
}

/// Which answers lead back to what came before.
pub(crate) fn refused(step: &StepSketch) -> Option<String> {
    match &step.does {
        Does::Ask { answers, .. } | Does::Observe { answers, .. } if !answers.refused.is_empty() => {
            Some(answers.refused.join(" | "))
        }
        Does::Start { .. } => Some("rolled back".to_owned()),
        Does::Wait { timeout: Some(timeout), goes_on: false, .. } => Some(format!("not in {timeout}")),
        Does::Ask { .. } | Does::Observe { .. } | Does::Wait { .. } | Does::Delay(_) | Does::Emit { .. } => None,
    }
}

/// Events that take the finished step back.
pub(crate) fn taken_back(step: &StepSketch) -> Option<String> {
    match &step.does {
        Does::Ask { taken_back_on: events, .. } | Does::Observe { undone_on: events, .. } if !events.is_empty() => {
            Some(events.join(" | "))
        }
        Does::Ask { .. }
        | Does::Observe { .. }
        | Does::Start { .. }
        | Does::Wait { .. }
        | Does::Delay(_)
        | Does::Emit { .. } => None,
    }
}

/// Whether a step may fall silent: then it may have happened.
pub(crate) const fn may_fall_silent(step: &StepSketch) -> bool {
    matches!(step.does, Does::Ask { .. } | Does::Start { .. })
}

/// What is special about a group.
pub(crate) const fn group(together: bool) -> &'static str {
    if together {
        "all of these; if one fails, all are undone side by side"
    } else {
        "all of these; if one fails, all are undone one by one, the latest first"
    }
}

/// What stands over a choice.
pub(crate) fn choice(name: &str, when: Option<&String>) -> String {
    format!("{name}: the first that holds{}", condition(when))
}

/// What stands over a list.
pub(crate) fn for_each(name: &str, when: Option<&String>, list: &str, at_once: usize, together: bool) -> String {
    let undone = if together { "undone as many at once" } else { "undone one by one" };
    format!("{name}: for each in {list}{}; {at_once} at once, {undone}", condition(when))
}

fn condition(when: Option<&String>) -> String {
    when.map_or_else(String::new, |when| format!(", if {when}"))
}

/// The lines of what undoes something.
pub(crate) fn undo(undo: &Undo) -> [String; 2] {
    [undo.command.clone(), undo.topic.clone()]
}
