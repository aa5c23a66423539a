//! A payload with expressions at its leaves.
//!
//! Separate because a payload is a tree: strings in it are expressions, other scalars stand for themselves.

use serde_json::{Map, Value};

use super::{EvaluationError, Expression, Facts};

/// A compiled payload.
#[derive(Debug)]
pub(crate) enum Template {
    /// Computed.
    Expression(Expression),
    /// Stands for itself.
    Literal(Value),
    /// A record of payloads.
    Object(Vec<(String, Template)>),
    /// A list of payloads.
    List(Vec<Template>),
}

/// An expression inside a payload that does not compile.
#[derive(Debug)]
pub(crate) struct TemplateError {
    /// Where, as in `.items[0]`.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl Template {
    /// Compiles a payload, reporting every expression that is wrong.
    pub(crate) fn compile(source: &Value) -> Result<Self, Vec<TemplateError>> {
        let mut errors = Vec::new();
        let template = Self::build(source, String::new(), &mut errors);
        if errors.is_empty() { Ok(template) } else { Err(errors) }
    }

    fn build(source: &Value, path: String, errors: &mut Vec<TemplateError>) -> Self {
        match source {
            Value::String(text) => match Expression::compile(text) {
                Ok(expression) => Self::Expression(expression),
                Err(message) => {
                    errors.push(TemplateError { path, message });
                    Self::Literal(Value::Null)
                }
            },
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::build(value, format!("{path}.{name}"), errors)))
                    .collect(),
            ),
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Self::build(value, format!("{path}[{index}]"), errors))
                    .collect(),
            ),
            literal @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Self::Literal(literal.clone()),
        }
    }

    /// Every expression with its place, as in `.order_id`.
    pub(crate) fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut found = Vec::new();
        self.collect(String::new(), &mut found);
        found
    }

    fn collect<'t>(&'t self, path: String, found: &mut Vec<(String, &'t Expression)>) {
        match self {
            Self::Expression(expression) => found.push((path, expression)),
            Self::Literal(_) => {}
            Self::Object(fields) => {
                fields.iter().for_each(|(name, value)| value.collect(format!("{path}.{name}"), found));
            }
            Self::List(items) => {
                items.iter().enumerate().for_each(|(index, value)| value.collect(format!("{path}[{index}]"), found));
            }
        }
    }

    /// The payload for these facts.
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Result<Value, EvaluationError> {
        match self {
            Self::Expression(expression) => expression.evaluate(facts),
            Self::Literal(value) => Ok(value.clone()),
            Self::Object(fields) => {
                let evaluated = fields.iter().map(|(name, value)| Ok((name.clone(), value.evaluate(facts)?)));
                evaluated.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            Self::List(items) => {
                items.iter().map(|item| item.evaluate(facts)).collect::<Result<_, _>>().map(Value::Array)
            }
        }
    }
}
