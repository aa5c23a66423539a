//! Many writers at once on a real database: decisions, boundaries, and what subscribers see meanwhile. Needs a server:
//! `POSTGRES_ADMIN_URL`, as the local stack writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

#[path = "../../event-store/examples/reservation.rs"]
mod reservation;
mod support;
#[path = "../../event-store/examples/transfer.rs"]
mod transfer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backstitch_event_store::chaos::{ChaosStore, Mishaps};
use backstitch_event_store::{
    AppendError, AppendRequest, CommandError, Cursor, EventData as _, EventStore, ExpectedVersion, Flow, RetryPolicy,
    Selection, StoredEvent, StreamId, StreamVersion, Subscription, SubscriptionSettings, contract, decide_and_append,
    execute,
};
use backstitch_event_store_postgres::{PostgresStore, StoreSettings, append_sql, insert_missing_heads, lock_heads};
use reservation::{ReservationRefused, ReserveCart, ShopEvent, put, shop, stock};
use sqlx::{Acquire as _, Executor as _};
use support::Database;
use tokio::task::JoinSet;
use transfer::{AccountEvent, Deposit, Transfer};
use uuid::Uuid;

fn flow() -> Flow {
    Flow::begun_by(Uuid::new_v4())
}

fn patient() -> RetryPolicy {
    RetryPolicy { attempts_max: 1_000, delay_max: Duration::from_millis(50), ..RetryPolicy::default() }
}

/// Each of them a store of its own, as in processes of their own: what they write meets in the database only.
fn stores(database: &Database, count: usize) -> Vec<PostgresStore> {
    (0..count).map(|_| database.store().with(StoreSettings { writers: 1, ..StoreSettings::default() })).collect()
}

async fn finish(mut tasks: JoinSet<()>) {
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_of_one_stream_lose_no_update() {
    let database = Database::fresh().await;
    let (counter, stores) = (contract::fresh("counter"), stores(&database, 4));
    let mut writers = JoinSet::new();
    for writer in 0..64 {
        let (store, counter) = (stores[writer % stores.len()].clone(), counter.clone());
        writers.spawn(async move {
            for _ in 0..3 {
                decide_and_append(&store, std::slice::from_ref(&counter), &patient(), |loaded| {
                    // Each event says how many it has seen: an update that was lost would show as a number said twice.
                    let seen = loaded.version(&counter);
                    let mut event = contract::event("Counted");
                    event.data = serde_json::json!(seen.0);
                    let at = ExpectedVersion::Exact(seen);
                    Ok::<_, AppendError>(AppendRequest::new().write(counter.clone(), at, vec![event]))
                })
                .await
                .unwrap();
            }
        });
    }
    finish(writers).await;
    let events = stores[0].load(&counter, StreamVersion::NONE).await.unwrap();
    let said: Vec<_> = events.iter().map(|stored| stored.event.data.as_u64().unwrap()).collect();
    assert_eq!(said, (0..192).collect::<Vec<_>>());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_of_overlapping_streams_neither_lose_nor_make_money() {
    let database = Database::fresh().await;
    let stores = stores(&database, 4);
    let accounts: Vec<StreamId> = (0..8).map(|_| contract::fresh("account")).collect();
    for account in &accounts {
        let deposit = Deposit { to: account.clone(), amount: 1_000 };
        execute(&stores[0], &deposit, &flow(), &patient()).await.unwrap();
    }
    let mut writers = JoinSet::new();
    for writer in 0..64 {
        let (store, accounts) = (stores[writer % stores.len()].clone(), accounts.clone());
        writers.spawn(async move {
            for round in 0..4 {
                // Both directions between the same accounts, so that locks in the order of naming would deadlock.
                let from = accounts[(writer + round) % accounts.len()].clone();
                let to = accounts[(writer + 3 * round + 1 + round % 2) % accounts.len()].clone();
                if from != to {
                    let transfer = Transfer { from, to, amount: 1 + round as u64 };
                    execute(&store, &transfer, &flow(), &patient()).await.unwrap();
                }
            }
        });
    }
    finish(writers).await;
    let asked: Vec<_> = accounts.iter().map(|account| (account.clone(), StreamVersion::NONE)).collect();
    let events = stores[0].load_many(&asked).await.unwrap();
    let sum = events.iter().fold(0_i64, |sum, stored| match AccountEvent::of_stored(stored).unwrap() {
        AccountEvent::Deposited { amount } => sum + i64::try_from(amount).unwrap(),
        AccountEvent::Withdrawn { amount } => sum - i64::try_from(amount).unwrap(),
    });
    assert_eq!(sum, 8_000);
    versions_have_no_gap(&events);
    database.drop().await;
}

fn versions_have_no_gap(events: &[StoredEvent]) {
    let mut heads: BTreeMap<&StreamId, u64> = BTreeMap::new();
    for stored in events {
        let head = heads.entry(&stored.stream).or_default();
        assert_eq!(stored.version.0, *head + 1, "{}", stored.stream);
        *head += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reserved_in_a_shop_that_has_closed_meanwhile() {
    let database = Database::fresh().await;
    let stores = stores(&database, 4);
    put(&stores[0], &stock("mug"), ShopEvent::Received { units: 1_000 }).await.unwrap();
    let mut customers = JoinSet::new();
    for customer in 0..64 {
        let store = stores[customer % stores.len()].clone();
        customers.spawn(async move {
            let cart = contract::fresh("cart");
            put(&store, &cart, ShopEvent::Filled { product: "mug".to_owned(), units: 1 }).await.unwrap();
            let reserved = execute(&store, &ReserveCart { cart }, &flow(), &patient()).await;
            let closed = matches!(reserved, Err(CommandError::Refused(ReservationRefused::Closed)));
            assert!(reserved.is_ok() || closed, "{reserved:?}");
            if customer == 20 {
                put(&store, &shop(), ShopEvent::Closed).await.unwrap();
            }
        });
    }
    finish(customers).await;
    // In the one order of all events, nothing was taken after the shop had closed: its stream was only read.
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM store.events").fetch_one(&database.pool).await.unwrap();
    let (mut seen, mut at) = (Vec::new(), Cursor::default());
    while seen.len() < usize::try_from(all).unwrap() {
        let page = stores[0].read_all(at, 500).await.unwrap();
        at = page.next;
        seen.extend(page.events);
    }
    let closed = seen.iter().position(|stored| stored.event.event_type == "Closed").expect("it closed");
    assert!(seen[closed..].iter().all(|stored| stored.event.event_type != "Taken"));
    database.drop().await;
}

/// Appends to two streams as a lane does, in a transaction of its own that stays open for a while.
async fn slow_append(database: &Database, streams: [&StreamId; 2], between: impl AsyncFnOnce()) -> (u64, u64) {
    let mut connection = database.pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let written = streams.iter().map(|stream| (*stream).clone()).collect();
    insert_missing_heads(&written, &mut transaction).await.unwrap();
    let first = [streams[0].clone()].into();
    let _ = lock_heads(&first, &std::collections::BTreeSet::new(), &mut transaction).await.unwrap();
    // It has its transaction id by now.
    let own: i64 =
        sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint").fetch_one(&mut *transaction).await.unwrap();
    between().await;
    let heads = lock_heads(&written, &std::collections::BTreeSet::new(), &mut transaction).await.unwrap();
    let text = format!(
        "WITH moved AS ({}), events AS ({}) SELECT (SELECT count(*) FROM moved)",
        append_sql::MOVED_HEADS.replace("$1", "$13").replace("$2", "$14").replace("$3", "$15"),
        append_sql::EVENTS
    );
    let names: Vec<String> = streams.iter().map(ToString::to_string).collect();
    let before: Vec<i64> = streams.iter().map(|stream| heads[*stream].as_i64()).collect();
    let after: Vec<i64> = before.iter().map(|version| version + 1).collect();
    let event = contract::event("Slow");
    let moved: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
        .bind(names.clone())
        .bind(after.clone())
        .bind(vec![Uuid::new_v4(), Uuid::new_v4()])
        .bind(vec!["Slow", "Slow"])
        .bind(vec![1, 1])
        .bind(vec!["Thing", "Thing"])
        .bind(vec![event.occurred_at, event.occurred_at])
        .bind(vec![event.correlation_id, event.correlation_id])
        .bind(vec![event.causation_id, event.causation_id])
        .bind(vec![None::<String>, None])
        .bind(vec![event.data.clone(), event.data.clone()])
        .bind(vec![event.metadata.clone(), event.metadata])
        .bind(names)
        .bind(after)
        .bind(before)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(moved, 2);
    transaction.commit().await.unwrap();
    (u64::try_from(own).unwrap(), heads[streams[1]].0 + 1)
}

#[tokio::test]
async fn a_stream_keeps_its_order_though_a_transaction_took_its_id_long_before_it_appended() {
    let database = Database::fresh().await;
    let store = database.store();
    let (one, other) = (contract::fresh("thing"), contract::fresh("thing"));
    for stream in [&one, &other] {
        let request = AppendRequest::new().write(stream.clone(), ExpectedVersion::Any, vec![contract::event("First")]);
        store.append(request).await.unwrap();
    }
    let (own, version) = slow_append(&database, [&one, &other], async || {
        let request = AppendRequest::new().write(other.clone(), ExpectedVersion::Any, vec![contract::event("Quick")]);
        store.append(request).await.unwrap();
    })
    .await;
    assert_eq!(version, 3);
    let events = store.load(&other, StreamVersion::NONE).await.unwrap();
    let types: Vec<_> = events.iter().map(|stored| stored.event.event_type.as_str()).collect();
    assert_eq!(types, ["First", "Quick", "Slow"]);
    assert!(events[1].cursor.transaction > own, "or there was nothing to see here");
    assert!(events.windows(2).all(|pair| pair[0].cursor < pair[1].cursor), "{events:#?}");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_subscribers_see_every_event_once_and_in_order_while_transactions_commit_out_of_order() {
    let database = Arc::new(Database::fresh().await);
    let stores = stores(&database, 3);
    let streams: Vec<StreamId> = (0..12).map(|_| contract::fresh("thing")).collect();
    let (writers, rounds) = (12, 25);
    let expected = writers * rounds * 2;
    let mut tasks = JoinSet::new();
    for subscriber in 0..10 {
        let store = Arc::new(stores[subscriber % 3].clone());
        tasks.spawn(async move {
            let settings = SubscriptionSettings {
                page_max: 7 + u32::try_from(subscriber).unwrap(),
                poll_interval: Duration::from_millis(20),
                ..SubscriptionSettings::default()
            };
            let mut subscription = Subscription::new("test", store, Selection::All, Cursor::default()).with(settings);
            let mut seen: Vec<StoredEvent> = Vec::new();
            while seen.len() < expected {
                seen.extend(subscription.next().await.unwrap().events);
            }
            assert_eq!(seen.len(), expected);
            assert!(seen.windows(2).all(|pair| pair[0].cursor < pair[1].cursor));
            versions_have_no_gap(&seen);
        });
    }
    for writer in 0..writers {
        let (store, database, streams) = (stores[writer % 3].clone(), Arc::clone(&database), streams.clone());
        tasks.spawn(async move {
            for round in 0..rounds {
                let (one, other) = (&streams[writer], &streams[(writer + round + 1) % streams.len()]);
                let mut pair = if one == other { [&streams[0], &streams[1]] } else { [one, other] };
                // Locks in another order would deadlock.
                pair.sort();
                if (writer + round) % 5 == 0 {
                    // Its id is taken, others go on and commit, then it appends.
                    let others = async || tokio::time::sleep(Duration::from_millis(3)).await;
                    let _ = slow_append(&database, pair, others).await;
                } else {
                    let request = pair.iter().fold(AppendRequest::new(), |request, stream| {
                        request.write((*stream).clone(), ExpectedVersion::Any, vec![contract::event("Quick")])
                    });
                    store.append(request).await.unwrap();
                }
            }
        });
    }
    finish(tasks).await;
    drop(stores);
    Arc::into_inner(database).unwrap().drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_connection_was_cut_is_made_once() {
    let database = Database::fresh().await;
    let store = database.store();
    let mut tasks = JoinSet::new();
    let streams: Vec<StreamId> = (0..8).map(|_| contract::fresh("thing")).collect();
    for stream in streams.clone() {
        let store = store.clone();
        tasks.spawn(async move {
            for version in 0..20 {
                let at = ExpectedVersion::Exact(StreamVersion(version));
                let request = AppendRequest::new().write(stream.clone(), at, vec![contract::event("A")]);
                assert_eq!(store.append(request).await.unwrap().heads[&stream], StreamVersion(version + 1));
            }
        });
    }
    let cutter = database.pool.clone();
    let cutting = tokio::spawn(async move {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        loop {
            let _ = cutter.execute(cut).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    });
    finish(tasks).await;
    cutting.abort();
    for stream in &streams {
        assert_eq!(store.head(stream).await.unwrap(), StreamVersion(20));
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_balance_on_postgres_on_a_bad_day() {
    let database = Database::fresh().await;
    let calm = database.store();
    let (ada, bob) = (contract::fresh("account"), contract::fresh("account"));
    for account in [&ada, &bob] {
        execute(&calm, &Deposit { to: account.clone(), amount: 50 }, &flow(), &patient()).await.unwrap();
    }
    let store = Arc::new(ChaosStore::new(Arc::new(calm.clone()), Mishaps::BAD_DAY, 11));
    let mut tasks = JoinSet::new();
    for nth in 0..16 {
        let (store, ada, bob) = (store.clone(), ada.clone(), bob.clone());
        tasks.spawn(async move {
            let (from, to) = if nth % 2 == 0 { (ada, bob) } else { (bob, ada) };
            let (transfer, flow) = (Transfer { from, to, amount: 2 }, flow());
            while let Err(error) = execute(&*store, &transfer, &flow, &patient()).await {
                assert!(matches!(error, CommandError::Append(_) | CommandError::Read(_)), "{error:?}");
            }
        });
    }
    finish(tasks).await;
    for account in [&ada, &bob] {
        // A deposit, then eight transfers each way.
        assert_eq!(calm.head(account).await.unwrap(), StreamVersion(17));
    }
    database.drop().await;
}
