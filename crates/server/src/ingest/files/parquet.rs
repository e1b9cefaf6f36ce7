//! Klines in Parquet: which contract the name of the file says, how long its bars are, and which rows can be true.

use std::collections::BTreeMap;
use std::path::Path;

use liqheat_market::{Instrument, Interval, Kline, KlineKind, Qty, Symbol, Venue};
use liqheat_store::{ParquetKline, read_parquet_klines};
use tokio_util::sync::CancellationToken;

use super::{FileKind, LoadError, LoadedFile, RowSink, SourceFile};

pub(super) fn load(
    file: SourceFile<'_>,
    symbol: Option<&Symbol>,
    batch_rows: usize,
    sink: &mut dyn RowSink,
    stop: &CancellationToken,
) -> Result<LoadedFile, LoadError> {
    let mut loaded = LoadedFile { what: FileKind::ParquetKlines.name(), ..LoadedFile::default() };
    let Some(instrument) = instrument_of(file.name, symbol) else {
        return Ok(loaded
            .failed("cannot tell the symbol: name the file as BTCUSDT-5m-2024.parquet or give its symbol"));
    };
    let rows = match read_parquet_klines(file.content) {
        Ok(rows) => rows,
        Err(error) => return Ok(loaded.failed(error)),
    };
    let Some(interval) = interval_of(&rows) else {
        return Ok(loaded
            .failed("cannot tell the length of its klines: most rows must follow each other by 1m, 5m, .."));
    };
    let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut klines = Vec::with_capacity(rows.len());
    for row in &rows {
        match kline_of(row, interval) {
            Ok(kline) => klines.push(kline),
            Err(reason) => *refused.entry(reason).or_default() += 1,
        }
    }
    loaded.has_trouble |= !refused.is_empty();
    for (reason, rows) in refused {
        loaded.refused += rows;
        loaded.remarks.push(format!("refused {rows} rows: {reason}"));
    }
    for rows in klines.chunks(batch_rows) {
        if stop.is_cancelled() {
            break;
        }
        loaded.store(sink, &instrument, rows.to_vec().into())?;
    }
    Ok(loaded)
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
    let open_time = row.open_time.filter(|time| time.is_plausible());
    let open_time = open_time.ok_or("open_time is not a time between 2001 and 2099")?;
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
