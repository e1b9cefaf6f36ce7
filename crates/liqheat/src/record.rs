//! `record`, and what `serve --record` and `replay RAW` share with it: raw frames into files, and out of them again.

#![expect(
    clippy::disallowed_methods,
    reason = "opening and closing the recorder touches files, so it happens off the async workers"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::HumanCount;
use liqheat_feeds::live::{
    DELIVERIES_WAITING, Delivery, LiveFeed, LiveSettings, LiveStatus, RawKind, TierRounds,
};
use liqheat_feeds::raw::{self, Player, RawFile, RawWriter};
use liqheat_feeds::tiers::TierOrigin;
use liqheat_market::{Event, Instrument};
use liqheat_store::{Batch, Store};
use liqheat_wire::format_time;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::{RawArgs, Record};
use crate::stop::on_signal;
use crate::terminal::{self, complain};
use crate::tiers::RecordedTiers;

/// Runs until it is asked to stop.
pub(crate) async fn record(record: Record) -> anyhow::Result<ExitCode> {
    /// Between two lines that say how it goes.
    const TOLD_EVERY: Duration = Duration::from_secs(30);
    let stop = on_signal()?;
    let settings = record.live.settings(&record.symbols).map_err(settings_error)?;
    let recorder = recorder(&record.raw, &record.folder)?;
    let settings = LiveSettings { recorder: Some(Arc::clone(&recorder) as _), ..settings };
    terminal::announce(&format!("liqheat: recording into {}", record.folder.display()));
    let (deliveries, mut delivered) = mpsc::channel(DELIVERIES_WAITING);
    let feed = LiveFeed::start(settings.clone(), BTreeMap::new(), deliveries, stop.clone())?;
    let status = feed.status();
    let asks_end = CancellationToken::new();
    let asking = tiers(&settings, feed.status(), &asks_end);
    let mut tell = tokio::time::interval(TOLD_EVERY);
    tell.tick().await;
    let mut events = 0;
    let counting = async {
        loop {
            tokio::select! {
                delivery = delivered.recv() => match delivery {
                    // They are in the frames; what they are made of here only shows that parsers understand them.
                    Some(Delivery::Events { events: some, .. }) => events += some.len() as u64,
                    Some(Delivery::Gap(gap)) => {
                        let (from, to) = (format_time(gap.from), format_time(gap.to));
                        warn!(instrument = %gap.instrument, stream = gap.stream.name(), from, to, reason = gap.reason, "data is missing for good");
                    }
                    Some(Delivery::Filled { .. }) => {}
                    None => break,
                },
                _ = tell.tick() => {
                    let counts = recorder.counts();
                    info!(records = counts.written, dropped = counts.dropped, files = counts.files, events, sources = sources(&status.borrow()), "recording");
                }
            }
        }
        asks_end.cancel();
    };
    tokio::join!(counting, asking);
    let ended = feed.ended().await;
    close(recorder).await?;
    ended.map_err(|error| anyhow::anyhow!("the live sources: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Requests the margin tiers of venues and records them, until it is asked to end: without them frames give the same rows, but
/// not the same picture.
async fn tiers(settings: &LiveSettings, status: watch::Receiver<Arc<LiveStatus>>, end: &CancellationToken) {
    let (Some(mut rounds), Some(recorder)) = (TierRounds::new(settings), &settings.recorder) else { return };
    loop {
        let tables = tokio::select! {
            () = end.cancelled() => return,
            tables = rounds.next(|| Arc::clone(&status.borrow()), |_| true) => tables,
        };
        let Some(tables) = tables else { return };
        for (instrument, table) in tables {
            let kind = RawKind::Tiers { symbol: instrument.symbol, origin: TierOrigin::Venue, table };
            recorder.record(instrument.venue, settings.clock.market_now(), &kind, &[]);
        }
    }
}

fn sources(status: &LiveStatus) -> String {
    let venue = |venue: &liqheat_feeds::live::VenueStatus| format!("{} {}", venue.venue, venue.state.name());
    status.venues.iter().map(venue).collect::<Vec<_>>().join(", ")
}

/// Several mistakes as one error.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err wants")]
pub(crate) fn settings_error(faults: Vec<String>) -> anyhow::Error {
    anyhow::anyhow!(faults.join("; "))
}

/// A recorder that has begun its first file.
pub(crate) fn recorder(raw: &RawArgs, folder: &Path) -> anyhow::Result<Arc<RawWriter>> {
    let writer = RawWriter::start(raw.settings(folder.to_path_buf()));
    let writer = writer.with_context(|| {
        format!("cannot record into {}; check its permissions, or choose another folder", folder.display())
    })?;
    Ok(Arc::new(writer))
}

/// Ends the last file.
pub(crate) async fn close(recorder: Arc<RawWriter>) -> anyhow::Result<()> {
    let counts = tokio::task::spawn_blocking(move || recorder.close()).await?;
    info!(records = counts.written, dropped = counts.dropped, files = counts.files, "recorded");
    Ok(())
}

/// Loads raw frames into a database, and says on standard error what became of them. Returns the margin tiers that were
/// in use.
pub(crate) async fn load(
    store: &Store,
    paths: &[PathBuf],
    stop: &CancellationToken,
) -> anyhow::Result<RecordedTiers> {
    let files = raw::sorted(paths).context("cannot read the raw frames")?;
    anyhow::ensure!(!files.is_empty(), "no file of raw frames (raw-*.gz) was found under the given paths");
    let (store, stop) = (store.clone(), stop.clone());
    let (lines, tiers) = tokio::task::spawn_blocking(move || load_files(&store, &files, &stop)).await??;
    for line in lines {
        complain!("{line}");
    }
    Ok(tiers)
}

fn load_files(
    store: &Store,
    files: &[PathBuf],
    stop: &CancellationToken,
) -> anyhow::Result<(Vec<String>, RecordedTiers)> {
    let (mut loader, mut lines) = (Loader::new(store), Vec::new());
    for file in files {
        let mut trouble = None;
        let done = raw::read(file, |record| {
            let outcome = loader.take(&record);
            let go_on = outcome.is_ok() && !stop.is_cancelled();
            trouble = outcome.err();
            go_on
        });
        if let Some(error) = trouble {
            return Err(error).with_context(|| format!("loading {}", file.display()));
        }
        lines.push(describe_file(&done));
        if stop.is_cancelled() {
            return Ok((lines, RecordedTiers::new()));
        }
    }
    loader.store_all()?;
    let counts = loader.player.counts();
    lines.push(format!(
        "{} records: {} events, {} repeated, {} refused, {} of connections that were not recorded from their beginning",
        HumanCount(counts.records),
        HumanCount(counts.events),
        HumanCount(counts.repeated),
        HumanCount(counts.refused),
        HumanCount(counts.orphaned),
    ));
    Ok((lines, loader.player.tiers().clone()))
}

fn describe_file(file: &RawFile) -> String {
    let records = HumanCount(file.records);
    match &file.damage {
        None => format!("{}: {records} records", file.path.display()),
        Some(damage) => format!("{}: {records} records; the rest is not read: {damage}", file.path.display()),
    }
}

/// Events on their way into the database.
struct Loader<'a> {
    store: &'a Store,
    player: Player,
    events: Vec<(Instrument, Event)>,
}

impl<'a> Loader<'a> {
    const BATCH_ROWS: usize = 100_000;

    fn new(store: &'a Store) -> Self {
        Self { store, player: Player::new(), events: Vec::new() }
    }

    fn take(&mut self, record: &raw::RawRecord) -> anyhow::Result<()> {
        self.player.take(record, &mut self.events);
        if self.events.len() >= Self::BATCH_ROWS { self.store_all() } else { Ok(()) }
    }

    fn store_all(&mut self) -> anyhow::Result<()> {
        let mut batches: BTreeMap<Instrument, Batch> = BTreeMap::new();
        for (instrument, event) in self.events.drain(..) {
            batches.entry(instrument).or_default().push(event);
        }
        for (instrument, batch) in batches {
            self.store.append(&instrument, batch).blocking()?;
        }
        Ok(())
    }
}
