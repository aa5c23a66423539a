//! The payment service keeps the contract of participants.

use std::sync::Arc;

use backstitch_contracts::Catalog;
use backstitch_participant::CallsOf;
use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
use backstitch_payment::gateway::InstantGateway;
use backstitch_payment::handlers::{GatewayCalls, Payments};
use serde_json::json;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

#[test]
fn a_charge_and_its_refund_keep_the_contract() -> anyhow::Result<()> {
    let charge = json!({ "order_id": ORDER, "amount": 1_000, "currency": "EUR", "customer_id": ORDER });
    let charge = Ask::new("payments.commands", "ProcessPayment", ORDER, charge);
    let refund = json!({ "order_id": ORDER, "reason": "no longer wanted" });
    for instant in [None, Some(InstantGateway)] {
        let payments = Payments { instant, ..Payments::default() };
        let trial = Trial::of(payments, &Catalog::embedded()?, "payments.events", charge.clone())
            .undone_by(Ask::new("payments.commands", "RefundPayment", ORDER, refund.clone()))
            .calling(CallsOf(GatewayCalls(Arc::new(InstantGateway))));
        keeps_the_contract(&trial);
    }
    Ok(())
}
