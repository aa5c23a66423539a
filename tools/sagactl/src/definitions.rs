//! Definitions in files: checked and drawn without any connection, so that a build server gives the same answers as the
//! orchestrator. Those that sagas are under are the orchestrator's.

use std::path::Path;

use anyhow::Context;
use backstitch_contracts::Catalog;
use backstitch_saga::check::Shapes;
use backstitch_saga_drawing::{mermaid, svg};
use backstitch_saga_schemas::{add_folder, shapes_of};
use backstitch_saga_yaml::{Document, Documents, Fault, LoadError};
use serde::Serialize;
use serde_json::json;

use crate::cli::{CheckArgs, Cli, DefinitionsCommand, GraphArgs, GraphFormat};
use crate::exit::{Code, coded};
use crate::migrate;
use crate::output::{print, print_json};

pub(crate) async fn run(cli: &Cli, asked: &DefinitionsCommand) -> anyhow::Result<Code> {
    match asked {
        DefinitionsCommand::Check(asked) => check(cli, asked),
        DefinitionsCommand::Graph(asked) => graph(asked),
        DefinitionsCommand::Migrate(asked) => migrate::migrate(cli, asked).await,
        DefinitionsCommand::Schema => {
            print_json(&backstitch_saga::definition::json_schema())?;
            Ok(Code::Done)
        }
    }
}

/// What was found in all the files.
#[derive(Debug, Default)]
struct Report {
    definitions: Vec<Checked>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

/// A definition that can be used.
#[derive(Debug, Serialize)]
struct Checked {
    name: String,
    version: u32,
    hash: String,
}

fn check(cli: &Cli, asked: &CheckArgs) -> anyhow::Result<Code> {
    let shapes = shapes(asked)?;
    let documents = Documents::load_files(&asked.files).map_err(unreadable)?;
    let report = Report::of(documents, &shapes)?;
    let bad = !report.faults.is_empty() || (asked.strict && !report.warnings.is_empty());
    if cli.json {
        print_json(&json!({
            "definitions": report.definitions,
            "faults": shown(&report.faults),
            "warnings": shown(&report.warnings),
        }))?;
    } else {
        report.faults.iter().for_each(|fault| print(&fault.to_string()));
        report.warnings.iter().for_each(|warning| print(&format!("warning: {warning}")));
        print(&report.summary());
    }
    Ok(if bad { Code::NotAsItShould } else { Code::Done })
}

/// Each with its sentence as people read it, and its parts.
fn shown(faults: &[Fault]) -> Vec<serde_json::Value> {
    let shown = faults.iter().map(|fault| {
        let mut value = json!(fault);
        value["text"] = json!(fault.to_string());
        value
    });
    shown.collect()
}

fn shapes(asked: &CheckArgs) -> anyhow::Result<Shapes> {
    let catalog = Catalog::embedded().context("the catalog this program was built with is wrong")?;
    let mut shapes = shapes_of(&catalog)?;
    for folder in &asked.schemas {
        add_folder(&mut shapes, folder).map_err(|error| {
            let text = anyhow::Error::new(error).chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            coded(Code::Usage, text)
        })?;
    }
    Ok(shapes)
}

impl Report {
    fn of(documents: Documents, shapes: &Shapes) -> anyhow::Result<Self> {
        match documents.check(shapes) {
            Ok(checked) => {
                let definitions = checked.definitions.iter().map(|definition| Checked {
                    name: definition.name().to_owned(),
                    version: definition.version(),
                    hash: definition.hash().to_owned(),
                });
                let definitions = definitions.collect();
                Ok(Self { definitions, faults: Vec::new(), warnings: checked.warnings })
            }
            Err(LoadError::Faulty { faults }) => Ok(Self { faults, ..Self::default() }),
            Err(error @ LoadError::Unreadable { .. }) => Err(unreadable(error)),
        }
    }

    fn summary(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let told = [count(self.faults.len(), "fault"), count(self.warnings.len(), "warning")].join(", ");
        match self.definitions.as_slice() {
            [] => told,
            [one] => format!("{} v{} is sound: {told}", one.name, one.version),
            all => format!("{} are sound: {told}", count(all.len(), "definition")),
        }
    }
}

fn graph(asked: &GraphArgs) -> anyhow::Result<Code> {
    let definition = load(&asked.file)?;
    let sketch = definition.definition().sketch();
    let picture = match asked.format {
        GraphFormat::Mermaid => mermaid(&sketch),
        GraphFormat::Svg => svg(&sketch),
    };
    print(picture.trim_end());
    Ok(Code::Done)
}

fn load(file: &Path) -> anyhow::Result<Document> {
    Document::load(file).map_err(|error| match &error {
        LoadError::Faulty { .. } => coded(Code::NotAsItShould, error.to_string()),
        LoadError::Unreadable { .. } => unreadable(error),
    })
}

fn unreadable(error: LoadError) -> anyhow::Error {
    let text = anyhow::Error::new(error).chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    coded(Code::Usage, text)
}
