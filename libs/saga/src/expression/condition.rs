//! Conditions that only compare texts and ask what is there, as most do: answered from the JSON as it lies.
//!
//! Separate because it is a shortcut and no second meaning: whatever it is not sure of, the expression language answers,
//! whose values are copies of all that an expression names. A law compares the two.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use serde_json::Value;

use super::Facts;
use super::inspect::plain_path;

/// A condition of the simple kind.
pub(super) enum Condition {
    Either(Box<Self>, Box<Self>),
    Both(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// `has(of.field)`
    Has {
        of: Vec<String>,
        field: String,
    },
    /// `path == literal`
    Equals {
        path: Vec<String>,
        literal: Value,
    },
    /// A path whose value is true or false.
    Path(Vec<String>),
}

impl Condition {
    /// The condition, if the expression is one of the simple kind.
    pub(super) fn of(expression: &IdedExpr) -> Option<Self> {
        match &expression.expr {
            Expr::Call(call) if call.target.is_none() => {
                let both = |sides: &[IdedExpr]| match sides {
                    [left, right] => Some((Box::new(Self::of(left)?), Box::new(Self::of(right)?))),
                    _ => None,
                };
                match (call.func_name.as_str(), call.args.as_slice()) {
                    (operators::LOGICAL_OR, sides) => both(sides).map(|(left, right)| Self::Either(left, right)),
                    (operators::LOGICAL_AND, sides) => both(sides).map(|(left, right)| Self::Both(left, right)),
                    (operators::LOGICAL_NOT, [inner]) => Some(Self::Not(Box::new(Self::of(inner)?))),
                    (operators::EQUALS, [path, literal]) => {
                        Some(Self::Equals { path: plain_path(path)?, literal: text_of(literal)? })
                    }
                    _ => None,
                }
            }
            Expr::Select(select) if select.test => {
                Some(Self::Has { of: plain_path(&select.operand)?, field: select.field.clone() })
            }
            _ => plain_path(expression).map(Self::Path),
        }
    }

    /// Whether it holds; `None` when only the expression language can tell.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        let at = |path: &[String]| facts.lookup(path.iter().map(String::as_str));
        match self {
            Self::Either(left, right) => Some(left.holds(facts)? || right.holds(facts)?),
            Self::Both(left, right) => Some(left.holds(facts)? && right.holds(facts)?),
            Self::Not(inner) => inner.holds(facts).map(|holds| !holds),
            Self::Has { of, field } => Some(at(of)?.as_object()?.contains_key(field)),
            Self::Equals { path, literal } => match &*at(path)? {
                found @ (Value::Null | Value::String(_)) => Some(found == literal),
                _ => None,
            },
            Self::Path(path) => at(path)?.as_bool(),
        }
    }
}

/// The text, or `null`, that stands there.
fn text_of(expression: &IdedExpr) -> Option<Value> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Null) => Some(Value::Null),
        Expr::Literal(LiteralValue::String(text)) => Some(Value::from(text.inner())),
        _ => None,
    }
}
