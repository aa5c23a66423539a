//! The registry is away: what is known flows, what is new waits, and nothing is given up.

use anyhow::Result;
use backstitch_contracts::Encoder;
use backstitch_messaging::Record;
use uuid::Uuid;

use crate::orders::Wish;
use crate::system::system;
use crate::wire::{Wire, envelope};

#[test]
fn while_the_registry_is_down_known_schemas_serve_and_a_new_one_waits_for_it() -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let product = system.product_with(10)?;
    // A stranger's schema for PlaceOrder: ours with a remark in it, so that the registry gives it an id of its own.
    let (ours, schema) = wire.schema_of("orders.commands")?;
    let remark = format!("{{\"doc\":\"as the stranger {} writes it\",", Uuid::new_v4());
    let theirs = schema.replacen('{', &remark, 1);
    let id = wire.register(&format!("stranger-{}-value", Uuid::new_v4()), &theirs)?;
    assert_ne!(id, ours);
    let order = Uuid::new_v4();
    let command = envelope("PlaceOrder", &order.to_string(), Wish::of(&product).command(order));
    let value = Encoder::new(&theirs, id)?.encode(&command)?;

    // Schemas are met with the first messages after a start.
    let first = system.place(&Wish::of(&product))?;
    assert_eq!(system.end_of(first)?.status(), "completed");

    system.stop("registry")?;
    let known = system.place(&Wish::of(&product))?;
    assert_eq!(system.end_of(known)?.status(), "completed");
    wire.publish(vec![Record::new("orders.commands", order.to_string(), value)])?;
    system.until("the order service waits for the registry", || Ok(!system.is_ready("order")?))?;
    assert!(system.saga_of(order)?.is_none());

    system.start("registry")?;
    assert_eq!(system.end_of(order)?.status(), "completed");
    assert!(wire.dead_letters("orders.commands", &order.to_string())?.is_empty());
    system.until("the order service is ready again", || system.is_ready("order"))
}
