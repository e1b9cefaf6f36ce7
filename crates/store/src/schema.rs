//! The tables, and how a file of an older version becomes one of this version.
//!
//! Every table is keyed by venue and symbol, as texts: DuckDB stores a column that repeats one text almost for
//! nothing, and whoever opens the file with DuckDB's own shell can read it. Other names stand as texts for the
//! same reason.
//!
//! No table of events has a PRIMARY KEY. In DuckDB that is an index kept in memory which each insert must probe
//! and update row by row: it makes bulk loading several times slower and opening a large file heavy. There is one
//! writer, so keys are kept unique by joining each batch against the stretch of rows it touches (`append.rs`).
//!
//! A file is brought to the current version in one transaction. A migration, once released, never changes.

use duckdb::Connection;

use crate::error::CommandError;
use crate::{Location, StoreError};
use liqheat_market::convert::signed_len;

/// The version this program writes.
pub const SCHEMA_VERSION: i64 = signed_len(MIGRATIONS.len());

/// The migration at index `n` makes version `n + 1` of version `n`; version 0 is an empty file.
pub(crate) const MIGRATIONS: &[&str] = &[
    // 1: the events.
    "
    CREATE TABLE klines (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        kind VARCHAR NOT NULL,             -- 'last' (of trades) or 'mark' (of the mark price)
        interval_ms BIGINT NOT NULL,
        open_time BIGINT NOT NULL,         -- ms; it closes interval_ms later
        open BIGINT NOT NULL,              -- prices in 1e-8 of the quote currency
        high BIGINT NOT NULL,
        low BIGINT NOT NULL,
        close BIGINT NOT NULL,
        volume BIGINT,                     -- coins in 1e-8; NULL is unknown
        taker_buy_volume BIGINT,
        trades BIGINT
    );
    CREATE TABLE trades (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        id BIGINT NOT NULL,
        time BIGINT NOT NULL,
        price BIGINT NOT NULL,
        qty BIGINT NOT NULL,
        taker_bought BOOLEAN NOT NULL
    );
    CREATE TABLE mark_prices (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        time BIGINT NOT NULL,
        price BIGINT NOT NULL
    );
    CREATE TABLE open_interest (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        time BIGINT NOT NULL,
        qty BIGINT NOT NULL                -- coins in 1e-8, single-sided
    );
    CREATE TABLE funding (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        time BIGINT NOT NULL,
        rate BIGINT NOT NULL,              -- 1e-8
        interval_hours BIGINT
    );
    CREATE TABLE liquidations (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        time BIGINT NOT NULL,
        side VARCHAR NOT NULL,             -- of the position: 'long' or 'short'
        price BIGINT NOT NULL,
        qty BIGINT NOT NULL,
        price_kind VARCHAR NOT NULL        -- 'fill' or 'bankruptcy'
    );
    ",
    // 2: states of the ledger, so that a restart does not replay a year.
    "
    CREATE TABLE checkpoints (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        interval_ms BIGINT NOT NULL,
        fingerprint UBIGINT NOT NULL,      -- of the parameters it was computed with
        time BIGINT NOT NULL,              -- close of the last bar in it
        state BLOB NOT NULL
    );
    ",
    // 3: quantities in 128 bits. 64 bits of 1e-8 coins end at 92 billion coins, which cheap coins trade in a minute.
    "
    ALTER TABLE klines ALTER volume TYPE HUGEINT;
    ALTER TABLE klines ALTER taker_buy_volume TYPE HUGEINT;
    ALTER TABLE trades ALTER qty TYPE HUGEINT;
    ALTER TABLE open_interest ALTER qty TYPE HUGEINT;
    ALTER TABLE liquidations ALTER qty TYPE HUGEINT;
    ",
    // 4: the running score, an hour of an instrument a row.
    "
    CREATE TABLE accuracy_hours (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        start BIGINT NOT NULL,             -- ms
        fingerprint UBIGINT NOT NULL,      -- of the parameters of the graded map
        state VARCHAR NOT NULL,            -- 'frozen', 'graded' or 'lost'
        reason VARCHAR,                    -- of a lost hour
        prediction BLOB,                   -- what was predicted when it began; NULL after two days
        outcome BLOB                       -- the touched cells of a graded hour
    );
    ",
    // 5: alerts that were raised, those not yet delivered, and rules that came through the API.
    "
    CREATE TABLE alerts (
        id VARCHAR NOT NULL,
        time BIGINT NOT NULL,              -- market time
        body VARCHAR NOT NULL              -- JSON
    );
    CREATE TABLE alert_deliveries (
        alert VARCHAR NOT NULL,
        target VARCHAR NOT NULL,
        queued BIGINT NOT NULL             -- wall clock time
    );
    CREATE TABLE alert_rules (
        name VARCHAR NOT NULL,
        fields VARCHAR NOT NULL            -- JSON
    );
    ",
    // 6: addresses of accounts whose positions are looked at. What they hold is asked for anew.
    "
    CREATE TABLE account_addresses (
        venue VARCHAR NOT NULL,
        address VARCHAR NOT NULL,
        found BIGINT NOT NULL,             -- ms
        traded BIGINT,                     -- newest trade that was seen
        held BIGINT,                       -- last look that found a position
        looked BIGINT,                     -- last look
        interval_ms BIGINT NOT NULL        -- from the last look to the next
    );
    ",
    // 7: what was measured of positions, a moment of an instrument a row. Whose they were is not kept.
    "
    CREATE TABLE measured_layers (
        venue VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL,
        time BIGINT NOT NULL,              -- ms
        mark BIGINT NOT NULL,              -- prices in 1e-8 of the quote currency
        bin BIGINT NOT NULL,               -- height of a level
        addresses BIGINT NOT NULL,         -- known at the venue
        late BIGINT NOT NULL,              -- accounts whose look was due
        long_usd BIGINT NOT NULL,          -- at the mark price
        long_accounts BIGINT NOT NULL,
        long_coverage DOUBLE,              -- size over the open interest of the side; NULL is unknown
        long_without_level DOUBLE NOT NULL,-- shares of the size
        long_older_5m DOUBLE NOT NULL,
        long_older_60m DOUBLE NOT NULL,
        short_usd BIGINT NOT NULL,
        short_accounts BIGINT NOT NULL,
        short_coverage DOUBLE,
        short_without_level DOUBLE NOT NULL,
        short_older_5m DOUBLE NOT NULL,
        short_older_60m DOUBLE NOT NULL,
        levels STRUCT(price BIGINT, long_usd BIGINT, short_usd BIGINT, long_accounts BIGINT, short_accounts BIGINT, age_s BIGINT)[] NOT NULL
    );
    ",
];

/// All tables with rows, in the order of reports.
pub(crate) const TABLES: [&str; 13] = [
    "klines",
    "trades",
    "mark_prices",
    "open_interest",
    "funding",
    "liquidations",
    "checkpoints",
    "accuracy_hours",
    "alerts",
    "alert_deliveries",
    "alert_rules",
    "account_addresses",
    "measured_layers",
];

/// Brings the database to the newest of `migrations` and returns the version it had.
pub(crate) fn migrate(
    connection: &Connection,
    location: &Location,
    migrations: &[&str],
) -> Result<i64, CommandError> {
    let known = signed_len(migrations.len());
    let found = version(connection, location)?;
    if found > known {
        return Err(StoreError::NewerSchema { location: location.to_string(), found, known }.into());
    }
    let done = usize::try_from(found).unwrap_or_default();
    let outstanding = migrations.get(done..).unwrap_or_default();
    if outstanding.is_empty() {
        return Ok(found);
    }
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS liqheat_schema (version BIGINT NOT NULL)")?;
    for migration in outstanding {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch("DELETE FROM liqheat_schema")?;
    transaction.execute("INSERT INTO liqheat_schema VALUES (?)", [known])?;
    transaction.commit()?;
    tracing::info!(database = %location, from = found, to = known, "schema migrated");
    Ok(found)
}

fn version(connection: &Connection, location: &Location) -> Result<i64, CommandError> {
    const SOME_TABLES: &str =
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary ORDER BY ALL LIMIT 5";
    let mut statement =
        connection.prepare("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'liqheat_schema'")?;
    let ours: i64 = statement.query_row([], |row| row.get(0))?;
    if ours > 0 {
        let newest = "SELECT coalesce(max(version), 0) FROM liqheat_schema";
        return Ok(connection.query_row(newest, [], |row| row.get(0))?);
    }
    let mut statement = connection.prepare(SOME_TABLES)?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(0);
    }
    Err(StoreError::ForeignDatabase { location: location.to_string(), tables: names.join(", ") }.into())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use liqheat_market::{Instrument, Interval, KlineKind, Price, Qty, Symbol, UnixMs, Venue};

    use super::*;
    use crate::{Settings, Store};

    fn columns(connection: &Connection) -> Vec<String> {
        let sql = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
                   FROM duckdb_columns() WHERE NOT internal ORDER BY ALL";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn fresh() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn every_older_version_becomes_the_newest_with_its_rows() {
        let newest = fresh();
        assert_eq!(migrate(&newest, &Location::Memory, MIGRATIONS).unwrap(), 0);
        for older in 1..MIGRATIONS.len() {
            let connection = fresh();
            migrate(&connection, &Location::Memory, &MIGRATIONS[..older]).unwrap();
            connection.execute_batch("INSERT INTO mark_prices VALUES ('sim', 'BTCUSDT', 1, 2)").unwrap();
            assert_eq!(migrate(&connection, &Location::Memory, MIGRATIONS).unwrap(), older as i64);
            assert_eq!(columns(&connection), columns(&newest));
            let sum: i64 = connection
                .query_row("SELECT sum(price)::BIGINT FROM mark_prices", [], |row| row.get(0))
                .unwrap();
            assert_eq!(sum, 2);
            assert_eq!(migrate(&connection, &Location::Memory, MIGRATIONS).unwrap(), SCHEMA_VERSION);
        }
    }

    /// A file of the version that kept quantities in 64 bits, read after the migration.
    #[test]
    fn quantities_of_64_bits_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("market.duckdb"));
        let connection = Connection::open(location.path().unwrap()).unwrap();
        migrate(&connection, &location, &MIGRATIONS[..2]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO klines VALUES ('sim', 'BTCUSDT', 'last', 60000, 0, 1, 2, 1, 2, 9223372036854775807, NULL, 7);
                 INSERT INTO klines VALUES ('sim', 'BTCUSDT', 'last', 60000, 60000, 1, 2, 1, 2, 9223372036854775807, 0, 7);
                 INSERT INTO trades VALUES ('sim', 'BTCUSDT', 1, 5, 1, 250000000, true);
                 INSERT INTO open_interest VALUES ('sim', 'BTCUSDT', 60000, 123);
                 INSERT INTO liquidations VALUES ('sim', 'BTCUSDT', 9, 'long', 1, 456, 'fill');
                 INSERT INTO checkpoints VALUES ('sim', 'BTCUSDT', 60000, 1, 60000, 'abc')",
            )
            .unwrap();
        connection.close().map_err(|(_, error)| error).unwrap();

        let store = Store::open(location, Settings::default()).unwrap();
        let instrument = Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap());
        let (first, end, one) = (UnixMs(0), UnixMs(1_000_000), NonZeroUsize::MIN);
        let klines = store.klines(&instrument, KlineKind::Last, Interval::M1, first, end).blocking().unwrap();
        let most = Qty::from_units(i64::MAX);
        assert_eq!(klines.iter().map(|kline| kline.volume).collect::<Vec<_>>(), [Some(most); 2]);
        let bought = [None, Some(Qty::default())];
        assert_eq!(klines.iter().map(|kline| kline.taker_buy_volume).collect::<Vec<_>>(), bought);
        let candle = store.candles(&instrument, Interval::M5, end, one).blocking().unwrap()[0];
        assert_eq!(candle.volume, Some(most.plus(most)), "a sum that 64 bits do not hold");
        let profile = store.profiles(&instrument, Interval::M1, Price::from_units(1), first, end);
        assert_eq!(
            profile.blocking().unwrap()[0].volume,
            [(Price::from_units(1), Qty::from_units(250_000_000))]
        );
        let samples = store.open_interest(&instrument, first, end).blocking().unwrap();
        assert_eq!(samples[0].qty, Qty::from_units(123));
        let liquidations = store.liquidations(&instrument, first, end, 0, one).blocking().unwrap();
        assert_eq!(liquidations[0].qty, Qty::from_units(456));
        let kept = store.latest_checkpoint(&instrument, Interval::M1, 1, end).blocking().unwrap();
        assert_eq!(kept.unwrap().state, b"abc");
    }

    /// A file in which only the version table had been made counts as version 0.
    #[test]
    fn version_zero_is_migrated() {
        let connection = fresh();
        connection.execute_batch("CREATE TABLE liqheat_schema (version BIGINT NOT NULL)").unwrap();
        assert_eq!(migrate(&connection, &Location::Memory, MIGRATIONS).unwrap(), 0);
        assert_eq!(version(&connection, &Location::Memory).unwrap(), SCHEMA_VERSION);
    }

    #[test]
    fn a_failing_migration_changes_nothing() {
        let connection = fresh();
        migrate(&connection, &Location::Memory, &MIGRATIONS[..1]).unwrap();
        let before = columns(&connection);
        let broken = [MIGRATIONS[0], "CREATE TABLE half (a BIGINT); SELECT no_such_thing();"];
        assert!(migrate(&connection, &Location::Memory, &broken).is_err());
        assert_eq!(columns(&connection), before);
        assert_eq!(version(&connection, &Location::Memory).unwrap(), 1);
        migrate(&connection, &Location::Memory, MIGRATIONS).unwrap();
    }

    #[test]
    fn the_list_of_tables_is_complete() {
        let connection = fresh();
        migrate(&connection, &Location::Memory, MIGRATIONS).unwrap();
        let count: i64 =
            connection.query_row("SELECT count(*) FROM duckdb_tables()", [], |row| row.get(0)).unwrap();
        assert_eq!(count, TABLES.len() as i64 + 1);
    }
}
