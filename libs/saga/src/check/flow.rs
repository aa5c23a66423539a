//! Checks of steps that decide which others are done, and how often.
//!
//! Separate because what they bring is what holds inside of them: a condition, an item, results that may not be there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::operators::items;
use super::shape::Shape;
use super::walk::{Absent, Place, StepResult, Walk, guard};
use crate::definition::plan::{Action, Node};
use crate::definition::spec::{OtherwiseSpec, StepSpec};
use crate::definition::{Code, Definition, Problem};

impl Walk<'_> {
    /// A choice: each branch is reached under its condition, and afterwards none is certain.
    pub(super) fn choice(
        &mut self,
        definition: &Definition,
        decides: usize,
        (branches, otherwise): (&[Vec<Node>], &[Node]),
        spec: &StepSpec,
        path: &str,
    ) {
        let Some(step) = definition.steps().get(decides) else { return };
        let Action::Choice(choice) = &step.action else { return };
        self.condition(step.when.as_ref(), &format!("{path}.when"), &Place::step());
        let outside = self.guards.len();
        self.guards.extend(step.when.as_ref().map(guard));
        let before = self.results.clone();
        let specs = spec.choice.as_deref().unwrap_or_default();
        let mut always = false;
        for (index, ((branch, spec), condition)) in branches.iter().zip(specs).zip(&choice.conditions).enumerate() {
            let path = format!("{path}.choice[{index}]");
            let holds = self.condition(Some(condition), &format!("{path}.when"), &Place::step());
            if always {
                let message = "never reached: a condition before it always holds";
                self.findings.add(Problem::of(Code::Unreachable, path.as_str(), message));
            }
            always |= holds == Shape::Exactly(Value::Bool(true));
            let inside = self.guards.len();
            self.guards.push(guard(condition));
            self.sequence(definition, branch, &spec.steps.0, &format!("{path}.do"));
            self.guards.truncate(inside);
            self.uncertain_since(&before, decides);
        }
        if let Some(OtherwiseSpec::Do(spec)) = &spec.otherwise {
            self.sequence(definition, otherwise, &spec.0, &format!("{path}.otherwise"));
            self.uncertain_since(&before, decides);
        }
        self.guards.truncate(outside);
    }

    /// Results that were not there before may not be there afterwards.
    fn uncertain_since(&mut self, before: &BTreeMap<String, StepResult>, choice: usize) {
        for (name, result) in &mut self.results {
            if !before.contains_key(name) {
                result.absent.get_or_insert(Absent::Branch(choice));
            }
        }
    }

    /// A list: inside, an item is at hand; outside, each result is a list of them.
    pub(super) fn for_each(
        &mut self,
        definition: &Definition,
        step: usize,
        body: &[Node],
        spec: &StepSpec,
        path: &str,
    ) {
        let Some(step) = definition.steps().get(step) else { return };
        let Action::ForEach(each) = &step.action else { return };
        self.condition(step.when.as_ref(), &format!("{path}.when"), &Place::step());
        let outside = self.guards.len();
        self.guards.extend(step.when.as_ref().map(guard));
        let list_path = format!("{path}.for_each.in");
        let list = self.expression(&each.list, &list_path, &Place::step());
        let is_list = |shape: &Shape| matches!(shape, Shape::List(_) | Shape::Any | Shape::Never);
        let item = if list.alternatives().iter().any(is_list) {
            let lists: Vec<Shape> = list.alternatives().iter().filter(|shape| is_list(shape)).cloned().collect();
            items(&Shape::one_of(lists)).unwrap_or(Shape::Any)
        } else {
            let message = format!("a list is wanted, and this is {}", list.describe());
            self.findings.add(Problem::of(Code::WrongType, list_path, message));
            Shape::Any
        };
        let before = self.results.clone();
        self.item = Some(item);
        let steps = spec.for_each.as_ref().map(|each| each.steps.0.as_slice()).unwrap_or_default();
        self.sequence(definition, body, steps, &format!("{path}.for_each.do"));
        self.item = None;
        self.guards.truncate(outside);
        for (name, result) in &mut self.results {
            if before.contains_key(name) {
                continue;
            }
            // What an item left out is told with the list, and not of it.
            let items = if result.absent.take().is_some() { Shape::Any } else { result.shape.clone() };
            result.shape = Shape::List(Arc::new(items));
            result.absent = step.when.as_ref().map(|when| Absent::Condition(when.source().to_owned()));
        }
    }
}
