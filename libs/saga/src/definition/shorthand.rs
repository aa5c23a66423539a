//! The short forms a document may use: one for many, a word for a record.
//!
//! Separate because it is written by hand: derived untagged enums would lose the line and column of what is wrong
//! inside them, and answer "did not match any variant".

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::spec::{BranchSpec, CompensationSpec, EventSpec, OtherwiseSpec, RollbackSpec, StepSpec};

/// Reads a list, or a single item as a list of one.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct OneOrMany<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one item or a list of them")
        }

        fn visit_str<E: de::Error>(self, word: &str) -> Result<Vec<T>, E> {
            Ok(vec![T::deserialize(StrDeserializer::new(word))?])
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }

    deserializer.deserialize_any(OneOrMany(PhantomData))
}

impl<'de> Deserialize<'de> for BranchSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_many(deserializer).map(Self)
    }
}

/// The long form of an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFields {
    event: String,
    #[serde(default)]
    when: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

impl<'de> Deserialize<'de> for EventSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EventVisitor;

        impl<'de> Visitor<'de> for EventVisitor {
            type Value = EventSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event's name, or its `event`, `when` and `until`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<EventSpec, E> {
                Ok(EventSpec { event: word.to_owned(), when: None, until: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EventSpec, A::Error> {
                let EventFields { event, when, until } = EventFields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EventSpec { event, when, until })
            }
        }

        deserializer.deserialize_any(EventVisitor)
    }
}

impl Serialize for OtherwiseSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_str("nothing"),
            Self::RollBack => serializer.serialize_str("roll_back"),
            Self::Do(steps) => steps.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OtherwiseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OtherwiseVisitor;

        impl<'de> Visitor<'de> for OtherwiseVisitor {
            type Value = OtherwiseSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`nothing`, `roll_back`, or a step or a list of steps")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<OtherwiseSpec, E> {
                match word {
                    "nothing" => Ok(OtherwiseSpec::Nothing),
                    "roll_back" => Ok(OtherwiseSpec::RollBack),
                    other => Err(E::unknown_variant(other, &["nothing", "roll_back"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OtherwiseSpec, A::Error> {
                let step = StepSpec::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OtherwiseSpec::Do(BranchSpec(vec![step])))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OtherwiseSpec, A::Error> {
                let steps = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(OtherwiseSpec::Do(BranchSpec(steps)))
            }
        }

        deserializer.deserialize_any(OtherwiseVisitor)
    }
}

impl Serialize for RollbackSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_str("nothing"),
            Self::Pivot => serializer.serialize_str("pivot"),
            Self::RollBack => serializer.serialize_str("roll_back"),
            Self::Compensate(compensation) => compensation.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RollbackSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RollbackVisitor;

        impl<'de> Visitor<'de> for RollbackVisitor {
            type Value = RollbackSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`nothing`, `pivot`, the command to `compensate` with, or for a sub-saga `roll_back`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RollbackSpec, E> {
                match word {
                    "nothing" => Ok(RollbackSpec::Nothing),
                    "pivot" => Ok(RollbackSpec::Pivot),
                    "roll_back" => Ok(RollbackSpec::RollBack),
                    other => Err(E::unknown_variant(other, &["nothing", "pivot", "compensate", "roll_back"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RollbackSpec, A::Error> {
                let compensation = CompensationSpec::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RollbackSpec::Compensate(Box::new(compensation)))
            }
        }

        deserializer.deserialize_any(RollbackVisitor)
    }
}
