//! Files of market data into stored rows: files of the archive, klines in Parquet, liquidations event by event.
//!
//! The command `ingest` and `POST /v1/ingest` load files through [`load_file`], so both store the same rows and say the
//! same of what they refuse. Where the rows go is a [`RowSink`].

#![expect(
    clippy::disallowed_methods,
    reason = "opens the files that it loads, and reads on a thread beside the one that stores"
)]

mod parquet;

use std::fmt::Display;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use liqheat_feeds::archive::{self, Family, FileReport, ReadOptions, RowBatch, Rows, named_family};
use liqheat_feeds::liquidation_file;
use liqheat_market::Instrument;
use liqheat_store::{AppendResult, Batch, StoreError};
use tokio_util::sync::CancellationToken;

/// A file, and the name that says what it holds.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// Where its bytes are.
    pub content: &'a Path,
    /// Its name with folders, which say as much; on whatever machine it has that name.
    pub name: &'a Path,
}

impl<'a> SourceFile<'a> {
    /// A file under its own name; a CHECKSUM file beside it is verified.
    #[must_use]
    pub const fn local(path: &'a Path) -> Self {
        Self { content: path, name: path }
    }

    fn is_local(self) -> bool {
        self.content == self.name
    }

    fn ends_with(self, ending: &str) -> bool {
        let name = self.name.file_name().unwrap_or_default();
        name.to_string_lossy().to_ascii_lowercase().ends_with(ending)
    }
}

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file of Binance's archive.
    Archive,
    /// Klines in Parquet.
    ParquetKlines,
    /// Liquidations, one event a line.
    Liquidations,
}

impl FileKind {
    /// By the name, and where that names no family by the header; `None` when the name ends like none of these files.
    #[must_use]
    pub fn of(file: SourceFile<'_>) -> Option<Self> {
        if file.ends_with(".parquet") {
            return Some(Self::ParquetKlines);
        }
        let is_text = file.ends_with(".csv") || file.ends_with(".csv.gz");
        if is_text && named_family(file.name).is_none() {
            let source = liquidation_file::open(file.content, file.name);
            if source.is_ok_and(liquidation_file::has_known_header) {
                return Some(Self::Liquidations);
            }
        }
        (is_text || file.ends_with(".zip")).then_some(Self::Archive)
    }

    /// Of a file that does not say what it holds.
    pub const UNKNOWN: &str = "unknown";

    const fn name(self) -> &'static str {
        match self {
            Self::Archive => Self::UNKNOWN,
            Self::ParquetKlines => "klines (parquet)",
            Self::Liquidations => "liquidations",
        }
    }
}

/// Takes the rows of a file in batches.
pub trait RowSink {
    /// Stores rows of one instrument.
    ///
    /// # Errors
    /// When they cannot be stored or are not accepted; loading ends there.
    fn store(&mut self, instrument: &Instrument, rows: Batch) -> Result<AppendResult, LoadError>;

    /// Bytes of the file that were read so far, where that is known.
    fn progress(&mut self, _file_bytes_read: u64) {}
}

/// Why loading ended. What was stored before stays.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows of this kind are not accepted.
    #[error("{0}")]
    Refused(String),
}

/// What became of a file.
#[derive(Debug, Clone, Default)]
pub struct LoadedFile {
    /// The family of the archive, or another kind of file.
    pub what: &'static str,
    /// Whose rows were stored, in the order they appeared.
    pub instruments: Vec<Instrument>,
    /// Rows that are new.
    pub stored: u64,
    /// Rows that were stored already, or stood in the file before.
    pub already_there: u64,
    /// Rows refused.
    pub refused: u64,
    /// Why the file, or the rest of it, was not loaded.
    pub errors: Vec<String>,
    /// Rows refused by reason, fields that were lost, and what else is worth knowing.
    pub remarks: Vec<String>,
    /// Whether somebody should look at the file; known gaps of the published data are no trouble.
    pub has_trouble: bool,
}

impl LoadedFile {
    /// Whether nothing of the file is known to be market data.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.stored + self.already_there + self.refused == 0 && !self.errors.is_empty()
    }

    fn failed(mut self, error: impl Display) -> Self {
        self.errors.push(error.to_string());
        self.has_trouble = true;
        self
    }

    fn store(
        &mut self,
        sink: &mut dyn RowSink,
        instrument: &Instrument,
        rows: Batch,
    ) -> Result<(), LoadError> {
        let appended = sink.store(instrument, rows)?;
        self.stored += appended.inserted;
        self.already_there += appended.already_there;
        if !self.instruments.contains(instrument) {
            self.instruments.push(instrument.clone());
        }
        Ok(())
    }

    /// Adds what the reader of the archive says.
    fn add(mut self, report: &FileReport) -> Self {
        self.what = report.family.map_or(self.what, Family::name);
        self.already_there += report.rows_repeated;
        self.refused += report.rows_refused();
        self.has_trouble |= report.has_trouble();
        self.errors.extend(report.errors.iter().map(ToString::to_string));
        self.remarks.extend(report.refused.iter().map(|refused| format!("refused {refused}")));
        let lost = report.fields_lost.iter();
        self.remarks.extend(lost.map(|lost| format!("loaded without that field: {lost}")));
        self.remarks.extend(report.notes.iter().map(|note| format!("note: {note}")));
        self
    }
}

/// Loads a file. `stop` ends it after the batch being read; whoever cancels it knows that the rest is missing.
///
/// # Errors
/// When the sink fails. What is wrong with the file is in the answer.
pub fn load_file(
    file: SourceFile<'_>,
    kind: FileKind,
    options: &ReadOptions,
    sink: &mut dyn RowSink,
    stop: &CancellationToken,
) -> Result<LoadedFile, LoadError> {
    match kind {
        FileKind::Archive => load_archive(file, options, sink, stop),
        FileKind::ParquetKlines => {
            parquet::load(file, options.assume_symbol.as_ref(), options.batch_rows, sink, stop)
        }
        FileKind::Liquidations => load_liquidations(file, options.batch_rows, sink, stop),
    }
}

/// Reads a file on a thread of its own while this one stores the rows.
fn load_archive(
    file: SourceFile<'_>,
    options: &ReadOptions,
    sink: &mut dyn RowSink,
    stop: &CancellationToken,
) -> Result<LoadedFile, LoadError> {
    /// Batches on their way: enough to keep both sides busy.
    const WAITING_MAX: usize = 2;
    let mut loaded = LoadedFile { what: FileKind::Archive.name(), ..LoadedFile::default() };
    std::thread::scope(|scope| {
        let (batches, waiting) = sync_channel::<RowBatch>(WAITING_MAX);
        let reader = scope.spawn(move || {
            let mut hand_over = |batch| {
                // What was read is counted as loaded, so it is handed over before leaving.
                if batches.send(batch).is_err() || stop.is_cancelled() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            if file.is_local() {
                return archive::read(file.name, options, &mut hand_over);
            }
            match File::open(file.content) {
                Ok(content) => archive::read_source(file.name, content, options, &mut hand_over),
                Err(error) => FileReport {
                    errors: vec![archive::FileError::Open(error.to_string())],
                    ..FileReport::default()
                },
            }
        });
        for RowBatch { instrument, rows, file_bytes_read } in &waiting {
            sink.progress(file_bytes_read);
            loaded.store(sink, &instrument, batch_of(rows))?;
        }
        match reader.join() {
            Ok(report) => Ok(loaded.add(&report)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn batch_of(rows: Rows) -> Batch {
    match rows {
        Rows::Trades(rows) => rows.into(),
        Rows::Klines(rows) => rows.into(),
        Rows::OpenInterest(rows) => rows.into(),
        Rows::Funding(rows) => rows.into(),
        Rows::Liquidations(rows) => rows.into(),
    }
}

fn load_liquidations(
    file: SourceFile<'_>,
    batch_rows: usize,
    sink: &mut dyn RowSink,
    stop: &CancellationToken,
) -> Result<LoadedFile, LoadError> {
    let mut loaded = LoadedFile { what: FileKind::Liquidations.name(), ..LoadedFile::default() };
    let source = match liquidation_file::open(file.content, file.name) {
        Ok(source) => source,
        Err(error) => return Ok(loaded.failed(format!("cannot be read: {error}"))),
    };
    let mut outcome = Ok(());
    let read = liquidation_file::read_source(source, batch_rows, &mut |instrument, rows| {
        outcome = loaded.store(sink, &instrument, rows.into());
        if outcome.is_err() || stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    outcome?;
    match read {
        Ok(report) => {
            loaded.refused = report.refused;
            loaded.remarks = report.remarks();
            loaded.has_trouble = !loaded.remarks.is_empty();
            Ok(loaded)
        }
        Err(error) => Ok(loaded.failed(error)),
    }
}
