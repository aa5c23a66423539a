//! A gateway without a gateway: answers at once, by the simulator's table of amounts. For benchmarks and for trying the
//! services without a network; chosen by configuration.

use async_trait::async_trait;

use super::Gateway;
use crate::domain::{Charge, ChargeOutcome, Refund, RefundOutcome};

/// Answers from the amount alone, so that it is the same after a crash.
#[derive(Debug, Clone, Copy, Default)]
pub struct InstantGateway;

impl InstantGateway {
    /// What becomes of a charge.
    #[must_use]
    pub fn charged(self, charge: &Charge) -> ChargeOutcome {
        match (charge.money.minor_units.rem_euclid(100), charge.attempt) {
            (1, _) => ChargeOutcome::Declined { reason: "the charge was declined".to_owned() },
            (2, 1) => ChargeOutcome::NotNow { reason: "the charge was declined for now".to_owned() },
            // What the simulator never answers, the service gives up: certain, and nothing was charged.
            (6, _) => ChargeOutcome::NotNow { reason: "the gateway did not answer".to_owned() },
            _ => ChargeOutcome::Approved { payment_method: "instant".to_owned() },
        }
    }

    /// What becomes of a refund.
    #[must_use]
    pub const fn refunded(self, refund: &Refund) -> RefundOutcome {
        RefundOutcome::Refunded { money: refund.money }
    }
}

#[async_trait]
impl Gateway for InstantGateway {
    async fn charge(&self, charge: &Charge) -> ChargeOutcome {
        self.charged(charge)
    }

    async fn refund(&self, refund: &Refund) -> RefundOutcome {
        self.refunded(refund)
    }
}

#[cfg(test)]
mod tests {
    use backstitch_domain::{Currency, Money, OrderId, PaymentId};
    use uuid::Uuid;

    use super::*;

    fn charged(amount: i64, attempt: u32) -> ChargeOutcome {
        let money = Money::new(amount, Currency::EUR);
        let order_id = OrderId::new(Uuid::nil());
        let payment_id = PaymentId::new(Uuid::nil());
        InstantGateway.charged(&Charge { key: "k".into(), payment_id, order_id, money, attempt })
    }

    #[test]
    fn the_amount_tells_the_outcome_and_a_second_try_may_do_better() {
        assert!(matches!(charged(1_000, 1), ChargeOutcome::Approved { .. }));
        assert!(matches!(charged(1_001, 2), ChargeOutcome::Declined { .. }));
        assert!(matches!(charged(1_002, 1), ChargeOutcome::NotNow { .. }));
        assert!(matches!(charged(1_002, 2), ChargeOutcome::Approved { .. }));
        assert!(matches!(charged(1_006, 3), ChargeOutcome::NotNow { .. }));
    }
}
