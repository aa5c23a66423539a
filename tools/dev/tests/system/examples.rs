//! Two of the examples on the real servers, with topics and schemas of other teams, and strangers who answer: they set none
//! of our headers.
//!
//! Apart from the orders, whose services are ours.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result};
use backstitch_contracts::{Catalog, Decoder, Envelope};
use backstitch_messaging_kafka::{KafkaSettings, ReadFrom, ReadUntil, TopicReader, TopicSpec, ensure_topics};
use backstitch_saga::SagaId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::definitions::Timeouts;
use crate::orders::Saga;
use crate::system::{System, system, system_with};
use crate::wire::{Wire, envelope};

/// Messages of a topic with their fields, each `name` or `name:type`; texts unless they say otherwise.
type Topic = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const TRIPS: &[Topic] = &[
    (
        "trips.events",
        &[
            ("TripRequested", &["trip_id", "out", "back", "city", "wants_car:boolean"]),
            ("TripBooked", &["trip_id", "with_car:boolean"]),
        ],
    ),
    ("flights.commands", &[("HoldFlights", &["trip_id", "out", "back"]), ("ReleaseFlights", &["trip_id"])]),
    (
        "flights.events",
        &[
            ("FlightsHeld", &["trip_id", "price:long"]),
            ("FlightsSoldOut", &["trip_id", "reason"]),
            ("FlightsReleased", &["trip_id"]),
        ],
    ),
    (
        "hotels.commands",
        &[("FindHotel", &["trip_id", "city"]), ("BookRoom", &["trip_id", "hotel_id"]), ("CancelRoom", &["trip_id"])],
    ),
    (
        "hotels.events",
        &[
            ("HotelFound", &["trip_id", "hotel_id"]),
            ("NoHotelFound", &["trip_id", "reason"]),
            ("RoomBooked", &["trip_id", "price:long"]),
            ("NoRoomLeft", &["trip_id", "reason"]),
            ("RoomWithdrawn", &["trip_id"]),
            ("RoomCancelled", &["trip_id"]),
        ],
    ),
    ("cars.commands", &[("RentCar", &["trip_id", "city"]), ("ReturnCar", &["trip_id"])]),
    (
        "cars.events",
        &[("CarRented", &["trip_id"]), ("NoCarLeft", &["trip_id", "reason"]), ("CarReturned", &["trip_id"])],
    ),
    ("cards.commands", &[("ChargeCard", &["trip_id", "amount:long"]), ("RefundCard", &["trip_id", "reason"])]),
    (
        "cards.events",
        &[
            ("CardCharged", &["trip_id"]),
            ("CardRefused", &["trip_id", "temporary:boolean", "reason"]),
            ("CardRefunded", &["trip_id"]),
        ],
    ),
];

const TRANSFERS: &[Topic] = &[
    ("transfers.events", &[("TransferRequested", &["transfer_id", "from", "to", "amount:long"])]),
    ("fraud.commands", &[("CheckTransfer", &["transfer_id", "amount:long"])]),
    ("fraud.events", &[("TransferCleared", &["transfer_id"]), ("TransferSuspicious", &["transfer_id", "reason"])]),
    (
        "ledger.commands",
        &[
            ("Debit", &["transfer_id", "account", "amount:long"]),
            ("CreditBack", &["transfer_id", "account", "amount:long"]),
        ],
    ),
    (
        "ledger.events",
        &[
            ("Debited", &["transfer_id"]),
            ("DebitRefused", &["transfer_id", "reason"]),
            ("CreditedBack", &["transfer_id"]),
            ("AccountClosed", &["transfer_id"]),
        ],
    ),
    ("clearing.commands", &[("Credit", &["transfer_id", "account", "amount:long"])]),
    (
        "clearing.events",
        &[("Credited", &["transfer_id", "clearing_id"]), ("CreditRefused", &["transfer_id", "reason"])],
    ),
    ("mail.commands", &[("SendReceipt", &["transfer_id", "clearing_id"])]),
    ("mail.events", &[("ReceiptSent", &["transfer_id"]), ("NoAddress", &["transfer_id"])]),
];

/// What a stranger says to a command: topic, event, and what it tells besides the flow's key.
type Said = (&'static str, &'static str, Value);

/// The example's world: its topics, its schemas, and what was asked of whom.
struct Abroad {
    system: &'static System,
    wire: Wire,
    decoder: Decoder,
    topics: &'static [Topic],
    /// The field of every message that holds the flow's key.
    key: &'static str,
    asked: RefCell<Vec<String>>,
}

/// The envelope of our orders around the messages of another team.
fn schema(orders: &str, (topic, messages): &Topic) -> Result<String> {
    let mut schema: Value = serde_json::from_str(orders)?;
    schema["namespace"] = json!(format!("abroad.{}", topic.replace('.', "_")));
    let fields = schema["fields"].as_array_mut().context("the envelope has no fields")?;
    let data = fields.iter_mut().find(|field| field["name"] == "data").context("the envelope has no data")?;
    let field = |field: &&str| {
        let (name, kind) = field.split_once(':').unwrap_or((field, "string"));
        json!({ "name": name, "type": kind })
    };
    let record = |(name, fields): &(&str, &[&str])| json!({ "type": "record", "name": name, "fields": fields.iter().map(field).collect::<Vec<_>>() });
    data["type"] = messages.iter().map(record).collect();
    Ok(schema.to_string())
}

impl Abroad {
    /// Topics have to be there before an orchestrator that reads them: both examples' are made.
    fn open(topics: &'static [Topic], key: &'static str) -> Result<Self> {
        let wire = Wire::open(system()?)?;
        let (_, orders) = wire.schema_of("orders.events")?;
        let decoder = Decoder::new(&Catalog::embedded()?)?;
        let mut specs = Vec::new();
        for topic in TRIPS.iter().chain(TRANSFERS) {
            for (name, partitions) in [(topic.0.to_owned(), 3), (format!("{}.dlq", topic.0), 1)] {
                specs.push(TopicSpec { name, partitions, replication: 1, config: [].into() });
            }
            let text = schema(&orders, topic)?;
            decoder.learn(wire.register(&format!("{}-value", topic.0), &text)?, &text)?;
        }
        let settings = KafkaSettings::plaintext(system()?.env("KAFKA_BOOTSTRAP")?);
        system()?.block_on(ensure_topics(&settings, &specs))?;
        let system = system_with(Timeouts::ShippedWithExamples)?;
        Ok(Self { system, wire, decoder, topics, key, asked: RefCell::default() })
    }

    fn tell(&self, (topic, event, mut data): Said, flow: Uuid) -> Result<()> {
        data[self.key] = json!(flow);
        let record = self.wire.record(topic, &flow.to_string(), &envelope(event, &flow.to_string(), data))?;
        self.wire.publish(vec![record])
    }

    /// Strangers answer each command of this flow until its saga is at rest.
    fn run(&self, definition: &str, start: Said, answer: impl Fn(&Envelope) -> Said) -> Result<(Uuid, Saga)> {
        let flow = Uuid::new_v4();
        let settings = KafkaSettings::plaintext(self.system.env("KAFKA_BOOTSTRAP")?);
        let commands: Vec<&str> =
            self.topics.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".commands")).collect();
        let open = TopicReader::open(&settings, &commands, ReadFrom::Beginning, ReadUntil::ForEver);
        let mut reader = self.system.block_on(open)?;
        self.tell(start, flow)?;
        let id = SagaId::derive(definition, &flow.to_string());
        let saga = self.system.until_some(&format!("{definition} {flow} has ended"), || {
            let waited = Duration::from_millis(200);
            while let Ok(Some(delivery)) =
                self.system.block_on(async { tokio::time::timeout(waited, reader.next()).await })
            {
                let value = delivery.value.as_deref().context("a command without a value")?;
                let command = self.decoder.decode(delivery.topic(), value)?;
                if command.aggregate_id == flow.to_string() {
                    self.asked.borrow_mut().push(command.event_type.clone());
                    self.tell(answer(&command), flow)?;
                }
            }
            let found = self.system.block_on(self.system.find("orchestrator", &format!("/sagas/{id}")))?;
            Ok(found.map(Saga).filter(Saga::is_at_rest))
        })?;
        Ok((flow, saga))
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.borrow().clone();
        asked.sort();
        asked
    }
}

fn trip() -> Said {
    let data = json!({ "out": "LH 902", "back": "LH 907", "city": "London", "wants_car": true });
    ("trips.events", "TripRequested", data)
}

/// Everybody says yes.
fn agreed(command: &Envelope) -> Said {
    match command.event_type.as_str() {
        "HoldFlights" => ("flights.events", "FlightsHeld", json!({ "price": 24_000 })),
        "ReleaseFlights" => ("flights.events", "FlightsReleased", json!({})),
        "FindHotel" => ("hotels.events", "HotelFound", json!({ "hotel_id": "h-7" })),
        "BookRoom" => ("hotels.events", "RoomBooked", json!({ "price": 18_000 })),
        "CancelRoom" => ("hotels.events", "RoomCancelled", json!({})),
        "RentCar" => ("cars.events", "CarRented", json!({})),
        "ReturnCar" => ("cars.events", "CarReturned", json!({})),
        "ChargeCard" => ("cards.events", "CardCharged", json!({})),
        "CheckTransfer" => ("fraud.events", "TransferCleared", json!({})),
        "Debit" => ("ledger.events", "Debited", json!({})),
        "CreditBack" => ("ledger.events", "CreditedBack", json!({})),
        "Credit" => ("clearing.events", "Credited", json!({ "clearing_id": "c-1" })),
        "SendReceipt" => ("mail.events", "ReceiptSent", json!({})),
        other => panic!("nobody here knows {other}"),
    }
}

#[test]
fn a_trip_is_booked_by_strangers_side_by_side_and_announced() -> Result<()> {
    let abroad = Abroad::open(TRIPS, "trip_id")?;
    let (flow, saga) = abroad.run("travel-booking", trip(), |command| {
        if command.event_type == "ChargeCard" {
            assert_eq!(command.data["amount"], 42_000);
        }
        agreed(command)
    })?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!(abroad.asked(), ["BookRoom", "ChargeCard", "FindHotel", "HoldFlights", "RentCar"]);
    let announced = abroad.wire.everything_on(&["trips.events"])?.into_iter().filter(|delivery| {
        let read = delivery.value.as_deref().and_then(|value| abroad.decoder.decode("trips.events", value).ok());
        read.is_some_and(|event| event.event_type == "TripBooked" && event.data["trip_id"] == json!(flow))
    });
    assert_eq!(announced.count(), 1);
    Ok(())
}

#[test]
fn a_trip_whose_card_is_refused_is_taken_back_by_everybody_who_had_said_yes() -> Result<()> {
    let abroad = Abroad::open(TRIPS, "trip_id")?;
    let (_, saga) = abroad.run("travel-booking", trip(), |command| match command.event_type.as_str() {
        "ChargeCard" => ("cards.events", "CardRefused", json!({ "temporary": false, "reason": "limit reached" })),
        _ => agreed(command),
    })?;
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    let expected =
        ["BookRoom", "CancelRoom", "ChargeCard", "FindHotel", "HoldFlights", "ReleaseFlights", "RentCar", "ReturnCar"];
    assert_eq!(abroad.asked(), expected);
    assert_eq!(saga.compensated().first().map(String::as_str), Some("rent-car"));
    Ok(())
}

fn transfer(amount: i64) -> Said {
    ("transfers.events", "TransferRequested", json!({ "from": "AT 1", "to": "CH 2", "amount": amount }))
}

#[test]
fn money_moves_between_banks_of_strangers_and_a_large_sum_is_checked_first() -> Result<()> {
    let abroad = Abroad::open(TRANSFERS, "transfer_id")?;
    let (_, saga) = abroad.run("money-transfer", transfer(2_000_000), agreed)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!(abroad.asked(), ["CheckTransfer", "Credit", "Debit", "SendReceipt"]);
    Ok(())
}

#[test]
fn money_that_the_other_bank_refuses_is_given_back() -> Result<()> {
    let abroad = Abroad::open(TRANSFERS, "transfer_id")?;
    let (_, saga) = abroad.run("money-transfer", transfer(5_000), |command| match command.event_type.as_str() {
        "Credit" => ("clearing.events", "CreditRefused", json!({ "reason": "no such account" })),
        _ => agreed(command),
    })?;
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    assert_eq!(abroad.asked(), ["Credit", "CreditBack", "Debit"]);
    Ok(())
}
