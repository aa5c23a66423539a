//! A decoder that asks the registry for schemas it has not seen. Separate from the decoder, which has no network, and
//! here, because everybody who reads a topic needs it: lanes and projections alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_contracts::{DecodeError, Decoder, Envelope, Opened};

use crate::{SchemaSource, SchemaSourceError};

/// Reads values; learns writers' schemas as they turn up.
pub struct LearningDecoder {
    decoder: Arc<Decoder>,
    schemas: Arc<dyn SchemaSource>,
}

/// Schema ids that the registry has said it does not have. Kept for one batch: it may have them a moment later.
#[derive(Debug, Default)]
pub struct UnknownSchemas(BTreeSet<u32>);

/// Why a value was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadValueError {
    /// It never will be.
    #[error("the value cannot be decoded")]
    Undecodable(#[from] DecodeError),
    /// The registry does not answer: whoever reads waits, nothing is given up.
    #[error("the schema registry is unavailable: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
}

impl LearningDecoder {
    /// Over these.
    #[must_use]
    pub fn new(decoder: Arc<Decoder>, schemas: Arc<dyn SchemaSource>) -> Self {
        Self { decoder, schemas }
    }

    /// The envelope in a value of `topic`, as it was written: not upcast.
    ///
    /// # Errors
    /// [`ReadValueError`].
    pub async fn read(
        &self,
        topic: &str,
        value: &[u8],
        unknown: &mut UnknownSchemas,
    ) -> Result<Envelope, ReadValueError> {
        Ok(self.open(topic, value, unknown).await?.finish()?)
    }

    /// The same in two steps, for whoever may find from the heading that the data are of no use.
    ///
    /// # Errors
    /// [`ReadValueError`].
    pub async fn open<'a>(
        &self,
        topic: &str,
        value: &'a [u8],
        unknown: &mut UnknownSchemas,
    ) -> Result<Opened<'a>, ReadValueError> {
        loop {
            match self.decoder.open(topic, value) {
                Err(DecodeError::UnknownSchema { id }) if !unknown.0.contains(&id) => {
                    if !self.learn(id).await? {
                        unknown.0.insert(id);
                    }
                }
                other => return Ok(other?),
            }
        }
    }

    /// Whether the registry knew the schema.
    async fn learn(&self, id: u32) -> Result<bool, ReadValueError> {
        match self.schemas.schema(id).await {
            Ok(text) => match self.decoder.learn(id, &text) {
                Ok(()) => Ok(true),
                Err(error) => {
                    tracing::warn!(schema = id, %error, "the registry's schema cannot be used");
                    Ok(false)
                }
            },
            Err(SchemaSourceError::Unknown { .. }) => Ok(false),
            Err(SchemaSourceError::Unavailable { reason }) => Err(ReadValueError::Unavailable { reason }),
        }
    }
}
