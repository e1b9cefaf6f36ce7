//! Files of Binance's public archive of USD-M futures, turned into market rows.
//!
//! The archive is a tree of daily and monthly files, `.csv` or `.zip`, each with a `.CHECKSUM` beside it:
//! aggregate trades, klines, mark price klines, metrics (open interest), funding and old liquidation
//! snapshots. Years of changing conventions are in it, and files reach us renamed, cut short or edited. So:
//!
//! 1. A good row is loaded whatever stands around it; a bad one is refused with a reason, counted, and the
//!    first of its kind quoted. Nothing is guessed: what cannot be told is an error that says what to do.
//! 2. An empty optional column is unknown, never zero.
//! 3. Memory does not depend on what a file holds: it is streamed, lines and batches are bounded.
//! 4. What comes out does not depend on the order of rows or on how the bytes arrive.
//! 5. A row that stands twice in a file comes out once. Twice in two files is the store's to notice.
//!
//! [`discover`] finds the files under some paths, [`read`] reads one.

mod checksum;
mod columns;
mod discover;
mod family;
mod fields;
mod lines;
mod name;
mod options;
mod plan;
mod read;
mod repeats;
mod report;
mod rows;
mod stream;

pub use discover::{ArchiveFile, Discovery, PathProblem, SkipReason, SkippedPath, discover};
pub use family::Family;
pub(crate) use fields::start_of_date;
pub use options::ReadOptions;
pub use read::{named_family, read, read_source, verify_checksum};
pub use report::{FileError, FileReport, Note, RefusalSummary, RefusedRows};
pub(crate) use rows::whole_hour;
pub use rows::{RowBatch, Rows};
