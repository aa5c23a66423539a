//! Orders as tests place them, and what became of them: through the services' HTTP interfaces alone, as a customer and an
//! operator see it.

use anyhow::{Context, Result, ensure};
use backstitch_saga::SagaId;
use futures::future::try_join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

/// The definition that orders run on.
pub(crate) const DEFINITION: &str = "order-fulfilment";

/// The flows of orders, by the word in the order.
pub(crate) const ORCHESTRATED: &str = "orchestrated";
pub(crate) const CHOREOGRAPHED: &str = "choreographed";

/// The definition that observes orders of the other flow.
pub(crate) const OBSERVING: &str = "order-choreographed";

/// An order to place. Its total chooses what the gateway does, its postal code what the carrier does.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) product: String,
    pub(crate) quantity: u32,
    pub(crate) unit_price: i64,
    pub(crate) postal_code: &'static str,
    pub(crate) flow: &'static str,
}

impl Wish {
    /// One piece, which everybody is happy to sell, charge and ship.
    pub(crate) fn of(product: &str) -> Self {
        Self { product: product.to_owned(), quantity: 1, unit_price: 2_500, postal_code: "10115", flow: ORCHESTRATED }
    }

    /// Driven by a saga, or by nobody.
    pub(crate) fn by(mut self, flow: &'static str) -> Self {
        self.flow = flow;
        self
    }

    /// So many pieces.
    pub(crate) fn pieces(mut self, quantity: u32) -> Self {
        self.quantity = quantity;
        self
    }

    /// At this price a piece, in minor units.
    pub(crate) fn priced(mut self, unit_price: i64) -> Self {
        self.unit_price = unit_price;
        self
    }

    /// Sent there.
    pub(crate) fn sent_to(mut self, postal_code: &'static str) -> Self {
        self.postal_code = postal_code;
        self
    }

    /// The data of a `PlaceOrder` for it.
    pub(crate) fn command(&self, order: Uuid) -> Value {
        json!({
            "order_id": order,
            "customer_id": Uuid::new_v4(),
            "order_items": [{ "product_id": self.product, "quantity": self.quantity, "unit_price": self.unit_price }],
            "currency": "EUR",
            "shipping_address": self.address(),
            "flow": self.flow,
        })
    }

    fn address(&self) -> Value {
        json!({
            "name": "Ada Lovelace", "line1": "Torstr. 1", "line2": null,
            "city": "Berlin", "postal_code": self.postal_code, "country": "DE",
        })
    }
}

/// What an orchestrator tells of one saga.
#[derive(Debug, Clone)]
pub(crate) struct Saga(pub(crate) Value);

impl Saga {
    /// The stable name of its status.
    pub(crate) fn status(&self) -> &str {
        self.0["status"].as_str().unwrap_or_default()
    }

    /// Whether it has ended, or asks for a person.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.status(), "completed" | "rolled_back" | "abandoned" | "refused" | "stuck")
    }

    /// Its journal, each entry as `Kind` or `Kind step`.
    pub(crate) fn journal(&self) -> Vec<String> {
        let entries = self.0["timeline"].as_array().cloned().unwrap_or_default();
        let told = |entry: &Value| match entry["data"]["step"].as_str() {
            Some(step) => format!("{} {step}", entry["kind"].as_str().unwrap_or_default()),
            None => entry["kind"].as_str().unwrap_or_default().to_owned(),
        };
        entries.iter().map(told).collect()
    }

    /// The steps whose compensations were asked for, in that order, each once.
    pub(crate) fn compensated(&self) -> Vec<String> {
        let mut steps = Vec::new();
        for entry in self.journal() {
            if let Some(step) = entry.strip_prefix("CompensationRequested ")
                && !steps.iter().any(|known| known == step)
            {
                steps.push(step.to_owned());
            }
        }
        steps
    }

    /// How often the journal has an entry of this kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.journal().iter().filter(|entry| entry.split(' ').next() == Some(kind)).count()
    }
}

impl System {
    /// A new product with so many pieces in stock.
    pub(crate) fn product_with(&self, pieces: u32) -> Result<String> {
        let product = format!("product-{}", Uuid::new_v4());
        let body = json!({ "product_id": product, "quantity": pieces });
        self.block_on(self.post("inventory", "/stock", &body))?;
        self.until("the stock has arrived", || Ok(self.in_stock(&product)? == i64::from(pieces)))?;
        Ok(product)
    }

    /// Pieces of the product that nobody has reserved.
    pub(crate) fn in_stock(&self, product: &str) -> Result<i64> {
        let stock = self.block_on(self.find("inventory", &format!("/stock/{product}")))?;
        Ok(stock.map_or(0, |stock| stock["available"].as_i64().unwrap_or(-1)))
    }

    /// Places an order; it is stored when this returns.
    pub(crate) fn place(&self, wish: &Wish) -> Result<Uuid> {
        let placed = self.place_all(std::slice::from_ref(wish))?;
        placed.first().copied().context("no order came of it")
    }

    /// Places orders all at once.
    pub(crate) fn place_all(&self, wishes: &[Wish]) -> Result<Vec<Uuid>> {
        self.block_on(try_join_all(wishes.iter().map(|wish| self.place_one(wish))))
    }

    /// Asks again under the same id, as customers do, while nobody answers.
    async fn place_one(&self, wish: &Wish) -> Result<Uuid> {
        let order = Uuid::new_v4();
        let command = wish.command(order);
        let place = || async {
            let answer = self.post("order", "/orders", &command).await?;
            ensure!(answer["order_id"] == json!(order), "the order got another id: {answer}");
            Ok(order)
        };
        self.again_and_again(&format!("order {order} is placed"), place).await
    }

    /// How many sagas run just now, forwards or back.
    pub(crate) fn sagas_under_way(&self) -> Result<usize> {
        let page = self.block_on(self.get("orchestrator", "/sagas?status=advancing,rolling_back&limit=500"))?;
        Ok(page["sagas"].as_array().map_or(0, Vec::len))
    }

    /// The saga of an order, if it has begun.
    pub(crate) fn saga_of(&self, order: Uuid) -> Result<Option<Saga>> {
        self.saga_of_at("orchestrator", order)
    }

    /// The same, as this replica tells it.
    pub(crate) fn saga_of_at(&self, replica: &str, order: Uuid) -> Result<Option<Saga>> {
        let id = SagaId::derive(DEFINITION, &order.to_string());
        Ok(self.block_on(self.find(replica, &format!("/sagas/{id}")))?.map(Saga))
    }

    /// The saga that observes an order, once it has ended or got stuck.
    pub(crate) fn end_observed_of(&self, order: Uuid) -> Result<Saga> {
        let id = SagaId::derive(OBSERVING, &order.to_string());
        self.until_some(&format!("the observed saga of order {order} has ended"), || {
            let saga = self.block_on(self.find("orchestrator", &format!("/sagas/{id}")))?.map(Saga);
            Ok(saga.filter(Saga::is_at_rest))
        })
    }

    /// The saga of an order once it has ended or got stuck.
    pub(crate) fn end_of(&self, order: Uuid) -> Result<Saga> {
        self.until_some(&format!("the saga of order {order} has ended"), || {
            Ok(self.saga_of(order)?.filter(Saga::is_at_rest))
        })
    }

    /// The sagas of all these orders, once they have ended or got stuck.
    pub(crate) fn ends_of(&self, orders: &[Uuid]) -> Result<Vec<Saga>> {
        orders.iter().map(|order| self.end_of(*order)).collect()
    }

    /// Waits until the saga's journal has this entry, as [`Saga::journal`] tells it.
    pub(crate) fn until_journaled(&self, order: Uuid, entry: &str) -> Result<()> {
        self.until(&format!("the saga of order {order} has `{entry}`"), || {
            Ok(self.saga_of(order)?.is_some_and(|saga| saga.journal().iter().any(|known| known == entry)))
        })
    }

    /// Waits until the order's own service tells this status of it: its read model is a moment behind.
    pub(crate) fn until_order_is(&self, order: Uuid, status: &str) -> Result<()> {
        self.until(&format!("order {order} is {status}"), || {
            let told = self.block_on(self.find("order", &format!("/orders/{order}")))?;
            Ok(told.is_some_and(|told| told["status"] == json!(status)))
        })
    }

    /// Cancels the saga of an order, as an operator.
    pub(crate) fn cancel(&self, order: Uuid) -> Result<()> {
        let id = SagaId::derive(DEFINITION, &order.to_string());
        let body = json!({ "reason": "the customer has changed his mind" });
        self.block_on(self.post("orchestrator", &format!("/sagas/{id}/cancel?wait=0"), &body))?;
        Ok(())
    }
}
