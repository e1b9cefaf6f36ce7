//! `GET /v1/export`: rows as a file, in Parquet, CSV or JSON.
//!
//! One export at a time. Its rows are gathered and written in a temporary folder, a part of them in memory at once, and the
//! file is sent from there. The folder is removed before the first byte is sent: the open file outlives its name.

mod rows;
mod send;
mod table;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use liqheat_market::{Interval, UnixMs};
use liqheat_store::{ExportError, ExportFormat};
use liqheat_wire::format_time;
use tokio::sync::Semaphore;
use tracing::{error, info};

use super::claims::Claims;
use super::parts::{ModelState, SymbolDirectory};
use super::prices::stored_interval;
use super::reading::Reading;
use crate::catalog::ServedSymbol;
use crate::compute::ComputePool;
use crate::history::GridSpan;
use crate::http::{Query, Refusal};
use crate::measured::{MeasuredSymbol, VENUE};
use rows::{ExportKind, ExportScope, KINDS};
use table::TableBuilder;

const DAY_MS: i64 = 86_400_000;
/// Length of what is exported where no `from` is given.
const SPAN_DEFAULT_MS: i64 = DAY_MS;
/// Most rows of a file: a year of minutes at four venues.
pub(super) const ROWS_MAX: u64 = 5_000_000;
/// When to come back while another export runs.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Words that the parameter `what` takes.
pub(super) fn kind_names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

/// Runs one export at a time.
pub(crate) struct Exports {
    running: Arc<Semaphore>,
    /// Gathering and writing, off the async workers.
    compute: ComputePool,
}

impl Exports {
    pub(crate) fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(1)), compute: ComputePool::new(1) }
    }
}

/// What exports are made with.
#[derive(Clone)]
pub(super) struct ExportState {
    pub(super) model: ModelState,
    pub(super) exports: Arc<Exports>,
}

/// Checked parameters of a request.
struct ExportRequest {
    kind: &'static ExportKind,
    symbol: Arc<ServedSymbol>,
    from: UnixMs,
    /// Exclusive. Of levels and walls the moment of the state.
    to: UnixMs,
    /// Whether `to` was given: without, levels and walls are those of now.
    is_past: bool,
    interval: Interval,
    format: ExportFormat,
}

impl ExportRequest {
    async fn of(model: &ModelState, claims: &Claims, query: &Query) -> Result<Self, Refusal> {
        query.only(&["what", "symbol", "from", "to", "format", "interval"])?;
        let kind = ExportKind::named(query.word("what", &kind_names())?).unwrap_or(KINDS[0]);
        let name = query.required("symbol")?;
        let symbol = if kind.is_measured {
            claims.check(name, kind.channel)?;
            measured_at(&model.rows.symbols, name)?
        } else {
            model.rows.symbols.named(name)?
        };
        let symbol = Arc::clone(symbol);
        claims.check(&symbol.name, kind.channel)?;
        let formats = ExportFormat::ALL.map(ExportFormat::name);
        let format = if query.get("format").is_some() { query.word("format", &formats)? } else { "csv" };
        let format = ExportFormat::from_name(format).unwrap_or(ExportFormat::Csv);
        let newest = model.present.local_sum(&symbol).await.ok().map(|sum| sum.as_of);
        let last = last_moment(kind.reach_ms, newest, model.rows.clock.now());
        let to = query.optional_time("to")?;
        let end = to.unwrap_or(last).min(last);
        match kind.scope {
            ExportScope::Moment => query.refuse(&["from", "interval"])?,
            ExportScope::Period => query.refuse(&["interval"])?,
            ExportScope::Candles => {}
        }
        let from = query.time_or("from", end.plus(-SPAN_DEFAULT_MS))?.max(UnixMs(0));
        if from >= end {
            return Err(Refusal::malformed(format!(
                "parameter 'from' must be earlier than the end, {}",
                format_time(end)
            )));
        }
        let interval = stored_interval(query, &symbol, symbol.interval().name())?;
        Ok(Self { kind, symbol, from, to: end, is_past: to.is_some(), interval, format })
    }

    /// The name under which a browser keeps the file.
    fn file_name(&self) -> String {
        let name = self.symbol.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        format!("liqheat-{}-{}.{}", name.collect::<String>(), self.kind.name, self.format.name())
    }

    const fn content_type(&self) -> &'static str {
        match self.format {
            ExportFormat::Parquet => "application/vnd.apache.parquet",
            ExportFormat::Csv => "text/csv; charset=utf-8",
            ExportFormat::Json => "application/json",
        }
    }

    const fn span(&self) -> GridSpan {
        GridSpan::Between { from: self.from, to: self.to }
    }
}

/// Until when there can be rows: stored data may end long before now. `newest` is the newest event of the symbol.
fn last_moment(reach_ms: i64, newest: Option<UnixMs>, now: UnixMs) -> UnixMs {
    newest.map_or(now, |newest| newest.plus(reach_ms).min(now))
}

fn too_many() -> Refusal {
    Refusal::malformed(format!("more than {ROWS_MAX} rows; ask for a shorter time or a longer interval"))
}

/// The symbol whose positions are measured, by any name of it and by that of its layer.
///
/// # Errors
/// Refused where it has no ledger at the venue of measured positions.
fn measured_at<'a>(symbols: &'a SymbolDirectory, name: &str) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let estimate = name.strip_suffix(MeasuredSymbol::SUFFIX).unwrap_or(name);
    let symbol = symbols.named(estimate)?;
    if symbol.venues().contains(&VENUE) {
        return Ok(symbol);
    }
    Err(Refusal::bad(format!("no positions of {estimate} are measured: that is done at {VENUE} only")))
}

pub(super) async fn export(
    State(state): State<ExportState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    let wanted = ExportRequest::of(&state.model, &claims, &query).await?;
    let Ok(running) = Arc::clone(&state.exports.running).try_acquire_owned() else {
        return Err(Refusal::unavailable_for(
            RETRY_AFTER,
            "another export is running, and they run one at a time; repeat the request after the time in Retry-After",
        ));
    };
    let folder = tempfile::Builder::new().prefix("liqheat-export-").tempdir();
    let folder = folder.map_err(|error| {
        error!(folder = %std::env::temp_dir().display(), %error, "no temporary folder for an export");
        Refusal::unavailable("the server cannot make a temporary folder for the export")
    })?;
    let table = TableBuilder::new(&state, folder.path(), wanted.kind.columns).await?;
    let table = (wanted.kind.append)(table, reading, &wanted).await?.into_table();
    let (path, format) = (folder.path().join("export"), wanted.format);
    let rows = table.rows();
    let written = state.exports.compute.run(move || {
        let written = table.write(&path, format);
        // A file that is open is read to its end, whatever happens to its name.
        drop(folder);
        written
    });
    let file = written.await?;
    info!(symbol = wanted.symbol.name, what = wanted.kind.name, rows, "export written");
    let (bytes, body) = send::body(file, running)?;
    let disposition = format!("attachment; filename=\"{}\"", wanted.file_name());
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(wanted.content_type())),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, body).into_response())
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        error!(%error, "export failed");
        match error {
            ExportError::DiskFull { .. } => Self::unavailable(
                "the server has no room for the export in its temporary folder; ask for a shorter time, or tell the operator",
            ),
            ExportError::Failed { .. } => {
                Self::unavailable("the export could not be written; the server's log says why")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use liqheat_measured::LAYER_EVERY_MS;

    use super::*;

    #[test]
    fn a_layer_that_was_stored_after_the_newest_event_can_be_exported() {
        let reach = |name: &str| ExportKind::named(name).unwrap().reach_ms;
        let boundary = UnixMs(1_000 * LAYER_EVERY_MS);
        let newest = boundary.plus(-4_101);
        let layers = last_moment(reach("measured"), Some(newest), boundary.plus(2_000));
        assert!(layers > boundary, "the rows of a moment end after it");
        assert_eq!(last_moment(reach("bars"), Some(newest), boundary.plus(2_000)), newest);
        // Stored data: the clock is far ahead. A clock that is behind has the last word, as for every row.
        for (name, last) in [("bars", newest), ("measured", newest.plus(LAYER_EVERY_MS))] {
            let reach = reach(name);
            assert_eq!(last_moment(reach, Some(newest), boundary.plus(90 * DAY_MS)), last);
            assert_eq!(last_moment(reach, Some(newest), newest.plus(-1)), newest.plus(-1));
            assert_eq!(last_moment(reach, None, boundary), boundary);
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::BTreeSet<&str> = kind_names().into_iter().collect();
        assert_eq!(names.len(), KINDS.len());
    }
}
