//! What operators and functions take, and what they answer.
//!
//! Separate because these are tables of the expression language; how an expression is put together is told elsewhere.

use std::sync::Arc;

use serde_json::Value;

use super::shape::Shape;

/// How the expression language tells values apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Anything,
    Null,
    Bool,
    Whole,
    Unsigned,
    Double,
    Text,
    Bytes,
    Instant,
    Span,
    List,
    Object,
}

impl Kind {
    /// The kind of a single alternative.
    fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Any | Shape::Never | Shape::OneOf(_) => Self::Anything,
            Shape::Null | Shape::Exactly(Value::Null) => Self::Null,
            Shape::Bool | Shape::Exactly(Value::Bool(_)) => Self::Bool,
            Shape::Exactly(Value::Number(number)) if number.is_f64() => Self::Double,
            Shape::Int | Shape::Long | Shape::Exactly(Value::Number(_)) => Self::Whole,
            Shape::Unsigned => Self::Unsigned,
            Shape::Double => Self::Double,
            Shape::Text | Shape::Time | Shape::Symbols(_) | Shape::Exactly(Value::String(_)) => Self::Text,
            Shape::Bytes => Self::Bytes,
            Shape::Instant => Self::Instant,
            Shape::Span => Self::Span,
            Shape::List(_) | Shape::Exactly(Value::Array(_)) => Self::List,
            Shape::Map(_) | Shape::Record(_) | Shape::Exactly(Value::Object(_)) => Self::Object,
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Whole | Self::Unsigned | Self::Double)
    }
}

/// The kinds a value may have; null counts only where it is all there is, since a condition may have ruled it out.
pub(super) fn kinds(shape: &Shape) -> Vec<Kind> {
    let all: Vec<Kind> = shape.alternatives().iter().map(Kind::of).collect();
    let values: Vec<Kind> = all.iter().copied().filter(|kind| *kind != Kind::Null).collect();
    if values.is_empty() { all } else { values }
}

/// Whether a value of this shape may be one of these kinds.
pub(super) fn may_be(shape: &Shape, wanted: &[Kind]) -> bool {
    kinds(shape).iter().any(|kind| *kind == Kind::Anything || wanted.contains(kind))
}

/// Whether values of these shapes may be equal. Asking for null where it cannot come is caution, and no fault.
pub(super) fn may_equal(left: &Shape, right: &Shape) -> bool {
    let (left, right) = (present(left), present(right));
    pairs(&left, &right).any(|(left, right)| pair_may_equal(left, right))
}

/// Null is left out beside other alternatives, since a condition may have ruled it out.
fn present(shape: &Shape) -> Shape {
    if shape.may_be_null() { shape.not_null() } else { shape.clone() }
}

/// All pairs of alternatives.
fn pairs<'s>(left: &'s Shape, right: &'s Shape) -> impl Iterator<Item = (&'s Shape, &'s Shape)> {
    left.alternatives().iter().flat_map(move |one| right.alternatives().iter().map(move |other| (one, other)))
}

fn pair_may_equal(left: &Shape, right: &Shape) -> bool {
    match (left, right) {
        (Shape::Symbols(symbols), Shape::Exactly(Value::String(text)))
        | (Shape::Exactly(Value::String(text)), Shape::Symbols(symbols)) => symbols.contains(text),
        (Shape::Symbols(one), Shape::Symbols(other)) => one.iter().any(|symbol| other.contains(symbol)),
        (Shape::List(one), Shape::List(other)) => may_equal(one, other),
        _ => match (Kind::of(left), Kind::of(right)) {
            (Kind::Anything | Kind::Null, _) | (_, Kind::Anything) => true,
            (_, Kind::Null) => true,
            (one, other) if one.is_number() && other.is_number() => true,
            (one, other) => one == other,
        },
    }
}

/// Whether values of these shapes can be put in an order.
pub(super) fn may_be_ordered(left: &Shape, right: &Shape) -> bool {
    const ORDERED: [Kind; 5] = [Kind::Bool, Kind::Text, Kind::Bytes, Kind::Instant, Kind::Span];
    kinds(left).iter().any(|one| {
        kinds(right).iter().any(|other| match (one, other) {
            (Kind::Anything, Kind::Anything) => true,
            (Kind::Anything, known) | (known, Kind::Anything) => known.is_number() || ORDERED.contains(known),
            (one, other) => (one.is_number() && other.is_number()) || (one == other && ORDERED.contains(one)),
        })
    })
}

/// What `left OPERATOR right` is, for `+ - * / %`; `None` when it certainly fails.
pub(super) fn arithmetic(operator: char, left: &Shape, right: &Shape) -> Option<Shape> {
    let (left, right) = (present(left), present(right));
    let answers: Vec<Shape> = pairs(&left, &right).filter_map(|(one, other)| pair(operator, one, other)).collect();
    if answers.is_empty() { None } else { Some(Shape::one_of(answers)) }
}

fn pair(operator: char, left: &Shape, right: &Shape) -> Option<Shape> {
    use Kind::{Anything, Bytes, Double, Instant, List, Object, Span, Text, Unsigned, Whole};
    Some(match (operator, Kind::of(left), Kind::of(right)) {
        (_, Whole, Whole) => Shape::Long,
        (_, Unsigned, Unsigned) => Shape::Unsigned,
        ('+' | '-' | '*' | '/', Double, Double) => Shape::Double,
        ('+', Text, Text) => Shape::Text,
        ('+', Bytes, Bytes) => Shape::Bytes,
        ('+', List, List) => left.clone().or(right.clone()),
        // A record's names are added.
        ('+', List, Object) => left.clone().or(list_of(Shape::Text)),
        ('+' | '-', Instant, Span) | ('+', Span, Instant) => Shape::Instant,
        ('-', Instant, Instant) | ('+' | '-', Span, Span) => Shape::Span,
        (_, Anything, Anything) => Shape::Any,
        ('+', Anything, Object) => Shape::Any,
        (_, Anything, known) | (_, known, Anything) if takes(operator, known) => Shape::Any,
        _ => return None,
    })
}

const fn takes(operator: char, kind: Kind) -> bool {
    match kind {
        Kind::Anything | Kind::Whole | Kind::Unsigned => true,
        Kind::Double => operator != '%',
        Kind::Instant | Kind::Span => matches!(operator, '+' | '-'),
        Kind::Text | Kind::Bytes | Kind::List => operator == '+',
        Kind::Null | Kind::Bool | Kind::Object => false,
    }
}

/// A function: what its arguments may be, the one it is called on first, and what it answers.
pub(super) struct Function {
    pub(super) arguments: &'static [&'static [Kind]],
    pub(super) answers: Shape,
}

/// The function of that name; `None` for one that takes anything or is not known here.
pub(super) fn function(name: &str) -> Option<Function> {
    use Kind::{Bool, Bytes, Double, Instant, List, Object, Span, Text, Unsigned, Whole};
    let (arguments, answers): (&'static [&'static [Kind]], Shape) = match name {
        "size" => (&[&[Text, Bytes, List, Object]], Shape::Long),
        "contains" | "startsWith" | "endsWith" | "matches" => (&[&[Text], &[Text]], Shape::Bool),
        "string" => (&[&[Bool, Whole, Unsigned, Double, Text, Bytes, Instant, Span]], Shape::Text),
        "int" => (&[&[Whole, Unsigned, Double, Text, Instant]], Shape::Long),
        "uint" => (&[&[Whole, Unsigned, Double, Text]], Shape::Unsigned),
        "double" => (&[&[Whole, Unsigned, Double, Text]], Shape::Double),
        "bool" => (&[&[Bool, Text]], Shape::Bool),
        "bytes" => (&[&[Bytes, Text]], Shape::Bytes),
        "duration" => (&[&[Text, Span]], Shape::Span),
        "timestamp" => (&[&[Text, Instant, Whole]], Shape::Instant),
        "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => (&[&[Instant, Span]], Shape::Long),
        "getFullYear" | "getMonth" | "getDate" | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear" => {
            (&[&[Instant]], Shape::Long)
        }
        _ => return None,
    };
    Some(Function { arguments, answers })
}

/// What each item of something is, where it can be gone through; `None` where it cannot.
pub(super) fn items(shape: &Shape) -> Option<Shape> {
    let each = |shape: &Shape| match shape {
        Shape::List(items) => Some((**items).clone()),
        Shape::Map(_) | Shape::Record(_) => Some(Shape::Text),
        other => (Kind::of(other) == Kind::Anything).then_some(Shape::Any),
    };
    let found: Vec<Shape> = shape.alternatives().iter().filter_map(each).collect();
    if found.is_empty() { None } else { Some(Shape::one_of(found)) }
}

/// A list of such items.
pub(super) fn list_of(items: Shape) -> Shape {
    Shape::List(Arc::new(items))
}
