//! Bodies of `/v1/ingest`, which the command `ingest` reads as well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/ingest`: whether files would be taken now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IngestStateBody {
    /// Most bytes of a file, as it is sent.
    pub bytes_max: u64,
    /// Whether a file is being loaded; files are loaded one at a time.
    pub is_running: bool,
}

/// `POST /v1/ingest`: what became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IngestBody {
    /// The name under which it was sent.
    pub name: String,
    /// The family of the archive, `klines (parquet)` or `liquidations`.
    pub what: String,
    /// Whose rows it holds, such as `BTCUSDT@binance`.
    pub instruments: Vec<String>,
    /// Rows that are new in the database.
    pub rows: u64,
    /// Rows that were stored before, or stand in the file twice.
    pub already_there: u64,
    /// Rows refused; `remarks` says why.
    pub refused: u64,
    /// Why the file, or the rest of it, was not loaded; empty when it was read to its end.
    pub errors: Vec<String>,
    /// Refused rows by reason, fields that were lost, and what else is worth knowing.
    pub remarks: Vec<String>,
    /// Whether somebody should look at the file: known gaps of the published data are no trouble.
    pub has_trouble: bool,
    /// Instruments whose rows are stored, but which this server shows only after a restart.
    pub not_served: Vec<String>,
}
