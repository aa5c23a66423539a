//! Bytes that must never change: what was written by this release is on topics for ever. Each is also read by
//! `apache-avro`, which knows nothing of ours.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use backstitch_contracts::{Catalog, Decoder, Encoder};
use serde_json::{Value, json};

use crate::samples;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_golden(topic: &str, event_type: &str, version: i32, data: Value, golden: &str) {
    let catalog = Catalog::embedded().unwrap();
    let text = catalog.topic(topic).unwrap().schema.as_deref().unwrap();
    let envelope = samples::fixed(event_type, version, data);
    let bytes = Encoder::new(text, 0x0102_0304).unwrap().encode(&envelope).unwrap();
    let golden: String = golden.split_whitespace().collect();
    assert_eq!(hex(&bytes), golden, "{topic} {event_type} {version}");

    let schema = Schema::parse_str(text).unwrap();
    let theirs = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut &bytes[5..]).unwrap();
    assert_eq!(theirs, samples::as_avro(&envelope, &schema));
    let decoder = Decoder::new(&catalog).unwrap();
    decoder.learn(0x0102_0304, text).unwrap();
    assert_eq!(decoder.decode(topic, &bytes).unwrap(), envelope);
}

#[test]
fn an_order_placed_in_the_first_version_keeps_its_bytes() {
    let data = json!({
        "customer_id": "c-1", "items": [{ "product_id": "mug", "quantity": 2, "price": 250 }], "total_amount": 500
    });
    is_golden(
        "orders.events",
        "OrderPlaced",
        1,
        data,
        "
        00010203044830303030303030302d303030302d303030302d303030302d303030303030303030303031164f72646572
        506c61636564024836663161346431652d353162322d346135382d396431662d3063326636663363396431300a4f7264
        6572808991e288d2a3064830303030303030302d303030302d303030302d303030302d30303030303030303030303202
        4830303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f757263650a6f
        72646572000006632d3102066d756704f40300e807",
    );
}

#[test]
fn an_order_placed_in_the_second_version_keeps_its_bytes() {
    let data = json!({
        "customer_id": "c-1", "items": [{ "product_id": "mug", "quantity": 2, "price": 250 }], "total_amount": 500,
        "currency": "EUR"
    });
    is_golden(
        "orders.events",
        "OrderPlaced",
        2,
        data,
        "
        00010203044830303030303030302d303030302d303030302d303030302d303030303030303030303031164f72646572
        506c61636564044836663161346431652d353162322d346135382d396431662d3063326636663363396431300a4f7264
        6572808991e288d2a3064830303030303030302d303030302d303030302d303030302d30303030303030303030303202
        4830303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f757263650a6f
        72646572000206632d3102066d756704f40300e80706455552",
    );
}

#[test]
fn an_order_placed_in_the_third_version_keeps_its_bytes() {
    let data = json!({
        "order_id": ORDER, "customer_id": "c-1",
        "order_items": [{ "product_id": "mug", "quantity": 2, "unit_price": 250, "line_total": 500 }],
        "total_amount": 500, "currency": "EUR", "flow": "orchestrated",
        "shipping_address": {
            "name": "Ada", "line1": "1 Main St", "line2": null, "city": "Springfield", "postal_code": "12345",
            "country": "US"
        }
    });
    is_golden(
        "orders.events",
        "OrderPlaced",
        3,
        data,
        "
        00010203044830303030303030302d303030302d303030302d303030302d303030303030303030303031164f72646572
        506c61636564064836663161346431652d353162322d346135382d396431662d3063326636663363396431300a4f7264
        6572808991e288d2a3064830303030303030302d303030302d303030302d303030302d30303030303030303030303202
        4830303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f757263650a6f
        7264657200044836663161346431652d353162322d346135382d396431662d30633266366633633964313006632d3102
        066d756704f403e80700e807064555520202064164611231204d61696e2053740016537072696e676669656c640a3132
        333435045553186f7263686573747261746564",
    );
}

#[test]
fn a_reservation_asked_for_keeps_its_bytes() {
    let items = json!([{ "product_id": "mug", "quantity": 2 }, { "product_id": "pöt", "quantity": 1 }]);
    is_golden(
        "inventory.commands",
        "ReserveInventory",
        1,
        json!({ "order_id": ORDER, "items": items }),
        "
        00010203044830303030303030302d303030302d303030302d303030302d303030303030303030303031205265736572
        7665496e76656e746f7279024836663161346431652d353162322d346135382d396431662d3063326636663363396431
        300a4f72646572808991e288d2a3064830303030303030302d303030302d303030302d303030302d3030303030303030
        30303032024830303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f75
        7263650a6f7264657200004836663161346431652d353162322d346135382d396431662d306332663666336339643130
        04066d7567040870c3b6740200",
    );
}

#[test]
fn a_reservation_made_keeps_its_bytes() {
    let data = json!({ "order_id": ORDER, "items": [], "reserved_until": "2026-01-01T00:15:00.000001Z" });
    is_golden(
        "inventory.events",
        "InventoryReserved",
        1,
        data,
        "
        00010203044830303030303030302d303030302d303030302d303030302d30303030303030303030303122496e76656e
        746f72795265736572766564024836663161346431652d353162322d346135382d396431662d30633266366633633964
        31300a4f72646572808991e288d2a3064830303030303030302d303030302d303030302d303030302d30303030303030
        3030303032024830303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f
        757263650a6f7264657200004836663161346431652d353162322d346135382d396431662d3063326636663363396431
        300082a4a9bc8fd2a306",
    );
}

#[test]
fn a_saga_asked_for_keeps_its_bytes() {
    let data = json!({ "definition": "order-fulfilment", "key": ORDER, "data": "{\"n\":1}" });
    is_golden(
        "saga.commands",
        "StartSaga",
        1,
        data,
        "
        00010203044830303030303030302d303030302d303030302d303030302d303030303030303030303031125374617274
        53616761024836663161346431652d353162322d346135382d396431662d3063326636663363396431300a4f72646572
        808991e288d2a3064830303030303030302d303030302d303030302d303030302d303030303030303030303032024830
        303030303030302d303030302d303030302d303030302d30303030303030303030303300020c736f757263650a6f7264
        65720000206f726465722d66756c66696c6d656e744836663161346431652d353162322d346135382d396431662d3063
        326636663363396431300e7b226e223a317d",
    );
}
