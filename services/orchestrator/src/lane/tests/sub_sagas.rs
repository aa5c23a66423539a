//! Sagas that start sagas: what they say to each other goes over the topic of commands to sagas, wherever each is at home.

use backstitch_processor::Message;
use backstitch_saga::CommandId;
use serde_json::json;

use super::{Answer, Desk, Sent};
use crate::definitions::Definitions;
use crate::route::flow_keys;
use crate::samples::{CHARGES, FLOW, answering, by, command, definition, message, paid, quick_charge};

const BASKETS: &str = "
saga: baskets
version: 1
search: { customer: saga.data.customer }
steps:
  - name: each-basket
    for_each:
      in: saga.data.baskets
      do:
        name: pay
        sub_saga: { start: quick-charge, key: item.order_id, with: item }
        on_rollback: nothing
        timeout: 1d
";

/// A lane with two baskets to be paid for.
fn baskets() -> (Desk, Answer) {
    let mut desk = Desk::of(vec![definition(BASKETS), quick_charge()]);
    let basket = |key| json!({ "order_id": key, "amount": 5000, "currency": "EUR", "customer_id": "ada" });
    let data = json!({ "customer": "ada", "baskets": [basket("b-1"), basket("b-2")] }).to_string();
    let start = by("ann", command("StartSaga", json!({ "definition": "baskets", "key": "w-1", "data": data })));
    let answer = desk.hears(start);
    (desk, answer)
}

/// What was sent comes in again.
fn arrived(sent: &Sent) -> Message {
    let mut message = message(&sent.record.topic, &sent.envelope.event_type, "whatever", sent.envelope.data.clone());
    message.envelope = sent.envelope.clone();
    message
}

/// Payment's yes to the charge that was asked for.
fn paid_for(asks: &Answer, key: &str) -> Message {
    answering(CommandId::from_uuid(asks.find("ProcessPayment").envelope.event_id), paid(key))
}

#[test]
fn a_saga_starts_others_hears_how_they_ended_and_completes() {
    let (mut desk, answer) = baskets();
    assert_eq!(answer.commands(), ["saga.commands <- StartSubSaga", "saga.commands <- StartSubSaga"]);
    let mut charges = Vec::new();
    for key in ["b-1", "b-2"] {
        let start = answer.iter().find(|sent| sent.envelope.data["key"] == key).unwrap();
        assert_eq!(start.record.key.as_deref(), Some(key.as_bytes()));
        let asks = desk.hears(arrived(start));
        assert_eq!(asks.commands(), ["payments.commands <- ProcessPayment"]);
        assert_eq!(asks.find("ProcessPayment").envelope.correlation_id, FLOW);
        charges.push(paid_for(&asks, key));
    }
    let told = desk.hears(charges.remove(0));
    assert_eq!(told.commands(), ["saga.commands <- ReportSubSaga"]);
    let report = arrived(told.find("ReportSubSaga"));
    let homes = flow_keys(&Definitions::of(vec![definition(BASKETS), quick_charge()]), &report);
    assert_eq!(homes, ["w-1".to_owned()].into());
    assert_eq!(desk.hears(report.clone()).entries(), ["StepSucceeded"]);
    assert!(desk.hears(report).is_nothing());
    let told = desk.hears(charges.remove(0));
    assert_eq!(desk.hears(arrived(told.find("ReportSubSaga"))).entries(), ["StepSucceeded", "SagaCompleted"]);
}

#[test]
fn what_sagas_say_to_each_other_is_nobodys_own_act() {
    let (mut desk, answer) = baskets();
    assert_eq!(answer.find("StartSubSaga").envelope.user_id.as_deref(), Some("ann"));
    desk.hears(arrived(answer.find("StartSubSaga")));
    let people: Vec<_> = desk.lane.journal.iter().map(|row| row.user_id.as_deref()).collect();
    assert_eq!(people, [Some("ann"), Some("ann"), Some("ann"), Some("ann"), None, None]);
}

#[test]
fn an_ended_sub_saga_that_is_started_again_says_again_how_it_ended_and_when() {
    let (mut desk, answer) = baskets();
    let start = arrived(answer.find("StartSubSaga"));
    let asks = desk.hears(start.clone());
    let told = desk.hears(paid_for(&asks, "b-1"));
    let id = Definitions::saga_id(CHARGES, "b-1");
    let row = desk.rows().into_iter().find(|row| row.id == id).unwrap();
    desk.commits();
    desk.now += chrono::TimeDelta::hours(1);
    desk.recalls(row.clone());
    let again = desk.hears(start);
    assert_eq!(again.entries(), ["ParentTold"]);
    assert_eq!(again.find("ReportSubSaga").envelope.event_id, told.find("ReportSubSaga").envelope.event_id);
    assert_eq!(desk.rows()[0].finished_at, row.finished_at);
}

#[test]
fn a_sub_saga_whose_definition_is_not_deployed_is_rejected_by_name() {
    let mut start = arrived(baskets().1.find("StartSubSaga"));
    start.envelope.data["definition"] = json!("slow-charge");
    let rejection = Desk::of(vec![definition(BASKETS)]).rejects(start);
    assert_eq!(rejection.detail, "no definition `slow-charge` is deployed; there are: baskets");
}

#[test]
fn a_saga_is_stored_with_what_it_can_be_found_by() {
    let (desk, _) = baskets();
    let search = &desk.rows()[0].search;
    assert_eq!(search.iter().collect::<Vec<_>>(), [(&"customer".to_owned(), &"ada".to_owned())]);
}
