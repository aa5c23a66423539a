//! What stands against a saga's going on under another definition, in words for people.
//!
//! Separate because these are read by whoever writes the next version: each says what to change.

use crate::ids::StepName;

/// Why a saga cannot go on under another definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// There is no such definition, or whoever decides about the saga does not know it.
    #[error("no definition with the hash `{hash}` is known to the orchestrator that runs this saga")]
    Unknown {
        /// Its hash.
        hash: String,
    },
    /// A saga's id is made of its definition's name.
    #[error("it is a saga of `{from}` and cannot become one of `{to}`")]
    OtherName {
        /// The saga's definition.
        from: String,
        /// The other.
        to: String,
    },
    /// Only what lives can go on.
    #[error("the saga is {}", status.replace('_', " "))]
    NotLive {
        /// Its status.
        status: &'static str,
    },
    /// A step that was passed, is under way, or is stuck.
    #[error("there is no step `{step}`, which the saga has come to")]
    StepGone {
        /// The step.
        step: StepName,
    },
    /// It was a command, say, and is a delay.
    #[error("`{step}` is {after}, and was {before}")]
    OtherKind {
        /// The step.
        step: StepName,
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// Somebody else was asked, or for something else.
    #[error("`{step}` is {after}, and the saga has sent {before}")]
    OtherCommand {
        /// The step.
        step: StepName,
        /// What was sent.
        before: String,
        /// What it says now.
        after: String,
    },
    /// What was done would be undone in another way than was foreseen when it was done.
    #[error("`{step}` would be undone by {after}, and was done to be undone by {before}")]
    OtherUndoing {
        /// The step.
        step: StepName,
        /// How it was to be undone.
        before: String,
        /// How it would be undone.
        after: String,
    },
    /// The answer may be on its way.
    #[error("`{step}` does not expect `{event}` on `{topic}`, which may be on its way")]
    AnswerLost {
        /// The step under way.
        step: StepName,
        /// The event.
        event: String,
        /// Where it would come.
        topic: String,
    },
    /// It waits, or something has come for it, and it would wait for something else.
    #[error("`{step}` waits for {after}, and has waited for {before}")]
    OtherSource {
        /// The step.
        step: StepName,
        /// What it waited for.
        before: String,
        /// What it would wait for.
        after: String,
    },
    /// The branch that was taken is not there.
    #[error("`{step}` has no branch {}, which the saga has taken", branch + 1)]
    BranchGone {
        /// The step that chose.
        step: StepName,
        /// The branch, from 0.
        branch: u32,
    },
    /// Something was not thought to be needed, and so was not kept.
    #[error("{what} of the result of `{step}` would be used, and was not kept when it came")]
    ResultNotKept {
        /// The step.
        step: StepName,
        /// What of it.
        what: String,
    },
    /// Something that was never done would have to come first, or the way the saga has taken does not come by.
    #[error("{}", out_of_place(step, behind))]
    OutOfPlace {
        /// A step that the saga has come to.
        step: StepName,
        /// What would have to be done first.
        behind: Vec<StepName>,
    },
}

fn out_of_place(step: &StepName, behind: &[StepName]) -> String {
    if behind.is_empty() {
        return format!("`{step}` is not on the way that the saga has taken");
    }
    let behind: Vec<String> = behind.iter().map(|step| format!("`{step}`")).collect();
    format!("`{step}` comes after {}, which the saga has not done", behind.join(" and "))
}
