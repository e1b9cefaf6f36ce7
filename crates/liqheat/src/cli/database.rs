//! The database file, and how long its rows are kept.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use liqheat_store::Retention;

use super::values::days;

#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The database file [default: liqheat.duckdb in the data folder of the platform]
    #[arg(long, env = "LIQHEAT_DB", value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Open a database whose write-ahead log is damaged: rows before the damage are kept, and the whole log is copied
    /// beside it first.
    #[arg(long, env = "LIQHEAT_RECOVER")]
    pub(crate) recover: bool,
}

impl Database {
    pub(crate) fn settings(&self) -> liqheat_store::Settings {
        liqheat_store::Settings { recover: self.recover, ..liqheat_store::Settings::default() }
    }

    /// The file to use; the platform's data folder is created when it is needed.
    #[expect(clippy::disallowed_methods, reason = "makes the folder of the database")]
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.db {
            return Ok(path.clone());
        }
        let folders = choose_native_strategy().map_err(|_| {
            anyhow::anyhow!("this user has no home folder to keep a database in; name a file with --db")
        })?;
        let folder = folders.data_dir().join("liqheat");
        std::fs::create_dir_all(&folder).map_err(|error| {
            anyhow::anyhow!("cannot create {}: {error}; name another file with --db", folder.display())
        })?;
        Ok(folder.join("liqheat.duckdb"))
    }
}

/// How long rows are kept.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// Days that trades are kept; for ever by default. They take by far the most space.
    #[arg(long, env = "LIQHEAT_KEEP_TRADES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_trades: Option<Duration>,
    /// Days that ticks of the mark price are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_MARK_PRICES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_mark_prices: Option<Duration>,
    /// Days that klines, open interest, funding and liquidations are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_BARS", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_bars: Option<Duration>,
    /// Days that measured positions are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_MEASURED", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_measured: Option<Duration>,
}

impl RetentionArgs {
    pub(crate) const fn retention(&self) -> Retention {
        Retention {
            klines: self.keep_bars,
            trades: self.keep_trades,
            mark_prices: self.keep_mark_prices,
            open_interest: self.keep_bars,
            funding: self.keep_bars,
            liquidations: self.keep_bars,
            measured: self.keep_measured,
        }
    }
}
