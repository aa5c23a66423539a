//! The order saga on Restate: the saga is a workflow, each participant a virtual object in a process of its own, whose state
//! Restate keeps. `--serve` names the one to be; its handlers are registered with the server by `cargo xtask bench peers`.

#![allow(missing_docs, reason = "the SDK's macros make items that nobody can document")]

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};
use peer_workload::{Order, PAYMENT, Reply};
use restate_sdk::prelude::*;

/// One process of the saga.
#[derive(Debug, Parser)]
struct Options {
    /// Which
    #[arg(long)]
    serve: Part,
    /// Where
    #[arg(long)]
    listen: SocketAddr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    Saga,
    Order,
    Inventory,
    Payment,
    Shipping,
}

/// A participant's deed: its state is durable once the handler has returned.
fn note(ctx: &ObjectContext<'_>, command: &str, order: Order) -> Json<Reply> {
    let reply = order.answer(command);
    ctx.set(command, Json(order));
    Json(reply)
}

struct OrderParticipant;

#[restate_sdk::object]
impl OrderParticipant {
    #[handler]
    async fn confirm(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, "confirm", order.0))
    }

    #[handler]
    async fn cancel(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, "cancel", order.0))
    }
}

struct InventoryParticipant;

#[restate_sdk::object]
impl InventoryParticipant {
    #[handler]
    async fn reserve(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, "reserve", order.0))
    }

    #[handler]
    async fn release(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, "release", order.0))
    }
}

struct PaymentParticipant;

#[restate_sdk::object]
impl PaymentParticipant {
    #[handler]
    async fn process(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, PAYMENT, order.0))
    }
}

struct ShippingParticipant;

#[restate_sdk::object]
impl ShippingParticipant {
    #[handler]
    async fn create(&self, ctx: ObjectContext<'_>, order: Json<Order>) -> HandlerResult<Json<Reply>> {
        Ok(note(&ctx, "create", order.0))
    }
}

struct OrderSaga;

#[restate_sdk::workflow]
impl OrderSaga {
    /// Whether it was rolled back.
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>, order: Json<Order>) -> HandlerResult<bool> {
        let id = order.0.id.clone();
        let order = || Json(order.0.clone());
        ctx.object_client::<OrderParticipantClient>(&id).confirm(order()).call().await?;
        ctx.object_client::<InventoryParticipantClient>(&id).reserve(order()).call().await?;
        let paid = ctx.object_client::<PaymentParticipantClient>(&id).process(order()).call().await?;
        if !paid.0.ok {
            ctx.object_client::<InventoryParticipantClient>(&id).release(order()).call().await?;
            ctx.object_client::<OrderParticipantClient>(&id).cancel(order()).call().await?;
            return Ok(true);
        }
        ctx.object_client::<ShippingParticipantClient>(&id).create(order()).call().await?;
        Ok(false)
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let endpoint = match options.serve {
        Part::Saga => Endpoint::builder().bind(OrderSaga),
        Part::Order => Endpoint::builder().bind(OrderParticipant),
        Part::Inventory => Endpoint::builder().bind(InventoryParticipant),
        Part::Payment => Endpoint::builder().bind(PaymentParticipant),
        Part::Shipping => Endpoint::builder().bind(ShippingParticipant),
    };
    HttpServer::new(endpoint.build()).listen_and_serve(options.listen).await;
}
