//! Maintenance margin tiers of venues, requested at the start and once a day.
//!
//! A ledger is a function of rows and tiers, so a table that has changed makes the ledger be computed again from its
//! first bar. The tables of venues are kept in files beside the database: a restart, or a server without a network, shows the
//! same. Where a venue publishes none, or a table was given by hand, the known table stays.

#![expect(clippy::disallowed_methods, reason = "keeps the venue's tables in a file beside the database")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use liqheat_feeds::live::{LiveSettings, RawKind, TierRounds};
use liqheat_feeds::tiers::{FALLBACK_RATE, TierBook, TierOrigin};
use liqheat_market::{Instrument, Symbol, TierTable, UnixMs, Venue};
use liqheat_store::Store;
use liqheat_wire::format_time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Live;
use crate::catalog::{Catalog, EngineCommand};

/// Where the tables of a venue are kept: beside the database.
#[must_use]
pub fn venue_tiers_path(database: &Path, venue: Venue) -> PathBuf {
    let mut name: OsString = database.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tiers-{venue}.json"));
    database.with_file_name(name)
}

/// The table of an instrument in a line: of which day it is, and where it comes from.
#[must_use]
pub fn describe_tiers(book: &TierBook, instrument: &Instrument) -> String {
    match (book.own_table(instrument), book.origin(instrument)) {
        (Some(table), Some(origin)) => {
            let as_of = format_time(table.as_of());
            let (day, _) = as_of.split_once('T').unwrap_or((&as_of, ""));
            format!("{} tiers of {day}, {origin}", table.tiers().len())
        }
        (Some(table), None) => format!("{} tiers of another venue", table.tiers().len()),
        (None, _) => format!("none of its own; a flat rate of {} %", FALLBACK_RATE * 100.0),
    }
}

/// Requests tables until asked to stop. A recording keeps the tables in use.
pub(super) async fn keep(
    catalog: &Catalog,
    store: &Store,
    live: &Live,
    settings: &LiveSettings,
    book: TierBook,
    stop: &CancellationToken,
) {
    let mut keeper = Keeper { catalog, settings, book };
    keeper.record_all();
    let Some(mut rounds) = TierRounds::new(settings) else { return };
    loop {
        let is_not_given =
            |instrument: &Instrument| keeper.book.origin(instrument) != Some(TierOrigin::Given);
        let tables = tokio::select! {
            () = stop.cancelled() => return,
            tables = rounds.next(|| live.status(), is_not_given) => tables,
        };
        let Some(tables) = tables else { return };
        let mut changed = BTreeSet::new();
        for (instrument, table) in &tables {
            if keeper.replace(instrument, table) {
                changed.insert(instrument.venue);
            }
        }
        for venue in changed {
            keep_file(store, &keeper.book, venue).await;
        }
    }
}

struct Keeper<'a> {
    catalog: &'a Catalog,
    settings: &'a LiveSettings,
    book: TierBook,
}

impl Keeper<'_> {
    fn record_all(&self) {
        for ledger in self.catalog.ledgers() {
            // What no table covers has the rate that is shipped for all.
            let instrument = ledger.instrument();
            let origin = self.book.origin(instrument).unwrap_or(TierOrigin::Shipped);
            self.record(instrument, origin, ledger.tiers());
        }
    }

    fn record(&self, instrument: &Instrument, origin: TierOrigin, table: TierTable) {
        let Some(recorder) = &self.settings.recorder else { return };
        let kind = RawKind::Tiers { symbol: instrument.symbol.clone(), origin, table };
        recorder.record(instrument.venue, self.settings.clock.market_now(), &kind, &[]);
    }

    /// Uses a table that differs; whether it does.
    fn replace(&mut self, instrument: &Instrument, table: &TierTable) -> bool {
        let ledger = self.catalog.ledgers().find(|ledger| ledger.instrument() == instrument);
        let Some(ledger) = ledger else { return false };
        if is_same(&self.book.table(instrument), table) {
            debug!(%instrument, "margin tiers are as they were");
            return false;
        }
        let (as_of, tiers) = (format_time(table.as_of()), table.tiers().len());
        info!(%instrument, as_of, tiers, "margin tiers of the venue changed; the ledger is computed again");
        ledger.send(EngineCommand::ReplaceTiers(table.clone()));
        self.record(instrument, TierOrigin::Venue, table.clone());
        self.book = std::mem::take(&mut self.book).with_table(instrument.clone(), table.clone());
        true
    }
}

/// The same rules. Bounds that a venue counts in coins move with the price, all by the same factor: a little of that
/// is not another table.
fn is_same(known: &TierTable, new: &TierTable) -> bool {
    const MOVED_LEAST: f64 = 0.8;
    const MOVED_MOST: f64 = 1.25;
    let (known, new) = (known.tiers(), new.tiers());
    if known.len() != new.len() {
        return false;
    }
    let is_near = |a: f64, b: f64| (a - b).abs() <= 1e-3 * a.abs().max(b.abs());
    let mut pairs = known.iter().zip(new);
    let by = known.get(1).zip(new.get(1)).map_or(1.0, |(a, b)| b.floor_usd / a.floor_usd);
    let is_moved_little = (MOVED_LEAST..=MOVED_MOST).contains(&by);
    is_moved_little
        && pairs.all(|(a, b)| {
            a.rate.total_cmp(&b.rate).is_eq()
                && is_near(a.leverage_max, b.leverage_max)
                && is_near(a.floor_usd * by, b.floor_usd)
        })
}

/// Without the file the next start asks again, and that is all.
async fn keep_file(store: &Store, book: &TierBook, venue: Venue) {
    let Some(database) = store.location().path().map(Path::to_path_buf) else { return };
    let book = book.clone();
    match tokio::task::spawn_blocking(move || keep_venue_tiers(&database, &book, venue)).await {
        Ok(Ok(path)) => info!(path = %path.display(), "margin tiers kept"),
        Ok(Err(error)) => warn!(%venue, %error, "margin tiers not kept"),
        Err(error) => warn!(%venue, %error, "margin tiers not kept"),
    }
}

/// Writes the tables of a venue in a book beside a database; returns where.
///
/// # Errors
/// When the file cannot be written.
pub fn keep_venue_tiers(database: &Path, book: &TierBook, venue: Venue) -> std::io::Result<PathBuf> {
    let path = venue_tiers_path(database, venue);
    let tables: BTreeMap<&Symbol, &TierTable> = book
        .instruments()
        .filter(|one| one.venue == venue && book.origin(one) == Some(TierOrigin::Venue))
        .filter_map(|one| Some((&one.symbol, book.own_table(one)?)))
        .collect();
    let as_of = format_time(tables.values().map(|table| table.as_of()).max().unwrap_or(UnixMs(0)));
    let (day, _) = as_of.split_once('T').unwrap_or((&as_of, ""));
    // Whoever reads it meanwhile finds the old one whole.
    let draft = path.with_extension("json.new");
    std::fs::write(&draft, TierBook::text(venue, day, &tables))?;
    std::fs::rename(&draft, &path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(f64, f64, f64)]) -> TierTable {
        TierTable::new(UnixMs(0), rows).unwrap()
    }

    #[test]
    fn bounds_that_move_with_the_price_are_no_other_table() {
        let known = table(&[(0.0, 0.004, 100.0), (600_000.0, 0.005, 80.0), (1_200_000.0, 0.01, 50.0)]);
        assert!(is_same(&known, &known));
        let dearer = table(&[(0.0, 0.004, 100.0), (660_000.0, 0.005, 80.0), (1_320_000.0, 0.01, 50.0)]);
        assert!(is_same(&known, &dearer), "a tenth");
        let far = table(&[(0.0, 0.004, 100.0), (900_000.0, 0.005, 80.0), (1_800_000.0, 0.01, 50.0)]);
        assert!(!is_same(&known, &far), "a half");
        let one_bound = table(&[(0.0, 0.004, 100.0), (600_000.0, 0.005, 80.0), (1_300_000.0, 0.01, 50.0)]);
        assert!(!is_same(&known, &one_bound));
        let rate = table(&[(0.0, 0.004, 100.0), (600_000.0, 0.006, 80.0), (1_200_000.0, 0.01, 50.0)]);
        assert!(!is_same(&known, &rate));
        assert!(!is_same(&known, &table(&[(0.0, 0.004, 100.0)])));
    }

    #[test]
    fn a_table_is_described_with_its_day_and_origin() {
        let okx = |symbol: &str| Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap());
        let book = TierBook::embedded();
        let text = describe_tiers(&book, &okx("BTCUSDT"));
        assert!(text.ends_with("tiers of 2026-09-01, shipped with the program"), "{text}");
        let table = table(&[(0.0, 0.02, 50.0)]);
        let text = describe_tiers(&book.clone().with_table(okx("BTCUSDT"), table), &okx("BTCUSDT"));
        assert_eq!(text, "1 tiers of 1970-01-01, from the venue");
        assert_eq!(describe_tiers(&book, &okx("NONEUSDT")), "none of its own; a flat rate of 1 %");
    }

    #[test]
    fn files_stand_beside_the_database() {
        let path = venue_tiers_path(Path::new("/data/btc.duckdb"), Venue::Okx);
        assert_eq!(path, Path::new("/data/btc.duckdb.tiers-okx.json"));
    }
}
