//! Bybit linear perpetuals.
//!
//! Tickers bring the mark price and the open interest: a snapshot, then what changed. Every liquidation is told, with the
//! side of the position and its bankruptcy price.

mod frame;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    Contract, Exchange, FrameError, FrameReader, Habits, Opening, Page, Ping, Request, Roster, StreamKind,
    TradeIds, Want,
};

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Bybit;

impl Exchange for Bybit {
    fn venue(&self) -> Venue {
        Venue::Bybit
    }

    fn socket_base(&self) -> &'static str {
        "wss://stream.bybit.com"
    }

    fn rest_base(&self) -> &'static str {
        "https://api.bybit.com"
    }

    fn habits(&self) -> Habits {
        Habits {
            message_spacing: Duration::from_millis(100),
            contracts_per_connection: 50,
            ping: Some(Ping { every: Duration::from_secs(20), text: r#"{"op":"ping"}"# }),
            connection_life: Duration::from_secs(23 * 3600),
            mark_silence: Duration::from_secs(10),
            // An unchanged price is kept again after two.
            mark_pause: Duration::from_secs(5),
            silence,
            trade_ids: TradeIds::Unique,
            poll_open_interest: None,
            poll_open_interest_max: Duration::from_secs(60),
            // 600 requests in five seconds are allowed.
            weight_per_minute: 6_000,
        }
    }

    fn name_of(&self, symbol: &Symbol) -> Option<String> {
        Some(symbol.as_str().to_owned())
    }

    fn symbol_of(&self, name: &str) -> Option<Symbol> {
        Symbol::new(name).ok()
    }

    fn opening(&self, roster: &Roster) -> Opening {
        subscribe::opening(roster)
    }

    fn reader(&self, roster: &Roster) -> Box<dyn FrameReader> {
        Box::new(parse::Reader::new(roster.clone()))
    }

    fn request(&self, contract: &Contract, want: &Want) -> Option<Request> {
        rest::request(contract, want)
    }

    fn answer(
        &self,
        _contract: &Contract,
        want: &Want,
        body: &[u8],
        _received: UnixMs,
    ) -> Result<Page, FrameError> {
        rest::answer(want, body)
    }

    fn pause_s(&self, status: u16) -> Option<i64> {
        match status {
            429 => Some(60),
            // An address that asks too often gets nothing for ten minutes.
            403 => Some(600),
            _ => None,
        }
    }
}

/// Tickers come several times a second while anything in the book moves.
fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(10)),
        StreamKind::Klines => Some(Duration::from_secs(150)),
        StreamKind::Trades => Some(Duration::from_secs(120)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
