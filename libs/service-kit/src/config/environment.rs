//! The environment as a source of settings. Ours and not figment's own, because that one reads `007` as a number, which
//! breaks passwords; here text stays text until a field asks for a number.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::PREFIX;

/// Variables beginning with `BACKSTITCH_`, `__` between a section and what is in it.
///
/// A value beginning with `[`, `{` or `"` is read as a list, a table or a quoted text; anything else is text as it is.
/// A variable without `__` names no setting (all are in sections) and is left to whoever else uses the prefix.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// The process's own environment.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_variables(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// These variables, of which only those with the prefix matter.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX) && name.contains("__"));
        Self { variables: variables.collect() }
    }

    /// The variable that sets this path.
    #[must_use]
    pub fn variable(path: &str) -> String {
        format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
    }

    /// Whether that variable is set.
    #[must_use]
    pub fn sets(&self, path: &str) -> bool {
        let variable = Self::variable(path);
        self.variables.iter().any(|(name, _)| *name == variable)
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut root = Dict::new();
        for (name, value) in &self.variables {
            let path = name[PREFIX.len()..].to_lowercase();
            insert(&mut root, &path.split("__").collect::<Vec<_>>(), parse(value));
        }
        Ok(Profile::Default.collect(root))
    }
}

fn parse(text: &str) -> Value {
    if text.starts_with(['[', '{', '"']) {
        // Infallible: what is no list or table comes back as text.
        let Ok(value) = text.parse::<Value>();
        return value;
    }
    Value::from(text)
}

fn insert(dict: &mut Dict, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            dict.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let child = dict.entry((*first).to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = child {
                insert(inner, rest, value);
            }
        }
    }
}
