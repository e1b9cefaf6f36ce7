//! Files of margin tiers: reading and writing them.

use std::collections::BTreeMap;

use liqheat_market::{Instrument, InstrumentError, Symbol, Tier, TierError, TierTable, UnixMs, Venue};
use serde::Deserialize;

use super::{TierBook, TierOrigin};
use crate::archive::start_of_date;
use crate::venues::exchanges;

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

impl TierBook {
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
                book.skipped.push(name.clone());
                continue;
            }
            let symbol = Symbol::new(name).map_err(TierBookError::Symbol)?;
            let table = table_of(&symbol, as_of, &columns, rows)?;
            book.tables.insert(Instrument::new(venue, symbol), (table, TierOrigin::Given));
        }
        Ok(book)
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

/// The venue of that name, or the one whose tables use it ([`Exchange::tier_table_names`](crate::venues::Exchange)).
fn venue_of(name: &str) -> Result<Venue, InstrumentError> {
    let named = exchanges().find(|exchange| exchange.tier_table_names.contains(&name));
    named.map_or_else(|| Venue::from_name(name), |exchange| Ok(exchange.venue))
}

fn date_of(text: &str) -> Option<UnixMs> {
    let parts: Option<Vec<i64>> = text.split('-').map(|part| part.parse().ok()).collect();
    match *parts?.as_slice() {
        [year, month] => start_of_date(year, month, 1),
        [year, month, day] => start_of_date(year, month, day),
        _ => None,
    }
}
