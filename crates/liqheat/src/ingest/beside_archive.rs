//! Files that are not laid out as Binance's archive: klines in Parquet and liquidations event by event.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use liqheat_feeds::archive::{ArchiveFile, Discovery, SkipReason};
use liqheat_market::{Instrument, Interval, Kline, KlineKind, Qty, Symbol, UnixMs, Venue};
use liqheat_store::{Batch, ParquetKline, Store, StoreError, read_parquet_klines};
use tokio_util::sync::CancellationToken;

use super::liquidation_file;

/// Rows in one transaction.
const BATCH_ROWS: usize = 100_000;

/// What such a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Klines in Parquet.
    ParquetKlines,
    /// Liquidations, one event a line.
    Liquidations,
}

impl FileKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ParquetKlines => "klines (parquet)",
            Self::Liquidations => "liquidations",
        }
    }
}

/// Result of loading one file, rows.
#[derive(Debug, Default)]
pub(crate) struct FileLoad {
    pub(crate) loaded: u64,
    pub(crate) already_there: u64,
    pub(crate) refused: u64,
    /// Everything that should be looked at.
    pub(crate) remarks: Vec<String>,
}

/// Takes those files out of what the archive's reader found: it would refuse or skip them.
pub(crate) fn take_from(found: &mut Discovery) -> Vec<(PathBuf, FileKind)> {
    let mut taken = Vec::new();
    let mut take = |path: &Path| {
        let kind = kind_of(path);
        taken.extend(kind.map(|kind| (path.to_owned(), kind)));
        kind.is_none()
    };
    found.problems.retain(|problem| !problem.path.is_file() || take(&problem.path));
    found.skipped.retain(|skipped| skipped.reason != SkipReason::Ending || take(&skipped.path));
    let is_liquidations = |file: &ArchiveFile| {
        file.family.is_none()
            && (ends_with(&file.path, ".csv") || ends_with(&file.path, ".csv.gz"))
            && liquidation_file::is_liquidation_file(&file.path)
    };
    found.files.retain(|file| !is_liquidations(file) || take(&file.path));
    taken
}

fn kind_of(path: &Path) -> Option<FileKind> {
    if ends_with(path, ".parquet") {
        return Some(FileKind::ParquetKlines);
    }
    let is_text = ends_with(path, ".csv") || ends_with(path, ".csv.gz");
    (is_text && liquidation_file::is_liquidation_file(path)).then_some(FileKind::Liquidations)
}

fn ends_with(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_ascii_lowercase().ends_with(ending))
}

/// Loads a file.
///
/// # Errors
/// When the store fails.
pub(crate) fn load(
    store: &Store,
    path: &Path,
    kind: FileKind,
    symbol: Option<&Symbol>,
    stop: &CancellationToken,
) -> anyhow::Result<FileLoad> {
    let loaded = match kind {
        FileKind::ParquetKlines => load_klines(store, path, symbol, stop),
        FileKind::Liquidations => load_liquidations(store, path, stop),
    };
    loaded.with_context(|| format!("loading {}", path.display()))
}

fn load_liquidations(store: &Store, path: &Path, stop: &CancellationToken) -> Result<FileLoad, StoreError> {
    let mut loaded = FileLoad::default();
    let file = match liquidation_file::read(path) {
        Ok(file) => file,
        Err(error) => {
            loaded.remarks.push(error.to_string());
            return Ok(loaded);
        }
    };
    loaded.refused = file.refused;
    for (reason, (rows, line)) in &file.reasons {
        loaded.remarks.push(format!("refused {rows} rows: {reason}, first in line {line}"));
    }
    loaded.remarks.extend(file.broke_off);
    for (instrument, rows) in &file.rows {
        for rows in rows.chunks(BATCH_ROWS) {
            if stop.is_cancelled() {
                return Ok(loaded);
            }
            loaded.append(store, instrument, rows.to_vec())?;
        }
    }
    Ok(loaded)
}

fn load_klines(
    store: &Store,
    path: &Path,
    symbol: Option<&Symbol>,
    stop: &CancellationToken,
) -> Result<FileLoad, StoreError> {
    let mut loaded = FileLoad::default();
    let Some(instrument) = instrument_of(path, symbol) else {
        loaded.remarks.push(
            "cannot tell the symbol: name the file as BTCUSDT-5m-2024.parquet or give --symbol".to_owned(),
        );
        return Ok(loaded);
    };
    let rows = match read_parquet_klines(path) {
        Ok(rows) => rows,
        Err(error) => {
            loaded.remarks.push(error.to_string());
            return Ok(loaded);
        }
    };
    let Some(interval) = interval_of(&rows) else {
        loaded.remarks.push(
            "cannot tell the length of its klines: most rows must follow each other by 1m, 5m, ..".to_owned(),
        );
        return Ok(loaded);
    };
    let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut klines = Vec::with_capacity(rows.len());
    for row in &rows {
        match kline_of(row, interval) {
            Ok(kline) => klines.push(kline),
            Err(reason) => *refused.entry(reason).or_default() += 1,
        }
    }
    for (reason, rows) in refused {
        loaded.refused += rows;
        loaded.remarks.push(format!("refused {rows} rows: {reason}"));
    }
    for rows in klines.chunks(BATCH_ROWS) {
        if stop.is_cancelled() {
            break;
        }
        loaded.append(store, &instrument, rows.to_vec())?;
    }
    Ok(loaded)
}

impl FileLoad {
    fn append(
        &mut self,
        store: &Store,
        instrument: &Instrument,
        rows: impl Into<Batch>,
    ) -> Result<(), StoreError> {
        let appended = store.append(instrument, rows).blocking()?;
        self.loaded += appended.inserted;
        self.already_there += appended.already_there;
        Ok(())
    }
}

/// From the parts of a file's name, as in `binance-um-BTCUSDT-5m-2024.parquet`; Binance where no venue is named.
fn instrument_of(path: &Path, symbol: Option<&Symbol>) -> Option<Instrument> {
    let name = path.file_stem()?.to_string_lossy().into_owned();
    let parts = || name.split(['-', '_', '.', ' ']);
    let venue = parts().find_map(|part| Venue::from_name(&part.to_ascii_lowercase()).ok());
    let is_contract = |part: &&str| part.len() > 4 && part.ends_with("USDT");
    let symbol =
        parts().find(is_contract).and_then(|part| Symbol::new(part).ok()).or_else(|| symbol.cloned())?;
    Some(Instrument::new(venue.unwrap_or(Venue::Binance), symbol))
}

/// The commonest distance between rows, where klines of that length exist.
fn interval_of(rows: &[ParquetKline]) -> Option<Interval> {
    let mut distances: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in rows.windows(2) {
        if let (Some(one), Some(next)) = (pair[0].open_time, pair[1].open_time) {
            *distances.entry(next.since(one)).or_default() += 1;
        }
    }
    let (distance, _) = distances.into_iter().max_by_key(|(_, count)| *count)?;
    Interval::from_ms(distance)
}

fn kline_of(row: &ParquetKline, interval: Interval) -> Result<Kline, &'static str> {
    const EARLIEST: UnixMs = UnixMs(1_000_000_000_000);
    let open_time =
        row.open_time.filter(|time| *time >= EARLIEST).ok_or("open_time is no time since 2001")?;
    if open_time.0 % interval.ms() != 0 {
        return Err("open_time is not on the grid of the interval");
    }
    let [Some(open), Some(high), Some(low), Some(close)] = row.prices else {
        return Err("a price is empty or not a number");
    };
    if !low.is_positive() || low > open.min(close) || high < open.max(close) {
        return Err("high below or low above the other prices, or a price that is not positive");
    }
    let volume = row.volume.filter(|volume| volume.units() >= 0 && *volume <= Qty::MAX);
    let taker_buy_volume = row.taker_buy_volume.filter(|taken| taken.units() >= 0 && Some(*taken) <= volume);
    let kind = KlineKind::Last;
    Ok(Kline {
        kind,
        interval,
        open_time,
        open,
        high,
        low,
        close,
        volume,
        taker_buy_volume,
        trades: row.trades,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_instrument() {
        let of = |name: &str| instrument_of(Path::new(name), None).map(|instrument| instrument.to_string());
        assert_eq!(of("binance-um-BTCUSDT-5m-2023-2025.parquet").as_deref(), Some("BTCUSDT@binance"));
        assert_eq!(of("data/bybit_1000PEPEUSDT_1m.parquet").as_deref(), Some("1000PEPEUSDT@bybit"));
        assert_eq!(of("ETHUSDT.parquet").as_deref(), Some("ETHUSDT@binance"));
        assert_eq!(of("klines.parquet"), None);
        let given = Symbol::new("SOLUSDT").unwrap();
        let found = instrument_of(Path::new("okx.parquet"), Some(&given)).unwrap();
        assert_eq!(found.to_string(), "SOLUSDT@okx");
    }
}
