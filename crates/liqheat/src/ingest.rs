//! `ingest`: files of the archive, klines in Parquet and liquidations into the database, with a progress bar and a
//! report at the end.
//!
//! One thread reads and checks rows while another stores them. What cannot be loaded is named in the report;
//! everything else is loaded.

#![expect(clippy::disallowed_methods, reason = "times the load for its summary, and looks at sizes of files")]

mod open_interest_check;
mod remote;

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use liqheat_feeds::archive::{self, Discovery, Family, ReadOptions, SkipReason};
use liqheat_market::{Instrument, Symbol};
use liqheat_server::{FileKind, LoadError, LoadedFile, RowSink, SourceFile, load_file};
use liqheat_store::{AppendResult, Batch, Location, Store};
use tokio_util::sync::CancellationToken;

use self::open_interest_check::OpenInterestCheck;
use crate::cli::Ingest;
use crate::terminal::{self, say};

pub(crate) use remote::run as run_remote;

/// Runs the command; `stop` ends it after the batch being read.
pub(crate) fn run(ingest: &Ingest, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let path = ingest.db.path()?;
    let store = Store::open(Location::File(path.clone()), ingest.db.settings())?;
    let began = Instant::now();
    let loaded = load(&store, &ingest.paths, ingest.family, ingest.symbol.clone(), stop);
    let closed = store.close_blocking();
    let summary = loaded?;
    closed?;
    Ok(summary.report(path.display(), began.elapsed(), stop.is_cancelled()))
}

/// Loads everything under some paths.
///
/// # Errors
/// When the store fails; what it has taken before stays.
pub fn load(
    store: &Store,
    paths: &[PathBuf],
    family: Option<Family>,
    symbol: Option<Symbol>,
    stop: &CancellationToken,
) -> anyhow::Result<Summary> {
    let (found, files) = found_under(paths);
    // Every batch is a transaction; a large one costs little more than a small one.
    let options = ReadOptions { assume_family: family, assume_symbol: symbol, batch_rows: 100_000 };
    let progress = progress_bar(files.iter().map(|file| file.bytes).sum());
    let mut summary = Summary { found, files: files.len(), ..Summary::default() };
    let mut sink =
        StoreSink { store, progress: &progress, bytes_done: 0, check: OpenInterestCheck::default() };
    for file in &files {
        if stop.is_cancelled() {
            break;
        }
        progress.set_message(file_name(&file.path));
        let loaded = load_file(SourceFile::local(&file.path), file.kind, &options, &mut sink, stop);
        let loaded = loaded.with_context(|| format!("loading {}", file.path.display()))?;
        sink.bytes_done += file.bytes;
        progress.set_position(sink.bytes_done);
        summary.add_loaded(&file.path, loaded);
    }
    summary.lines.extend(sink.check.lines());
    progress.finish_and_clear();
    Ok(summary)
}

/// Stores rows, and looks at samples of open interest on their way.
struct StoreSink<'a> {
    store: &'a Store,
    progress: &'a ProgressBar,
    /// Bytes of the files before.
    bytes_done: u64,
    check: OpenInterestCheck,
}

impl RowSink for StoreSink<'_> {
    fn store(&mut self, instrument: &Instrument, rows: Batch) -> Result<AppendResult, LoadError> {
        self.check.look_at(instrument, &rows.open_interest);
        Ok(self.store.append(instrument, rows).blocking()?)
    }

    fn progress(&mut self, file_bytes_read: u64) {
        self.progress.set_position(self.bytes_done + file_bytes_read);
    }
}

/// A file to load.
struct FoundFile {
    path: PathBuf,
    kind: FileKind,
    bytes: u64,
}

/// The files under some paths, and what was found besides.
fn found_under(paths: &[PathBuf]) -> (Discovery, Vec<FoundFile>) {
    let mut found = archive::discover(paths);
    let mut files = Vec::new();
    let mut others = Vec::new();
    let kind_of = |path: &Path| FileKind::of(SourceFile::local(path));
    for file in std::mem::take(&mut found.files) {
        let kind = kind_of(&file.path).unwrap_or(FileKind::Archive);
        let to = if kind == FileKind::Archive { &mut files } else { &mut others };
        to.push(FoundFile { path: file.path, kind, bytes: file.bytes });
    }
    // The reader of the archive does not know Parquet.
    let mut take = |path: &Path| {
        let kind = kind_of(path).filter(|kind| *kind != FileKind::Archive);
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        others.extend(kind.map(|kind| FoundFile { path: path.to_owned(), kind, bytes }));
        kind.is_none()
    };
    found.problems.retain(|problem| !problem.path.is_file() || take(&problem.path));
    found.skipped.retain(|skipped| skipped.reason != SkipReason::Ending || take(&skipped.path));
    files.append(&mut others);
    (found, files)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn progress_bar(bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {percent:>3} % {bytes}/{total_bytes} {eta:>4} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(bytes).with_style(style);
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

/// Sums of one family.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    files: u64,
    pub(crate) loaded: u64,
    already_there: u64,
    refused: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.loaded += other.loaded;
        self.already_there += other.already_there;
        self.refused += other.refused;
    }
}

/// What became of everything.
#[derive(Debug, Default)]
pub struct Summary {
    found: Discovery,
    /// Files that were found to load.
    files: usize,
    sums: BTreeMap<String, Sums>,
    /// What was not loaded and why, and what else is worth a line, in the order of the files.
    lines: Vec<String>,
    trouble: bool,
}

impl Summary {
    fn add_loaded(&mut self, path: &Path, file: LoadedFile) {
        let LoadedFile { what, stored, already_there, refused, errors, remarks, has_trouble, .. } = file;
        let sums = Sums { files: 1, loaded: stored, already_there, refused };
        self.add(path, what, sums, errors.into_iter().chain(remarks));
        self.trouble |= has_trouble;
    }

    fn add(&mut self, path: &Path, what: &str, sums: Sums, lines: impl IntoIterator<Item = String>) {
        self.sums.entry(what.to_owned()).or_default().add(sums);
        self.lines.extend(lines.into_iter().map(|line| format!("{}: {line}", path.display())));
    }

    /// A file of which nothing was loaded.
    fn add_failed(&mut self, path: &Path, error: String) {
        self.add(path, FileKind::UNKNOWN, Sums { files: 1, ..Sums::default() }, [error]);
        self.trouble = true;
    }

    /// Rows that were stored now, without those that were there already.
    #[must_use]
    pub fn rows_loaded(&self) -> u64 {
        self.total().loaded
    }

    pub(crate) fn total(&self) -> Sums {
        let mut total = Sums::default();
        self.sums.values().for_each(|sums| total.add(*sums));
        total
    }

    /// Whether the user should look at something.
    pub(crate) fn has_trouble(&self) -> bool {
        self.trouble || !self.found.problems.is_empty() || self.is_empty()
    }

    /// Nothing to load was found.
    fn is_empty(&self) -> bool {
        self.files == 0
    }

    /// Prints what became of everything; `into` is where the rows went.
    fn report(&self, into: impl Display, took: Duration, is_stopped: bool) -> ExitCode {
        say!("{}", self.table());
        terminal::print(format_args!("{}", self.details()));
        say!("{} rows loaded into {into} in {:.1} s", HumanCount(self.rows_loaded()), took.as_secs_f64());
        if is_stopped {
            say!("Stopped before the end; run the same command again to load the rest.");
        }
        if is_stopped || self.has_trouble() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// The table at the end.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["what", "files", "rows loaded", "already there", "refused"]);
        let row = |name: &str, sums: &Sums| {
            let counts = [sums.files, sums.loaded, sums.already_there, sums.refused];
            let counts = counts.map(|count| HumanCount(count).to_string());
            std::iter::once(name.to_owned()).chain(counts).collect::<Vec<_>>()
        };
        for (family, sums) in &self.sums {
            table.add_row(row(family, sums));
        }
        table.add_row(row("all", &self.total()));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// Everything that was not loaded, file by file, and why.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        for problem in &self.found.problems {
            let _ = writeln!(text, "{problem}");
        }
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        if self.is_empty() {
            let _ = writeln!(text, "no .csv, .csv.gz, .zip or .parquet file was found under the given paths");
        }
        for skipped in &self.found.skipped {
            let _ = writeln!(text, "{}: skipped: {}", skipped.path.display(), skipped.reason);
        }
        text
    }
}
