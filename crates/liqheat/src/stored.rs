//! Bars of a symbol out of the database, for commands that run over a stored period.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use liqheat_market::{Bar, Instrument, Interval, KlineKind, UnixMs};
use liqheat_model::assemble;
use liqheat_store::{InstrumentSpan, Location, QUERY_ROWS_MAX, Settings, Store};

use crate::cli::parse_name;

/// Most rows of one query.
pub(crate) const ROWS_MAX: NonZeroUsize = match NonZeroUsize::new(QUERY_ROWS_MAX) {
    Some(rows) => rows,
    None => NonZeroUsize::MIN,
};

/// Opens the database of a command that needs stored bars.
///
/// # Errors
/// Without a file, which opening would create.
#[expect(clippy::disallowed_methods, reason = "looks whether the database is there")]
pub(crate) fn open(path: &Path) -> anyhow::Result<Store> {
    if !path.exists() {
        bail!("{} does not exist; load klines with `liqheat ingest` first", path.display());
    }
    Ok(Store::open(Location::File(path.to_owned()), Settings::default())?)
}

/// The instrument whose bars are used: the one that is named, or the only one.
pub(crate) fn choose<'a>(
    stored: &'a [InstrumentSpan],
    wanted: Option<&str>,
) -> anyhow::Result<&'a InstrumentSpan> {
    let names = || stored.iter().map(|span| span.instrument.to_string()).collect::<Vec<_>>().join(", ");
    let Some(wanted) = wanted else {
        return match stored {
            [] => Err(anyhow!("the database holds no klines; load some with `liqheat ingest`")),
            [only] => Ok(only),
            _ => Err(anyhow!("choose one with --symbol; the database holds {}", names())),
        };
    };
    let (symbol, venue) = parse_name(wanted).map_err(|error| anyhow!(error))?;
    let fits = |span: &&InstrumentSpan| {
        span.instrument.symbol == symbol && venue.is_none_or(|venue| span.instrument.venue == venue)
    };
    let found = stored.iter().find(fits);
    found.with_context(|| format!("the database holds no klines of {wanted}; it holds {}", names()))
}

/// The bars of an instrument that begin from `from` to `to`.
pub(crate) fn read_bars(
    store: &Store,
    instrument: &Instrument,
    interval: Interval,
    from: UnixMs,
    to: UnixMs,
) -> anyhow::Result<Vec<Bar>> {
    let klines = store.klines(instrument, KlineKind::Last, interval, from, to).blocking()?;
    let marks = store.klines(instrument, KlineKind::Mark, interval, from, to).blocking()?;
    let samples = store.open_interest(instrument, from, to.plus(interval.ms() / 10)).blocking()?;
    Ok(assemble(&klines, &marks, &samples))
}
