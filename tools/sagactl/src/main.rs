//! `sagactl`: sagas, definitions, dead letters, topics, schemas and read models from a terminal or a script. Sagas are
//! reached through the orchestrator's HTTP API, read models through the order service's; definitions are read from files;
//! dead letters, topics and schemas are reached through Kafka and the registry themselves, so that they can
//! be looked at when no service runs.

mod act;
mod bulk;
mod cli;
mod connect;
mod definitions;
mod dlq;
mod exit;
mod migrate;
mod orchestrator;
mod output;
mod participants;
mod projections;
mod sagas;
mod schemas;
mod topics;
mod trace;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use exit::Code;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = !error.use_stderr();
            // Nowhere to print to is no reason for another exit code.
            let _ = error.print();
            return if asked_for { Code::Done } else { Code::Usage }.into();
        }
    };
    match run(&cli).await {
        Ok(code) => code.into(),
        Err(error) => {
            output::error(&cli, &error);
            exit::of(&error).into()
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<Code> {
    match &cli.command {
        Command::Start(asked) => act::start(cli, asked).await,
        Command::List(asked) => sagas::list(cli, asked).await,
        Command::Show(asked) => sagas::show(cli, asked).await,
        Command::Watch(asked) => watch::watch(cli, asked).await,
        Command::Signal(asked) => act::signal(cli, asked).await,
        Command::Cancel(asked) => act::act(cli, "cancel", asked).await,
        Command::Pause(asked) => act::act(cli, "pause", asked).await,
        Command::Resume(asked) => act::act(cli, "resume", asked).await,
        Command::Retry(asked) => act::act(cli, "retry", asked).await,
        Command::Skip(asked) => act::act(cli, "skip", asked).await,
        Command::Abandon(asked) => act::act(cli, "abandon", asked).await,
        Command::Definitions(asked) => definitions::run(cli, asked).await,
        Command::Participants(asked) => participants::run(cli, asked).await,
        Command::Trace(asked) => trace::run(cli, asked).await,
        Command::Dlq(asked) => dlq::run(cli, asked).await,
        Command::Schemas(asked) => schemas::run(cli, asked).await,
        Command::Topics(asked) => topics::run(cli, asked).await,
        Command::Projections(asked) => projections::run(cli, asked).await,
    }
}
