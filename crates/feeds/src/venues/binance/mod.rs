//! Binance USD-M futures.
//!
//! Market streams live under `/market` only; on the old root a subscription is acknowledged and nothing ever
//! comes. Open interest has no stream and is polled. Ids of aggregate trades are consecutive.

mod frame;
mod parse;
mod rest;
mod subscribe;

use std::time::Duration;

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    Contract, Exchange, FrameError, FrameReader, Habits, Limits, Opening, Page, Request, Roster, StreamKind,
    TradeIds, Want,
};

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Binance;

impl Exchange for Binance {
    fn venue(&self) -> Venue {
        Venue::Binance
    }

    fn socket_base(&self) -> &'static str {
        "wss://fstream.binance.com"
    }

    fn rest_base(&self) -> &'static str {
        "https://fapi.binance.com"
    }

    fn habits(&self) -> Habits {
        Habits {
            // Ten a second are allowed.
            message_spacing: Duration::from_millis(150),
            // 1024 streams a connection, four a contract; and not all eggs in one basket.
            contracts_per_connection: 100,
            ping: None,
            connection_life: Duration::from_secs(23 * 3600),
            mark_silence: Duration::from_secs(5),
            // They come every second.
            mark_pause: Duration::from_millis(1_800),
            silence,
            trade_ids: TradeIds::Consecutive,
            poll_open_interest: Some(Duration::from_secs(5)),
            poll_open_interest_max: Duration::from_secs(60),
            weight_per_minute: 2_400,
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
        received: UnixMs,
    ) -> Result<Page, FrameError> {
        rest::answer(want, body, received)
    }

    fn limits(&self, header: &dyn Fn(&str) -> Option<String>) -> Limits {
        Limits { used_weight: header("x-mbx-used-weight-1m").and_then(|text| text.trim().parse().ok()) }
    }
}

/// Liquidations are rare, small contracts trade seldom; the mark price never rests.
fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(5)),
        StreamKind::Klines => Some(Duration::from_secs(150)),
        StreamKind::Trades => Some(Duration::from_secs(120)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
