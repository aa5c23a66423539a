//! Weeks of the journal on a real Postgres.

use chrono::{DateTime, Datelike as _, Days, NaiveTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Kept, keep_weeks};
use crate::own_database;

/// Monday, midnight, of the week that many weeks ago.
fn monday(weeks_ago: u64) -> DateTime<Utc> {
    let today = Utc::now().date_naive();
    let days = u64::from(today.weekday().num_days_from_monday()) + 7 * weeks_ago;
    today.checked_sub_days(Days::new(days)).unwrap().and_time(NaiveTime::MIN).and_utc()
}

/// Some time in that week.
fn weeks_ago(weeks: u64) -> DateTime<Utc> {
    monday(weeks) + TimeDelta::hours(5)
}

/// A saga that began then, with one entry.
async fn saga(db: &PgPool, began: DateTime<Utc>, ended: bool) -> Uuid {
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO saga.sagas (id, lane, definition, definition_hash, key, seq, status, correlation_id, state, started_at,
                                 updated_at, finished_at)
         VALUES ($1, 0, 'd', 'h', $1::text, 1, 'any', $1, '{}', $2, $2, CASE WHEN $3 THEN $2 END)",
    )
    .bind(id)
    .bind(began)
    .bind(ended)
    .execute(db)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO saga.journal (started_at, saga_id, seq, at, entries) VALUES ($2, $1, 1, $2, '[{\"kind\":\"A\"}]')",
    )
    .bind(id)
    .bind(began)
    .execute(db)
    .await
    .unwrap();
    id
}

/// As if the week had been made in its time.
async fn week(db: &PgPool, weeks: u64) {
    let from = monday(weeks);
    let (from, to) = (from.to_rfc3339(), (from + TimeDelta::days(7)).to_rfc3339());
    let text = format!(
        "CREATE TABLE saga.journal_{weeks}_ago PARTITION OF saga.journal FOR VALUES FROM ('{from}') TO ('{to}');
         INSERT INTO saga.journal_weeks VALUES ('journal_{weeks}_ago', '{from}', '{to}')"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(db).await.unwrap();
}

async fn has_journal(db: &PgPool, saga: Uuid) -> bool {
    let found = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM saga.journal_entries WHERE saga_id = $1");
    found.bind(saga).fetch_one(db).await.unwrap() == 1
}

async fn table_of(db: &PgPool, saga: Uuid) -> String {
    let found = sqlx::query_scalar("SELECT tableoid::regclass::text FROM saga.journal WHERE saga_id = $1");
    found.bind(saga).fetch_one(db).await.unwrap()
}

#[tokio::test]
async fn a_fresh_database_has_this_week_and_the_next_and_asks_for_no_more() {
    let db = own_database::create().await;
    let (now, soon) = (saga(&db, Utc::now(), false).await, saga(&db, monday(0) + TimeDelta::days(13), false).await);
    assert_eq!(table_of(&db, now).await, format!("saga.journal_from_{}", monday(0).format("%Y_%m_%d")));
    assert!(table_of(&db, soon).await.starts_with("saga.journal_from_"));
    assert_ne!(table_of(&db, now).await, table_of(&db, soon).await);
    assert_eq!(keep_weeks(&db, Some(1)).await.unwrap(), Kept { made: 0, dropped: 0, held: 0 });
    own_database::drop(db).await;
}

#[tokio::test]
async fn weeks_older_than_journals_are_kept_are_dropped_and_their_sagas_are_known_still() {
    let db = own_database::create().await;
    for weeks in [1, 2, 9] {
        week(&db, weeks).await;
    }
    let recent = saga(&db, weeks_ago(1), true).await;
    let older = saga(&db, weeks_ago(2), true).await;
    let old = saga(&db, weeks_ago(9), true).await;
    // One that began in a gap between weeks.
    let astray = saga(&db, weeks_ago(5), true).await;

    assert_eq!(keep_weeks(&db, None).await.unwrap().dropped, 0, "for ever unless said otherwise");
    assert!(has_journal(&db, old).await && has_journal(&db, astray).await);

    // Two weeks ago ended at most 14 days ago.
    assert_eq!(keep_weeks(&db, Some(15)).await.unwrap(), Kept { made: 0, dropped: 1, held: 0 });
    assert!(has_journal(&db, recent).await && has_journal(&db, older).await);
    assert!(!has_journal(&db, old).await && !has_journal(&db, astray).await);
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM saga.sagas").fetch_one(&db).await.unwrap();
    assert_eq!(known, 4);
    own_database::drop(db).await;
}

#[tokio::test]
async fn a_week_stays_for_a_saga_that_has_not_ended_and_goes_with_it() {
    let db = own_database::create().await;
    week(&db, 9).await;
    let (ended, waits) = (saga(&db, weeks_ago(9), true).await, saga(&db, weeks_ago(9), false).await);
    let astray = saga(&db, weeks_ago(5), false).await;
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap(), Kept { made: 0, dropped: 0, held: 1 });
    assert!(has_journal(&db, ended).await && has_journal(&db, waits).await && has_journal(&db, astray).await);

    sqlx::query("UPDATE saga.sagas SET finished_at = now()").execute(&db).await.unwrap();
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap(), Kept { made: 0, dropped: 1, held: 0 });
    assert!(!has_journal(&db, waits).await && !has_journal(&db, astray).await);
    own_database::drop(db).await;
}

#[tokio::test]
async fn who_reads_for_long_is_waited_for_till_the_next_time() {
    let db = own_database::create().await;
    week(&db, 9).await;
    let old = saga(&db, weeks_ago(9), true).await;
    let mut reading = db.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM saga.journal").execute(&mut *reading).await.unwrap();
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap().dropped, 0);
    reading.rollback().await.unwrap();
    assert!(has_journal(&db, old).await);
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap().dropped, 1);
    own_database::drop(db).await;
}

#[tokio::test]
async fn a_journal_from_before_there_were_weeks_is_read_as_ever_and_dropped_in_time() {
    let db = own_database::create_as_of(3005).await;
    let (old, new) = (saga(&db, weeks_ago(9), true).await, saga(&db, Utc::now(), true).await);
    crate::migrations().run(&db).await.unwrap();
    assert!(has_journal(&db, old).await && has_journal(&db, new).await);
    let late = saga(&db, Utc::now(), true).await;
    assert_eq!(table_of(&db, late).await, "saga.journal_before_weeks", "this week is in it to its end");
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap(), Kept { made: 0, dropped: 0, held: 0 });
    // Weeks later.
    sqlx::query("UPDATE saga.journal_weeks SET to_at = $1 WHERE name = 'journal_before_weeks'")
        .bind(weeks_ago(2))
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(keep_weeks(&db, Some(7)).await.unwrap().dropped, 1);
    own_database::drop(db).await;
}
