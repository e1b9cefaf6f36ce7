//! `doctor`: what is wrong, and what to do about it.
//!
//! Venues are tried with the very connectors that `serve` uses, for as long as it takes to hear of each, so that
//! what is found here is what the server would find. Without a network that is known within a second.

mod database;
mod running;
mod venues;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use liqheat_feeds::tiers::TierBook;
use liqheat_market::Instrument;
use liqheat_server::describe_tiers;
use rustix::process::{Resource, getrlimit};

use crate::cli::{Doctor, Role, exposure};
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
    database::check(&path, &mut findings).await;
    margins(&doctor, &path, &mut findings);
    redis(&doctor, &mut findings).await?;
    venues::check(&doctor, &mut findings).await?;
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
