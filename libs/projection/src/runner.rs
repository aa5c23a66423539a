//! One version of one projection in this process: joins its group, and works on the lanes it is given. Separate from the
//! supervisor, which says which versions there are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backstitch_messaging::{LaneId, LearningDecoder, Ownership};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::checkpoint::{Version, forget_others};
use crate::claims::Claims;
use crate::error::chain;
use crate::lane::{Shared, own};
use crate::membership::{Behind, Membership, Owner, lanes_of};
use crate::projection::Projection;
use crate::source::Sources;
use crate::supervisor::{Health, Settings};

/// Most lanes of a version that write at the same time in one process.
const CONNECTIONS_MAX: u32 = 4;

/// Between two tries to join a group.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

/// What a version needs to run.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) pool: PgPool,
    pub(crate) sources: Sources,
    pub(crate) settings: Settings,
    pub(crate) health: Health,
}

/// Runs the version until told to stop.
pub(crate) async fn run<P: Projection>(projection: Arc<P>, version: Version, ports: Ports, stop: CancellationToken) {
    let pool = pool_of(version, &ports.pool);
    while !stop.is_cancelled() {
        let membership = tokio::select! {
            () = stop.cancelled() => break,
            membership = join(projection.as_ref(), version, &ports) => membership,
        };
        let shared = Arc::new(Shared {
            projection: projection.clone(),
            version,
            pool: pool.clone(),
            membership,
            decoder: LearningDecoder::new(ports.sources.decoder.clone(), ports.sources.schemas.clone()),
            batch_max: ports.settings.batch_max,
            health: ports.health.clone(),
        });
        share_out(&shared, &stop).await;
        shared.membership.close().await;
    }
    pool.close().await;
}

/// Connections that find the version's tables by their bare names. Its own: on shared ones every statement was planned
/// anew whenever another version's path had been set in between.
fn pool_of(version: Version, common: &PgPool) -> PgPool {
    let schema = version.name.schema(version.number);
    let options = PgConnectOptions::clone(&common.connect_options()).options([("search_path", schema)]);
    common.options().clone().max_connections(CONNECTIONS_MAX).min_connections(0).connect_lazy_with(options)
}

async fn join<P: Projection>(projection: &P, version: Version, ports: &Ports) -> Membership {
    let key = format!("{} v{}", version.name.text(), version.number);
    loop {
        match try_to_join(projection, version, ports).await {
            Ok(membership) => {
                ports.health.set(&key, None);
                return membership;
            }
            Err(why) => {
                tracing::warn!(projection = key, why, "a projection waits for its sources");
                ports.health.set(&key, Some(why));
                tokio::time::sleep(JOIN_AGAIN).await;
            }
        }
    }
}

async fn try_to_join<P: Projection>(projection: &P, version: Version, ports: &Ports) -> Result<Membership, String> {
    let name = version.name.text();
    let (mut topics, mut stores) = (Vec::new(), Vec::new());
    for topic in projection.topics() {
        match ports.sources.stores.get(topic) {
            Some(source) => stores.push(Behind::new(topic, source.clone())),
            None => topics.push(*topic),
        }
    }
    let sources: Vec<String> =
        topics.iter().copied().chain(stores.iter().map(Behind::name)).map(str::to_owned).collect();
    let forgetting = async {
        let mut db = ports.pool.acquire().await?;
        forget_others(version, projection.topics(), &sources, &mut db).await
    };
    forgetting.await.map_err(|error| chain(&error))?;
    let owner = match topics.split_first() {
        Some((lane_topic, inputs)) => {
            let group = format!("{}.{name}.{}", ports.settings.group, version.number);
            let inbox = ports.sources.inboxes.join(&group, lane_topic, inputs).await;
            Owner::Group(inbox.map_err(|error| error.to_string())?)
        }
        None => Owner::Claims(Claims::start(version, lanes_of(&stores), ports.settings.look_every, &ports.pool)),
    };
    Ok(Membership::new(owner, stores))
}

struct Running {
    stop: CancellationToken,
    done: JoinHandle<()>,
}

/// Until told to stop, or until the membership ends.
async fn share_out<P: Projection>(shared: &Arc<Shared<P>>, stop: &CancellationToken) {
    let mut lanes: HashMap<LaneId, Running> = HashMap::new();
    let mut handovers = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = handovers.join_next() => {}
            change = shared.membership.ownership() => match change {
                None => break,
                Some(Ownership::Gained(lane)) => {
                    let token = stop.child_token();
                    let done = tokio::spawn(own(shared.clone(), lane, token.clone()));
                    lanes.insert(lane, Running { stop: token, done });
                }
                Some(Ownership::Lost(lane, acknowledge)) => if let Some(running) = lanes.remove(&lane) {
                    running.stop.cancel();
                    handovers.spawn(async move {
                        let _ = running.done.await;
                        drop(acknowledge);
                    });
                },
            },
        }
    }
    for running in lanes.values() {
        running.stop.cancel();
    }
    for running in lanes.into_values() {
        let _ = running.done.await;
    }
    while handovers.join_next().await.is_some() {}
}
