//! `POST /v1/ingest`: a file of market data into the database that this server has open.
//!
//! One file at a time. The body is kept in a temporary file first, because a zip is read from its end; a body that breaks
//! off has changed nothing. The rows are then stored in small batches: the store answers in order, so the updater waits for
//! one batch at most. Loading ends with the request: a client that leaves ends it after the batch being stored. Rows are
//! stored once however often they come, so whatever was cut short is finished by sending the file again.

mod sink;
mod upload;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use liqheat_feeds::archive::{Family, ReadOptions};
use liqheat_market::Symbol;
use liqheat_store::Store;
use liqheat_wire::{IngestBody, IngestStateBody};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::claims::IngestClaims;
use super::parts::SymbolDirectory;
use crate::compute::ComputePool;
use crate::http::{Query, Refusal};
use crate::ingest::files::{FileKind, LoadedFile, SourceFile, load_file};
use sink::LedgerSink;
use upload::{receive, too_large};

/// Most bytes of a file as it is sent: a month of trades in a zip.
pub(super) const BYTES_MAX: u64 = 256 << 20;
/// Longest name of a file.
pub(super) const NAME_BYTES_MAX: usize = 1_024;
/// Rows in one transaction.
const BATCH_ROWS: usize = 20_000;
/// When to come back while another file is loaded.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Loads one file at a time.
pub(crate) struct Ingests {
    store: Store,
    /// Real rows do not belong into a simulated market.
    is_simulated: bool,
    running: Arc<Semaphore>,
    /// Reading and storing, off the async workers.
    compute: ComputePool,
}

impl Ingests {
    pub(crate) fn new(store: Store, is_simulated: bool) -> Self {
        let running = Arc::new(Semaphore::new(1));
        Self { store, is_simulated, running, compute: ComputePool::new(1) }
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.is_simulated {
            return Err(Refusal::bad(
                "this server serves a simulated market, which takes no files; send them to one that was started with `liqheat serve`",
            ));
        }
        Ok(())
    }
}

/// Whether files would be taken: a client asks before it sends one.
pub(super) async fn state(
    State(ingests): State<Arc<Ingests>>,
    _claims: IngestClaims,
    query: Query,
) -> Result<Json<IngestStateBody>, Refusal> {
    query.only(&[])?;
    ingests.check()?;
    let is_running = ingests.running.available_permits() == 0;
    Ok(Json(IngestStateBody { bytes_max: BYTES_MAX, is_running }))
}

pub(super) async fn ingest(
    State(ingests): State<Arc<Ingests>>,
    State(symbols): State<SymbolDirectory>,
    claims: IngestClaims,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IngestBody>, Refusal> {
    let (name, options) = named(&query)?;
    // A form of another page cannot send this type without asking first.
    if !is_bytes(&headers) {
        return Err(Refusal::malformed("the header Content-Type must be application/octet-stream"));
    }
    ingests.check()?;
    if body.size_hint().lower() > BYTES_MAX {
        return Err(too_large());
    }
    let Ok(running) = Arc::clone(&ingests.running).try_acquire_owned() else {
        return Err(Refusal::unavailable_for(
            RETRY_AFTER,
            "another file is being loaded, and they are loaded one at a time; repeat the request after the time in Retry-After",
        ));
    };
    let content = receive(body).await?;
    let stop = CancellationToken::new();
    let _stop_with_request = stop.clone().drop_guard();
    let mut sink = LedgerSink::new(ingests.store.clone(), claims, &symbols.catalog);
    let path = name.clone();
    let loaded = ingests.compute.run(move || {
        let file = SourceFile { content: &content, name: &path };
        let loaded = match FileKind::of(file) {
            Some(kind) => load_file(file, kind, &options, &mut sink, &stop).map(Some),
            None => Ok(None),
        };
        // Before the client has the answer and may send the next file.
        drop(running);
        loaded.map(|loaded| loaded.map(|loaded| (loaded, sink.not_served)))
    });
    let (loaded, not_served) = loaded.await?.ok_or_else(|| {
        Refusal::malformed(format!("{}: neither .csv, .csv.gz, .zip nor .parquet", name.display()))
    })?;
    answer(&name, loaded, not_served).map(Json)
}

fn answer(name: &Path, loaded: LoadedFile, not_served: BTreeSet<String>) -> Result<IngestBody, Refusal> {
    let name = name.display().to_string();
    if loaded.is_foreign() {
        return Err(Refusal::malformed(format!("{name}: {}", loaded.errors.join("; "))));
    }
    let LoadedFile { what, instruments, stored, already_there, refused, errors, remarks, has_trouble } =
        loaded;
    info!(name, what, rows = stored, already_there, refused, has_trouble, "file loaded");
    Ok(IngestBody {
        name,
        what: what.to_owned(),
        instruments: instruments.iter().map(ToString::to_string).collect(),
        rows: stored,
        already_there,
        refused,
        errors,
        remarks,
        has_trouble,
        not_served: not_served.into_iter().collect(),
    })
}

/// The name of the file, and its family and symbol where the client gives them.
fn named(query: &Query) -> Result<(PathBuf, ReadOptions), Refusal> {
    query.only(&["name", "family", "symbol"])?;
    let name = query.required("name")?;
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::malformed(format!(
            "parameter 'name' must be a file's name with its folders, at most {NAME_BYTES_MAX} bytes and without control characters"
        )));
    }
    let assume_family = query.get("family").map(|family| {
        Family::from_name(family).ok_or_else(|| {
            Refusal::malformed(format!("parameter 'family' must be one of {}", Family::names()))
        })
    });
    let assume_symbol = query.get("symbol").map(|symbol| {
        Symbol::new(symbol).map_err(|error| Refusal::malformed(format!("parameter 'symbol': {error}")))
    });
    let options = ReadOptions {
        assume_family: assume_family.transpose()?,
        assume_symbol: assume_symbol.transpose()?,
        batch_rows: BATCH_ROWS,
    };
    Ok((PathBuf::from(name), options))
}

fn is_bytes(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/octet-stream")
}
