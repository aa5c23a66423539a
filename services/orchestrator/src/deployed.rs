//! The definitions that are deployed, read from their folder and checked before anything else happens. Separate from
//! those that are known, because a definition that live sagas run on is not checked again: it has been running.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use backstitch_contracts::Catalog;
use backstitch_saga::Definition;
use backstitch_saga_schemas::{add_topic, shapes_of};
use backstitch_saga_yaml::Documents;

/// Reads every definition of a folder and checks it against the schemas of its messages: those this release was built
/// with, and for topics of other teams what `foreign` answers, which is `None` where there is no schema.
///
/// # Errors
/// With everything that is wrong in any of the documents; or when the folder cannot be read, holds no definition, or a
/// schema is not to be had.
pub async fn load(
    folder: &Path,
    catalog: &Catalog,
    foreign: impl AsyncFn(&str) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<Vec<Definition>> {
    let documents = Documents::load(folder)?;
    let mut shapes = shapes_of(catalog).context("the built-in schemas")?;
    let topics = documents.definitions().flat_map(Definition::topics);
    let unknown: BTreeSet<String> = topics.filter(|topic| shapes.topic(topic).is_none()).map(str::to_owned).collect();
    for topic in unknown {
        if let Some(schema) = foreign(&topic).await? {
            // Others may have an envelope of their own, which can be read all the same.
            if let Err(error) = add_topic(&mut shapes, &topic, &schema) {
                tracing::warn!(topic, %error, "definitions cannot be checked against this schema");
            }
        }
    }
    let checked = documents.check(&shapes)?;
    for warning in &checked.warnings {
        tracing::warn!(code = warning.code.as_str(), %warning, "a definition may not do what was meant");
    }
    let found = !checked.definitions.is_empty();
    ensure!(found, "no definition found in `{}`; set `sagas.dir`", folder.display());
    Ok(checked.definitions)
}

#[cfg(test)]
mod tests;
