//! What only Kafka can show: its topics, commits, sizes, transactions, members and tools.

use std::collections::BTreeMap;

use backstitch_messaging::{Inbox, LaneId, Ownership, PublishError, Publisher, Record, TopicPartition};
use backstitch_messaging_kafka::{
    KafkaPublisher, KafkaSettings, ReadFrom, ReadUntil, TopicReader, TopicSpec, TopicState, ensure_topics,
    partition_counts,
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use crate::{
    broker::{Kafka, client},
    gauges::gauges,
    suite::{
        TestBroker,
        member::{Read, text, to_partition},
        soon,
    },
};

fn plain(kafka: &Kafka) -> KafkaSettings {
    KafkaSettings::plaintext(&kafka.settings.bootstrap)
}

async fn publish(publisher: &dyn Publisher, records: Vec<Record>) -> Result<(), PublishError> {
    let receipt = publisher.publish(records).await?;
    soon("the receipt", receipt).await.expect("a receipt")
}

#[tokio::test]
async fn a_missing_topic_is_named_with_the_way_to_create_it() {
    let kafka = Kafka::new().await;
    let lanes = kafka.topic("there", 1).await;
    let refused = kafka.join_with(&plain(&kafka), "g", &lanes, &["not-there"]).await.err().expect("an error");
    let reason = std::error::Error::source(&refused).expect("a source").to_string();
    assert!(reason.contains("`not-there`") && reason.contains("sagactl topics create"), "{reason}");
    assert!(!reason.contains(&lanes), "{reason}");
    kafka.clean_up().await;
}

#[tokio::test]
async fn topics_are_made_once_and_differences_are_told() {
    let kafka = Kafka::new().await;
    let name = kafka.topic("made", 2).await;
    let spec = |partitions, policy: &str| TopicSpec {
        name: name.clone(),
        partitions,
        replication: 1,
        config: BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]),
    };
    let state = async |spec| ensure_topics(&kafka.settings, &[spec]).await.expect("answered").remove(0).1;
    assert_eq!(state(spec(2, "delete")).await, TopicState::Existing);
    match state(spec(3, "compact")).await {
        TopicState::Mismatch { differences } => {
            assert_eq!(differences, ["partitions is 2, should be 3", "cleanup.policy is delete, should be compact"])
        }
        other => panic!("expected a mismatch, got {other:?}"),
    }
    assert_eq!(partition_counts(&kafka.settings).await.expect("counts")[&name], 2);
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_membership_reads_nothing() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("paused", 2).await;
    let publisher = kafka.publisher().await;
    let many = |from: i32| (from..from + 2000).map(|n| to_partition(&topic, n % 2, n)).collect::<Vec<_>>();
    publish(&*publisher, many(0)).await.expect("durable");
    let inbox = kafka.join_with(&plain(&kafka), &topic, &topic, &[]).await.expect("joined");
    for _ in 0..2 {
        soon("a lane", inbox.ownership()).await.expect("a lane");
    }
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    publish(&*publisher, many(2000)).await.expect("durable");
    read.until_count(2000).await;
    assert_eq!(inbox.strays(), 0);
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reported_positions_are_committed_for_lag_tools() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("committed", 1).await;
    publish(&*kafka.publisher().await, (0..9).map(|n| to_partition(&topic, 0, n)).collect()).await.expect("durable");
    let inbox = kafka.join_with(&plain(&kafka), &topic, &topic, &[]).await.expect("joined");
    soon("the lane", inbox.ownership()).await.expect("the lane");
    inbox.report(vec![(TopicPartition::new(topic.as_str(), 0), 7)]);
    let mut config = client(&kafka.settings);
    config.set("group.id", &topic);
    let asked = topic.clone();
    let committed = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().expect("consumer");
        loop {
            let mut list = TopicPartitionList::new();
            list.add_partition(&asked, 0);
            let answer = consumer.committed_offsets(list, std::time::Duration::from_secs(10)).expect("an answer");
            if let Offset::Offset(offset) = answer.elements()[0].offset() {
                break offset;
            }
        }
    });
    assert_eq!(soon("the commit", committed).await.expect("asked"), 7);
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_gauge_is_how_far_the_reported_position_is_behind() {
    let mut gauges = gauges();
    let kafka = Kafka::new().await;
    let topic = kafka.topic("lag", 1).await;
    publish(&*kafka.publisher().await, (0..9).map(|n| to_partition(&topic, 0, n)).collect()).await.expect("durable");
    let mut settings = plain(&kafka);
    settings.extra.0.insert("reader.statistics.interval.ms".into(), "100".into());
    let inbox = kafka.join_with(&settings, &topic, &topic, &[]).await.expect("joined");
    soon("the lane", inbox.ownership()).await.expect("the lane");
    let _feed = inbox.read(LaneId(0), &[]).await.expect("feed");
    let gauge = format!("kafka_consumer_lag_records{{group={topic},topic={topic},partition=0}}");
    for (position, lag) in [(7, 2.0), (9, 0.0)] {
        inbox.report(vec![(TopicPartition::new(topic.as_str(), 0), position)]);
        let shown = gauges.wait_for(|seen| seen.get(&gauge) == Some(&lag));
        drop(soon(&format!("a lag of {lag}"), shown).await.expect("gauges"));
    }
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_too_large_is_refused_and_the_producer_goes_on() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("sizes", 1).await;
    let publisher = KafkaPublisher::new(&plain(&kafka)).expect("producer");
    let large = Record::new(&topic, "key", vec![0; 3_000_000]);
    match publish(&publisher, vec![large]).await {
        Err(PublishError::Refused { topic: named, .. }) => assert_eq!(named, topic),
        other => panic!("expected a refusal, got {other:?}"),
    }
    publish(&publisher, vec![to_partition(&topic, 0, "fine")]).await.expect("the producer goes on");
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_too_large_for_its_topic_is_refused_and_the_producer_goes_on() {
    let kafka = Kafka::new().await;
    let topic = kafka.small_topic("small", 1000).await;
    let publisher = KafkaPublisher::new(&plain(&kafka)).expect("producer");
    // Not compressible, or it would fit.
    let noise: Vec<u8> = (0..200).flat_map(|_| *uuid::Uuid::new_v4().as_bytes()).collect();
    match publish(&publisher, vec![Record::new(&topic, "key", noise)]).await {
        Err(PublishError::Refused { topic: named, .. }) => assert_eq!(named, topic),
        other => panic!("expected a refusal, got {other:?}"),
    }
    publish(&publisher, vec![to_partition(&topic, 0, "fine")]).await.expect("the producer goes on");
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_transaction_is_never_read_and_the_end_lies_behind_it() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("aborted", 1).await;
    let publisher = kafka.publisher().await;
    publish(&*publisher, vec![to_partition(&topic, 0, "before")]).await.expect("durable");
    kafka.aborted_transaction(&topic, 0).await;
    publish(&*publisher, vec![to_partition(&topic, 0, "after")]).await.expect("durable");
    let inbox = kafka.join_with(&plain(&kafka), &topic, &topic, &[]).await.expect("joined");
    let (source, end) = inbox.end_offsets(LaneId(0)).await.expect("ends").remove(0);
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    read.until("the end", |read| read.marks.get(&source) == Some(&end)).await;
    assert_eq!(read.values(), ["before", "after"]);
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_instance_id_is_taken_over_gives_up() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("static", 2).await;
    let settings = KafkaSettings { instance_id: Some("one".into()), ..plain(&kafka) };
    let first = kafka.join_with(&settings, &topic, &topic, &[]).await.expect("joined");
    for _ in 0..2 {
        soon("a lane", first.ownership()).await.expect("a lane");
    }
    let second = kafka.join_with(&settings, &topic, &topic, &[]).await.expect("joined");
    for _ in 0..2 {
        let change = soon("a lane of the second", second.ownership()).await;
        assert!(matches!(change, Some(Ownership::Gained(_))), "{change:?}");
    }
    soon("the first's end", async { while first.ownership().await.is_some() {} }).await;
    assert!(!first.owns(LaneId(0)) && !first.owns(LaneId(1)));
    assert!(second.owns(LaneId(0)) && second.owns(LaneId(1)));
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_read_a_topic_to_its_end_from_wherever_they_like() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("tools", 3).await;
    let publisher = kafka.publisher().await;
    publish(&*publisher, (0..30).map(|n| to_partition(&topic, n % 3, n)).collect()).await.expect("durable");
    // Behind the records of one partition lies a control record, and one more record before it.
    kafka.control_record(&topic, 0).await;
    let all = async |from, until| {
        let mut reader = TopicReader::open(&kafka.settings, &[&topic], from, until).await.expect("opened");
        let mut values = Vec::new();
        soon("the end", async {
            while let Some(delivery) = reader.next().await {
                values.push(text(&delivery));
            }
        })
        .await;
        values.sort();
        values
    };
    assert_eq!(all(ReadFrom::Beginning, ReadUntil::EndAtStart).await.len(), 31);
    assert_eq!(all(ReadFrom::End, ReadUntil::EndAtStart).await, [""; 0]);
    assert_eq!(all(ReadFrom::Time(0), ReadUntil::EndAtStart).await.len(), 31);
    assert_eq!(all(ReadFrom::Time(i64::MAX / 2), ReadUntil::EndAtStart).await.len(), 0);
    let here = vec![(TopicPartition::new(topic.as_str(), 1), 8)];
    assert_eq!(all(ReadFrom::Offsets(here), ReadUntil::EndAtStart).await, ["25", "28"]);
    kafka.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_follow_a_topic_for_ever() {
    let kafka = Kafka::new().await;
    let topic = kafka.topic("follow", 1).await;
    let publisher = kafka.publisher().await;
    publish(&*publisher, vec![to_partition(&topic, 0, "old")]).await.expect("durable");
    let mut reader =
        TopicReader::open(&kafka.settings, &[&topic], ReadFrom::End, ReadUntil::ForEver).await.expect("open");
    for n in 0..3 {
        publish(&*publisher, vec![to_partition(&topic, 0, n)]).await.expect("durable");
        let next = soon("the next record", reader.next()).await.expect("a record");
        assert_eq!(text(&next), n.to_string());
    }
    kafka.clean_up().await;
}
