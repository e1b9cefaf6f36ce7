//! The queue and the owner thread under commands that misbehave.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Waker};

use liqheat_market::{Instrument, OpenInterest, Price, Symbol, UnixMs, Venue};

use super::*;
use crate::command::Database;
use crate::error::CommandError;

/// Panics in the middle of a transaction.
struct Panic;

impl Command for Panic {
    type Answer = ();
    const NAME: &'static str = "panic";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute_batch("INSERT INTO mark_prices VALUES ('sim', 'BTCUSDT', 1, 1)")?;
        panic!("as planned");
    }
}

/// Fails in the middle of a transaction.
struct FailingCommand;

impl Command for FailingCommand {
    type Answer = ();
    const NAME: &'static str = "fail";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute_batch("INSERT INTO mark_prices VALUES ('sim', 'BTCUSDT', 1, 1)")?;
        transaction.execute_batch("SELECT no_such_thing()")?;
        transaction.commit()?;
        Ok(())
    }
}

/// Reports that it runs, then waits at a gate.
struct WaitingCommand {
    begun: SyncSender<()>,
    gate: Receiver<()>,
}

impl Command for WaitingCommand {
    type Answer = ();
    const NAME: &'static str = "wait";

    fn run(self, _: &Database) -> Result<(), CommandError> {
        let _ = self.begun.send(());
        let _ = self.gate.recv();
        Ok(())
    }
}

/// Counts on a read connection for longer than any test waits.
struct EndlessQuery {
    begun: SyncSender<()>,
}

impl Command for EndlessQuery {
    type Answer = i64;
    const NAME: &'static str = "endless";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<i64, CommandError> {
        let _ = self.begun.send(());
        let sql =
            "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE (a.range * b.range) % 7 = 3";
        Ok(database.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// Panics on a read connection.
struct PanicInRead;

impl Command for PanicInRead {
    type Answer = ();
    const NAME: &'static str = "panic in a read";
    const IS_READ: bool = true;

    fn run(self, _: &Database) -> Result<(), CommandError> {
        panic!("as planned");
    }
}

fn instrument() -> Instrument {
    Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap())
}

fn sample(time: i64) -> OpenInterest {
    OpenInterest { time: UnixMs(time), qty: liqheat_market::Qty::from_units(time) }
}

fn samples(store: &Store) -> Result<Vec<OpenInterest>, StoreError> {
    store.open_interest(&instrument(), UnixMs(0), UnixMs(1_000)).blocking()
}

#[test]
fn reads_beside_the_owner_see_what_is_committed_and_do_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    for location in places(&folder) {
        let store = Store::open(location, Settings::default()).unwrap();
        let reads = store.on_read_connections();
        for time in 1..20 {
            store.append(&instrument(), vec![sample(time)]).blocking().unwrap();
            assert_eq!(samples(&reads).unwrap().last(), Some(&sample(time)), "as soon as it is stored");
        }
        let (begun, has_begun) = sync_channel(0);
        let (open, gate) = sync_channel(0);
        let owner = store.clone();
        let waiting = std::thread::spawn(move || owner.ask(WaitingCommand { begun, gate }).blocking());
        has_begun.recv().unwrap();
        assert_eq!(samples(&reads).unwrap().len(), 19, "while the owner is busy");
        open.send(()).unwrap();
        waiting.join().unwrap().unwrap();
        store.close_blocking().unwrap();
        assert_eq!(samples(&reads), Err(StoreError::Closed));
    }
}

#[test]
fn a_panic_on_a_read_connection_leaves_the_database_open() {
    let folder = tempfile::tempdir().unwrap();
    for location in places(&folder) {
        let store = Store::open(location, Settings::default()).unwrap();
        let reads = store.on_read_connections();
        store.append(&instrument(), vec![sample(1)]).blocking().unwrap();
        for _ in 0..5 {
            let error = reads.ask(PanicInRead).blocking().unwrap_err();
            assert!(matches!(error, StoreError::Panicked { .. }), "{error:?}");
            // The owner gives the reader another connection before it answers this.
            assert_eq!(rows(&store), 0);
            assert_eq!(samples(&reads).unwrap(), [sample(1)]);
        }
        assert_eq!((store.counters().panics, store.counters().reopenings), (5, 0));
    }
}

#[test]
fn closing_ends_a_read_that_would_take_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("market.duckdb"));
    let store = Store::open(location.clone(), Settings::default()).unwrap();
    let (begun, has_begun) = sync_channel(0);
    let reads = store.on_read_connections();
    let reading = std::thread::spawn(move || reads.ask(EndlessQuery { begun }).blocking());
    has_begun.recv().unwrap();
    store.close_blocking().unwrap();
    assert_eq!(reading.join().unwrap(), Err(StoreError::Closed));
    // No connection keeps the file open.
    Store::open(location, Settings::default()).unwrap().close_blocking().unwrap();
}

#[test]
fn a_database_that_is_opened_again_gives_its_readers_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("market.duckdb"));
    let store = Store::open(location, Settings::default()).unwrap();
    let reads = store.on_read_connections();
    store.append(&instrument(), vec![sample(1)]).blocking().unwrap();
    store.ask(Panic).blocking().unwrap_err();
    assert_eq!(samples(&reads), Err(StoreError::Reopening), "it asks for a connection");
    assert_eq!(rows(&store), 0);
    assert_eq!(samples(&reads).unwrap(), [sample(1)]);
    assert_eq!(store.counters().reopenings, 1);
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
        let error = store.ask(FailingCommand).blocking().unwrap_err();
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
    let tick = |time| {
        let mark = liqheat_market::MarkPrice { time: UnixMs(time), price: Price::from_units(1) };
        store.append(&instrument(), vec![mark]).into_future()
    };
    let mut context = Context::from_waker(Waker::noop());
    let (begun, has_begun) = sync_channel(0);
    let (open, gate) = sync_channel(0);
    let mut waiting = pin!(store.ask(WaitingCommand { begun, gate }).into_future());
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
