//! Reading documents, one or a folder of them.
//!
//! Separate because this is where the two kinds of fault meet: what is no definition at all, found while reading, and
//! what makes no sense, found by the engine's validator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backstitch_saga::{Definition, DefinitionSpec, Problem, check_together};

use crate::error::{Fault, LoadError};
use crate::outline::{Outline, Place};

/// Reads a definition from a document's text; `file` is what faults call it.
///
/// # Errors
/// [`LoadError::Faulty`] with everything that is wrong.
pub fn parse(file: &str, text: &str) -> Result<Definition, LoadError> {
    let faults = |faults| LoadError::Faulty { faults };
    let spec: DefinitionSpec =
        serde_saphyr::from_str(text).map_err(|error| faults(vec![reading_fault(file, text, &error)]))?;
    Definition::from_spec(spec).map_err(|error| {
        let outline = Outline::of(text);
        faults(error.problems.into_iter().map(|problem| fault(file, &outline, problem)).collect())
    })
}

/// Reads a definition from a file.
///
/// # Errors
/// [`LoadError`] when the file cannot be read or is no usable definition.
pub fn load_file(path: &Path) -> Result<Definition, LoadError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

/// Reads every `.yaml` and `.yml` file of a folder, in order of their names. All faults of all files are reported,
/// and so are two definitions of the same name and version.
///
/// # Errors
/// [`LoadError`] when the folder cannot be read or any file is no usable definition.
pub fn load_dir(folder: &Path) -> Result<Vec<Definition>, LoadError> {
    let mut definitions: Vec<Definition> = Vec::new();
    let mut paths = Vec::new();
    let mut faults = Vec::new();
    let mut seen: BTreeMap<(String, u32), PathBuf> = BTreeMap::new();
    for path in documents(folder)? {
        match load_file(&path) {
            Ok(definition) => {
                let name = (definition.name().to_owned(), definition.version());
                match seen.insert(name, path.clone()) {
                    Some(other) => faults.push(twice(&path, &other, &definition)),
                    None => {
                        definitions.push(definition);
                        paths.push(path);
                    }
                }
            }
            Err(LoadError::Faulty { faults: more }) => faults.extend(more),
            Err(unreadable @ LoadError::Unreadable { .. }) => return Err(unreadable),
        }
    }
    if faults.is_empty() {
        faults = together(&definitions, &paths);
    }
    if faults.is_empty() { Ok(definitions) } else { Err(LoadError::Faulty { faults }) }
}

/// What is wrong with definitions only because of each other.
fn together(definitions: &[Definition], paths: &[PathBuf]) -> Vec<Fault> {
    let problems = check_together(definitions);
    let faults = problems.into_iter().filter_map(|(index, problem)| {
        let path = paths.get(index)?;
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Some(fault(&path.display().to_string(), &Outline::of(&text), problem))
    });
    faults.collect()
}

fn fault(file: &str, outline: &Outline, problem: Problem) -> Fault {
    let Place { line, column } = outline.place_of(&problem.path).unwrap_or(Place { line: 1, column: 1 });
    let (path, message, wrong) = (problem.path, problem.message, problem.wrong);
    Fault { file: file.to_owned(), line, column, path, message, wrong, expected: problem.expected }
}

fn documents(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let is_document = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // A mounted ConfigMap holds hidden folders beside its files.
        if is_document && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn twice(path: &Path, other: &Path, definition: &Definition) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        path: "version".to_owned(),
        message: format!(
            "`{}` version {} is already defined in `{}`",
            definition.name(),
            definition.version(),
            other.display()
        ),
        wrong: None,
        expected: Vec::new(),
    }
}

fn reading_fault(file: &str, text: &str, error: &serde_saphyr::Error) -> Fault {
    let error = error.without_snippet();
    let place = error.location().map(|location| Place { line: location.line(), column: location.column() });
    let path = place.map(|place| Outline::of(text).path_at(place)).unwrap_or_default();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (message, wrong, expected) = match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown field `{field}`"), Some(field.clone()), words(expected))
        }
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown word `{variant}`"), Some(variant.clone()), words(expected))
        }
        serde_saphyr::Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), None, Vec::new()),
        other => (other.to_string(), None, Vec::new()),
    };
    let (line, column) = place.map_or((0, 0), |place| (place.line, place.column));
    Fault { file: file.to_owned(), line, column, path, message, wrong, expected }
}
