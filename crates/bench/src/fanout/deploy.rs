//! `liqheat-bench deploy`: a rolling restart under load. Two servers, restarted one after the other while many clients
//! follow them; each client goes where and when its server's goodbye says, resumes with the state it has, and every
//! state is checked against its hash. With `--connect` the servers (or a proxy before them) are somebody else's, and
//! so are the restarts; the clients do the same.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use liqheat_market::convert::count_u32;
use tokio_util::sync::CancellationToken;

use super::arrivals::Stamps;
use super::child::Server;
use super::limits;
use super::load::{ClientSpec, ExpectedMessages, Load, Node as Served};
use super::market::Market;
use crate::cli::FanoutArgs;
use liqheat::terminal::say;

/// Traffic before, between and after the restarts.
const BETWEEN: Duration = Duration::from_secs(5);
/// Beyond the drain window: for the last to be back, and for a server to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// One of the servers that take turns.
struct Node {
    server: Server,
    address: SocketAddr,
}

impl Node {
    /// `seed` says which course of events: no two servers are at the same positions.
    fn start(arguments: &FanoutArgs, seed: u32, port: u16) -> anyhow::Result<Self> {
        let words = format!(
            "server --hz {} --levels {} --changes {} --connections {} --drain {} --seed {seed} --port {port} --log error",
            arguments.hz,
            arguments.levels,
            arguments.changes,
            // While the other one is down, everybody is here.
            arguments.clients,
            arguments.drain.as_secs_f64()
        );
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let mut server = Server::start(&words)?;
        server.go()?;
        let address = server.address;
        Ok(Self { server, address })
    }
}

/// Restarts both and prints what the clients saw. Returns whether nobody lost anything.
///
/// # Errors
/// When a server does not start or does not stop, or the machine does not allow that number of clients.
pub(crate) fn run(arguments: &FanoutArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    limits::check_clients(arguments.clients)?;
    if arguments.connect.is_empty() { restart_own(arguments, stop) } else { watch(arguments, stop) }
}

fn load(
    arguments: &FanoutArgs,
    addresses: Vec<SocketAddr>,
    symbol: String,
    stop: &CancellationToken,
) -> anyhow::Result<Load> {
    let expects = ExpectedMessages::States { symbols: vec![symbol], mode: "delta" };
    let forwarded = arguments.forwarded;
    let ask =
        ClientSpec { addresses, path: "/ws/heatmap", protocol: None, deflate: false, forwarded, expects };
    let mut load = Load::new(ask, stop.clone())?;
    load.connect(arguments.clients)?;
    load.start_counting();
    Ok(load)
}

/// Clients of servers that run already, for the given seconds or until interrupted.
fn watch(arguments: &FanoutArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    const SECONDS: Duration = Duration::from_secs(60);
    let seconds = arguments.seconds.unwrap_or(SECONDS);
    let addresses: Vec<String> = arguments.connect.iter().map(ToString::to_string).collect();
    say!("deploy: {} clients at {} for {} s", arguments.clients, addresses.join(", "), seconds.as_secs_f64());
    let mut load = load(arguments, arguments.connect.clone(), arguments.symbol.clone(), stop)?;
    say!("all clients have a state");
    by_node(&load);
    load.read_for(seconds, &Stamps::default())?;
    report(&mut load)
}

fn restart_own(arguments: &FanoutArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    let mut nodes = [Node::start(arguments, 1, 0)?, Node::start(arguments, 2, 0)?];
    let addresses = nodes.iter().map(|node| node.address).collect();
    // Nobody asks when states arrived, only whether they did.
    let stamps = Stamps::default();
    say!(
        "deploy: {} clients on 2 servers, {} updates a second, drain window {} s",
        arguments.clients,
        arguments.hz,
        arguments.drain.as_secs_f64()
    );
    let mut load = load(arguments, addresses, Market::symbol(0), stop)?;
    load.read_for(BETWEEN, &stamps)?;
    for (number, node) in nodes.iter_mut().enumerate() {
        let before = load.returns().sent_away;
        let began = Instant::now();
        node.server.begin_to_stop();
        let deadline = began + arguments.drain + PATIENCE;
        while !node.server.has_ended() {
            load.turn(Duration::from_millis(20))?;
            ensure!(Instant::now() < deadline, "server {number} did not stop in time");
            ensure!(!stop.is_cancelled(), "interrupted");
        }
        let stopped = began.elapsed();
        *node = Node::start(arguments, 3 + count_u32(number), node.address.port())?;
        while load.away() > 0 {
            load.turn(Duration::from_millis(20))?;
            ensure!(Instant::now() < deadline, "{} clients did not come back in time", load.away());
            ensure!(!stop.is_cancelled(), "interrupted");
        }
        say!(
            "server {number}: stopped in {:.2} s; {} clients sent away, the last one back after {:.2} s",
            stopped.as_secs_f64(),
            load.returns().sent_away - before,
            began.elapsed().as_secs_f64()
        );
        load.read_for(BETWEEN, &stamps)?;
    }
    let clients_moved = load.returns().sent_away > 0;
    Ok(report(&mut load)? && clients_moved)
}

/// Prints who serves the clients, where servers say who they are.
fn by_node(load: &Load) {
    for (number, node) in load.nodes().iter().enumerate() {
        let (clients, Served { name, handshakes, deliveries }) = (load.clients_at(number), node);
        say!("{name}: {clients} clients, {handshakes} handshakes so far, {deliveries} states delivered");
    }
}

/// Prints what the clients saw. Returns whether nobody lost anything.
fn report(load: &mut Load) -> anyhow::Result<bool> {
    let (counts, returns) = (load.counts(), load.returns());
    let quantiles = |histogram: &hdrhistogram::Histogram<u64>| {
        let at = |quantile| histogram.value_at_quantile(quantile);
        format!("{} / {} / {}", at(0.50), at(0.99), at(1.0))
    };
    say!("states delivered and checked: {}", counts.deliveries);
    say!("connections lost without a goodbye: {}; wrong states: {}", counts.lost, counts.faults.sum());
    say!(
        "sent away: {}; back with a state: {}; by a difference: {}",
        returns.sent_away,
        returns.back,
        returns.resumed
    );
    say!("asked to wait, ms p50 / p99 / max: {}", quantiles(&returns.asked_ms));
    say!("without a state, ms p50 / p99 / max: {}", quantiles(&returns.without_state_ms));
    say!("new connections in a second, at most: {}", returns.peak_a_second());
    say!("attempts refused while a server was down: {}", returns.refused);
    if let Some(refusal) = &returns.first_refusal {
        say!("the first of them: {refusal}");
    }
    by_node(load);
    let ok =
        counts.lost + counts.faults.sum() == 0 && returns.back == returns.sent_away && counts.deliveries > 0;
    if let Some(fault) = load.take_arrivals(&Stamps::default())?.1 {
        say!("first fault: {fault}");
    }
    Ok(ok)
}
