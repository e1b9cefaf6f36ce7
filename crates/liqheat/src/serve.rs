//! `demo`, `serve` and `replay`: the same server over different sources.

#![expect(
    clippy::disallowed_methods,
    reason = "opening a database takes long, so it happens off the async workers"
)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use liqheat_feeds::live::{LiveSettings, Recorder};
use liqheat_feeds::sim::SimConfig;
use liqheat_feeds::tiers::TierBook;
use liqheat_market::{KlineKind, UnixMs};
use liqheat_server::{Server, ServerEnd, ServerSettings, Source};
use liqheat_store::{InstrumentSpan, Location, Settings, Store};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{Demo, Front, Replay, Role, ServeArgs, exposure};
use crate::effective::EffectiveSettings;
use crate::ingest;
use crate::listen::Listeners;
use crate::record;
use crate::reload::Reloader;
use crate::stop::on_signal;
use crate::terminal::{self, complain};
use crate::tiers;

const DAY_MS: i64 = 86_400_000;
const SPEED_SIMULATED: f64 = 120.0;
const SPEED_RECORDED: f64 = 600.0;

pub(crate) async fn serve(serve: ServeArgs, effective: EffectiveSettings) -> anyhow::Result<ExitCode> {
    let stop = on_signal()?;
    let reloader = Some(Reloader::new(serve.role, effective)?);
    let mut settings = serve.front.settings(serve.role)?;
    if serve.role == Role::Edge {
        return edge(serve.front, settings, reloader, stop).await;
    }
    let recorder = match &serve.record {
        Some(folder) if serve.is_live() => Some(record::recorder(&serve.raw, folder)?),
        _ => None,
    };
    let source = if serve.is_live() {
        let settings = serve.live.settings(&serve.front.symbols).map_err(record::settings_error)?;
        let recorder = recorder.clone().map(|recorder| recorder as Arc<dyn Recorder>);
        Source::Live(Box::new(LiveSettings { recorder, ..settings }))
    } else {
        Source::Stored
    };
    let store = open(Location::File(serve.db.path()?), serve.db.settings()).await?;
    settings.retention = serve.keep.retention();
    settings.measured = serve.live.measured();
    let ended = run(serve.front, settings, (store, source, TierBook::default()), reloader, stop).await;
    if let Some(recorder) = recorder {
        record::close(recorder).await?;
    }
    ended
}

pub(crate) async fn replay(replay: Replay) -> anyhow::Result<ExitCode> {
    let stop = on_signal()?;
    let (store, tiers) = if replay.raw_files.is_empty() {
        (open(Location::File(replay.db.path()?), replay.db.settings()).await?, TierBook::default())
    } else {
        // Not into the platform's own file by accident.
        let location = replay.db.db.clone().map_or(Location::Memory, Location::File);
        let store = open(location, replay.db.settings()).await?;
        let recorded = record::load(&store, &replay.raw_files, &stop).await?;
        if stop.is_cancelled() {
            store.close().await?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(database) = store.location().path() {
            tiers::keep_recorded(database, &recorded)?;
        }
        (store, tiers::recorded(&recorded))
    };
    let source = played(&store, replay.from, replay.to, replay.speed).await?;
    let source = match (source, store.location().path()) {
        (Some(source), _) => source,
        (None, Some(path)) => anyhow::bail!(empty(path)),
        (None, None) => anyhow::bail!("the raw frames hold no klines of a minute; nothing can be played"),
    };
    let settings = replay.front.settings(Role::All)?;
    run(replay.front, settings, (store, source, tiers), None, stop).await
}

pub(crate) async fn demo(demo: Demo) -> anyhow::Result<ExitCode> {
    let stop = on_signal()?;
    let settings = demo.front.settings(Role::All)?;
    let location = demo.demo_db.clone().map_or(Location::Memory, Location::File);
    let store = open(location, Settings::default()).await?;
    let source = if demo.data.is_empty() {
        let defaults = SimConfig::default();
        let config = SimConfig { seed: demo.seed.unwrap_or(defaults.seed), ..defaults };
        Source::Simulated {
            config: Box::new(config),
            history: Duration::from_secs(u64::from(demo.days) * 86_400),
            speed: demo.speed.unwrap_or(SPEED_SIMULATED),
        }
    } else {
        let (loading, paths) = (store.clone(), demo.data.clone());
        let token = stop.clone();
        let load = move || ingest::load(&loading, &paths, None, None, &token);
        let summary = tokio::task::spawn_blocking(load).await??;
        if stop.is_cancelled() {
            store.close().await?;
            return Ok(ExitCode::SUCCESS);
        }
        complain!("{}", summary.table());
        let speed = demo.speed.unwrap_or(SPEED_RECORDED);
        let source = played(&store, demo.from, demo.to, speed).await?;
        source.context("no klines among the files; a heatmap needs klines and metrics (open interest)")?
    };
    run(demo.front, settings, (store, source, TierBook::default()), None, stop).await
}

pub(crate) async fn open(location: Location, settings: Settings) -> anyhow::Result<Store> {
    Ok(tokio::task::spawn_blocking(move || Store::open(location, settings)).await??)
}

fn empty(path: &Path) -> String {
    format!(
        "{} holds no klines; load some with `liqheat ingest PATH --db {}`",
        path.display(),
        path.display()
    )
}

/// What to play: as asked, or the last days without a gap, one day into them so that there is a chart to
/// begin with. `None` when nothing is stored.
async fn played(
    store: &Store,
    from: Option<UnixMs>,
    to: Option<UnixMs>,
    speed: f64,
) -> anyhow::Result<Option<Source>> {
    let spans = store.instruments().await?;
    let Some(span) = spans.iter().max_by_key(|span| span.last) else {
        return Ok(None);
    };
    // The open interest at the end of a bar is counted up to a tenth of a bar later; without that moment the
    // last bar would never be shown.
    let to = to.unwrap_or_else(|| span.last.plus(span.interval.ms() / 10));
    let from = match from {
        Some(from) => from,
        None => {
            let begins = last_stretch(store, span, to).await?;
            begins.plus(DAY_MS.min(to.since(begins) / 3))
        }
    };
    anyhow::ensure!(
        from < to,
        "--from {} must be earlier than --to {}",
        liqheat_wire::format_time(from),
        liqheat_wire::format_time(to)
    );
    Ok(Some(Source::Played { from, to, speed }))
}

/// Where the last stretch of bars begins that has no hole of a day or more.
async fn last_stretch(store: &Store, span: &InstrumentSpan, to: UnixMs) -> anyhow::Result<UnixMs> {
    // A hole before the last thirty days would not be in the chart anyway.
    let since = span.first.max(to.plus(-30 * DAY_MS));
    let bars = store.klines(&span.instrument, KlineKind::Last, span.interval, since, to).await?;
    let after_hole =
        bars.windows(2).rev().find(|pair| pair[1].open_time.since(pair[0].close_time()) >= DAY_MS);
    let first = bars.first().map_or(span.first, |bar| bar.open_time);
    Ok(after_hole.map_or(first, |pair| pair[1].open_time))
}

async fn run(
    front: Front,
    settings: ServerSettings,
    (store, source, recorded): (Store, Source, TierBook),
    reloader: Option<Reloader>,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let tiers = tiers::load(front.tiers.as_deref(), store.location().path(), recorded)?;
    // Taken before the work of building, so that a busy port is reported at once.
    let listeners = Listeners::bind(&front)?;
    let building = Server::build(store.clone(), source, settings, &tiers);
    let server = tokio::select! {
        server = building => server,
        () = stop.cancelled() => {
            store.close().await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            store.close().await?;
            return Err(error.into());
        }
    };
    answer(&front, server, listeners, reloader, stop).await
}

/// An edge: nothing to open, nothing to build.
async fn edge(
    front: Front,
    settings: ServerSettings,
    reloader: Option<Reloader>,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let listeners = Listeners::bind(&front)?;
    let server = Server::edge(settings)?;
    answer(&front, server, listeners, reloader, stop).await
}

/// Serves until asked to stop.
async fn answer(
    front: &Front,
    server: Server,
    Listeners { main: listener, metrics }: Listeners,
    reloader: Option<Reloader>,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let address = listener.local_addr()?;
    if let Some(warning) = exposure(address, &front.tokens) {
        warn!(%address, "{warning}");
    }
    let url = format!("http://{address}/");
    terminal::announce(&format!("liqheat: {url}"));
    if front.open
        && let Err(error) = open::that_detached(&url)
    {
        info!(%error, "no browser could be opened");
    }
    let server = match metrics {
        Some(metrics) => server.with_metrics_listener(metrics),
        None => server,
    };
    let reload = server.reload();
    let reloading = async {
        match reloader {
            Some(reloader) => reloader.run(reload).await,
            None => std::future::pending().await,
        }
    };
    let stopped = tokio::select! {
        stopped = server.run(listener, stop.cancelled()) => stopped,
        () = reloading => unreachable!("a reloader never ends"),
    };
    match stopped? {
        ServerEnd::InOrder => Ok(ExitCode::SUCCESS),
        ServerEnd::Fault(part) => {
            complain!("liqheat: stopped because of '{part}'; the log says more");
            Ok(ExitCode::FAILURE)
        }
    }
}
