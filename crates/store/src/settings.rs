//! Where the database is, what it may use, and the limits of a single request.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most rows one batch may have. A larger one is refused, so that the queue's worst case is known:
/// [`Settings::queue_capacity`] times this many rows of about 150 bytes.
pub const BATCH_ROWS_MAX: usize = 262_144;

/// Most rows one query may answer (four years of one-minute bars). A larger answer is refused, not cut.
pub const QUERY_ROWS_MAX: usize = 2_102_400;

// A batch that was accepted can always be read back.
const _: () = assert!(BATCH_ROWS_MAX <= QUERY_ROWS_MAX);

/// Where the rows live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file, which is created when it is not there (its folder must be).
    File(PathBuf),
    /// In memory only; gone when the store closes.
    Memory,
}

impl Location {
    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("the in-memory database"),
        }
    }
}

/// What the store may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Most memory DuckDB takes for its buffers, in bytes; beyond it, it spills beside the file or fails the query.
    pub memory_bytes_max: NonZeroU64,
    /// Threads DuckDB runs a query on.
    pub threads: NonZeroUsize,
    /// Commands that may wait. When the queue is full, callers wait for room.
    pub queue_capacity: NonZeroUsize,
    /// Connections for queries beside the owner ([`crate::Store::on_read_connections`]), each with a thread.
    pub read_connections: NonZeroUsize,
    /// Opens a database with a damaged write-ahead log: what precedes the damage is kept, and the whole log is copied
    /// beside it first. Without this such a database is refused.
    pub recover: bool,
}

impl Default for Settings {
    /// 1 GiB, two threads, eight commands waiting, two read connections.
    fn default() -> Self {
        const MEMORY_BYTES: NonZeroU64 = NonZeroU64::new(1 << 30).unwrap();
        const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        const QUEUE: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        const READERS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        Self {
            memory_bytes_max: MEMORY_BYTES,
            threads: THREADS,
            queue_capacity: QUEUE,
            read_connections: READERS,
            recover: false,
        }
    }
}

/// How long rows of each table are kept, counted back from a moment the caller names; `None` keeps them for
/// ever, which is the default of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Klines, of trades and of the mark price.
    pub klines: Option<Duration>,
    /// Trades: by far the largest table.
    pub trades: Option<Duration>,
    /// Ticks of the mark price.
    pub mark_prices: Option<Duration>,
    /// Samples of open interest.
    pub open_interest: Option<Duration>,
    /// Funding payments.
    pub funding: Option<Duration>,
    /// Realised liquidations.
    pub liquidations: Option<Duration>,
    /// Layers of measured positions.
    pub measured: Option<Duration>,
}
