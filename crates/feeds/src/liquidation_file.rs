//! Files of realised liquidations, one event a line, as they are recorded from venues' feeds:
//!
//! | venue | columns (any order) | side | price |
//! |---|---|---|---|
//! | Bybit | `ts_ms, symbol, side, qty, price` | `Buy` is a liquidated long | bankruptcy |
//! | Binance | `trade_time_ms, symbol, side, avg_price, filled_qty` and others | the order's: `SELL` closes a long | fill; without one (`avg_price` empty) the order's `price`, which is the bankruptcy price |
//! | OKX | `ts, instId, posSide or side, sz, bkPx, ctVal` | `posSide` is the position's | bankruptcy |
//!
//! `.csv`, or `.csv.gz`; the header names the venue.

#![expect(clippy::disallowed_methods, reason = "opens the files that the user names")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use liqheat_market::{Instrument, Liquidation, Price, PriceKind, Qty, Side, Symbol, UnixMs, Venue};

/// Longest line that is read; a row has about a hundred bytes.
const LINE_BYTES_MAX: u64 = 4096;

/// What became of a file.
#[derive(Debug, Default)]
pub struct LiquidationReport {
    /// Rows handed out.
    pub rows_ok: u64,
    /// Rows refused.
    pub refused: u64,
    /// Rows refused for each reason, and the line of the first one.
    pub reasons: BTreeMap<RowRefusal, (u64, u64)>,
    /// Where and why reading ended before the end of the file; the rows before were handed out.
    pub broke_off: Option<String>,
    /// The sink asked to stop.
    pub stopped: bool,
}

impl LiquidationReport {
    fn refuse(&mut self, reason: RowRefusal, line: u64) {
        self.refused += 1;
        self.reasons.entry(reason).or_insert((0, line)).0 += 1;
    }

    /// Lines that say what was not loaded, and why.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let refused = self.reasons.iter().map(|(reason, (rows, line))| {
            let plural = if *rows == 1 { "row" } else { "rows" };
            format!("refused {rows} {plural}: {reason}, first in line {line}")
        });
        refused.chain(self.broke_off.clone()).collect()
    }
}

/// A file that was read whole.
#[derive(Debug, Default)]
pub struct LiquidationFile {
    /// Rows by instrument, in the order of the file.
    pub rows: BTreeMap<Instrument, Vec<Liquidation>>,
    /// What became of the others.
    pub report: LiquidationReport,
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowRefusal {
    /// Fewer columns than the header.
    Columns,
    /// Not milliseconds of a time between 2001 and 2099.
    Time,
    /// Not the symbol of a USDT contract.
    Symbol,
    /// None of buy, sell, long, short.
    Side,
    /// Not a positive number.
    Quantity,
    /// Not a positive number.
    Price,
    /// OKX: the coins in a contract are not a positive number.
    ContractValue,
    /// Longer than a row can be, or not UTF-8 text.
    TooLong,
}

impl fmt::Display for RowRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Columns => "fewer columns than the header",
            Self::Time => "the time is not in milliseconds since 1970",
            Self::Symbol => "not the symbol of a USDT contract",
            Self::Side => "the side is none of buy, sell, long, short",
            Self::Quantity => "the quantity is not a positive number",
            Self::Price => "the price is not a positive number",
            Self::ContractValue => "the contract value (ctVal) is not a positive number",
            Self::TooLong => "longer than 4096 bytes or not UTF-8 text",
        })
    }
}

/// Why nothing of a file is read.
#[derive(Debug, thiserror::Error)]
pub enum LiquidationFileError {
    /// The source failed before its header.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// Another header, or none.
    #[error(
        "its header is none of the known ones of liquidations (Bybit: ts_ms,symbol,side,qty,price; Binance: \
         trade_time_ms,symbol,side,avg_price,filled_qty,..; OKX: ts,instId,posSide,sz,bkPx,ctVal): {0}"
    )]
    Header(String),
}

/// The columns of a venue's rows.
#[derive(Debug, PartialEq)]
struct Layout {
    venue: Venue,
    time: usize,
    symbol: usize,
    side: usize,
    qty: usize,
    price: usize,
    /// Bankruptcy price, for rows without a fill price.
    bankruptcy_price: Option<usize>,
    /// Coins in a contract, where quantities are contracts.
    contract_value: Option<usize>,
    columns: usize,
    /// The side column names the position (`long`, or `Buy` for one that was bought), not the closing order.
    side_is_position: bool,
}

impl Layout {
    /// From a header line; `None` when it is of no known kind.
    fn of(header: &str) -> Option<Self> {
        let names: Vec<String> = header
            .trim_start_matches('\u{feff}')
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect();
        let at = |name: &str| names.iter().position(|column| column == name);
        let layout = |venue, [time, symbol, side, qty, price]: [usize; 5], side_is_position| Self {
            venue,
            time,
            symbol,
            side,
            qty,
            price,
            bankruptcy_price: None,
            contract_value: None,
            columns: names.len(),
            side_is_position,
        };
        if let (Some(price), Some(qty)) = (at("bkpx"), at("sz")) {
            let position = at("posside");
            let side = position.or_else(|| at("side"))?;
            let columns = [at("ts")?, at("instid")?, side, qty, price];
            let contract_value = Some(at("ctval")?);
            return Some(Self { contract_value, ..layout(Venue::Okx, columns, position.is_some()) });
        }
        let (symbol, side) = (at("symbol")?, at("side")?);
        if let (Some(price), Some(qty)) = (at("avg_price"), at("filled_qty")) {
            let time = at("trade_time_ms").or_else(|| at("time"))?;
            let bankruptcy_price = at("price");
            let columns = [time, symbol, side, qty, price];
            return Some(Self { bankruptcy_price, ..layout(Venue::Binance, columns, false) });
        }
        let time = at("ts_ms").or_else(|| at("ts"))?;
        Some(layout(Venue::Bybit, [time, symbol, side, at("qty")?, at("price")?], true))
    }

    fn row(&self, line: &str) -> Result<(Instrument, Liquidation), RowRefusal> {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        if fields.len() < self.columns {
            return Err(RowRefusal::Columns);
        }
        let time = fields[self.time].parse().ok().map(UnixMs).filter(|time| time.is_plausible());
        let time = time.ok_or(RowRefusal::Time)?;
        let quantity = |at: usize| Qty::parse(fields[at]).ok().filter(|qty| qty.is_positive());
        let mut qty = quantity(self.qty).ok_or(RowRefusal::Quantity)?;
        if let Some(at) = self.contract_value {
            let value = quantity(at).ok_or(RowRefusal::ContractValue)?;
            let product = qty.units().checked_mul(value.units()).ok_or(RowRefusal::Quantity)?;
            qty = Qty::from_units(product / i128::from(liqheat_market::UNIT_SCALE));
        }
        let (price, price_kind) = match self.bankruptcy_price {
            Some(at) if fields[self.price].is_empty() => (fields[at], PriceKind::Bankruptcy),
            _ if self.venue == Venue::Binance => (fields[self.price], PriceKind::Fill),
            _ => (fields[self.price], PriceKind::Bankruptcy),
        };
        let price = Price::parse(price).ok().filter(|price| price.is_positive());
        let row = Liquidation {
            time,
            side: self.side(fields[self.side]).ok_or(RowRefusal::Side)?,
            qty,
            price: price.ok_or(RowRefusal::Price)?,
            price_kind,
        };
        let symbol = self.symbol(fields[self.symbol]).ok_or(RowRefusal::Symbol)?;
        Ok((Instrument::new(self.venue, symbol), row))
    }

    fn side(&self, text: &str) -> Option<Side> {
        let position = match text.to_ascii_lowercase().as_str() {
            "long" => return Some(Side::Long),
            "short" => return Some(Side::Short),
            "buy" => Side::Long,
            "sell" => Side::Short,
            _ => return None,
        };
        Some(if self.side_is_position { position } else { position.opposite() })
    }

    fn symbol(&self, text: &str) -> Option<Symbol> {
        match self.venue {
            // Our symbols are named as Binance and Bybit write them.
            Venue::Okx => Symbol::new(&format!("{}USDT", text.strip_suffix("-USDT-SWAP")?)).ok(),
            _ => Symbol::new(text).ok(),
        }
    }
}

/// Whether a source begins with a header of liquidations; reads a line of it.
#[must_use]
pub fn has_known_header(source: impl Read) -> bool {
    let mut line = String::new();
    let read = BufReader::new(source).take(LINE_BYTES_MAX).read_line(&mut line);
    read.is_ok() && Layout::of(&line).is_some()
}

/// Opens a file, decompressing it where its name ends with `.gz`. The name may be another than that of the file.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path, name: &Path) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    let is_gzip = name.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    Ok(if is_gzip { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Reads a file whole.
///
/// # Errors
/// As [`read_source`], and when it cannot be opened.
pub fn read(path: &Path) -> Result<LiquidationFile, LiquidationFileError> {
    let source = open(path, path).map_err(LiquidationFileError::Read)?;
    let mut rows: BTreeMap<Instrument, Vec<Liquidation>> = BTreeMap::new();
    let report = read_source(source, usize::MAX, &mut |instrument, batch| {
        rows.entry(instrument).or_default().extend(batch);
        ControlFlow::Continue(())
    })?;
    Ok(LiquidationFile { rows, report })
}

/// Reads rows and hands them to the sink in batches, at most `batch_rows` rows waiting; the sink may break off.
///
/// # Errors
/// When the header cannot be read or is unknown. Bad rows are counted in the report, and a source that breaks off is
/// named there; the rows before were handed out.
pub fn read_source(
    source: impl Read,
    batch_rows: usize,
    sink: &mut dyn FnMut(Instrument, Vec<Liquidation>) -> ControlFlow<()>,
) -> Result<LiquidationReport, LiquidationFileError> {
    let mut reader = BufReader::new(source);
    let mut report = LiquidationReport::default();
    let mut buffer = RowBuffer::default();
    let mut layout = None;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if layout.is_none() => return Err(LiquidationFileError::Read(error)),
            Err(error) => {
                report.broke_off = Some(format!("broke off after line {}: {error}", number - 1));
                break;
            }
        };
        let is_cut = read as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n');
        let text = std::str::from_utf8(&line).ok().filter(|_| !is_cut).map(str::trim_end);
        let Some(layout) = &layout else {
            let found =
                text.and_then(Layout::of).ok_or_else(|| LiquidationFileError::Header(printable(&line)))?;
            layout = Some(found);
            continue;
        };
        match text.map(|text| (text, layout.row(text))) {
            None => {
                report.refuse(RowRefusal::TooLong, number);
                // A failure here shows again at the next line.
                if is_cut && skip_line(&mut reader).is_err() {
                    continue;
                }
            }
            Some(("", _)) => {}
            Some((_, Ok((instrument, row)))) => {
                buffer.add(instrument, row);
                if buffer.count >= batch_rows && buffer.hand_out(&mut report, sink).is_break() {
                    report.stopped = true;
                    return Ok(report);
                }
            }
            Some((_, Err(reason))) => report.refuse(reason, number),
        }
    }
    if layout.is_none() {
        return Err(LiquidationFileError::Header("the file is empty".to_owned()));
    }
    report.stopped = buffer.hand_out(&mut report, sink).is_break();
    Ok(report)
}

/// The beginning of a line that may hold anything, on one line of a terminal.
fn printable(line: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(SHOWN).is_some() { ".." } else { "" };
    format!("'{shown}{rest}'")
}

/// Rows that wait to be handed out.
#[derive(Default)]
struct RowBuffer {
    rows: BTreeMap<Instrument, Vec<Liquidation>>,
    count: usize,
}

impl RowBuffer {
    fn add(&mut self, instrument: Instrument, row: Liquidation) {
        self.rows.entry(instrument).or_default().push(row);
        self.count += 1;
    }

    fn hand_out(
        &mut self,
        report: &mut LiquidationReport,
        sink: &mut dyn FnMut(Instrument, Vec<Liquidation>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.count = 0;
        for (instrument, rows) in std::mem::take(&mut self.rows) {
            report.rows_ok += rows.len() as u64;
            sink(instrument, rows)?;
        }
        ControlFlow::Continue(())
    }
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (bytes, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        reader.consume(bytes);
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in all and by instrument, and the report.
    fn read_all(
        source: impl Read,
        batch_rows: usize,
    ) -> Result<(Vec<(Instrument, Liquidation)>, LiquidationReport), LiquidationFileError> {
        let mut rows = Vec::new();
        let report = read_source(source, batch_rows, &mut |instrument, batch| {
            rows.extend(batch.into_iter().map(|row| (instrument.clone(), row)));
            ControlFlow::Continue(())
        })?;
        assert_eq!(report.rows_ok, rows.len() as u64);
        Ok((rows, report))
    }

    fn of(text: &str) -> (Vec<(Instrument, Liquidation)>, LiquidationReport) {
        read_all(text.as_bytes(), 2).unwrap()
    }

    fn only(text: &str) -> (Instrument, Liquidation) {
        let (mut rows, report) = of(text);
        assert_eq!((report.refused, rows.len()), (0, 1), "{:?}", report.reasons);
        rows.remove(0)
    }

    #[test]
    fn every_venue_has_its_columns_and_sides() {
        let (bybit, row) = only("ts_ms,symbol,side,qty,price\n1707756333999,BTCUSDT,Buy,1.496,49306.3\n");
        assert_eq!(bybit.to_string(), "BTCUSDT@bybit");
        assert_eq!((row.side, row.price_kind), (Side::Long, PriceKind::Bankruptcy));
        assert_eq!(row.time, UnixMs(1_707_756_333_999));
        let (binance, row) = only(
            "symbol,side,order_type,time_in_force,orig_qty,price,avg_price,status,last_qty,filled_qty,trade_time_ms\n\
             1000PEPEUSDT,SELL,LIMIT,IOC,43942.0,0.0107751,0.0109313,FILLED,43942.0,43942.0,1718901133106\n",
        );
        assert_eq!(binance.to_string(), "1000PEPEUSDT@binance");
        assert_eq!((row.side, row.price_kind), (Side::Long, PriceKind::Fill));
        assert_eq!(row.price, Price::parse("0.0109313").unwrap());
        // A report without a fill price: the order is at the bankruptcy price.
        let (_, row) = only(
            "symbol,side,order_type,time_in_force,orig_qty,price,avg_price,status,last_qty,filled_qty,trade_time_ms\n\
             BCHUSDT,SELL,LIMIT,IOC,21.61,451.35,,FILLED,0.644,21.61,1750712378119\n",
        );
        assert_eq!((row.price, row.price_kind), (Price::parse("451.35").unwrap(), PriceKind::Bankruptcy));
        let (okx, row) = only(
            "ts,instId,posSide,side,sz,bkPx,ctVal\r\n1723038122631,BTC-USDT-SWAP,long,sell,10000,57102.9,0.01\r\n",
        );
        assert_eq!(okx.to_string(), "BTCUSDT@okx");
        assert_eq!((row.side, row.qty), (Side::Long, Qty::parse("100").unwrap()));
        let (_, row) =
            only("ts,instId,side,sz,bkPx,ctVal\n1723038122631,BTC-USDT-SWAP,sell,10000,57102.9,0.01\n");
        assert_eq!(row.side, Side::Long, "a sell order closes a long");
    }

    #[test]
    fn bad_rows_are_counted_and_the_good_ones_kept() {
        let (rows, report) = of("ts_ms,symbol,side,qty,price\n\
             1707756333999,BTCUSDT,Buy,1,49306.3\n\
             1707756333,BTCUSDT,Buy,1,49306.3\n\
             1707756333999,BTC USDT,Buy,1,49306.3\n\
             1707756333999,BTCUSDT,Both,1,49306.3\n\
             1707756333999,BTCUSDT,Buy,0,49306.3\n\
             1707756333999,BTCUSDT,Buy,1,-1\n\
             1707756333999,BTCUSDT\n\
             \n\
             1707756333999,BTCUSDT,Sell,1,49306.3");
        assert_eq!((rows.len(), report.refused), (2, 6));
        let lines: Vec<(RowRefusal, u64)> =
            report.reasons.iter().map(|(reason, (_, line))| (*reason, *line)).collect();
        let expected = [
            (RowRefusal::Columns, 8),
            (RowRefusal::Time, 3),
            (RowRefusal::Symbol, 4),
            (RowRefusal::Side, 5),
            (RowRefusal::Quantity, 6),
            (RowRefusal::Price, 7),
        ];
        assert_eq!(lines, expected);
        let (rows, report) = of("symbol,side,price,avg_price,filled_qty,trade_time_ms\n\
             BTCUSDT,SELL,90000,-1,1,1750712378119\n\
             BTCUSDT,SELL,,,1,1750712378119\n\
             BTCUSDT,SELL,0,,1,1750712378119");
        assert_eq!(
            (rows.len(), report.reasons[&RowRefusal::Price]),
            (0, (3, 2)),
            "a wrong price is not replaced"
        );
    }

    #[test]
    fn long_lines_are_skipped_whole() {
        let long = "x".repeat(20_000);
        let (rows, report) =
            of(&format!("ts_ms,symbol,side,qty,price\n{long}\n1707756333999,BTCUSDT,Buy,1,49306.3\n"));
        assert_eq!((rows.len(), report.refused), (1, 1));
        assert_eq!(
            report.remarks(),
            ["refused 1 row: longer than 4096 bytes or not UTF-8 text, first in line 2"]
        );
    }

    #[test]
    fn what_was_read_of_a_damaged_file_is_kept() {
        let mut packed = Vec::new();
        let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
        let row = "1707756333999,BTCUSDT,Buy,1,49306.3\n";
        std::io::Write::write_all(&mut encoder, b"ts_ms,symbol,side,qty,price\n").unwrap();
        for _ in 0..20_000 {
            std::io::Write::write_all(&mut encoder, row.as_bytes()).unwrap();
        }
        encoder.finish().unwrap();
        packed.truncate(packed.len() / 2);
        let (rows, report) = read_all(flate2::read::MultiGzDecoder::new(packed.as_slice()), 100).unwrap();
        assert!(rows.len() > 1_000 && report.broke_off.is_some(), "{} {:?}", rows.len(), report.broke_off);
    }

    #[test]
    fn other_files_are_refused_with_the_known_headers() {
        for text in ["", "open_time,open,high\n1,2,3\n", "ts,instId,posSide,sz,bkPx\n"] {
            let error = read_all(text.as_bytes(), 2).unwrap_err().to_string();
            assert!(error.contains("Bybit: ts_ms"), "{error}");
        }
        // What is no text says so in a few characters, none of which a terminal obeys.
        let junk = [b"PAR1\x1b[31m\x07\0\xff".as_slice(), &[b'x'; 200]].concat();
        let error = read_all(junk.as_slice(), 2).unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control) && error.contains("'PAR1\\u{1b}[31m"), "{error}");
        assert!(error.ends_with("xxx..'") && error.len() < 350, "{error}");
    }

    #[test]
    fn rows_come_in_batches_and_the_sink_may_break_off() {
        let row = |n: i64| {
            let symbol = if n % 2 == 0 { "BTCUSDT" } else { "ETHUSDT" };
            format!("{},{symbol},Buy,1,49306.3\n", 1_707_756_333_999_i64 + n)
        };
        let text = format!("ts_ms,symbol,side,qty,price\n{}", (0..10).map(row).collect::<String>());
        let mut batches = Vec::new();
        let report = read_source(text.as_bytes(), 4, &mut |instrument, rows| {
            batches.push((instrument.symbol.to_string(), rows.len()));
            if batches.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        let expected = [("BTCUSDT", 2), ("ETHUSDT", 2), ("BTCUSDT", 2)];
        assert_eq!(batches, expected.map(|(symbol, rows)| (symbol.to_owned(), rows)));
        assert!(report.stopped);
        assert_eq!(report.rows_ok, 6);
    }
}
