//! Dead letters, read from their topics themselves. Separate from the orchestrator's API: a dead letter is often the
//! reason why a service does not run.

mod letter;
mod list;
mod read;
mod redrive;
mod show;

use crate::cli::{Cli, DlqCommand};
use crate::exit::Code;

pub(crate) async fn run(cli: &Cli, asked: &DlqCommand) -> anyhow::Result<Code> {
    match asked {
        DlqCommand::List(asked) => list::list(cli, asked).await,
        DlqCommand::Show { id } => show::show(cli, id).await,
        DlqCommand::Redrive(asked) => redrive::redrive(cli, asked).await,
    }
}
