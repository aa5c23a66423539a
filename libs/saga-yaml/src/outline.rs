//! Where every part of a document stands in its text.
//!
//! Separate because the engine's validator speaks of paths, people look for lines, and this is the bridge.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// Paths and their places, in document order.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    entries: Vec<(String, Place)>,
    /// Where the field's name stands, which is what reading faults point at.
    names: Vec<(String, Place)>,
}

impl Outline {
    /// The outline of a document; empty when it is no YAML at all.
    pub(crate) fn of(text: &str) -> Self {
        let mut outline = Self::default();
        if let Ok(root) = serde_saphyr::from_str::<Spanned<Tree>>(text) {
            outline.add(String::new(), &root);
        }
        outline
    }

    fn add(&mut self, path: String, node: &Spanned<Tree>) {
        self.entries.push((path.clone(), place(node)));
        match &node.value {
            Tree::Leaf => {}
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(format!("{path}[{index}]"), item);
                }
            }
            Tree::Record(fields) => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.value.clone() } else { format!("{path}.{}", name.value) };
                    self.names.push((path.clone(), place(name)));
                    self.add(path, value);
                }
            }
        }
    }

    /// Where `path` stands; the nearest enclosing part when it is not written down itself (because it is missing, or
    /// because the document uses a short form).
    pub(crate) fn place_of(&self, path: &str) -> Option<Place> {
        let mut found = self.place("")?;
        let mut known = String::new();
        for part in parts(path) {
            let next =
                if known.is_empty() { part.trim_start_matches('.').to_owned() } else { format!("{known}{part}") };
            match self.place(&next) {
                Some(place) => {
                    found = place;
                    known = next;
                }
                // A single item may stand for a list of one.
                None if part == "[0]" => {}
                // Names of topics have dots in them.
                None => known = next,
            }
        }
        Some(found)
    }

    fn place(&self, path: &str) -> Option<Place> {
        self.entries.iter().find(|(known, _)| known == path).map(|(_, place)| *place)
    }

    /// The path that stands at `place`, or the last one that began before it.
    pub(crate) fn path_at(&self, place: Place) -> String {
        let known = self.entries.iter().chain(&self.names);
        let before = known.filter(|(_, known)| *known <= place);
        before.max_by_key(|(_, known)| *known).map(|(path, _)| path.clone()).unwrap_or_default()
    }
}

/// `steps[1].with` is `steps`, `[1]` and `.with`.
fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

fn place<T>(node: &Spanned<T>) -> Place {
    Place { line: node.referenced.line(), column: node.referenced.column() }
}

/// A document's shape, without its words.
enum Tree {
    Leaf,
    List(Vec<Spanned<Tree>>),
    Record(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Record(fields))
    }
}
