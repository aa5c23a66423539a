//! Settings: defaults, then an optional TOML file, then the environment. Separate from what a setting does, so that a
//! wrong one is answered before anything starts.

mod environment;
mod problem;
mod repair;
mod secret;
mod sections;

use figment::value::Dict;
use figment::{
    Figment,
    providers::{Format, Toml},
};
use serde::{Serialize, de::DeserializeOwned};

pub use environment::Environment;
pub use problem::{Problem, Problems};
pub use secret::{redact, redact_option, redact_url};
pub use sections::{
    AuthSettings, DatabaseSettings, DatabaseTls, HttpSettings, LogFormat, ProcessSettings, Role, TelemetrySettings,
    TlsMode, TokenSettings,
};

/// What the environment's variables begin with.
pub const PREFIX: &str = "BACKSTITCH_";

/// A service's settings, as one struct of sections.
///
/// Give every section `#[serde(deny_unknown_fields)]`, so that a typo is told instead of ignored.
pub trait Config: DeserializeOwned + Serialize + Send + Sync + 'static {
    /// How the process ends.
    fn process(&self) -> &ProcessSettings;

    /// What it says about itself.
    fn telemetry(&self) -> &TelemetrySettings;

    /// Problems that no single field shows. Asked only when every field is well formed.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// Reads the settings from the text of a file, if any, and the environment.
///
/// # Errors
/// [`Problems`], all that are there and not only the first.
pub fn load<C: Config>(file: Option<&str>, environment: &Environment) -> Result<C, Problems> {
    let merged = merge(file, environment)?;
    let settings: C = repair::extract(merged, environment).map_err(Problems)?;
    let mut problems = settings.telemetry().problems();
    problems.extend(settings.process().problems());
    problems.extend(settings.problems());
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
}

fn merge(file: Option<&str>, environment: &Environment) -> Result<Dict, Problems> {
    let figment = Figment::new().merge(Toml::string(file.unwrap_or_default())).merge(environment);
    figment.extract::<Dict>().map_err(|error| {
        Problems(error.into_iter().map(|error| Problem::new("the file", problem::without_source(&error))).collect())
    })
}

#[cfg(test)]
mod tests;
