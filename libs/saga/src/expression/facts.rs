//! What an expression can see of one saga, looked up lazily.
//!
//! Separate because it is the one place where names in expressions meet the engine's data; only the part of the JSON
//! that an expression touches is converted to the expression language's values.

use std::borrow::Cow;
use std::collections::BTreeSet;

use cel::common::value::CowVal;
use cel::context::VariableResolver;
use serde_json::{Map, Value};

use super::json::to_cel;
use crate::ids::SagaId;

/// The facts an expression is evaluated against; what its place does not allow is `None`.
#[derive(Default)]
pub(crate) struct Facts<'a> {
    pub(crate) saga: Option<SagaFacts<'a>>,
    pub(crate) event: Option<&'a Value>,
    pub(crate) item: Option<ItemFacts<'a>>,
}

/// The item of a list that a step is done for.
pub(crate) struct ItemFacts<'a> {
    pub(crate) value: &'a Value,
    pub(crate) index: u32,
    /// Identifiers of the steps that are done for each item: only this item's results of them are seen.
    pub(crate) inside: &'a BTreeSet<String>,
}

/// What is known of the saga itself.
pub(crate) struct SagaFacts<'a> {
    pub(crate) id: SagaId,
    pub(crate) key: &'a str,
    pub(crate) data: &'a Value,
    pub(crate) results: &'a Map<String, Value>,
    pub(crate) reason: Option<String>,
}

impl Facts<'_> {
    /// The value at a path such as `saga`, `data`, `order_id`.
    pub(crate) fn lookup<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<Cow<'_, Value>> {
        match path.next()? {
            "event" => descend(self.event?, path).map(Cow::Borrowed),
            "steps" => match path.next() {
                None => Some(Cow::Owned(Value::Object(self.results()?))),
                Some(step) => descend(self.result(step)?, path).map(Cow::Borrowed),
            },
            "saga" => self.saga.as_ref()?.lookup(path),
            "item" => descend(self.item.as_ref()?.value, path).map(Cow::Borrowed),
            "index" if path.next().is_none() => Some(Cow::Owned(Value::from(self.item.as_ref()?.index))),
            _ => None,
        }
    }

    /// Why the saga is rolled back, if it is.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.saga.as_ref()?.reason.as_deref()
    }

    /// A step's result; of a step that is done for each item, this item's.
    fn result(&self, step: &str) -> Option<&Value> {
        let result = self.saga.as_ref()?.results.get(step)?;
        match &self.item {
            Some(item) if item.inside.contains(step) => {
                let own = result.get(usize::try_from(item.index).ok()?);
                own.filter(|own| !own.is_null())
            }
            _ => Some(result),
        }
    }

    fn results(&self) -> Option<Map<String, Value>> {
        let steps = self.saga.as_ref()?.results.keys();
        let seen = steps.filter_map(|step| Some((step.clone(), self.result(step)?.clone())));
        Some(seen.collect())
    }
}

impl SagaFacts<'_> {
    fn lookup<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<Cow<'_, Value>> {
        let Some(field) = path.next() else {
            return Some(Cow::Owned(self.whole()));
        };
        if field == "data" {
            return descend(self.data, path).map(Cow::Borrowed);
        }
        if path.next().is_some() {
            return None;
        }
        let text = match field {
            "id" => self.id.to_string(),
            "key" => self.key.to_owned(),
            "reason" => self.reason.clone()?,
            _ => return None,
        };
        Some(Cow::Owned(Value::String(text)))
    }

    fn whole(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("id".to_owned(), Value::String(self.id.to_string()));
        whole.insert("key".to_owned(), Value::String(self.key.to_owned()));
        whole.insert("data".to_owned(), self.data.clone());
        if let Some(reason) = &self.reason {
            whole.insert("reason".to_owned(), Value::String(reason.clone()));
        }
        Value::Object(whole)
    }
}

fn descend<'v, 'p>(value: &'v Value, mut path: impl Iterator<Item = &'p str>) -> Option<&'v Value> {
    path.try_fold(value, |value, field| value.as_object()?.get(field))
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let found = self.lookup(variable.split('.'))?;
        to_cel(&found).try_into().ok().map(CowVal::Owned)
    }
}
