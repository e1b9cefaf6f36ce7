//! `ingest --server`: sends files to a running server, which loads them into the database that it has open.
//!
//! The server is asked first whether it takes files, so that a wrong address, a missing token or a server without a
//! database is reported before anything is sent. Files go one after the other; stopping in the middle leaves out the rest
//! of the file that is on its way, and running the command again sends it anew.

#![expect(
    clippy::disallowed_methods,
    reason = "verifies checksums off the async workers, and times the load for its summary"
)]

mod client;
mod file_body;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use indicatif::ProgressBar;
use liqheat_feeds::archive::{Family, verify_checksum};
use liqheat_server::FileKind;
use liqheat_wire::{IngestBody, IngestStateBody};
use tokio_util::sync::CancellationToken;

use super::{FoundFile, Summary, Sums, file_name, found_under, progress_bar};
use crate::cli::{Ingest, ServerUrl};
use client::{IngestClient, SendError};

/// Folders and a name that say what a file holds (futures/um/daily/klines/BTCUSDT/5m/NAME), with one to spare; what is
/// above is nobody's business.
const NAME_PARTS_MAX: usize = 8;
/// What a server takes as a name.
const NAME_BYTES_MAX: usize = 1_024;

/// Runs the command; `stop` ends it at once.
pub(crate) async fn run(
    ingest: &Ingest,
    server: ServerUrl,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let client = IngestClient::new(server, ingest.token.as_ref());
    let (found, files) = found_under(&ingest.paths);
    let mut summary = Summary { found, files: files.len(), ..Summary::default() };
    let failed = tokio::select! {
        sent = send_all(&client, ingest, &files, &mut summary) => sent.err(),
        () = stop.cancelled() => None,
    };
    let code = summary.report(&client.server, began.elapsed(), stop.is_cancelled());
    match failed {
        Some(error) => bail!("{error}"),
        None => Ok(code),
    }
}

async fn send_all(
    client: &IngestClient,
    ingest: &Ingest,
    files: &[FoundFile],
    summary: &mut Summary,
) -> Result<(), SendError> {
    let limits = client.state().await?;
    if limits.is_running {
        let server = client.server.to_string();
        let detail = "another file is being loaded, and they are loaded one at a time".to_owned();
        return Err(SendError::Busy { server, detail, retry_after: Some("10".to_owned()) });
    }
    let progress = progress_bar(files.iter().map(|file| file.bytes).sum());
    let mut bytes_done = 0;
    for file in files {
        progress.set_message(file_name(&file.path));
        match send_one(client, ingest, file, &limits, &progress).await {
            Ok(body) => add(summary, &file.path, &body),
            Err(SendError::File(reason)) => summary.add_failed(&file.path, reason),
            Err(error) => return Err(error),
        }
        bytes_done += file.bytes;
        progress.set_position(bytes_done);
    }
    progress.finish_and_clear();
    Ok(())
}

fn add(summary: &mut Summary, path: &Path, body: &IngestBody) {
    let sums = Sums { files: 1, loaded: body.rows, already_there: body.already_there, refused: body.refused };
    let restart = body
        .not_served
        .iter()
        .map(|instrument| format!("note: the server stores {instrument}, but shows it only after a restart"));
    let lines: Vec<String> = body.errors.iter().chain(&body.remarks).cloned().chain(restart).collect();
    summary.add(path, &body.what, sums, lines);
    summary.trouble |= body.has_trouble;
}

async fn send_one(
    client: &IngestClient,
    ingest: &Ingest,
    file: &FoundFile,
    limits: &IngestStateBody,
    progress: &ProgressBar,
) -> Result<IngestBody, SendError> {
    if file.bytes > limits.bytes_max {
        return Err(SendError::File(format!(
            "larger than the {} MiB that the server takes; load the daily files of the same time, or load it with --db while the server is stopped",
            limits.bytes_max >> 20
        )));
    }
    if file.kind == FileKind::Archive {
        let path = file.path.clone();
        let verified = tokio::task::spawn_blocking(move || verify_checksum(&path)).await;
        verified.map_err(io::Error::other)?.map_err(|error| SendError::File(error.to_string()))?;
    }
    let name = name_of(&file.path);
    let family = ingest.family.map(Family::name);
    let symbol = ingest.symbol.as_ref().map(ToString::to_string);
    let mut parameters = vec![("name", name.as_str())];
    parameters.extend(family.map(|family| ("family", family)));
    parameters.extend(symbol.as_deref().map(|symbol| ("symbol", symbol)));
    client.send(file, &parameters, progress).await
}

/// The last folders of a path and its name, as they are sent to the server.
fn name_of(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let fits = |count: &usize| parts[parts.len() - count..].join("/").len() <= NAME_BYTES_MAX;
    let count = (1..=NAME_PARTS_MAX.min(parts.len())).rev().find(fits).unwrap_or(parts.len().min(1));
    parts[parts.len() - count..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_folders_that_say_something() {
        for (path, name) in [
            (
                "/home/a/b/data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
                "data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
            ),
            ("../x/./BTCUSDT-metrics-2025-08-25.csv", "x/BTCUSDT-metrics-2025-08-25.csv"),
            ("a.csv", "a.csv"),
        ] {
            assert_eq!(name_of(Path::new(path)), name);
        }
        let long = format!("{}/klines/a.csv", "x".repeat(2_000));
        assert_eq!(name_of(Path::new(&long)), "klines/a.csv");
    }
}
