//! A stand-in exchange on this machine: a script of events, told over sockets and answered over HTTP in a
//! venue's own words, on a clock that tests compress. It misbehaves on request, as exchanges do.
//!
//! What a venue's words are is a [`VenueProtocol`]; the rest is the same for all. It runs on threads of its own, so
//! that it can be used from any test, and ends when it is dropped.

mod accounts;
mod binance;
mod bybit;
mod faults;
mod hyperliquid;
mod market;
mod okx;
mod rest;
mod socket;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{Event, UnixMs, Venue};
use tokio::net::TcpListener;

pub use accounts::{StandInAccounts, StandInPosition};
pub use binance::BinanceProtocol;
pub use bybit::BybitProtocol;
pub use faults::Faults;
pub use hyperliquid::HyperliquidProtocol;
pub use market::{Market, MarketShape};
pub use okx::OkxProtocol;

/// The protocol of a venue, as its servers speak it.
pub trait VenueProtocol: Send + Sync + 'static {
    /// What happens on a socket opened at a path.
    fn path(&self, path: &str) -> Path;

    /// A text from a client: what is answered, and which topics it subscribes to.
    fn on_text(&self, text: &str) -> SocketReply;

    /// An event of a symbol as a frame of a topic; `None` when the topic does not carry it.
    fn frame(&self, topic: &str, symbol: &str, event: &Event, sent: UnixMs) -> Option<String>;

    /// The symbol of a topic, as the [`Market`] calls it.
    fn symbol_of(&self, topic: &str) -> Option<String>;

    /// One topic that is not there, and all of the same text are refused.
    fn refuses_together(&self) -> bool {
        false
    }

    /// What a topic begins with once it is subscribed to, given what is known of its symbol.
    fn welcome(&self, topic: &str, known: &[Event]) -> Option<String> {
        let _ = (topic, known);
        None
    }

    /// The limit that a request counts against; `None` where the venue has none of its own.
    fn limit(&self, request: &RestRequest) -> Option<EndpointLimit> {
        let _ = request;
        None
    }

    /// An answer to a request beyond its limit.
    fn throttled(&self) -> RestReply {
        RestReply {
            status: 429,
            body: r#"{"code":-1003,"msg":"Too many requests."}"#.to_owned(),
            weight: 1,
            weight_header: None,
        }
    }

    /// An answer to a request.
    fn answer(&self, request: &RestRequest, market: &Market, now: UnixMs) -> RestReply;
}

/// The protocol of a venue, without faults; `None` for the simulated market, which has none.
#[must_use]
pub fn protocol(venue: Venue) -> Option<Box<dyn VenueProtocol>> {
    match venue {
        Venue::Binance => Some(Box::new(BinanceProtocol)),
        Venue::Bybit => Some(Box::<BybitProtocol>::default()),
        Venue::Okx => Some(Box::<OkxProtocol>::default()),
        Venue::Hyperliquid => Some(Box::<HyperliquidProtocol>::default()),
        Venue::Sim => None,
    }
}

/// What a path is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Data comes.
    Alive,
    /// Subscriptions are acknowledged and nothing comes, as on paths of the past.
    Dead,
    /// There is no such path.
    Unknown,
}

/// What was understood of a client's text.
#[derive(Debug, Clone, Default)]
pub struct SocketReply {
    /// Sent back.
    pub replies: Vec<String>,
    /// Subscribed to from now on.
    pub topics: Vec<String>,
}

/// A request to the REST interface.
#[derive(Debug, Clone)]
pub struct RestRequest {
    /// Without the query.
    pub path: String,
    /// Names and values of the query.
    pub query: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: String,
}

impl RestRequest {
    /// A value of the query.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number of the query.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }
}

/// How often an endpoint may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointLimit {
    /// What is counted together.
    pub name: String,
    /// Largest number of requests within [`Self::per_ms`].
    pub requests: usize,
    /// Length of the sliding window, in market time.
    pub per_ms: i64,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct RestReply {
    /// Its status.
    pub status: u16,
    /// Its body, JSON.
    pub body: String,
    /// What it counts as.
    pub weight: u32,
    /// Header in which the venue tells the weight used in this minute, where it does.
    pub weight_header: Option<&'static str>,
}

/// Connections and requests of clients.
#[derive(Debug, Clone, Default)]
pub struct ClientActivity {
    /// Sockets that were opened, and the path each asked for.
    pub sockets: Vec<String>,
    /// Sockets open now.
    pub open: usize,
    /// Most sockets open at once.
    pub open_most: usize,
    /// When each client text came on its socket, by number of the socket.
    pub texts: Vec<(usize, Instant, String)>,
    /// Answers to our pings.
    pub pongs: u64,
    /// Paths and queries that were asked for, with the market time.
    pub requests: Vec<(UnixMs, String)>,
    /// Requests that were answered with 429 because they were beyond the limit of their endpoint.
    pub throttled: Vec<String>,
    /// Requests that came though a pause had been asked for.
    pub requests_in_pause: u64,
    /// Weight of the requests of each minute.
    pub weights: std::collections::BTreeMap<i64, u32>,
}

/// How the exchange's time runs.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Market time when it is started.
    pub start: UnixMs,
    /// Market seconds a second.
    pub speed: f64,
}

pub(crate) struct ExchangeState {
    protocol: Box<dyn VenueProtocol>,
    market: Market,
    began: Instant,
    time: Time,
    faults: Mutex<Faults>,
    seen: Mutex<ClientActivity>,
    /// Grows when all sockets are to be cut.
    cut: tokio::sync::watch::Sender<u64>,
}

impl ExchangeState {
    /// The true market time.
    fn now(&self) -> UnixMs {
        self.time.start.plus(trunc_i64(self.began.elapsed().as_secs_f64() * 1_000.0 * self.time.speed))
    }

    /// The exchange's own clock, which may be wrong.
    fn clock(&self) -> UnixMs {
        self.now().plus(self.faults().clock_off_ms)
    }

    fn real(&self, market_ms: i64) -> Duration {
        Duration::from_secs_f64(approx_f64(market_ms.max(0)) / 1_000.0 / self.time.speed)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, ClientActivity> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An exchange that runs.
pub struct ExchangeServer {
    shared: Arc<ExchangeState>,
    sockets: SocketAddr,
    requests: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl ExchangeServer {
    /// Starts one that speaks a venue's protocol about a market.
    ///
    /// # Panics
    /// When there are no ports.
    #[must_use]
    pub fn start(protocol: impl VenueProtocol, market: Market, time: Time) -> Self {
        Self::start_boxed(Box::new(protocol), market, time)
    }

    /// The same for a protocol that is chosen at run time, see [`protocol`].
    ///
    /// # Panics
    /// When there are no ports.
    #[must_use]
    pub fn start_boxed(protocol: Box<dyn VenueProtocol>, market: Market, time: Time) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("exchange")
            .enable_all()
            .build()
            .unwrap();
        let (cut, _) = tokio::sync::watch::channel(0);
        let shared = Arc::new(ExchangeState {
            protocol,
            market,
            began: Instant::now(),
            time,
            faults: Mutex::default(),
            seen: Mutex::default(),
            cut,
        });
        let bind = || {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            let _entered = runtime.enter();
            TcpListener::from_std(listener).unwrap()
        };
        let (for_sockets, for_requests) = (bind(), bind());
        let (sockets, requests) = (for_sockets.local_addr().unwrap(), for_requests.local_addr().unwrap());
        runtime.spawn(socket::serve(Arc::clone(&shared), for_sockets));
        runtime.spawn(rest::serve(Arc::clone(&shared), for_requests));
        Self { shared, sockets, requests, runtime: Some(runtime) }
    }

    /// Base address of the socket.
    #[must_use]
    pub fn socket_base(&self) -> String {
        format!("ws://{}", self.sockets)
    }

    /// Base address of the REST interface.
    #[must_use]
    pub fn rest_base(&self) -> String {
        format!("http://{}", self.requests)
    }

    /// The market it tells of.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.shared.market
    }

    /// Market time now.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.shared.now()
    }

    /// Changes how it misbehaves from now on.
    pub fn misbehave(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.faults());
    }

    /// Cuts every socket that is open.
    pub fn cut_all(&self) {
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// What clients did so far.
    #[must_use]
    pub fn seen(&self) -> ClientActivity {
        self.shared.seen().clone()
    }
}

impl Drop for ExchangeServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
