//! The socket of the stand-in exchange.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use liqheat_market::{Event, UnixMs};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{ExchangeState, Path};

/// Market time between two pings.
const PING_MS: i64 = 180_000;

pub(super) async fn serve(shared: Arc<ExchangeState>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if shared.faults().refuse_sockets {
                return;
            }
            let number = {
                let mut seen = shared.seen();
                seen.sockets.push(String::new());
                seen.open += 1;
                seen.open_most = seen.open_most.max(seen.open);
                seen.sockets.len() - 1
            };
            // However it ends, it ends.
            let _ = run(&shared, stream, number).await;
            shared.seen().open -= 1;
        });
    }
}

/// One socket: its subscriptions and how far each was sent.
struct SocketSession {
    number: usize,
    path: Path,
    /// Next event of each symbol, and its topics.
    cursors: BTreeMap<String, (usize, Vec<String>)>,
    held: Vec<String>,
}

#[allow(clippy::result_large_err, reason = "the library's signature")]
async fn run(shared: &ExchangeState, stream: TcpStream, number: usize) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut asked = String::new();
    let accepted = tokio_tungstenite::accept_hdr_async(
        stream,
        |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            asked = request.uri().to_string();
            Ok(response)
        },
    );
    let mut socket = accepted.await?;
    shared.seen().sockets[number].clone_from(&asked);
    let path = shared.protocol.path(asked.split('?').next().unwrap_or_default());
    if path == Path::Unknown {
        return socket.close(None).await;
    }
    let mut run = SocketSession { number, path, cursors: BTreeMap::new(), held: Vec::new() };
    let mut cut = shared.cut.subscribe();
    cut.mark_unchanged();
    let opened = shared.now();
    let mut ping_at = opened.plus(PING_MS);
    loop {
        let life = shared.faults().socket_life_ms;
        let end = life.map_or(UnixMs(i64::MAX), |life| opened.plus(life));
        let next = run.next(shared).unwrap_or(UnixMs(i64::MAX)).min(ping_at).min(end);
        let wait = shared.real(next.since(shared.now())).min(Duration::from_millis(20));
        tokio::select! {
            _ = cut.changed() => return Ok(()),
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => run.on_text(shared, &mut socket, &text).await?,
                Some(Ok(Message::Pong(_))) => shared.seen().pongs += 1,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            () = tokio::time::sleep(wait) => {}
        }
        let now = shared.now();
        if now >= end {
            return socket.close(None).await;
        }
        if now >= ping_at {
            ping_at = now.plus(PING_MS);
            socket.send(Message::Ping(vec![1].into())).await?;
        }
        run.send_frames(shared, &mut socket, now).await?;
    }
}

impl SocketSession {
    fn next(&self, shared: &ExchangeState) -> Option<UnixMs> {
        let next = |(symbol, (at, _)): (&String, &(usize, Vec<String>))| {
            shared.market.events(symbol).get(*at).map(Event::known_at)
        };
        self.cursors.iter().filter_map(next).min()
    }

    async fn on_text(
        &mut self,
        shared: &ExchangeState,
        socket: &mut WebSocketStream<TcpStream>,
        text: &str,
    ) -> Result<(), Error> {
        shared.seen().texts.push((self.number, Instant::now(), text.to_owned()));
        let heard = shared.protocol.on_text(text);
        for reply in heard.replies {
            socket.send(Message::text(reply)).await?;
        }
        let is_there = |topic: &String| {
            shared.protocol.symbol_of(topic).is_none_or(|symbol| shared.market.is_listed(&symbol))
        };
        if shared.protocol.refuses_together() && !heard.topics.iter().all(is_there) {
            return Ok(());
        }
        for topic in heard.topics.iter().filter(|topic| is_there(topic)).cloned() {
            let Some(symbol) = shared.protocol.symbol_of(&topic) else { continue };
            let known = shared.market.until(&symbol, shared.now());
            if let Some(welcome) = shared.protocol.welcome(&topic, known) {
                socket.send(Message::text(welcome)).await?;
            }
            let (_, topics) = self.cursors.entry(symbol).or_insert((known.len(), Vec::new()));
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        Ok(())
    }

    /// Tells everything up to now.
    async fn send_frames(
        &mut self,
        shared: &ExchangeState,
        socket: &mut WebSocketStream<TcpStream>,
        now: UnixMs,
    ) -> Result<(), Error> {
        let mut frames = Vec::new();
        loop {
            // In order of time over all symbols.
            let symbol = self
                .cursors
                .iter()
                .filter_map(|(symbol, (at, _))| {
                    Some((shared.market.events(symbol).get(*at)?.known_at(), symbol))
                })
                .filter(|(time, _)| *time <= now)
                .min()
                .map(|(_, symbol)| symbol.clone());
            let Some(symbol) = symbol else { break };
            let Some((at, topics)) = self.cursors.get_mut(&symbol) else { break };
            let event = &shared.market.events(&symbol)[*at];
            *at += 1;
            let topics = topics.clone();
            for topic in topics {
                self.frames_of(shared, &topic, &symbol, event, &mut frames);
            }
        }
        let extra: Vec<String> = shared.faults().say.drain(..).collect();
        frames.extend(extra);
        for frame in frames {
            let (slow, cut) = {
                let mut faults = shared.faults();
                let cut = faults.cut_mid_message > 0;
                faults.cut_mid_message = faults.cut_mid_message.saturating_sub(1);
                (faults.slow, cut)
            };
            if let Some(slow) = slow {
                tokio::time::sleep(slow).await;
            }
            if cut {
                let bytes = frame.as_bytes();
                let mut part = vec![0x81, 126];
                part.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
                part.extend(&bytes[..bytes.len() / 2]);
                socket.get_mut().write_all(&part).await?;
                return Err(Error::ConnectionClosed);
            }
            socket.feed(Message::text(frame)).await?;
        }
        socket.flush().await
    }

    fn frames_of(
        &mut self,
        shared: &ExchangeState,
        topic: &str,
        symbol: &str,
        event: &Event,
        frames: &mut Vec<String>,
    ) {
        let faults = shared.faults().clone();
        let is_muted = faults.mute.contains(topic) && self.number < faults.mute_below;
        if self.path == Path::Dead || faults.silent || is_muted || !shared.market.is_listed(symbol) {
            return;
        }
        let event = super::faults::moved(event, faults.clock_off_ms);
        let sent = event.known_at().plus(20);
        let Some(frame) = shared.protocol.frame(topic, symbol, &event, sent) else { return };
        let Event::Trade(trade) = event else {
            frames.push(frame);
            return;
        };
        let hits = |every: Option<i64>| every.is_some_and(|every| trade.id % every == 0);
        if hits(faults.drop_every) {
            return;
        }
        if hits(faults.halve_every) {
            frames.push(frame[..frame.len() / 2].to_owned());
        }
        if hits(faults.swap_every) {
            self.held.push(frame);
            return;
        }
        if hits(faults.repeat_every) {
            frames.push(frame.clone());
        }
        frames.push(frame);
        frames.append(&mut self.held);
    }
}
