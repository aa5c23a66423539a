//! Tables for people, JSON for programs. Separate, so that every command shows both alike.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::cli::Cli;
use crate::exit::{self, Coded};

/// Prints one line or block. A reader that went away (`| head`) ends the process quietly.
pub(crate) fn print(text: &str) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a value as JSON, indented.
///
/// # Errors
/// If the value has no JSON form.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table with these headings.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    // Ragged ends of lines are noise in diffs and when pasted.
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Prints an error: to standard error, with its sources; as JSON where JSON was asked for.
pub(crate) fn error(cli: &Cli, error: &anyhow::Error) {
    let code = exit::of(error);
    let name = code.error_code();
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    if cli.json {
        eprintln!("{}", json!({ "error": text, "code": name, "exit_code": code as u8 }));
    } else if error.is::<Coded>() {
        eprintln!("{text} [{name}]");
    } else {
        eprintln!("failed: {text} [{name}]");
    }
}
