//! Projections on Kafka: introduces the library to the broker. Separate from the lanes, which own another database.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_messaging::Inbox;
use backstitch_messaging_kafka::{InboxPlan, KafkaInbox, KafkaSettings};
use backstitch_projection::admin::Admin;
use backstitch_projection::{Inboxes, JoinError, Projections, Settings, Sources, StoreSource};
use backstitch_service_kit::Context;

use crate::settings::Shared;
use crate::wires::Wires;

struct KafkaInboxes {
    settings: KafkaSettings,
}

#[async_trait]
impl Inboxes for KafkaInboxes {
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError> {
        let plan = InboxPlan {
            group: group.to_owned(),
            lane_topic: lane_topic.to_owned(),
            inputs: inputs.iter().map(|topic| (*topic).to_owned()).collect(),
        };
        match KafkaInbox::start(&self.settings, plan).await {
            Ok(inbox) => Ok(Arc::new(inbox)),
            Err(error) => {
                Err(JoinError { group: group.to_owned(), reason: format!("{:#}", anyhow::Error::new(error)) })
            }
        }
    }
}

impl Wires {
    /// Runs the projections as members of groups that are called after `group`. What ails them shows in metrics and
    /// logs, not in the process's readiness: the write side does not need them. Topics in `stores` are read where their
    /// events are stored.
    pub fn projections<C: Shared>(
        &self,
        context: &Context<C>,
        group: &str,
        admin: &Admin,
        stores: BTreeMap<&'static str, StoreSource>,
    ) {
        let sources = Sources {
            inboxes: Arc::new(KafkaInboxes { settings: patient(context.config.kafka()) }),
            decoder: self.decoder.clone(),
            schemas: self.registry.clone(),
            stores,
        };
        let projections = Projections::new(admin, sources, Settings::new(group));
        let stop = context.shutdown.clone();
        context.tasks.spawn(format!("projections {group}"), async move {
            projections.run(stop).await;
            Ok(())
        });
    }
}

/// Read models are taken in in batches, so the broker may wait until there is something worth a fetch, for as long as a
/// fetch may be held at most. What the operator has set wins.
fn patient(settings: &KafkaSettings) -> KafkaSettings {
    let mut settings = settings.clone();
    settings.extra.0.entry("reader.fetch.min.bytes".to_owned()).or_insert_with(|| "65536".to_owned());
    settings
}
