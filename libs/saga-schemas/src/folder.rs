//! Schemas of further topics from a folder, such as those of other teams.
//!
//! Separate because it reads files, and because their names mean something: each is called after its topic.

use std::path::{Path, PathBuf};

use backstitch_contracts::{Catalog, CatalogError, SchemaError};
use backstitch_saga::check::Shapes;

use crate::add_topic;

/// Why a folder of schemas cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or one of its files cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no schema of a topic.
    #[error("`{}` is no schema of a topic", path.display())]
    NoSchema {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<SchemaError>,
    },
    /// The folder has a `topics.json`, and is no catalog all the same.
    #[error("`{}` is no folder like `schemas/`", path.display())]
    Catalog {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: CatalogError,
    },
    /// Nothing in the folder is a schema.
    #[error("`{}` has no `.avsc` file: each is called after its topic, as in `kitchen.events.avsc`", path.display())]
    Empty {
        /// Which one.
        path: PathBuf,
    },
}

/// Adds the topics of a folder: one like `schemas/`, with a `topics.json`, or one with a file for each topic, called
/// `kitchen.events.avsc` or `kitchen.events-value.avsc`, as the registry has it. A topic that is known already is
/// replaced.
///
/// # Errors
/// [`FolderError`] naming the file that cannot be read or is wrong.
pub fn add_folder(shapes: &mut Shapes, folder: &Path) -> Result<(), FolderError> {
    if folder.join("topics.json").is_file() {
        let catalog = Catalog::load(folder).map_err(|source| FolderError::Catalog { path: folder.into(), source })?;
        for (topic, schema) in catalog.topics().filter_map(|topic| Some((&topic.name, topic.schema.as_ref()?))) {
            add(shapes, topic, schema, folder)?;
        }
        return Ok(());
    }
    let files = files(folder)?;
    if files.is_empty() {
        return Err(FolderError::Empty { path: folder.to_owned() });
    }
    for path in files {
        let text =
            std::fs::read_to_string(&path).map_err(|source| FolderError::Unreadable { path: path.clone(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        add(shapes, name.strip_suffix("-value").unwrap_or(&name), &text, &path)?;
    }
    Ok(())
}

fn add(shapes: &mut Shapes, topic: &str, schema: &str, path: &Path) -> Result<(), FolderError> {
    add_topic(shapes, topic, schema)
        .map_err(|source| FolderError::NoSchema { path: path.to_owned(), source: Box::new(source) })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "avsc") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
