//! Whether a value fits a record that a schema asks for.
//!
//! Separate because this is the rule of the wire: what the encoder would refuse for certain is refused here first.

use serde_json::Value;

use super::shape::{Record, Shape, is_time};
use crate::definition::Code;

/// Something that does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Where in the value, as in `.items[].quantity`.
    pub(super) path: String,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) wrong: Option<String>,
    pub(super) expected: Vec<String>,
}

impl Misfit {
    fn new(code: Code, path: &str, message: String) -> Self {
        Self { path: path.to_owned(), code, message, wrong: None, expected: Vec::new() }
    }
}

/// Everything about `given` that does not fit `wanted`. Where it only may not fit, there is nothing to say, but for
/// null, which is told as a warning.
pub(super) fn misfits(given: &Shape, wanted: &Shape) -> Vec<Misfit> {
    let mut found = Vec::new();
    check(given, wanted, "", &mut found);
    found
}

fn fits(given: &Shape, wanted: &Shape) -> bool {
    let mut found = Vec::new();
    check(given, wanted, "", &mut found);
    found.iter().all(|misfit| misfit.code.is_warning())
}

fn check(given: &Shape, wanted: &Shape, path: &str, found: &mut Vec<Misfit>) {
    match (given, wanted) {
        (Shape::Any | Shape::Never, _) | (_, Shape::Any) => {}
        (given, wanted) if given == wanted => {}
        (Shape::OneOf(_), _) => check_alternatives(given, wanted, path, found),
        (_, Shape::OneOf(_)) => check_choices(given, wanted, path, found),
        (Shape::Record(given), Shape::Record(wanted)) => check_record(given, wanted, path, found),
        (Shape::Record(given), Shape::Map(values)) => {
            for field in &given.fields {
                check(&field.shape, values, &format!("{path}.{}", field.name), found);
            }
        }
        (Shape::Map(given), Shape::Map(wanted)) => check(given, wanted, path, found),
        (Shape::List(given), Shape::List(wanted)) => check(given, wanted, &format!("{path}[]"), found),
        // Which names it has is only known once it is there.
        (Shape::Map(_), Shape::Record(_)) => {}
        (given, wanted) if scalar_fits(given, wanted) => {}
        (given, wanted) => found.push(misfit(given, wanted, path)),
    }
}

/// One of several is given: a fault only if none of them fits.
fn check_alternatives(given: &Shape, wanted: &Shape, path: &str, found: &mut Vec<Misfit>) {
    if given.may_be_null() && !fits(&Shape::Null, wanted) {
        let words = wanted.describe();
        let message = format!("this may be null, and {words} is wanted: such a saga would be stuck here");
        found.push(Misfit::new(Code::MayBeNull, path, message));
    }
    let present = if given.may_be_null() { given.not_null() } else { given.clone() };
    match present.alternatives() {
        [one] => check(one, wanted, path, found),
        several if several.iter().any(|one| fits(one, wanted)) => {}
        _ => found.push(misfit(&present, wanted, path)),
    }
}

/// One of several is wanted: a fault only if it is none of them. With one beside null, its own fault is worth telling.
fn check_choices(given: &Shape, wanted: &Shape, path: &str, found: &mut Vec<Misfit>) {
    if wanted.alternatives().iter().any(|one| fits(given, one)) {
        return;
    }
    match wanted.not_null() {
        Shape::OneOf(_) | Shape::Never => found.push(misfit(given, wanted, path)),
        one if matches!(given, Shape::Record(_) | Shape::List(_) | Shape::Map(_)) => check(given, &one, path, found),
        _ => found.push(misfit(given, wanted, path)),
    }
}

fn check_record(given: &Record, wanted: &Record, path: &str, found: &mut Vec<Misfit>) {
    let name = wanted.name.as_deref().unwrap_or("the record");
    for field in &given.fields {
        let path = format!("{path}.{}", field.name);
        match wanted.field(&field.name) {
            Some(wanted) => check(&field.shape, &wanted.shape, &path, found),
            None => found.push(Misfit {
                wrong: Some(field.name.clone()),
                expected: wanted.names(),
                ..Misfit::new(Code::FieldUnknown, &path, format!("`{name}` has no field `{}`", field.name))
            }),
        }
    }
    for field in wanted.fields.iter().filter(|field| !field.optional && given.field(&field.name).is_none()) {
        let words = field.shape.describe();
        let message = format!("`{}` is missing: `{name}` wants {words} there", field.name);
        found.push(Misfit::new(Code::FieldMissing, path, message));
    }
}

fn misfit(given: &Shape, wanted: &Shape, path: &str) -> Misfit {
    let (given_words, wanted_words) = (given.describe(), wanted.describe());
    let (wrong, expected) = match (given, wanted) {
        (Shape::Exactly(Value::String(text)), Shape::Symbols(symbols)) => (Some(text.clone()), symbols.to_vec()),
        _ => (None, Vec::new()),
    };
    let message = format!("{wanted_words} is wanted, and this is {given_words}");
    Misfit { wrong, expected, ..Misfit::new(Code::FieldMisfit, path, message) }
}

/// Values without parts, as the encoder takes them.
fn scalar_fits(given: &Shape, wanted: &Shape) -> bool {
    match (wanted, given) {
        (Shape::Null, given) => matches!(given, Shape::Null),
        (Shape::Bool, given) => matches!(given, Shape::Bool | Shape::Exactly(Value::Bool(_))),
        (Shape::Int, Shape::Exactly(Value::Number(number))) => {
            number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        (Shape::Long, Shape::Exactly(Value::Number(number))) => number.as_i64().is_some(),
        (Shape::Int | Shape::Long, given) => {
            matches!(given, Shape::Int | Shape::Long | Shape::Unsigned | Shape::Span)
        }
        (Shape::Double, Shape::Exactly(value)) => value.is_number(),
        (Shape::Double, given) => {
            matches!(given, Shape::Int | Shape::Long | Shape::Unsigned | Shape::Span | Shape::Double)
        }
        (Shape::Text, given) => matches!(
            given,
            Shape::Text
                | Shape::Time
                | Shape::Symbols(_)
                | Shape::Bytes
                | Shape::Instant
                | Shape::Exactly(Value::String(_))
        ),
        (Shape::Time, Shape::Exactly(Value::String(text))) => is_time(text),
        (Shape::Time, given) => matches!(given, Shape::Text | Shape::Time | Shape::Instant),
        (Shape::Symbols(symbols), Shape::Exactly(Value::String(text))) => symbols.contains(text),
        (Shape::Symbols(symbols), Shape::Symbols(given)) => given.iter().any(|symbol| symbols.contains(symbol)),
        (Shape::Symbols(_), given) => matches!(given, Shape::Text),
        _ => false,
    }
}
