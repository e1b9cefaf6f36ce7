//! Maintenance margin tiers as venues tell them, at the start and once a day.
//!
//! A ledger is a function of rows and tiers, so a table that has changed makes the ledger be computed again from its
//! first bar. Told tables are kept in files beside the database: a restart, or a server without a network, shows the
//! same. Where a venue tells nothing in public, or a table was given by hand, the known table stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use liqheat_feeds::live::{LiveSettings, TierFetchError, VenueSettings, VenueStatus, fetch_tiers};
use liqheat_feeds::tiers::{FALLBACK_RATE, TierBook, TierOrigin};
use liqheat_market::{Instrument, Symbol, TierTable, UnixMs, Venue};
use liqheat_wire::format_time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::app::App;
use crate::live::Live;

/// After a venue that could not be asked.
const AGAIN: Duration = Duration::from_secs(60);

/// Where the tables that a venue told are kept: beside the database.
#[must_use]
pub fn told_tiers_path(database: &Path, venue: Venue) -> PathBuf {
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

/// Asks until told to stop.
pub(super) async fn keep(
    app: &App,
    live: &Live,
    settings: &LiveSettings,
    mut book: TierBook,
    stop: &CancellationToken,
) {
    let Some(every) = settings.refresh_tiers else { return };
    let mut asked: BTreeSet<Instrument> = BTreeSet::new();
    let mut silent: BTreeSet<Venue> = BTreeSet::new();
    loop {
        for venue in &settings.venues {
            if silent.contains(&venue.venue) {
                continue;
            }
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = ask(app, live, settings, venue, &mut book, &mut asked) => round,
            };
            match round {
                Ok(false) => {}
                Ok(true) => keep_file(app, &book, venue.venue).await,
                Err(error @ TierFetchError::NotPublic(_)) => {
                    info!(venue = %venue.venue, "{error}");
                    silent.insert(venue.venue);
                }
                Err(error) => {
                    warn!(venue = %venue.venue, %error, "margin tiers cannot be asked for; the known ones stay");
                }
            }
        }
        let is_done = settings.venues.iter().all(|venue| {
            let is_asked = |symbol| asked.contains(&Instrument::new(venue.venue, Symbol::clone(symbol)));
            silent.contains(&venue.venue) || venue.symbols.iter().all(is_asked)
        });
        let pause = if is_done { every } else { AGAIN };
        if is_done {
            asked.clear();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(settings.clock.real(pause)) => {}
        }
    }
}

/// Asks a venue about what it was not asked about in this round; whether something is new.
async fn ask(
    app: &App,
    live: &Live,
    settings: &LiveSettings,
    venue: &VenueSettings,
    book: &mut TierBook,
    asked: &mut BTreeSet<Instrument>,
) -> Result<bool, TierFetchError> {
    let mut is_new = false;
    let status = live.status();
    let Some(status) = status.venues.iter().find(|one| one.venue == venue.venue) else { return Ok(false) };
    for symbol in &venue.symbols {
        let instrument = Instrument::new(venue.venue, symbol.clone());
        let is_given = book.origin(&instrument) == Some(TierOrigin::Given);
        if is_given || status.unlisted.contains(symbol) {
            asked.insert(instrument);
            continue;
        }
        if asked.contains(&instrument) || !answers(status) {
            continue;
        }
        let one = VenueSettings { symbols: vec![symbol.clone()], ..venue.clone() };
        let told = fetch_tiers(&one, settings.clock, settings.timeout, TierBook::default()).await?;
        asked.insert(instrument.clone());
        let Some(table) = told.own_table(&instrument) else { continue };
        let parts = app.markets.iter().flat_map(|market| &market.parts);
        for part in parts.filter(|part| part.instrument == instrument) {
            if is_same(&part.tiers(), table) {
                debug!(%instrument, "margin tiers are as they were");
                continue;
            }
            let (as_of, tiers) = (format_time(table.as_of()), table.tiers().len());
            info!(%instrument, as_of, tiers, "new margin tiers told by the venue; the ledger is computed again");
            part.replace_tiers(table.clone());
            *book = std::mem::take(book).with_table(instrument.clone(), table.clone());
            is_new = true;
        }
    }
    Ok(is_new)
}

/// It can be reached, and has not asked for a pause.
fn answers(status: &VenueStatus) -> bool {
    status.frames > 0 && status.banned_until.is_none()
}

/// The same rules. Bounds that a venue counts in coins move with the price, all by the same factor: a little of that
/// is not another table.
fn is_same(known: &TierTable, told: &TierTable) -> bool {
    const MOVED_LEAST: f64 = 0.8;
    const MOVED_MOST: f64 = 1.25;
    let (known, told) = (known.tiers(), told.tiers());
    if known.len() != told.len() {
        return false;
    }
    let is_near = |a: f64, b: f64| (a - b).abs() <= 1e-3 * a.abs().max(b.abs());
    let mut pairs = known.iter().zip(told);
    let by = known.get(1).zip(told.get(1)).map_or(1.0, |(a, b)| b.floor_usd / a.floor_usd);
    let is_moved_little = (MOVED_LEAST..=MOVED_MOST).contains(&by);
    is_moved_little
        && pairs.all(|(a, b)| {
            a.rate.total_cmp(&b.rate).is_eq()
                && is_near(a.leverage_max, b.leverage_max)
                && is_near(a.floor_usd * by, b.floor_usd)
        })
}

/// Without the file the next start asks again, and that is all.
async fn keep_file(app: &App, book: &TierBook, venue: Venue) {
    let Some(path) = app.store.location().path().map(|path| told_tiers_path(path, venue)) else { return };
    let tables: BTreeMap<&Symbol, &TierTable> = book
        .instruments()
        .filter(|one| one.venue == venue && book.origin(one) == Some(TierOrigin::Told))
        .filter_map(|one| Some((&one.symbol, book.own_table(one)?)))
        .collect();
    let as_of = format_time(tables.values().map(|table| table.as_of()).max().unwrap_or(UnixMs(0)));
    let (day, _) = as_of.split_once('T').unwrap_or((&as_of, ""));
    let text = TierBook::text(venue, day, &tables);
    let (target, draft) = (path.clone(), path.with_extension("json.new"));
    let write = move || std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &target));
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => info!(path = %path.display(), "margin tiers kept"),
        Ok(Err(error)) => warn!(path = %path.display(), %error, "margin tiers not kept"),
        Err(error) => warn!(path = %path.display(), %error, "margin tiers not kept"),
    }
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
    fn a_table_is_told_with_its_day_and_origin() {
        let okx = |symbol: &str| Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap());
        let book = TierBook::embedded();
        let told = describe_tiers(&book, &okx("BTCUSDT"));
        assert!(told.ends_with("tiers of 2026-09-01, shipped with the program"), "{told}");
        let table = table(&[(0.0, 0.02, 50.0)]);
        let told = describe_tiers(&book.clone().with_table(okx("BTCUSDT"), table), &okx("BTCUSDT"));
        assert_eq!(told, "1 tiers of 1970-01-01, told by the venue");
        assert_eq!(describe_tiers(&book, &okx("NONEUSDT")), "none of its own; a flat rate of 1 %");
    }

    #[test]
    fn files_stand_beside_the_database() {
        let path = told_tiers_path(Path::new("/data/btc.duckdb"), Venue::Okx);
        assert_eq!(path, Path::new("/data/btc.duckdb.tiers-okx.json"));
    }
}
