//! The parts of a stack and their names, as people type them.
//!
//! Separate, because commands, files and tests all speak of components by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::Signal;

/// One process of a stack; those that others stand on come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The databases of all services and of the registry.
    Postgres,
    /// A Kafka broker that is a controller too, numbered from 1.
    Kafka(u16),
    /// The schema registry.
    Registry,
    /// Collects traces.
    Jaeger,
    /// Collects metrics.
    Prometheus,
    /// The payment gateway and the carrier, scripted.
    Simulators,
    /// One of ours, and which of its replicas, numbered from 1.
    Service(Service, u16),
}

/// The five services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Takes orders.
    Order,
    /// Keeps stock.
    Inventory,
    /// Charges and refunds.
    Payment,
    /// Ships.
    Shipping,
    /// Drives the sagas.
    Orchestrator,
}

impl Service {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Order, Self::Inventory, Self::Payment, Self::Shipping, Self::Orchestrator];

    /// Its name, which is its database's too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Shipping => "shipping",
            Self::Orchestrator => "orchestrator",
        }
    }
}

impl Component {
    /// The signal that asks it to end in good order. Postgres waits for its clients on SIGTERM.
    #[must_use]
    pub const fn polite_signal(self) -> Signal {
        match self {
            Self::Postgres => Signal::SIGINT,
            _ => Signal::SIGTERM,
        }
    }

    /// How long it may take to end before it is killed.
    #[must_use]
    pub const fn patience(self) -> Duration {
        match self {
            Self::Postgres | Self::Kafka(_) | Self::Service(..) => Duration::from_secs(30),
            _ => Duration::from_secs(15),
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres => out.write_str("postgres"),
            Self::Kafka(1) => out.write_str("kafka"),
            Self::Kafka(node) => write!(out, "kafka#{node}"),
            Self::Registry => out.write_str("registry"),
            Self::Jaeger => out.write_str("jaeger"),
            Self::Prometheus => out.write_str("prometheus"),
            Self::Simulators => out.write_str("simulators"),
            Self::Service(service, 1) => out.write_str(service.name()),
            Self::Service(service, replica) => write!(out, "{}#{replica}", service.name()),
        }
    }
}

/// A name that no component has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownComponent(String);

impl fmt::Display for UnknownComponent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "no component is called `{}`; there are postgres, kafka, registry, jaeger, prometheus, simulators, order, inventory, \
             payment, shipping and orchestrator (a further broker or replica as `inventory#2`)",
            self.0
        )
    }
}

impl std::error::Error for UnknownComponent {}

impl FromStr for Component {
    type Err = UnknownComponent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownComponent(text.to_owned());
        let (name, number) = match text.split_once('#') {
            Some((name, number)) => {
                (name, Some(number.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(unknown)?))
            }
            None => (text, None),
        };
        if name == "kafka" {
            return Ok(Self::Kafka(number.unwrap_or(1)));
        }
        if let Some(service) = Service::ALL.into_iter().find(|service| service.name() == name) {
            return Ok(Self::Service(service, number.unwrap_or(1)));
        }
        match (name, number) {
            ("postgres", None) => Ok(Self::Postgres),
            ("registry", None) => Ok(Self::Registry),
            ("jaeger", None) => Ok(Self::Jaeger),
            ("prometheus", None) => Ok(Self::Prometheus),
            ("simulators", None) => Ok(Self::Simulators),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Component, Service};

    #[test]
    fn every_name_is_read_as_it_is_written() {
        let components = [
            Component::Postgres,
            Component::Kafka(1),
            Component::Kafka(3),
            Component::Registry,
            Component::Jaeger,
            Component::Prometheus,
            Component::Simulators,
            Component::Service(Service::Inventory, 1),
            Component::Service(Service::Inventory, 2),
        ];
        for component in components {
            assert_eq!(component.to_string().parse(), Ok(component));
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_answered_with_those_that_exist() {
        let error = "zookeeper".parse::<Component>().unwrap_err();
        assert!(error.to_string().starts_with("no component is called `zookeeper`; there are postgres, kafka"));
        assert!("registry#2".parse::<Component>().is_err());
        assert!("inventory#0".parse::<Component>().is_err());
    }
}
