//! What can be asked for. Separate from doing it; `--help` is generated from here.

mod acts;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

pub(crate) use acts::{ActArgs, MigrateArgs};

const EXIT_CODES: &str = "\
Exit codes:
   0  done as asked
   1  failed for another reason
   2  looked, and it is not as it should be (a definition has faults, a saga cannot move, a topic differs, a schema is incompatible or missing)
   3  no such saga, definition, participant, topic, dead letter or read model
   4  the saga's state, or a rule, does not allow it
   5  no token, an unknown token, or one without the role
  64  the command line or the settings are wrong
  69  the service asked, Kafka or the registry does not answer
  75  the command was sent, but what it leads to was not seen in time";

/// Sagas, dead letters, topics, schemas and read models of Backstitch.
#[derive(Debug, Parser)]
#[command(name = "sagactl", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where the orchestrator answers
    #[arg(long, global = true, env = "ORCHESTRATOR_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) orchestrator: String,
    /// The bearer token that changes need
    #[arg(long, global = true, env = "ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Where Kafka answers; security is set by --config or BACKSTITCH_KAFKA__… as for a service
    #[arg(long, global = true, env = "KAFKA_BOOTSTRAP", value_name = "HOST:PORT")]
    pub(crate) kafka: Option<String>,
    /// Where the schema registry answers
    #[arg(long, global = true, env = "SCHEMA_REGISTRY_URL", value_name = "URL")]
    pub(crate) registry: Option<String>,
    /// Read `[kafka]` and `[registry]` from this TOML file, such as a service's own
    #[arg(long, global = true, env = "BACKSTITCH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a saga; starting twice is starting once
    Start(StartArgs),
    /// List sagas, newest first
    List(ListArgs),
    /// Show a saga with its timeline
    Show(SagaArgs),
    /// Follow a saga until it ends or is stuck
    Watch(SagaArgs),
    /// Hand a signal to a saga
    Signal(SignalArgs),
    /// Roll a saga back
    Cancel(ActArgs),
    /// Stop a saga and its clock
    Pause(ActArgs),
    /// Let a paused saga go on
    Resume(ActArgs),
    /// Ask again where a saga is stuck
    Retry(ActArgs),
    /// Go on as if the stuck step had been done
    Skip(ActArgs),
    /// End a stuck saga as it is
    Abandon(ActArgs),
    /// Definitions: check and draw those in files, which needs no connection; move sagas from one to another
    #[command(subcommand)]
    Definitions(DefinitionsCommand),
    /// Participants: whose clocks stand still, and standing them still by hand
    #[command(subcommand)]
    Participants(ParticipantsCommand),
    /// Show what led to an event and what it led to, from the first command on
    Trace(TraceArgs),
    /// Dead letters: look at them, and send them again
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Schemas of the topics in the registry
    #[command(subcommand)]
    Schemas(SchemasCommand),
    /// The topics Backstitch needs
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Read models: how far they are, and building them anew
    Projections(ProjectionsArgs),
}

/// What to do with participants.
#[derive(Debug, Subcommand)]
pub(crate) enum ParticipantsCommand {
    /// List participants and how their circuit breakers stand
    List,
    /// Let the clocks of what a participant was asked stand still, until it is resumed
    Pause {
        /// The topic of its commands, as lists show it
        topic: String,
        /// Why; shown to others
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let the clocks of what a participant was asked run again
    Resume {
        /// The topic of its commands, as lists show it
        topic: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Read models of the order service.
#[derive(Debug, Args)]
pub(crate) struct ProjectionsArgs {
    /// Where the order service answers
    #[arg(long, global = true, env = "ORDER_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) order: String,
    /// What to do with them
    #[command(subcommand)]
    pub(crate) command: ProjectionsCommand,
}

/// What to do with read models.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// List every version: its state, progress and time left
    List,
    /// Build one anew beside the one that serves; it is shown once it is verified
    Rebuild {
        /// Its name, as lists show it
        name: String,
        /// Show it only at `swap`
        #[arg(long)]
        by_hand: bool,
    },
    /// Show the version that is being built instead of the live one
    Swap {
        /// Its name, as lists show it
        name: String,
        /// Also if it differs from the live one
        #[arg(long)]
        force: bool,
    },
    /// Give up the version that is being built
    Cancel {
        /// Its name, as lists show it
        name: String,
    },
}

/// Of which event.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The id of an event, a command or a whole flow (correlation id)
    pub(crate) event: Uuid,
    /// Read topics only from this time on (RFC 3339); all that they hold when absent
    #[arg(long)]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Read this topic; repeat it for more. All of ours when absent; name others' topics here
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Show the journals of sagas, too
    #[arg(long)]
    pub(crate) journal: bool,
}

/// Which saga.
#[derive(Debug, Args)]
pub(crate) struct SagaArgs {
    /// The saga's id, or its key
    pub(crate) saga: String,
    /// The definition's name, where several have a saga with that key
    #[arg(long)]
    pub(crate) definition: Option<String>,
}

/// A saga to start.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The definition's name
    pub(crate) definition: String,
    /// The saga's key
    pub(crate) key: String,
    /// The saga's data: a JSON object, `@FILE`, or `-` for standard input
    #[arg(long, default_value = "{}")]
    pub(crate) data: String,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Seconds to wait for what it leads to, up to 20
    #[arg(long, default_value_t = 5.0)]
    pub(crate) wait: f64,
}

/// Which sagas.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only these statuses, with commas: advancing, rolling_back, paused, stuck, completed, rolled_back, abandoned
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only this definition
    #[arg(long)]
    pub(crate) definition: Option<String>,
    /// Only those under the definition with this hash
    #[arg(long)]
    pub(crate) definition_hash: Option<String>,
    /// Only this key
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Only those with this search attribute; repeat it for more, all of which must hold
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attributes: Vec<(String, String)>,
    /// Only those started at or after this time (RFC 3339)
    #[arg(long)]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only those started before this time (RFC 3339)
    #[arg(long)]
    pub(crate) until: Option<DateTime<Utc>>,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A signal.
#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// The saga's id, or its key
    pub(crate) saga: String,
    /// The signal's name
    pub(crate) name: String,
    /// The definition's name, where several have a saga with that key
    #[arg(long)]
    pub(crate) definition: Option<String>,
    /// What it says: JSON, `@FILE`, or `-` for standard input
    #[arg(long, default_value = "{}")]
    pub(crate) data: String,
    /// Why; journaled
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// What to do with definitions.
#[derive(Debug, Subcommand)]
pub(crate) enum DefinitionsCommand {
    /// Check definitions as the orchestrator does before it starts
    Check(CheckArgs),
    /// Draw a definition: the way forward, every outcome, and the way back
    Graph(GraphArgs),
    /// Print the JSON Schema of definitions, for editors
    Schema,
    /// Let live sagas go on under another definition of their name
    Migrate(MigrateArgs),
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files, or folders with `.yaml` and `.yml` files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A folder of further schemas: one like `schemas/`, or with a file for each topic, as in `kitchen.events.avsc`
    #[arg(long = "schemas", value_name = "FOLDER")]
    pub(crate) schemas: Vec<PathBuf>,
    /// Warnings count as faults
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What to draw.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The definition
    pub(crate) file: PathBuf,
    /// As what
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
}

/// Kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text that code hosts and wikis draw
    Mermaid,
    /// A picture
    Svg,
}

/// Dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters that were not sent again yet
    List(DlqListArgs),
    /// Show one with its headers and content
    Show {
        /// `TOPIC.dlq/PARTITION/OFFSET`, as lists show it
        id: String,
    },
    /// Send dead letters again, to the group that could not deal with them
    Redrive(RedriveArgs),
}

/// Which dead letters.
#[derive(Debug, Args, Default)]
pub(crate) struct DlqFilter {
    /// Only of this topic (the original's name)
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Only of this consumer group
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only with this reason
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Only failures of this kind
    #[arg(long)]
    pub(crate) fingerprint: Option<String>,
    /// Also those that were sent again
    #[arg(long)]
    pub(crate) all: bool,
}

/// Which dead letters to list.
#[derive(Debug, Args)]
pub(crate) struct DlqListArgs {
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Which dead letters to send again.
#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// These, as lists show them; or name them by the filters
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Schemas.
#[derive(Debug, Subcommand)]
pub(crate) enum SchemasCommand {
    /// Register every topic's schema that the registry lacks, backward compatible with all before it
    Push(SchemasArgs),
    /// Check that the registry has, or would take, every topic's schema; change nothing
    Check(SchemasArgs),
}

/// Where schemas are.
#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// A folder like `schemas/`, instead of those this program was built with
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// Topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Create the topics that are missing; change none that is there
    Create(CreateTopicsArgs),
    /// List the topics Backstitch needs, and how many partitions each has
    List(SchemasArgs),
}

/// How to create topics.
#[derive(Debug, Args)]
pub(crate) struct CreateTopicsArgs {
    /// Partitions of each topic; those of `saga.inputs` are the orchestrator's lanes, for good
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub(crate) partitions: i32,
    /// Replicas of each partition; with 3 or more, 2 must be in sync for a write
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=9))]
    pub(crate) replication: i32,
    #[command(flatten)]
    pub(crate) schemas: SchemasArgs,
}
