//! What `bench takeover`, `bench drain` and `bench cost` can be told. Separate, because two programs read it: the command
//! line of `cargo xtask`, and the load, which gets it as JSON.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Where the programs come from and what becomes of the stack: the same for each of these commands.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Ground {
    /// A folder with optimised programs of ours, built elsewhere; a load that is not among them is built without
    #[arg(long, value_name = "DIR")]
    pub binaries: Option<PathBuf>,
    /// Print JSON only; it is written to target/bench-NAME.json in any case, with a page beside it
    #[arg(long)]
    pub json: bool,
    /// Leave the stack running afterwards
    #[arg(long)]
    pub keep: bool,
}

/// What befalls an orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is killed with -9 and stays away until its lanes move elsewhere
    Kill,
    /// It is killed with -9 and started again at once, as a supervisor does
    Crash,
    /// It is stopped in good order and stays away until its lanes move elsewhere
    Graceful,
    /// All are restarted in good order, one after the other
    Rolling,
}

/// The protocol by which the group shares lanes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Cooperative-sticky, with the session timeout as it ships
    Classic,
    /// KIP-848; the stack's broker allows sessions of 6 s
    Kip848,
}

/// Whether members come back under a name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// Every start is a new member
    Dynamic,
    /// `kafka.instance_id` is set
    Static,
}

/// How to take orchestrators away.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Takeover {
    /// What befalls an orchestrator
    #[arg(long, value_delimiter = ',', default_value = "kill,graceful,rolling")]
    pub faults: Vec<Fault>,
    /// How lanes are shared out
    #[arg(long, value_delimiter = ',', default_value = "classic")]
    pub protocols: Vec<Protocol>,
    /// How members are known
    #[arg(long, value_delimiter = ',', default_value = "dynamic")]
    pub memberships: Vec<Membership>,
    /// Trials of each
    #[arg(long, default_value_t = 5)]
    pub trials: u32,
    /// Every fault, protocol and membership, 20 trials each: about an hour and a half
    #[arg(long)]
    pub full: bool,
    /// Sagas begun a second
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// Lanes
    #[arg(long, default_value_t = 6)]
    pub partitions: u32,
    /// Orchestrators
    #[arg(long, default_value_t = 3)]
    pub orchestrators: u16,
    /// Where the programs come from, and what becomes of the stack
    #[command(flatten)]
    #[serde(flatten)]
    pub ground: Ground,
}

impl Takeover {
    /// With what `--full` stands for.
    #[must_use]
    pub fn in_full(self) -> Self {
        if !self.full {
            return self;
        }
        Self {
            faults: Fault::value_variants().to_vec(),
            protocols: Protocol::value_variants().to_vec(),
            memberships: Membership::value_variants().to_vec(),
            trials: self.trials.max(20),
            ..self
        }
    }
}

/// How to let a participant fall behind.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Drain {
    /// The participant that is down: inventory, payment or shipping
    #[arg(long, default_value = "payment")]
    pub participant: String,
    /// How long it is down
    #[arg(long, default_value_t = 90)]
    pub down_seconds: u64,
    /// Sagas begun a second, before, meanwhile and after
    #[arg(long, default_value_t = 80)]
    pub rate: u32,
    /// Sagas in flight while it is measured how many can end in a second at all
    #[arg(long, default_value_t = 1_024)]
    pub in_flight: usize,
    /// Down for 5 minutes at 200 sagas a second
    #[arg(long)]
    pub full: bool,
    /// Lanes
    #[arg(long, default_value_t = 4)]
    pub partitions: u32,
    /// Payment and shipping ask the simulators over HTTP, as they would the world
    #[arg(long)]
    pub http: bool,
    /// Where the programs come from, and what becomes of the stack
    #[command(flatten)]
    #[serde(flatten)]
    pub ground: Ground,
}

impl Drain {
    /// With what `--full` stands for.
    #[must_use]
    pub fn in_full(self) -> Self {
        if self.full {
            Self { down_seconds: self.down_seconds.max(300), rate: self.rate.max(200), ..self }
        } else {
            self
        }
    }
}

/// One way in which cost may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// More lanes, more orchestrators
    Scaling,
    /// Finished sagas behind, in Postgres
    Finished,
    /// Live sagas that wait: memory of each, taking over with that many
    Live,
    /// Timers among many
    Timers,
    /// Data that sagas carry along
    Payload,
    /// Two inventory replicas and one product that everybody wants
    HotProduct,
}

/// What to let grow, and how far.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Cost {
    /// What grows; everything, if not said
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Growth>,
    /// Length of each window
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Sagas in flight in each window
    #[arg(long, default_value_t = 512)]
    pub in_flight: usize,
    /// Lanes, for scaling; a new stack for each
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    pub partitions: Vec<u32>,
    /// Orchestrators, for scaling
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub orchestrators: Vec<u16>,
    /// Finished sagas behind
    #[arg(long, default_value_t = 200_000)]
    pub finished: u64,
    /// Live sagas that wait; one after the other
    #[arg(long, value_delimiter = ',', default_value = "20000")]
    pub live: Vec<u64>,
    /// Timers that are far away
    #[arg(long, default_value_t = 50_000)]
    pub timers: u64,
    /// Timers that fire in a second, for half a minute
    #[arg(long, default_value_t = 200)]
    pub firing: u64,
    /// Bytes of data of each saga
    #[arg(long, value_delimiter = ',', default_value = "200,2000,20000")]
    pub payloads: Vec<usize>,
    /// 1, 2, 4 and 8 lanes by 1, 2 and 3 orchestrators, 10 million finished and a million live sagas, a million timers of
    /// which 1,000 fire in a second: an hour, and 30 GB of disk
    #[arg(long)]
    pub full: bool,
    /// Where the programs come from, and what becomes of the stack
    #[command(flatten)]
    #[serde(flatten)]
    pub ground: Ground,
}

impl Cost {
    /// With what `--full` stands for.
    #[must_use]
    pub fn in_full(self) -> Self {
        let only = if self.only.is_empty() { Growth::value_variants().to_vec() } else { self.only };
        if !self.full {
            return Self { only, ..self };
        }
        Self {
            only,
            partitions: vec![1, 2, 4, 8],
            orchestrators: vec![1, 2, 3],
            finished: 10_000_000,
            live: vec![100_000, 1_000_000],
            timers: 1_000_000,
            firing: 1_000,
            ..self
        }
    }
}
