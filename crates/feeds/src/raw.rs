//! Raw frames of venues in files: what was received, when and from where, one record a line, compressed.
//!
//! Past venue frames cannot be obtained later, and a corrected parser can be run again over recorded ones. A
//! file is a gzip stream of lines; a line is tab-separated:
//!
//! ```text
//! # liqheat raw 1
//! 1763251200123  binance  open    7  BTCUSDT=BTCUSDT*1,ETHUSDT=ETHUSDT*1
//! 1763251200456  binance  frame   7  {"stream":"btcusdt@aggTrade","data":{..}}
//! 1763251200789  binance  answer  BTCUSDT  klines:1m:1763164800000:1763251200000  [[..],..]
//! 1763251201012  okx      tiers   BTCUSDT  venue  1763251200000  0:0.004:100,600000:0.005:80
//! ```
//!
//! The time of receipt in milliseconds; the venue; what it is; then the number of the connection and the frame as
//! it came, or the contract, the question and the answer; or the contract, where its margin tiers come from, their day,
//! and the tiers (from how many dollars on, rate, largest leverage). Line breaks, tabs and backslashes inside are written
//! `\n`, `\r`, `\t`, `\\`; bytes that are no text are replaced. An opening names its contracts, each as
//! `symbol=name at the venue*coins in a contract`; number 0 is no connection, but all contracts followed there. A file
//! begins with the openings and the newest tiers before it, so that it can be read by itself: tiers are what a ledger
//! needs beside rows.

mod files;
mod line;
mod play;
mod read;
mod write;

pub use line::{RawRecord, RawRecordError};
pub use play::{PlaybackCounts, Player};
pub use read::{Damage, RawFile, read, sorted};
pub use write::{RawCounts, RawSettings, RawWriter};
