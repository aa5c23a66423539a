//! Has it arrived? The carrier does not tell; it is asked, ever less often.

use backstitch_contracts::shipping::ShipmentDelivered;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Shipment, ShippingEvent};

/// The carrier reports that it arrived. Only what is on its way arrives, once.
#[must_use]
pub fn note_delivery(shipment: &Shipment, delivered_at: DateTime<Utc>) -> Option<ShippingEvent> {
    match shipment {
        Shipment::Shipped { shipped, .. } => {
            let order_id = shipped.order_id;
            Some(ShippingEvent::ShipmentDelivered(ShipmentDelivered { order_id, delivered_at }))
        }
        Shipment::None | Shipment::Requested(_) | Shipment::Delivered { .. } | Shipment::Cancelled(_) => None,
    }
}

/// How long to wait before asking again, having asked so often: each time twice as long, at most a day.
#[must_use]
pub fn pause(first: TimeDelta, asked: u32) -> TimeDelta {
    let doubled = 2_i32.checked_pow(asked.min(30)).and_then(|factor| first.checked_mul(factor));
    doubled.map_or(LONGEST, |pause| pause.min(LONGEST))
}

const LONGEST: TimeDelta = TimeDelta::days(1);
