//! What is reported of a file of liquidations.

use std::collections::BTreeMap;
use std::fmt;

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
    pub(super) fn refuse(&mut self, reason: RowRefusal, line: u64) {
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
