//! Binance public archive files.
