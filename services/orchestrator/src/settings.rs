//! What the orchestrator is told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `sagas`: where the definitions are.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SagasSettings {
    /// A folder of `*.yaml` documents, one definition each.
    pub dir: PathBuf,
}

impl Default for SagasSettings {
    fn default() -> Self {
        Self { dir: PathBuf::from("sagas") }
    }
}

backstitch_wiring::settings! {
    /// The orchestrator's settings.
    pub struct Settings {
        /// Where the definitions are.
        #[serde(default)]
        sagas: SagasSettings,
    }
}
