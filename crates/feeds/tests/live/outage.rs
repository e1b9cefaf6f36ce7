//! Silence, and nobody there.

use std::time::Duration;

use liqheat_feeds::venues::{StreamKind, StreamSilence, VenueLimits};
use liqheat_market::SourceState;
use liqheat_market::{Event, UnixMs};
use liqheat_testkit::exchange::{
    BinanceProtocol, ExchangeServer, Market, MarketShape, Path, RestReply, RestRequest, SocketReply, Time,
    VenueProtocol,
};

use crate::support::{BEGIN, DAY, MINUTE, Plan, limits, made};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_network_it_keeps_trying_and_recovers() {
    let mut run = Plan::default().start_with(|exchange| {
        exchange.misbehave(|faults| {
            (faults.refuse_sockets, faults.refuse_requests, faults.refuse_status) = (true, u32::MAX, 503);
        });
    });
    let status =
        run.until("down", |run| Some(run.status()).filter(|status| status.state == SourceState::Down)).await;
    assert!(status.trouble.is_some() && status.connections == 0, "{status:?}");
    run.run_minutes(3).await;
    let status = run.status();
    assert!(status.reconnects >= 3 && run.events("BTCUSDT").is_empty(), "{status:?}");
    run.exchange.misbehave(|faults| (faults.refuse_sockets, faults.refuse_requests) = (false, 0));
    run.until("live", |run| (run.status().state == SourceState::Live).then_some(())).await;
    let end = run.exchange.now().plus(2 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_in_the_middle_leaves_no_gap() {
    let mut run = Plan::default().start();
    run.until("live", |run| (run.status().state == SourceState::Live).then_some(())).await;
    run.exchange.misbehave(|faults| faults.refuse_sockets = true);
    run.exchange.cut_all();
    run.until("down", |run| (run.status().state == SourceState::Down).then_some(())).await;
    run.run_minutes(12).await;
    run.exchange.misbehave(|faults| faults.refuse_sockets = false);
    run.until("live again", |run| (run.status().state == SourceState::Live).then_some(())).await;
    let end = run.exchange.now().plus(2 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    assert!(run.filled.iter().any(|(stream, _, _, events)| *stream == StreamKind::Trades && *events > 400));
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_after_an_acknowledgement_is_a_dead_connection() {
    let mut run = Plan::default().start();
    run.until("live", |run| (run.status().state == SourceState::Live).then_some(())).await;
    run.exchange.misbehave(|faults| faults.silent = true);
    run.until("noticed", |run| (run.status().reconnects >= 1).then_some(())).await;
    let trouble = run.status().trouble.unwrap();
    assert!(trouble.contains("no mark price for 60s"), "{trouble}");
    run.exchange.misbehave(|faults| faults.silent = false);
    run.until("live again", |run| (run.status().connections == 1).then_some(())).await;
    let end = run.exchange.now().plus(2 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    run.end().await;
}

/// A venue that answers only on the REST paths of years ago.
struct OldRestPath;

impl VenueProtocol for OldRestPath {
    fn path(&self, _: &str) -> Path {
        Path::Dead
    }

    fn on_text(&self, text: &str) -> SocketReply {
        BinanceProtocol.on_text(text)
    }

    fn frame(&self, topic: &str, symbol: &str, event: &Event, sent: UnixMs) -> Option<String> {
        BinanceProtocol.frame(topic, symbol, event, sent)
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        BinanceProtocol.symbol_of(topic)
    }

    fn answer(&self, asked: &RestRequest, market: &Market, now: UnixMs) -> RestReply {
        BinanceProtocol.answer(asked, market, now)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_acknowledges_and_is_dead_is_not_hammered() {
    let plan = Plan {
        speed: 1_200.0,
        market: Market::default().with_made("BTCUSDT", &MarketShape::new(DAY, 1_000)),
        ..Plan::default()
    };
    let time = Time { start: plan.begin, speed: plan.speed };
    let exchange = ExchangeServer::start(OldRestPath, plan.market.clone(), time);
    let mut run = plan.follow(exchange);
    run.until("tried three times", |run| (run.status().reconnects >= 2).then_some(())).await;
    let status = run.status();
    assert!(
        status.trouble.as_deref().is_some_and(|why| why.contains("though it was subscribed to")),
        "{status:?}"
    );
    assert_eq!(status.connections, 0);
    // Half an hour of market has passed: a pause that did not grow would have let in thousands.
    assert!(run.exchange.seen().sockets.len() <= 4, "{:?}", run.exchange.seen().sockets);
    assert!(status.state > SourceState::Live, "{status:?}");
    let klines = run.events("BTCUSDT").iter().filter(|event| matches!(event, Event::Kline(_))).count();
    assert!(klines > 200, "what can be had by request is had: {klines}");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_forgotten_is_renewed() {
    let market =
        made().with_made("ETHUSDT", &MarketShape { seed: 9, price: 3_000, ..MarketShape::new(DAY, 400) });
    let limits = VenueLimits { silence: StreamSilence::all(Duration::from_secs(120)), ..limits() };
    let plan = Plan { market, symbols: vec!["BTCUSDT", "ETHUSDT"], limits, ..Plan::default() };
    let mut run = plan.start_with(|exchange| {
        exchange.misbehave(|faults| {
            let topics = ["ethusdt@aggTrade", "ethusdt@markPrice@1s", "ethusdt@kline_1m"];
            faults.mute.extend(topics.map(ToOwned::to_owned));
            faults.mute_below = 1;
        });
    });
    run.until("a successor", |run| (run.status().rollovers >= 1).then_some(())).await;
    run.until("ether", |run| (run.status().state == SourceState::Live).then_some(())).await;
    let end = run.exchange.now().plus(2 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    run.whole("ETHUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_for_a_while_loses_nothing() {
    let mut run = Plan::default().start();
    run.until("live", |run| (run.status().state == SourceState::Live).then_some(())).await;
    let resume = run.exchange.now().plus(6 * MINUTE);
    // Nothing is taken until then: the channel fills, and the sockets are not read.
    while run.exchange.now() < resume {
        let _ = tokio::time::timeout(Duration::from_millis(100), run.status.changed()).await;
    }
    let end = run.exchange.now().plus(2 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.end().await;
}
