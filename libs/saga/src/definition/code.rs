//! Codes of everything that can be wrong with a definition.
//!
//! Separate because a code is a promise: it never changes its meaning, and `docs/errors/` has a page for each.

use std::fmt;

use serde::{Serialize, Serializer};

/// What kind of fault it is, by a code that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The document is no definition: no YAML, an unknown field, a missing one, a wrong word.
    NoDefinition,
    /// A rule of the language is broken.
    Rule,
    /// A text is no expression.
    NoExpression,
    /// An expression uses a name that its place does not have.
    UnknownName,
    /// A compensation uses what its step may never get.
    OwnResult,
    /// Two definitions have the same name and version.
    Twice,
    /// No schema has the topic, and one has another of nearly that name.
    UnknownTopic,
    /// The topic's schema has no such message.
    UnknownMessage,
    /// An expression reads a field that no schema has.
    UnknownField,
    /// An operator or function is given what it does not take.
    WrongType,
    /// A comparison whose answer is always the same.
    NeverEqual,
    /// A condition is neither true nor false.
    NoCondition,
    /// A key is neither a text nor a number.
    NoKey,
    /// A payload lacks a mandatory field.
    FieldMissing,
    /// A payload has a field that its record lacks.
    FieldUnknown,
    /// A payload's field holds what its record does not take.
    FieldMisfit,
    /// One event would be claimed by two steps.
    ClaimedTwice,
    /// Something can never happen.
    Unreachable,
    /// Warning: the topic's schema is not known, so nothing about it was checked.
    Unchecked,
    /// Warning: a mandatory field may be null.
    MayBeNull,
    /// Warning: the result of a step that may have been skipped is used without asking for it.
    MayBeSkipped,
    /// Warning: it is asked whether a field is there that no schema has.
    NeverThere,
    /// Warning: two steps' answers are told apart only by the command they name.
    ToldApartByCommand,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::NoDefinition,
        Self::Rule,
        Self::NoExpression,
        Self::UnknownName,
        Self::OwnResult,
        Self::Twice,
        Self::UnknownTopic,
        Self::UnknownMessage,
        Self::UnknownField,
        Self::WrongType,
        Self::NeverEqual,
        Self::NoCondition,
        Self::NoKey,
        Self::FieldMissing,
        Self::FieldUnknown,
        Self::FieldMisfit,
        Self::ClaimedTwice,
        Self::Unreachable,
        Self::Unchecked,
        Self::MayBeNull,
        Self::MayBeSkipped,
        Self::NeverThere,
        Self::ToldApartByCommand,
    ];

    /// The code, as in `BS0101`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDefinition => "BS0101",
            Self::Rule => "BS0102",
            Self::NoExpression => "BS0103",
            Self::UnknownName => "BS0104",
            Self::OwnResult => "BS0105",
            Self::Twice => "BS0106",
            Self::UnknownTopic => "BS0201",
            Self::UnknownMessage => "BS0202",
            Self::UnknownField => "BS0203",
            Self::WrongType => "BS0204",
            Self::NeverEqual => "BS0205",
            Self::NoCondition => "BS0206",
            Self::NoKey => "BS0207",
            Self::FieldMissing => "BS0208",
            Self::FieldUnknown => "BS0209",
            Self::FieldMisfit => "BS0210",
            Self::ClaimedTwice => "BS0211",
            Self::Unreachable => "BS0212",
            Self::Unchecked => "BS0301",
            Self::MayBeNull => "BS0302",
            Self::MayBeSkipped => "BS0303",
            Self::NeverThere => "BS0304",
            Self::ToldApartByCommand => "BS0305",
        }
    }

    /// Whether the definition can be used all the same.
    pub const fn is_warning(self) -> bool {
        matches!(
            self,
            Self::Unchecked | Self::MayBeNull | Self::MayBeSkipped | Self::NeverThere | Self::ToldApartByCommand
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
