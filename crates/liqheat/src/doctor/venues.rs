//! The venues, tried with the connectors of the server.

#![expect(clippy::disallowed_methods, reason = "the shell of the check: real venues, with a deadline")]

use std::collections::BTreeMap;

use indicatif::HumanDuration;
use liqheat_feeds::live::{ClockHealth, DELIVERIES_WAITING, LiveFeed, LiveStatus, VenueStatus};
use liqheat_feeds::venues::StreamKind;
use liqheat_market::{SourceState, UnixMs};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Findings, Grade};
use crate::cli::Doctor;
use crate::record;

/// Follows every venue until each has brought data or has failed, for `--doctor-wait` at most.
pub(super) async fn check(doctor: &Doctor, findings: &mut Findings) -> anyhow::Result<()> {
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
