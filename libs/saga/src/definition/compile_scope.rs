//! Compiling the expressions of a definition, each with the names its place allows.
//!
//! Separate because triggers, steps, answers and compensations all do this, each with another scope.

use std::sync::Arc;

use serde_json::Value;

use super::code::Code;
use super::compile::Compiler;
use super::plan::{EventMatch, Kept};
use super::problem::Problem;
use super::spec::EventSpec;
use crate::expression::{Expression, References, Scope, Template};

impl Compiler<'_> {
    /// What a step's payload and condition may use.
    pub(super) fn forward_scope(&self) -> Scope {
        Scope {
            saga: true,
            steps: self.before.clone(),
            lists: self.lists.clone(),
            item: self.each.is_some(),
            ..Scope::default()
        }
    }

    pub(super) fn expression(&mut self, source: &str, path: &str, scope: &Scope) -> Option<Expression> {
        match Expression::compile(source) {
            Ok(expression) => {
                self.references(expression.references(), path, scope);
                Some(expression)
            }
            Err(message) => {
                self.problems.push(Problem::of(Code::NoExpression, path, message));
                None
            }
        }
    }

    pub(super) fn optional_expression(
        &mut self,
        source: Option<&str>,
        path: &str,
        scope: &Scope,
    ) -> Option<Expression> {
        source.and_then(|source| self.expression(source, path, scope))
    }

    pub(super) fn template(&mut self, source: &Value, path: &str, scope: &Scope) -> Option<Template> {
        match Template::compile(source) {
            Ok(template) => {
                for (place, expression) in template.expressions() {
                    self.references(expression.references(), &format!("{path}{place}"), scope);
                }
                Some(template)
            }
            Err(errors) => {
                for error in errors {
                    let path = format!("{path}{}", error.path);
                    self.problems.push(Problem::of(Code::NoExpression, path, error.message));
                }
                None
            }
        }
    }

    /// The saga key inside an answer: the step's own expression, else the trigger's.
    pub(super) fn key(&mut self, source: Option<&str>, path: &str) -> Option<Arc<Expression>> {
        match source {
            None => self.default_key.clone(),
            Some(source) => {
                let event_only = Scope { event: true, ..Scope::default() };
                self.expression(source, path, &event_only).map(Arc::new)
            }
        }
    }

    pub(super) fn event(&mut self, spec: &EventSpec, path: &str, scope: &Scope) -> EventMatch {
        self.not_empty(&spec.event, &format!("{path}.event"));
        let scope = Scope { event: true, ..scope.clone() };
        let when = self.optional_expression(spec.when.as_deref(), &format!("{path}.when"), &scope);
        EventMatch { event: spec.event.clone(), when }
    }

    pub(super) fn not_empty(&mut self, text: &str, path: &str) {
        if text.trim().is_empty() {
            self.problem(path, "a name is missing here");
        }
    }

    fn references(&mut self, references: &References, path: &str, scope: &Scope) {
        for error in scope.check(references) {
            let is_own = scope.own.as_deref() == Some(error.wrong.as_str());
            let code = if is_own { Code::OwnResult } else { Code::UnknownName };
            self.problems.push(Problem::of(code, path, error.message).word(error.wrong, error.expected));
        }
        for reference in &references.paths {
            if let [root, step, rest @ ..] = reference.segments.as_slice()
                && root == "steps"
            {
                let kept = self.kept.entry(step.clone()).or_default();
                *kept = keep(std::mem::take(kept), rest.first(), reference.only_presence);
            }
        }
    }
}

/// What has to be kept of a result once `field` of it is used too.
fn keep(kept: Kept, field: Option<&String>, only_presence: bool) -> Kept {
    match (kept, field) {
        (Kept::Whole, _) => Kept::Whole,
        (Kept::Nothing, None) if only_presence => Kept::Fields(std::collections::BTreeSet::new()),
        (fields @ Kept::Fields(_), None) if only_presence => fields,
        (Kept::Nothing | Kept::Fields(_), None) => Kept::Whole,
        (Kept::Nothing, Some(field)) => Kept::Fields([field.clone()].into()),
        (Kept::Fields(mut fields), Some(field)) => {
            fields.insert(field.clone());
            Kept::Fields(fields)
        }
    }
}
