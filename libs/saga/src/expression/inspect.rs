//! What an expression refers to, found without running it.
//!
//! Separate because it walks the expression language's syntax tree: the validator and the engine only see paths.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, SelectExpr};

/// Everything an expression reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Paths such as `saga.data.order_id`, root first; names bound by the expression itself are left out.
    pub(crate) paths: Vec<Path>,
    /// Functions it calls, operators left out.
    pub(crate) functions: Vec<String>,
}

/// One path an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Root first.
    pub(crate) segments: Vec<String>,
    /// Only whether it is there is asked: `has(a.b)`.
    pub(crate) only_presence: bool,
}

impl Path {
    /// The step whose result this reads, if it reads one.
    pub(crate) fn step(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [root, step, ..] if root == "steps" => Some(step),
            _ => None,
        }
    }
}

impl References {
    /// Whether anything under this root is read.
    pub(crate) fn reads(&self, root: &str) -> bool {
        self.paths.iter().any(|path| path.segments.first().is_some_and(|first| first == root))
    }

    /// Whether it is asked somewhere if this step's result, or a part of it, is there.
    pub(crate) fn asks_for_step(&self, step: &str) -> bool {
        self.paths.iter().any(|path| path.only_presence && path.step() == Some(step))
    }

    /// Whether it is asked anywhere if something is there.
    pub(crate) fn ask_for_any(&self) -> bool {
        self.paths.iter().any(|path| path.only_presence)
    }

    /// What `expression` reads.
    pub(super) fn of(expression: &IdedExpr) -> Self {
        let mut walk = Walk { found: Self::default(), bound: Vec::new() };
        walk.expression(expression);
        walk.found
    }
}

/// The path, if the expression is nothing but one.
pub(crate) fn plain_path(expression: &IdedExpr) -> Option<Vec<String>> {
    match &expression.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) if !select.test => {
            let mut path = plain_path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        _ => None,
    }
}

struct Walk {
    found: References,
    bound: Vec<String>,
}

impl Walk {
    fn expression(&mut self, expression: &IdedExpr) {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.path(vec![name.clone()], false),
            Expr::Select(select) => self.select(select, expression),
            Expr::Call(call) => {
                if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.found.functions.push(call.func_name.clone());
                }
                call.target.iter().for_each(|target| self.expression(target));
                call.args.iter().for_each(|argument| self.expression(argument));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(record) => record.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(loops) => {
                self.expression(&loops.iter_range);
                self.expression(&loops.accu_init);
                let outer = self.bound.len();
                self.bound.push(loops.iter_var.clone());
                self.bound.extend(loops.iter_var2.clone());
                self.bound.push(loops.accu_var.clone());
                self.expression(&loops.loop_cond);
                self.expression(&loops.loop_step);
                self.expression(&loops.result);
                self.bound.truncate(outer);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key);
                self.expression(&entry.value);
            }
        }
    }

    fn select(&mut self, select: &SelectExpr, whole: &IdedExpr) {
        if select.test {
            match plain_path(&select.operand) {
                Some(mut path) => {
                    path.push(select.field.clone());
                    self.path(path, true);
                }
                None => self.expression(&select.operand),
            }
            return;
        }
        match plain_path(whole) {
            Some(path) => self.path(path, false),
            None => self.expression(&select.operand),
        }
    }

    fn path(&mut self, segments: Vec<String>, only_presence: bool) {
        let is_bound = segments.first().is_some_and(|root| self.bound.contains(root));
        if !is_bound {
            self.found.paths.push(Path { segments, only_presence });
        }
    }
}
