//! One table of rows, from bytes to batches.

use std::io::Read;
use std::ops::ControlFlow;

use liqheat_market::{Funding, Instrument, Kline, Liquidation, OpenInterest, Symbol, Trade, Venue};

use super::columns;
use super::fields::Fields;
use super::lines::{CsvLine, CsvReader, LineError};
use super::name::{Clues, is_coin_margined};
use super::options::ReadOptions;
use super::plan::{Plan, plan};
use super::repeats::{Memory, Sighting};
use super::report::{FileReport, Note, RefusedRows, shorten};
use super::rows::{ArchiveRow, RowBatch};
use super::{Family, FileError};

/// Symbols that one file may hold.
const SYMBOLS_MAX: usize = 1000;
/// Refused rows after which a file is left.
const REFUSED_MAX: u64 = 1_000_000;

/// Where batches go, and how far the file was read when one goes there.
pub(super) struct Outlet<'a> {
    pub(super) sink: &'a mut dyn FnMut(RowBatch) -> ControlFlow<()>,
    pub(super) file_bytes_read: &'a dyn Fn() -> u64,
}

/// Reads one table to its end and adds what happened to the report. An error is returned only when it ends
/// the table; rows before it have been handed out.
pub(super) fn read_table(
    source: &mut dyn Read,
    clues: Clues,
    options: &ReadOptions,
    outlet: &mut Outlet<'_>,
    report: &mut FileReport,
) -> Result<(), FileError> {
    let mut lines = CsvReader::new(source);
    let head = lines.head();
    let planned = plan(clues, options, head);
    if head.is_empty() {
        // An error of the source says more than "empty".
        return match lines.next() {
            Err(error) => Err(broken(error, 0)),
            Ok(_) => Err(FileError::Empty),
        };
    }
    let plan = planned?;
    report.family.get_or_insert(plan.family);
    match plan.family {
        Family::AggTrades => Table::<Trade>::new(&plan, options, outlet, report).read(&mut lines),
        Family::Klines | Family::MarkPriceKlines => {
            Table::<Kline>::new(&plan, options, outlet, report).read(&mut lines)
        }
        Family::Metrics => Table::<OpenInterest>::new(&plan, options, outlet, report).read(&mut lines),
        Family::FundingRate => Table::<Funding>::new(&plan, options, outlet, report).read(&mut lines),
        Family::LiquidationSnapshot => {
            Table::<Liquidation>::new(&plan, options, outlet, report).read(&mut lines)
        }
    }
}

/// The rows of one instrument within the table.
struct Part<R: ArchiveRow> {
    instrument: Instrument,
    memory: R::Memory,
    pending: Vec<R>,
    state: R::State,
}

struct Table<'a, 'b, R: ArchiveRow> {
    plan: &'a Plan,
    batch_rows: usize,
    outlet: &'a mut Outlet<'b>,
    report: &'a mut FileReport,
    parts: Vec<Part<R>>,
    newest_part: usize,
    pending_rows: usize,
    rows_new: u64,
    refused: u64,
    headers: u64,
}

impl<'a, 'b, R: ArchiveRow> Table<'a, 'b, R> {
    fn new(
        plan: &'a Plan,
        options: &ReadOptions,
        outlet: &'a mut Outlet<'b>,
        report: &'a mut FileReport,
    ) -> Self {
        Self {
            plan,
            batch_rows: options.batch_rows.max(1),
            outlet,
            report,
            parts: Vec::new(),
            newest_part: 0,
            pending_rows: 0,
            rows_new: 0,
            refused: 0,
            headers: 0,
        }
    }

    fn read(mut self, lines: &mut CsvReader<&mut dyn Read>) -> Result<(), FileError> {
        let outcome = self.read_lines(lines);
        if !self.report.stopped {
            self.hand_out();
        }
        self.note_what_was_odd();
        outcome?;
        let nothing_found = self.rows_new == 0 && self.refused == 0 && !self.report.stopped;
        if nothing_found { Err(FileError::Empty) } else { Ok(()) }
    }

    fn read_lines(&mut self, lines: &mut CsvReader<&mut dyn Read>) -> Result<(), FileError> {
        loop {
            let number = lines.number() + 1;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => return Err(broken(error, number - 1)),
            };
            match line {
                CsvLine::TooLong(start) => self.refuse(RefusedRows::LineTooLong, number, start),
                CsvLine::Text(text) if text.trim_ascii().is_empty() => {}
                CsvLine::Text(text) if columns::is_text(text) => self.take_text(text, number)?,
                CsvLine::Text(text) => match self.take_row(text, number) {
                    Ok(()) => {}
                    Err(reason) => self.refuse(reason, number, text),
                },
            }
            if self.pending_rows >= self.batch_rows {
                self.hand_out();
            }
            if self.report.stopped {
                return Ok(());
            }
            if self.refused >= REFUSED_MAX {
                return Err(FileError::TooManyRefused { line: number, refused: self.refused });
            }
        }
    }

    fn refuse(&mut self, reason: RefusedRows, line: u64, text: &[u8]) {
        self.refused += 1;
        self.report.refuse(reason, line, text);
    }

    /// A line that starts with a letter: a header, in the first line or wherever files were glued together.
    fn take_text(&mut self, text: &[u8], number: u64) -> Result<(), FileError> {
        let fields = Fields::split(text);
        match columns::shape_of_header(&fields) {
            Some(shape) if shape.fits(self.plan.family) => {
                self.headers += u64::from(number > 1);
                Ok(())
            }
            Some(shape) => Err(FileError::HeaderDisagrees { header: shape.name(), name: self.plan.family }),
            // From here on the columns may mean something else.
            None if columns::is_header_like(&fields) => {
                Err(FileError::HeaderUnknown { line: number, header: shorten(text) })
            }
            None => {
                self.refuse(RefusedRows::NotARow, number, text);
                Ok(())
            }
        }
    }

    fn take_row(&mut self, text: &[u8], number: u64) -> Result<(), RefusedRows> {
        if !text.is_ascii() && std::str::from_utf8(text).is_err() {
            return Err(RefusedRows::NotText);
        }
        let fields = Fields::split(text);
        let mut lost = Vec::new();
        let row = R::parse(&fields, self.plan, &mut lost)?;
        let part = self.part_of(&fields)?;
        let (key, values) = row.identity();
        match self.parts[part].memory.note(key, values) {
            Sighting::New => {
                for reason in lost {
                    self.report.lose_field(reason, number, text);
                }
                self.rows_new += 1;
                let part = &mut self.parts[part];
                match row.settle(&fields, &mut part.state) {
                    Some(row) => {
                        part.pending.push(row);
                        self.pending_rows += 1;
                    }
                    None => self.report.rows_repeated += 1,
                }
                Ok(())
            }
            Sighting::Repeated => {
                self.report.rows_repeated += 1;
                Ok(())
            }
            Sighting::Conflicting => Err(RefusedRows::Conflict),
        }
    }

    /// The part a row belongs to: by its symbol column, else the file's symbol, else the caller's.
    fn part_of(&mut self, fields: &Fields<'_>) -> Result<usize, RefusedRows> {
        let in_row = match R::symbol_field(fields) {
            Some(field) => Some(std::str::from_utf8(field).map_err(|_| RefusedRows::BadSymbol)?),
            None => None,
        };
        let in_file = self.plan.symbol.as_ref().map(Symbol::as_str);
        let name = match (in_row, in_file) {
            (Some(row), _) if is_coin_margined(row) => return Err(RefusedRows::CoinMargined),
            (Some(row), Some(file)) if row != file => return Err(RefusedRows::OtherSymbol),
            (row, file) => row.or(file).or(self.plan.symbol_assumed.as_ref().map(Symbol::as_str)),
        };
        let name = name.ok_or(RefusedRows::NoSymbol)?;
        let is_same = |part: &Part<R>| part.instrument.symbol.as_str() == name;
        if self.parts.get(self.newest_part).is_some_and(is_same) {
            return Ok(self.newest_part);
        }
        if let Some(known) = self.parts.iter().position(is_same) {
            self.newest_part = known;
            return Ok(known);
        }
        if self.parts.len() >= SYMBOLS_MAX {
            return Err(RefusedRows::TooManySymbols);
        }
        let symbol = Symbol::new(name).map_err(|_| RefusedRows::BadSymbol)?;
        if symbol.as_str() != name {
            // Small letters: another spelling would be another part, so it is no symbol here.
            return Err(RefusedRows::BadSymbol);
        }
        if let Some(quote) = symbol.foreign_quote() {
            return Err(RefusedRows::ForeignQuote(quote));
        }
        let instrument = Instrument::new(Venue::Binance, symbol);
        self.parts.push(Part {
            instrument,
            memory: R::Memory::default(),
            pending: Vec::new(),
            state: R::State::default(),
        });
        self.newest_part = self.parts.len() - 1;
        Ok(self.newest_part)
    }

    /// Hands all pending rows to the sink.
    fn hand_out(&mut self) {
        for part in &mut self.parts {
            if part.pending.is_empty() {
                continue;
            }
            let rows = R::wrap(std::mem::take(&mut part.pending));
            if !self.report.instruments.contains(&part.instrument) {
                self.report.instruments.push(part.instrument.clone());
            }
            self.report.rows_ok += rows.len() as u64;
            let instrument = part.instrument.clone();
            let file_bytes_read = (self.outlet.file_bytes_read)();
            if (self.outlet.sink)(RowBatch { instrument, rows, file_bytes_read }).is_break() {
                self.report.stopped = true;
                return;
            }
        }
        self.pending_rows = 0;
    }

    fn note_what_was_odd(&mut self) {
        let notes = &mut self.report.notes;
        if self.headers > 0 {
            notes.push(Note::RepeatedHeaders(self.headers));
        }
        for part in &self.parts {
            if let Some((gaps, missing, first_after)) = part.memory.gaps() {
                notes.push(Note::TradeIdGaps { gaps, missing, first_after });
            }
        }
        if self.parts.iter().any(|part| part.memory.overflowed()) {
            notes.push(Note::RepeatsUntracked);
        }
        let bar_ms = match self.plan.family {
            Family::Metrics => Some(300_000),
            family if family.is_klines() => self.plan.interval.map(liqheat_market::Interval::ms),
            _ => None,
        };
        if let (Some(period), Some(bar_ms), [_]) = (self.plan.period, bar_ms, self.parts.as_slice()) {
            let expected = period.end.since(period.start).unsigned_abs() / bar_ms.unsigned_abs();
            if self.rows_new < expected {
                notes.push(Note::MissingRows { expected, found: self.rows_new });
            }
        }
    }
}

fn broken(error: LineError, line: u64) -> FileError {
    match error {
        LineError::Io(error) => FileError::Read { line, cause: error.to_string() },
        LineError::NotText => FileError::NotText { line },
    }
}
