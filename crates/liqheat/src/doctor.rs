//! `doctor`: what is wrong, and what to do about it.
//!
//! Venues are tried with the very connectors that `serve` uses, for as long as it takes to hear of each, so that
//! what is found here is what the server would find. Without a network that is known within a second.

#![expect(clippy::disallowed_methods, reason = "the shell of the checks: real venues, with a deadline")]

mod running;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use indicatif::{HumanBytes, HumanDuration};
use liqheat_feeds::live::{ClockHealth, DELIVERIES_WAITING, LiveFeed, LiveStatus, VenueStatus};
use liqheat_feeds::tiers::TierBook;
use liqheat_feeds::venues::StreamKind;
use liqheat_market::{Instrument, SourceState, UnixMs};
use liqheat_server::describe_tiers;
use liqheat_store::{InstrumentSpan, Location, SCHEMA_VERSION, Store, StoreError};
use liqheat_wire::format_time;
use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::cli::{Doctor, Role, exposure};
use crate::record;
use crate::terminal::say;
use crate::tiers;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Ok,
    Warn,
    Fail,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// Everything that was found; printed as it comes.
#[derive(Debug)]
struct Findings(Grade);

impl Findings {
    fn add(&mut self, grade: Grade, about: &str, text: impl fmt::Display) {
        say!("{grade:<4}  {about:<12}  {text}");
        self.0 = self.0.max(grade);
    }
}

pub(crate) async fn run(doctor: Doctor, unknown_variables: &[String]) -> anyhow::Result<ExitCode> {
    let mut findings = Findings(Grade::Ok);
    findings.add(Grade::Ok, "settings", "command line, environment and file are understood");
    for warning in unknown_variables {
        findings.add(Grade::Warn, "settings", warning);
    }
    descriptors(&mut findings);
    access(&doctor, &mut findings);
    running::check(doctor.listen, &mut findings).await;
    let path = doctor.db.path()?;
    database(&path, &mut findings).await;
    margins(&doctor, &path, &mut findings);
    redis(&doctor, &mut findings).await?;
    venues(&doctor, &mut findings).await?;
    say!();
    match findings.0 {
        Grade::Ok => say!("All is well."),
        Grade::Warn => say!("Nothing that keeps the server from working; see the lines with warn."),
        Grade::Fail => say!("Something is wrong; see the lines with FAIL."),
    }
    Ok(if findings.0 == Grade::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A socket of a viewer takes a descriptor each.
fn descriptors(findings: &mut Findings) {
    const COMFORTABLE: u64 = 4_096;
    let limit = getrlimit(Resource::Nofile);
    match limit.maximum {
        Some(most) if most < COMFORTABLE => findings.add(
            Grade::Warn,
            "descriptors",
            format_args!(
                "at most {most} may be open, so fewer viewers fit; raise it with `ulimit -Hn` or LimitNOFILE"
            ),
        ),
        Some(most) => findings.add(Grade::Ok, "descriptors", format_args!("{most} may be open")),
        None => findings.add(Grade::Ok, "descriptors", "as many as wanted may be open"),
    }
}

/// Who can reach the server, and what they need.
fn access(doctor: &Doctor, findings: &mut Findings) {
    const ABOUT: &str = "access";
    match exposure(doctor.listen, &doctor.tokens) {
        Some(warning) => findings.add(Grade::Warn, ABOUT, warning),
        None if doctor.tokens.are_required() => {
            findings.add(Grade::Ok, ABOUT, "tokens are required for data");
        }
        None => {
            let text = format_args!("{} can be reached from this machine only", doctor.listen);
            findings.add(Grade::Ok, ABOUT, text);
        }
    }
}

async fn database(path: &Path, findings: &mut Findings) {
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

/// Which margin tiers each contract's ledger is computed with.
fn margins(doctor: &Doctor, database: &Path, findings: &mut Findings) {
    const ABOUT: &str = "tiers";
    let book = match tiers::load(doctor.tiers.as_deref(), Some(database), TierBook::default()) {
        Ok(book) => book,
        Err(error) => return findings.add(Grade::Fail, ABOUT, format_args!("{error:#}")),
    };
    // Faults of the names are reported with the venues.
    let Ok(settings) = doctor.live.settings(&doctor.symbols) else { return };
    for venue in &settings.venues {
        for symbol in &venue.symbols {
            let instrument = Instrument::new(venue.venue, symbol.clone());
            let text = describe_tiers(&book, &instrument);
            match book.origin(&instrument) {
                Some(_) => findings.add(Grade::Ok, ABOUT, format_args!("{instrument}: {text}")),
                None => {
                    let text = format_args!("{instrument}: {text}; give a table with --tiers");
                    findings.add(Grade::Warn, ABOUT, text);
                }
            }
        }
    }
}

/// Follows every venue until each has shown what it is.
/// What servers with the same settings would find in Redis.
async fn redis(doctor: &Doctor, findings: &mut Findings) -> anyhow::Result<()> {
    const ABOUT: &str = "redis";
    let Some(settings) = doctor.cluster.settings(Role::Edge, &doctor.symbols)? else { return Ok(()) };
    let address = &settings.address;
    let probe = match liqheat_cluster::probe(&settings, &doctor.symbols).await {
        Ok(probe) => probe,
        Err(error) => {
            let text = format_args!("{address}: {error}; see docs/troubleshooting.md, 'Several servers'");
            findings.add(Grade::Fail, ABOUT, text);
            return Ok(());
        }
    };
    for (key, why) in &probe.unusable {
        let text = format_args!("{address}: the value of {key} is ignored: {why}; delete the key");
        findings.add(Grade::Warn, ABOUT, text);
    }
    let prefix = &settings.prefix;
    let group = probe.group.as_deref().unwrap_or("nothing yet");
    if probe.has_producer {
        let states: Vec<String> =
            probe.symbols.iter().map(|(symbol, feed)| format!("{symbol} {}", feed.name())).collect();
        let states = if states.is_empty() { "no states yet".to_owned() } else { states.join(", ") };
        let text = format_args!("{address}: the servers of prefix '{prefix}' serve {group}; {states}");
        findings.add(Grade::Ok, ABOUT, text);
    } else {
        let text = format_args!(
            "{address}: no producer under prefix '{prefix}' (last served: {group}); start a server with --role all"
        );
        findings.add(Grade::Warn, ABOUT, text);
    }
    Ok(())
}

async fn venues(doctor: &Doctor, findings: &mut Findings) -> anyhow::Result<()> {
    let settings = doctor.live.settings(&doctor.symbols).map_err(record::settings_error)?;
    if settings.venues.is_empty() {
        findings.add(Grade::Fail, "venues", "none is to be followed; name some with --venues");
        return Ok(());
    }
    let (deliveries, mut delivered) = mpsc::channel(DELIVERIES_WAITING);
    let stop = CancellationToken::new();
    let (clock, wait) = (settings.clock.clone(), doctor.doctor_wait);
    let feed = LiveFeed::start(settings, BTreeMap::new(), deliveries, stop.clone())?;
    let drain = tokio::spawn(async move { while delivered.recv().await.is_some() {} });
    let mut status = feed.status();
    let began = Instant::now();
    // Settled or not, what is known by then is reported.
    let _ = timeout_at(began + wait, status.wait_for(|status| is_settled(status))).await.map(|_| ());
    let status = LiveStatus::clone(&status.borrow());
    let now = clock.market_now();
    stop.cancel();
    let ended = feed.ended().await;
    drain.abort();
    for venue in &status.venues {
        add_venue(venue, now, findings);
    }
    let nobody = !status.venues.is_empty()
        && status
            .venues
            .iter()
            .all(|venue| venue.connections == 0 && venue.frames == 0 && !venue.has_nothing());
    if nobody {
        let text = "no venue can be reached: is this machine offline, or is there a firewall? The server would serve what is stored, marked stale";
        findings.add(Grade::Fail, "network", text);
    }
    if let Err(error) = ended {
        findings.add(Grade::Fail, "venues", error);
    }
    Ok(())
}

/// Every venue has brought data, or has said why not.
fn is_settled(status: &LiveStatus) -> bool {
    let settled = |venue: &VenueStatus| match venue.state {
        _ if venue.has_nothing() => true,
        SourceState::Live | SourceState::Lagging => venue.skew_ms.is_some(),
        SourceState::Down => venue.trouble.is_some(),
        SourceState::Connecting | SourceState::Stale | SourceState::Unlisted => false,
    };
    !status.venues.is_empty() && status.venues.iter().all(settled)
}

fn add_venue(venue: &VenueStatus, now: UnixMs, findings: &mut Findings) {
    const SKEW_WARN_MS: u64 = 1_000;
    let about = venue.venue.name();
    let because = venue.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    for symbol in &venue.unlisted {
        let text = format_args!(
            "has no {symbol}: it is excluded from the sum; if it goes by another name there, give it with --contract-names"
        );
        findings.add(Grade::Warn, about, text);
    }
    match venue.state {
        _ if venue.has_nothing() => {}
        SourceState::Live | SourceState::Lagging => {
            let of_kind = |kind: StreamKind| venue.streams.iter().filter(move |stream| stream.stream == kind);
            let has_data = |kind: &StreamKind| of_kind(*kind).any(|stream| stream.heard.is_some());
            let brings: Vec<&str> =
                StreamKind::ALL.into_iter().filter(has_data).map(StreamKind::name).collect();
            let text =
                format_args!("{}: {} frames; {} came", venue.state.name(), venue.frames, brings.join(", "));
            findings.add(Grade::Ok, about, text);
        }
        state if venue.frames > 0 => {
            let silent: Vec<String> = venue
                .streams
                .iter()
                .filter(|stream| !stream.state.brings_data())
                .map(|stream| format!("{} of {}", stream.stream.name(), stream.symbol))
                .collect();
            let text = format_args!(
                "{}, though frames come; silent: {}{because}; wait longer with --doctor-wait, or check that the symbol is traded there",
                state.name(),
                silent.join(", ")
            );
            findings.add(Grade::Warn, about, text);
        }
        state => {
            let text = format_args!(
                "{}{because}; check the network, DNS, a proxy, and the address (--venue-url {about}=..)",
                state.name()
            );
            findings.add(Grade::Fail, about, text);
        }
    }
    match venue.skew_ms {
        Some(skew) if venue.clock == ClockHealth::Wrong => {
            let text = format_args!(
                "this machine's clock is {skew} ms off the clock of {about}: the server would be degraded; synchronise it (chrony, systemd-timesyncd)"
            );
            findings.add(Grade::Fail, "clock", text);
        }
        Some(skew) if venue.clock == ClockHealth::Off || skew.unsigned_abs() > SKEW_WARN_MS => {
            let text = format_args!(
                "this machine's clock is {skew} ms off the clock of {about}; synchronise it (chrony, systemd-timesyncd)"
            );
            findings.add(Grade::Warn, "clock", text);
        }
        Some(skew) => findings.add(Grade::Ok, "clock", format_args!("{skew} ms from that of {about}")),
        None => {}
    }
    if let Some(until) = venue.banned_until.filter(|until| *until > now) {
        let wait = HumanDuration(std::time::Duration::from_millis(until.since(now).unsigned_abs()));
        let text =
            format_args!("{about} wants no request for {wait}: something on this address asks too much");
        findings.add(Grade::Fail, "limits", text);
    } else if venue.weight_limit > 0 && venue.frames > 0 {
        let (used, most) = (venue.weight_used, venue.weight_limit);
        let grade = if used.saturating_mul(5) > most.saturating_mul(4) { Grade::Warn } else { Grade::Ok };
        findings.add(grade, "limits", format_args!("{used} of {most} a minute used at {about}"));
    }
}
