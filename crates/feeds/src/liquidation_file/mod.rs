//! Files of realised liquidations, one event a line, as they are recorded from venues' feeds:
//! a CSV file, `.csv` or `.csv.gz`, whose header names the venue: each has columns of its own
//! ([`LiquidationColumns`](crate::venues::LiquidationColumns)).

#![expect(clippy::disallowed_methods, reason = "opens the files that the user names")]

mod layout;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use liqheat_market::{Instrument, Liquidation};

use crate::venues::exchanges;
use layout::Layout;
pub use report::{LiquidationReport, RowRefusal};

/// Longest line that is read; a row has about a hundred bytes.
const LINE_BYTES_MAX: u64 = 4096;

/// A file that was read whole.
#[derive(Debug, Default)]
pub struct LiquidationFile {
    /// Rows by instrument, in the order of the file.
    pub rows: BTreeMap<Instrument, Vec<Liquidation>>,
    /// What became of the others.
    pub report: LiquidationReport,
}

/// Why nothing of a file is read.
#[derive(Debug, thiserror::Error)]
pub enum LiquidationFileError {
    /// The source failed before its header.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// Another header, or none.
    #[error("its header is none of the known ones of liquidations ({known}): {0}", known = known_headers())]
    Header(String),
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

/// A header of each venue.
fn known_headers() -> String {
    let known = exchanges().filter_map(|exchange| {
        let columns = exchange.liquidation_columns.as_ref()?;
        Some(format!("{}: {}", exchange.display_name, columns.header))
    });
    known.collect::<Vec<_>>().join("; ")
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
