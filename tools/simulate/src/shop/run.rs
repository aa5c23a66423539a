//! One run of the shop: goods come in, orders are placed, maybe things go wrong for a while, everything settles, and the
//! sums are looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use backstitch_contracts::orders::Flow;
use backstitch_contracts::{inventory, orders, saga};
use backstitch_domain::{OrderId, ProductId};
use backstitch_messaging::memory::MemoryBroker;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Fate;
use super::books::{Books, Kept};
use super::outside::Outside;
use super::service;
use crate::broker::Arrivals;
use crate::cast::Cast;
use crate::dice::Dice;
use crate::life::Doom;
use crate::postgres::Postgres;
use crate::process::{self, Kind, Order, Slot, Stage};
use crate::run::say;
use crate::script::Said;
use crate::world::{World, lock};

/// After trouble has ended, every order has come to its end within this time.
const SETTLES_WITHIN: Duration = Duration::from_secs(3 * 3600);
/// What an order asks for.
const UNITS: u64 = 2;
/// And what one costs, minor units.
const PRICE: i64 = 1_050;

/// Orders to be placed, by who drives them and what is in store for them.
pub type Fates = Vec<(Flow, Fate)>;

/// What goes wrong besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// A service's database is down from the first order on, for so many seconds.
    Silent(&'static str, u64),
    /// Processes die and stand still, databases are down, customers cancel, goods are scarce.
    Chaos,
}

/// What came of a run.
#[derive(Debug)]
pub struct ShopReport {
    /// What is left of each order.
    pub kept: Vec<Kept>,
    /// Sums that do not come out, and what never should happen.
    pub problems: Vec<String>,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Runs the shop on one seed.
///
/// # Errors
/// When the definitions that ship cannot be loaded; a run that goes wrong is a [`ShopReport`] with problems.
pub fn run_shop(seed: u64, fates: &Fates, trouble: Trouble, traced: bool) -> Result<ShopReport> {
    let cast = Cast::of_shop()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let report = runtime.block_on(async {
        let world = World::new(seed, None, traced);
        let mut shop = Shop::open(world, cast, fates, trouble)?;
        shop.play().await?;
        Ok(shop.report())
    });
    // Processes that stand still are never waited for.
    runtime.shutdown_background();
    report
}

enum Act {
    Say(Box<Said>),
    Order(usize, Order),
    Down(usize, bool),
    Calm,
}

struct Shop {
    stage: Arc<Stage>,
    outside: Arc<Outside>,
    databases: Vec<Arc<Postgres>>,
    processes: Vec<mpsc::UnboundedSender<Order>>,
    /// By the order that they are of.
    orders: Vec<(OrderId, Flow)>,
    acts: BTreeMap<(Duration, usize), Act>,
    // Kept open: nobody listens for sub-sagas here.
    _sub_sagas: mpsc::UnboundedReceiver<backstitch_messaging::Record>,
}

impl Shop {
    fn open(world: Arc<World>, cast: Arc<Cast>, fates: &Fates, trouble: Trouble) -> Result<Self> {
        let broker = MemoryBroker::new(world.seed);
        let (tell, sub_sagas) = mpsc::unbounded_channel();
        let arrivals = Arc::new(Arrivals { first: Mutex::default(), sub_sagas: tell });
        let ids = (0..).map(|number| OrderId::new(id(world.seed, &format!("order {number}"))));
        let orders: Vec<_> = ids.zip(fates).map(|(id, (flow, _))| (id, *flow)).collect();
        let in_store = orders.iter().zip(fates).map(|((id, _), (_, fate))| (*id, *fate)).collect();
        let outside = Outside::new(&world, in_store);
        let stage = Arc::new(Stage { world, broker, cast, arrivals, failures: Mutex::default() });
        let mut shop = Self {
            stage,
            outside,
            databases: Vec::new(),
            processes: Vec::new(),
            orders,
            acts: BTreeMap::new(),
            _sub_sagas: sub_sagas,
        };
        shop.start_processes(trouble)?;
        shop.plan(fates, trouble);
        Ok(shop)
    }

    fn start_processes(&mut self, trouble: Trouble) -> Result<()> {
        let cast = self.stage.cast.clone();
        let places = service::all(&cast, &self.outside)?;
        let mut dice = self.stage.world.dice("shop");
        let lanes = i32::try_from(dice.between(1, 4))?;
        let mut topics: Vec<String> = places.iter().flat_map(|place| place.inputs.clone()).collect();
        topics.extend(places.iter().map(|place| place.commands.to_owned()));
        topics.extend([saga::INPUTS, saga::COMMANDS, saga::EVENTS].map(str::to_owned));
        topics.sort();
        topics.dedup();
        for topic in &topics {
            self.stage.broker.create_topic(topic, lanes);
            self.stage.broker.create_topic(&format!("{topic}.dlq"), 1);
        }
        let mut crew = || usize::try_from(if trouble == Trouble::Chaos { dice.between(1, 2) } else { 1 }).unwrap_or(1);
        let mut inputs: Vec<String> = cast.event_topics().into_iter().collect();
        inputs.push(saga::COMMANDS.to_owned());
        self.crew("orchestrator", crew(), |name, database| Slot {
            name,
            kind: Kind::Orchestrator,
            group: "orchestrator".to_owned(),
            lane_topic: saga::INPUTS.to_owned(),
            inputs: inputs.clone(),
            database,
        });
        for place in places {
            self.crew(place.name, crew(), |name, database| Slot {
                name,
                kind: Kind::Service(place.service.clone()),
                group: place.name.to_owned(),
                lane_topic: place.commands.to_owned(),
                inputs: place.inputs.clone(),
                database,
            });
        }
        Ok(())
    }

    fn crew(&mut self, name: &str, size: usize, slot: impl Fn(String, Arc<Postgres>) -> Slot) {
        let database = Postgres::new(name, &self.stage.world);
        for number in 1..=size {
            let (order, orders) = mpsc::unbounded_channel();
            let slot = slot(format!("{name}-{number}"), database.clone());
            tokio::spawn(process::keep(self.stage.clone(), slot, orders));
            self.processes.push(order);
        }
        self.databases.push(database);
    }

    fn at(&mut self, at: Duration, act: Act) {
        let place = self.acts.len();
        self.acts.insert((at, place), act);
    }

    fn plan(&mut self, fates: &Fates, trouble: Trouble) {
        let seed = self.stage.world.seed;
        let mut dice = self.stage.world.dice("plan");
        let asked = self.orders.len() as u64 * UNITS;
        let scarce = trouble == Trouble::Chaos && dice.falls(300);
        let goods = if scarce { asked * 2 / 3 } else { asked + 100 };
        let goods = json!({ "receipt_id": "r-1", "product_id": "lamp", "quantity": goods });
        self.at(Duration::ZERO, said(id(seed, "goods"), inventory::COMMANDS, "ReceiveStock", "lamp", goods));
        let spread = if trouble == Trouble::Chaos { 60_000 } else { 0 };
        for ((order_id, flow), (_, fate)) in self.orders.clone().into_iter().zip(fates) {
            let at = 5_000 + dice.between(0, spread);
            let place = said(
                order_id.uuid(),
                orders::COMMANDS,
                "PlaceOrder",
                &order_id.to_string(),
                wanted(order_id, flow, *fate),
            );
            self.at(Duration::from_millis(at), place);
            if trouble == Trouble::Chaos {
                self.afterthoughts(order_id, flow, at, &mut dice);
            }
        }
        match trouble {
            Trouble::None => self.at(Duration::ZERO, Act::Calm),
            Trouble::Silent(name, seconds) => {
                self.at(Duration::ZERO, Act::Calm);
                let which = self.databases.iter().position(|database| database.name == name).unwrap_or(0);
                self.at(Duration::from_millis(4_900), Act::Down(which, true));
                self.at(Duration::from_secs(5 + seconds), Act::Down(which, false));
            }
            Trouble::Chaos => self.chaos(&mut dice),
        }
    }

    /// A customer may cancel while nobody else drives the order; and an order may be placed again.
    fn afterthoughts(&mut self, order_id: OrderId, flow: Flow, at: u64, dice: &mut Dice) {
        let key = order_id.to_string();
        if flow == Flow::Choreographed && dice.falls(150) {
            let data = json!({ "order_id": order_id, "reason": "changed my mind" });
            let name = id(self.stage.world.seed, &format!("cancel {key}"));
            let cancel = said(name, orders::COMMANDS, "CancelOrder", &key, data);
            self.at(Duration::from_millis(at + dice.between(0, 60_000)), cancel);
        }
        if dice.falls(100) {
            let again = self.acts.values().find_map(|act| match act {
                Act::Say(said) if said.id == order_id.uuid() => Some(said.clone()),
                _ => None,
            });
            if let Some(again) = again {
                self.at(Duration::from_millis(at + dice.between(0, 60_000)), Act::Say(again));
            }
        }
    }

    fn chaos(&mut self, dice: &mut Dice) {
        let until = dice.between(20_000, 400_000);
        let pace = dice.between(2, 30);
        let mut at = 0;
        while at < until {
            at += dice.between(100, pace * 1000);
            let slot = usize::try_from(dice.below(self.processes.len() as u64)).unwrap_or(0);
            let after = i64::try_from(dice.below(40)).unwrap_or(0);
            let act = match dice.below(10) {
                0..5 => Act::Order(slot, Order::Doom(Doom::Crash, after)),
                5..8 => Act::Order(slot, Order::Doom(Doom::Freeze, after)),
                8 => Act::Order(slot, Order::Stop),
                _ => {
                    let which = usize::try_from(dice.below(self.databases.len() as u64)).unwrap_or(0);
                    let up = at + dice.between(100, 20_000);
                    self.at(Duration::from_millis(up), Act::Down(which, false));
                    Act::Down(which, true)
                }
            };
            self.at(Duration::from_millis(at), act);
        }
        self.at(Duration::from_millis(until + 20_000), Act::Calm);
    }

    async fn play(&mut self) -> Result<()> {
        while let Some(((at, _), act)) = self.acts.pop_first() {
            self.pass(at).await;
            match act {
                Act::Say(what) => say(&self.stage, &what).await?,
                Act::Order(slot, order) => {
                    if let Some(process) = self.processes.get(slot) {
                        let _ = process.send(order);
                    }
                }
                Act::Down(which, down) => {
                    if let Some(database) = self.databases.get(which) {
                        database.set_down(down);
                    }
                }
                Act::Calm => self.calm_down(),
            }
        }
        self.pass(self.stage.world.elapsed() + SETTLES_WITHIN).await;
        Ok(())
    }

    fn calm_down(&self) {
        self.stage.world.tell(|| "nothing goes wrong any more".to_owned());
        self.stage.world.calm_down();
        self.databases.iter().for_each(|database| database.set_down(false));
        for process in &self.processes {
            let _ = process.send(Order::Spare);
        }
    }

    async fn pass(&self, until: Duration) {
        let wait = until.saturating_sub(self.stage.world.elapsed());
        tokio::select! {
            biased;
            () = self.stage.world.exhausted() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    fn report(&self) -> ShopReport {
        let books = Books { databases: &self.databases, outside: &self.outside };
        let kept: Vec<_> = self.orders.iter().map(|(id, flow)| books.kept(*id, self.saga(*id, *flow))).collect();
        let mut problems = lock(&self.stage.failures).clone();
        if self.stage.world.is_exhausted() {
            problems.push(format!("settles: not in {} points", self.stage.world.steps()));
        }
        problems.extend(self.dead_letters());
        for ((id, flow), kept) in self.orders.iter().zip(&kept) {
            problems.extend(sums(kept).map(|what| format!("{flow:?} order {id}: {what}: {kept:?}")));
            let charges = self.outside.charges(*id);
            problems.extend((charges > 1).then(|| format!("order {id} was charged {charges} times")));
        }
        let claimed: u64 = kept.iter().map(|kept| kept.units).sum();
        if let Ok(product) = ProductId::new("lamp".to_owned()) {
            let (on_books, received) = books.stock(&product);
            problems.extend((on_books != claimed).then(|| format!("stock: {on_books} claimed, {claimed} by orders")));
            problems.extend((on_books > received).then(|| format!("oversold: {on_books} of {received}")));
        }
        ShopReport { kept, problems, trace: self.stage.world.trace() }
    }

    fn dead_letters(&self) -> Vec<String> {
        let topics = [orders::COMMANDS, orders::EVENTS, inventory::COMMANDS, inventory::EVENTS, saga::INPUTS];
        let letters = topics.iter().map(|topic| (topic, self.stage.broker.records(&format!("{topic}.dlq"))));
        let letters = letters.filter(|(_, records)| !records.is_empty());
        letters.map(|(topic, records)| format!("{} dead letters of {topic}", records.len())).collect()
    }

    fn saga(&self, order_id: OrderId, flow: Flow) -> String {
        let name = match flow {
            Flow::Orchestrated => "order-fulfilment",
            Flow::Choreographed => "order-choreographed",
        };
        let id = backstitch_saga::SagaId::derive(name, &order_id.to_string()).as_uuid();
        let row = self
            .databases
            .first()
            .and_then(|database| lock(&database.tables).sagas.get(&id).map(|(_, row)| row.status.clone()));
        row.unwrap_or_else(|| "none".to_owned())
    }
}

/// What is wrong with what is left of an order: it is shipped, or nothing is left.
fn sums(kept: &Kept) -> impl Iterator<Item = &'static str> {
    let is_shipped = kept.order == "shipped";
    let total = PRICE * i64::try_from(UNITS).unwrap_or(0);
    let (money, parcels, units) = if is_shipped { (total, 1, UNITS) } else { (0, 0, 0) };
    let found = [
        (!is_shipped && kept.order != "cancelled", "it has not ended"),
        (kept.money != money, "the money is not right"),
        (kept.parcels != parcels, "the parcels are not right"),
        (kept.units != units, "the claims are not right"),
        (kept.saga != if is_shipped { "completed" } else { "rolled_back" }, "its saga says otherwise"),
    ];
    found.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| what)
}

fn wanted(order_id: OrderId, flow: Flow, fate: Fate) -> Value {
    let product = if fate == Fate::OutOfStock { "unicorn" } else { "lamp" };
    json!({
        "order_id": order_id,
        "customer_id": order_id,
        "order_items": [{ "product_id": product, "quantity": UNITS, "unit_price": PRICE }],
        "currency": "EUR",
        "shipping_address":
            { "name": null, "line1": "1 Main St", "line2": null, "city": "Berlin", "postal_code": "10115", "country": "DE" },
        "flow": flow,
    })
}

fn said(id: Uuid, topic: &str, event: &str, about: &str, data: Value) -> Act {
    Act::Say(Box::new(Said {
        topic: topic.to_owned(),
        event: event.to_owned(),
        record_key: about.to_owned(),
        about: about.to_owned(),
        data,
        user: None,
        id,
    }))
}

fn id(seed: u64, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{seed}/{name}").as_bytes())
}
