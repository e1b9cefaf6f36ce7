//! What the caller of the reader knows of a file.

use liqheat_market::Symbol;

use super::Family;

/// What the caller knows, and how much is handed out at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// For files that do not say what they hold. It never overrules a name.
    pub assume_family: Option<Family>,
    /// For files and rows that do not say whose they are. It never overrules a name.
    pub assume_symbol: Option<Symbol>,
    /// Rows per batch.
    pub batch_rows: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { assume_family: None, assume_symbol: None, batch_rows: 20_000 }
    }
}
