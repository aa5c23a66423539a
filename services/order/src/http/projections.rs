//! The read models' versions: to see them, to rebuild one beside the one that serves, to swap it in. Everything is done
//! by the library; here it is only asked for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use backstitch_projection::admin::{Admin as Projections, AdminError, SwapError};
use backstitch_projection::{State as VersionState, VersionStatus};
use backstitch_service_kit::http::{Admin, Body, Path, Problem, ProblemBody, Viewer};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every version that has tables.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ProjectionsView {
    /// By name and version.
    projections: Vec<VersionView>,
}

/// A version of a projection.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct VersionView {
    /// The projection: `orders`, `stock` or `sales`.
    name: String,
    /// The version, from 1.
    version: i32,
    /// `live`: queries see it. `building`: it is filled beside the live one. `retired`: its tables go.
    state: &'static str,
    /// Whether it goes live by itself once it is verified.
    swaps_by_itself: bool,
    /// Who wanted it.
    asked_by: String,
    /// When it was begun.
    created_at: DateTime<Utc>,
    /// When it went live.
    live_at: Option<DateTime<Utc>>,
    /// Events applied.
    applied: i64,
    /// Events set aside; the table `projection.skipped` says why.
    skipped: i64,
    /// Offsets still to be read.
    left: i64,
    /// The share that is read, 0 to 1.
    progress: f64,
    /// Offsets passed a second since it was begun, while it is being built.
    offsets_per_second: Option<f64>,
    /// How long the rest will take at that pace, seconds.
    eta_seconds: Option<f64>,
    /// What the comparison with the live version found, table by table.
    verdict: Option<Value>,
    /// Whether it found what it should.
    verified: bool,
}

/// How to rebuild.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RebuildRequest {
    /// Whether to wait for a swap by hand once it is verified.
    by_hand: bool,
}

/// How to swap.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SwapRequest {
    /// Also a version that differs from the live one.
    force: bool,
}

/// Which version it is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct VersionNamed {
    /// The projection.
    name: String,
    /// The version.
    version: i32,
}

/// The routes, with their description.
pub(super) fn routes(projections: Projections) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rebuild))
        .routes(routes!(swap))
        .routes(routes!(cancel))
        .with_state(projections)
}

/// The read models' versions
#[utoipa::path(get, path = "/projections", responses((status = 200, body = ProjectionsView)))]
async fn list(State(projections): State<Projections>, _viewer: Viewer) -> Result<Json<ProjectionsView>, Problem> {
    let versions = projections.list().await.map_err(problem)?;
    Ok(Json(ProjectionsView { projections: versions.into_iter().map(VersionView::from).collect() }))
}

/// Rebuilds a read model beside the one that serves
#[utoipa::path(post, path = "/projections/{name}/rebuild", params(("name" = String, Path, description = "Which")),
request_body = RebuildRequest, responses(
    (status = 202, body = VersionNamed, description = "It is being built"),
    (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "One is being built already"),
))]
async fn rebuild(
    State(projections): State<Projections>,
    Admin(caller): Admin,
    Path(name): Path<String>,
    Body(request): Body<RebuildRequest>,
) -> Result<(StatusCode, Json<VersionNamed>), Problem> {
    let version = projections.rebuild(&name, &caller.name, !request.by_hand).await.map_err(problem)?;
    Ok((StatusCode::ACCEPTED, Json(VersionNamed { name, version })))
}

/// Shows the version that is being built instead of the live one
#[utoipa::path(post, path = "/projections/{name}/swap", params(("name" = String, Path, description = "Which")),
request_body = SwapRequest, responses(
    (status = 200, body = VersionNamed, description = "Queries see it from now on"),
    (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "It is not verified, differs, or is behind"),
))]
async fn swap(
    State(projections): State<Projections>,
    Admin(caller): Admin,
    Path(name): Path<String>,
    Body(request): Body<SwapRequest>,
) -> Result<Json<VersionNamed>, Problem> {
    let version = projections.swap(&name, request.force).await.map_err(problem)?;
    tracing::info!(projection = name, version, force = request.force, by = %caller.name, "swapped by hand");
    Ok(Json(VersionNamed { name, version }))
}

/// Gives up the version that is being built
#[utoipa::path(post, path = "/projections/{name}/cancel", params(("name" = String, Path, description = "Which")),
responses(
    (status = 200, body = VersionNamed, description = "Its tables are gone"),
    (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "None is being built"),
))]
async fn cancel(
    State(projections): State<Projections>,
    Admin(caller): Admin,
    Path(name): Path<String>,
) -> Result<Json<VersionNamed>, Problem> {
    let version = projections.cancel(&name).await.map_err(problem)?;
    tracing::info!(projection = name, version, by = %caller.name, "called off by hand");
    Ok(Json(VersionNamed { name, version }))
}

fn problem(error: AdminError) -> Problem {
    let detail = error.to_string();
    match error {
        AdminError::Unknown { .. } => Problem::not_found("projection_unknown", detail),
        AdminError::BeingBuilt { .. } => Problem::conflict("projection_being_built", detail),
        AdminError::Swap(refusal) => match refusal {
            SwapError::NothingBuilt { .. } => Problem::conflict("projection_not_built", detail),
            SwapError::NotVerified { .. } => Problem::conflict("projection_not_verified", detail),
            SwapError::Differs { .. } => Problem::conflict("projection_differs", detail),
            SwapError::Behind { .. } => Problem::conflict("projection_behind", detail),
            SwapError::Busy { .. } => Problem::unavailable("projection_busy", detail),
            SwapError::Database(source) => unanswered(source),
        },
        AdminError::Database(source) => unanswered(source),
    }
}

fn unanswered(source: sqlx::Error) -> Problem {
    super::paging::unanswered(source.into())
}

impl From<VersionStatus> for VersionView {
    fn from(status: VersionStatus) -> Self {
        Self {
            state: match status.state {
                VersionState::Building => "building",
                VersionState::Live => "live",
                VersionState::Retired => "retired",
            },
            verified: status.verdict.as_ref().is_some_and(backstitch_projection::Verdict::is_good),
            verdict: status.verdict.and_then(|verdict| serde_json::to_value(verdict).ok()),
            name: status.name,
            version: status.version,
            swaps_by_itself: status.swaps_by_itself,
            asked_by: status.asked_by,
            created_at: status.created_at,
            live_at: status.live_at,
            applied: status.applied,
            skipped: status.skipped,
            left: status.left,
            progress: status.progress,
            offsets_per_second: status.offsets_per_second,
            eta_seconds: status.eta_seconds,
        }
    }
}
