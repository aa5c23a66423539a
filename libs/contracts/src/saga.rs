//! Commands to sagas, and definitions. The journal's records belong to the engine, which alone writes and reads them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::payload::payload;

/// The topic of commands to sagas: any producer may send them.
pub const COMMANDS: &str = "saga.commands";
/// The internal topic whose partitions are the lanes. Carries messages of other topics, unchanged.
pub const INPUTS: &str = "saga.inputs";
/// The topic of the sagas' journals.
pub const EVENTS: &str = "saga.events";
/// The compacted topic of definitions.
pub const DEFINITIONS: &str = "saga.definitions";

/// Start a saga. Starting twice is starting once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSaga {
    /// Name of the definition.
    pub definition: String,
    /// One saga per definition and key.
    pub key: String,
    /// The saga's data, a JSON object as text.
    pub data: String,
}
payload!(StartSaga, COMMANDS);

macro_rules! operator_command {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub struct $name {
            /// The saga; or definition and key name it.
            #[serde(default)]
            pub saga_id: Option<Uuid>,
            /// Name of the definition.
            #[serde(default)]
            pub definition: Option<String>,
            /// The saga's key.
            #[serde(default)]
            pub key: Option<String>,
            /// The step meant; absent for whatever waits.
            #[serde(default)]
            pub step: Option<String>,
            /// For people, kept in the journal.
            #[serde(default)]
            pub reason: Option<String>,
        }
        payload!($name, COMMANDS);
    };
}

operator_command!(
    /// End the saga early, rolling back what was done.
    CancelSaga
);
operator_command!(
    /// Stop the saga and its clock.
    PauseSaga
);
operator_command!(
    /// Let a paused saga go on, with the time it had left.
    ResumeSaga
);
operator_command!(
    /// Ask again where a saga is stuck.
    RetrySaga
);
operator_command!(
    /// Go on as if the stuck step had been done.
    SkipStep
);
operator_command!(
    /// End a stuck saga as it is; a person takes over.
    AbandonSaga
);

/// Go on under another definition of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MigrateSaga {
    /// The saga; or definition and key name it.
    #[serde(default)]
    pub saga_id: Option<Uuid>,
    /// Name of the definition.
    #[serde(default)]
    pub definition: Option<String>,
    /// The saga's key.
    #[serde(default)]
    pub key: Option<String>,
    /// Hash of the definition it is to go on under.
    pub to_hash: String,
    /// For people, kept in the journal.
    #[serde(default)]
    pub reason: Option<String>,
}
payload!(MigrateSaga, COMMANDS);

/// Start a saga on behalf of a step that waits for its end. Starting twice is starting once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSubSaga {
    /// Name of the definition.
    pub definition: String,
    /// One saga per definition and key.
    pub key: String,
    /// The saga's data, JSON as text.
    pub data: String,
    /// The saga whose step asks.
    pub parent_id: Uuid,
    /// Name of that saga's definition.
    pub parent_definition: String,
    /// That saga's key.
    pub parent_key: String,
    /// The step.
    pub parent_step: String,
}
payload!(StartSubSaga, COMMANDS);

/// The step that started a saga wants it rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelSubSaga {
    /// Name of the definition.
    pub definition: String,
    /// The saga's key.
    pub key: String,
    /// The saga whose step asks.
    pub parent_id: Uuid,
    /// Name of that saga's definition.
    pub parent_definition: String,
    /// That saga's key.
    pub parent_key: String,
    /// The step.
    pub parent_step: String,
    /// Whether it is to be rolled back even if it has completed.
    pub completed_too: bool,
    /// For people, kept in the journal.
    #[serde(default)]
    pub reason: Option<String>,
}
payload!(CancelSubSaga, COMMANDS);

/// A saga tells the step that started it what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSubSaga {
    /// The saga whose step waits.
    pub saga_id: Uuid,
    /// That saga's key.
    pub key: String,
    /// The step.
    pub step: String,
    /// `SubSagaCompleted`, `SubSagaRolledBack` or `SubSagaGoesOn`.
    pub answer: String,
    /// Why, unless all went well.
    #[serde(default)]
    pub reason: Option<String>,
    /// The definition's result, JSON as text.
    #[serde(default)]
    pub result: Option<String>,
    /// The saga that tells.
    pub sub_saga_id: Uuid,
    /// Name of its definition.
    pub sub_saga_definition: String,
    /// Its key.
    pub sub_saga_key: String,
}
payload!(ReportSubSaga, COMMANDS);

/// Hand a signal to a saga that waits for it, or will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalSaga {
    /// The saga; or definition and key name it.
    #[serde(default)]
    pub saga_id: Option<Uuid>,
    /// Name of the definition.
    #[serde(default)]
    pub definition: Option<String>,
    /// The saga's key.
    #[serde(default)]
    pub key: Option<String>,
    /// The signal's name.
    pub signal: String,
    /// What it carries, JSON as text.
    #[serde(default = "nothing")]
    pub data: String,
}
payload!(SignalSaga, COMMANDS);

fn nothing() -> String {
    "{}".to_owned()
}

/// A definition that sagas were started on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaDefinition {
    /// Of the body; names it on its topic.
    pub hash: String,
    /// The definition's name.
    pub name: String,
    /// The definition's version.
    pub version: i32,
    /// The definition, JSON as text.
    pub body: String,
}
payload!(SagaDefinition, DEFINITIONS);
