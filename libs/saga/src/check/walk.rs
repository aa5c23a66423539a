//! The walk over a definition: every expression, payload, topic and message, each with the names its place has.
//!
//! Separate because it knows where things stand. It goes over the written and the compiled form side by side: the one
//! has the paths that people look for, the other the meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Findings;
use super::fit::misfits;
use super::infer::{Names, infer, not_null_where};
use super::messages::{Lookup, Named};
use super::operators::{Kind, may_be};
use super::shape::{Field, Record, Shape, Shapes};
use crate::definition::plan::{
    Action, Ask, Command, Emit, EventMatch, Node, Observed, Payload, Rollback, Step, SubSaga, Trigger, Wait, WaitSource,
};
use crate::definition::spec::{BranchSpec, CompensationSpec, RollbackSpec, StepSpec, TriggerSpec};
use crate::definition::{Code, Definition, Problem};
use crate::expression::{Expression, References, Template};

/// Checks every expression, payload, topic and message.
pub(super) fn check(definition: &Definition, shapes: &Shapes) -> Findings {
    let spec = definition.spec();
    let mut walk = Walk {
        lookup: Lookup::new(shapes),
        findings: Findings::default(),
        data: Shape::Any,
        results: BTreeMap::new(),
        guards: Vec::new(),
        item: None,
    };
    walk.triggers(definition.triggers(), &spec.starts_on);
    for (name, expression) in definition.search() {
        walk.expression(expression, &format!("search.{name}"), &Place::step());
    }
    walk.sequence(definition, definition.flow(), &spec.steps, "steps");
    if let Some(result) = definition.result_template() {
        walk.payload_shape(result, "result", &Place::step());
    }
    walk.findings
}

pub(super) struct Walk<'s> {
    lookup: Lookup<'s>,
    pub(super) findings: Findings,
    /// What `saga.data` is.
    data: Shape,
    /// What the steps so far leave, by the name that expressions have for them.
    pub(super) results: BTreeMap<String, StepResult>,
    /// The conditions under which the step at hand is reached, outermost first.
    pub(super) guards: Vec<Guard>,
    /// The item of the list that the step at hand is done for.
    pub(super) item: Option<Shape>,
}

/// What a step leaves for later ones.
#[derive(Clone)]
pub(super) struct StepResult {
    pub(super) shape: Shape,
    /// Why it may not be there, if it may not.
    pub(super) absent: Option<Absent>,
}

/// A step that may leave nothing.
#[derive(Clone, PartialEq)]
pub(super) enum Absent {
    /// It belongs to a branch of this choice (a step, by its index) that may not be taken.
    Branch(usize),
    /// It has this condition.
    Condition(String),
    /// The saga goes on without it after some time.
    Timeout,
}

/// What a condition makes certain.
pub(super) struct Guard {
    condition: String,
    references: References,
    not_null: Vec<Vec<String>>,
}

/// Where an expression stands: which names it has.
#[derive(Clone, Default)]
pub(super) struct Place {
    saga: bool,
    reason: bool,
    event: Option<Shape>,
}

impl Place {
    pub(super) const fn step() -> Self {
        Self { saga: true, reason: false, event: None }
    }

    const fn compensation() -> Self {
        Self { saga: true, reason: true, event: None }
    }

    fn event(shape: Shape) -> Self {
        Self { event: Some(shape), ..Self::default() }
    }

    fn with_event(&self, shape: Shape) -> Self {
        Self { event: Some(shape), ..self.clone() }
    }
}

impl Walk<'_> {
    fn triggers(&mut self, triggers: &[Trigger], specs: &[TriggerSpec]) {
        let mut starts = Vec::new();
        for (index, trigger) in triggers.iter().enumerate() {
            let path = format!("starts_on[{index}]");
            let event =
                self.event_shape(&trigger.topic, &format!("{path}.topic"), &trigger.event, &format!("{path}.event"));
            let place = Place::event(event.clone());
            self.condition(trigger.when.as_ref(), &format!("{path}.when"), &place);
            self.key(&trigger.key, &format!("{path}.key"), &place);
            starts.push(event);
        }
        for (index, (trigger, spec)) in triggers.iter().zip(specs).enumerate() {
            // What a trigger announced is undone only in sagas that it started.
            self.data = starts.get(index).cloned().unwrap_or(Shape::Any);
            if let (Some(ask), Some(RollbackSpec::Compensate(spec))) = (&trigger.compensation, &spec.on_rollback) {
                self.compensation(ask, spec, None, &format!("starts_on[{index}].on_rollback"));
            }
        }
        self.data = if starts.is_empty() { Shape::Any } else { Shape::one_of(starts) };
    }

    pub(super) fn sequence(&mut self, definition: &Definition, nodes: &[Node], specs: &[StepSpec], path: &str) {
        for (index, (node, spec)) in nodes.iter().zip(specs).enumerate() {
            let path = format!("{path}[{index}]");
            match node {
                Node::Step(index) => {
                    if let Some(step) = definition.steps().get(*index) {
                        self.step(step, spec, &path);
                    }
                }
                Node::Group { branches, together: _ } => {
                    let specs: &[BranchSpec] = spec.parallel.as_deref().unwrap_or_default();
                    for (index, (branch, spec)) in branches.iter().zip(specs).enumerate() {
                        self.sequence(definition, branch, &spec.0, &format!("{path}.parallel[{index}]"));
                    }
                }
                Node::Choice { step, branches, otherwise } => {
                    self.choice(definition, *step, (branches, otherwise), spec, &path);
                }
                Node::ForEach { step, body, together: _ } => self.for_each(definition, *step, body, spec, &path),
            }
        }
    }

    fn step(&mut self, step: &Step, spec: &StepSpec, path: &str) {
        self.condition(step.when.as_ref(), &format!("{path}.when"), &Place::step());
        let outside = self.guards.len();
        self.guards.extend(step.when.as_ref().map(guard));
        let mut absent = step.when.as_ref().map(|when| Absent::Condition(when.source().to_owned()));
        let shape = match &step.action {
            Action::Command(command) => self.command(command, spec, path),
            Action::Delay(_) | Action::Choice(_) | Action::ForEach(_) => Shape::Never,
            Action::Wait(wait) => {
                if wait.timeout.is_some() && wait.go_on {
                    absent = Some(Absent::Timeout);
                }
                self.wait(wait, &format!("{path}.wait_for"))
            }
            Action::Observe(observed) => self.observed(observed, path),
            Action::Emit(emit) => {
                self.emit(emit, &format!("{path}.emit"));
                Shape::Never
            }
        };
        self.guards.truncate(outside);
        self.results.insert(step.name.identifier(), StepResult { shape, absent });
    }

    fn command(&mut self, command: &Command, spec: &StepSpec, path: &str) -> Shape {
        if let Payload::Start(sub_saga) = &command.ask.payload {
            return self.sub_saga(sub_saga, &format!("{path}.sub_saga"));
        }
        let paths = AskPaths { topic: format!("{path}.ask"), command: format!("{path}.to"), all: path.to_owned() };
        let explicit_key = spec.key.is_some();
        let (done, everything) = self.ask(&command.ask, &paths, &Place::step());
        let mut answers = everything;
        for (index, undone) in command.undone.iter().enumerate() {
            let path = format!("{path}.undone_on[{index}]");
            let shape = self.event(&command.ask, &paths, &undone.event, &path, &Place::step());
            answers = answers.or(shape);
        }
        if let (true, Some(key)) = (explicit_key, &command.ask.key) {
            self.key(key, &format!("{path}.key"), &Place::event(answers));
        }
        match (&command.rollback, &spec.on_rollback) {
            (Rollback::Compensate(ask), Some(RollbackSpec::Compensate(spec))) => {
                self.compensation(ask, spec, Some(&command.ask), &format!("{path}.on_rollback"));
            }
            (Rollback::Compensate(_) | Rollback::Stop(_) | Rollback::Nothing | Rollback::Pivot, _) => {}
        }
        done
    }

    /// Another saga: what it is told is nobody's record, and what it answers is its own to say.
    fn sub_saga(&mut self, sub_saga: &SubSaga, path: &str) -> Shape {
        if let Some(key) = &sub_saga.key {
            self.key(key, &format!("{path}.key"), &Place::step());
        }
        self.payload_shape(&sub_saga.data, &format!("{path}.with"), &Place::step());
        Shape::Any
    }

    fn compensation(&mut self, ask: &Ask, spec: &CompensationSpec, forward: Option<&Ask>, path: &str) {
        let command = format!("{path}.compensate");
        let topic = if spec.to.is_some() { format!("{path}.to") } else { command.clone() };
        let paths = AskPaths { topic, command, all: path.to_owned() };
        // What the step says itself was looked at there.
        let is_shared = spec.with.is_none() && forward.is_some();
        if is_shared {
            let (shape, _) = self.quietly(|walk| walk.said(&ask.payload, path, &Place::compensation()));
            self.payload_fits(ask, &shape, &paths, &format!("{path}.with"));
            self.answers(ask, &paths, &Place::compensation());
        } else {
            self.ask(ask, &paths, &Place::compensation());
        }
    }

    /// A command and its answers: what it leaves when it is done, and everything that may answer it.
    fn ask(&mut self, ask: &Ask, paths: &AskPaths, place: &Place) -> (Shape, Shape) {
        let path = format!("{}.with", paths.all);
        let shape = self.said(&ask.payload, &path, place);
        self.payload_fits(ask, &shape, paths, &path);
        self.answers(ask, paths, place)
    }

    fn payload_fits(&mut self, ask: &Ask, shape: &Shape, paths: &AskPaths, path: &str) {
        let named = Named {
            topic: &ask.topic,
            topic_path: &paths.topic,
            message: &ask.command_type,
            message_path: &paths.command,
        };
        match self.lookup.written(named, 1) {
            Ok(record) => self.fit(shape, &record, path),
            Err(problem) => problem.into_iter().for_each(|problem| self.findings.add(problem)),
        }
    }

    fn answers(&mut self, ask: &Ask, paths: &AskPaths, place: &Place) -> (Shape, Shape) {
        let mut of = |events: &[EventMatch], list: &str| {
            let shapes = events
                .iter()
                .enumerate()
                .map(|(index, event)| self.event(ask, paths, event, &format!("{}.{list}[{index}]", paths.all), place));
            Shape::one_of(shapes.collect::<Vec<_>>())
        };
        let done = of(&ask.done, "done_on");
        let others = of(&ask.refused, "refused_on").or(of(&ask.retry, "retry_on"));
        (done.clone(), done.or(others))
    }

    fn event(&mut self, ask: &Ask, paths: &AskPaths, event: &EventMatch, path: &str, place: &Place) -> Shape {
        let shape = self.event_shape(&ask.answers_on, &paths.topic, &event.event, &format!("{path}.event"));
        self.condition(event.when.as_ref(), &format!("{path}.when"), &place.with_event(shape.clone()));
        shape
    }

    fn wait(&mut self, wait: &Wait, path: &str) -> Shape {
        match &wait.source {
            WaitSource::Signal(_) => Shape::Any,
            WaitSource::Event { topic, event, key } => {
                let shape = self.event_shape(topic, &format!("{path}.topic"), &event.event, &format!("{path}.event"));
                let place = Place::step().with_event(shape.clone());
                self.condition(event.when.as_ref(), &format!("{path}.when"), &place);
                if let Some(key) = key {
                    self.key(key, &format!("{path}.key"), &Place::event(shape.clone()));
                }
                shape
            }
        }
    }

    fn observed(&mut self, observed: &Observed, path: &str) -> Shape {
        let topic = format!("{path}.observe");
        let lists = [("done_on", &observed.done), ("refused_on", &observed.refused), ("undone_on", &observed.undone)];
        let mut done = Vec::new();
        for (list, events) in lists {
            for (index, event) in events.iter().enumerate() {
                let path = format!("{path}.{list}[{index}]");
                let shape = self.event_shape(&observed.topic, &topic, &event.event, &format!("{path}.event"));
                let place = Place::step().with_event(shape.clone());
                self.condition(event.when.as_ref(), &format!("{path}.when"), &place);
                if let Some(key) = &observed.key {
                    self.key(key, &format!("{path}.key"), &Place::event(shape.clone()));
                }
                if list == "done_on" {
                    done.push(shape);
                }
            }
        }
        Shape::one_of(done)
    }

    fn emit(&mut self, emit: &Emit, path: &str) {
        let with = format!("{path}.with");
        let shape = self.payload_shape(&emit.payload, &with, &Place::step());
        let (topic_path, message_path) = (format!("{path}.topic"), format!("{path}.event"));
        let named = Named {
            topic: &emit.topic,
            topic_path: &topic_path,
            message: &emit.event_type,
            message_path: &message_path,
        };
        match self.lookup.written(named, emit.event_version) {
            Ok(record) => self.fit(&shape, &record, &with),
            Err(problem) => problem.into_iter().for_each(|problem| self.findings.add(problem)),
        }
    }

    fn event_shape(&mut self, topic: &str, topic_path: &str, message: &str, message_path: &str) -> Shape {
        match self.lookup.read(Named { topic, topic_path, message, message_path }) {
            Ok(shape) => shape,
            Err(problem) => {
                problem.into_iter().for_each(|problem| self.findings.add(problem));
                Shape::Any
            }
        }
    }

    fn fit(&mut self, shape: &Shape, record: &Arc<Record>, path: &str) {
        for misfit in misfits(shape, &Shape::Record(Arc::clone(record))) {
            let problem = Problem::of(misfit.code, format!("{path}{}", misfit.path), misfit.message);
            self.findings.add(match misfit.wrong {
                Some(wrong) => problem.word(wrong, misfit.expected),
                None => problem,
            });
        }
    }

    fn said(&mut self, payload: &Payload, path: &str, place: &Place) -> Shape {
        match payload {
            Payload::Written(template) => self.payload_shape(template, path, place),
            Payload::Start(_) | Payload::Cancel { .. } => Shape::Any,
        }
    }

    fn payload_shape(&mut self, payload: &Template, path: &str, place: &Place) -> Shape {
        match payload {
            Template::Expression(expression) => self.expression(expression, path, place),
            Template::Literal(value) => Shape::of(value),
            Template::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| Field {
                    name: name.clone(),
                    shape: self.payload_shape(value, &format!("{path}.{name}"), place),
                    optional: false,
                });
                Shape::Record(Arc::new(Record { name: None, fields: fields.collect() }))
            }
            Template::List(items) => {
                let items = items.iter().enumerate();
                let shapes = items.map(|(index, item)| self.payload_shape(item, &format!("{path}[{index}]"), place));
                Shape::List(Arc::new(Shape::one_of(shapes.collect::<Vec<_>>())))
            }
        }
    }

    /// Looks without telling: what is found was told where it stands.
    fn quietly<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> (T, Findings) {
        let before = std::mem::take(&mut self.findings);
        let found = look(self);
        let told = std::mem::replace(&mut self.findings, before);
        (found, told)
    }

    /// Checks a condition; answers what it is, for a choice.
    pub(super) fn condition(&mut self, condition: Option<&Expression>, path: &str, place: &Place) -> Shape {
        let Some(condition) = condition else { return Shape::Bool };
        let shape = self.expression(condition, path, place);
        if !may_be(&shape, &[Kind::Bool]) {
            let message = format!("a condition is true or false, and this is {}", shape.describe());
            self.findings.add(Problem::of(Code::NoCondition, path, message));
        } else if shape == Shape::Exactly(serde_json::Value::Bool(false)) && !condition.references().ask_for_any() {
            let message = "this condition never holds, so what it stands before is never reached";
            self.findings.add(Problem::of(Code::Unreachable, path, message));
        }
        shape
    }

    fn key(&mut self, key: &Expression, path: &str, place: &Place) {
        let shape = self.expression(key, path, place);
        if !may_be(&shape, &[Kind::Text, Kind::Whole, Kind::Unsigned, Kind::Double]) {
            let message = format!("a key is a text or a number, and this is {}", shape.describe());
            self.findings.add(Problem::of(Code::NoKey, path, message));
        }
    }

    pub(super) fn expression(&mut self, expression: &Expression, path: &str, place: &Place) -> Shape {
        let (shape, remarks) = infer(expression, &self.names(place));
        for remark in remarks {
            let message = format!("in `{}`: {}", expression.source(), remark.message);
            let problem = Problem::of(remark.code, path, message);
            self.findings.add(match remark.wrong {
                Some(wrong) => problem.word(wrong, remark.expected),
                None => problem,
            });
        }
        self.absent_results(expression, path);
        shape
    }

    /// Results that may not be there, used without asking.
    fn absent_results(&mut self, expression: &Expression, path: &str) {
        let own = expression.references();
        let asked = |step: &str| {
            own.asks_for_step(step) || self.guards.iter().any(|guard| guard.references.asks_for_step(step))
        };
        let used = own.paths.iter().filter(|path| !path.only_presence).filter_map(|path| path.step());
        let mut warnings = Vec::new();
        for step in used {
            let Some(absent) = self.results.get(step).and_then(|result| result.absent.as_ref()) else { continue };
            let is_settled = match absent {
                Absent::Condition(condition) => self.guards.iter().any(|guard| guard.condition == *condition),
                // Whoever asks which branch was taken knows what is there.
                Absent::Branch(_) => {
                    let mut branches = self.results.iter().filter(|(_, other)| other.absent.as_ref() == Some(absent));
                    branches.any(|(name, _)| asked(name))
                }
                Absent::Timeout => false,
            };
            if !is_settled && !asked(step) {
                let message = format!("`steps.{step}` may have been skipped: ask `has(steps.{step})` first");
                warnings.push(Problem::of(Code::MayBeSkipped, path, message));
            }
        }
        warnings.into_iter().for_each(|warning| self.findings.add(warning));
    }

    fn names(&self, place: &Place) -> Names {
        let field = |name: &str, shape: Shape| Field { name: name.to_owned(), shape, optional: false };
        let record = |fields| Shape::Record(Arc::new(Record { name: None, fields }));
        let not_null = self.guards.iter().flat_map(|guard| guard.not_null.clone()).collect();
        let mut names = Names { shapes: Vec::new(), not_null };
        if place.saga {
            let mut saga = vec![field("id", Shape::Text), field("key", Shape::Text), field("data", self.data.clone())];
            if place.reason {
                saga.push(field("reason", Shape::Text));
            }
            names.shapes.push(("saga".to_owned(), record(saga)));
            let steps = self.results.iter().map(|(name, result)| field(name, result.shape.clone())).collect();
            names.shapes.push(("steps".to_owned(), record(steps)));
            if let Some(item) = &self.item {
                names.shapes.push(("item".to_owned(), item.clone()));
                names.shapes.push(("index".to_owned(), Shape::Long));
            }
        }
        if let Some(event) = &place.event {
            names.shapes.push(("event".to_owned(), event.clone()));
        }
        names
    }
}

pub(super) fn guard(when: &Expression) -> Guard {
    Guard { condition: when.source().to_owned(), references: when.references().clone(), not_null: not_null_where(when) }
}

/// Where the parts of a command stand in the document.
struct AskPaths {
    topic: String,
    command: String,
    all: String,
}
