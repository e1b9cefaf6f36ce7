//! `liqheat-bench fanout`: what one update to many clients costs, beside what it must cost at least.
//!
//! Each row is a server in a process of its own, the same load client, the same number of clients, bytes and
//! updates a second. The floor is one plain write(2) a client from one loop; nchan is what others install.
//! Every state that reaches a client is checked against its hash.

mod arrivals;
pub(super) mod bandwidth;
mod check;
pub(super) mod child;
pub(super) mod deploy;
mod frames;
pub(super) mod limits;
mod load;
mod market;
mod nchan;
mod report;
mod returns;
mod serving;

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use tokio_util::sync::CancellationToken;

use crate::cli::{FanoutArgs, Row};
use arrivals::Stamps;
use child::{Server, Usage};
use liqheat::terminal::{complain, say};
use load::{ClientSpec, ExpectedMessages, Load};
use market::Market;
use nchan::{Nchan, Publisher};
use report::{Figures, Rounds};

pub(crate) use serving::{floor, server};

/// Time for servers to settle before their memory is read, and for the last frames to arrive.
const SETTLE: Duration = Duration::from_millis(1_500);

/// Measures all rows and prints them. Returns whether every state was as promised.
///
/// # Errors
/// When the machine does not allow that number of clients, or something cannot be started.
pub(super) fn run(arguments: &FanoutArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    limits::check_clients(arguments.clients)?;
    say!(
        "fanout: {} clients, {} bytes x {} a second x {} s, {} symbol(s)",
        arguments.clients,
        serving::sample(arguments.levels).len(),
        arguments.hz,
        seconds(arguments).as_secs_f64(),
        arguments.symbols
    );
    let stalls: &[f64] = if arguments.stalled > 0.0 { &[0.0, arguments.stalled] } else { &[0.0] };
    let cases = arguments.rows.iter().flat_map(|row| stalls.iter().map(|stalled| (*row, *stalled)));
    let mut rounds: Vec<Rounds> = cases.map(|(row, stalled)| Rounds::new(row, stalled)).collect();
    let mut failed = false;
    // One row after the other and then all again: what changes on the machine meanwhile touches all of them.
    for round in 0..arguments.rounds {
        for phases in rounds.chunks_mut(stalls.len()) {
            if stop.is_cancelled() {
                failed = true;
                break;
            }
            let row = phases[0].row;
            match measure(row, stalls, arguments, stop) {
                Ok(figures) => {
                    for (phase, figures) in phases.iter_mut().zip(figures) {
                        failed |= figures.has_faults();
                        phase.push(round, figures);
                    }
                }
                Err(error) if row == Row::Nchan => say!("nchan: {error:#}"),
                Err(error) => {
                    failed = true;
                    say!("{}: {error:#}", report::name(row));
                }
            }
        }
        if arguments.rounds > 1 {
            complain!("round {} of {} is done", round + 1, arguments.rounds);
        }
    }
    say!("{}", report::table(&rounds));
    for line in report::remarks(&rounds) {
        say!("{line}");
    }
    Ok(!failed)
}

/// Of traffic in each row.
fn seconds(arguments: &FanoutArgs) -> Duration {
    arguments.seconds.unwrap_or(Duration::from_secs(10))
}

/// A server to measure.
enum Peer {
    Own(Server),
    Nchan(Nchan, Stamps),
}

impl Peer {
    fn start(row: Row, arguments: &FanoutArgs) -> anyhow::Result<Self> {
        let (hz, levels) = (arguments.hz, arguments.levels);
        let words = match row {
            Row::Nchan => return Ok(Self::Nchan(Nchan::start()?, Stamps::default())),
            Row::Floor => format!("floor --hz {hz} --levels {levels}"),
            _ => format!(
                "server --hz {hz} --levels {levels} --changes {} --symbols {} --connections {} --log error",
                arguments.changes, arguments.symbols, arguments.clients
            ),
        };
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        Ok(Self::Own(Server::start(&words)?))
    }

    fn id(&self) -> u32 {
        match self {
            Self::Own(server) => server.id(),
            Self::Nchan(nchan, _) => nchan.worker,
        }
    }

    fn stamps(&self) -> Stamps {
        match self {
            Self::Own(server) => server.stamps.clone(),
            Self::Nchan(_, stamps) => stamps.clone(),
        }
    }

    fn ask(&self, row: Row, arguments: &FanoutArgs) -> ClientSpec {
        let (address, path) = match self {
            Self::Own(server) => (server.address, "/ws/heatmap"),
            Self::Nchan(nchan, _) => (nchan.address, nchan::PATH),
        };
        let mode = if row.is_delta() { "delta" } else { "snapshot" };
        let expects = match row {
            Row::Floor | Row::Nchan => ExpectedMessages::Same(Rc::from(serving::sample(arguments.levels))),
            _ => ExpectedMessages::States {
                symbols: (0..arguments.symbols).map(Market::symbol).collect(),
                mode,
            },
        };
        let addresses = vec![address];
        ClientSpec {
            addresses,
            path,
            protocol: row.protocol(),
            deflate: row.is_deflated(),
            forwarded: false,
            expects,
        }
    }
}

/// One row: a phase of traffic for each of these shares of stalled clients, over the same connections to the same
/// process, because two processes differ from one another by more than what is looked for.
fn measure(
    row: Row,
    stalls: &[f64],
    arguments: &FanoutArgs,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Figures>> {
    let mut peer = Peer::start(row, arguments)?;
    thread::sleep(SETTLE);
    let empty = Usage::of(peer.id())?;
    let stamps = peer.stamps();
    let mut load = Load::new(peer.ask(row, arguments), stop.clone())?;
    load.connect(arguments.clients)?;
    load.read_for(SETTLE, &stamps)?;
    let idle = Usage::of(peer.id())?;
    let _publisher = match &mut peer {
        Peer::Own(server) => {
            server.go()?;
            None
        }
        Peer::Nchan(nchan, stamps) => {
            let text = serving::sample(arguments.levels);
            Some(Publisher::start(nchan.address, &text, arguments.hz, stamps.clone())?)
        }
    };
    let connected = arguments.clients;
    let mut phases = Vec::new();
    for stalled in stalls {
        let clients = connected - load.stall(*stalled)?;
        load.start_counting();
        let began = Usage::of(peer.id())?;
        // Memory under traffic is compared between here and the end.
        load.read_for(SETTLE, &stamps)?;
        let early = Usage::of(peer.id())?;
        load.read_for(seconds(arguments).saturating_sub(SETTLE), &stamps)?;
        let late = Usage::of(peer.id())?;
        let counts = load.stop_counting();
        // The stamps of the last frames are on their way.
        load.read_for(Duration::from_millis(300), &stamps)?;
        ensure!(!stop.is_cancelled(), "interrupted");
        let (arrivals, first_fault) = load.take_arrivals(&stamps)?;
        phases.push(Figures {
            connected,
            clients,
            empty,
            idle,
            began,
            early,
            late,
            counts,
            arrivals,
            first_fault,
        });
    }
    Ok(phases)
}
