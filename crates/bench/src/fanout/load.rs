//! The load client: many WebSocket connections on one thread and one epoll, so that what it costs is the same
//! for every server it is pointed at.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use liqheat_market::convert::{approx_f64, trunc_usize};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tokio_util::sync::CancellationToken;
use tungstenite::handshake::derive_accept_key;

use super::arrivals::{Arrivals, Stamps, now_micros};
use super::check::{Checker, Faults, State};
use super::frames::{FrameCutter, Kind, Message, masked};
use super::returns::Returns;

/// Handshakes on their way at once.
const WAVE: usize = 250;
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const READ_BYTES: usize = 256 * 1_024;
/// By which a server (or the proxy before it) says which one it is.
const NODE_HEADER: &str = "x-served-by";

/// What each connection asks for.
#[derive(Debug, Clone)]
pub(super) struct ClientSpec {
    /// Servers; client n begins at number n modulo their number, and at the next one when its own sends it away.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) path: &'static str,
    /// Has to be confirmed.
    pub(super) protocol: Option<&'static str>,
    /// permessage-deflate; has to be agreed on.
    pub(super) deflate: bool,
    /// Whether each client says that it comes from a network of its own, to a proxy that believes it and places clients
    /// by their address.
    pub(super) forwarded: bool,
    pub(super) expects: ExpectedMessages,
}

/// Messages that the server has to send.
#[derive(Debug, Clone)]
pub(super) enum ExpectedMessages {
    /// States of symbols, after subscribing: client n follows symbol n modulo their number.
    States { symbols: Vec<String>, mode: &'static str },
    /// The same text again and again; its number is its `seq`.
    Same(Rc<[u8]>),
}

/// What was counted while traffic ran.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// States, or repetitions of the same text.
    pub(super) deliveries: u64,
    /// All bytes read.
    pub(super) bytes: u64,
    /// Connections that ended and should not have.
    pub(super) lost: u64,
    /// Told to be slow.
    pub(super) warnings: u64,
    pub(super) faults: Faults,
}

#[derive(Debug)]
enum Stage {
    /// The answer to the handshake, as far as it came.
    Opening(Vec<u8>),
    /// Open, and no state yet.
    Waiting,
    Ready,
    /// Never read again, on purpose.
    Stalled,
    /// Sent away, and asked to come back at a moment.
    Away(Instant),
    Gone,
}

struct Client {
    stream: TcpStream,
    stage: Stage,
    cutter: FrameCutter,
    /// What could not be written yet.
    unsent: Vec<u8>,
    /// Which address.
    server: usize,
    /// Which of the servers that say who they are answered last.
    node: Option<usize>,
    /// When to come back, once the server said that it is going.
    back_at: Option<Instant>,
    /// When it was sent away; until it has a state again.
    sent_away: Option<Instant>,
    symbol: usize,
    state: Option<Rc<State>>,
    /// Repetitions received.
    repetitions: u64,
}

/// Connections and what they hear.
pub(super) struct Load {
    ask: ClientSpec,
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    shared: LoadState,
    buffer: Vec<u8>,
    opening: usize,
    /// Clients that may be away.
    any_away: bool,
    stop: CancellationToken,
}

/// State that all clients share.
struct LoadState {
    checker: Checker,
    arrivals: Arrivals,
    counts: Counts,
    returns: Returns,
    /// Servers that say who they are.
    nodes: Vec<Node>,
    /// Whether what comes is counted.
    counting: bool,
}

/// What one of several servers did.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) handshakes: u64,
    /// States since counting began.
    pub(super) deliveries: u64,
}

/// Why a connection ended.
enum End {
    Closed,
    Broken(String),
}

impl Load {
    pub(super) fn new(ask: ClientSpec, stop: CancellationToken) -> anyhow::Result<Self> {
        let shared = LoadState {
            checker: Checker::default(),
            arrivals: Arrivals::new()?,
            counts: Counts::default(),
            returns: Returns::new()?,
            nodes: Vec::new(),
            counting: false,
        };
        Ok(Self {
            ask,
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            clients: Vec::new(),
            shared,
            buffer: vec![0; READ_BYTES],
            opening: 0,
            any_away: false,
            stop,
        })
    }

    /// Opens connections in waves and waits until each has what it needs to begin.
    ///
    /// # Errors
    /// When one is refused, or it takes too long.
    pub(super) fn connect(&mut self, clients: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30) + Duration::from_millis(10 * clients as u64);
        while self.clients.len() < clients || self.opening > 0 {
            while self.clients.len() < clients && self.opening < WAVE {
                self.open()?;
            }
            self.turn(Duration::from_millis(100))?;
            ensure!(
                Instant::now() < deadline,
                "{} of {clients} connections did not open in time",
                self.opening + clients - self.clients.len()
            );
            ensure!(!self.stop.is_cancelled(), "interrupted");
            let counts = &self.shared.counts;
            if counts.lost > 0 || counts.faults.sum() > 0 {
                bail!("{}", self.shared.checker.first_fault.as_deref().unwrap_or("a connection was lost"));
            }
        }
        Ok(())
    }

    fn open(&mut self) -> anyhow::Result<()> {
        let server = self.clients.len() % self.ask.addresses.len();
        let mut stream = TcpStream::connect(self.ask.addresses[server])?;
        let token = Token(self.clients.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let symbols = match &self.ask.expects {
            ExpectedMessages::States { symbols, .. } => symbols.len(),
            ExpectedMessages::Same(_) => 1,
        };
        self.clients.push(Client {
            stream,
            stage: Stage::Opening(Vec::new()),
            cutter: FrameCutter::default(),
            unsent: self.ask.request(server, token.0).into_bytes(),
            server,
            node: None,
            back_at: None,
            sent_away: None,
            symbol: self.clients.len() % symbols,
            state: None,
            repetitions: 0,
        });
        self.opening += 1;
        Ok(())
    }

    /// From now on this many clients, spread over all, read nothing any more.
    pub(super) fn stall(&mut self, share: f64) -> anyhow::Result<usize> {
        let wanted = |n: usize| trunc_usize(approx_f64(n) * share);
        for (n, client) in self.clients.iter_mut().enumerate() {
            if wanted(n + 1) > wanted(n) {
                self.poll.registry().deregister(&mut client.stream)?;
                client.stage = Stage::Stalled;
            }
        }
        Ok(wanted(self.clients.len()))
    }

    pub(super) fn start_counting(&mut self) {
        self.shared.counting = true;
    }

    /// Reads for so long, or until interrupted.
    pub(super) fn read_for(&mut self, time: Duration, stamps: &Stamps) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        let mut fold_at = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end || self.stop.is_cancelled() {
                return Ok(());
            }
            if now >= fold_at {
                fold_at = now + Duration::from_secs(1);
                self.shared.arrivals.fold(stamps, now_micros());
            }
            self.turn((end - now).min(Duration::from_millis(100)))?;
        }
    }

    /// From now on nothing is counted, until counting starts again from nothing. Gives what was.
    pub(super) fn stop_counting(&mut self) -> Counts {
        self.shared.counting = false;
        std::mem::take(&mut self.shared.counts)
    }

    /// When what was counted was heard, and the first fault in words.
    pub(super) fn take_arrivals(&mut self, stamps: &Stamps) -> anyhow::Result<(Arrivals, Option<String>)> {
        let mut arrivals = std::mem::replace(&mut self.shared.arrivals, Arrivals::new()?);
        arrivals.fold(stamps, u64::MAX);
        Ok((arrivals, self.shared.checker.first_fault.take()))
    }

    /// Clients that were sent away and came back.
    pub(super) const fn returns(&self) -> &Returns {
        &self.shared.returns
    }

    /// Clients that are away, or back without a state yet.
    pub(super) fn away(&self) -> usize {
        self.clients.iter().filter(|client| client.sent_away.is_some()).count()
    }

    /// What each server did, where servers name themselves.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.shared.nodes
    }

    /// How many clients are at each of them now.
    pub(super) fn clients_at(&self, node: usize) -> usize {
        let there = |client: &&Client| client.node == Some(node) && matches!(client.stage, Stage::Ready);
        self.clients.iter().filter(there).count()
    }

    /// What was heard since counting began.
    pub(super) fn counts(&self) -> Counts {
        self.shared.counts
    }

    /// Waits for something to come and takes it.
    pub(super) fn turn(&mut self, patience: Duration) -> anyhow::Result<()> {
        let patience = if self.any_away { self.come_back()?.min(patience) } else { patience };
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome.context("waiting for sockets")?,
        }
        for event in &self.events {
            let Some(client) = self.clients.get_mut(event.token().0) else { continue };
            if matches!(client.stage, Stage::Gone | Stage::Stalled | Stage::Away(_)) {
                continue;
            }
            let was_opening = client.is_opening();
            let write = if event.is_writable() { client.write() } else { Ok(()) };
            let hanging_up = event.is_read_closed() || event.is_error();
            let outcome =
                write.and_then(|()| client.read(&self.ask, &mut self.shared, &mut self.buffer, hanging_up));
            if let Err(end) = outcome {
                if client.goes(&end, &mut self.shared) {
                    self.any_away = true;
                } else {
                    client.end(end, &mut self.shared);
                }
                // It may have been torn down by the other side, which is as good.
                let _ = self.poll.registry().deregister(&mut client.stream);
            }
            if was_opening && !client.is_opening() {
                self.opening -= 1;
            }
        }
        Ok(())
    }
}

impl Load {
    /// Opens the connections of those whose time has come, at the next server, and says how long until the next.
    fn come_back(&mut self) -> anyhow::Result<Duration> {
        const LONG: Duration = Duration::from_secs(1);
        let now = Instant::now();
        let mut soonest = None;
        for (number, client) in self.clients.iter_mut().enumerate() {
            let Stage::Away(until) = client.stage else { continue };
            if until > now {
                soonest = Some(soonest.map_or(until, |soonest: Instant| soonest.min(until)));
                continue;
            }
            client.server = (client.server + 1) % self.ask.addresses.len();
            client.stream = TcpStream::connect(self.ask.addresses[client.server])?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut client.stream, Token(number), interest)?;
            client.stage = Stage::Opening(Vec::new());
            client.cutter = FrameCutter::default();
            client.unsent = self.ask.request(client.server, number).into_bytes();
            self.opening += 1;
            self.shared.returns.opened(now_micros());
        }
        self.any_away = soonest.is_some();
        Ok(soonest.map_or(LONG, |soonest| soonest.saturating_duration_since(now)))
    }
}

impl LoadState {
    /// The number of the server of this name; of a proxy that names all it tried, the last one answered.
    fn answered_by(&mut self, names: &str) -> usize {
        let name = names.rsplit(',').next().unwrap_or(names).trim();
        let known = self.nodes.iter().position(|node| node.name == name);
        let number = known.unwrap_or_else(|| {
            self.nodes.push(Node { name: name.to_owned(), handshakes: 0, deliveries: 0 });
            self.nodes.len() - 1
        });
        self.nodes[number].handshakes += 1;
        number
    }
}

impl ClientSpec {
    fn request(&self, server: usize, client: usize) -> String {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n",
            self.path, self.addresses[server]
        );
        if let Some(protocol) = self.protocol {
            request += &format!("Sec-WebSocket-Protocol: {protocol}\r\n");
        }
        if self.deflate {
            request += "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n";
        }
        if self.forwarded {
            request += &format!("X-Forwarded-For: 10.{}.{}.9\r\n", client / 256 % 256, client % 256);
        }
        request + "\r\n"
    }

    /// Whether an answer opens what was asked for.
    fn check(&self, answer: &str) -> Result<(), String> {
        let (status, _) = answer.split_once("\r\n").unwrap_or((answer, ""));
        if !status.starts_with("HTTP/1.1 101") {
            return Err(format!("the handshake was answered with '{status}'"));
        }
        let header = |wanted| header(answer, wanted);
        if header("sec-websocket-accept") != Some(derive_accept_key(KEY.as_bytes()).as_str()) {
            return Err("the handshake was answered with a wrong key".to_owned());
        }
        if header("sec-websocket-protocol") != self.protocol {
            return Err(format!(
                "the server does not speak {}",
                self.protocol.unwrap_or("without subprotocol")
            ));
        }
        let agreed =
            header("sec-websocket-extensions").is_some_and(|text| text.contains("permessage-deflate"));
        if agreed != self.deflate {
            return Err("the server does not agree on permessage-deflate".to_owned());
        }
        Ok(())
    }
}

/// A header of an answer.
fn header<'a>(answer: &'a str, wanted: &str) -> Option<&'a str> {
    let (_, headers) = answer.split_once("\r\n")?;
    let pairs = headers.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
}

impl Client {
    const fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Opening(_) | Stage::Waiting)
    }

    fn write(&mut self) -> Result<(), End> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(End::Closed),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Broken(error.to_string())),
            }
        }
        if self.unsent.is_empty() {
            // Ten thousand spare buffers are worth having back.
            self.unsent = Vec::new();
        }
        Ok(())
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.unsent.extend_from_slice(bytes);
        self.write()
    }

    fn read(
        &mut self,
        ask: &ClientSpec,
        shared: &mut LoadState,
        buffer: &mut [u8],
        to_the_end: bool,
    ) -> Result<(), End> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err(End::Closed),
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(End::Broken(error.to_string())),
            };
            let arrived = now_micros();
            if shared.counting {
                shared.counts.bytes += read as u64;
            }
            self.take(ask, shared, &buffer[..read], arrived)?;
            // A short read has emptied the socket, and an edge-triggered poll says when there is more.
            if read < buffer.len() && !to_the_end {
                return Ok(());
            }
        }
    }

    fn take(
        &mut self,
        ask: &ClientSpec,
        shared: &mut LoadState,
        bytes: &[u8],
        arrived: u64,
    ) -> Result<(), End> {
        let Stage::Opening(answer) = &mut self.stage else {
            return self.frames(ask, shared, bytes, arrived);
        };
        const ANSWER_BYTES_MAX: usize = 16 * 1_024;
        answer.extend_from_slice(bytes);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            if answer.len() > ANSWER_BYTES_MAX {
                return Err(End::Broken("an endless answer to the handshake".to_owned()));
            }
            return Ok(());
        };
        let after = answer.split_off(end + 4);
        let answer = String::from_utf8_lossy(answer);
        ask.check(&answer).map_err(End::Broken)?;
        self.node = header(&answer, NODE_HEADER).map(|name| shared.answered_by(name));
        match &ask.expects {
            ExpectedMessages::Same(_) => self.stage = Stage::Ready,
            ExpectedMessages::States { symbols, mode } => {
                self.stage = Stage::Waiting;
                let symbol = &symbols[self.symbol];
                let resume = self.state.as_ref().map_or_else(String::new, |state| {
                    let State { symbol, epoch, seq, .. } = &**state;
                    format!(r#","resume":{{"{symbol}":{{"epoch":"{epoch}","seq":{seq}}}}}"#)
                });
                let subscribe =
                    format!(r#"{{"action":"subscribe","symbols":["{symbol}"],"mode":"{mode}"{resume}}}"#);
                self.say(&masked(Kind::Text, subscribe.as_bytes()))?;
            }
        }
        self.frames(ask, shared, &after, arrived)
    }

    fn frames(
        &mut self,
        ask: &ClientSpec,
        shared: &mut LoadState,
        bytes: &[u8],
        arrived: u64,
    ) -> Result<(), End> {
        let mut cutter = std::mem::take(&mut self.cutter);
        let mut outcome = Ok(());
        let cut = cutter.take(bytes, &mut |message| {
            if outcome.is_ok() {
                outcome = self.message(ask, shared, message, arrived);
            }
        });
        self.cutter = cutter;
        if let Err(malformed) = cut {
            shared.counts.faults.malformed += 1;
            return Err(End::Broken(malformed.0.to_owned()));
        }
        outcome
    }

    fn message(
        &mut self,
        ask: &ClientSpec,
        shared: &mut LoadState,
        message: Message<'_>,
        arrived: u64,
    ) -> Result<(), End> {
        match message.kind {
            Kind::Ping => return self.say(&masked(Kind::Pong, message.payload)),
            Kind::Pong => return Ok(()),
            Kind::Close => {
                let reason =
                    String::from_utf8_lossy(message.payload.get(2..).unwrap_or_default()).into_owned();
                let code = message.payload.get(..2).map_or(1005, |two| u16::from_be_bytes([two[0], two[1]]));
                return Err(End::Broken(format!("the server closed with {code} '{reason}'")));
            }
            Kind::Text | Kind::Binary => {}
        }
        let seq = match &ask.expects {
            ExpectedMessages::Same(text) => {
                self.repetitions += 1;
                if *message.payload != **text {
                    shared.counts.faults.mismatches += 1;
                }
                Some(self.repetitions)
            }
            ExpectedMessages::States { .. } => {
                let checked = shared.checker.check(self.state.as_ref(), message);
                shared.counts.faults.add(checked.faults);
                if checked.warning && shared.counting {
                    shared.counts.warnings += 1;
                }
                let seq = checked.state.as_ref().map(|state| state.seq);
                if let Some(delay_ms) = checked.goaway_ms {
                    let now = Instant::now();
                    self.back_at = Some(now + Duration::from_millis(delay_ms));
                    self.sent_away = Some(now);
                    shared.returns.asked(delay_ms);
                }
                if checked.state.is_some() {
                    if self.back_at.is_none()
                        && let Some(since) = self.sent_away.take()
                    {
                        shared.returns.done(since.elapsed(), checked.is_delta);
                    }
                    self.state = checked.state;
                    if matches!(self.stage, Stage::Waiting) {
                        self.stage = Stage::Ready;
                    }
                }
                seq
            }
        };
        if let Some(seq) = seq
            && shared.counting
        {
            shared.counts.deliveries += 1;
            if let Some(node) = self.node {
                shared.nodes[node].deliveries += 1;
            }
            shared.arrivals.arrived((self.symbol, seq), arrived);
        }
        Ok(())
    }

    /// Whether a connection ended because the client was sent away, or could not come back yet.
    fn goes(&mut self, end: &End, shared: &mut LoadState) -> bool {
        const AGAIN_MS: u64 = 1_000;
        let until = match (self.back_at.take(), self.sent_away) {
            (Some(until), _) => until,
            // Sent away, and the next server does not answer (yet): a little later, at yet another one.
            (None, Some(_)) if self.is_opening() => {
                let words = if let End::Broken(words) = end { words.as_str() } else { "hung up" };
                shared.returns.refused(words);
                Instant::now() + Duration::from_millis(fastrand::u64(AGAIN_MS / 2..=AGAIN_MS))
            }
            _ => return false,
        };
        self.stage = Stage::Away(until);
        true
    }

    fn end(&mut self, end: End, shared: &mut LoadState) {
        let words = match end {
            End::Closed => "the server hung up".to_owned(),
            End::Broken(words) => words,
        };
        shared.checker.first_fault.get_or_insert(words);
        shared.counts.lost += 1;
        self.stage = Stage::Gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(protocol: Option<&'static str>, deflate: bool) -> ClientSpec {
        let expects = ExpectedMessages::Same(Rc::from(&b"x"[..]));
        let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 80))];
        ClientSpec { addresses, path: "/", protocol, deflate, forwarded: false, expects }
    }

    #[test]
    fn an_answer_must_agree_to_what_was_asked() {
        let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let deflate = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n";
        for (ask, headers, fault) in [
            (ask(None, false), accept.to_owned(), None),
            (ask(None, false), String::new(), Some("wrong key")),
            (ask(None, false), accept.replace("s3p", "x3p"), Some("wrong key")),
            (ask(None, true), accept.to_owned(), Some("permessage-deflate")),
            (ask(None, true), format!("{accept}{deflate}"), None),
            (ask(None, false), format!("{accept}{deflate}"), Some("permessage-deflate")),
            (ask(Some("p"), false), accept.to_owned(), Some("does not speak p")),
            (ask(Some("p"), false), format!("{accept}sec-websocket-protocol: p\r\n"), None),
        ] {
            let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
            let checked = ask.check(&answer);
            assert_eq!(checked.is_err(), fault.is_some(), "{checked:?}");
            assert!(checked.err().unwrap_or_default().contains(fault.unwrap_or("")));
        }
        assert!(ask(None, false).check("HTTP/1.1 503 Service Unavailable\r\n").unwrap_err().contains("503"));
    }
}
