//! What callers are told: read models of orders, customers, stock and sales, and rebuilding them while they serve.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::orders::Wish;
use crate::system::{System, system};

/// The postal code of a parcel that the carrier refuses, and the price of a piece that the gateway declines.
const REFUSED_BY_THE_CARRIER: &str = "00001";
const DECLINED_BY_THE_GATEWAY: i64 = 2_501;
/// Far more than a rebuild of what the tests leave takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a person who orders, or looks after the service, sees and does.
impl System {
    fn ask(&self, path: &str) -> Result<Value> {
        self.block_on(self.get("order", path))
    }

    /// Places an order of a known customer; the answer, which names the version to wait for.
    fn order_for(&self, customer: Uuid, wish: &Wish) -> Result<Value> {
        let mut command = wish.command(Uuid::new_v4());
        command["customer_id"] = json!(customer);
        self.block_on(self.post("order", "/orders", &command))
    }

    /// Waits until the order's view is so.
    fn until_shown(&self, order: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        self.until_some(&format!("the view of order {order} shows {what}"), || {
            let shown = self.block_on(self.find("order", &format!("/orders/{order}")))?;
            Ok(shown.filter(|shown| is_so(shown)))
        })
    }

    fn versions_of(&self, projection: &str) -> Result<Vec<Value>> {
        let listed = self.ask("/projections")?;
        let versions = listed["projections"].as_array().context("no list of projections")?;
        Ok(versions.iter().filter(|version| version["name"] == projection).cloned().collect())
    }

    fn rebuild(&self, projection: &str) -> Result<i64> {
        let begun = self.block_on(self.post("order", &format!("/projections/{projection}/rebuild"), &json!({})))?;
        begun["version"].as_i64().with_context(|| format!("no version in {begun}"))
    }

    fn is_alone(&self, projection: &str, version: i64) -> Result<bool> {
        let versions = self.versions_of(projection)?;
        Ok(versions.len() == 1 && versions[0]["version"] == json!(version) && versions[0]["state"] == "live")
    }
}

#[test]
fn an_order_shows_at_once_to_whoever_placed_it() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    for _ in 0..5 {
        let placed = system.order_for(Uuid::new_v4(), &Wish::of(&product))?;
        let (order, version) = (placed["order_id"].as_str().unwrap_or_default(), &placed["version"]);
        // One question, right after the answer: it waits, and does not fail.
        let shown = system.ask(&format!("/orders/{order}?version={version}&wait=20"))?;
        ensure!(shown["order_items"][0]["product_id"] == json!(product), "{shown}");
    }
    Ok(())
}

#[test]
fn orders_of_every_fate_show_what_became_of_them() -> Result<()> {
    let system = system()?;
    let product = system.product_with(10)?;
    let customer = Uuid::new_v4();
    let known = json!({ "customer_id": customer, "name": "Ada Lovelace", "email": "ada@example.org" });
    system.block_on(system.post("order", "/customers", &known))?;
    let wishes = [
        ("shipped", Wish::of(&product).pieces(2)),
        ("cancelled", Wish::of(&product).pieces(99)),
        ("cancelled", Wish::of(&product).sent_to(REFUSED_BY_THE_CARRIER)),
        ("cancelled", Wish::of(&product).priced(DECLINED_BY_THE_GATEWAY)),
    ];
    let mut shown = Vec::new();
    for (fate, wish) in &wishes {
        let placed = system.order_for(customer, wish)?;
        let order = placed["order_id"].as_str().unwrap_or_default();
        shown.push(system.until_shown(order, fate, |view| view["status"] == json!(fate))?);
    }
    let good =
        system.until_shown(shown[0]["order_id"].as_str().unwrap_or_default(), "the customer's name", |view| {
            view["customer_name"] == "Ada Lovelace"
        })?;
    ensure!(good["customer_email"] == "ada@example.org" && good["total_amount"] == 5_000, "{good}");
    ensure!(good["tracking_number"].is_string() && good["payment_id"].is_string(), "{good}");
    ensure!(shown[1]["reason"] == "out of stock" && shown[1]["payment_id"].is_null(), "{}", shown[1]);
    ensure!(shown[2]["tracking_number"].is_null() && shown[2]["confirmed_at"].is_string(), "{}", shown[2]);

    let page = system.ask(&format!("/customers/{customer}/orders?limit=3"))?;
    ensure!(page["orders"].as_array().map(Vec::len) == Some(3) && page["next"].is_string(), "{page}");
    let rest =
        system.ask(&format!("/customers/{customer}/orders?after={}", page["next"].as_str().unwrap_or_default()))?;
    ensure!(rest["orders"][0]["order_id"] == good["order_id"] && rest["next"].is_null(), "{rest}");
    system.until("the customer's total counts one order", || {
        let page = system.ask(&format!("/customers/{customer}/orders"))?;
        Ok(page["totals"] == json!([{ "currency": "EUR", "orders": 4, "cancelled": 3, "amount": 5_000 }]))
    })?;
    let cancelled = system.ask(&format!("/orders?customer={customer}&status=cancelled"))?;
    ensure!(cancelled["orders"].as_array().map(Vec::len) == Some(3), "{cancelled}");

    system.until("the read model's stock is the inventory's", || {
        let told = system.ask(&format!("/stock/{product}"))?;
        Ok(told["received"] == 10 && told["sold"] == 2 && told["available"] == json!(system.in_stock(&product)?))
    })?;
    let sold = system.until_some("the sale counts", || {
        let page = system.ask(&format!("/sales?product={product}"))?;
        Ok(page["sales"].as_array().filter(|sales| sales.len() == 1).map(|sales| sales[0].clone()))
    })?;
    ensure!(sold["orders"] == 1 && sold["units"] == 2 && sold["amount"] == 5_000, "{sold}");
    Ok(())
}

#[test]
fn a_read_model_is_rebuilt_and_swapped_while_it_answers_every_question() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    let order = system.place(&Wish::of(&product))?;
    system.until_order_is(order, "shipped")?;
    system.until("the sale counts", || {
        let page = system.ask(&format!("/sales?product={product}"))?;
        let stock = system.block_on(system.find("order", &format!("/stock/{product}")))?;
        Ok(page["sales"][0]["units"] == 1 && stock.is_some_and(|stock| stock["received"] == 5))
    })?;
    for projection in ["orders", "stock", "sales"] {
        let version = system.rebuild(projection)?;
        let deadline = Instant::now() + PATIENCE;
        // Whatever is refused, empty or older than it was fails the test.
        while !system.is_alone(projection, version)? {
            let shown = system.ask(&format!("/orders/{order}"))?;
            let stock = system.ask(&format!("/stock/{product}"))?;
            let sales = system.ask(&format!("/sales?product={product}"))?;
            let whole = shown["status"] == "shipped" && stock["received"] == 5 && sales["sales"][0]["units"] == 1;
            ensure!(whole, "{shown} {stock} {sales}");
            ensure!(Instant::now() < deadline, "{projection}: {:?}", system.versions_of(projection)?);
        }
        let [live] = &system.versions_of(projection)?[..] else { bail!("{projection} has not one version") };
        ensure!(live["verified"] == true && live["asked_by"] == "local", "{live}");
    }
    Ok(())
}

#[test]
fn a_rebuild_goes_on_after_its_service_is_killed() -> Result<()> {
    let system = system()?;
    let product = system.product_with(30)?;
    let orders = system.place_all(&vec![Wish::of(&product); 20])?;
    for order in &orders {
        system.until_order_is(*order, "shipped")?;
    }
    let version = system.rebuild("orders")?;
    system.kill("order")?;
    system.start("order")?;
    system.until("the rebuilt version is alone", || system.is_alone("orders", version))?;
    for order in &orders {
        let shown = system.ask(&format!("/orders/{order}"))?;
        ensure!(shown["status"] == "shipped", "{shown}");
    }
    Ok(())
}

#[test]
fn two_replicas_share_the_read_models_and_one_that_is_killed_is_followed_by_the_other() -> Result<()> {
    let system = system()?;
    system.start_beside("order", "order#2")?;
    let product = system.product_with(60)?;
    let wish = Wish::of(&product);
    let mut orders = system.place_all(&vec![wish.clone(); 30])?;
    for replica in ["order", "order#2"] {
        system.until(&format!("{replica} has done part of the work"), || {
            Ok(system.counted(replica, "projection_applied_total", "projection=\"orders\"")? > 0)
        })?;
    }
    // In the middle of what it reads.
    orders.extend(system.place_all(&vec![wish; 30])?);
    system.kill("order#2")?;
    for order in &orders {
        system.until_shown(&order.to_string(), "that it is shipped", |view| view["status"] == "shipped")?;
    }
    system.until("each sale counts once", || {
        let page = system.ask(&format!("/sales?product={product}"))?;
        let sold: i64 = page["sales"].as_array().into_iter().flatten().filter_map(|sale| sale["orders"].as_i64()).sum();
        Ok(sold == 60)
    })?;
    // Built by one replica alone they come out equal, row by row: else they would not be swapped in.
    for projection in ["orders", "stock", "sales"] {
        let version = system.rebuild(projection)?;
        system.until(&format!("{projection} is rebuilt"), || system.is_alone(projection, version))?;
        let [live] = &system.versions_of(projection)?[..] else { bail!("{projection} has not one version") };
        ensure!(live["verified"] == true, "{live}");
    }
    Ok(())
}

#[test]
fn a_rebuild_is_finished_though_its_service_is_killed_again_and_again() -> Result<()> {
    let system = system()?;
    let product = system.product_with(20)?;
    let orders = system.place_all(&vec![Wish::of(&product); 20])?;
    for order in &orders {
        system.until_shown(&order.to_string(), "that it is shipped", |view| view["status"] == "shipped")?;
    }
    for projection in ["orders", "sales"] {
        let version = system.rebuild(projection)?;
        // Each life is a little longer than the one before, so that they end in other moments of the rebuild.
        for life in 1..=6 {
            let begun = Instant::now();
            system.until_passed(begun, Duration::from_millis(150 * life));
            system.kill("order")?;
            system.until("it runs again", || system.start("order").map(|()| true))?;
            system.until("it answers", || system.is_ready("order"))?;
            let shown = system.ask(&format!("/orders/{}", orders[0]))?;
            ensure!(shown["status"] == "shipped", "no question meets a half-built model: {shown}");
        }
        system.until("the rebuilt version is alone", || system.is_alone(projection, version))?;
    }
    let sales = system.ask(&format!("/sales?product={product}"))?;
    ensure!(sales["sales"][0]["orders"] == 20, "{sales}");
    Ok(())
}

#[test]
fn read_models_are_read_from_the_store_when_they_are_told_to() -> Result<()> {
    let system = system()?;
    let product = system.product_with(20)?;
    let by_topic = system.place_all(&vec![Wish::of(&product); 10])?;
    for order in &by_topic {
        system.until_shown(&order.to_string(), "that it is shipped", |view| view["status"] == "shipped")?;
    }
    system.stop("order")?;
    system.stack().start("order", &[("BACKSTITCH_READ__SOURCE", "store")])?;
    system.until("it answers", || system.is_ready("order"))?;
    let by_store = system.place_all(&vec![Wish::of(&product); 10])?;
    for order in by_topic.iter().chain(&by_store) {
        system.until_shown(&order.to_string(), "that it is shipped", |view| view["status"] == "shipped")?;
    }
    system.until("each sale counts once", || {
        Ok(system.ask(&format!("/sales?product={product}"))?["sales"][0]["orders"] == 20)
    })?;
    let version = system.rebuild("sales")?;
    system.until("sales are rebuilt from the store", || system.is_alone("sales", version))?;
    system.stop("order")?;
    system.start("order")?;
    system.until("it answers", || system.is_ready("order"))?;
    let sales = system.ask(&format!("/sales?product={product}"))?;
    ensure!(sales["sales"][0]["orders"] == 20, "{sales}");
    Ok(())
}
