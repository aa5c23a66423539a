//! Every message of every topic, there and back, and byte for byte as `apache-avro` writes it.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use backstitch_contracts::{Catalog, Decoder, Encoder, frame};
use proptest::test_runner::{Config, TestRunner};

use crate::samples;

#[test]
fn every_message_is_written_as_apache_avro_writes_it_and_read_as_it_was() {
    let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
    let mut members = 0;
    for (id, (topic, text, schema)) in (1_u32..).zip(samples::schemas()) {
        let encoder = Encoder::new(&text, id).unwrap();
        let apache = GenericDatumWriter::builder(&schema).build().unwrap();
        decoder.learn(id, &text).unwrap();
        for member in samples::members(&schema) {
            members += 1;
            let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
            let outcome = runner.run(&samples::envelopes(&member), |envelope| {
                let bytes = encoder.encode(&envelope).unwrap();
                let theirs = apache.write_value_to_vec(samples::as_avro(&envelope, &schema)).unwrap();
                proptest::prop_assert_eq!(&bytes[..5], &frame(id));
                proptest::prop_assert_eq!(&bytes[5..], theirs);
                proptest::prop_assert_eq!(decoder.decode(&topic, &bytes).unwrap(), envelope);
                Ok(())
            });
            outcome.unwrap_or_else(|failure| panic!("{topic} {}: {failure}", member.name));
        }
    }
    assert!(members > 60, "only {members} members were seen");
}

#[test]
fn apache_avro_reads_what_we_write_as_the_same_member() {
    for (topic, text, schema) in samples::schemas() {
        let encoder = Encoder::new(&text, 1).unwrap();
        let apache = GenericDatumReader::builder(&schema).build().unwrap();
        for member in samples::members(&schema) {
            let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
            let outcome = runner.run(&samples::envelopes(&member), |envelope| {
                let bytes = encoder.encode(&envelope).unwrap();
                let read = apache.read_value(&mut &bytes[5..]).unwrap();
                proptest::prop_assert_eq!(read, samples::as_avro(&envelope, &schema));
                Ok(())
            });
            outcome.unwrap_or_else(|failure| panic!("{topic} {}: {failure}", member.name));
        }
    }
}
