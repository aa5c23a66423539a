//! Stock and orders over the services' HTTP, as any client would.

use anyhow::{Context as _, Result, bail};
use backstitch_contracts::orders::Flow;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kinds::Kind;

/// The services' addresses and the token for what changes something.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Services {
    /// The order service
    #[arg(long, env = "ORDER_URL")]
    pub(crate) order_url: String,
    /// The inventory service
    #[arg(long, env = "INVENTORY_URL")]
    pub(crate) inventory_url: String,
    /// The orchestrator
    #[arg(long, env = "ORCHESTRATOR_URL")]
    pub(crate) orchestrator_url: String,
    /// The gateway and carrier simulators
    #[arg(long, env = "SIMULATORS_URL")]
    pub(crate) simulators_url: String,
    /// Bearer token
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true)]
    token: String,
}

/// Places orders for products of this run alone, so that sums over them are exact.
#[derive(Clone)]
pub(crate) struct Shop {
    http: Client,
    services: Services,
    customer_id: Uuid,
    /// The product that is in stock.
    pub(crate) product: String,
    /// The product that is not.
    missing: String,
}

impl Shop {
    pub(crate) fn open(services: Services, run: &str) -> Self {
        Self {
            http: Client::new(),
            services,
            customer_id: Uuid::new_v4(),
            product: format!("lamp-{run}"),
            missing: format!("unicorn-{run}"),
        }
    }

    /// Puts units into stock and waits until they are there.
    pub(crate) async fn stock(&self, quantity: usize) -> Result<()> {
        let body = json!({"product_id": self.product, "quantity": quantity});
        let url = format!("{}/stock?wait=20", self.services.inventory_url);
        let answer = self.http.post(url).bearer_auth(&self.services.token).json(&body).send().await;
        accepted(answer.context("the inventory service does not answer")?).await?;
        Ok(())
    }

    /// Places one order; answers its id.
    pub(crate) async fn place(&self, kind: Kind, flow: Flow) -> Result<Uuid> {
        let order = kind.order();
        let order_id = Uuid::new_v4();
        let product = if order.in_stock { &self.product } else { &self.missing };
        let body = json!({
            "order_id": order_id,
            "customer_id": self.customer_id,
            "order_items": [{"product_id": product, "quantity": 1, "unit_price": order.unit_price}],
            "currency": "EUR",
            "shipping_address": {
                "name": "Ada Lovelace", "line1": "Unter den Linden 1", "city": "Berlin",
                "postal_code": order.postal_code, "country": "DE",
            },
            "flow": flow,
        });
        let url = format!("{}/orders", self.services.order_url);
        let answer = self.http.post(url).bearer_auth(&self.services.token).json(&body).send().await;
        accepted(answer.context("the order service does not answer")?).await?;
        Ok(order_id)
    }

    /// What the gateway and the carrier did since they were started.
    pub(crate) async fn totals(&self) -> Result<Value> {
        let answer = self.http.get(format!("{}/totals", self.services.simulators_url)).send().await;
        Ok(answer.context("the simulators do not answer")?.error_for_status()?.json().await?)
    }
}

async fn accepted(answer: Response) -> Result<()> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let url = answer.url().to_string();
    bail!("{url} answers {status}: {}", answer.text().await.unwrap_or_default())
}
