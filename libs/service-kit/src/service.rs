//! A service as its `main` sees it: name, migration, run. Separate from the ritual, which knows no command line.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{CommandFactory, FromArgMatches};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::cli::{Cli, Command};
use crate::config::{self, Config, Environment};
use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::ritual::{Ritual, chain};
use crate::tasks::{ShutdownToken, Tasks};
use crate::telemetry::Telemetry;

/// How a process ends.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// It could not start, or a task failed.
    pub const FAILED: u8 = 1;
    /// The command line or the settings are wrong (`EX_USAGE`).
    pub const BAD_CONFIGURATION: u8 = 64;
    /// Told to stop, it did not finish by its deadline (`EX_TEMPFAIL`).
    pub const NOT_DRAINED: u8 = 75;
}

type Migration<C> = Box<dyn FnOnce(Arc<C>) -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>>>;

/// A service before it runs.
pub struct Service<C> {
    name: &'static str,
    version: &'static str,
    migration: Option<Migration<C>>,
    settings: PhantomData<C>,
}

/// What the running service is given.
pub struct Context<C> {
    /// The service's name.
    pub name: &'static str,
    /// The version that runs.
    pub version: &'static str,
    /// The settings in force.
    pub config: Arc<C>,
    /// Cancelled when the process should end.
    pub shutdown: ShutdownToken,
    /// Where long-running tasks are spawned.
    pub tasks: Tasks,
    /// What has to hold before the process is ready.
    pub readiness: Readiness,
    pub(crate) metrics: Metrics,
}

impl<C: Config> Service<C> {
    /// A service of that name, as it shows in logs, traces and `pg_stat_activity`.
    #[must_use]
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, migration: None, settings: PhantomData }
    }

    /// What `migrate` does.
    #[must_use]
    pub fn migrate<F>(mut self, migration: impl FnOnce(Arc<C>) -> F + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + 'static,
    {
        self.migration = Some(Box::new(move |config| Box::pin(migration(config))));
        self
    }

    /// The process, from the command line to its exit code. `start` spawns tasks and returns; the process then lives
    /// until SIGTERM, SIGINT, or the end of any task.
    pub fn run<F>(self, start: impl FnOnce(Context<C>) -> F) -> ExitCode
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        ExitCode::from(match self.begin() {
            Ok(Begun::Answered(code)) => code,
            Ok(Begun::Go(cli, config)) => self.live(&cli, config, start),
            Err(error) => {
                eprintln!("{}: {error:#}", self.name);
                exit::FAILED
            }
        })
    }

    /// The command line and the settings, and the answers that need nothing more.
    fn begin(&self) -> anyhow::Result<Begun<C>> {
        let cli = match self.parse() {
            Ok(cli) => cli,
            Err(error) => {
                error.print()?;
                return Ok(Begun::Answered(if error.use_stderr() { exit::BAD_CONFIGURATION } else { exit::OK }));
            }
        };
        let file = match &cli.config {
            None => None,
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some(text),
                Err(error) => {
                    eprintln!("{}: the settings file `{}` cannot be read: {error}", self.name, path.display());
                    return Ok(Begun::Answered(exit::BAD_CONFIGURATION));
                }
            },
        };
        let config: C = match config::load(file.as_deref(), &Environment::of_process()) {
            Ok(config) => config,
            Err(problems) => {
                eprintln!("{}: {problems}", self.name);
                return Ok(Begun::Answered(exit::BAD_CONFIGURATION));
            }
        };
        if cli.dump_config {
            println!("{}", serde_json::to_string_pretty(&config)?);
            return Ok(Begun::Answered(exit::OK));
        }
        if cli.check_config {
            println!("the settings of {} are complete", self.name);
            return Ok(Begun::Answered(exit::OK));
        }
        Ok(Begun::Go(cli, Arc::new(config)))
    }

    fn parse(&self) -> Result<Cli, clap::Error> {
        let mut command = Cli::command().name(self.name).version(self.version);
        if self.migration.is_none() {
            command = command.mut_subcommand("migrate", |migrate| migrate.hide(true));
        }
        Cli::from_arg_matches(&command.try_get_matches()?)
    }

    fn live<F>(self, cli: &Cli, config: Arc<C>, start: impl FnOnce(Context<C>) -> F) -> u8
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let prepared = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("could not start the runtime")
            .and_then(|runtime| Ok((runtime, Telemetry::start(config.telemetry(), self.name, self.version)?)));
        let (runtime, telemetry) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                eprintln!("{}: {error:#}", self.name);
                return exit::FAILED;
            }
        };
        let migrating = cli.command == Some(Command::Migrate);
        let code = runtime.block_on(async {
            if migrating { self.bring_up_to_date(config).await } else { self.perform(config, start).await }
        });
        // Tasks past their deadline are left; waiting for them here would make the deadline a lie.
        runtime.shutdown_background();
        telemetry.flush();
        code
    }

    async fn bring_up_to_date(self, config: Arc<C>) -> u8 {
        let Some(migration) = self.migration else {
            info!("nothing to migrate");
            return exit::OK;
        };
        match migration(config).await {
            Ok(()) => {
                info!("migrated");
                exit::OK
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "could not migrate");
                exit::FAILED
            }
        }
    }

    async fn perform<F>(self, config: Arc<C>, start: impl FnOnce(Context<C>) -> F) -> u8
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let (tasks, shutdown) = (Tasks::default(), ShutdownToken::new());
        let drain = Duration::from_secs(config.process().drain_seconds);
        let metrics = match Metrics::install(self.name, self.version) {
            Ok(metrics) => metrics,
            Err(error) => {
                tracing::error!(error = %chain(&error), "could not start");
                return exit::FAILED;
            }
        };
        tokio::spawn(metrics.clone().keep_up());
        // Listened for from here on, and not from whenever a task comes to run: a process that is told to stop while it
        // starts must drain too.
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => drop(tokio::spawn(heed_signals(terminate, interrupt, shutdown.clone()))),
            _ => warn!("signals cannot be listened for; SIGTERM will end the process without a drain"),
        }
        info!(version = self.version, "starting");
        let context = Context {
            name: self.name,
            version: self.version,
            config,
            shutdown: shutdown.clone(),
            tasks: tasks.clone(),
            readiness: Readiness::new(shutdown.clone()),
            metrics,
        };
        Ritual { tasks, shutdown, drain }.perform(start(context)).await
    }
}

enum Begun<C> {
    Answered(u8),
    Go(Cli, Arc<C>),
}

/// The first signal asks for a drain, the second ends the process where it stands.
async fn heed_signals(mut terminate: Signal, mut interrupt: Signal, shutdown: ShutdownToken) {
    let signal = next_signal(&mut terminate, &mut interrupt).await;
    info!(signal, "asked to stop");
    shutdown.cancel();
    let signal = next_signal(&mut terminate, &mut interrupt).await;
    warn!(signal, "asked to stop again: ending without finishing the drain");
    std::process::exit(i32::from(exit::NOT_DRAINED));
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
