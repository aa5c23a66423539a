//! What an expression answers, found from what it is given, and what in it can never work.
//!
//! Separate because it walks the expression language's syntax; it is sound in one direction: what it refuses certainly
//! fails or never means anything, and whatever it cannot know, it lets pass.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, MapExpr, SelectExpr, operators};
use serde_json::Value;

use super::operators::{Kind, arithmetic, function, items, list_of, may_be, may_be_ordered, may_equal};
use super::shape::{Field, Record, Shape};
use crate::definition::Code;
use crate::expression::{Expression, Syntax, plain_path};

/// Something about an expression that its author should hear.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) wrong: Option<String>,
    pub(super) expected: Vec<String>,
}

/// The names an expression may use and what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) shapes: Vec<(String, Shape)>,
    /// Paths that a condition has found not to be null.
    pub(super) not_null: Vec<Vec<String>>,
}

/// What `expression` answers, and what is wrong with it.
pub(super) fn infer(expression: &Expression, names: &Names) -> (Shape, Vec<Remark>) {
    let mut inference = Inference { names: names.clone(), remarks: Vec::new() };
    let shape = match expression.syntax() {
        Syntax::Path(path) => inference.path(path),
        Syntax::Tree(tree) => inference.shape(tree),
    };
    (shape, inference.remarks)
}

/// Paths that are certainly not null where `condition` holds.
pub(super) fn not_null_where(condition: &Expression) -> Vec<Vec<String>> {
    match condition.syntax() {
        Syntax::Path(_) => Vec::new(),
        Syntax::Tree(tree) => not_null_if(tree, true),
    }
}

fn not_null_if(condition: &IdedExpr, holds: bool) -> Vec<Vec<String>> {
    let Expr::Call(call) = &condition.expr else { return Vec::new() };
    let both = |holds| call.args.iter().flat_map(|argument| not_null_if(argument, holds)).collect();
    match (call.func_name.as_str(), holds) {
        (operators::LOGICAL_AND, true) => both(true),
        (operators::LOGICAL_OR, false) => both(false),
        (operators::LOGICAL_NOT, holds) => both(!holds),
        (operators::NOT_EQUALS, true) | (operators::EQUALS, false) => {
            let is_null = |side: &IdedExpr| matches!(side.expr, Expr::Literal(LiteralValue::Null));
            match call.args.as_slice() {
                [path, null] | [null, path] if is_null(null) => plain_path(path).into_iter().collect(),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

struct Inference {
    names: Names,
    remarks: Vec<Remark>,
}

impl Inference {
    fn remark(&mut self, code: Code, message: String) {
        self.remarks.push(Remark { code, message, wrong: None, expected: Vec::new() });
    }

    fn shape(&mut self, expression: &IdedExpr) -> Shape {
        match &expression.expr {
            Expr::Literal(literal) => literal_shape(literal),
            Expr::Ident(_) => plain_path(expression).map_or(Shape::Any, |path| self.path(&path)),
            Expr::Select(select) if select.test => self.presence(select),
            Expr::Select(select) => match plain_path(expression) {
                Some(path) => self.path(&path),
                None => {
                    let operand = self.shape(&select.operand);
                    self.field(&operand, &select.field, "this")
                }
            },
            Expr::Call(call) => self.call(call),
            Expr::List(list) if list.optional_indices.is_empty() => {
                let elements: Vec<Shape> = list.elements.iter().map(|element| self.shape(element)).collect();
                list_of(Shape::one_of(elements))
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|element| {
                    self.shape(element);
                });
                list_of(Shape::Any)
            }
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(each) => self.comprehension(each),
            Expr::Struct(_) | Expr::Unspecified => Shape::Any,
        }
    }

    /// A path such as `saga.data.order_id`, root first.
    fn path(&mut self, path: &[String]) -> Shape {
        let Some((root, fields)) = path.split_first() else { return Shape::Any };
        // The innermost name wins.
        let found = self.names.shapes.iter().rev().find(|(name, _)| name == root);
        let Some(mut shape) = found.map(|(_, shape)| shape.clone()) else { return Shape::Any };
        let mut so_far = root.clone();
        for (index, field) in fields.iter().enumerate() {
            shape = self.field(&shape, field, &so_far);
            so_far = format!("{so_far}.{field}");
            let reached = path.get(..index + 2).unwrap_or_default();
            if self.names.not_null.iter().any(|known| known == reached) {
                shape = shape.not_null();
            }
        }
        shape
    }

    /// `operand.name`; null is left out, since a condition may have ruled it out.
    fn field(&mut self, operand: &Shape, name: &str, called: &str) -> Shape {
        let mut known = Vec::new();
        let mut owners = Vec::new();
        let mut found = Vec::new();
        let mut others = Vec::new();
        for shape in operand.alternatives() {
            match shape {
                Shape::Any => found.push(Shape::Any),
                Shape::Map(values) => found.push((**values).clone()),
                Shape::Record(record) => match record.field(name) {
                    Some(field) => found.push(field.shape.clone()),
                    None => {
                        known.extend(record.names());
                        owners.extend(record.name.clone());
                    }
                },
                other => others.push(other),
            }
        }
        if !found.is_empty() {
            return Shape::one_of(found);
        }
        if !known.is_empty() || !owners.is_empty() {
            let owner = match owners.as_slice() {
                [] => format!("`{called}`"),
                names => format!("`{}`", names.join("` or `")),
            };
            let message = format!("{owner} has no field `{name}`");
            let (code, wrong) = (Code::UnknownField, Some(name.to_owned()));
            known.sort();
            known.dedup();
            self.remarks.push(Remark { code, message, wrong, expected: known });
        } else if others.iter().all(|shape| matches!(shape, Shape::Never)) {
            self.remark(Code::UnknownField, format!("`{called}` has no result, so there is no `{name}` in it"));
        } else {
            let words = operand.describe();
            self.remark(Code::WrongType, format!("`{called}` is {words}: there is no `{name}` in it"));
        }
        Shape::Any
    }

    /// `has(operand.name)`: no fault where the field is unknown, but the answer is always no.
    fn presence(&mut self, select: &SelectExpr) -> Shape {
        let operand = self.shape(&select.operand);
        let never = |shape: &Shape| match shape {
            Shape::Record(record) => {
                record.field(&select.field).is_none_or(|field| matches!(field.shape, Shape::Never))
            }
            Shape::Any | Shape::Map(_) => false,
            _ => true,
        };
        if !operand.alternatives().iter().all(never) {
            return Shape::Bool;
        }
        let owner = plain_path(&select.operand).map_or_else(|| "this".to_owned(), |path| path.join("."));
        let known = operand.alternatives().iter().flat_map(|shape| match shape {
            Shape::Record(record) => record.names(),
            _ => Vec::new(),
        });
        self.remarks.push(Remark {
            code: Code::NeverThere,
            message: format!("`{owner}.{}` is never there: no schema has it", select.field),
            wrong: Some(select.field.clone()),
            expected: known.collect(),
        });
        Shape::Exactly(Value::Bool(false))
    }

    fn call(&mut self, call: &CallExpr) -> Shape {
        let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), arguments.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => self.conditional(condition, yes, no),
            (operators::LOGICAL_AND, [left, right]) => self.logical(left, right, true),
            (operators::LOGICAL_OR, [left, right]) => self.logical(left, right, false),
            (operators::LOGICAL_NOT, [operand]) => {
                let shape = self.truth(operand, "`!`");
                match shape {
                    Shape::Exactly(Value::Bool(known)) => Shape::Exactly(Value::Bool(!known)),
                    _ => Shape::Bool,
                }
            }
            (operators::NOT_STRICTLY_FALSE, _) => Shape::Bool,
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => self.equality(left, right),
            (operators::LESS | operators::LESS_EQUALS, [left, right])
            | (operators::GREATER | operators::GREATER_EQUALS, [left, right]) => self.order(left, right),
            (operators::IN, [item, container]) => self.within(item, container),
            (operators::INDEX, [operand, index]) => self.index(operand, index),
            (operators::NEGATE, [operand]) => self.negated(operand),
            (name, [left, right]) if let Some(operator) = operator_of(name) => self.computed(operator, left, right),
            (name, arguments) => self.function(name, arguments),
        }
    }

    fn conditional(&mut self, condition: &IdedExpr, yes: &IdedExpr, no: &IdedExpr) -> Shape {
        match self.truth(condition, "`? :`") {
            Shape::Exactly(Value::Bool(true)) => self.shape(yes),
            Shape::Exactly(Value::Bool(false)) => self.shape(no),
            _ => {
                let yes = self.knowing(not_null_if(condition, true), |inference| inference.shape(yes));
                let no = self.knowing(not_null_if(condition, false), |inference| inference.shape(no));
                yes.or(no)
            }
        }
    }

    /// `&&` and `||`: the right side is not looked at where the left one decides.
    fn logical(&mut self, left: &IdedExpr, right: &IdedExpr, and: bool) -> Shape {
        let operator = if and { "`&&`" } else { "`||`" };
        let decided = Shape::Exactly(Value::Bool(!and));
        if self.truth(left, operator) == decided {
            return decided;
        }
        let right = self.knowing(not_null_if(left, and), |inference| inference.truth(right, operator));
        if right == decided { decided } else { Shape::Bool }
    }

    fn knowing<T>(&mut self, not_null: Vec<Vec<String>>, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.names.not_null.len();
        self.names.not_null.extend(not_null);
        let found = look(self);
        self.names.not_null.truncate(before);
        found
    }

    fn truth(&mut self, operand: &IdedExpr, operator: &str) -> Shape {
        let shape = self.shape(operand);
        if !may_be(&shape, &[Kind::Bool]) {
            let words = shape.describe();
            self.remark(Code::WrongType, format!("{operator} wants true or false, and this is {words}"));
            return Shape::Any;
        }
        shape
    }

    fn equality(&mut self, left: &IdedExpr, right: &IdedExpr) -> Shape {
        let (one, other) = (self.shape(left), self.shape(right));
        if may_equal(&one, &other) {
            return Shape::Bool;
        }
        let (left, right) = (name_of(left, &one), name_of(right, &other));
        let (wrong, expected) = wrong_symbol(&one, &other);
        let message = format!("{left} is never equal to {right}");
        self.remarks.push(Remark { code: Code::NeverEqual, message, wrong, expected });
        Shape::Bool
    }

    fn order(&mut self, left: &IdedExpr, right: &IdedExpr) -> Shape {
        let (one, other) = (self.shape(left), self.shape(right));
        if !may_be_ordered(&one, &other) {
            let (left, right) = (name_of(left, &one), name_of(right, &other));
            self.remark(Code::WrongType, format!("{left} and {right} have no order"));
        }
        Shape::Bool
    }

    fn within(&mut self, item: &IdedExpr, container: &IdedExpr) -> Shape {
        let (one, many) = (self.shape(item), self.shape(container));
        match items(&many) {
            None => {
                let words = name_of(container, &many);
                self.remark(Code::WrongType, format!("`in` wants a list or a record, and this is {words}"));
            }
            Some(items) if !may_equal(&one, &items) => {
                let (wrong, expected) = wrong_symbol(&one, &items);
                let (item, items) = (name_of(item, &one), items.describe());
                let message = format!("{item} is never in this list, where each is {items}");
                self.remarks.push(Remark { code: Code::NeverEqual, message, wrong, expected });
            }
            Some(_) => {}
        }
        Shape::Bool
    }

    fn index(&mut self, operand: &IdedExpr, index: &IdedExpr) -> Shape {
        let (shape, at) = (self.shape(operand), self.shape(index));
        if let Shape::Exactly(Value::String(name)) = &at
            && may_be(&shape, &[Kind::Object])
        {
            return self.field(&shape, name, &name_of(operand, &shape).replace('`', ""));
        }
        if !may_be(&shape, &[Kind::List, Kind::Object]) {
            let words = name_of(operand, &shape);
            self.remark(Code::WrongType, format!("`[…]` wants a list or a record, and this is {words}"));
            return Shape::Any;
        }
        let each = |shape: &Shape| match shape {
            Shape::List(items) | Shape::Map(items) => (**items).clone(),
            _ => Shape::Any,
        };
        Shape::one_of(shape.not_null().alternatives().iter().map(each))
    }

    fn negated(&mut self, operand: &IdedExpr) -> Shape {
        let shape = self.shape(operand);
        if !may_be(&shape, &[Kind::Whole, Kind::Double]) {
            let words = name_of(operand, &shape);
            self.remark(Code::WrongType, format!("`-` wants a number, and this is {words}"));
        }
        match shape {
            Shape::Double => Shape::Double,
            Shape::Exactly(Value::Number(number)) => negative(&number).map_or(Shape::Any, Shape::Exactly),
            Shape::Int | Shape::Long => Shape::Long,
            _ => Shape::Any,
        }
    }

    fn computed(&mut self, operator: char, left: &IdedExpr, right: &IdedExpr) -> Shape {
        let (one, other) = (self.shape(left), self.shape(right));
        arithmetic(operator, &one, &other).unwrap_or_else(|| {
            let advice = advice(operator, &one, &other);
            let (left, right) = (name_of(left, &one), name_of(right, &other));
            self.remark(Code::WrongType, format!("`{operator}` does not go with {left} and {right}{advice}"));
            Shape::Any
        })
    }

    fn function(&mut self, name: &str, arguments: &[&IdedExpr]) -> Shape {
        let given: Vec<Shape> = arguments.iter().map(|argument| self.shape(argument)).collect();
        let Some(function) = function(name) else { return Shape::Any };
        for ((argument, shape), wanted) in arguments.iter().zip(&given).zip(function.arguments) {
            if !may_be(shape, wanted) {
                let words = name_of(argument, shape);
                self.remark(Code::WrongType, format!("`{name}` does not take {words}"));
            }
        }
        function.answers
    }

    fn map(&mut self, map: &MapExpr) -> Shape {
        let mut fields = Vec::new();
        let mut values = Vec::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return Shape::Any };
            let (key, shape) = (self.shape(&entry.key), self.shape(&entry.value));
            match key {
                Shape::Exactly(Value::String(name)) if !entry.optional => {
                    fields.push(Field { name, shape: shape.clone(), optional: false });
                }
                _ => {}
            }
            values.push(if entry.optional { Shape::Any } else { shape });
        }
        if fields.len() == map.entries.len() {
            return Shape::Record(Arc::new(Record { name: None, fields }));
        }
        Shape::Map(Arc::new(Shape::one_of(values)))
    }

    /// `map`, `filter`, `all`, `exists` and `exists_one`, as the parser writes them out.
    fn comprehension(&mut self, each: &ComprehensionExpr) -> Shape {
        let range = self.shape(&each.iter_range);
        let item = items(&range).unwrap_or_else(|| {
            let words = name_of(&each.iter_range, &range);
            self.remark(Code::WrongType, format!("only a list or a record has items, and this is {words}"));
            Shape::Any
        });
        let start = self.shape(&each.accu_init);
        let outside = self.names.shapes.len();
        // With two variables the first is an index or a key, and the second an item or a value.
        match &each.iter_var2 {
            None => self.names.shapes.push((each.iter_var.clone(), item)),
            Some(second) => {
                self.names.shapes.push((each.iter_var.clone(), Shape::Any));
                self.names.shapes.push((second.clone(), Shape::Any));
            }
        }
        // What is true before the first item is not known to be so after it.
        let start = if matches!(start, Shape::Exactly(_)) { widened(&start) } else { start };
        self.names.shapes.push((each.accu_var.clone(), start.clone()));
        let step = self.shape(&each.loop_step);
        self.names.shapes.pop();
        self.names.shapes.push((each.accu_var.clone(), start.or(step)));
        let result = self.shape(&each.result);
        self.names.shapes.truncate(outside);
        result
    }
}

fn literal_shape(literal: &LiteralValue) -> Shape {
    match literal {
        LiteralValue::Boolean(value) => Shape::Exactly(Value::Bool(*value.inner())),
        LiteralValue::Int(value) => Shape::Exactly(Value::from(*value.inner())),
        LiteralValue::String(value) => Shape::Exactly(Value::from(value.inner())),
        LiteralValue::Double(value) => match serde_json::Number::from_f64(*value.inner()) {
            Some(number) => Shape::Exactly(Value::Number(number)),
            None => Shape::Double,
        },
        LiteralValue::UInt(_) => Shape::Unsigned,
        LiteralValue::Bytes(_) => Shape::Bytes,
        LiteralValue::Null => Shape::Null,
    }
}

/// The shape of values like this one.
fn widened(shape: &Shape) -> Shape {
    match shape {
        Shape::Exactly(Value::Bool(_)) => Shape::Bool,
        Shape::Exactly(Value::Number(number)) if number.is_f64() => Shape::Double,
        Shape::Exactly(Value::Number(_)) => Shape::Long,
        Shape::Exactly(Value::String(_)) => Shape::Text,
        other => other.clone(),
    }
}

fn negative(number: &serde_json::Number) -> Option<Value> {
    match number.as_i64() {
        Some(whole) => whole.checked_neg().map(Value::from),
        None => number.as_f64().and_then(|number| serde_json::Number::from_f64(-number)).map(Value::Number),
    }
}

fn operator_of(name: &str) -> Option<char> {
    Some(match name {
        operators::ADD => '+',
        operators::SUBSTRACT => '-',
        operators::MULTIPLY => '*',
        operators::DIVIDE => '/',
        operators::MODULO => '%',
        _ => return None,
    })
}

/// An operand as its author knows it: what it is called and what it is.
fn name_of(operand: &IdedExpr, shape: &Shape) -> String {
    match plain_path(operand) {
        Some(path) => format!("`{}` ({})", path.join("."), shape.describe()),
        None => shape.describe(),
    }
}

/// The text that is none of the symbols it is compared with.
fn wrong_symbol(one: &Shape, other: &Shape) -> (Option<String>, Vec<String>) {
    match (one, other) {
        (Shape::Symbols(symbols), Shape::Exactly(Value::String(text)))
        | (Shape::Exactly(Value::String(text)), Shape::Symbols(symbols)) => (Some(text.clone()), symbols.to_vec()),
        _ => (None, Vec::new()),
    }
}

fn advice(operator: char, left: &Shape, right: &Shape) -> &'static str {
    let is = |shape: &Shape, kind: Kind| may_be(shape, &[kind]);
    let text_and_other = is(left, Kind::Text) != is(right, Kind::Text);
    let double_and_other = is(left, Kind::Double) != is(right, Kind::Double);
    if operator == '+' && text_and_other {
        ": turn the other one into a text with `string(…)`"
    } else if double_and_other && (is(left, Kind::Whole) || is(right, Kind::Whole)) {
        ": turn one into the other's kind with `double(…)` or `int(…)`"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests;
