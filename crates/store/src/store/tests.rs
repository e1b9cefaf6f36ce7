//! The queue and the owner thread under commands that misbehave.

use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Waker};

use liqheat_market::{Symbol, Venue};

use super::*;
use crate::error::Fault;
use crate::owner::Database;

/// Panics in the middle of a transaction.
struct Panic;

impl Command for Panic {
    type Answer = ();
    const NAME: &'static str = "panic";

    fn run(self, database: &Database) -> Result<(), Fault> {
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute_batch("INSERT INTO mark_prices VALUES ('sim', 'BTCUSDT', 1, 1)")?;
        panic!("as planned");
    }
}

/// Fails in the middle of a transaction.
struct Fail;

impl Command for Fail {
    type Answer = ();
    const NAME: &'static str = "fail";

    fn run(self, database: &Database) -> Result<(), Fault> {
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute_batch("INSERT INTO mark_prices VALUES ('sim', 'BTCUSDT', 1, 1)")?;
        transaction.execute_batch("SELECT no_such_thing()")?;
        transaction.commit()?;
        Ok(())
    }
}

/// Says that it has begun, then waits at a gate.
struct Wait {
    begun: SyncSender<()>,
    gate: Receiver<()>,
}

impl Command for Wait {
    type Answer = ();
    const NAME: &'static str = "wait";

    fn run(self, _: &Database) -> Result<(), Fault> {
        let _ = self.begun.send(());
        let _ = self.gate.recv();
        Ok(())
    }
}

fn rows(store: &Store) -> u64 {
    store.stats().blocking().unwrap().rows["mark_prices"]
}

fn places(folder: &tempfile::TempDir) -> [Location; 2] {
    [Location::Memory, Location::File(folder.path().join("market.duckdb"))]
}

#[test]
fn a_panic_is_an_error_for_the_one_who_asked() {
    let folder = tempfile::tempdir().unwrap();
    for location in places(&folder) {
        let store = Store::open(location.clone(), Settings::default()).unwrap();
        let error = store.ask(Panic).blocking().unwrap_err();
        assert_eq!(error, StoreError::Panicked { command: "panic", detail: "as planned".to_owned() });
        assert_eq!(rows(&store), 0, "what it had begun is undone");
        let counters = store.counters();
        assert_eq!((counters.failures, counters.panics), (1, 1));
        assert_eq!(counters.reopenings, u64::from(location != Location::Memory));
        store.close_blocking().unwrap();
    }
}

#[test]
fn a_failing_query_is_an_error_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for location in places(&folder) {
        let store = Store::open(location.clone(), Settings::default()).unwrap();
        let error = store.ask(Fail).blocking().unwrap_err();
        let StoreError::Query { command: "fail", location: place, detail } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*place, location.to_string());
        assert!(detail.contains("no_such_thing"), "{detail}");
        assert_eq!(rows(&store), 0);
        assert_eq!((store.counters().failures, store.counters().reopenings), (1, 0));
    }
}

#[test]
fn a_full_queue_makes_the_asker_wait_and_a_dropped_question_was_never_asked() {
    let settings = Settings { queue_capacity: NonZeroUsize::MIN, ..Settings::default() };
    let store = Store::open(Location::Memory, settings).unwrap();
    let instrument = Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap());
    let tick = |time| {
        let mark = liqheat_market::MarkPrice { time: UnixMs(time), price: Price::from_units(1) };
        store.append(&instrument, vec![mark]).into_future()
    };
    let mut context = Context::from_waker(Waker::noop());
    let (begun, has_begun) = sync_channel(0);
    let (open, gate) = sync_channel(0);
    let mut waiting = pin!(store.ask(Wait { begun, gate }).into_future());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    has_begun.recv().unwrap();

    let mut queued = pin!(tick(1));
    assert!(queued.as_mut().poll(&mut context).is_pending());
    assert_eq!(store.counters().waiting, 1);
    let mut outside = Box::pin(tick(2));
    assert!(outside.as_mut().poll(&mut context).is_pending(), "no room");
    drop(outside);

    open.send(()).unwrap();
    assert_eq!(rows(&store), 1, "only the queued one was carried out");
}

#[test]
fn dropping_every_handle_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.duckdb");
    let location = Location::File(path);
    let store = Store::open(location.clone(), Settings::default()).unwrap();
    let thread = store.shared.thread.lock().unwrap().take().unwrap();
    drop(store);
    thread.join().unwrap();
    Store::open(location, Settings::default()).unwrap();
}
