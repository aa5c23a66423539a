//! Participants and their circuit breakers. Separate from what is done to sagas: a breaker is a row of its own, which
//! belongs to no lane, so it is written here and no command is sent.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use backstitch_saga::participant::{Clocks, Limits, Opening, Openings, Phase};
use backstitch_saga::{By, Timestamp, sub_saga};
use backstitch_service_kit::http::{Caller, Operator, Path, Problem, ProblemBody, Viewer};
use chrono::{DateTime, Utc};

use super::act::optional;
use super::views::{ActRequest, Participant, Participants};
use super::{Api, bounds, database};
use crate::participants::store::OpeningStore as _;
use crate::time::timestamp;

/// Lists participants and how their circuit breakers stand
#[utoipa::path(get, path = "/participants", tag = "participants", responses((status = 200, body = Participants)))]
pub(super) async fn participants(State(api): State<Api>, _: Viewer) -> Result<Json<Participants>, Problem> {
    Ok(Json(Participants { participants: read(&api).await?.into_values().collect() }))
}

/// Opens a participant's circuit breaker: the clocks of what it was asked stand still until it is resumed
#[utoipa::path(post, path = "/participants/{topic}/pause", tag = "participants", security(("token" = [])),
    params(("topic" = String, Path, description = "The topic of its commands")), request_body = ActRequest,
    responses(
        (status = 200, body = Participant, description = "Open; every process knows it within a second or two"),
        (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "No definition asks it"),
    ))]
pub(super) async fn pause(
    State(api): State<Api>,
    Operator(caller): Operator,
    Path(topic): Path<String>,
    body: Bytes,
) -> Result<Json<Participant>, Problem> {
    let ActRequest { reason } = optional(&body)?;
    let by = By { who: caller.name.to_string(), why: bounds::reason(reason)? };
    known(&api, &topic).await?;
    let (mut db, now) = at_database(&api).await?;
    db.open_breaker(&topic, now, Some(&by)).await.map_err(database)?;
    drop(db);
    told(&api, &topic, "paused", &caller).await
}

/// Closes a participant's circuit breaker, whoever or whatever has opened it
#[utoipa::path(post, path = "/participants/{topic}/resume", tag = "participants", security(("token" = [])),
    params(("topic" = String, Path, description = "The topic of its commands")), request_body = ActRequest,
    responses(
        (status = 200, body = Participant, description = "Closed; every process knows it within a second or two"),
        (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "No definition asks it"),
    ))]
pub(super) async fn resume(
    State(api): State<Api>,
    Operator(caller): Operator,
    Path(topic): Path<String>,
    body: Bytes,
) -> Result<Json<Participant>, Problem> {
    let ActRequest { reason } = optional(&body)?;
    bounds::reason(reason)?;
    known(&api, &topic).await?;
    let (mut db, now) = at_database(&api).await?;
    db.close_breaker(&topic, now, true).await.map_err(database)?;
    drop(db);
    told(&api, &topic, "resumed", &caller).await
}

/// A connection, and its clock.
async fn at_database(api: &Api) -> Result<(sqlx::pool::PoolConnection<sqlx::Postgres>, Timestamp), Problem> {
    let mut db = api.db.acquire().await.map_err(database)?;
    let now: DateTime<Utc> =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut *db).await.map_err(database)?;
    Ok((db, timestamp(now)))
}

async fn told(api: &Api, topic: &str, done: &str, caller: &Caller) -> Result<Json<Participant>, Problem> {
    tracing::info!(participant = topic, user_id = %caller.name, "a person has {done} a participant's clocks");
    known(api, topic).await.map(Json)
}

async fn known(api: &Api, topic: &str) -> Result<Participant, Problem> {
    let unknown = || Problem::not_found("participant_unknown", format!("no definition asks `{topic}`"));
    read(api).await?.remove(topic).ok_or_else(unknown)
}

/// Everybody whom a definition asks that new sagas may start on, and everybody whose breaker was open of late.
async fn read(api: &Api) -> Result<BTreeMap<String, Participant>, Problem> {
    let (mut db, now) = at_database(api).await?;
    let clocks: Clocks = db.openings().await.map_err(database)?.into_iter().collect();
    let asked = api.definitions.iter().flat_map(|definition| definition.command_topics());
    let topics = asked.filter(|topic| *topic != sub_saga::TOPIC).chain(clocks.iter().map(|(topic, _)| topic));
    let told = topics.map(|topic| {
        let current = clocks.of(topic).and_then(Openings::current);
        (topic.to_owned(), participant(api, topic, current, now))
    });
    Ok(told.collect())
}

fn participant(api: &Api, topic: &str, current: Option<&Opening>, now: Timestamp) -> Participant {
    let by = current.and_then(|opening| opening.by.as_ref());
    let limits = api.definitions.iter().filter_map(|definition| definition.limits().get(topic));
    let limits = limits.fold(Limits::default(), |one, other| one.stricter(*other));
    let course = api.courses.of(topic);
    Participant {
        topic: topic.to_owned(),
        breaker: current.map_or(Phase::Closed, |opening| opening.phase(now, &api.rules)).as_str().to_owned(),
        since: current.and_then(|opening| DateTime::from_timestamp_micros(opening.opened_at.as_micros())),
        by: by.map(|by| by.who.clone()),
        reason: by.and_then(|by| by.why.clone()),
        in_flight_max: limits.in_flight_max,
        rate_max: limits.rate_max.map(|rate| rate.to_string()),
        group: course.as_ref().map(|course| course.group.clone()),
        backlog: course.as_ref().map(|course| course.backlog),
        read_per_second: course.as_ref().and_then(|course| course.read_per_second),
        eta_seconds: course.as_ref().and_then(|course| course.eta_seconds),
    }
}
