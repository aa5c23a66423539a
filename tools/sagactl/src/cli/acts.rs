//! Changes to sagas: to one, or to all that filters let through. Separate from the other words of the command line, because
//! these go together: what is said with `--all` makes no sense without it.

use backstitch_saga::Span;
use clap::Args;

use super::{WaitArgs, attribute};

/// What to do to a saga, or to many, and why.
#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    /// The saga's id, or its key; or say --all
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) saga: Option<String>,
    /// The definition's name: where several have a saga with that key, or whose sagas --all means
    #[arg(long)]
    pub(crate) definition: Option<String>,
    #[command(flatten)]
    pub(crate) many: ManyArgs,
    /// Why; journaled
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Which of a definition's sagas.
#[derive(Debug, Args)]
pub(crate) struct ManyArgs {
    /// Every saga of the definition that the filters let through
    #[arg(long, requires = "definition")]
    pub(crate) all: bool,
    /// With --all: only these statuses, with commas; if not said, those in which it has an effect
    #[arg(long, requires = "all")]
    pub(crate) status: Option<String>,
    /// With --all: only those with this search attribute; repeat it for more, all of which must hold
    #[arg(long = "where", visible_alias = "search", value_name = "NAME=VALUE", value_parser = attribute, requires = "all")]
    pub(crate) attributes: Vec<(String, String)>,
    /// With --all: only those started at least so long ago, as in 90s or 1h30m
    #[arg(long, value_name = "TIME", value_parser = Span::parse, requires = "all")]
    pub(crate) older_than: Option<Span>,
    /// With --all: say which ones it would be, and change nothing
    #[arg(long, requires = "all")]
    pub(crate) dry_run: bool,
    /// With --all: do not ask first
    #[arg(long, requires = "all")]
    pub(crate) yes: bool,
}

/// Which sagas are to go on under which definition.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Hash of the definition that they are under, or the beginning of it
    #[arg(long, value_name = "HASH")]
    pub(crate) from: String,
    /// Hash of the definition that they are to go on under, or the beginning of it
    #[arg(long, value_name = "HASH")]
    pub(crate) to: String,
    /// Say which ones can move, and why others cannot, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
    /// Why; journaled
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}
