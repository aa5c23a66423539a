//! What every service understands on its command line. Separate, so that all five answer alike.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The words after the program's name.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Read settings from this TOML file; the environment (BACKSTITCH_SECTION__NAME) goes before it
    #[arg(long, value_name = "FILE", env = "BACKSTITCH_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Check the settings and exit: 0 if they are good, 64 with every problem if not
    #[arg(long, global = true)]
    pub(crate) check_config: bool,
    /// Print the settings in force as JSON, secrets redacted, and exit
    #[arg(long, global = true)]
    pub(crate) dump_config: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Run until SIGTERM or SIGINT (the default)
    Run,
    /// Bring the database's tables up to this version and exit
    Migrate,
}
