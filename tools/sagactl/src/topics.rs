//! The topics Backstitch needs, made once and never changed from here: a changed partition count would give keys
//! another home.

use std::collections::BTreeMap;

use anyhow::Context;
use backstitch_contracts::{Catalog, Cleanup, Topic};
use backstitch_messaging_kafka::{
    EnsureTopicsError, TopicSpec, TopicState, TopologyError, ensure_topics, partition_counts,
};
use serde_json::json;

use crate::cli::{Cli, CreateTopicsArgs, SchemasArgs, TopicsCommand};
use crate::connect;
use crate::exit::{Code, coded};
use crate::output::{print, print_json, table};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// A dead letter is its original and headers about it: the largest original must still fit.
const DEAD_LETTER_BYTES_MAX: i64 = 2 * 1024 * 1024;

pub(crate) async fn run(cli: &Cli, asked: &TopicsCommand) -> anyhow::Result<Code> {
    match asked {
        TopicsCommand::Create(asked) => create(cli, asked).await,
        TopicsCommand::List(asked) => list(cli, asked).await,
    }
}

/// The topics of this program's schemas, or of a folder's.
pub(crate) fn catalog(asked: &SchemasArgs) -> anyhow::Result<Catalog> {
    match &asked.dir {
        Some(folder) => {
            Catalog::load(folder).with_context(|| format!("no catalog of topics in `{}`", folder.display()))
        }
        None => Catalog::embedded().context("the catalog this program was built with is wrong"),
    }
}

async fn create(cli: &Cli, asked: &CreateTopicsArgs) -> anyhow::Result<Code> {
    let specs = specs(&catalog(&asked.schemas)?, asked.partitions, asked.replication);
    let states = ensure_topics(&connect::kafka(cli)?, &specs).await.map_err(unreachable)?;
    let differ = states.iter().any(|(_, state)| matches!(state, TopicState::Mismatch { .. }));
    if cli.json {
        let shown = states.iter().map(|(topic, state)| json!({ "topic": topic, "result": state }));
        print_json(&shown.collect::<Vec<_>>())?;
    } else {
        print(&table(["topic", "state"], states.iter().map(|(topic, state)| [topic.clone(), words(state)])));
    }
    Ok(if differ { Code::NotAsItShould } else { Code::Done })
}

async fn list(cli: &Cli, asked: &SchemasArgs) -> anyhow::Result<Code> {
    let catalog = catalog(asked)?;
    let counts = partition_counts(&connect::kafka(cli)?).await.map_err(|error| unreachable(error.into()))?;
    let names: Vec<(String, &Topic)> =
        catalog.topics().flat_map(|topic| [(topic.name.clone(), topic), (topic.dead_letters(), topic)]).collect();
    let missing = names.iter().any(|(name, _)| !counts.contains_key(name));
    if cli.json {
        let shown = names
            .iter()
            .map(|(name, topic)| json!({ "topic": name, "partitions": counts.get(name), "key": topic.key }));
        print_json(&shown.collect::<Vec<_>>())?;
    } else {
        let rows = names.iter().map(|(name, topic)| {
            let count = counts.get(name).map_or("missing".to_owned(), ToString::to_string);
            [name.clone(), count, topic.key.clone()]
        });
        print(&table(["topic", "partitions", "key"], rows));
    }
    Ok(if missing { Code::NotAsItShould } else { Code::Done })
}

/// Every topic and its dead letters, as they should be.
fn specs(catalog: &Catalog, partitions: i32, replication: i32) -> Vec<TopicSpec> {
    let spec = |name: String, config: BTreeMap<String, String>| TopicSpec { name, partitions, replication, config };
    let both = |topic: &Topic| {
        let durable = durability(replication);
        let mut own = durable.clone();
        let policy = match topic.cleanup {
            Cleanup::Delete => "delete",
            Cleanup::Compact => "compact",
        };
        own.insert("cleanup.policy".to_owned(), policy.to_owned());
        let retention = topic.retention_days.map_or(-1, |days| i64::from(days) * DAY_MILLIS);
        own.insert("retention.ms".to_owned(), retention.to_string());
        let mut dead = durable;
        // A dead letter waits for a person, however long.
        dead.insert("cleanup.policy".to_owned(), "delete".to_owned());
        dead.insert("retention.ms".to_owned(), "-1".to_owned());
        dead.insert("max.message.bytes".to_owned(), DEAD_LETTER_BYTES_MAX.to_string());
        [spec(topic.name.clone(), own), spec(topic.dead_letters(), dead)]
    };
    catalog.topics().flat_map(both).collect()
}

/// A write is on two brokers before it counts, where there are enough to lose one.
fn durability(replication: i32) -> BTreeMap<String, String> {
    let in_sync = if replication >= 3 { "2" } else { "1" };
    BTreeMap::from([("min.insync.replicas".to_owned(), in_sync.to_owned())])
}

fn words(state: &TopicState) -> String {
    match state {
        TopicState::Created => "created".to_owned(),
        TopicState::Existing => "there".to_owned(),
        TopicState::Mismatch { differences } => format!("differs: {}", differences.join("; ")),
    }
}

fn unreachable(error: EnsureTopicsError) -> anyhow::Error {
    match error {
        EnsureTopicsError::LookUp(error @ TopologyError::Unreachable { .. }) => {
            coded(Code::Unreachable, format!("{:#}", anyhow::Error::new(error)))
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::specs;
    use backstitch_contracts::Catalog;

    #[test]
    fn every_topic_has_dead_letters_that_are_kept_for_ever() {
        let catalog = Catalog::embedded().unwrap();
        let specs = specs(&catalog, 4, 3);
        assert_eq!(specs.len(), 2 * catalog.topics().count());
        for spec in specs.iter().filter(|spec| spec.name.ends_with(".dlq")) {
            assert_eq!(spec.config["retention.ms"], "-1", "{}", spec.name);
        }
    }

    #[test]
    fn journals_are_never_compacted_and_definitions_are() {
        let specs = specs(&Catalog::embedded().unwrap(), 4, 1);
        let policy = |topic: &str| {
            let spec = specs.iter().find(|spec| spec.name == topic).unwrap();
            (spec.config["cleanup.policy"].as_str(), spec.config["retention.ms"].as_str())
        };
        assert_eq!(policy("saga.events"), ("delete", "-1"));
        assert_eq!(policy("saga.definitions"), ("compact", "-1"));
        assert_eq!(policy("saga.commands"), ("delete", "604800000"));
    }

    #[test]
    fn a_write_needs_two_brokers_where_one_may_be_lost() {
        let in_sync =
            |replication| specs(&Catalog::embedded().unwrap(), 1, replication)[0].config["min.insync.replicas"].clone();
        assert_eq!((in_sync(1), in_sync(2), in_sync(3)), ("1".to_owned(), "1".to_owned(), "2".to_owned()));
    }
}
