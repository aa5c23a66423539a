//! What a stack tells the outside: the variables of `target/stack/env`.
//!
//! Separate from the services' settings, because this file is for people, scripts and tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::component::{Component, Service};
use super::memory::write_private;
use super::services::{database_url, registry_url};
use super::{Stack, kafka};

/// Name and value of each variable.
pub(super) fn of(stack: &Stack) -> Result<BTreeMap<&'static str, String>> {
    let http = |name: &str| stack.port(name).map(|port| format!("http://127.0.0.1:{port}"));
    let mut env = BTreeMap::from([
        ("KAFKA_BOOTSTRAP", kafka::bootstrap(stack)?),
        ("SCHEMA_REGISTRY_URL", registry_url(stack)?),
        ("POSTGRES_ADMIN_URL", database_url(stack, "postgres")?),
        ("ORDER_DATABASE_URL", database_url(stack, "order")?),
        ("ORDER_READ_DATABASE_URL", database_url(stack, "order_read")?),
        ("INVENTORY_DATABASE_URL", database_url(stack, "inventory")?),
        ("PAYMENT_DATABASE_URL", database_url(stack, "payment")?),
        ("SHIPPING_DATABASE_URL", database_url(stack, "shipping")?),
        ("ORCHESTRATOR_DATABASE_URL", database_url(stack, "orchestrator")?),
        ("SIMULATORS_URL", http("simulators")?),
        ("ADMIN_TOKEN", stack.secret("admin token")?),
    ]);
    for service in Service::ALL {
        let name = match service {
            Service::Order => "ORDER_URL",
            Service::Inventory => "INVENTORY_URL",
            Service::Payment => "PAYMENT_URL",
            Service::Shipping => "SHIPPING_URL",
            Service::Orchestrator => "ORCHESTRATOR_URL",
        };
        env.insert(name, http(service.name())?);
    }
    if stack.is_running(Component::Jaeger) {
        env.insert("JAEGER_URL", http("jaeger")?);
    }
    if stack.is_running(Component::Prometheus) {
        env.insert("PROMETHEUS_URL", http("prometheus")?);
    }
    Ok(env)
}

/// Writes them as a file that a shell can `source`; it holds passwords, so only its owner may read it.
pub(super) fn write(stack: &Stack) -> Result<()> {
    let mut text = String::from("# Written by `cargo xtask up`. Load it with: source target/stack/env\n");
    for (name, value) in of(stack)? {
        writeln!(text, "export {name}='{value}'")?;
    }
    write_private(&stack.layout().env_file(), &text)
}
