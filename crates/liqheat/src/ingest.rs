//! `ingest`: files of the archive, klines in Parquet and liquidations into the database, with a progress bar and a
//! report at the end.
//!
//! One thread reads and checks rows while another stores them. What cannot be loaded is named in the report;
//! everything else is loaded.

#![expect(clippy::disallowed_methods, reason = "times the load for its summary")]

mod beside_archive;
pub(crate) mod liquidation_file;
mod open_interest_check;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use liqheat_feeds::archive::{self, Discovery, Family, FileReport, ReadOptions, RowBatch, Rows};
use liqheat_market::Symbol;
use liqheat_store::{Location, Store, StoreError};
use tokio_util::sync::CancellationToken;

use self::beside_archive::{FileKind, FileLoad};
use self::open_interest_check::OpenInterestCheck;
use crate::cli::Ingest;
use crate::terminal::{self, say};

/// Runs the command; `stop` ends it after the batch being read.
pub(crate) fn run(ingest: &Ingest, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let path = ingest.db.path()?;
    let store = Store::open(Location::File(path.clone()), ingest.db.settings())?;
    let began = Instant::now();
    let loaded = load(&store, &ingest.paths, ingest.family, ingest.symbol.clone(), stop);
    let closed = store.close_blocking();
    let summary = loaded?;
    closed?;
    say!("{}", summary.table());
    terminal::print(format_args!("{}", summary.details()));
    let (rows, seconds) = (summary.total().loaded, began.elapsed().as_secs_f64());
    say!("{} rows loaded into {} in {seconds:.1} s", HumanCount(rows), path.display());
    if stop.is_cancelled() {
        say!("Stopped before the end; run the same command again to load the rest.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if summary.has_trouble() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
    let mut found = archive::discover(paths);
    let beside_archive = beside_archive::take_from(&mut found);
    // Every batch is a transaction; a large one costs little more than a small one.
    let options = ReadOptions { assume_family: family, assume_symbol: symbol, batch_rows: 100_000 };
    let progress = progress_bar(found.files.iter().map(|file| file.bytes).sum());
    let mut summary = Summary { found, ..Summary::default() };
    let mut bytes_done = 0;
    let mut check = OpenInterestCheck::default();
    for index in 0..summary.found.files.len() {
        if stop.is_cancelled() {
            break;
        }
        let file = summary.found.files[index].clone();
        progress.set_message(file.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let loaded = load_file(store, &file.path, &options, stop, &mut |batch| {
            check.look_at(&batch.instrument, &batch.rows);
            progress.set_position(bytes_done + batch.file_bytes_read);
        });
        let (report, already_there) = loaded.with_context(|| format!("loading {}", file.path.display()))?;
        bytes_done += file.bytes;
        progress.set_position(bytes_done);
        summary.add(report, already_there);
    }
    for (path, kind) in beside_archive {
        if stop.is_cancelled() {
            break;
        }
        progress.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let loaded = beside_archive::load(store, &path, kind, options.assume_symbol.as_ref(), stop)?;
        summary.add_beside_archive(&path, kind, loaded);
    }
    summary.lines.extend(check.lines());
    progress.finish_and_clear();
    Ok(summary)
}

fn progress_bar(bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {percent:>3} % {bytes}/{total_bytes} {eta:>4} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(bytes).with_style(style);
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

/// Reads a file on a thread of its own while this one stores the rows. Gives the reader's report and how
/// many rows were stored before.
fn load_file(
    store: &Store,
    path: &Path,
    options: &ReadOptions,
    stop: &CancellationToken,
    each: &mut dyn FnMut(&RowBatch),
) -> Result<(FileReport, u64), StoreError> {
    /// Batches on their way: enough to keep both sides busy.
    const WAITING_MAX: usize = 2;
    std::thread::scope(|scope| {
        let (batches, waiting) = sync_channel::<RowBatch>(WAITING_MAX);
        let reader = scope.spawn(move || {
            archive::read(path, options, &mut |batch| {
                // What was read is counted as loaded, so it is handed over before leaving.
                if batches.send(batch).is_err() || stop.is_cancelled() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
        });
        let mut already_there = 0;
        for batch in &waiting {
            each(&batch);
            let RowBatch { instrument, rows, .. } = batch;
            let appended = store.append(&instrument, store_batch(rows)).blocking()?;
            already_there += appended.already_there;
        }
        match reader.join() {
            Ok(report) => Ok((report, already_there)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn store_batch(rows: Rows) -> liqheat_store::Batch {
    match rows {
        Rows::Trades(rows) => rows.into(),
        Rows::Klines(rows) => rows.into(),
        Rows::OpenInterest(rows) => rows.into(),
        Rows::Funding(rows) => rows.into(),
        Rows::Liquidations(rows) => rows.into(),
    }
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
    sums: BTreeMap<&'static str, Sums>,
    /// Reports worth a line, in the order of the files.
    remarks: Vec<FileReport>,
    /// The same of files that are not of the archive, whole lines.
    lines: Vec<String>,
    trouble: bool,
}

impl Summary {
    fn add_beside_archive(&mut self, path: &Path, kind: FileKind, file: FileLoad) {
        let FileLoad { loaded, already_there, refused, remarks } = file;
        let sums = Sums { files: 1, loaded, already_there, refused };
        self.sums.entry(kind.name()).or_default().add(sums);
        self.trouble |= !remarks.is_empty();
        self.lines.extend(remarks.iter().map(|remark| format!("{}: {remark}", path.display())));
    }

    fn add(&mut self, report: FileReport, stored_before: u64) {
        let sums = Sums {
            files: 1,
            loaded: report.rows_ok - stored_before,
            already_there: stored_before + report.rows_repeated,
            refused: report.rows_refused(),
        };
        self.sums.entry(report.family.map_or("unknown", Family::name)).or_default().add(sums);
        self.trouble |= report.has_trouble();
        let is_clean = report.errors.is_empty()
            && report.refused.is_empty()
            && report.fields_lost.is_empty()
            && report.notes.is_empty();
        if !is_clean {
            self.remarks.push(report);
        }
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
        self.found.files.is_empty() && self.sums.is_empty()
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
        for report in &self.remarks {
            let path = report.path.display();
            for error in &report.errors {
                let _ = writeln!(text, "{path}: {error}");
            }
            for refused in &report.refused {
                let _ = writeln!(text, "{path}: refused {refused}");
            }
            for lost in &report.fields_lost {
                let _ = writeln!(text, "{path}: loaded without that field: {lost}");
            }
            for note in &report.notes {
                let _ = writeln!(text, "{path}: note: {note}");
            }
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
