//! The orchestrator's HTTP API: sagas to look at, and commands to sagas. Separate from the lanes, whose tables it only
//! reads: whatever changes a saga goes through `saga.commands`, so that there is one way to change one.

mod act;
mod bounds;
mod commands;
mod definitions;
mod dry_run;
mod list;
mod migrate;
mod outcome;
mod participants;
mod query;
mod show;
mod start;
#[cfg(test)]
#[cfg(feature = "system")]
mod tests;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use backstitch_saga::Definition;
use backstitch_saga::participant::BreakerRules;
use backstitch_service_kit::http::Problem;
use sqlx::PgPool;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::participants::backlogs::Courses;

pub use commands::{CommandSink, SagaCommands, SendCommandError};

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    db: PgPool,
    commands: Arc<dyn CommandSink>,
    definitions: Arc<[Arc<Definition>]>,
    rules: BreakerRules,
    courses: Arc<Courses>,
}

impl Api {
    /// An API over the tables in `db`, sending what changes a saga to `commands`. `definitions` are those that new sagas
    /// may start on.
    pub fn new(db: PgPool, commands: Arc<dyn CommandSink>, definitions: &[Arc<Definition>]) -> Self {
        Self { db, commands, definitions: definitions.into(), rules: BreakerRules::default(), courses: Arc::default() }
    }

    /// The same where circuit breakers follow these rules.
    #[must_use]
    pub const fn judging_by(mut self, rules: BreakerRules) -> Self {
        self.rules = rules;
        self
    }

    /// The same where it is known how far participants have come.
    #[must_use]
    pub fn telling_backlogs(mut self, courses: Arc<Courses>) -> Self {
        self.courses = courses;
        self
    }

    /// The definition that a new saga of that name starts on: the newest.
    fn startable(&self, name: &str) -> Option<&Arc<Definition>> {
        let named = self.definitions.iter().filter(|definition| definition.name() == name);
        named.max_by_key(|definition| definition.version())
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Backstitch orchestrator", description = "Sagas: look at them, start them, and help those that need a person."),
    tags(
        (name = "sagas", description = "Looking at sagas"),
        (name = "commands", description = "Changing them; each needs a bearer token with the role operator"),
        (name = "participants", description = "Whom sagas ask, and whose clocks stand still"),
        (name = "definitions", description = "What sagas run on"),
    ),
    modifiers(&BearerToken)
)]
struct Documentation;

/// How changes say who makes them.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, documentation: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        documentation.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// All routes, and their description at `/openapi.json`.
pub fn router(api: Api) -> Router {
    let (router, documentation) = OpenApiRouter::with_openapi(Documentation::openapi())
        .routes(routes!(list::sagas, start::start))
        .routes(routes!(list::stuck))
        .routes(routes!(show::saga))
        .routes(routes!(act::cancel))
        .routes(routes!(act::pause))
        .routes(routes!(act::resume))
        .routes(routes!(act::retry))
        .routes(routes!(act::skip))
        .routes(routes!(act::abandon))
        .routes(routes!(act::signal))
        .routes(routes!(migrate::migrate))
        .routes(routes!(migrate::migration))
        .routes(routes!(participants::participants))
        .routes(routes!(participants::pause))
        .routes(routes!(participants::resume))
        .routes(routes!(definitions::definitions))
        .routes(routes!(definitions::definition))
        .with_state(api)
        .split_for_parts();
    let documentation = Arc::new(documentation);
    router.route("/openapi.json", get(async move || axum::Json(documentation.as_ref().clone())))
}

/// The database is away or says something we do not expect: the caller may ask again.
fn database(error: sqlx::Error) -> Problem {
    let error = anyhow::Error::new(error).context("the orchestrator's tables could not be read");
    let problem = Problem::internal(&error);
    let away = error.downcast_ref::<sqlx::Error>().is_some_and(|error| {
        matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_))
    });
    if away { Problem::unavailable("database_unavailable", "the database does not answer; ask again") } else { problem }
}
