//! The thread of the recorder: compresses what is queued and begins a new file when one is full or old.

#![expect(clippy::disallowed_methods, reason = "writes files named by the clock")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use liqheat_market::{Symbol, Venue};
use tracing::{info, warn};

use super::line::MAGIC;
use super::write::RawSettings;

/// Numbers of records and files; read by the writer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) files: AtomicU64,
}

/// A record on its way to the disk.
pub(super) struct QueuedRecord {
    pub(super) bytes: Vec<u8>,
    /// Set when the record is repeated at the beginning of every later file.
    pub(super) retained_as: Option<RetainedKey>,
}

/// Key of a record that later records cannot be read without; the newest record of each key is repeated in every file.
pub(super) enum RetainedKey {
    /// An opening, by venue and number.
    Opening(Venue, u64),
    /// The tiers of a contract.
    Tiers(Venue, Symbol),
}

/// The thread's own state.
pub(super) struct RawFiles {
    settings: RawSettings,
    tally: Arc<Tally>,
    /// Connections that were opened last, by venue.
    openings: BTreeMap<(Venue, u64), Vec<u8>>,
    /// The newest tiers of each contract.
    tiers: BTreeMap<(Venue, Symbol), Vec<u8>>,
    /// `None` after a failure, until one can be begun again.
    current: Option<OpenFile>,
}

struct OpenFile {
    path: PathBuf,
    encoder: GzEncoder<CountingFile>,
    begun: Instant,
    flushed: Instant,
    unflushed: bool,
}

/// Counts the bytes written to a file.
struct CountingFile {
    file: File,
    bytes: u64,
}

impl std::io::Write for CountingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl RawFiles {
    pub(super) fn new(settings: RawSettings, tally: Arc<Tally>) -> Self {
        Self { settings, tally, openings: BTreeMap::new(), tiers: BTreeMap::new(), current: None }
    }

    /// Between attempts to begin a file after a failure.
    const PAUSE: Duration = Duration::from_secs(5);
    /// Openings remembered: a venue has a few connections, and those before are closed.
    const OPENINGS_MAX: usize = 1_024;

    pub(super) fn run(mut self, waiting: &Receiver<QueuedRecord>) {
        let mut failed: Option<Instant> = None;
        loop {
            let line = waiting.recv_timeout(self.settings.flush_every);
            if let (None, Some(since)) = (&self.current, failed)
                && since.elapsed() >= Self::PAUSE
            {
                failed = self.begin().err().map(|_| Instant::now());
                if failed.is_none() {
                    info!(folder = %self.settings.folder.display(), "raw frames are recorded again");
                }
            }
            let outcome = match line {
                Ok(line) => self.put(&line),
                Err(RecvTimeoutError::Timeout) => self.keep_up(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = outcome {
                warn!(folder = %self.settings.folder.display(), %error, "raw frames cannot be written; they are dropped until they can");
                self.current = None;
                failed = Some(Instant::now());
            }
        }
        if let Err(error) = self.end() {
            warn!(%error, "the file of raw frames could not be ended in order; it can be read up to its last flush");
        }
    }

    fn put(&mut self, line: &QueuedRecord) -> std::io::Result<()> {
        match &line.retained_as {
            Some(RetainedKey::Opening(venue, connection)) => {
                if self.openings.len() >= Self::OPENINGS_MAX {
                    // Numbers of connections rise, so the first is the oldest of its venue.
                    self.openings.pop_first();
                }
                self.openings.insert((*venue, *connection), line.bytes.clone());
            }
            Some(RetainedKey::Tiers(venue, symbol)) => {
                self.tiers.insert((*venue, symbol.clone()), line.bytes.clone());
            }
            None => {}
        }
        let Some(current) = &mut self.current else {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        if let Err(error) = current.encoder.write_all(&line.bytes) {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            return Err(error);
        }
        current.unflushed = true;
        self.tally.written.fetch_add(1, Ordering::Relaxed);
        self.keep_up()
    }

    /// Flushes when it is time, and begins a new file when this one is full or old.
    fn keep_up(&mut self) -> std::io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if current.unflushed && current.flushed.elapsed() >= self.settings.flush_every {
            current.encoder.flush()?;
            (current.flushed, current.unflushed) = (Instant::now(), false);
        }
        let full = current.encoder.get_ref().bytes >= self.settings.file_bytes_max;
        if full || current.begun.elapsed() >= self.settings.file_age_max {
            self.end()?;
            self.begin()?;
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let counted = current.encoder.finish()?;
        counted.file.sync_all()?;
        info!(file = %current.path.display(), bytes = counted.bytes, "file of raw frames ended");
        Ok(())
    }

    /// Names sort by time: the moment it was begun, and a number where there is one of that moment already.
    pub(super) fn begin(&mut self) -> std::io::Result<()> {
        self.delete_old();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let stem = since.as_millis();
        for number in 0..1_000 {
            let path = self.settings.folder.join(format!("raw-{stem:013}-{number:03}.gz"));
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let mut encoder = GzEncoder::new(CountingFile { file, bytes: 0 }, Compression::default());
            encoder.write_all(format!("{MAGIC}\n").as_bytes())?;
            for line in self.openings.values().chain(self.tiers.values()) {
                encoder.write_all(line)?;
            }
            encoder.flush()?;
            let now = Instant::now();
            self.current = Some(OpenFile { path, encoder, begun: now, flushed: now, unflushed: false });
            self.tally.files.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        Err(std::io::Error::other("a thousand files of one moment"))
    }

    fn delete_old(&self) {
        let Some(keep) = self.settings.keep else { return };
        let Ok(files) = super::read::sorted(std::slice::from_ref(&self.settings.folder)) else { return };
        for file in files {
            if age(&file).is_some_and(|age| age > keep) {
                match std::fs::remove_file(&file) {
                    Ok(()) => info!(file = %file.display(), "old file of raw frames deleted"),
                    Err(error) => warn!(file = %file.display(), %error, "old file not deleted"),
                }
            }
        }
    }
}

fn age(file: &Path) -> Option<Duration> {
    file.metadata().ok()?.modified().ok()?.elapsed().ok()
}
