//! Maintenance margin tables, shipped as dated files and replaceable.
//!
//! Bybit, OKX and Hyperliquid publish their tiers, Binance shows them to accounts only, and all change them without a
//! calendar. So a table is data with a date: a JSON file of the form of `data/tiers/binance-um-2026-09.json`. A few
//! large symbols are shipped; a fuller file of the same form replaces them symbol by symbol ([`TierBook::parse`],
//! [`TierBook::replaced_by`]). What no table covers gets a flat [`FALLBACK_RATE`].

use std::collections::BTreeMap;
use std::fmt;

use liqheat_market::{Instrument, InstrumentError, Symbol, Tier, TierError, TierTable, UnixMs, Venue};
use serde::Deserialize;

use crate::archive::start_of_date;

/// Maintenance rate of instruments without a table: the first tier of most small contracts.
pub const FALLBACK_RATE: f64 = 0.01;

const SHIPPED: [&str; 4] = [
    include_str!("../data/tiers/binance-um-2026-09.json"),
    include_str!("../data/tiers/bybit-linear-2026-09.json"),
    include_str!("../data/tiers/okx-swap-2026-09.json"),
    include_str!("../data/tiers/hyperliquid-2026-09.json"),
];

/// Why a file of tiers is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TierBookError {
    /// Not JSON, or of another form.
    #[error("not a table of margin tiers: {0}")]
    Form(String),
    /// An unknown venue.
    #[error(transparent)]
    Venue(InstrumentError),
    /// Neither `YYYY-MM` nor `YYYY-MM-DD`.
    #[error("as_of '{0}' is not a date (YYYY-MM or YYYY-MM-DD)")]
    AsOf(String),
    /// A column that is needed is not among `columns`.
    #[error("column {0} is missing from columns")]
    ColumnMissing(&'static str),
    /// The name of a table is no symbol.
    #[error(transparent)]
    Symbol(InstrumentError),
    /// A row has more or fewer values than there are columns.
    #[error("{symbol} tier {row}: {found} values for {expected} columns")]
    RowLength {
        /// Whose.
        symbol: Symbol,
        /// Row, counted from 1.
        row: usize,
        /// Values in the row.
        found: usize,
        /// Columns of the file.
        expected: usize,
    },
    /// A value that is needed is null.
    #[error("{symbol} tier {row}: {column} is null")]
    ValueMissing {
        /// Whose.
        symbol: Symbol,
        /// Row, counted from 1.
        row: usize,
        /// Which.
        column: &'static str,
    },
    /// Tiers must follow each other.
    #[error("{symbol} tier {row}: ends at {end}, but the next begins at {next}")]
    Gap {
        /// Whose.
        symbol: Symbol,
        /// Row, counted from 1.
        row: usize,
        /// Its upper bound.
        end: f64,
        /// The lower bound of the next.
        next: f64,
    },
    /// The stated cumulative amount does not make the margin continuous: a typing error in it, in a rate or
    /// in a bound.
    #[error(
        "{symbol} tier {row}: cum_amount {stated} does not follow from the rows before, which give {expected}"
    )]
    Cumulative {
        /// Whose.
        symbol: Symbol,
        /// Row, counted from 1.
        row: usize,
        /// In the file.
        stated: f64,
        /// Recomputed.
        expected: f64,
    },
    /// The rows are no table.
    #[error("{symbol}: {error}")]
    Table {
        /// Whose.
        symbol: Symbol,
        /// What is wrong.
        error: TierError,
    },
}

/// Where a table comes from; of several for an instrument the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TierOrigin {
    /// It came with the program.
    Shipped,
    /// It was requested from the venue.
    Venue,
    /// It was used when what is played was recorded.
    Recorded,
    /// Somebody gave it in a file.
    Given,
}

impl fmt::Display for TierOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shipped => "shipped with the program",
            Self::Venue => "from the venue",
            Self::Recorded => "as used when it was recorded",
            Self::Given => "given by --tiers",
        })
    }
}

impl TierOrigin {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Shipped, Self::Venue, Self::Recorded, Self::Given];

    /// Its name in recordings, which must stay readable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Venue => "venue",
            Self::Recorded => "recorded",
            Self::Given => "given",
        }
    }

    /// The origin of that name, or of the name that earlier recordings have; `None` when it is neither.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const VENUE_BEFORE: &str = "told";
        let known = Self::ALL.into_iter().find(|origin| origin.name() == name);
        known.or_else(|| (name == VENUE_BEFORE).then_some(Self::Venue))
    }
}

/// Tables by instrument.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TierBook {
    tables: BTreeMap<Instrument, (TierTable, TierOrigin)>,
    left_out: Vec<String>,
}

impl TierBook {
    /// The tables shipped with the program.
    #[must_use]
    pub fn embedded() -> Self {
        SHIPPED.iter().fold(Self::default(), |book, text| {
            let shipped = Self::parse(text).expect("invariant: shipped tables are whole, a test reads them");
            book.replaced_by(shipped.from_origin(TierOrigin::Shipped))
        })
    }

    /// Reads a file: `{"venue", "as_of", "columns", "tiers": {symbol: [row, ..]}}`. Columns are found by
    /// name: `min_notional` and `maintenance_margin_rate` are needed, `max_notional`, `cum_amount` and
    /// `max_leverage` are used when there, others are ignored. Amounts are in USD, rates fractions.
    ///
    /// # Errors
    /// Names what is wrong, with symbol and row.
    pub fn parse(text: &str) -> Result<Self, TierBookError> {
        let file: TierFile =
            serde_json::from_str(text).map_err(|error| TierBookError::Form(error.to_string()))?;
        let venue = venue_of(&file.venue).map_err(TierBookError::Venue)?;
        let as_of =
            date_of(&file.as_of).ok_or_else(|| TierBookError::AsOf(file.as_of.chars().take(40).collect()))?;
        let columns = Columns::find(&file.columns)?;
        let mut book = Self::default();
        for (name, rows) in &file.tiers {
            // The exchange lists a few contracts under names like 哈基米USDT, which no `Symbol` can hold and so
            // nothing here can ask for. Anything else that is no symbol is a mistake.
            if !name.is_ascii() {
                book.left_out.push(name.clone());
                continue;
            }
            let symbol = Symbol::new(name).map_err(TierBookError::Symbol)?;
            let table = table_of(&symbol, as_of, &columns, rows)?;
            book.tables.insert(Instrument::new(venue, symbol), (table, TierOrigin::Given));
        }
        Ok(book)
    }

    /// This book with the tables of another in place of its own for the same instruments.
    #[must_use]
    pub fn replaced_by(mut self, newer: Self) -> Self {
        self.tables.extend(newer.tables);
        self.left_out.extend(newer.left_out);
        self
    }

    /// This book with one table more, as a venue tells it in public ([`crate::venues::TierRows::table`]).
    #[must_use]
    pub fn with_table(mut self, instrument: Instrument, table: TierTable) -> Self {
        self.tables.insert(instrument, (table, TierOrigin::Venue));
        self
    }

    /// All tables of this book as coming from there; those that are read count as given.
    #[must_use]
    pub fn from_origin(mut self, origin: TierOrigin) -> Self {
        self.tables.values_mut().for_each(|(_, from)| *from = origin);
        self
    }

    /// Where the table of an instrument comes from; `None` when there is none of its own.
    #[must_use]
    pub fn origin(&self, instrument: &Instrument) -> Option<TierOrigin> {
        Some(self.tables.get(instrument)?.1)
    }

    /// Tables of a venue as a file that [`TierBook::parse`] reads; `as_of` is `YYYY-MM-DD`.
    #[must_use]
    pub fn text(venue: Venue, as_of: &str, tables: &BTreeMap<&Symbol, &TierTable>) -> String {
        let row = |tier: &Tier| serde_json::json!([tier.floor_usd, tier.rate, tier.leverage_max]);
        let rows = |table: &TierTable| table.tiers().iter().map(row).collect::<Vec<_>>();
        let tables: BTreeMap<&str, Vec<serde_json::Value>> =
            tables.iter().map(|(symbol, table)| (symbol.as_str(), rows(table))).collect();
        serde_json::json!({
            "venue": venue.name(),
            "as_of": as_of,
            "note": "As the venue told it in public.",
            "columns": ["min_notional", "maintenance_margin_rate", "max_leverage"],
            "tiers": tables,
        })
        .to_string()
    }

    /// The table of an instrument; `None` when there is none of its own. The simulated market follows
    /// Binance's rules for BTCUSDT whatever its symbol.
    #[must_use]
    pub fn own_table(&self, instrument: &Instrument) -> Option<&TierTable> {
        if instrument.venue == Venue::Sim {
            let followed = Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").ok()?);
            return self.tables.get(&followed).map(|(table, _)| table);
        }
        self.tables.get(instrument).map(|(table, _)| table)
    }

    /// The table of an instrument, or one flat tier of [`FALLBACK_RATE`], dated 1970, when it has none.
    #[must_use]
    pub fn table(&self, instrument: &Instrument) -> TierTable {
        self.own_table(instrument).cloned().unwrap_or_else(|| {
            TierTable::flat(UnixMs(0), FALLBACK_RATE)
                .expect("invariant: the fallback rate is between 0 and 1")
        })
    }

    /// Names in the files read that are not written in ASCII; their tables are skipped.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Instruments with a table of their own.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.tables.keys()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    venue: String,
    as_of: String,
    /// For readers of the file.
    #[serde(default, rename = "note")]
    _note: Option<String>,
    columns: Vec<String>,
    tiers: BTreeMap<String, Vec<Vec<Option<f64>>>>,
}

/// Where each column stands in a row.
struct Columns {
    count: usize,
    floor: usize,
    rate: usize,
    ceiling: Option<usize>,
    cumulative: Option<usize>,
    leverage: Option<usize>,
}

impl Columns {
    fn find(names: &[String]) -> Result<Self, TierBookError> {
        let at = |name: &str| names.iter().position(|column| column == name);
        let needed = |name: &'static str| at(name).ok_or(TierBookError::ColumnMissing(name));
        Ok(Self {
            count: names.len(),
            floor: needed("min_notional")?,
            rate: needed("maintenance_margin_rate")?,
            ceiling: at("max_notional"),
            cumulative: at("cum_amount"),
            leverage: at("max_leverage"),
        })
    }
}

fn table_of(
    symbol: &Symbol,
    as_of: UnixMs,
    columns: &Columns,
    rows: &[Vec<Option<f64>>],
) -> Result<TierTable, TierBookError> {
    /// Where a venue does not say what it allows, nothing is forbidden.
    const LEVERAGE_MAX: f64 = 125.0;
    let mut plain = Vec::with_capacity(rows.len());
    for (index, values) in rows.iter().enumerate() {
        let row = index + 1;
        if values.len() != columns.count {
            let (found, expected) = (values.len(), columns.count);
            return Err(TierBookError::RowLength { symbol: symbol.clone(), row, found, expected });
        }
        let needed = |at: usize, column: &'static str| {
            values[at].ok_or_else(|| TierBookError::ValueMissing { symbol: symbol.clone(), row, column })
        };
        let leverage = columns.leverage.and_then(|at| values[at]).unwrap_or(LEVERAGE_MAX);
        let floor = needed(columns.floor, "min_notional")?;
        plain.push((floor, needed(columns.rate, "maintenance_margin_rate")?, leverage));
    }
    for (index, pair) in plain.windows(2).enumerate() {
        let ceiling = columns.ceiling.and_then(|at| rows[index][at]);
        if let Some(end) = ceiling
            && end != pair[1].0
        {
            return Err(TierBookError::Gap { symbol: symbol.clone(), row: index + 1, end, next: pair[1].0 });
        }
    }
    let table = TierTable::new(as_of, &plain)
        .map_err(|error| TierBookError::Table { symbol: symbol.clone(), error })?;
    for (index, tier) in table.tiers().iter().enumerate() {
        let expected = tier.cumulative_usd;
        let stated = columns.cumulative.and_then(|at| rows[index][at]);
        if let Some(stated) = stated
            && !is_same_amount(stated, expected)
        {
            return Err(TierBookError::Cumulative {
                symbol: symbol.clone(),
                row: index + 1,
                stated,
                expected,
            });
        }
    }
    Ok(table)
}

/// To the cent, or to a millionth where amounts run into the hundreds of millions.
fn is_same_amount(stated: f64, expected: f64) -> bool {
    (stated - expected).abs() <= f64::max(0.01, expected.abs() * 1e-6)
}

/// Tables name the market of a venue too.
fn venue_of(name: &str) -> Result<Venue, InstrumentError> {
    match name {
        "binance-um" => Ok(Venue::Binance),
        "bybit-linear" => Ok(Venue::Bybit),
        _ => Venue::from_name(name),
    }
}

fn date_of(text: &str) -> Option<UnixMs> {
    let parts: Option<Vec<i64>> = text.split('-').map(|part| part.parse().ok()).collect();
    match *parts?.as_slice() {
        [year, month] => start_of_date(year, month, 1),
        [year, month, day] => start_of_date(year, month, day),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrument(venue: Venue, symbol: &str) -> Instrument {
        Instrument::new(venue, Symbol::new(symbol).unwrap())
    }

    fn file(rows: &str) -> String {
        format!(
            r#"{{"venue":"binance","as_of":"2025-01-31",
            "columns":["min_notional","max_notional","maintenance_margin_rate","cum_amount","max_leverage"],
            "tiers":{{"BTCUSDT":{rows}}}}}"#
        )
    }

    #[test]
    fn what_is_written_is_read_to_the_last_bit() {
        let symbol = Symbol::new("BTCUSDT").unwrap();
        for leverage in 2..500 {
            // As a venue's largest leverage gives them: few have an end in decimal.
            let rate = 0.5 / f64::from(leverage);
            let rows = [(0.0, rate, f64::from(leverage) / 7.0), (1e9 / 3.0, rate * 1.1, 2.0)];
            let table = TierTable::new(UnixMs(86_400_000), &rows).unwrap();
            let text = TierBook::text(Venue::Okx, "1970-01-02", &BTreeMap::from([(&symbol, &table)]));
            let book = TierBook::parse(&text).unwrap();
            assert_eq!(book.own_table(&Instrument::new(Venue::Okx, symbol.clone())), Some(&table), "{text}");
        }
    }

    #[test]
    fn the_shipped_tables_are_whole() {
        let book = TierBook::embedded();
        for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT"] {
            let table = book.own_table(&instrument(Venue::Binance, symbol)).unwrap();
            assert_eq!(table.as_of(), UnixMs(1_788_220_800_000), "2026-09-01");
            assert!(table.tiers().len() >= 10, "{symbol}");
        }
        let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
        assert_eq!((btc.tiers()[0].rate, btc.tiers()[0].leverage_max), (0.004, 150.0));
        assert_eq!(book.table(&instrument(Venue::Bybit, "BTCUSDT")).tiers()[0].rate, 0.005);
        assert_eq!(book.table(&instrument(Venue::Okx, "ETHUSDT")).tiers()[0].rate, 0.004);
        let hyperliquid = book.table(&instrument(Venue::Hyperliquid, "BTCUSDT"));
        assert_eq!((hyperliquid.tiers()[0].rate, hyperliquid.tiers()[1].rate), (0.0125, 0.025));
        assert_eq!(book.instruments().count(), 11);
    }

    #[test]
    fn recomputed_amounts_equal_the_published_ones() {
        let file: TierFile = serde_json::from_str(SHIPPED[0]).unwrap();
        let book = TierBook::embedded();
        let mut compared = 0;
        for (symbol, rows) in &file.tiers {
            let table = book.table(&instrument(Venue::Binance, symbol));
            assert_eq!(table.tiers().len(), rows.len());
            for (tier, row) in table.tiers().iter().zip(rows) {
                let published = row[3].unwrap();
                assert!((tier.cumulative_usd - published).abs() < 0.01, "{symbol}: {tier:?} {published}");
                compared += 1;
            }
        }
        assert_eq!(compared, 65);
    }

    #[test]
    fn the_simulated_market_follows_bitcoin_and_the_unknown_is_flat() {
        let book = TierBook::embedded();
        let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
        assert_eq!(book.table(&instrument(Venue::Sim, "BTCUSDT")), btc);
        let unknown = instrument(Venue::Binance, "1000PEPEUSDT");
        assert_eq!(book.own_table(&unknown), None);
        assert_eq!(book.table(&unknown).tier_of(1e9).rate, FALLBACK_RATE);
    }

    #[test]
    fn a_replacement_wins_symbol_by_symbol() {
        let newer = TierBook::parse(&file("[[0,null,0.02,0,50]]")).unwrap();
        let book = TierBook::embedded().replaced_by(newer);
        let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
        assert_eq!((btc.tiers().len(), btc.as_of()), (1, UnixMs(1_738_281_600_000)));
        assert!(book.own_table(&instrument(Venue::Binance, "ETHUSDT")).is_some());
    }

    #[test]
    fn a_table_can_be_put_in() {
        let bybit = instrument(Venue::Bybit, "BTCUSDT");
        let table = TierTable::flat(UnixMs(7), 0.02).unwrap();
        let book = TierBook::embedded().with_table(bybit.clone(), table.clone());
        assert_eq!(book.table(&bybit), table);
        assert_eq!(book.instruments().count(), TierBook::embedded().instruments().count());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let book = TierBook::embedded();
        for venue in [Venue::Bybit, Venue::Okx, Venue::Hyperliquid] {
            let of_venue: Vec<&Instrument> = book.instruments().filter(|one| one.venue == venue).collect();
            let tables = of_venue.iter().map(|one| (&one.symbol, book.own_table(one).unwrap())).collect();
            let read = TierBook::parse(&TierBook::text(venue, "2026-09-01", &tables)).unwrap();
            for one in of_venue {
                let tiers = |book: &TierBook| book.own_table(one).unwrap().tiers().to_vec();
                assert_eq!(tiers(&read), tiers(&book), "{one}");
                assert_eq!(read.table(one).as_of(), UnixMs(1_788_220_800_000), "{one}: the date of the file");
                assert_eq!(
                    (book.origin(one), read.origin(one)),
                    (Some(TierOrigin::Shipped), Some(TierOrigin::Given))
                );
            }
        }
    }

    #[test]
    fn only_floor_and_rate_are_needed() {
        let text = r#"{"venue":"okx","as_of":"2025-01","columns":["maintenance_margin_rate","x","min_notional"],
            "tiers":{"BTC-USDT-SWAP":[[0.004,1,0],[0.005,2,1000]]}}"#;
        let table = TierBook::parse(text).unwrap().table(&instrument(Venue::Okx, "BTC-USDT-SWAP"));
        assert!((table.tiers()[1].cumulative_usd - 1.0).abs() < 1e-9);
    }

    #[test]
    fn mistakes_are_named() {
        for (rows, words) in [
            ("[]", "BTCUSDT: the tier table has no rows"),
            ("[[0,10,0.01,0]]", "BTCUSDT tier 1: 4 values for 5 columns"),
            ("[[0,10,null,0,50]]", "BTCUSDT tier 1: maintenance_margin_rate is null"),
            (
                "[[0,10,0.01,0,50],[20,30,0.02,0.2,25]]",
                "BTCUSDT tier 1: ends at 10, but the next begins at 20",
            ),
            ("[[0,10,0.01,0,50],[10,30,0.02,0.2,25]]", "tier 2: cum_amount 0.2 does not follow"),
            ("[[0,10,0.02,0,50],[10,30,0.01,0,25]]", "not fall"),
            ("[[0,10,1.5,0,50]]", "between 0 and 1"),
            ("7", "not a table of margin tiers"),
        ] {
            let error = TierBook::parse(&file(rows)).unwrap_err().to_string();
            assert!(error.contains(words), "{rows}: {error}");
        }
        let good = file("[[0,10,0.01,0,50]]");
        for (from, to, words) in [
            ("\"binance\"", "\"mtgox\"", "known: binance"),
            ("2025-01-31", "2025-02-31", "is not a date"),
            ("2025-01-31", "January", "is not a date"),
            ("min_notional", "from", "min_notional is missing"),
            ("BTCUSDT", "BTC USDT", "is not a symbol"),
            ("\"as_of\"", "\"asof\"", "unknown field `asof`"),
        ] {
            let error = TierBook::parse(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(words), "{to}: {error}");
        }
        assert!(TierBook::parse("").is_err());
    }
}
