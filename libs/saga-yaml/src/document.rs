//! Reading documents, one or a folder of them, and checking them.
//!
//! Separate because this is where the kinds of fault meet: what is no definition at all, found while reading; what makes
//! no sense, found by the engine's validator; and what does not fit its messages, found by the engine's checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backstitch_saga::check::Shapes;
use backstitch_saga::definition::Code;
use backstitch_saga::{Definition, DefinitionSpec, Problem, check_together};

use crate::error::{Fault, LoadError};
use crate::outline::{Outline, Place};

/// A definition that can be used, and the document it was read from.
#[derive(Debug)]
pub struct Document {
    source: Source,
    definition: Definition,
}

/// A document's text, as far as faults need it.
#[derive(Debug)]
struct Source {
    file: String,
    outline: Outline,
}

impl Source {
    /// The problems with their places in the text.
    fn placed(&self, problems: Vec<Problem>) -> Vec<Fault> {
        let fault = |problem: Problem| {
            let Place { line, column } = self.outline.place_of(&problem.path).unwrap_or(Place { line: 1, column: 1 });
            let Problem { code, path, message, wrong, expected } = problem;
            Fault { code, file: self.file.clone(), line, column, path, message, wrong, expected }
        };
        problems.into_iter().map(fault).collect()
    }
}

/// Definitions that passed their checks, and what their authors should know.
#[derive(Debug)]
pub struct Checked {
    /// The definitions, in order of their files' names.
    pub definitions: Vec<Definition>,
    /// The warnings, in the same order.
    pub warnings: Vec<Fault>,
}

impl Document {
    /// Reads a definition from a document's text; `file` is what faults call it.
    ///
    /// # Errors
    /// [`LoadError::Faulty`] with everything that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, LoadError> {
        let faulty = |faults| LoadError::Faulty { faults };
        let spec: DefinitionSpec =
            serde_saphyr::from_str(text).map_err(|error| faulty(vec![reading_fault(file, text, &error)]))?;
        let source = Source { file: file.to_owned(), outline: Outline::of(text) };
        match Definition::from_spec(spec) {
            Ok(definition) => Ok(Self { source, definition }),
            Err(error) => Err(faulty(source.placed(error.problems))),
        }
    }

    /// Reads a definition from a file.
    ///
    /// # Errors
    /// [`LoadError`] when the file cannot be read or is no usable definition.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// The definition.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The definition, when the document is no longer needed.
    #[must_use]
    pub fn into_definition(self) -> Definition {
        self.definition
    }

    /// Checks the definition against the shapes of its messages: its faults, then its warnings.
    #[must_use]
    pub fn check(&self, shapes: &Shapes) -> (Vec<Fault>, Vec<Fault>) {
        let found = self.definition.check(shapes);
        (self.source.placed(found.problems), self.source.placed(found.warnings))
    }
}

/// The documents of a folder, those that cannot be used included.
#[derive(Debug, Default)]
pub struct Documents {
    definitions: Vec<Definition>,
    /// Where each definition was read from.
    sources: Vec<Source>,
    faults: Vec<Fault>,
}

impl Documents {
    /// Reads every `.yaml` and `.yml` file of a folder, in order of their names. Two definitions of the same name and
    /// version are a fault.
    ///
    /// # Errors
    /// [`LoadError::Unreadable`] when the folder or a file cannot be read.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        Self::load_files(&files(folder)?)
    }

    /// Reads these files, and all documents of those that are folders. Two definitions of the same name and version are a fault.
    ///
    /// # Errors
    /// [`LoadError::Unreadable`] when a folder or a file cannot be read.
    pub fn load_files(paths: &[PathBuf]) -> Result<Self, LoadError> {
        let mut all = Vec::new();
        for path in paths {
            if path.is_dir() {
                all.extend(files(path)?);
            } else {
                all.push(path.clone());
            }
        }
        let mut documents = Self::default();
        let mut seen: BTreeMap<(String, u32), &Path> = BTreeMap::new();
        for path in &all {
            match Document::load(path) {
                Ok(Document { source, definition }) => {
                    let name = (definition.name().to_owned(), definition.version());
                    match seen.insert(name, path) {
                        Some(other) => documents.faults.push(twice(path, other, &definition)),
                        None => {
                            documents.definitions.push(definition);
                            documents.sources.push(source);
                        }
                    }
                }
                Err(LoadError::Faulty { faults }) => documents.faults.extend(faults),
                Err(unreadable @ LoadError::Unreadable { .. }) => return Err(unreadable),
            }
        }
        Ok(documents)
    }

    /// The definitions that can be used as far as is known.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter()
    }

    /// Checks every definition by itself, against the shapes of its messages, and all of them together.
    ///
    /// # Errors
    /// [`LoadError::Faulty`] with every fault of every file.
    pub fn check(mut self, shapes: &Shapes) -> Result<Checked, LoadError> {
        let mut warnings = Vec::new();
        for (definition, source) in self.definitions.iter().zip(&self.sources) {
            let found = definition.check(shapes);
            self.faults.extend(source.placed(found.problems));
            warnings.extend(source.placed(found.warnings));
        }
        self.unchecked().map(|definitions| Checked { definitions, warnings })
    }

    /// The definitions, not checked against any schema; what they say of each other is checked.
    ///
    /// # Errors
    /// [`LoadError::Faulty`] with every fault of every file.
    pub fn unchecked(mut self) -> Result<Vec<Definition>, LoadError> {
        // A definition that could not be read is missing here, and nobody else's fault.
        let all_were_read = self.faults.iter().all(|fault| !is_about_reading(fault));
        if all_were_read {
            for (index, problem) in check_together(&self.definitions) {
                let placed = self.sources.get(index).map(|source| source.placed(vec![problem]));
                self.faults.extend(placed.unwrap_or_default());
            }
        }
        if self.faults.is_empty() { Ok(self.definitions) } else { Err(LoadError::Faulty { faults: self.faults }) }
    }
}

/// Faults of single documents, which leave a definition out.
const fn is_about_reading(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::NoDefinition | Code::Rule | Code::NoExpression | Code::UnknownName | Code::OwnResult | Code::Twice
    )
}

/// Reads a definition from a document's text; `file` is what faults call it.
///
/// # Errors
/// [`LoadError::Faulty`] with everything that is wrong.
pub fn parse(file: &str, text: &str) -> Result<Definition, LoadError> {
    Document::parse(file, text).map(Document::into_definition)
}

/// Reads a definition from a file.
///
/// # Errors
/// [`LoadError`] when the file cannot be read or is no usable definition.
pub fn load_file(path: &Path) -> Result<Definition, LoadError> {
    Document::load(path).map(Document::into_definition)
}

/// Reads every `.yaml` and `.yml` file of a folder, in order of their names. All faults of all files are reported,
/// and so are two definitions of the same name and version. Nothing is checked against schemas.
///
/// # Errors
/// [`LoadError`] when the folder cannot be read or any file is no usable definition.
pub fn load_dir(folder: &Path) -> Result<Vec<Definition>, LoadError> {
    Documents::load(folder)?.unchecked()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
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
        code: Code::Twice,
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
    Fault { code: Code::NoDefinition, file: file.to_owned(), line, column, path, message, wrong, expected }
}
