//! Which maintenance margin tiers are used: those given, before those of the recording that is played, before those of
//! the venues, before those shipped.

#![expect(clippy::disallowed_methods, reason = "reads tables of margin tiers")]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use liqheat_feeds::tiers::{TierBook, TierBookError, TierOrigin};
use liqheat_feeds::venues::exchange;
use liqheat_market::{Instrument, TierTable, Venue};
use liqheat_server::{keep_venue_tiers, venue_tiers_path};
use tracing::warn;

/// The book for a database; the tables of venues stand beside it.
///
/// # Errors
/// When the file that is given cannot be used.
pub(crate) fn load(
    given: Option<&Path>,
    database: Option<&Path>,
    recorded: TierBook,
) -> anyhow::Result<TierBook> {
    let venues = Venue::ALL.into_iter().filter(|venue| exchange(*venue).is_some());
    let of_venues = venues.filter_map(|venue| kept_book(&venue_tiers_path(database?, venue)));
    let book = of_venues.fold(TierBook::embedded(), TierBook::replaced_by).replaced_by(recorded);
    let Some(path) = given else { return Ok(book) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let given = TierBook::parse(&text).with_context(|| path.display().to_string())?;
    Ok(book.replaced_by(given))
}

/// A file that the program wrote itself: where it cannot be read, the table is requested from the venue.
fn kept_book(path: &Path) -> Option<TierBook> {
    let text = std::fs::read_to_string(path).ok()?;
    let read = TierBook::parse(&text).map(|book| book.from_origin(TierOrigin::Venue));
    let refused = |error: TierBookError| warn!(path = %path.display(), %error, "margin tiers kept from before are not used");
    read.map_err(refused).ok()
}

/// The margin tier tables of a recording.
pub(crate) type RecordedTiers = BTreeMap<Instrument, (TierTable, TierOrigin)>;

/// The tables of a recording, as they are used when it is played.
pub(crate) fn recorded(tables: &RecordedTiers) -> TierBook {
    let add = |book: TierBook, (instrument, (table, _)): (&Instrument, &(TierTable, TierOrigin))| {
        book.with_table(instrument.clone(), table.clone())
    };
    tables.iter().fold(TierBook::default(), add).from_origin(TierOrigin::Recorded)
}

/// Keeps the tables of venues in a recording beside the database that it was loaded into, as the server that recorded it did.
/// Newer tables that stand there stay.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn keep_recorded(database: &Path, tables: &RecordedTiers) -> anyhow::Result<()> {
    let is_of_venue =
        |(_, (_, origin)): &(&Instrument, &(TierTable, TierOrigin))| *origin == TierOrigin::Venue;
    let mut books: BTreeMap<Venue, TierBook> = BTreeMap::new();
    for (instrument, (table, _)) in tables.iter().filter(is_of_venue) {
        let venue = instrument.venue;
        let known = || kept_book(&venue_tiers_path(database, venue)).unwrap_or_default();
        let book = books.remove(&venue).unwrap_or_else(known);
        let is_newer = book.own_table(instrument).is_none_or(|known| known.as_of() <= table.as_of());
        let book = if is_newer { book.with_table(instrument.clone(), table.clone()) } else { book };
        books.insert(venue, book);
    }
    for (venue, book) in books {
        keep_venue_tiers(database, &book, venue)
            .with_context(|| format!("cannot keep the margin tiers of {venue} beside the database"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Symbol, UnixMs};

    #[test]
    fn given_goes_before_recorded_goes_before_told_goes_before_shipped() {
        let folder = tempfile::tempdir().unwrap();
        let (db, given) = (folder.path().join("a.duckdb"), folder.path().join("given.json"));
        let text = |rate: f64| {
            format!(
                r#"{{"venue":"okx","as_of":"2026-10-02","columns":["min_notional","maintenance_margin_rate"],"tiers":{{"BTCUSDT":[[0,{rate}]]}}}}"#
            )
        };
        let btc = Instrument::new(Venue::Okx, Symbol::new("BTCUSDT").unwrap());
        let rate_of = |given: Option<&Path>, recorded: TierBook| {
            let book = load(given, Some(&db), recorded).unwrap();
            (book.table(&btc).tiers()[0].rate, book.origin(&btc).unwrap())
        };
        let rate = |given: Option<&Path>| rate_of(given, TierBook::default());
        assert_eq!(rate(None), (0.004, TierOrigin::Shipped));
        std::fs::write(venue_tiers_path(&db, Venue::Okx), text(0.02)).unwrap();
        assert_eq!(rate(None), (0.02, TierOrigin::Venue));
        std::fs::write(&given, text(0.03)).unwrap();
        assert_eq!(rate(Some(&given)), (0.03, TierOrigin::Given));
        let table = TierTable::flat(UnixMs(0), 0.04).unwrap();
        let tables: RecordedTiers = [(btc.clone(), (table, TierOrigin::Shipped))].into();
        assert_eq!(rate_of(None, recorded(&tables)), (0.04, TierOrigin::Recorded));
        assert_eq!(rate_of(Some(&given), recorded(&tables)), (0.03, TierOrigin::Given));
        std::fs::write(venue_tiers_path(&db, Venue::Okx), "half a fi").unwrap();
        assert_eq!(rate(None), (0.004, TierOrigin::Shipped), "a damaged file keeps nobody from starting");
        assert!(load(Some(&folder.path().join("none.json")), None, TierBook::default()).is_err());
    }

    #[test]
    fn what_was_told_in_a_recording_is_kept_unless_what_is_there_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.duckdb");
        let of = |symbol: &str| Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap());
        let table = |day: i64, rate: f64| TierTable::flat(UnixMs(day * 86_400_000), rate).unwrap();
        let keep = |symbol: &str, day, rate, origin| {
            let tables: RecordedTiers = [(of(symbol), (table(day, rate), origin))].into();
            keep_recorded(&db, &tables).unwrap();
        };
        let rate = |symbol: &str| {
            load(None, Some(&db), TierBook::default()).unwrap().table(&of(symbol)).tiers()[0].rate
        };
        keep("ETHUSDT", 10, 0.5, TierOrigin::Given);
        assert!(!venue_tiers_path(&db, Venue::Okx).exists(), "no venue sent it");
        keep("BTCUSDT", 10, 0.06, TierOrigin::Venue);
        keep("ETHUSDT", 10, 0.02, TierOrigin::Venue);
        assert_eq!((rate("BTCUSDT"), rate("ETHUSDT")), (0.06, 0.02));
        keep("BTCUSDT", 9, 0.07, TierOrigin::Venue);
        assert_eq!(rate("BTCUSDT"), 0.06, "the recording is older");
        keep("BTCUSDT", 11, 0.07, TierOrigin::Venue);
        assert_eq!((rate("BTCUSDT"), rate("ETHUSDT")), (0.07, 0.02));
    }
}
