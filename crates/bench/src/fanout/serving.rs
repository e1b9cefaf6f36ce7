//! The hidden commands that are measured: the real front and sessions over made-up boards, and the floor.

use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use liqheat_market::UnixMs;
use liqheat_market::convert::count_u32;
use liqheat_server::{AddressLimits, Server, ServerEnd, ServerSettings, SocketSettings};
use liqheat_store::{Location, Settings, Store};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tungstenite::handshake::derive_accept_key;

use super::arrivals::now_micros;
use super::child::{GO, print_stamp};
use super::frames::unmasked_text;
use super::limits::raise_descriptors;
use super::market::Market;
use crate::cli::{BenchFloor, BenchServer};
use liqheat::terminal::{complain, say};

/// What the parent says: begin, then, by closing the pipe, end.
struct Parent {
    go: CancellationToken,
    ended: CancellationToken,
}

impl Parent {
    fn listen() -> Self {
        let parent = Self { go: CancellationToken::new(), ended: CancellationToken::new() };
        let (go, ended) = (parent.go.clone(), parent.ended.clone());
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line.trim() == GO {
                    go.cancel();
                }
            }
            ended.cancel();
        });
        parent
    }
}

/// `server`: the router, the upgrade and the sessions of `serve`, over boards that change by themselves.
pub(crate) async fn server(arguments: BenchServer) -> anyhow::Result<ExitCode> {
    let parent = Parent::listen();
    raise_descriptors();
    let store = tokio::task::spawn_blocking(|| Store::open(Location::Memory, Settings::default())).await??;
    let names: Vec<String> = (0..arguments.symbols).map(Market::symbol).collect();
    let turn = Duration::from_secs_f64(1.0 / arguments.hz);
    let settings = ServerSettings {
        update_interval: turn,
        sockets: SocketSettings {
            connections_max: arguments.connections,
            drain_window: arguments.drain,
            ..SocketSettings::default()
        },
        // All clients come from one address.
        addresses: AddressLimits { open_max: u32::MAX, new_per_minute_max: u32::MAX, addresses_max: 10 },
        ..ServerSettings::default()
    };
    let server = Server::over_boards(store, names, settings)?;
    let hub = Arc::clone(server.hub());
    let BenchServer { seed, levels, changes, vanishing, .. } = arguments;
    let market = |number| Market::seeded(number, u64::from(seed), levels, changes, vanishing);
    let mut markets: Vec<Market> = (0..arguments.symbols).map(market).collect();
    let now = || UnixMs((now_micros() / 1_000).cast_signed());
    for (number, market) in markets.iter().enumerate() {
        if let Some(slot) = hub.slot(&Market::symbol(number)) {
            slot.publish(market.update(now()));
        }
    }
    let ended = parent.ended.clone();
    let drive = async move {
        parent.go.cancelled().await;
        // One symbol after the other, spread over the interval.
        let mut tick = tokio::time::interval(turn / count_u32(arguments.symbols));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in (0..arguments.symbols).cycle() {
            tick.tick().await;
            let market = &mut markets[number];
            market.step();
            let Some(slot) = hub.slot(&Market::symbol(number)) else { break };
            let (update, stamp) = (market.update(now()), now_micros());
            if slot.publish(update) {
                print_stamp(number, slot.with_board(liqheat_stream::Board::seq).unwrap_or(0), stamp);
            }
        }
    };
    let driving = tokio::spawn(drive);
    let listener = liqheat::listen((Ipv4Addr::LOCALHOST, arguments.port).into())?;
    say!("liqheat: http://{}/", listener.local_addr()?);
    let stopped = server.run(listener, ended.cancelled()).await?;
    driving.abort();
    Ok(if stopped == ServerEnd::InOrder { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `floor`: what the kernel costs. The same bytes to every socket with one plain write(2) each, in one
/// loop on one thread; no server that sends the same bytes over TCP can do with less.
pub(crate) fn floor(arguments: &BenchFloor) -> anyhow::Result<ExitCode> {
    let parent = Parent::listen();
    raise_descriptors();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    say!("liqheat: http://{}/", listener.local_addr()?);
    let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let opened = Arc::clone(&sockets);
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream.map_err(anyhow::Error::from).and_then(shake_hands) {
                Ok(stream) => opened.lock().unwrap_or_else(PoisonError::into_inner).push(stream),
                Err(error) => complain!("liqheat: the floor: {error:#}"),
            }
        }
    });
    let frame = unmasked_text(&sample(arguments.levels));
    let turn = Duration::from_secs_f64(1.0 / arguments.hz);
    while !parent.go.is_cancelled() {
        if parent.ended.is_cancelled() {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let mut sockets = std::mem::take(&mut *sockets.lock().unwrap_or_else(PoisonError::into_inner));
    let mut next = Instant::now();
    for seq in 1.. {
        if parent.ended.is_cancelled() {
            break;
        }
        let stamp = now_micros();
        // A socket that does not take the whole frame is let go, and its client counts as lost.
        sockets.retain_mut(|socket| socket.write(&frame).is_ok_and(|written| written == frame.len()));
        print_stamp(0, seq, stamp);
        next += turn;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The text that the floor and other servers repeat: as large as what ours sends.
pub(super) fn sample(levels: usize) -> Vec<u8> {
    Market::new(0, levels, 0).snapshot_json(UnixMs(1_764_000_000_123))
}

fn shake_hands(mut stream: TcpStream) -> anyhow::Result<TcpStream> {
    const PATIENCE: Duration = Duration::from_secs(10);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut request, mut piece) = (Vec::new(), [0; 1_024]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0 && request.len() < 16_384, "no handshake came");
        request.extend_from_slice(&piece[..read]);
    }
    let request = String::from_utf8_lossy(&request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.context("a handshake without a key")?.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
