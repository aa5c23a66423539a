//! Placing an order: checked by the rules of the domain, then sent as a command, which the lane checks again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use backstitch_contracts::orders::{Flow, OrderPlacedV3, PlaceOrder, WantedLine};
use backstitch_domain::{Address, AddressParts, Currency, CustomerId, OrderId, ProductId};
use backstitch_participant_http::{Letter, WaitQuery};
use backstitch_service_kit::http::{Body, Operator, Problem, ProblemBody, Query};
use uuid::Uuid;

use super::Api;
use super::views::{AddressView, LineRequest, PlaceRequest, PlacedView};
use crate::domain::{DraftLine, DraftOrder, PlaceOrderRefusal, place as place_order};
use crate::handlers::stream;

/// What comes of a placed order begins its stream: `OrderPlaced`, or the word that it can never be placed.
const FIRST_EVENT: i64 = 1;

/// Places an order
#[utoipa::path(post, path = "/orders", params(WaitQuery), request_body = PlaceRequest, responses(
    (status = 201, body = PlacedView, description = "The order is placed"),
    (status = 202, body = PlacedView, description = "The command is on its topic; nothing shows yet"),
    (status = 200, body = PlacedView, description = "The same order was placed before under this id"),
    (status = 401, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "Another order has this id"),
    (status = 422, body = ProblemBody, description = "Against a rule, which `code` names"),
))]
pub(super) async fn place(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    Query(wait): Query<WaitQuery>,
    Body(request): Body<PlaceRequest>,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let named = request.order_id;
    let placed = api.orders.participant().check(&draft(request, api.flow)?).map_err(refused)?;
    // An id of ours is new; only a caller's may be taken.
    let known = if named.is_some() { api.orders.state(&stream(placed.order_id)).await? } else { None };
    if let Some(known) = known {
        place_order(&known, &placed).map_err(refused)?;
        return Ok(answer(StatusCode::OK, &placed, known.status()));
    }
    // Derived, so that an order placed twice is one command.
    let id = Uuid::new_v5(&placed.order_id.uuid(), b"PlaceOrder");
    let command = command(&placed)?;
    let letter = Letter {
        id,
        aggregate_type: "Order",
        aggregate_id: placed.order_id.to_string(),
        correlation_id: placed.order_id.uuid(),
        user_id: &caller.name,
        payload: &command,
    };
    api.messages.send(letter).await?;
    let state = api.orders.effect(&stream(placed.order_id), id, patience).await?;
    Ok(match state {
        Some(order) => answer(StatusCode::CREATED, &placed, order.status()),
        None => answer(StatusCode::ACCEPTED, &placed, "accepted"),
    })
}

fn answer(status: StatusCode, placed: &OrderPlacedV3, word: &'static str) -> Response {
    let view = PlacedView {
        order_id: placed.order_id.uuid(),
        status: word,
        total_amount: placed.total_amount,
        currency: placed.currency.to_string(),
        version: FIRST_EVENT,
    };
    (status, [(header::LOCATION, format!("/orders/{}", placed.order_id))], Json(view)).into_response()
}

fn draft(request: PlaceRequest, flow: Flow) -> Result<DraftOrder, Problem> {
    Ok(DraftOrder {
        order_id: OrderId::new(request.order_id.unwrap_or_else(Uuid::now_v7)),
        customer_id: CustomerId::new(request.customer_id),
        lines: request.order_items.into_iter().map(line).collect::<Result<_, _>>()?,
        currency: request.currency.parse::<Currency>().map_err(|error| invalid("currency_invalid", &error))?,
        shipping_address: request.shipping_address.map(address).transpose()?,
        flow: request.flow.unwrap_or(flow),
    })
}

fn line(request: LineRequest) -> Result<DraftLine, Problem> {
    let LineRequest { product_id, quantity, unit_price } = request;
    let product_id = ProductId::new(product_id).map_err(|error| invalid("product_invalid", &error))?;
    Ok(DraftLine { product_id, quantity, unit_price })
}

fn address(view: AddressView) -> Result<Address, Problem> {
    let AddressView { name, line1, line2, city, postal_code, country } = view;
    let parts = AddressParts { name, line1, line2, city, postal_code, country };
    Address::new(parts).map_err(|error| invalid("address_invalid", &error))
}

fn invalid(code: &'static str, error: &dyn std::error::Error) -> Problem {
    Problem::refused(code, error.to_string())
}

fn refused(refusal: PlaceOrderRefusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        PlaceOrderRefusal::AlreadyPlaced { .. } | PlaceOrderRefusal::Cancelled { .. } => {
            Problem::conflict(refusal.code(), detail)
        }
        _ => Problem::refused(refusal.code(), detail),
    }
}

/// The command that leads to this order. Totals are left out: they are for the lane to compute.
fn command(placed: &OrderPlacedV3) -> Result<PlaceOrder, Problem> {
    let lines = placed.order_items.iter().map(|line| WantedLine {
        product_id: line.product_id.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
    });
    let shipping_address =
        placed.shipping_address.clone().ok_or_else(|| refused(PlaceOrderRefusal::NoShippingAddress))?;
    Ok(PlaceOrder {
        order_id: placed.order_id,
        customer_id: placed.customer_id,
        order_items: lines.collect(),
        currency: placed.currency,
        shipping_address,
        flow: placed.flow,
    })
}
