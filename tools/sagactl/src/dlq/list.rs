//! Lists of dead letters.

use super::letter::{Letter, Summary};
use super::read::letters;
use crate::cli::{Cli, DlqListArgs};
use crate::connect;
use crate::exit::Code;
use crate::output::{print, print_json, table};
use crate::sagas::short_time;

pub(crate) async fn list(cli: &Cli, asked: &DlqListArgs) -> anyhow::Result<Code> {
    let letters = letters(&connect::kafka(cli)?, &asked.filter).await?;
    let left_out = letters.len().saturating_sub(asked.limit);
    let shown: Vec<Summary> = letters.iter().take(asked.limit).map(Letter::summary).collect();
    if cli.json {
        print_json(&shown)?;
    } else {
        print(&as_table(shown));
        if left_out > 0 {
            print(&format!("and {left_out} more; see --limit"));
        }
    }
    Ok(Code::Done)
}

/// Dead letters as a table.
pub(crate) fn as_table(letters: Vec<Summary>) -> String {
    let rows = letters.into_iter().map(|letter| {
        let or_empty = Option::unwrap_or_default;
        let at = short_time(&or_empty(letter.at));
        let about = or_empty(letter.event_type);
        [
            letter.id,
            or_empty(letter.key),
            about,
            or_empty(letter.group),
            or_empty(letter.reason),
            at,
            or_empty(letter.error),
        ]
    });
    table(["id", "key", "type", "group", "reason", "at", "error"], rows)
}
