//! CEL expressions, compiled once at load and evaluated against one saga's facts.
//!
//! Separate because the language's own types stay in here: definitions hold text, the engine sees JSON in and out.

mod condition;
mod facts;
mod inspect;
mod json;
mod scope;
mod template;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, IdedExpr, Program};
use serde_json::Value;

use condition::Condition;
pub(crate) use facts::{Facts, ItemFacts, SagaFacts};
pub(crate) use inspect::{References, plain_path};
pub(crate) use scope::Scope;
pub(crate) use template::Template;

/// The functions and operators every expression may use; building it is costly, so it is built once.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression.
pub(crate) struct Expression {
    source: String,
    code: Code,
    references: References,
}

/// How an expression is evaluated.
enum Code {
    /// A plain path such as `saga.data.order_id`, which most expressions are: read straight from the JSON.
    Path(Vec<String>),
    /// Anything else, with the shortcut that a simple condition has.
    Program(Program, Option<Box<Condition>>),
}

/// How an expression is written.
#[derive(Clone, Copy)]
pub(crate) enum Syntax<'e> {
    /// A plain path, root first.
    Path(&'e [String]),
    /// Anything else.
    Tree(&'e IdedExpr),
}

/// Why an expression could not be evaluated for this saga.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` could not be evaluated: {reason}")]
pub(crate) struct EvaluationError {
    pub(crate) expression: String,
    pub(crate) reason: String,
}

impl Expression {
    /// Compiles `source`; the answer is what is wrong with it, in words.
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        let program = ENVIRONMENT.compile(source).map_err(|errors| {
            let first = errors.errors.first().map(|error| (error.pos.1, error.msg.clone()));
            match first {
                Some((column, message)) => format!("`{source}` is no expression: {message} (at character {column})"),
                None => format!("`{source}` is no expression"),
            }
        })?;
        let references = References::of(program.expression());
        let code = match inspect::plain_path(program.expression()) {
            Some(path) => Code::Path(path),
            None => {
                let condition = Condition::of(program.expression()).map(Box::new);
                Code::Program(program, condition)
            }
        };
        Ok(Self { source: source.to_owned(), code, references })
    }

    /// The text it was compiled from.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Its syntax, for the checks.
    pub(crate) fn syntax(&self) -> Syntax<'_> {
        match &self.code {
            Code::Path(path) => Syntax::Path(path),
            Code::Program(program, _) => Syntax::Tree(program.expression()),
        }
    }

    /// What the expression reads.
    pub(crate) fn references(&self) -> &References {
        &self.references
    }

    /// The value for these facts.
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Result<Value, EvaluationError> {
        match &self.code {
            Code::Path(path) => {
                let found = facts.lookup(path.iter().map(String::as_str));
                found.map(std::borrow::Cow::into_owned).ok_or_else(|| self.error("it is not there".to_owned()))
            }
            Code::Program(program, condition) => {
                match condition.as_ref().and_then(|condition| condition.holds(facts)) {
                    Some(holds) => Ok(Value::Bool(holds)),
                    None => self.run(program, facts),
                }
            }
        }
    }

    fn run(&self, program: &Program, facts: &Facts<'_>) -> Result<Value, EvaluationError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(facts);
        let value = program.execute(&context).map_err(|error| self.error(error.to_string()))?;
        value.json().map_err(|error| self.error(error.to_string()))
    }

    /// Whether the expression holds; anything but true or false is an error.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        match self.evaluate(facts)? {
            Value::Bool(answer) => Ok(answer),
            other => Err(self.error(format!("{other} is neither true nor false"))),
        }
    }

    /// The value as a saga key: text as it is, numbers as written.
    pub(crate) fn key(&self, facts: &Facts<'_>) -> Result<String, EvaluationError> {
        match self.evaluate(facts)? {
            Value::String(text) if !text.is_empty() => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(self.error(format!("{other} cannot be a key"))),
        }
    }

    fn error(&self, reason: String) -> EvaluationError {
        EvaluationError { expression: self.source.clone(), reason }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

#[cfg(test)]
mod tests;
