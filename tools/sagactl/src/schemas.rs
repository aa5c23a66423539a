//! The topics' schemas in the registry: registered here, before anything is deployed, and by nobody else.

use anyhow::Context;
use backstitch_contracts::{Catalog, Decoder, Envelope, Topic, schema_id};
use backstitch_messaging_kafka::registry::{BACKWARD_TRANSITIVE, ChangeError, FindError, Registry, RegistrySettings};
use serde::Serialize;

use crate::cli::{Cli, SchemasCommand};
use crate::connect;
use crate::exit::{Code, coded};
use crate::output::{print, print_json, table};
use crate::topics::catalog;

/// What was found or done for one subject.
#[derive(Debug, Serialize)]
struct Report {
    subject: String,
    state: State,
    id: Option<u32>,
    /// Versions that the schema cannot follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    misfits: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Registered,
    There,
    Missing,
    Incompatible,
}

pub(crate) async fn run(cli: &Cli, asked: &SchemasCommand) -> anyhow::Result<Code> {
    let registry = Registry::new(connect::registry(cli)?).map_err(|error| coded(Code::Usage, error.to_string()))?;
    let (reports, bad) = match asked {
        SchemasCommand::Push(asked) => (push(&registry, &catalog(asked)?).await?, [State::Incompatible].as_slice()),
        SchemasCommand::Check(asked) => {
            (check_all(&registry, &catalog(asked)?).await?, [State::Incompatible, State::Missing].as_slice())
        }
    };
    let code = if reports.iter().any(|report| bad.contains(&report.state)) { Code::NotAsItShould } else { Code::Done };
    if cli.json {
        print_json(&reports)?;
    } else {
        let rows = reports.iter().map(|report| {
            let id = report.id.map(|id| id.to_string()).unwrap_or_default();
            [report.subject.clone(), words(report), id]
        });
        print(&table(["subject", "state", "id"], rows));
    }
    Ok(code)
}

/// Registers what is missing. All are checked first: a catalog goes in as a whole or not at all.
async fn push(registry: &Registry, catalog: &Catalog) -> anyhow::Result<Vec<Report>> {
    let mut reports = check_all(registry, catalog).await?;
    if reports.iter().any(|report| report.state == State::Incompatible) {
        return Ok(reports);
    }
    for (report, (topic, schema)) in reports.iter_mut().zip(with_schema(catalog)) {
        // Set each time: registries differ in their defaults, and somebody may have changed it.
        registry.set_compatibility(&topic.subject(), BACKWARD_TRANSITIVE).await.map_err(not_changed)?;
        if report.state == State::Missing {
            report.id = Some(registry.register(&topic.subject(), schema).await.map_err(not_changed)?);
            report.state = State::Registered;
        }
    }
    Ok(reports)
}

async fn check_all(registry: &Registry, catalog: &Catalog) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (topic, schema) in with_schema(catalog) {
        reports.push(check(registry, topic, schema).await?);
    }
    Ok(reports)
}

async fn check(registry: &Registry, topic: &Topic, schema: &str) -> anyhow::Result<Report> {
    let subject = topic.subject();
    match registry.id_of(&subject, schema).await {
        Ok(id) => Ok(Report { subject, state: State::There, id: Some(id), misfits: Vec::new() }),
        Err(FindError::NotFound { .. }) => {
            let misfits = registry.check(&subject, schema).await.map_err(not_changed)?;
            let state = if misfits.is_empty() { State::Missing } else { State::Incompatible };
            Ok(Report { subject, state, id: None, misfits })
        }
        Err(error @ FindError::Unavailable { .. }) => Err(coded(Code::Unreachable, error.to_string())),
    }
}

fn with_schema(catalog: &Catalog) -> impl Iterator<Item = (&Topic, &str)> {
    catalog.topics().filter_map(|topic| Some((topic, topic.schema.as_deref()?)))
}

fn words(report: &Report) -> String {
    let versions = || report.misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match report.state {
        State::Registered => "registered".to_owned(),
        State::There => "there".to_owned(),
        State::Missing => "missing; `sagactl schemas push` registers it".to_owned(),
        State::Incompatible => format!("cannot read what version {} wrote", versions()),
    }
}

fn not_changed(error: ChangeError) -> anyhow::Error {
    let code = match &error {
        ChangeError::Refused { .. } => Code::Refused,
        ChangeError::Unavailable { .. } => Code::Unreachable,
    };
    coded(code, error.to_string())
}

/// A message of `topic`, read with its writer's schema from the registry.
///
/// # Errors
/// Why these bytes are no message.
pub(crate) async fn decode(registry: &RegistrySettings, topic: &str, bytes: &[u8]) -> anyhow::Result<Envelope> {
    let decoder = Decoder::new(&Catalog::embedded()?)?;
    let id = schema_id(bytes).context("the bytes do not begin with a schema id")?;
    let writer = Registry::new(registry.clone())?.schema(id).await?;
    decoder.learn(id, &writer)?;
    Ok(decoder.decode(topic, bytes)?)
}
