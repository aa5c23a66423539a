//! What a person does to a saga. Each handler only names its command; sending and waiting is the same for all.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use backstitch_contracts::Payload;
use backstitch_contracts::saga::{AbandonSaga, CancelSaga, PauseSaga, ResumeSaga, RetrySaga, SignalSaga, SkipStep};
use backstitch_saga::{By, Input, Signal};
use backstitch_service_kit::http::{Caller, Operator, Path, Problem, ProblemBody, Query};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::commands::{SendCommandError, envelope};
use super::dry_run::applies;
use super::outcome::{patience, seen};
use super::show::known;
use super::views::{ActRequest, Outcome, SignalRequest, WaitQuery};
use super::{Api, bounds};

/// Declares the handler of one command. The same for all but the words, and utoipa reads words only from a function.
macro_rules! act {
    ($(#[$doc:meta])* $name:ident, $path:literal, $command:ident, $input:ident) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "commands", security(("token" = [])),
            params(("id" = Uuid, Path, description = "The saga"), WaitQuery), request_body = ActRequest,
            responses(
                (status = 200, body = Outcome, description = "Done; the entries say what it led to"),
                (status = 202, body = Outcome, description = "The command is on its topic; nothing shows yet"),
                (status = 401, body = ProblemBody),
                (status = 403, body = ProblemBody),
                (status = 404, body = ProblemBody, description = "No such saga"),
                (status = 409, body = ProblemBody, description = "Not in the saga's present state"),
            ))]
        pub(super) async fn $name(
            State(api): State<Api>,
            Operator(caller): Operator,
            Path(id): Path<Uuid>,
            Query(asked): Query<WaitQuery>,
            body: Bytes,
        ) -> Result<Response, Problem> {
            let ActRequest { reason } = optional(&body)?;
            let reason = bounds::reason(reason)?;
            let payload = $command { saga_id: Some(id), reason: reason.clone(), ..$command::default() };
            let input = Input::$input { by: by(&caller, reason) };
            act(&api, id, patience(&asked)?, &caller, &input, &payload).await
        }
    };
}

act!(
    /// Rolls a saga back
    cancel, "/sagas/{id}/cancel", CancelSaga, Cancel
);
act!(
    /// Stops a saga and its clock
    pause, "/sagas/{id}/pause", PauseSaga, Pause
);
act!(
    /// Lets a paused saga go on, with the time it had left
    resume, "/sagas/{id}/resume", ResumeSaga, Resume
);
act!(
    /// Asks again where a saga is stuck
    retry, "/sagas/{id}/retry", RetrySaga, Retry
);
act!(
    /// Goes on as if the stuck step had been done
    skip, "/sagas/{id}/skip", SkipStep, Skip
);
act!(
    /// Ends a stuck saga as it is
    abandon, "/sagas/{id}/abandon", AbandonSaga, Abandon
);

/// Hands a signal to a saga
#[utoipa::path(post, path = "/sagas/{id}/signal/{name}", tag = "commands", security(("token" = [])),
    params(("id" = Uuid, Path, description = "The saga"), ("name" = String, Path, description = "The signal"), WaitQuery),
    request_body = SignalRequest,
    responses(
        (status = 200, body = Outcome, description = "Taken or kept; the entries say which"),
        (status = 202, body = Outcome, description = "The command is on its topic; nothing shows yet"),
        (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "No such saga"),
        (status = 409, body = ProblemBody, description = "The saga will never wait for it"),
    ))]
pub(super) async fn signal(
    State(api): State<Api>,
    Operator(caller): Operator,
    Path((id, name)): Path<(Uuid, String)>,
    Query(asked): Query<WaitQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let SignalRequest { reason, data } = optional(&body)?;
    let (reason, text) = (bounds::reason(reason)?, bounds::data(&data)?);
    let payload = SignalSaga { saga_id: Some(id), definition: None, key: None, signal: name.clone(), data: text };
    let input = Input::Signal(Signal { name, data, by: by(&caller, reason) });
    act(&api, id, patience(&asked)?, &caller, &input, &payload).await
}

async fn act<T: Payload>(
    api: &Api,
    id: Uuid,
    patience: Duration,
    caller: &Caller,
    input: &Input,
    payload: &T,
) -> Result<Response, Problem> {
    let saga = known(api, id).await?;
    applies(api, &saga, input).await?;
    let about = About { saga: id, key: &saga.summary.key, correlation_id: saga.summary.correlation_id };
    let command = send(api, &about, caller, why(input), payload).await?;
    seen(api, id, command, patience).await
}

/// The saga a command is for.
pub(super) struct About<'a> {
    pub(super) saga: Uuid,
    pub(super) key: &'a str,
    pub(super) correlation_id: Uuid,
}

/// Sends a command; its id.
pub(super) async fn send<T: Payload>(
    api: &Api,
    about: &About<'_>,
    caller: &Caller,
    reason: Option<&str>,
    payload: &T,
) -> Result<Uuid, Problem> {
    let command = envelope(about.saga, about.correlation_id, caller, reason, payload);
    let command = command.map_err(|error| Problem::internal(&error.into()))?;
    let id = command.event_id;
    let (saga_id, user_id) = (about.saga, &caller.name);
    tracing::info!(%saga_id, command = T::EVENT_TYPE, command_id = %id, %user_id, "a caller's command");
    match api.commands.send(about.key, command).await {
        Ok(()) => Ok(id),
        Err(error @ SendCommandError::Late) => Err(Problem::unavailable("kafka_unavailable", error.to_string())),
        Err(error) => Err(Problem::internal(&error.into())),
    }
}

fn why(input: &Input) -> Option<&str> {
    match input {
        Input::Signal(Signal { by, .. }) => by.why.as_deref(),
        // The others carry it in a field of their own.
        _ => None,
    }
}

fn by(caller: &Caller, why: Option<String>) -> By {
    By { who: caller.name.to_string(), why }
}

/// The body, which may be absent.
pub(super) fn optional<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request("body_unreadable", error.to_string()))
}
