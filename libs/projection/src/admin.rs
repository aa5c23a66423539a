//! What people ask of projections: to see them, to rebuild one, to swap it in, to call it off. Separate from what drives
//! rebuilds, which does the same things by itself.

use std::sync::Arc;

use sqlx::{PgPool, Row as _};

use crate::drive::{Host, begin_building, hosted};
use crate::layout::{InstallError, drop_version, lock};
use crate::projection::Projection;
use crate::status::{VersionStatus, list};
use crate::swap::swap;

pub use crate::swap::SwapError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such projection.
    #[error("there is no projection `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those there are, with commas.
        known: String,
    },
    /// One at a time.
    #[error("a version of `{name}` is being built already; cancel it first")]
    BeingBuilt {
        /// The projection.
        name: &'static str,
    },
    /// Not swapped.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// The database said no, or did not answer.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
}

/// The projections of a read database, and what people may ask of them.
#[derive(Clone)]
pub struct Admin {
    hosts: Vec<Arc<dyn Host>>,
    pool: PgPool,
}

impl Admin {
    /// Of no projection yet, in this read database.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { hosts: Vec::new(), pool }
    }

    /// One more.
    ///
    /// # Errors
    /// [`InstallError::Name`] if its name cannot be that of a schema.
    pub fn with<P: Projection>(mut self, projection: P) -> Result<Self, InstallError> {
        self.hosts.push(hosted(projection)?);
        Ok(self)
    }

    pub(crate) fn hosts(&self) -> &[Arc<dyn Host>] {
        &self.hosts
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Every version that has tables, with its progress.
    ///
    /// # Errors
    /// [`AdminError::Database`].
    pub async fn list(&self) -> Result<Vec<VersionStatus>, AdminError> {
        Ok(list(&self.pool).await?)
    }

    /// Builds the projection anew, beside the one that serves; answers the new version. It goes live by itself once it
    /// is verified, if that is wanted.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn rebuild(&self, name: &str, asked_by: &str, swaps_by_itself: bool) -> Result<i32, AdminError> {
        let host = self.host(name)?;
        let begun = begin_building(host, asked_by, swaps_by_itself, &self.pool).await?;
        begun.ok_or_else(|| AdminError::BeingBuilt { name: host.name().text() })
    }

    /// Shows the version that is being built; answers its number. `force` shows one that differs from the live one.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn swap(&self, name: &str, force: bool) -> Result<i32, AdminError> {
        Ok(swap(self.host(name)?, force, &self.pool).await?)
    }

    /// Gives the version that is being built up; answers its number.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn cancel(&self, name: &str) -> Result<i32, AdminError> {
        let host = self.host(name)?;
        let mut transaction = self.pool.begin().await?;
        lock(host.name(), &mut transaction).await?;
        let row = sqlx::query(
            "UPDATE projection.versions
             SET state = 'retired', retired_at = clock_timestamp(), dropped_at = clock_timestamp()
             WHERE name = $1 AND state = 'building' RETURNING version",
        )
        .bind(host.name().text())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Err(SwapError::NothingBuilt { name: host.name().text() }.into()) };
        let version = row.try_get("version")?;
        drop_version(host.name(), version, host.tables(), &mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(projection = host.name().text(), version, "a rebuild was called off");
        Ok(version)
    }

    fn host(&self, name: &str) -> Result<&dyn Host, AdminError> {
        let host = self.hosts.iter().find(|host| host.name().text() == name);
        host.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<_> = self.hosts.iter().map(|host| format!("`{}`", host.name().text())).collect();
            AdminError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}
