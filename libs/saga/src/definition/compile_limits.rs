//! Compiling what participants bear.
//!
//! Separate because it is the only part of a definition that is about participants and not about steps.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Compiler;
use super::plan::Trigger;
use super::problem::Problem;
use super::spec::LimitsSpec;
use crate::participant::{Limits, Rate};
use crate::sub_saga;

impl Compiler<'_> {
    /// Limits by topic; checked once all steps are known.
    pub(super) fn limits(&mut self, triggers: &[Trigger]) -> BTreeMap<String, Limits> {
        let commands = self.steps.iter().filter_map(|step| step.action.command());
        let of_steps = commands.flat_map(|command| [Some(&command.ask), command.rollback.ask()]).flatten();
        let of_starts = triggers.iter().filter_map(|trigger| trigger.compensation.as_ref());
        let asked: BTreeSet<String> = of_steps.chain(of_starts).map(|ask| ask.topic.clone()).collect();
        let mut limits = BTreeMap::new();
        for (topic, spec) in &self.spec.participants {
            let path = format!("participants.{topic}");
            if topic == sub_saga::TOPIC {
                self.problem(
                    path.as_str(),
                    "sagas are no participant: a sub-saga that starts another might wait for the place it takes itself",
                );
            } else if !asked.contains(topic) {
                let problem = Problem::new(path.as_str(), format!("no step asks `{topic}`"));
                self.problems.push(problem.word(topic, asked.iter().cloned().collect()));
            }
            limits.insert(topic.clone(), self.limits_of(spec, &path));
        }
        limits
    }

    fn limits_of(&mut self, spec: &LimitsSpec, path: &str) -> Limits {
        let LimitsSpec { in_flight_max, rate_max } = *spec;
        if in_flight_max.is_none() && rate_max.is_none() {
            self.problem(path, "nothing is limited here: say `in_flight_max` or `rate_max`");
        }
        if in_flight_max == Some(0) {
            self.problem(format!("{path}.in_flight_max"), "where no command may be under way, no saga ever ends");
        }
        if rate_max.is_some_and(|Rate { max, per }| max == 0 || per.is_zero()) {
            self.problem(format!("{path}.rate_max"), "a rate is at least one command, in some time");
        }
        Limits { in_flight_max, rate_max }
    }
}
