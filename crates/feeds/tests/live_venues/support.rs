//! A venue that stands in, the feed that follows it, and what has to come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liqheat_feeds::live::{
    Clock, Delivery, Gap, LiveFeed, LiveSettings, LiveStatus, ResumePoint, VenueSettings,
};
use liqheat_feeds::venues::{Account, StreamKind, VenueLimits, exchange, exchanges};
use liqheat_market::{
    Backoff, Event, Instrument, Kline, KlineKind, Liquidation, Price, PriceKind, Symbol, Trade, UnixMs, Venue,
};
use liqheat_testkit::PATIENCE;
use liqheat_testkit::exchange::{ExchangeServer, HyperliquidProtocol, Market, MarketShape, Time, protocol};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Every venue but Binance, whose tests are in `tests/live`.
pub(crate) fn venues() -> impl Iterator<Item = Venue> {
    exchanges().map(|exchange| exchange.venue).filter(|venue| *venue != Venue::Binance)
}

/// 2025-11-24 00:00 UTC.
pub(crate) const MIDNIGHT: UnixMs = UnixMs(1_763_942_400_000);

const MINUTE_MS: i64 = 60_000;
/// Of the past that the script has before the test begins.
const PAST_MINUTES: i64 = 30;
/// Of it that the feed asks for.
const FILLED_MINUTES: i64 = 20;
/// Market seconds a second.
const SPEED: f64 = 120.0;

/// A venue and the feed on it.
pub(crate) struct World {
    pub(crate) venue: Venue,
    pub(crate) exchange: ExchangeServer,
    pub(crate) clock: Clock,
    limits: VenueLimits,
    accounts: Vec<Account>,
    deliveries: Option<mpsc::Receiver<Delivery>>,
    feed: Option<LiveFeed>,
    stop: CancellationToken,
    pub(crate) data: ReceivedData,
}

/// Everything that the feed delivered.
#[derive(Debug, Default)]
pub(crate) struct ReceivedData {
    pub(crate) events: BTreeMap<String, Vec<Event>>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) filled: Vec<(StreamKind, u64)>,
}

impl World {
    /// Two symbols that begin half an hour before midnight, one in cents and one in hundred-millionths of a dollar, and a feed
    /// that has not been started.
    pub(crate) fn new(venue: Venue, minutes: i64) -> Self {
        let made = |seed, tick| MarketShape {
            seed,
            tick: Price::from_units(tick),
            price: 60_000,
            ..MarketShape::new(MIDNIGHT.plus(-PAST_MINUTES * MINUTE_MS), PAST_MINUTES + minutes)
        };
        let market =
            Market::default().with_made("BTCUSDT", &made(7, 1_000_000)).with_made("ETHUSDT", &made(8, 1));
        let time = Time { start: MIDNIGHT.plus(-MINUTE_MS / 2), speed: SPEED };
        // It has a runtime of its own, which cannot be started on a thread of another.
        let protocol = protocol(venue).unwrap_or_else(|| panic!("no protocol of {venue}"));
        let start = || ExchangeServer::start_boxed(protocol, market, time);
        let stand_in = std::thread::scope(|scope| scope.spawn(start).join()).unwrap();
        let clock = Clock::compressed(stand_in.now(), SPEED);
        let limits = exchange(venue).unwrap().limits.clone();
        let (stop, data) = (CancellationToken::new(), ReceivedData::default());
        Self {
            venue,
            exchange: stand_in,
            clock,
            limits,
            accounts: Vec::new(),
            deliveries: None,
            feed: None,
            stop,
            data,
        }
    }

    /// Other rules.
    pub(crate) fn limits(mut self, change: impl FnOnce(&mut VenueLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Accounts whose fills are asked for.
    pub(crate) fn accounts(mut self, addresses: &[&str]) -> Self {
        self.accounts = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self
    }

    /// Begins to follow.
    pub(crate) fn start(&mut self) {
        let settings = VenueSettings {
            venue: self.venue,
            socket_base: Some(self.exchange.socket_base()),
            rest_base: Some(self.exchange.rest_base()),
            symbols: ["BTCUSDT", "ETHUSDT"].map(|symbol| Symbol::new(symbol).unwrap()).to_vec(),
            names: BTreeMap::new(),
            accounts: self.accounts.clone(),
            looks: None,
            limits: Some(self.limits.clone()),
        };
        let minutes = |minutes: i64| Duration::from_millis((minutes * MINUTE_MS).unsigned_abs());
        let settings = LiveSettings {
            clock: self.clock.clone(),
            fill_klines: minutes(FILLED_MINUTES),
            fill_open_interest: minutes(FILLED_MINUTES),
            reconnect: Backoff::new(Duration::from_secs(2), Duration::from_secs(20)).unwrap(),
            timeout: Duration::from_secs(2),
            listing_interval: Duration::from_secs(60),
            ..LiveSettings::new(vec![settings])
        };
        let (sender, receiver) = mpsc::channel(liqheat_feeds::live::DELIVERIES_WAITING);
        let known: BTreeMap<Instrument, ResumePoint> = BTreeMap::new();
        self.feed = Some(LiveFeed::start(settings, known, sender, self.stop.clone()).unwrap());
        self.deliveries = Some(receiver);
    }

    /// Takes what comes until it is enough.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        mut enough: impl FnMut(&ReceivedData, &LiveStatus) -> bool,
    ) {
        let mut status = self.feed.as_ref().unwrap().status();
        let deliveries = self.deliveries.as_mut().unwrap();
        let took_too_long = tokio::time::sleep(PATIENCE);
        tokio::pin!(took_too_long);
        while !enough(&self.data, &status.borrow_and_update()) {
            tokio::select! {
                delivery = deliveries.recv() => self.data.take(delivery.expect("the feed ended")),
                changed = status.changed() => changed.expect("the feed ended"),
                () = &mut took_too_long => panic!("{} {what}: not within {PATIENCE:?}: {:?}", self.venue, status.borrow()),
            }
        }
    }

    /// Takes what comes until klines of both kinds and both symbols reach this many minutes past midnight.
    pub(crate) async fn until_minute(&mut self, minutes: i64) {
        let end = MIDNIGHT.plus(minutes * MINUTE_MS);
        self.until(&format!("minute {minutes}"), |data, _| {
            ["BTCUSDT", "ETHUSDT"]
                .iter()
                .all(|symbol| data.klines(symbol, KlineKind::Last).any(|kline| kline.close_time() >= end))
        })
        .await;
    }

    /// Ends the feed, in order.
    pub(crate) async fn stop(&mut self) -> LiveStatus {
        let feed = self.feed.take().unwrap();
        let status = (**feed.status().borrow()).clone();
        self.stop.cancel();
        let mut deliveries = self.deliveries.take().unwrap();
        let data = &mut self.data;
        let rest = async {
            while let Some(delivery) = deliveries.recv().await {
                data.take(delivery);
            }
        };
        let ended = async { feed.ended().await.unwrap() };
        tokio::time::timeout(PATIENCE, async { tokio::join!(rest, ended) }).await.expect("it stops");
        status
    }

    /// Nothing is missing. Of the minute in which it was started Hyperliquid cannot tell the mark price.
    pub(crate) fn check_no_gaps(&self) {
        let is_start = |gap: &&Gap| gap.stream == StreamKind::Mark && gap.from < MIDNIGHT;
        let gaps: Vec<&Gap> =
            self.data.gaps.iter().filter(|gap| self.venue != Venue::Hyperliquid || !is_start(gap)).collect();
        assert!(gaps.is_empty(), "{} {gaps:?}", self.venue);
    }

    /// What the script says of a symbol.
    pub(crate) fn script(&self, symbol: &str) -> &[Event] {
        self.exchange.market().events(symbol)
    }

    /// Trades are those of the script from the first to the last that came, once each; what is missing lies in gaps.
    pub(crate) fn check_trades(&self, symbol: &str) {
        let key =
            |trade: &Trade| (trade.time, trade.price, trade.qty, trade.taker == liqheat_market::Taker::Buy);
        let trade = |event: &Event| if let Event::Trade(trade) = event { Some(key(trade)) } else { None };
        let mut data: Vec<_> = self.data.events[symbol].iter().filter_map(trade).collect();
        data.sort_unstable();
        let (first, last) = (data.first().unwrap().0, data.last().unwrap().0);
        let is_missed = |time: UnixMs| {
            let gaps = self.data.gaps.iter().filter(|gap| gap.stream == StreamKind::Trades);
            gaps.filter(|gap| gap.instrument.symbol.as_str() == symbol)
                .any(|gap| (gap.from..=gap.to).contains(&time))
        };
        let mut expected: Vec<_> = self.script(symbol).iter().filter_map(trade).collect();
        expected.retain(|trade| trade.0 >= first && trade.0 <= last);
        expected.sort_unstable();
        let seen: BTreeSet<_> = data.iter().copied().collect();
        assert_eq!(seen.len(), data.len(), "{symbol}: a trade came twice");
        let missing: Vec<_> =
            expected.iter().filter(|trade| !seen.contains(trade) && !is_missed(trade.0)).collect();
        assert!(missing.is_empty(), "{} {symbol}: missing without a word: {missing:?}", self.venue);
        let known: BTreeSet<_> = expected.into_iter().collect();
        assert!(data.iter().all(|trade| known.contains(trade)), "{symbol}: a trade that never happened");
    }

    /// Klines of trades are those of the script without a gap, from as far back as was asked for.
    pub(crate) fn check_klines(&self, symbol: &str) {
        let count = self.check_klines_from(symbol, MIDNIGHT.plus(-(FILLED_MINUTES - 1) * MINUTE_MS));
        assert!(count >= FILLED_MINUTES, "{count}");
    }

    /// The same from a moment on; how many there were.
    pub(crate) fn check_klines_from(&self, symbol: &str, first: UnixMs) -> i64 {
        let data: BTreeMap<UnixMs, Kline> =
            self.data.klines(symbol, KlineKind::Last).map(|kline| (kline.open_time, kline)).collect();
        let last = *data.keys().next_back().unwrap();
        let part = |kline: &Kline| (kline.open, kline.high, kline.low, kline.close, kline.volume);
        let mut count = 0;
        for event in self.script(symbol) {
            let Event::Kline(expected) = event else { continue };
            if expected.kind != KlineKind::Last || expected.open_time < first || expected.open_time > last {
                continue;
            }
            let found = data.get(&expected.open_time);
            assert_eq!(
                found.map(part),
                Some(part(expected)),
                "{} {symbol} {:?}",
                self.venue,
                expected.open_time
            );
            count += 1;
        }
        count
    }

    /// Liquidations of the script while it was followed, once each, at bankruptcy price; at Hyperliquid where a vault took
    /// the position over.
    pub(crate) fn liquidations(
        &self,
        symbol: &str,
        from: UnixMs,
        to: UnixMs,
    ) -> (Vec<Liquidation>, Vec<Liquidation>) {
        let pick = |events: &[Event]| -> Vec<Liquidation> {
            let mut picked: Vec<Liquidation> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Liquidation(one) if one.time >= from && one.time < to => Some(*one),
                    _ => None,
                })
                .collect();
            picked.sort_by_key(|one| (one.time, one.qty));
            picked
        };
        let is_filled =
            |one: &Liquidation| self.venue == Venue::Hyperliquid && !HyperliquidProtocol::is_backstop(one);
        let expected = pick(self.script(symbol)).into_iter().map(|one| {
            let price_kind = if is_filled(&one) { PriceKind::Fill } else { PriceKind::Bankruptcy };
            Liquidation { price_kind, ..one }
        });
        (pick(&self.data.events[symbol]), expected.collect())
    }
}

impl ReceivedData {
    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Events { instrument, events } => {
                self.events.entry(instrument.symbol.to_string()).or_default().extend(events);
            }
            Delivery::Gap(gap) => self.gaps.push(gap),
            Delivery::Filled { stream, events, .. } => self.filled.push((stream, events)),
        }
    }

    pub(crate) fn klines<'a>(&'a self, symbol: &str, kind: KlineKind) -> impl Iterator<Item = Kline> + 'a {
        let events = self.events.get(symbol).map(Vec::as_slice).unwrap_or_default();
        events.iter().filter_map(move |event| match event {
            Event::Kline(kline) if kline.kind == kind => Some(*kline),
            _ => None,
        })
    }

    pub(crate) fn count(&self, symbol: &str, kind: StreamKind) -> usize {
        self.events
            .get(symbol)
            .map_or(0, |events| events.iter().filter(|event| StreamKind::of(event) == kind).count())
    }
}
