//! From the written form to the running one: the validator.
//!
//! Separate because it is the only way to a `Definition`, for documents and the builder alike, and because it never
//! stops at the first problem: somebody correcting a document wants all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::canonical::{canonical_json, sha256_hex};
use super::plan::{self, Kept, Node, Step};
use super::problem::{DefinitionError, Problem};
use super::spec::RollbackSpec;
use super::spec::{BranchSpec, DefinitionSpec, GroupRollback, StepSpec, TriggerSpec};
use super::{BRANCHES_MAX, Definition, NESTING_MAX, STEPS_MAX};
use crate::expression::{Expression, Scope};
use crate::ids::{START_STEP, StepName};

/// Checks and compiles `spec`.
pub(super) fn compile(spec: DefinitionSpec) -> Result<Definition, DefinitionError> {
    let mut compiler = Compiler::new(&spec);
    compiler.heading();
    let triggers = compiler.triggers();
    let flow = compiler.sequence(&spec.steps, "steps", 0);
    compiler.untils();
    let Compiler { problems, mut steps, kept, .. } = compiler;
    if !problems.is_empty() {
        return Err(DefinitionError { problems });
    }
    for step in &mut steps {
        step.kept = kept.get(&step.name.identifier()).cloned().unwrap_or_default();
    }
    let by_name = steps.iter().enumerate().map(|(index, step)| (step.name.clone(), index)).collect();
    let value = serde_json::to_value(&spec).map_err(|error| DefinitionError {
        problems: vec![Problem::new("$", format!("the definition cannot be written as JSON: {error}"))],
    })?;
    let canonical = canonical_json(&value);
    let hash = sha256_hex(&canonical);
    Ok(Definition { spec, canonical, hash, triggers, steps, by_name, flow })
}

/// What is known while walking a definition from top to bottom.
pub(super) struct Compiler<'s> {
    pub(super) spec: &'s DefinitionSpec,
    pub(super) problems: Vec<Problem>,
    pub(super) steps: Vec<Step>,
    pub(super) kept: BTreeMap<String, Kept>,
    /// Identifiers of the steps certainly passed before the current one.
    pub(super) before: BTreeSet<String>,
    pub(super) pivot_passed: bool,
    pub(super) default_key: Option<Arc<Expression>>,
    /// `until` names, checked once all steps are known.
    pub(super) untils: Vec<(String, String)>,
}

impl<'s> Compiler<'s> {
    fn new(spec: &'s DefinitionSpec) -> Self {
        let first_key = spec.starts_on.first().and_then(|trigger| Expression::compile(&trigger.key).ok());
        Self {
            spec,
            problems: Vec::new(),
            steps: Vec::new(),
            kept: BTreeMap::new(),
            before: BTreeSet::new(),
            pivot_passed: false,
            default_key: first_key.map(Arc::new),
            untils: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn heading(&mut self) {
        if !is_name(&self.spec.saga) {
            self.problem("saga", format!("`{}` is no name: use small letters, digits and dashes", self.spec.saga));
        }
        if self.spec.version == 0 {
            self.problem("version", "versions count from 1");
        }
        if self.spec.deadline.is_some_and(|deadline| deadline.0.is_zero()) {
            self.problem("deadline", "a deadline of no time would end every saga at its start");
        }
        if self.spec.steps.is_empty() {
            self.problem("steps", "a saga needs at least one step");
        }
    }

    fn triggers(&mut self) -> Vec<plan::Trigger> {
        let triggers = self.spec.starts_on.iter().enumerate();
        triggers.filter_map(|(index, trigger)| self.trigger(trigger, &format!("starts_on[{index}]"))).collect()
    }

    fn trigger(&mut self, trigger: &TriggerSpec, path: &str) -> Option<plan::Trigger> {
        let event_only = Scope { event: true, ..Scope::default() };
        self.not_empty(&trigger.topic, &format!("{path}.topic"));
        self.not_empty(&trigger.event, &format!("{path}.event"));
        let when = self.optional_expression(trigger.when.as_deref(), &format!("{path}.when"), &event_only);
        let key = self.expression(&trigger.key, &format!("{path}.key"), &event_only);
        let rollback_path = format!("{path}.on_rollback");
        let compensation = match &trigger.on_rollback {
            None | Some(RollbackSpec::Nothing) => None,
            Some(RollbackSpec::Pivot) => {
                self.problem(rollback_path, "what starts a saga cannot be its point of no return");
                None
            }
            Some(RollbackSpec::Compensate(compensation)) => {
                self.compensation(compensation, None, &self.forward_scope(), &rollback_path)
            }
        };
        Some(plan::Trigger {
            topic: trigger.topic.clone(),
            event: trigger.event.clone(),
            when,
            key: key?,
            compensation,
        })
    }

    /// Compiles steps that run one after the other.
    pub(super) fn sequence(&mut self, steps: &[StepSpec], path: &str, depth: usize) -> Vec<Node> {
        let steps = steps.iter().enumerate();
        steps.filter_map(|(index, step)| self.node(step, &format!("{path}[{index}]"), depth)).collect()
    }

    fn node(&mut self, step: &StepSpec, path: &str, depth: usize) -> Option<Node> {
        match &step.parallel {
            Some(branches) => self.group(step, branches, path, depth),
            None => self.single(step, path, depth),
        }
    }

    fn single(&mut self, spec: &StepSpec, path: &str, depth: usize) -> Option<Node> {
        let name = self.step_name(spec, path);
        let step = self.step(spec, path, depth > 0);
        let (name, step) = (name?, step?);
        self.before.insert(name.identifier());
        self.steps.push(Step { name, ..step });
        Some(Node::Step(self.steps.len() - 1))
    }

    fn group(&mut self, spec: &StepSpec, branches: &[BranchSpec], path: &str, depth: usize) -> Option<Node> {
        self.only_these_fields(spec, path, "parallel group", &["name", "parallel", "roll_back"]);
        if branches.len() < 2 || branches.len() > BRANCHES_MAX {
            self.problem(format!("{path}.parallel"), format!("a group has 2 to {BRANCHES_MAX} branches"));
        }
        if depth >= NESTING_MAX {
            self.problem(format!("{path}.parallel"), format!("groups may be nested {NESTING_MAX} deep"));
            return None;
        }
        let outside = self.before.clone();
        let mut inside = outside.clone();
        let mut compiled = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let path = format!("{path}.parallel[{index}]");
            if branch.0.is_empty() {
                self.problem(path.as_str(), "a branch needs at least one step");
            }
            // Branches run beside each other: none may use what another one finds out.
            self.before.clone_from(&outside);
            compiled.push(self.sequence(&branch.0, &path, depth + 1));
            inside.extend(std::mem::take(&mut self.before));
        }
        self.before = inside;
        Some(Node::Group { branches: compiled, together: spec.roll_back == Some(GroupRollback::Together) })
    }

    fn step_name(&mut self, spec: &StepSpec, path: &str) -> Option<StepName> {
        let Some(name) = &spec.name else {
            self.problem(path, "a step needs a `name`");
            return None;
        };
        let path = format!("{path}.name");
        if !is_name(name) {
            self.problem(path, format!("`{name}` is no name: use small letters, digits and dashes"));
            return None;
        }
        if name == START_STEP {
            self.problem(path, format!("`{START_STEP}` is what step 0 is called"));
            return None;
        }
        if self.steps.iter().any(|step| step.name == **name) {
            self.problem(path, format!("another step is already called `{name}`"));
            return None;
        }
        if self.steps.len() >= STEPS_MAX {
            self.problem(path, format!("a definition has at most {STEPS_MAX} steps"));
            return None;
        }
        Some(StepName::from(name.as_str()))
    }

    fn untils(&mut self) {
        let known: Vec<String> = self.steps.iter().map(|step| step.name.to_string()).collect();
        for (path, name) in std::mem::take(&mut self.untils) {
            if !known.contains(&name) {
                let problem = Problem::new(path, format!("no step is called `{name}`"));
                self.problems.push(problem.word(name, known.clone()));
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    begins_well && text.len() <= 64 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
