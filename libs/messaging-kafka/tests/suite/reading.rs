//! Reading: shares, offsets, ends, and lanes that do not wait for each other.

use std::collections::BTreeSet;

use backstitch_messaging::{LaneId, Publisher, Record, TopicPartition};

use super::{
    TestBroker,
    member::{Read, to_partition},
    soon,
};

async fn publish(publisher: &dyn Publisher, records: Vec<Record>) {
    let receipt = publisher.publish(records).await.expect("queued");
    soon("the receipt", receipt).await.expect("a receipt").expect("durable");
}

pub(crate) async fn a_lane_reads_its_share_of_topics_of_any_size(broker: &impl TestBroker) {
    let lanes = broker.topic("lanes", 2).await;
    let wide = broker.topic("wide", 5).await;
    let narrow = broker.topic("narrow", 1).await;
    let publisher = broker.publisher().await;
    let all = [(&lanes, 2), (&wide, 5), (&narrow, 1)];
    let records = all.iter().flat_map(|(topic, count)| (0..*count).map(|p| to_partition(topic, p, p))).collect();
    publish(&*publisher, records).await;
    let inbox = broker.join("shares", &lanes, &[&wide, &narrow]).await;
    assert_eq!(inbox.topology().lanes(), 2);
    for (lane, count) in [(0, 5), (1, 3)] {
        let mut read = Read::new(inbox.read(LaneId(lane), &[]).await.expect("feed"));
        read.until("every partition's end", |read| read.marks.len() == count).await;
        let from: BTreeSet<TopicPartition> = read.deliveries.iter().map(|d| d.source.clone()).collect();
        assert_eq!(from, inbox.topology().inputs_of(LaneId(lane)).into_iter().collect());
    }
}

pub(crate) async fn reading_goes_on_where_it_is_told(broker: &impl TestBroker) {
    let topic = broker.topic("resume", 1).await;
    let publisher = broker.publisher().await;
    publish(&*publisher, (0..10).map(|n| to_partition(&topic, 0, n)).collect()).await;
    let inbox = broker.join("resume", &topic, &[]).await;
    let from = (TopicPartition::new(topic.as_str(), 0), 7);
    let mut read = Read::new(inbox.read(LaneId(0), &[from]).await.expect("feed"));
    read.until_count(3).await;
    assert_eq!(read.values(), ["7", "8", "9"]);
    publish(&*publisher, vec![to_partition(&topic, 0, "new")]).await;
    read.until_count(4).await;
    assert_eq!(read.values().last().map(String::as_str), Some("new"));
}

pub(crate) async fn the_end_of_a_partition_is_marked_after_its_records(broker: &impl TestBroker) {
    let topic = broker.topic("ends", 1).await;
    let publisher = broker.publisher().await;
    let inbox = broker.join("ends", &topic, &[]).await;
    let source = TopicPartition::new(topic.as_str(), 0);
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    read.until("the end of nothing", |read| read.marks.get(&source) == Some(&0)).await;
    publish(&*publisher, (0..3).map(|n| to_partition(&topic, 0, n)).collect()).await;
    read.until("the end", |read| read.marks.get(&source) == Some(&3)).await;
    assert_eq!(read.values(), ["0", "1", "2"]);
}

pub(crate) async fn the_end_lies_behind_control_records(broker: &impl TestBroker) {
    let topic = broker.topic("control", 1).await;
    let publisher = broker.publisher().await;
    publish(&*publisher, vec![to_partition(&topic, 0, "plain")]).await;
    broker.control_record(&topic, 0).await;
    let inbox = broker.join("control", &topic, &[]).await;
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    let ends = inbox.end_offsets(LaneId(0)).await.expect("ends");
    let (source, end) = ends[0].clone();
    read.until("the end", |read| read.marks.get(&source) == Some(&end)).await;
    let last = read.deliveries.last().expect("a record").offset;
    assert!(last + 1 < end, "the last record is {last} and the end {end}: nothing lies between");
}

pub(crate) async fn a_lane_that_falls_behind_does_not_hold_up_the_others(broker: &impl TestBroker) {
    const MANY: usize = 20_000;
    let topic = broker.topic("backlog", 2).await;
    let publisher = broker.publisher().await;
    publish(&*publisher, (0..MANY).map(|n| to_partition(&topic, 0, n)).collect()).await;
    let inbox = broker.join("backlog", &topic, &[]).await;
    let mut slow = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    let mut quick = Read::new(inbox.read(LaneId(1), &[]).await.expect("feed"));
    slow.until_count(1).await;
    for n in 0..50 {
        publish(&*publisher, vec![to_partition(&topic, 1, n)]).await;
        quick.until_count(n + 1).await;
    }
    slow.until_count(MANY).await;
    let every: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert!(slow.values() == every, "the slow lane's records are not all there in order");
}

pub(crate) async fn a_lane_can_be_stopped_and_read_again(broker: &impl TestBroker) {
    let topic = broker.topic("again", 1).await;
    let publisher = broker.publisher().await;
    publish(&*publisher, (0..5).map(|n| to_partition(&topic, 0, n)).collect()).await;
    let inbox = broker.join("again", &topic, &[]).await;
    for _ in 0..3 {
        let mut feed = inbox.read(LaneId(0), &[]).await.expect("feed");
        inbox.stop(LaneId(0)).await;
        soon("the feed's end", async { while feed.recv().await.is_some() {} }).await;
    }
    drop(inbox.read(LaneId(0), &[]).await.expect("a feed that nobody wants"));
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    read.until_count(5).await;
    assert_eq!(read.values(), ["0", "1", "2", "3", "4"]);
}
