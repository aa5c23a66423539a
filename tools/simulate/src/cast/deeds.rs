//! What commands mean to their participants, and what these answer, from the sample data. Separate from the cast, which
//! knows who is asked on which topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::Result;
use backstitch_saga::{Direction, StepName};
use serde_json::{Map, Value, json};

use super::Role;
use super::asked::Asked;
use crate::dice::Dice;
use crate::schema;

/// What one command means to its participant.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// The forward command that it undoes.
    pub(crate) undoes: Option<&'static str>,
    pub(crate) done: Answer,
    pub(crate) refused: Option<Answer>,
    pub(crate) ask_again: Option<Answer>,
    /// What takes it back by itself.
    pub(crate) undone: Option<Answer>,
}

/// An event that a participant may publish.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) event: String,
    /// For each item of the sample's list; one alone where the command is for no item.
    data: Vec<Value>,
    items: Items,
    placeholder: String,
}

/// The items of a list in the sample data, and more of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Items {
    ids: Vec<String>,
}

impl Deed {
    /// All that may be answered.
    fn answers_mut(&mut self) -> impl Iterator<Item = &mut Answer> {
        let rare = [&mut self.refused, &mut self.ask_again, &mut self.undone].into_iter().flatten();
        std::iter::once(&mut self.done).chain(rare)
    }

    /// The same, with data that fits the topic.
    pub(super) fn fitting(mut self, schema: &str) -> Result<Self> {
        for answer in self.answers_mut() {
            for data in &mut answer.data {
                *data = schema::filled(schema, &answer.event, data)?;
            }
        }
        Ok(self)
    }

    /// The fields of each answer.
    pub(super) fn fields(&mut self) -> Vec<(String, BTreeSet<String>)> {
        let named = |answer: &mut Answer| (answer.event.clone(), answer.data.iter().flat_map(names).collect());
        self.answers_mut().map(named).collect()
    }
}

fn names(data: &Value) -> impl Iterator<Item = String> {
    data.as_object().into_iter().flatten().map(|(name, _)| name.clone())
}

impl Answer {
    /// Its data, about the flow of this key and this item of it.
    pub(crate) fn about(&self, key: &str, item: Option<u32>) -> Value {
        let place = item.and_then(|item| usize::try_from(item).ok()).unwrap_or(0);
        let Some(sample) = place.checked_rem(self.data.len()) else { return Value::Null };
        renamed(&self.items.like(&self.data[sample], sample, place), &self.placeholder, key)
    }

    /// The same, where what is true or false is as the dice say.
    pub(crate) fn somehow(&self, key: &str, item: Option<u32>, dice: &mut Dice) -> Value {
        let mut data = self.about(key, item);
        for field in data.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if let Value::Bool(truth) = field {
                *truth ^= dice.falls(300);
            }
        }
        data
    }
}

impl Items {
    pub(super) fn of(list: &Value) -> Self {
        let ids = list.as_array().into_iter().flatten();
        Self { ids: ids.map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect() }
    }

    /// The id of an item; there may be more of them than samples.
    fn id(&self, place: usize) -> Option<String> {
        let sample = place.checked_rem(self.ids.len())?;
        Some(if place < self.ids.len() { self.ids[place].clone() } else { format!("{}-{place}", self.ids[sample]) })
    }

    /// What is said of one item, said of another.
    fn like(&self, said: &Value, of: usize, place: usize) -> Value {
        match (self.id(of), self.id(place)) {
            (Some(from), Some(to)) if !from.is_empty() => renamed(said, &from, &to),
            _ => said.clone(),
        }
    }

    /// As many items as asked for.
    pub(super) fn stretched(&self, samples: &[Value], count: usize) -> Value {
        let item = |place: usize| {
            let of = place.checked_rem(samples.len())?;
            Some(self.like(&samples[of], of, place))
        };
        (0..count).filter_map(item).collect()
    }

    /// What the samples say about a step: for each item if it is done for each, and else once. What is not said of one
    /// item is as with another one.
    fn said(&self, samples: &Value, step: &StepName, word: &str) -> Vec<Value> {
        let plain = || samples[step.as_str()][word].clone();
        if self.ids.is_empty() {
            return vec![plain()];
        }
        let of_item = |place: usize| {
            let item = u32::try_from(place).unwrap_or_default();
            samples[step.of_item(item).as_str()].get(word).cloned()
        };
        let of_another = |place: usize| {
            let known = (0..self.ids.len()).find_map(|other| Some((other, of_item(other)?)));
            known.map_or_else(plain, |(other, said)| self.like(&said, other, place))
        };
        (0..self.ids.len()).map(|place| of_item(place).unwrap_or_else(|| of_another(place))).collect()
    }
}

/// The topic that answers to the command come on, and what it means; none if nobody waits for an answer.
pub(super) fn deed(role: &Role, asked: &Asked) -> Option<(String, Deed)> {
    let expected = role.definition.expected_answers(&asked.step, asked.direction)?;
    let items = asked.list.as_ref().and_then(|list| role.lists.get(list)).cloned().unwrap_or_default();
    let answer = |events: &[String], word: &str| {
        let said = match asked.direction {
            Direction::Forward => items.said(&role.samples, &asked.step, word),
            Direction::Compensate => vec![Value::Null],
        };
        let data = said.iter().map(|said| merged(scalars(&role.start), said)).collect();
        let event = events.first()?.clone();
        Some(Answer { event, data, items: items.clone(), placeholder: role.key.clone() })
    };
    let deed = Deed {
        undoes: asked.undoes.as_deref().map(kept),
        done: answer(&expected.done, "done")?,
        refused: answer(&expected.refused, "refused"),
        ask_again: answer(&expected.ask_again, "ask_again"),
        undone: answer(&expected.undone, "undone").filter(|_| asked.direction == Direction::Forward),
    };
    Some((expected.topic, deed))
}

/// Names live as long as the process, as the cast does.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut names = crate::world::lock(&NAMES);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// All strings that are the sample's are this one's.
pub(super) fn renamed(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) if text == from => json!(to),
        Value::Array(items) => items.iter().map(|item| renamed(item, from, to)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), renamed(field, from, to))).collect(),
        other => other.clone(),
    }
}

pub(super) fn scalars(value: &Value) -> Map<String, Value> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter(|(_, field)| !field.is_array() && !field.is_object()).map(|(n, f)| (n.clone(), f.clone())).collect()
}

pub(super) fn merged(mut fields: Map<String, Value>, said: &Value) -> Value {
    fields.extend(said.as_object().cloned().unwrap_or_default());
    Value::Object(fields)
}

/// The lists of a saga's start, by the field that holds them.
pub(super) type Lists = BTreeMap<String, Items>;
