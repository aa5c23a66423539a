//! One bad message never stops a lane, whoever finds it.

use std::collections::BTreeMap;

use backstitch_contracts::headers;
use backstitch_messaging::Record;

use crate::harness::{Bench, Told};

#[tokio::test(flavor = "multi_thread")]
async fn poison_found_by_decoder_handler_and_database_is_set_aside_and_the_rest_goes_on() {
    let bench = Bench::new(1).await;
    let mut bad: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    // All in one partition and, as the member comes after them, most likely in one batch.
    for n in 0..50 {
        bench.send(&format!("key-{n}"), Told::Record).await;
        let (reason, record) = match n {
            5 => ("undecodable", Record::new("toys.commands", "junk", b"no Avro at all".to_vec())),
            10 => ("unknown-schema", Record::new("toys.commands", "junk", vec![0, 0, 0, 0, 99, 1])),
            20 => ("panicked", bench.record("bad", &Told::Panic)),
            30 => ("invalid", bench.record("bad", &Told::Reject)),
            40 => ("rejected-by-database", bench.record("bad", &Told::Poison)),
            _ => continue,
        };
        bad.insert(reason, record.value.clone().unwrap());
        bench.publish(record.header("kept", "as it was")).await;
    }
    let member = bench.member();
    bench.until("all good ones are handled", async || bench.handled().await == 50).await;
    bench.until("all bad ones are set aside", async || bench.dead_letters().len() == bad.len()).await;
    let found: BTreeMap<String, Vec<u8>> = bench
        .dead_letters()
        .into_iter()
        .map(|letter| (letter.header_text(headers::DLQ_REASON).unwrap().to_owned(), letter.value.unwrap()))
        .collect();
    let expected: BTreeMap<String, Vec<u8>> =
        bad.into_iter().map(|(reason, bytes)| (reason.to_owned(), bytes)).collect();
    assert_eq!(found, expected, "each with its reason and its original bytes");
    bench.assert_in_order().await;
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_says_where_it_was_and_keeps_its_headers() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.publish(bench.record("key", &Told::Reject).header("kept", "as it was")).await;
    bench.until("it is set aside", async || bench.dead_letters().len() == 1).await;
    let letter = bench.dead_letters().remove(0);
    let header = |name| letter.header_text(name).unwrap_or_default().to_owned();
    assert_eq!(header("kept"), "as it was");
    assert_eq!(header(headers::DLQ_TOPIC), "toys.commands");
    assert_eq!((header(headers::DLQ_PARTITION), header(headers::DLQ_OFFSET)), ("0".into(), "0".into()));
    assert_eq!(header(headers::DLQ_GROUP), "toys");
    assert_eq!(header(headers::DLQ_ERROR), "told to reject");
    assert_eq!(letter.key.as_deref(), Some(&b"key"[..]));
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_redriven_for_another_group_is_passed_by() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.publish(bench.record("key", &Told::Record).header(headers::REDRIVE_GROUP, "others")).await;
    bench.publish(bench.record("key", &Told::Record).header(headers::REDRIVE_GROUP, "toys")).await;
    bench.until("ours is handled", async || bench.answers().len() == 1).await;
    bench.send("key", Told::Record).await;
    bench.until("and what follows", async || bench.answers().len() == 2).await;
    assert_eq!(bench.handled().await, 2);
    member.stop().await.unwrap();
}
