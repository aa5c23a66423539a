//! What a bench found, as tables: printed, kept as JSON, and as a page beside it. Separate from measuring, and the same
//! for every bench that is more than windows of one load.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::{ContentArrangement, Table, presets};
use maud::{DOCTYPE, Markup, html};
use serde::Serialize;
use serde_json::Value;

use crate::report::{STYLE, text};
use backstitch_measure::machine;

/// Everything one bench found.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    title: &'static str,
    machine: String,
    /// When it began.
    at: String,
    /// The load of the machine then: above nought, others were at work.
    load_average_before: f64,
    sections: Vec<Section>,
}

/// One table.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    name: String,
    /// What was done, and what the columns mean.
    about: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Section {
    pub(crate) fn new<C: Into<String>>(
        name: impl Into<String>,
        about: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { name: name.into(), about: about.into(), columns, rows: Vec::new() }
    }

    /// Adds a row; its cells are the columns'.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Value>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn printed(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(text));
        }
        // Ragged ends of lines are noise when pasted.
        let lines = table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        format!("\n{}\n{}\n{lines}", self.name, self.about)
    }

    fn drawn(&self) -> Markup {
        html! {
            h2 { (self.name) }
            p { (self.about) }
            table {
                tr { @for column in &self.columns { th { (column) } } }
                @for row in &self.rows {
                    tr { @for cell in row { td class=[cell.is_number().then_some("n")] { (text(cell)) } } }
                }
            }
        }
    }
}

impl Findings {
    /// Of a bench that begins now.
    pub(crate) fn begin(title: &'static str) -> Self {
        let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let load_average_before = machine::busy();
        Self { title, machine: machine::described(), at, load_average_before, sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Keeps them at `out`, with a page beside it, and prints them.
    pub(crate) fn keep(&self, out: &Path, json_only: bool) -> Result<()> {
        fs::write(out, serde_json::to_vec_pretty(self)?).context("the figures could not be kept")?;
        let page = out.with_extension("html");
        fs::write(&page, self.page()).context("the page could not be written")?;
        if json_only {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        for section in &self.sections {
            println!("{}", section.printed());
        }
        println!("\nkept in {} and {}", out.display(), page.display());
        Ok(())
    }

    fn page(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Backstitch: " (self.title) } style { (STYLE) } }
                body {
                    h1 { (self.title) }
                    p { (self.machine) ", " (self.at) "; load average before: " (self.load_average_before) "." }
                    @for section in &self.sections { (section.drawn()) }
                }
            }
        };
        page.into_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Findings, Section};

    #[test]
    fn every_cell_is_printed_and_on_the_page() {
        let mut section = Section::new("Takeover", "of lanes", ["fault", "ms"]);
        section.row([json!("kill"), json!(6_123.5)]);
        let printed = section.printed();
        assert!(printed.contains("kill") && printed.contains("6123.5"), "{printed}");
        let mut findings = Findings::begin("Taking over");
        findings.add(section);
        let page = findings.page();
        assert!(page.contains("<td class=\"n\">6123.5</td>") && page.contains("<td>kill</td>"), "{page}");
    }
}
