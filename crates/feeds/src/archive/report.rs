//! What became of a file: how much was good, what was refused and why, what broke.

use std::fmt;
use std::path::PathBuf;

use liqheat_market::{Instrument, Symbol};

use super::Family;

/// Kinds of refusals and errors kept per file; a file that has more has made its point.
const KINDS_MAX: usize = 64;
const SAMPLE_CHARS_MAX: usize = 120;

/// Why a row was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RefusedRows {
    /// Too few or too many fields.
    #[error("{found} columns where {expected} belong")]
    ColumnCount {
        /// Fields in the row.
        found: usize,
        /// Fields the family has.
        expected: &'static str,
    },
    /// Aggregate trades of the spot market have one column more.
    #[error("8 columns: a trade of the spot market, not of futures")]
    SpotTrade,
    /// Longer than any row can be.
    #[error("a line longer than 4096 bytes")]
    LineTooLong,
    /// Bytes that are no text.
    #[error("not UTF-8 text")]
    NotText,
    /// Letters where a row starts with a number or a date.
    #[error("text where a row should start with a number or a time")]
    NotARow,
    /// A column that is needed is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Not a plain number.
    #[error("{0} is not a number")]
    NotANumber(&'static str),
    /// Neither a stamp nor `YYYY-MM-DD HH:MM:SS`.
    #[error("{0} is not a time")]
    NotATime(&'static str),
    /// A number no market has, or a time before 2017 or after 2099.
    #[error("{0} is absurd")]
    Absurd(&'static str),
    /// Digits below 1e-8 that rounding would change noticeably.
    #[error("{0} has more than eight decimals, which cannot be held")]
    TooFine(&'static str),
    /// Below zero.
    #[error("{0} is negative")]
    Negative(&'static str),
    /// Zero where that cannot be.
    #[error("{0} is zero")]
    Zero(&'static str),
    /// Zero open interest stands for "not known"; the exchange published it for hours.
    #[error("open interest 0: unknown, not zero")]
    OpenInterestUnknown,
    /// `high` or `low` does not enclose the other prices.
    #[error("high below or low above the other prices")]
    PriceOrder,
    /// The close time is not the open time plus the interval.
    #[error("close_time does not fit open_time and the interval")]
    CloseTime,
    /// The open time is no multiple of the interval.
    #[error("open_time is not on the grid of the interval")]
    OffGrid,
    /// Takers bought more than was traded.
    #[error("taker_buy_volume is larger than volume")]
    TakerAboveVolume,
    /// Neither true nor false.
    #[error("{0} is neither true nor false")]
    NotABool(&'static str),
    /// Neither BUY nor SELL.
    #[error("side is neither BUY nor SELL")]
    Side,
    /// A liquidation order that was not filled at all closed nothing.
    #[error("the order was not filled")]
    NothingFilled,
    /// Quantities of coin-margined contracts are contracts, not coins.
    #[error("a coin-margined contract: its quantities are contracts, not coins")]
    CoinMargined,
    /// Prices in another coin: amounts would not be dollars.
    #[error("priced in {0}, not in dollars")]
    ForeignQuote(&'static str),
    /// The symbol column disagrees with the file's name.
    #[error("of another symbol than the file's name says")]
    OtherSymbol,
    /// The symbol column holds no symbol.
    #[error("the symbol cannot be read")]
    BadSymbol,
    /// Neither the row, the name nor the caller says which symbol.
    #[error("no symbol in the row or in the file's name")]
    NoSymbol,
    /// Too many symbols in one file.
    #[error("more than 1000 symbols in one file")]
    TooManySymbols,
    /// A metrics row whose label lies outside the day in the file's name: the meaning of the label is unknown.
    #[error("create_time is outside of the date in the file's name")]
    OutsideFile,
    /// The label whose meaning changed that day, in a file without a date in its name.
    #[error("create_time 2026-06-25 00:00 means two moments, and the file's name has no date to tell which")]
    AmbiguousLabel,
    /// The same row stood there before with other values; the first was kept.
    #[error("the same key as an earlier row of the file with other values")]
    Conflict,
}

impl RefusedRows {
    /// Known gaps in the published data, which nobody can mend: worth a line in a report, but no failure.
    #[must_use]
    pub const fn is_known_gap(&self) -> bool {
        matches!(self, Self::OpenInterestUnknown | Self::NothingFilled)
    }
}

/// All rows of a file refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalSummary {
    /// Why.
    pub reason: RefusedRows,
    /// How many.
    pub rows: u64,
    /// The first of them, counted from 1 (in its zip member).
    pub first_line: u64,
    /// The first of them, shortened.
    pub sample: String,
}

impl fmt::Display for RefusalSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.rows == 1 { "row" } else { "rows" };
        write!(
            f,
            "{} {plural}: {}, first in line {}: {}",
            self.rows, self.reason, self.first_line, self.sample
        )
    }
}

/// Why a file, or the rest of it, was not loaded. Rows before the break are loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It could not be opened.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// Reading broke off.
    #[error("broke off after line {line}: {cause}")]
    Read {
        /// The last whole line.
        line: u64,
        /// What the system or the decompressor says.
        cause: String,
    },
    /// The sha256 in the CHECKSUM file is another.
    #[error("sha256 is {found}, its CHECKSUM file says {expected}: download it again")]
    ChecksumMismatch {
        /// From the CHECKSUM file.
        expected: String,
        /// Of the content.
        found: String,
    },
    /// The CHECKSUM file cannot be read or says nothing of this file.
    #[error("its CHECKSUM file cannot be used ({0}): download both again, or remove the CHECKSUM file")]
    Checksum(String),
    /// Not a zip, or a damaged one.
    #[error("not a whole zip file ({0}): download it again")]
    Zip(String),
    /// One member of a zip failed.
    #[error("{member}: {error}")]
    Member {
        /// Its name inside the zip.
        member: String,
        /// What happened.
        error: Box<FileError>,
    },
    /// A zip without a `.csv` inside.
    #[error("no .csv inside")]
    NoMembers,
    /// More members than are looked at.
    #[error("more than {0} members; the rest was not read")]
    TooManyMembers(usize),
    /// No rows at all.
    #[error("holds no rows")]
    Empty,
    /// A binary file.
    #[error("a line longer than a mebibyte after line {line}: not a text file")]
    NotText {
        /// The last whole line.
        line: u64,
    },
    /// The family cannot be told.
    #[error(
        "cannot tell what it holds: name it as the archive does (BTCUSDT-5m-2025-08-25.csv under klines/ or \
         markPriceKlines/, BTCUSDT-metrics-2025-08-25.csv, ..) or give its family, one of {names}",
        names = Family::names()
    )]
    FamilyUnknown,
    /// Klines of which price cannot be told.
    #[error(
        "cannot tell klines from mark price klines: put it under a folder named klines or markPriceKlines, or \
         give its family"
    )]
    KlinesOfWhich,
    /// A family that is not used.
    #[error("{family} files are not loaded: {why}")]
    FamilyUnused {
        /// Its name.
        family: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The symbol cannot be told.
    #[error("cannot tell the symbol: name it as the archive does (BTCUSDT-..) or give its symbol")]
    SymbolUnknown,
    /// An interval that has no bar length of ours.
    #[error("klines of interval {0} are not loaded (understood: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d)")]
    Interval(String),
    /// Coin-margined futures.
    #[error("a coin-margined contract: its quantities are contracts, not coins; load the USDT-margined one")]
    CoinMargined,
    /// Not a future.
    #[error("of the spot market, not of futures")]
    Spot,
    /// Prices in another coin.
    #[error(
        "{symbol} is priced in {quote}, not in dollars: amounts would not be what they are called; not loaded"
    )]
    ForeignQuote {
        /// Which contract.
        symbol: Symbol,
        /// In what.
        quote: &'static str,
    },
    /// The header says another family than the name.
    #[error("its header is of {header}, its name says {name}")]
    HeaderDisagrees {
        /// From the header line.
        header: &'static str,
        /// From the file name, folder or caller.
        name: Family,
    },
    /// A header with columns nobody knows: their meaning and order cannot be trusted.
    #[error("unknown header in line {line}: {header}")]
    HeaderUnknown {
        /// Where.
        line: u64,
        /// Its text, shortened.
        header: String,
    },
    /// So much was refused that the rest is not worth reading.
    #[error("gave up in line {line} after {refused} refused rows")]
    TooManyRefused {
        /// Where.
        line: u64,
        /// How many.
        refused: u64,
    },
}

/// Worth knowing, but nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A day or month with fewer rows than it has bars.
    MissingRows {
        /// A full file's rows.
        expected: u64,
        /// Different rows found.
        found: u64,
    },
    /// Aggregate trade ids are consecutive; here some are not.
    TradeIdGaps {
        /// How many gaps.
        gaps: u64,
        /// How many ids are missing in all.
        missing: u64,
        /// The id before the first hole.
        first_after: i64,
    },
    /// Header lines after the first line.
    RepeatedHeaders(u64),
    /// Members of a zip that are no `.csv`.
    MembersIgnored(u64),
    /// Too many rows to remember them all; repeated ones are left to the store.
    RepeatsUntracked,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingRows { expected, found } => write!(f, "{found} of {expected} rows"),
            Self::TradeIdGaps { gaps, missing, first_after } => {
                write!(f, "{missing} trade ids missing in {gaps} gaps, the first after {first_after}")
            }
            Self::RepeatedHeaders(lines) => write!(f, "{lines} header lines among the rows"),
            Self::MembersIgnored(members) => write!(f, "{members} members of the zip are no .csv"),
            Self::RepeatsUntracked => f.write_str("too long to look for repeated rows in the file"),
        }
    }
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileReport {
    /// Which.
    pub path: PathBuf,
    /// What it holds; the first where a zip holds several.
    pub family: Option<Family>,
    /// Whose rows came out, in the order they appeared.
    pub instruments: Vec<Instrument>,
    /// Rows handed to the sink.
    pub rows_ok: u64,
    /// Rows that stood in the file before, with the same values; not handed out again.
    pub rows_repeated: u64,
    /// Rows that were not loaded, by reason, in the order the reasons appeared.
    pub refused: Vec<RefusalSummary>,
    /// Rows that were loaded without a field that cannot be used, by reason.
    pub fields_lost: Vec<RefusalSummary>,
    /// What broke; empty for a file that was read to its end.
    pub errors: Vec<FileError>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
    /// Whether a CHECKSUM file was there and agreed.
    pub checksum_verified: bool,
    /// The sink asked to stop.
    pub stopped: bool,
}

impl FileReport {
    /// Rows refused for whatever reason.
    #[must_use]
    pub fn rows_refused(&self) -> u64 {
        self.refused.iter().map(|refused| refused.rows).sum()
    }

    /// Whether the user should do something about this file: something broke, or rows were refused that are
    /// not a known gap of the published data.
    #[must_use]
    pub fn has_trouble(&self) -> bool {
        !self.errors.is_empty()
            || !self.fields_lost.is_empty()
            || self.refused.iter().any(|refused| !refused.reason.is_known_gap())
    }

    pub(super) fn refuse(&mut self, reason: RefusedRows, line: u64, text: &[u8]) {
        count(&mut self.refused, reason, line, text);
    }

    pub(super) fn lose_field(&mut self, reason: RefusedRows, line: u64, text: &[u8]) {
        count(&mut self.fields_lost, reason, line, text);
    }

    pub(super) fn fail(&mut self, error: FileError) {
        if self.errors.len() < KINDS_MAX {
            self.errors.push(error);
        }
    }
}

fn count(kinds: &mut Vec<RefusalSummary>, reason: RefusedRows, line: u64, text: &[u8]) {
    if let Some(known) = kinds.iter_mut().find(|refused| refused.reason == reason) {
        known.rows += 1;
    } else if kinds.len() < KINDS_MAX {
        kinds.push(RefusalSummary { reason, rows: 1, first_line: line, sample: shorten(text) });
    } else if let Some(last) = kinds.last_mut() {
        // Reasons are few; only odd column counts could ever get here.
        last.rows += 1;
    }
}

/// The beginning of a line, fit for an error text.
pub(super) fn shorten(text: &[u8]) -> String {
    let head = &text[..text.len().min(SAMPLE_CHARS_MAX)];
    let ellipsis = if text.len() > SAMPLE_CHARS_MAX { ".." } else { "" };
    let printable: String =
        String::from_utf8_lossy(head).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{printable}{ellipsis}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_once_and_bounded() {
        let mut report = FileReport::default();
        for line in 1..=200 {
            let found = line as usize % 100;
            report.refuse(RefusedRows::ColumnCount { found, expected: "12" }, line, &[b'x'; 500]);
        }
        assert_eq!(report.refused.len(), KINDS_MAX);
        assert_eq!(report.rows_refused(), 200);
        assert!(report.refused[0].sample.len() < 130);
        assert!(report.has_trouble());
        let text = report.refused[0].to_string();
        assert!(text.starts_with("2 rows: 1 columns where 12 belong, first in line 1: xx"), "{text}");
    }

    #[test]
    fn known_gaps_are_no_trouble() {
        let mut report = FileReport::default();
        report.refuse(RefusedRows::OpenInterestUnknown, 2, b"x");
        assert!(!report.has_trouble());
        report.fail(FileError::Empty);
        assert!(report.has_trouble());
    }
}
