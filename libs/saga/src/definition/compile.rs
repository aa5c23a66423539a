//! From the written form to the running one: the validator.
//!
//! Separate because it is the only way to a `Definition`, for documents and the builder alike, and because it never
//! stops at the first problem: somebody correcting a document wants all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::OnceLock;

use super::canonical::{canonical_json, sha256_hex};
use super::plan::{self, Action, Kept, Node, Step};
use super::problem::{DefinitionError, Problem};
use super::spec::RollbackSpec;
use super::spec::{BranchSpec, DefinitionSpec, GroupRollback, StepSpec, TriggerSpec};
use super::together::SubSagaUse;
use super::{BRANCHES_MAX, Definition, NESTING_MAX, SEARCH_MAX, STEPS_MAX};
use crate::expression::{Expression, Scope, Template};
use crate::ids::{RESULT_STEP, START_STEP, StepName};

/// Checks and compiles `spec`.
pub(super) fn compile(spec: DefinitionSpec) -> Result<Definition, DefinitionError> {
    let mut compiler = Compiler::new(&spec);
    compiler.heading();
    compiler.observing();
    let triggers = compiler.triggers();
    let search = compiler.search();
    let flow = compiler.sequence(&spec.steps, "steps", Place::TOP);
    let result = compiler.result();
    compiler.untils();
    let limits = compiler.limits(&triggers);
    let Compiler { problems, mut steps, kept, sub_sagas, .. } = compiler;
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
    Ok(Definition {
        spec,
        canonical,
        hash,
        triggers,
        search,
        steps,
        by_name,
        flow,
        result,
        sub_sagas,
        limits,
        readers: OnceLock::new(),
    })
}

/// Where in the flow something stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// How many groups, choices and lists are around it.
    pub(super) depth: usize,
    /// What is around it that runs beside other things, in words.
    pub(super) beside: Option<&'static str>,
}

impl Place {
    const TOP: Self = Self { depth: 0, beside: None };

    pub(super) fn inside(self, beside: Option<&'static str>) -> Self {
        Self { depth: self.depth + 1, beside: self.beside.or(beside) }
    }
}

/// What is known while walking a definition from top to bottom.
pub(super) struct Compiler<'s> {
    pub(super) spec: &'s DefinitionSpec,
    pub(super) problems: Vec<Problem>,
    pub(super) steps: Vec<Step>,
    pub(super) kept: BTreeMap<String, Kept>,
    /// Identifiers of the steps certainly passed before the current one.
    pub(super) before: BTreeSet<String>,
    /// Those among them that were done for each item of a list that is behind.
    pub(super) lists: BTreeSet<String>,
    /// The `for_each` being compiled.
    pub(super) each: Option<StepName>,
    pub(super) pivot_passed: bool,
    pub(super) default_key: Option<Arc<Expression>>,
    /// The sagas that steps start, and where they say so.
    pub(super) sub_sagas: Vec<SubSagaUse>,
    /// `until` names, checked once all steps are known.
    pub(super) untils: Vec<Until>,
}

/// An `until`, where it stands, and the `for_each` around it.
pub(super) struct Until {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) each: Option<StepName>,
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
            lists: BTreeSet::new(),
            each: None,
            pivot_passed: false,
            default_key: first_key.map(Arc::new),
            sub_sagas: Vec::new(),
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
            Some(RollbackSpec::RollBack) => {
                self.problem(rollback_path, "no sub-saga is rolled back here: say which command to `compensate` with");
                None
            }
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
            key: Arc::new(key?),
            compensation,
            undone: self.events(&trigger.undone_on, &format!("{path}.undone_on"), &event_only),
        })
    }

    /// What is known at the end.
    fn result(&mut self) -> Option<Template> {
        let source = self.spec.result.as_ref()?;
        if self.steps.iter().any(|step| step.name.as_str() == RESULT_STEP) {
            self.problem("result", format!("a step is called `{RESULT_STEP}` already"));
        }
        self.template(source, "result", &self.forward_scope())
    }

    fn search(&mut self) -> BTreeMap<String, Expression> {
        if self.spec.search.len() > SEARCH_MAX {
            self.problem("search", format!("a saga is found by {SEARCH_MAX} attributes at most"));
        }
        let mut compiled = BTreeMap::new();
        for (name, source) in &self.spec.search {
            let path = format!("search.{name}");
            if !is_name(name) {
                self.problem(path.as_str(), format!("`{name}` is no name: use small letters, digits and dashes"));
            }
            if let Some(expression) = self.expression(source, &path, &self.forward_scope()) {
                compiled.insert(name.clone(), expression);
            }
        }
        compiled
    }

    /// Compiles steps that run one after the other.
    pub(super) fn sequence(&mut self, steps: &[StepSpec], path: &str, place: Place) -> Vec<Node> {
        let steps = steps.iter().enumerate();
        steps.filter_map(|(index, step)| self.node(step, &format!("{path}[{index}]"), place)).collect()
    }

    fn node(&mut self, step: &StepSpec, path: &str, place: Place) -> Option<Node> {
        if let Some(branches) = &step.parallel {
            return self.group(step, branches, path, place);
        }
        if let Some(branches) = &step.choice {
            return self.choice(step, branches, path, place);
        }
        match &step.for_each {
            Some(each) => self.for_each(step, each, path, place),
            None => self.single(step, path, place),
        }
    }

    fn single(&mut self, spec: &StepSpec, path: &str, place: Place) -> Option<Node> {
        let name = self.step_name(spec, path);
        let step = self.step(spec, path, place);
        let (name, step) = (name?, step?);
        self.before.insert(name.identifier());
        self.steps.push(Step { name, ..step });
        Some(Node::Step(self.steps.len() - 1))
    }

    fn group(&mut self, spec: &StepSpec, branches: &[BranchSpec], path: &str, place: Place) -> Option<Node> {
        self.only_these_fields(spec, path, "parallel group", &["name", "parallel", "roll_back"]);
        if branches.len() < 2 || branches.len() > BRANCHES_MAX {
            self.problem(format!("{path}.parallel"), format!("a group has 2 to {BRANCHES_MAX} branches"));
        }
        if !self.not_too_deep(place, &format!("{path}.parallel")) {
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
            compiled.push(self.sequence(&branch.0, &path, place.inside(Some("a parallel group"))));
            inside.extend(std::mem::take(&mut self.before));
        }
        self.before = inside;
        Some(Node::Group { branches: compiled, together: spec.roll_back == Some(GroupRollback::Together) })
    }

    pub(super) fn not_too_deep(&mut self, place: Place, path: &str) -> bool {
        if place.depth >= NESTING_MAX {
            self.problem(path, format!("groups may be nested {NESTING_MAX} deep"));
        }
        place.depth < NESTING_MAX
    }

    pub(super) fn step_name(&mut self, spec: &StepSpec, path: &str) -> Option<StepName> {
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
        for Until { path, name, each } in std::mem::take(&mut self.untils) {
            let done = |step: &&Step| !matches!(step.action, Action::Choice(_) | Action::ForEach(_));
            let known: Vec<&Step> = self.steps.iter().filter(done).collect();
            match known.iter().find(|step| step.name == *name) {
                None => {
                    let known = known.iter().map(|step| step.name.to_string()).collect();
                    let problem = Problem::new(path, format!("no step is called `{name}`"));
                    self.problems.push(problem.word(name, known));
                }
                Some(step) if step.each.is_some() && step.each != each => {
                    self.problem(path, format!("`{name}` is done for each item of a list: say a step outside of it"));
                }
                Some(_) => {}
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    begins_well && text.len() <= 64 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
