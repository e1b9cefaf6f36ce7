//! Which maintenance margin tiers are used: those given, before those that venues told, before those shipped.

use std::path::Path;

use anyhow::Context;
use liqheat_feeds::tiers::{TierBook, TierBookError, TierOrigin};
use liqheat_feeds::venues::exchange;
use liqheat_market::Venue;
use liqheat_server::told_tiers_path;
use tracing::warn;

/// The book for a database; what venues told stands beside it.
///
/// # Errors
/// When the file that is given cannot be used.
pub(crate) fn load(given: Option<&Path>, database: Option<&Path>) -> anyhow::Result<TierBook> {
    let venues = Venue::ALL.into_iter().filter(|venue| exchange(*venue).is_some());
    let told = venues.filter_map(|venue| told(&told_tiers_path(database?, venue)));
    let book = told.fold(TierBook::embedded(), TierBook::replaced_by);
    let Some(path) = given else { return Ok(book) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let given = TierBook::parse(&text).with_context(|| path.display().to_string())?;
    Ok(book.replaced_by(given))
}

/// A file that the program wrote itself: where it cannot be read, the venue is asked again.
fn told(path: &Path) -> Option<TierBook> {
    let text = std::fs::read_to_string(path).ok()?;
    let read = TierBook::parse(&text).map(|book| book.from_origin(TierOrigin::Told));
    let refused = |error: TierBookError| warn!(path = %path.display(), %error, "margin tiers kept from before are not used");
    read.map_err(refused).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Instrument, Symbol};

    #[test]
    fn given_goes_before_told_goes_before_shipped() {
        let folder = tempfile::tempdir().unwrap();
        let (db, given) = (folder.path().join("a.duckdb"), folder.path().join("given.json"));
        let text = |rate: f64| {
            format!(
                r#"{{"venue":"okx","as_of":"2026-10-02","columns":["min_notional","maintenance_margin_rate"],"tiers":{{"BTCUSDT":[[0,{rate}]]}}}}"#
            )
        };
        let btc = Instrument::new(Venue::Okx, Symbol::new("BTCUSDT").unwrap());
        let rate = |given: Option<&Path>| {
            let book = load(given, Some(&db)).unwrap();
            (book.table(&btc).tiers()[0].rate, book.origin(&btc).unwrap())
        };
        assert_eq!(rate(None), (0.004, TierOrigin::Shipped));
        std::fs::write(told_tiers_path(&db, Venue::Okx), text(0.02)).unwrap();
        assert_eq!(rate(None), (0.02, TierOrigin::Told));
        std::fs::write(&given, text(0.03)).unwrap();
        assert_eq!(rate(Some(&given)), (0.03, TierOrigin::Given));
        std::fs::write(told_tiers_path(&db, Venue::Okx), "half a fi").unwrap();
        assert_eq!(rate(None), (0.004, TierOrigin::Shipped), "a damaged file keeps nobody from starting");
        assert!(load(Some(&folder.path().join("none.json")), None).is_err());
    }
}
