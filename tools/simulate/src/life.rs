//! The life of a process: it runs, stands still for a while, or is dead. Every input and output of a process passes
//! through here, so a process can stop between any two of them; what it holds in memory is then lost or late.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::dice::Dice;
use crate::world::{World, lock};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Frozen,
    Dead,
}

/// What happens to a process at some point of input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doom {
    /// It is killed.
    Crash,
    /// It stands still, as when its machine does, and may come back as a zombie.
    Freeze,
}

/// One process, from its start to its end.
pub(crate) struct Life {
    pub(crate) name: String,
    pub(crate) world: Arc<World>,
    phase: Mutex<Phase>,
    thawed: Notify,
    dice: Mutex<Dice>,
    /// Points left until the doom; negative when there is none.
    left: AtomicI64,
    doom: Mutex<Doom>,
    met: mpsc::UnboundedSender<Doom>,
}

impl Life {
    /// A new life; its doom, once met, is told on `met`.
    pub(crate) fn new(name: String, world: &Arc<World>, met: mpsc::UnboundedSender<Doom>) -> Arc<Self> {
        let dice = Mutex::new(world.dice(&name));
        let (left, doom) = (AtomicI64::new(-1), Mutex::new(Doom::Crash));
        Arc::new(Self {
            name,
            world: world.clone(),
            phase: Mutex::new(Phase::Running),
            thawed: Notify::new(),
            dice,
            left,
            doom,
            met,
        })
    }

    /// Lets the doom come after so many points.
    pub(crate) fn doom(&self, doom: Doom, after: i64) {
        *lock(&self.doom) = doom;
        self.left.store(after, Ordering::Relaxed);
    }

    pub(crate) fn spare(&self) {
        self.left.store(-1, Ordering::Relaxed);
    }

    pub(crate) fn kill(&self) {
        *lock(&self.phase) = Phase::Dead;
    }

    pub(crate) fn thaw(&self) {
        let mut phase = lock(&self.phase);
        if *phase == Phase::Frozen {
            *phase = Phase::Running;
            self.thawed.notify_waiters();
        }
    }

    pub(crate) fn falls(&self, chances: u64) -> bool {
        !self.world.is_calm() && lock(&self.dice).falls(chances)
    }

    pub(crate) fn between(&self, from: u64, to: u64) -> u64 {
        lock(&self.dice).between(from, to)
    }

    /// A point of input or output: nothing passes while the process stands still, and never again once it is dead.
    pub(crate) async fn point(&self, what: &str) {
        self.running().await;
        self.world.step();
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.meet(what);
            self.running().await;
        }
    }

    /// The same, and it takes some time.
    pub(crate) async fn travel(&self, what: &str) {
        let millis = match self.between(0, 99) {
            0..60 => 0,
            60..90 => self.between(1, 5),
            90..99 => self.between(5, 60),
            _ => self.between(60, 900),
        };
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        self.point(what).await;
    }

    fn meet(&self, what: &str) {
        let doom = *lock(&self.doom);
        self.world.tell(|| format!("{} meets its doom at `{what}`: {doom:?}", self.name));
        *lock(&self.phase) = match doom {
            Doom::Crash => Phase::Dead,
            Doom::Freeze => Phase::Frozen,
        };
        let _ = self.met.send(doom);
    }

    async fn running(&self) {
        loop {
            let thawed = self.thawed.notified();
            if *lock(&self.phase) == Phase::Running {
                return;
            }
            thawed.await;
        }
    }
}
