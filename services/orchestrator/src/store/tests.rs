//! The lane's reads on a real Postgres.

use std::collections::BTreeSet;

use backstitch_messaging::LaneId;
use futures::TryStreamExt as _;
use sqlx::Connection as _;
use uuid::Uuid;

use super::SagaStore as _;
use crate::own_database;

#[tokio::test]
async fn a_lane_reads_all_its_live_sagas_page_after_page_and_no_others() {
    let db = own_database::create().await;
    // Lane 1 has 2,500 that go on and 100 that have ended, lane 2 has 10; 1,000 are read at once.
    sqlx::query(
        "INSERT INTO saga.sagas (id, lane, definition, definition_hash, key, seq, status, correlation_id, state, started_at,
                                 updated_at, finished_at)
         SELECT gen_random_uuid(), CASE WHEN n > 2600 THEN 2 ELSE 1 END, 'd', 'h', n::text, 1, 'advancing', gen_random_uuid(),
                '{}', now(), now(), CASE WHEN n BETWEEN 2501 AND 2600 THEN now() END
         FROM generate_series(1, 2610) AS n",
    )
    .execute(&db)
    .await
    .unwrap();
    let mut connection = db.acquire().await.unwrap().detach();
    for (lane, expected) in [(1, 2_500), (2, 10), (3, 0)] {
        let rows: Vec<_> = connection.live_sagas(LaneId(lane)).try_collect().await.unwrap();
        let ids: BTreeSet<Uuid> = rows.iter().map(|row| row.id).collect();
        assert_eq!((rows.len(), ids.len()), (expected, expected), "lane {lane}");
        assert!(rows.iter().all(|row| row.finished_at.is_none()));
    }
    connection.close().await.unwrap();
    own_database::drop(db).await;
}
