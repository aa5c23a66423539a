//! Commands as stories, and executed on a store, with conflicts and chaos. The commands are those of the examples.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

#[path = "../examples/reservation.rs"]
mod reservation;
#[path = "../examples/transfer.rs"]
mod transfer;

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_event_store::chaos::{ChaosStore, Mishaps};
use backstitch_event_store::given::given;
use backstitch_event_store::{
    AppendError, Command, CommandError, DecideError, EventData as _, EventStore, ExpectedVersion, Facts, Flow,
    MemoryStore, RetryPolicy, StreamId, StreamVersion, Streams, contract, decide_and_append, execute,
};
use reservation::{ReservationRefused, ReserveCart, ShopEvent, put, shop, stock};
use transfer::{AccountEvent, Deposit, Transfer, TransferRefused};
use uuid::Uuid;

fn account(name: &'static str) -> StreamId {
    StreamId::of("account", name)
}

fn flow() -> Flow {
    Flow::begun_by(Uuid::new_v4())
}

fn transfer(amount: u64) -> Transfer {
    Transfer { from: account("ada"), to: account("bob"), amount }
}

/// Decides quickly again: these tests are about what comes out.
fn policy() -> RetryPolicy {
    RetryPolicy { attempts_max: 200, delay_min: std::time::Duration::from_micros(1), ..RetryPolicy::default() }
}

async fn balance(store: &dyn EventStore, name: &'static str) -> u64 {
    let events = store.load(&account(name), StreamVersion::NONE).await.unwrap();
    events.iter().fold(0, |balance, stored| match AccountEvent::of_stored(stored).unwrap() {
        AccountEvent::Deposited { amount } => balance + amount,
        AccountEvent::Withdrawn { amount } => balance - amount,
    })
}

#[test]
fn a_transfer_takes_here_and_gives_there() {
    given([(account("ada"), AccountEvent::Deposited { amount: 100 })]).when(&transfer(70)).emits([
        (account("ada"), AccountEvent::Withdrawn { amount: 70 }),
        (account("bob"), AccountEvent::Deposited { amount: 70 }),
    ]);
}

#[test]
fn nobody_transfers_what_he_has_not() {
    let before = [
        (account("ada"), AccountEvent::Deposited { amount: 100 }),
        (account("ada"), AccountEvent::Withdrawn { amount: 60 }),
        (account("bob"), AccountEvent::Deposited { amount: 500 }),
    ];
    given(before).when(&transfer(70)).refuses(&TransferRefused::TooLittle { asked: 70, left: 40 });
    given([]).when(&transfer(0)).refuses(&TransferRefused::Nothing);
}

#[test]
fn a_cart_finds_the_stocks_it_needs_while_it_is_handled() {
    let cart = StreamId::of("cart", 1);
    let filled = |product: &str, units| (cart.clone(), ShopEvent::Filled { product: product.to_owned(), units });
    let before = [
        (stock("mug"), ShopEvent::Received { units: 3 }),
        (stock("pot"), ShopEvent::Received { units: 1 }),
        filled("mug", 2),
        filled("pot", 1),
    ];
    given(before.clone()).when(&ReserveCart { cart: cart.clone() }).emits([
        (stock("mug"), ShopEvent::Taken { units: 2 }),
        (stock("pot"), ShopEvent::Taken { units: 1 }),
        (cart.clone(), ShopEvent::CartReserved),
    ]);
    let more = before.iter().cloned().chain([filled("pot", 1)]);
    let refused = ReservationRefused::OutOfStock { product: "pot".to_owned(), asked: 2, left: 1 };
    given(more).when(&ReserveCart { cart: cart.clone() }).refuses(&refused);
    let closed = before.into_iter().chain([(shop(), ShopEvent::Closed)]);
    given(closed).when(&ReserveCart { cart }).refuses(&ReservationRefused::Closed);
}

/// Declares one account and writes to another.
struct Sly;

impl Command for Sly {
    type Event = AccountEvent;
    type State = ();
    type Refusal = TransferRefused;

    fn streams(&self) -> Streams {
        Streams::new().write(account("ada")).read(account("bob"))
    }

    fn apply(&self, (): &mut (), _: &StreamId, _: &AccountEvent) {}

    fn handle(&self, (): &(), facts: &mut Facts<AccountEvent>) -> Result<(), TransferRefused> {
        facts.emit(&account("bob"), AccountEvent::Withdrawn { amount: 1 });
        Ok(())
    }
}

#[tokio::test]
async fn a_stream_that_is_not_declared_as_written_cannot_be_written() {
    given([]).when(&Sly).writes_undeclared(&account("bob"));
    let store = MemoryStore::new();
    let refused = execute(&store, &Sly, &flow(), &policy()).await;
    assert!(
        matches!(refused, Err(CommandError::Undeclared { ref stream }) if *stream == account("bob")),
        "{refused:?}"
    );
    assert_eq!(store.head(&account("bob")).await.unwrap(), StreamVersion::NONE);
}

#[tokio::test]
async fn a_command_is_executed_once_however_often_it_is_sent() {
    let store = MemoryStore::new();
    execute(&store, &Deposit { to: account("ada"), amount: 100 }, &flow(), &policy()).await.unwrap();
    let all = flow();
    let first = execute(&store, &transfer(100), &all, &policy()).await.unwrap();
    assert!(!first.repeated);
    // By now the rule would say no: the account is empty.
    let again = execute(&store, &transfer(100), &all, &policy()).await.unwrap();
    assert!(again.repeated);
    let deposit = flow();
    for repeated in [false, true] {
        let executed = execute(&store, &Deposit { to: account("ada"), amount: 1 }, &deposit, &policy()).await.unwrap();
        assert_eq!(executed.repeated, repeated);
    }
    assert_eq!((balance(&store, "ada").await, balance(&store, "bob").await), (1, 100));
}

#[tokio::test]
async fn what_a_refused_command_emitted_is_forgotten() {
    let store = MemoryStore::new();
    let cart = StreamId::of("cart", 1);
    put(&store, &stock("mug"), ShopEvent::Received { units: 9 }).await.unwrap();
    for product in ["mug", "pot"] {
        put(&store, &cart, ShopEvent::Filled { product: product.to_owned(), units: 1 }).await.unwrap();
    }
    let refused = execute(&store, &ReserveCart { cart }, &flow(), &policy()).await;
    assert!(matches!(refused, Err(CommandError::Refused(ReservationRefused::OutOfStock { .. }))), "{refused:?}");
    assert_eq!(store.head(&stock("mug")).await.unwrap(), StreamVersion(1));
}

#[tokio::test]
async fn money_is_neither_made_nor_lost_on_a_bad_day() {
    for seed in 0..20 {
        let calm = Arc::new(MemoryStore::new());
        let store = Arc::new(ChaosStore::new(calm.clone(), Mishaps::BAD_DAY, seed));
        for name in ["ada", "bob"] {
            execute(&*calm, &Deposit { to: account(name), amount: 100 }, &flow(), &policy()).await.unwrap();
        }
        let transfers = (0..20).map(|nth| {
            let store = store.clone();
            tokio::spawn(async move {
                let (from, to) = if nth % 2 == 0 { ("ada", "bob") } else { ("bob", "ada") };
                let command = Transfer { from: account(from), to: account(to), amount: 3 };
                let flow = flow();
                // An answer that was lost is asked for again, until one comes.
                while let Err(error) = execute(&*store, &command, &flow, &policy()).await {
                    assert!(matches!(error, CommandError::Append(_) | CommandError::Read(_)), "{error:?}");
                }
            })
        });
        for transfer in transfers.collect::<Vec<_>>() {
            transfer.await.unwrap();
        }
        let balances = (balance(&*calm, "ada").await, balance(&*calm, "bob").await);
        assert_eq!(balances, (100, 100), "seed {seed}: ten transfers each way");
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_mishaps() {
    let mishaps = async |seed| {
        let store = ChaosStore::new(Arc::new(MemoryStore::new()), Mishaps { slow: 0.0, ..Mishaps::BAD_DAY }, seed);
        let mut outcomes = String::new();
        for _ in 0..100 {
            let request = backstitch_event_store::AppendRequest::new().write(
                account("ada"),
                ExpectedVersion::Any,
                vec![contract::event("A")],
            );
            outcomes.push(match store.append(request).await {
                Ok(_) => '.',
                Err(AppendError::Conflict { .. }) => 'c',
                Err(_) => 'f',
            });
        }
        outcomes
    };
    let outcomes = mishaps(7).await;
    assert_eq!(outcomes, mishaps(7).await);
    assert_ne!(outcomes, mishaps(8).await);
    assert_eq!(outcomes.chars().collect::<BTreeSet<_>>(), ['.', 'c', 'f'].into());
}

#[tokio::test]
async fn a_decision_is_made_again_until_what_it_read_stands() {
    let store = Arc::new(MemoryStore::new());
    let counter = contract::fresh("counter");
    let watched = contract::fresh("watched");
    let writers = (0..64).map(|_| {
        let (store, counter, watched) = (store.clone(), counter.clone(), watched.clone());
        tokio::spawn(async move {
            let streams = [counter.clone(), watched];
            let event = contract::event("Counted");
            decide_and_append(&*store, &streams, &policy(), |loaded| {
                let at = ExpectedVersion::Exact(loaded.version(&counter));
                Ok::<_, std::convert::Infallible>(backstitch_event_store::AppendRequest::new().write(
                    counter.clone(),
                    at,
                    vec![event.clone()],
                ))
            })
            .await
            .unwrap()
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(store.head(&counter).await.unwrap(), StreamVersion(64));
    let refused =
        decide_and_append(&*store, &[counter], &policy(), |_| Err(TransferRefused::Nothing)).await.unwrap_err();
    assert!(matches!(refused, DecideError::Refused(TransferRefused::Nothing)));
}
