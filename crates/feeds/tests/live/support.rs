//! An exchange, a feed that follows it, and the comparison of what came with what happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_feeds::live::{
    Clock, Delivery, Gap, LiveFeed, LiveSettings, LiveStatus, ResumePoint, VenueSettings, VenueStatus,
};
use liqheat_feeds::venues::{StreamKind, StreamSilence, VenueLimits, exchange};
use liqheat_market::{Backoff, Event, Instrument, Kline, KlineKind, Symbol, UnixMs, Venue};
use liqheat_testkit::PATIENCE;
use liqheat_testkit::exchange::{BinanceProtocol, ExchangeServer, Market, MarketShape, Time};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// 2025-05-25 00:00 UTC.
pub(crate) const DAY: UnixMs = UnixMs(1_748_131_200_000);
pub(crate) const MINUTE: i64 = 60_000;

/// The moment a test begins: five hours into the market.
pub(crate) const BEGIN: UnixMs = DAY.plus(300 * MINUTE);

pub(crate) fn instrument(symbol: &str) -> Instrument {
    Instrument::new(Venue::Binance, Symbol::new(symbol).unwrap())
}

pub(crate) fn made() -> Market {
    Market::default().with_made("BTCUSDT", &MarketShape::new(DAY, 400))
}

/// Patient with a machine that has other things to do: minutes of market, half a second here.
pub(crate) fn limits() -> VenueLimits {
    const MINUTES: fn(u64) -> Duration = |minutes| Duration::from_secs(minutes * 60);
    VenueLimits {
        mark_silence: MINUTES(1),
        silence: StreamSilence::all(MINUTES(30)),
        ..exchange(Venue::Binance).unwrap().limits.clone()
    }
}

pub(crate) struct Run {
    pub(crate) exchange: ExchangeServer,
    pub(crate) feed: Option<LiveFeed>,
    pub(crate) status: watch::Receiver<Arc<LiveStatus>>,
    pub(crate) stop: CancellationToken,
    deliveries: mpsc::Receiver<Delivery>,
    pub(crate) came: BTreeMap<Instrument, Vec<Event>>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) filled: Vec<(StreamKind, UnixMs, UnixMs, u64)>,
}

/// What a test may change.
pub(crate) struct Plan {
    pub(crate) market: Market,
    pub(crate) symbols: Vec<&'static str>,
    pub(crate) speed: f64,
    pub(crate) begin: UnixMs,
    pub(crate) limits: VenueLimits,
    pub(crate) known: BTreeMap<Instrument, ResumePoint>,
    pub(crate) fill_trades_max: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            market: made(),
            symbols: vec!["BTCUSDT"],
            speed: 120.0,
            begin: BEGIN,
            limits: limits(),
            known: BTreeMap::new(),
            fill_trades_max: 100_000,
        }
    }
}

impl Plan {
    pub(crate) fn start(self) -> Run {
        self.start_with(|_| {})
    }

    pub(crate) fn start_with(self, prepare: impl FnOnce(&ExchangeServer)) -> Run {
        let time = Time { start: self.begin, speed: self.speed };
        let exchange = ExchangeServer::start(BinanceProtocol, self.market.clone(), time);
        prepare(&exchange);
        self.follow(exchange)
    }

    pub(crate) fn follow(self, exchange: ExchangeServer) -> Run {
        let venue = VenueSettings {
            venue: Venue::Binance,
            socket_base: Some(exchange.socket_base()),
            rest_base: Some(exchange.rest_base()),
            symbols: self.symbols.iter().map(|symbol| Symbol::new(symbol).unwrap()).collect(),
            names: BTreeMap::new(),
            accounts: Vec::new(),
            looks: None,
            limits: Some(self.limits),
        };
        let settings = LiveSettings {
            clock: Clock::compressed(exchange.now(), self.speed),
            fill_klines: Duration::from_secs(2 * 3_600),
            fill_open_interest: Duration::from_secs(2 * 3_600),
            fill_trades_max: self.fill_trades_max,
            reconnect: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)).unwrap(),
            timeout: Duration::from_secs(5),
            ..LiveSettings::new(vec![venue])
        };
        let (sender, deliveries) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let feed = LiveFeed::start(settings, self.known, sender, stop.clone()).unwrap();
        let status = feed.status();
        Run {
            exchange,
            feed: Some(feed),
            status,
            stop,
            deliveries,
            came: BTreeMap::new(),
            gaps: Vec::new(),
            filled: Vec::new(),
        }
    }
}

impl Run {
    /// Takes deliveries until there is an answer.
    pub(crate) async fn until<T>(&mut self, what: &str, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let taking = async {
            loop {
                if let Some(answer) = ask(self) {
                    return answer;
                }
                let wait = tokio::time::timeout(Duration::from_millis(50), self.deliveries.recv()).await;
                match wait {
                    Ok(Some(delivery)) => self.take(delivery),
                    Ok(None) => panic!("{what}: the feed ended"),
                    Err(_) => {}
                }
            }
        };
        match tokio::time::timeout(PATIENCE, taking).await {
            Ok(answer) => answer,
            Err(_) => panic!("{what}: not within {PATIENCE:?}; {:?} {:?}", self.status(), self.gaps),
        }
    }

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Events { instrument, events } => {
                assert!(!events.is_empty());
                self.came.entry(instrument).or_default().extend(events);
            }
            Delivery::Gap(gap) => self.gaps.push(gap),
            Delivery::Filled { stream, from, to, events, .. } => {
                self.filled.push((stream, from, to, events));
            }
        }
    }

    pub(crate) fn status(&self) -> VenueStatus {
        self.status.borrow().venues[0].clone()
    }

    pub(crate) fn events(&self, symbol: &str) -> &[Event] {
        self.came.get(&instrument(symbol)).map_or(&[], Vec::as_slice)
    }

    /// Lets the market run for some minutes.
    pub(crate) async fn run_minutes(&mut self, minutes: i64) {
        let end = self.exchange.now().plus(minutes * MINUTE);
        self.until("market time", |run| (run.exchange.now() >= end).then_some(())).await;
    }

    /// Lets the market run until everything that happened up to `end` came, and then checks that it came once,
    /// and nothing else.
    pub(crate) async fn whole(&mut self, symbol: &str, from: UnixMs, end: UnixMs) {
        let expected = ExpectedData::of(&self.exchange, symbol, from, end);
        self.until(&format!("{symbol} until {}", end.0), |run| {
            (run.exchange.now() > end && expected.missing(run.events(symbol), from).is_none()).then_some(())
        })
        .await;
        expected.check(self.events(symbol), from);
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        // Nobody takes deliveries any more; it must end all the same.
        let ended = tokio::time::timeout(PATIENCE, self.feed.take().unwrap().ended()).await;
        assert_eq!(ended.expect("the feed ends"), Ok(()));
    }
}

/// What a feed that began at some moment must have brought.
pub(crate) struct ExpectedData {
    script: Vec<Event>,
    end: UnixMs,
}

impl ExpectedData {
    fn of(exchange: &ExchangeServer, symbol: &str, from: UnixMs, end: UnixMs) -> Self {
        let script = exchange.market().events(symbol).iter().copied();
        Self { script: script.filter(|event| event.known_at() >= from).collect(), end }
    }

    /// Trades from the first that came on, klines and funding from the beginning; not every tick and not every
    /// count of open interest, whose gaps are not filled.
    fn must(&self, came: &[Event], from: UnixMs) -> Vec<Event> {
        let first = came.iter().filter_map(trade_id).min().unwrap_or(i64::MAX);
        let is_due = |event: &&Event| match event {
            Event::Trade(trade) => trade.id >= first && trade.time <= self.end,
            Event::Kline(Kline { open_time, .. }) => *open_time >= from && event.known_at() <= self.end,
            Event::Funding(funding) => funding.time <= self.end,
            Event::MarkPrice(_) | Event::OpenInterest(_) | Event::Liquidation(_) => false,
        };
        self.script.iter().filter(is_due).copied().collect()
    }

    fn missing(&self, came: &[Event], from: UnixMs) -> Option<Event> {
        if !came.iter().any(|event| trade_id(event).is_some()) {
            return self.script.first().copied();
        }
        self.must(came, from).into_iter().find(|event| !came.contains(event))
    }

    fn check(&self, came: &[Event], from: UnixMs) {
        let mut counts: Vec<(Event, usize)> = Vec::new();
        for event in came {
            if event.known_at() < from || event.known_at() > self.end {
                continue;
            }
            match counts.iter_mut().find(|(known, _)| known == event) {
                Some((_, count)) => *count += 1,
                None => counts.push((*event, 1)),
            }
        }
        for (event, count) in counts {
            assert!(self.script.contains(&event), "never happened: {event:?}");
            // A sample may be polled and stand in the history.
            let is_sample = matches!(event, Event::OpenInterest(_));
            assert!(count == 1 || is_sample, "came {count} times: {event:?}");
        }
        assert_eq!(self.missing(came, from), None);
    }
}

pub(crate) fn trade_id(event: &Event) -> Option<i64> {
    match event {
        Event::Trade(trade) => Some(trade.id),
        _ => None,
    }
}

pub(crate) fn count(events: &[Event], stream: StreamKind) -> usize {
    events.iter().filter(|event| StreamKind::of(event) == stream).count()
}

pub(crate) fn mark_klines(events: &[Event]) -> usize {
    let is_mark = |event: &&Event| matches!(event, Event::Kline(kline) if kline.kind == KlineKind::Mark);
    events.iter().filter(is_mark).count()
}
