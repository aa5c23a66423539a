//! The registry as the processor sees it: ids to schemas, and whether asking again makes sense. Separate from
//! [`crate::registry`], which also serves those who register.

use async_trait::async_trait;
use backstitch_messaging::{SchemaSource, SchemaSourceError};

use crate::registry::{FindError, Registry};

#[async_trait]
impl SchemaSource for Registry {
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError> {
        // The inherent method of that name, which knows more ways to fail.
        match Self::schema(self, id).await {
            Ok(schema) => Ok(schema.to_string()),
            Err(FindError::NotFound { .. }) => Err(SchemaSourceError::Unknown { id }),
            Err(unavailable @ FindError::Unavailable { .. }) => {
                Err(SchemaSourceError::Unavailable { reason: unavailable.to_string() })
            }
        }
    }
}
