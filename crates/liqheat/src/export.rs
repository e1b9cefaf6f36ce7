//! `export`: rows of a database as files, by the same code as `GET /v1/export` of a server.

#![expect(clippy::disallowed_methods, reason = "makes the folder of the files")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use http_body_util::BodyExt;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use liqheat_feeds::tiers::TierBook;
use liqheat_server::{Server, ServerSettings, Source};
use liqheat_store::{Location, Store};
use tokio_util::sync::CancellationToken;

use crate::cli::{Export, ExportWhat};
use crate::stop::on_signal;
use crate::terminal::say;
use crate::{model_file, serve, tiers};

pub(crate) async fn run(export: Export) -> anyhow::Result<ExitCode> {
    let stop = on_signal()?;
    let store = serve::open(Location::File(export.db.path()?), export.db.settings()).await?;
    let done = export_all(&export, &store, &stop).await;
    store.close().await?;
    done
}

async fn export_all(export: &Export, store: &Store, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let tiers = tiers::load(export.tiers.as_deref(), store.location().path(), TierBook::default())?;
    let model = model_file::load(export.model.as_deref())?;
    let settings = ServerSettings { ws_enabled: false, model: model.book, ..ServerSettings::default() };
    let mut server = Server::build(store.clone(), Source::Stored, settings, &tiers).await?;
    let files = files_of(export)?;
    for (what, path) in files {
        let written = tokio::select! {
            written = write(&mut server, export, what, &path) => written,
            () = stop.cancelled() => {
                say!("Stopped; {} was not written.", path.display());
                return Ok(ExitCode::FAILURE);
            }
        };
        let bytes = written.with_context(|| format!("exporting {} to {}", what.name(), path.display()))?;
        say!("{} {}", path.display(), HumanBytes(bytes));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where each kind of rows goes: one kind into the file that is named, several into a folder.
fn files_of(export: &Export) -> anyhow::Result<Vec<(ExportWhat, PathBuf)>> {
    let out = &export.out;
    if let ([what], false) = (export.what.as_slice(), out.is_dir()) {
        return Ok(vec![(*what, out.clone())]);
    }
    std::fs::create_dir_all(out).with_context(|| format!("the folder {} cannot be made", out.display()))?;
    let symbol: String =
        export.symbol.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = |what: ExportWhat| format!("liqheat-{symbol}-{}.{}", what.name(), export.format.name());
    Ok(export.what.iter().map(|what| (*what, out.join(name(*what)))).collect())
}

/// Writes one file under another name and renames it when it is whole. Gives its bytes.
async fn write(server: &mut Server, export: &Export, what: ExportWhat, path: &Path) -> anyhow::Result<u64> {
    let progress = ProgressBar::new_spinner();
    progress.set_style(
        ProgressStyle::with_template("{spinner} {msg} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    progress.enable_steady_tick(Duration::from_millis(200));
    progress.set_message(format!("{}: reading", what.name()));
    let mut parameters = vec![
        ("what", what.name().to_owned()),
        ("symbol", export.symbol.clone()),
        ("format", export.format.name().to_owned()),
    ];
    let time = |moment| liqheat_wire::format_time(moment);
    if let Some(from) = export.from.filter(|_| !what.is_state()) {
        parameters.push(("from", time(from)));
    }
    if let Some(to) = export.to {
        parameters.push(("to", time(to)));
    }
    if let Some(interval) = export.interval.filter(|_| what == ExportWhat::Bars) {
        parameters.push(("interval", interval.name().to_owned()));
    }
    let response = server.ask("/v1/export", &parameters).await;
    let is_well = response.status().is_success();
    let mut body = pin!(response.into_body());
    if !is_well {
        let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let refusal: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        anyhow::bail!("{}", refusal["detail"].as_str().unwrap_or("the export failed; the log says why"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".liqheat-export-").tempfile_in(folder)?;
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            bytes += piece.len() as u64;
            file.write_all(&piece)?;
            progress.set_message(format!("{}: {}", what.name(), HumanBytes(bytes)));
        }
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    progress.finish_and_clear();
    Ok(bytes)
}
