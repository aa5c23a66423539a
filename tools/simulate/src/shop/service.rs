//! The four services as processes of a run: what `main.rs` of each connects, on simulated ports.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use backstitch_contracts::{Encoder, inventory, orders, payments, shipping};
use backstitch_inventory::handlers::Warehouse;
use backstitch_messaging::memory::MemoryInbox;
use backstitch_order::handlers::Orders;
use backstitch_participant::{CallsOf, Participant, ParticipantLogic, Settings};
use backstitch_payment::handlers::{GatewayCalls, Payments};
use backstitch_processor::{Caller, NoCalls};
use backstitch_shipping::handlers::{CarrierCalls, Shipments};
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::outside::{Outside, Through};
use crate::cast::Cast;
use crate::life::Life;
use crate::process::{Done, Slot, Stage, launch};

/// A service of the shop.
#[derive(Clone)]
pub(crate) struct Service {
    which: Which,
    settings: Arc<Settings>,
    outside: Arc<Outside>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Order,
    Inventory,
    Payment,
    Shipping,
}

/// How the inventory is set up.
pub(super) const WAREHOUSE: Warehouse = Warehouse { hold: TimeDelta::minutes(15) };

/// A service's name, and the topics that its process reads: commands first.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) commands: &'static str,
    pub(super) inputs: Vec<String>,
    pub(super) service: Service,
}

/// All four, as their mains have it.
pub(super) fn all(cast: &Cast, outside: &Arc<Outside>) -> Result<Vec<Place>> {
    let place = |which: Which, name, commands, events: &str, inputs: &[&str]| {
        let text = crate::schema::text_of(events)?.with_context(|| events.to_owned())?;
        let encoder = Encoder::new(&text, cast.schema_id(events).with_context(|| events.to_owned())?)?;
        let settings = Arc::new(Settings::new(name, events, encoder));
        let inputs = inputs.iter().map(|topic| (*topic).to_owned()).collect();
        let service = Service { which, settings, outside: outside.clone() };
        anyhow::Ok(Place { name, commands, inputs, service })
    };
    Ok(vec![
        place(
            Which::Order,
            "order",
            orders::COMMANDS,
            orders::EVENTS,
            &[inventory::EVENTS, payments::EVENTS, shipping::EVENTS],
        )?,
        place(Which::Inventory, "inventory", inventory::COMMANDS, inventory::EVENTS, &[orders::EVENTS])?,
        place(Which::Payment, "payment", payments::COMMANDS, payments::EVENTS, &[orders::EVENTS, inventory::EVENTS])?,
        place(Which::Shipping, "shipping", shipping::COMMANDS, shipping::EVENTS, &[orders::EVENTS])?,
    ])
}

impl Service {
    /// Starts a process of it.
    pub(crate) fn launch(
        &self,
        stage: &Arc<Stage>,
        slot: &Slot,
        life: &Arc<Life>,
        inbox: &Arc<MemoryInbox>,
        stop: &CancellationToken,
    ) -> Done {
        let at = Desk { stage, slot, life, inbox, stop, settings: &self.settings };
        match self.which {
            Which::Order => at.run(Orders::default(), Arc::new(NoCalls)),
            Which::Inventory => at.run(WAREHOUSE, Arc::new(NoCalls)),
            Which::Payment => {
                let calls = Through { calls: GatewayCalls(self.outside.clone()), life: life.clone() };
                at.run(Payments::default(), Arc::new(CallsOf(calls)))
            }
            Which::Shipping => {
                let calls = Through { calls: CarrierCalls(self.outside.clone()), life: life.clone() };
                at.run(Shipments::default(), Arc::new(CallsOf(calls)))
            }
        }
    }
}

struct Desk<'a> {
    stage: &'a Arc<Stage>,
    slot: &'a Slot,
    life: &'a Arc<Life>,
    inbox: &'a Arc<MemoryInbox>,
    stop: &'a CancellationToken,
    settings: &'a Arc<Settings>,
}

impl Desk<'_> {
    fn run<P: Participant>(self, participant: P, caller: Arc<dyn Caller>) -> Done {
        let (participant, settings) = (Arc::new(participant), self.settings.clone());
        let make = move |_| ParticipantLogic::new(participant.clone(), settings.clone());
        launch(self.stage, self.slot, self.life, self.inbox, self.stop, caller, make)
    }
}
