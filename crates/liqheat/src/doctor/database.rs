//! The database file: room on its disk, whether it opens, and what it holds.

#![expect(
    clippy::disallowed_methods,
    reason = "opening a database takes long, so it happens off the async workers"
)]

use std::path::Path;

use indicatif::HumanBytes;
use liqheat_market::UnixMs;
use liqheat_store::{InstrumentSpan, Location, SCHEMA_VERSION, Store, StoreError};
use liqheat_wire::format_time;

use super::{Findings, Grade};

pub(super) async fn check(path: &Path, findings: &mut Findings) {
    const ABOUT: &str = "database";
    disk(path, findings);
    if !path.exists() {
        let text = format_args!("{} is not there yet; `serve` and `ingest` create it", path.display());
        return findings.add(Grade::Warn, ABOUT, text);
    }
    let location = Location::File(path.to_owned());
    let opening =
        tokio::task::spawn_blocking(move || Store::open(location, liqheat_store::Settings::default()));
    let store = match opening.await {
        Ok(Ok(store)) => store,
        Ok(Err(error @ StoreError::Locked { .. })) => {
            // A running server is the best of reasons; what is in the file cannot be looked at then.
            return findings.add(
                Grade::Warn,
                ABOUT,
                format_args!("{error}; if that is your server, ask its /ready"),
            );
        }
        Ok(Err(error)) => return findings.add(Grade::Fail, ABOUT, error),
        Err(error) => return findings.add(Grade::Fail, ABOUT, error),
    };
    match contents(&store).await {
        Ok((size, spans)) => {
            let size = HumanBytes(size);
            let path = path.display();
            findings.add(Grade::Ok, ABOUT, format_args!("{path}: schema version {SCHEMA_VERSION}, {size}"));
            if spans.is_empty() {
                let text = "holds no market data yet; `serve --symbols` and `ingest` bring some";
                findings.add(Grade::Warn, ABOUT, text);
            }
            for span in &spans {
                newest(&store, span, findings).await;
            }
        }
        Err(error) => findings.add(Grade::Fail, ABOUT, error),
    }
    if let Err(error) = store.close().await {
        findings.add(Grade::Fail, ABOUT, error);
    }
}

async fn contents(store: &Store) -> Result<(u64, Vec<InstrumentSpan>), StoreError> {
    let stats = store.stats().await?;
    Ok((stats.file_bytes + stats.log_bytes, store.instruments().await?))
}

/// How old the newest rows of an instrument are.
async fn newest(store: &Store, span: &InstrumentSpan, findings: &mut Findings) {
    let about = span.instrument.to_string();
    let reach = match store.reach(&span.instrument, span.interval).await {
        Ok(reach) => reach,
        Err(error) => return findings.add(Grade::Fail, &about, error),
    };
    let shown = |time: Option<UnixMs>| time.map_or("none".to_owned(), format_time);
    let text = format!(
        "bars of {} from {} to {}; newest open interest {}, mark price {}, trade {}",
        span.interval,
        format_time(span.first),
        format_time(span.last),
        shown(reach.open_interest),
        shown(reach.mark_price),
        shown(reach.trade.map(|(_, time)| time)),
    );
    if reach.open_interest.is_none() {
        let text = format!(
            "{text}; without open interest there is no heatmap: load metrics files, or follow it live"
        );
        return findings.add(Grade::Warn, &about, text);
    }
    findings.add(Grade::Ok, &about, text);
}

/// Room beside the file; what is written there first is the log.
fn disk(path: &Path, findings: &mut Findings) {
    const ABOUT: &str = "disk";
    const SCARCE: u64 = 1 << 30;
    const NONE: u64 = 64 << 20;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(folder) {
        Err(error) => {
            let text =
                format_args!("{}: {error}; create the folder, or choose another with --db", folder.display());
            findings.add(Grade::Fail, ABOUT, text);
        }
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let text = format_args!("{} free in {}", HumanBytes(free), folder.display());
            match free {
                ..NONE => findings.add(
                    Grade::Fail,
                    ABOUT,
                    format_args!("{text}; free some, or nothing can be stored"),
                ),
                NONE..SCARCE => findings.add(
                    Grade::Warn,
                    ABOUT,
                    format_args!("{text}; a symbol takes about 100 MB a day with trades"),
                ),
                _ => findings.add(Grade::Ok, ABOUT, text),
            }
        }
    }
}
