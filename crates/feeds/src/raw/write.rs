//! Keeping raw frames: a thread of its own compresses and writes, so that no socket waits for a disk.
//!
//! What was received is on the disk within [`RawSettings::flush_every`]; a process that is killed loses no more than that.
//! When the disk cannot keep up, or takes nothing, records are dropped and counted: recording never disturbs what is
//! recorded.

#![expect(clippy::disallowed_methods, reason = "starts the thread of the recorder and creates its folder")]

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use liqheat_market::{UnixMs, Venue};
use tracing::warn;

use super::files::{QueuedRecord, RawFiles, RetainedKey, Tally};
use super::line::RawRecord;
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

/// Takes raw frames and keeps them.
#[derive(Debug)]
pub struct RawWriter {
    /// `None` once it was closed. Locked for the length of handing over one line.
    lines: Mutex<Option<SyncSender<QueuedRecord>>>,
    tally: Arc<Tally>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let mut files = RawFiles::new(settings, Arc::clone(&tally));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{Player, read, sorted};
    use crate::tiers::TierOrigin;
    use crate::venues::{contract, exchange};
    use liqheat_market::{Symbol, TierTable};

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
