//! Making a customer known. Not an aggregate of this service: reference data, told to whoever builds read models.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use backstitch_contracts::customers::CustomerRegistered;
use backstitch_domain::CustomerId;
use backstitch_participant_http::Letter;
use backstitch_service_kit::http::{Body, Operator, Problem, ProblemBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;

const CHARS_MAX: usize = 200;

/// A customer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterRequest {
    /// The customer's id; one of ours if absent. A known customer's says what they are called now.
    customer_id: Option<Uuid>,
    /// What they are called.
    name: String,
    /// Where they get mail.
    email: String,
}

/// A customer who was made known.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct RegisteredView {
    /// The customer.
    customer_id: Uuid,
}

/// Makes a customer known
#[utoipa::path(post, path = "/customers", request_body = RegisterRequest, responses(
    (status = 202, body = RegisteredView, description = "It is on its topic"),
    (status = 401, body = ProblemBody),
    (status = 422, body = ProblemBody, description = "No name or no mail address"),
))]
pub(super) async fn register(
    State(api): State<Arc<Api>>,
    Operator(caller): Operator,
    Body(request): Body<RegisterRequest>,
) -> Result<Response, Problem> {
    let RegisterRequest { customer_id, name, email } = request;
    check("name_invalid", "name", &name)?;
    check("email_invalid", "email", &email)?;
    if !email.contains('@') {
        return Err(Problem::refused("email_invalid", "`email` should contain an `@`"));
    }
    let customer_id = customer_id.unwrap_or_else(Uuid::now_v7);
    let event = CustomerRegistered { customer_id: CustomerId::new(customer_id), name, email };
    let letter = Letter {
        // Each report is news: the newest counts.
        id: Uuid::now_v7(),
        aggregate_type: "Customer",
        aggregate_id: customer_id.to_string(),
        correlation_id: customer_id,
        user_id: &caller.name,
        payload: &event,
    };
    api.messages.send(letter).await?;
    Ok((StatusCode::ACCEPTED, Json(RegisteredView { customer_id })).into_response())
}

fn check(code: &'static str, field: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
        let detail = format!("`{field}` should have from 1 to {CHARS_MAX} characters, none a control character");
        return Err(Problem::refused(code, detail));
    }
    Ok(())
}
