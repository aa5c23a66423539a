//! Exit codes, which scripts rely on. Separate, so that the table in `docs/sagactl.md` and the code have one counterpart
//! each.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done as asked.
    Done = 0,
    /// Failed for a reason that none of the others names.
    Failed = 1,
    /// Looked, and it is not as it should be: a definition has faults, a saga cannot move, a topic differs, a schema is
    /// incompatible or missing.
    NotAsItShould = 2,
    /// There is no such saga, definition, topic, dead letter or read model.
    Unknown = 3,
    /// The saga's state or a rule does not allow it.
    Refused = 4,
    /// No token, an unknown one, or one without the role.
    NotAllowed = 5,
    /// The command line or the settings are wrong.
    Usage = 64,
    /// The service asked, Kafka or the registry does not answer.
    Unreachable = 69,
    /// The command was sent; what it leads to was not seen in time.
    NotSeenYet = 75,
}

impl Code {
    /// The code that `docs/errors/` has a page for; nothing where all went well.
    pub(crate) const fn error_code(self) -> &'static str {
        match self {
            Self::Done => "",
            Self::Failed => "BS0901",
            Self::NotAsItShould => "BS0902",
            Self::Unknown => "BS0903",
            Self::Refused => "BS0904",
            Self::NotAllowed => "BS0905",
            Self::Usage => "BS0964",
            Self::Unreachable => "BS0969",
            Self::NotSeenYet => "BS0975",
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Coded {
    /// The code.
    pub(crate) code: Code,
    /// What went wrong, for people.
    pub(crate) what: String,
}

impl std::fmt::Display for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Coded {}

/// An error with this code.
pub(crate) fn coded(code: Code, what: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Coded { code, what: what.into() })
}

/// The code an error ends the process with.
pub(crate) fn of(error: &anyhow::Error) -> Code {
    error.downcast_ref::<Coded>().map_or(Code::Failed, |coded| coded.code)
}
