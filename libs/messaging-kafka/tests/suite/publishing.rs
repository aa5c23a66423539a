//! Publishing: order, partitions, refusals, and bytes left alone.

use std::collections::BTreeMap;

use backstitch_messaging::{LaneId, PublishError, Record, partition_for};

use super::{
    TestBroker,
    member::{Read, text, to_partition},
    soon,
};

pub(crate) async fn records_of_one_key_keep_their_order_across_calls(broker: &impl TestBroker) {
    let topic = broker.topic("order", 3).await;
    let publisher = broker.publisher().await;
    let keys = ["a", "b", "c", "d", "e", "f", "g"];
    let mut receipts = Vec::new();
    for number in 0..200 {
        let call = keys.iter().map(|key| Record::new(&topic, key, format!("{number:03}").into_bytes())).collect();
        receipts.push(publisher.publish(call).await.expect("queued"));
    }
    for receipt in receipts {
        soon("the receipt", receipt).await.expect("a receipt").expect("durable");
    }
    let inbox = broker.join("order", &topic, &[]).await;
    let mut seen: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for lane in 0..3 {
        let mut read = Read::new(inbox.read(LaneId(lane), &[]).await.expect("feed"));
        let end = inbox.end_offsets(LaneId(lane)).await.expect("ends")[0].1;
        read.until_count(usize::try_from(end).expect("an end")).await;
        for delivery in &read.deliveries {
            seen.entry(delivery.key.clone().expect("a key")).or_default().push(text(delivery));
        }
    }
    let every: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    assert_eq!(seen.len(), keys.len());
    for (key, values) in seen {
        assert_eq!(values, every, "{}", String::from_utf8_lossy(&key));
    }
}

pub(crate) async fn a_key_goes_where_javas_partitioner_puts_it(broker: &impl TestBroker) {
    let topic = broker.topic("keys", 5).await;
    let publisher = broker.publisher().await;
    let keys: Vec<String> = (0..40).map(|n| format!("order-{n}")).collect();
    let records = keys.iter().map(|key| Record::new(&topic, key, b"x".to_vec())).collect();
    publisher.publish(records).await.expect("queued").await.expect("a receipt").expect("durable");
    let inbox = broker.join("keys", &topic, &[]).await;
    let mut seen = 0;
    for lane in 0..5 {
        let here = keys.iter().filter(|key| partition_for(key.as_bytes(), 5) == lane).count();
        let mut read = Read::new(inbox.read(LaneId(lane), &[]).await.expect("feed"));
        read.until_count(here).await;
        for delivery in &read.deliveries {
            assert_eq!(partition_for(delivery.key.as_deref().expect("a key"), 5), lane);
            seen += 1;
        }
    }
    assert_eq!(seen, keys.len());
}

pub(crate) async fn a_record_for_an_unknown_topic_is_refused_by_name(broker: &impl TestBroker) {
    let known = broker.topic("known", 1).await;
    let publisher = broker.publisher().await;
    let unknown = format!("{known}-not");
    let outcome = match publisher.publish(vec![Record::new(&unknown, "key", b"x".to_vec())]).await {
        Ok(receipt) => soon("the receipt", receipt).await.expect("a receipt"),
        Err(error) => Err(error),
    };
    match outcome {
        Err(PublishError::Refused { topic, .. }) => assert_eq!(topic, unknown),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let after = publisher.publish(vec![to_partition(&known, 0, "fine")]).await.expect("queued");
    soon("the receipt", after).await.expect("a receipt").expect("the producer goes on");
}

pub(crate) async fn bytes_headers_and_tombstones_arrive_as_they_were_sent(broker: &impl TestBroker) {
    let topic = broker.topic("bytes", 1).await;
    let publisher = broker.publisher().await;
    let full = Record::new(&topic, [0, 159, 146], vec![255, 0, 1]).header("ce_id", "1").header("ce_id", [0, 255]);
    let tombstone = Record { value: None, ..Record::new(&topic, "gone", Vec::new()) };
    let empty = Record { key: None, ..Record::new(&topic, "", Vec::new()) };
    let sent = vec![full, tombstone, empty];
    publisher.publish(sent.clone()).await.expect("queued").await.expect("a receipt").expect("durable");
    let inbox = broker.join("bytes", &topic, &[]).await;
    let mut read = Read::new(inbox.read(LaneId(0), &[]).await.expect("feed"));
    read.until_count(3).await;
    for (sent, came) in sent.iter().zip(&read.deliveries) {
        assert_eq!((&sent.key, &sent.value, &sent.headers), (&came.key, &came.value, &came.headers));
    }
    assert_eq!(read.deliveries[0].header("ce_id"), Some(&[0, 255][..]));
}
