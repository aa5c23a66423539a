//! Processes: what each runs (the real processor on the real logic), and what becomes of it when it meets its doom.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_messaging::memory::{MemoryBroker, MemoryInbox};
use backstitch_messaging::{LaneId, SchemaSource, SchemaSourceError};
use backstitch_orchestrator::lane::SagaLane;
use backstitch_orchestrator::participants::{self, Participants};
use backstitch_participant::{CallsOf, ParticipantLogic};
use backstitch_processor::{Caller, LogicOn, NoCalls, Ports, Processor, ProcessorError, Settings};
use backstitch_saga::participant::BreakerRules;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Arrivals, SimulatedInbox, SimulatedPublisher};
use crate::cast::{Cast, Part};
use crate::dice::Dice;
use crate::life::{Doom, Life};
use crate::mistaken::{Mistaken, Watched};
use crate::participant::{Errands, Player};
use crate::postgres::{Connection, Postgres, Server};
use crate::shop::Service;
use crate::world::{World, lock};

/// After so long without a sign of life a group takes a member for dead.
const SESSION: Duration = Duration::from_secs(6);
/// After so long a server gives up on a transaction in which nothing happens.
const IDLE_TRANSACTION: Duration = Duration::from_secs(10);

/// So few silences that some runs have them.
const BREAKERS: BreakerRules = BreakerRules { silences_max: 3, probe_after: Duration::from_secs(30) };

/// What a process is.
pub(crate) enum Kind {
    Orchestrator,
    /// A participant; the flag says whether its flows share rows.
    Participant(Arc<Part>, bool),
    /// One of the shop's own.
    Service(Service),
}

/// A place where one process runs, and another one after it.
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) group: String,
    pub(crate) lane_topic: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) database: Arc<Postgres>,
}

/// What all processes have in common.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) broker: MemoryBroker,
    pub(crate) cast: Arc<Cast>,
    pub(crate) arrivals: Arc<Arrivals>,
    /// What no process may ever do.
    pub(crate) failures: Mutex<Vec<String>>,
}

/// What is to happen to the process in a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Doom(Doom, i64),
    /// It is told to end, and drains.
    Stop,
    /// No doom comes any more.
    Spare,
}

struct Running {
    life: Arc<Life>,
    inbox: Arc<MemoryInbox>,
    met: mpsc::UnboundedReceiver<Doom>,
    stop: CancellationToken,
    done: JoinHandle<Result<(), ProcessorError>>,
}

/// Keeps a process running in the slot, whatever happens to it.
pub(crate) async fn keep(stage: Arc<Stage>, slot: Slot, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut dice = stage.world.dice(&format!("slot {}", slot.name));
    for generation in 1_u32.. {
        let running = match start(&stage, &slot, generation) {
            Ok(running) => running,
            Err(problem) => return lock(&stage.failures).push(problem),
        };
        attend(&stage, &slot, running, &mut orders, &mut dice).await;
        let rest = dice.between(50, 15_000);
        tokio::time::sleep(Duration::from_millis(rest)).await;
    }
}

fn start(stage: &Arc<Stage>, slot: &Slot, generation: u32) -> Result<Running, String> {
    let (tell, met) = mpsc::unbounded_channel();
    let life = Life::new(format!("{}.{generation}", slot.name), &stage.world, tell);
    let inputs: Vec<&str> = slot.inputs.iter().map(String::as_str).collect();
    let inbox = stage.broker.join(&slot.group, &slot.lane_topic, &inputs).map_err(|error| error.to_string())?;
    let inbox = Arc::new(inbox);
    let stop = CancellationToken::new();
    stage.world.tell(|| format!("{} starts", life.name));
    let cast = &stage.cast;
    let mutation = stage.world.mutation;
    let done = match &slot.kind {
        Kind::Orchestrator => {
            let (definitions, outgoing) = (cast.definitions.clone(), cast.outgoing.clone());
            let participants = Arc::new(Participants::new(BREAKERS));
            keep_breakers(slot, &life, &participants, &stop);
            let logic = move |lane: LaneId| {
                let lane = SagaLane::on(Mistaken::new(mutation), lane, definitions.clone(), outgoing.clone());
                Watched { logic: lane.sharing(participants.clone()), mutation }
            };
            launch(stage, slot, &life, &inbox, &stop, Arc::new(NoCalls), logic)
        }
        Kind::Service(service) => service.launch(stage, slot, &life, &inbox, &stop),
        Kind::Participant(part, true) => play::<true>(stage, slot, part, &life, &inbox, &stop),
        Kind::Participant(part, false) => play::<false>(stage, slot, part, &life, &inbox, &stop),
    };
    Ok(Running { life, inbox, met, stop, done })
}

/// Nobody reads rows that have not changed: virtual time may run for months.
fn keep_breakers(slot: &Slot, life: &Arc<Life>, participants: &Arc<Participants>, stop: &CancellationToken) {
    let server = Server { database: slot.database.clone(), life: life.clone() };
    let mut seen = slot.database.watch_openings();
    let pause = move || {
        // Nothing happens between the reading and here.
        seen.mark_unchanged();
        let mut changes = seen.clone();
        async move {
            // The database outlives every process.
            let _ = changes.changed().await;
            tokio::time::sleep(participants::READ_EVERY).await;
        }
    };
    tokio::spawn(participants::keep(participants.clone(), server, stop.clone(), pause));
}

/// How a process ended.
pub(crate) type Done = JoinHandle<Result<(), ProcessorError>>;

fn play<const SHARES: bool>(
    stage: &Arc<Stage>,
    slot: &Slot,
    part: &Arc<Part>,
    life: &Arc<Life>,
    inbox: &Arc<MemoryInbox>,
    stop: &CancellationToken,
) -> Done {
    let player = Arc::new(Player::<SHARES> { part: part.clone(), world: stage.world.clone() });
    let (settings, mutation) = (part.settings.clone(), stage.world.mutation);
    let logic = move |_| Watched { logic: ParticipantLogic::new(player.clone(), settings.clone()), mutation };
    launch(stage, slot, life, inbox, stop, Arc::new(CallsOf(Errands(life.clone()))), logic)
}

pub(crate) fn launch<L: LogicOn<Connection>>(
    stage: &Arc<Stage>,
    slot: &Slot,
    life: &Arc<Life>,
    inbox: &Arc<MemoryInbox>,
    stop: &CancellationToken,
    caller: Arc<dyn Caller>,
    make: impl Fn(LaneId) -> L + Send + Sync + 'static,
) -> Done {
    let ports = Ports {
        pool: Server { database: slot.database.clone(), life: life.clone() },
        inbox: Arc::new(SimulatedInbox { inner: inbox.clone(), life: life.clone() }),
        publisher: Arc::new(SimulatedPublisher::new(&stage.broker, life, &stage.arrivals)),
        schemas: Arc::new(NoRegistry),
        caller,
        decoder: stage.cast.decoder.clone(),
    };
    let settings = Settings { owner: life.name.clone(), batch_max: 20, ..Settings::default() };
    let processor = Processor::new(slot.group.clone(), settings, ports, make);
    tokio::spawn(processor.run(stop.clone()))
}

/// Until the process has ended.
async fn attend(
    stage: &Stage,
    slot: &Slot,
    mut running: Running,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    dice: &mut Dice,
) {
    loop {
        tokio::select! {
            biased;
            ended = &mut running.done => return note_end(stage, &running.life, ended),
            Some(doom) = running.met.recv() => match doom {
                Doom::Crash => return bury(slot, &running, dice).await,
                Doom::Freeze => if wake(stage, slot, &running, dice).await { return },
            },
            Some(order) = orders.recv() => match order {
                Order::Doom(doom, after) => running.life.doom(doom, after),
                Order::Stop => {
                    stage.world.tell(|| format!("{} is told to end", running.life.name));
                    running.stop.cancel();
                }
                Order::Spare => running.life.spare(),
            },
        }
    }
}

fn note_end(stage: &Stage, life: &Life, ended: Result<Result<(), ProcessorError>, tokio::task::JoinError>) {
    let outcome = match ended {
        Ok(Ok(())) => "as it was told".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => {
            lock(&stage.failures).push(format!("{} panicked: {error}", life.name));
            error.to_string()
        }
    };
    stage.world.tell(|| format!("{} ends: {outcome}", life.name));
    life.kill();
}

/// Its connections break soon, its session ends later: sometimes after its successor has come.
async fn bury(slot: &Slot, running: &Running, dice: &mut Dice) {
    tokio::time::sleep(Duration::from_millis(dice.between(0, 500))).await;
    slot.database.abort(&running.life.name);
    let inbox = running.inbox.clone();
    let expiry = async move {
        tokio::time::sleep(SESSION).await;
        inbox.expire();
    };
    if dice.falls(500) {
        expiry.await;
    } else {
        tokio::spawn(expiry);
    }
}

/// It stands still for a while. Answers whether it is gone.
async fn wake(stage: &Stage, slot: &Slot, running: &Running, dice: &mut Dice) -> bool {
    let still = Duration::from_millis(dice.between(500, 40_000));
    tokio::time::sleep(still.min(SESSION)).await;
    let expired = still > SESSION;
    if expired {
        stage.world.tell(|| format!("the group takes {} for dead", running.life.name));
        running.inbox.expire();
        tokio::time::sleep(still.min(IDLE_TRANSACTION).saturating_sub(SESSION)).await;
        if still > IDLE_TRANSACTION {
            slot.database.abort(&running.life.name);
        }
        tokio::time::sleep(still.saturating_sub(IDLE_TRANSACTION)).await;
    }
    stage.world.tell(|| format!("{} goes on after {:.1} s", running.life.name, still.as_secs_f64()));
    running.life.spare();
    running.life.thaw();
    if expired {
        tokio::time::sleep(Duration::from_millis(dice.between(1_000, 60_000))).await;
        running.life.kill();
        slot.database.abort(&running.life.name);
        stage.world.tell(|| format!("{} is removed", running.life.name));
    }
    expired
}

/// Every schema is known from the start.
struct NoRegistry;

#[async_trait]
impl SchemaSource for NoRegistry {
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError> {
        Err(SchemaSourceError::Unknown { id })
    }
}
