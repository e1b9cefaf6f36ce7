//! Keeping raw frames: a thread of its own compresses and writes, so that no socket waits for a disk.
//!
//! What was received is on the disk within [`RawSettings::flush_every`]; a process that is killed loses no more than that.
//! When the disk cannot keep up, or takes nothing, records are dropped and counted: recording never disturbs what is
//! recorded.

#![expect(clippy::disallowed_methods, reason = "the recorder: a thread that writes files named by the clock")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use liqheat_market::{Symbol, UnixMs, Venue};
use tracing::{info, warn};

use super::line::{MAGIC, RawRecord};
use crate::live::{RawKind, Recorder};

/// Where and how raw frames are kept.
#[derive(Debug, Clone)]
pub struct RawSettings {
    /// The folder; created when it is not there.
    pub folder: PathBuf,
    /// A new file is begun when this many compressed bytes are in one.
    pub file_bytes_max: u64,
    /// A new file is begun when one is this old.
    pub file_age_max: Duration,
    /// Files older than this are deleted; `None` keeps them.
    pub keep: Option<Duration>,
    /// What was received is handed to the system at least this often.
    pub flush_every: Duration,
}

impl RawSettings {
    /// An hour or 256 MB a file, flushed every second, kept for ever.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            file_bytes_max: 256 << 20,
            file_age_max: Duration::from_secs(3_600),
            keep: None,
            flush_every: Duration::from_secs(1),
        }
    }
}

/// What became of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawCounts {
    /// Written.
    pub written: u64,
    /// Dropped, because the disk was too slow or refused.
    pub dropped: u64,
    /// Files begun.
    pub files: u64,
}

#[derive(Debug, Default)]
struct Tally {
    written: AtomicU64,
    dropped: AtomicU64,
    files: AtomicU64,
}

/// Takes raw frames and keeps them.
#[derive(Debug)]
pub struct RawWriter {
    /// `None` once it was closed. Locked for the length of handing over one line.
    lines: Mutex<Option<SyncSender<QueuedRecord>>>,
    tally: Arc<Tally>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct QueuedRecord {
    bytes: Vec<u8>,
    /// Set when the record is repeated at the beginning of every later file.
    retained_as: Option<RetainedKey>,
}

/// Key of a record that later records cannot be read without; the newest record of each key is repeated in every file.
enum RetainedKey {
    /// An opening, by venue and number.
    Opening(Venue, u64),
    /// The tiers of a contract.
    Tiers(Venue, Symbol),
}

impl RawWriter {
    /// Lines on their way to the disk: seconds of a busy market.
    const WAITING_MAX: usize = 65_536;

    /// Begins with a new file in the folder.
    ///
    /// # Errors
    /// When no file can be created there.
    pub fn start(settings: RawSettings) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let tally = Arc::new(Tally::default());
        let (lines, waiting) = sync_channel(Self::WAITING_MAX);
        let mut files = Files {
            settings,
            tally: Arc::clone(&tally),
            openings: BTreeMap::new(),
            tiers: BTreeMap::new(),
            current: None,
        };
        files.begin()?;
        let thread =
            std::thread::Builder::new().name("recorder".to_owned()).spawn(move || files.run(&waiting))?;
        Ok(Self { lines: Mutex::new(Some(lines)), tally, thread: Mutex::new(Some(thread)) })
    }

    /// What became of records so far.
    #[must_use]
    pub fn counts(&self) -> RawCounts {
        RawCounts {
            written: self.tally.written.load(Ordering::Relaxed),
            dropped: self.tally.dropped.load(Ordering::Relaxed),
            files: self.tally.files.load(Ordering::Relaxed),
        }
    }

    /// Writes what waits, ends the file, and says what became of records. Later ones are dropped.
    pub fn close(&self) -> RawCounts {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the recorder's thread panicked");
        }
        self.counts()
    }
}

impl Drop for RawWriter {
    fn drop(&mut self) {
        self.close();
    }
}

impl Recorder for RawWriter {
    fn record(&self, venue: Venue, received: UnixMs, kind: &RawKind, bytes: &[u8]) {
        let mut line = Vec::with_capacity(bytes.len() + 64);
        RawRecord::write(received, venue, kind, bytes, &mut line);
        let retained_as = match kind {
            RawKind::Opened { connection, .. } => Some(RetainedKey::Opening(venue, *connection)),
            RawKind::Tiers { symbol, .. } => Some(RetainedKey::Tiers(venue, symbol.clone())),
            RawKind::Frame { .. } | RawKind::Answer { .. } => None,
        };
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lines
            .as_ref()
            .is_some_and(|lines| lines.try_send(QueuedRecord { bytes: line, retained_as }).is_ok());
        if !taken {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread's own state.
struct Files {
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

impl Files {
    /// Between attempts to begin a file after a failure.
    const PAUSE: Duration = Duration::from_secs(5);
    /// Openings remembered: a venue has a few connections, and those before are closed.
    const OPENINGS_MAX: usize = 1_024;

    fn run(mut self, waiting: &Receiver<QueuedRecord>) {
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
    fn begin(&mut self) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{Player, read, sorted};
    use crate::tiers::TierOrigin;
    use crate::venues::{contract, exchange};
    use liqheat_market::TierTable;

    #[test]
    fn every_file_begins_with_what_it_is_not_understood_without() {
        let folder = tempfile::tempdir().unwrap();
        // A new file after each record.
        let settings =
            RawSettings { file_age_max: Duration::ZERO, ..RawSettings::new(folder.path().to_path_buf()) };
        let writer = RawWriter::start(settings).unwrap();
        let (venue, symbol) = (Venue::Okx, Symbol::new("BTCUSDT").unwrap());
        let contracts = vec![contract(exchange(venue).unwrap(), &symbol).unwrap()];
        let table = |rate| TierTable::flat(UnixMs(0), rate).unwrap();
        let tiers = |rate, origin| RawKind::Tiers { symbol: symbol.clone(), origin, table: table(rate) };
        let kinds = [
            RawKind::Opened { connection: 1, contracts },
            tiers(0.01, TierOrigin::Shipped),
            tiers(0.02, TierOrigin::Venue),
            RawKind::Frame { connection: 1 },
        ];
        for (at, kind) in (0..).zip(&kinds) {
            writer.record(venue, UnixMs(at), kind, b"{}");
        }
        let counts = writer.close();
        assert!(counts.written == 4 && counts.files >= 5, "{counts:?}");
        // The frame by itself, in the file that it came into.
        let mut files = sorted(&[folder.path().to_path_buf()]).unwrap().into_iter().map(|file| {
            let mut records = Vec::new();
            let read = read(&file, |record| {
                records.push(record);
                true
            });
            assert_eq!(read.damage, None);
            records
        });
        let last = files.find(|records| records.iter().any(|record| record.kind == kinds[3])).unwrap();
        let found: Vec<&RawKind> = last.iter().map(|record| &record.kind).collect();
        assert_eq!(found, [&kinds[0], &kinds[2], &kinds[3]], "the newest tiers only");
        let mut player = Player::new();
        last.iter().for_each(|record| player.take(record, &mut Vec::new()));
        assert_eq!(player.counts().orphaned, 0);
        let known: Vec<_> = player.tiers().values().cloned().collect();
        assert_eq!(known, [(table(0.02), TierOrigin::Venue)]);
    }
}
