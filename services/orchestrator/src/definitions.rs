//! The definitions a process knows: those deployed now, which start sagas, and all that live sagas still run on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use backstitch_saga::{Definition, DefinitionError};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::{self, SagaStore};

/// Definitions by hash, and which of them start sagas.
#[derive(Debug, Default)]
pub struct Definitions {
    // Both are sorted, so that every process asks them in the same order and finds the same home for a message.
    deployed: BTreeMap<String, Arc<Definition>>,
    // Grows when a lane meets a saga of a definition that another process deployed.
    by_hash: RwLock<BTreeMap<String, Arc<Definition>>>,
}

/// Why the stored definitions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The database did not answer as expected.
    #[error("the stored definitions cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// A stored definition is one that this release cannot run.
    #[error("the stored definition {hash} cannot be run by this release")]
    Stored {
        /// Its hash.
        hash: String,
        /// What is wrong with it.
        #[source]
        source: DefinitionError,
    },
    /// A definition's canonical form is no JSON; never seen.
    #[error("the definition `{name}` has no canonical form")]
    Canonical {
        /// Its name.
        name: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Definitions {
    /// These as deployed, none having been stored before.
    #[must_use]
    pub fn of(deployed: Vec<Definition>) -> Self {
        let mut known = Self::default();
        for definition in deployed {
            known.deploy(Arc::new(definition));
        }
        known
    }

    /// Keeps the deployed definitions in the database and reads what was deployed before.
    ///
    /// # Errors
    /// [`DefinitionsError`].
    pub async fn keep(deployed: Vec<Definition>, db: &mut PgConnection) -> Result<Self, DefinitionsError> {
        let mut known = Self::default();
        for definition in deployed {
            let definition = Arc::new(definition);
            let name = definition.name();
            let body = serde_json::from_str(definition.to_canonical_json())
                .map_err(|source| DefinitionsError::Canonical { name: name.to_owned(), source })?;
            store::keep_definition(definition.hash(), name, definition.version(), body, db).await?;
            known.deploy(definition);
        }
        let stored = store::definitions(db).await?;
        known.learn(stored)?;
        Ok(known)
    }

    fn deploy(&mut self, definition: Arc<Definition>) {
        self.write().insert(definition.hash().to_owned(), definition.clone());
        let newest = self.deployed.get(definition.name());
        if newest.is_none_or(|newest| newest.version() < definition.version()) {
            self.deployed.insert(definition.name().to_owned(), definition);
        }
    }

    fn learn(&self, stored: Vec<(String, serde_json::Value)>) -> Result<(), DefinitionsError> {
        for (hash, body) in stored {
            if self.get(&hash).is_none() {
                let definition = Definition::from_canonical_json(&body.to_string())
                    .map_err(|source| DefinitionsError::Stored { hash: hash.clone(), source })?;
                self.write().insert(hash, Arc::new(definition));
            }
        }
        Ok(())
    }

    /// Reads again what is stored, for hashes that were not known.
    ///
    /// # Errors
    /// [`DefinitionsError`].
    pub async fn refresh<D: SagaStore>(&self, db: &mut D) -> Result<(), DefinitionsError> {
        let stored = db.definitions().await?;
        self.learn(stored)
    }

    /// The definition with this hash.
    #[must_use]
    pub fn get(&self, hash: &str) -> Option<Arc<Definition>> {
        self.by_hash.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(hash).cloned()
    }

    /// The newest deployed definition of this name: the one that starts sagas.
    #[must_use]
    pub fn deployed(&self, name: &str) -> Option<&Arc<Definition>> {
        self.deployed.get(name)
    }

    /// All deployed definitions.
    pub fn all_deployed(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.deployed.values()
    }

    /// Every definition that a live saga may run on.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Definition>> {
        self.by_hash.read().unwrap_or_else(std::sync::PoisonError::into_inner).values().cloned().collect()
    }

    /// Topics whose events any of them reads.
    #[must_use]
    pub fn event_topics(&self) -> BTreeSet<String> {
        self.all().iter().flat_map(|definition| owned(definition.event_topics())).collect()
    }

    /// Topics that any of them writes commands or events to.
    #[must_use]
    pub fn written_topics(&self) -> BTreeSet<String> {
        let written = |definition: &Arc<Definition>| {
            let mut topics = owned(definition.command_topics());
            topics.extend(owned(definition.emit_topics()));
            topics
        };
        self.all().iter().flat_map(written).collect()
    }

    /// The id of the saga with this definition name and key.
    #[must_use]
    pub fn saga_id(name: &str, key: &str) -> Uuid {
        backstitch_saga::SagaId::derive(name, key).as_uuid()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<Definition>>> {
        self.by_hash.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn owned(topics: BTreeSet<&str>) -> BTreeSet<String> {
    topics.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
