//! Nothing goes wrong: the start, a restart, roll-over.

use std::time::Duration;

use liqheat_feeds::live::ResumePoint;
use liqheat_feeds::venues::{StreamKind, VenueLimits};
use liqheat_market::{Event, Kline, SourceState, UnixMs};
use liqheat_testkit::exchange::{Market, MarketShape};

use crate::support::{BEGIN, DAY, MINUTE, Plan, count, instrument, limits, made, mark_klines, trade_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_is_followed_without_gap_or_overlap() {
    let mut run = Plan::default().start();
    let from = BEGIN.plus(-2 * 60 * MINUTE);
    run.whole("BTCUSDT", from.plus(MINUTE), BEGIN.plus(8 * MINUTE)).await;
    let events = run.events("BTCUSDT");
    assert!(mark_klines(events) >= 125 && count(events, StreamKind::OpenInterest) >= 40);
    assert!(count(events, StreamKind::Mark) >= 300 && count(events, StreamKind::Liquidations) >= 5);
    let status = run
        .until("live", |run| {
            let status = run.status();
            (status.state == SourceState::Live && !status.filling).then_some(status)
        })
        .await;
    assert_eq!((status.connections, status.refused, status.gaps), (1, 0, 0), "{status:?}");
    assert!(status.skew_ms.unwrap().abs() < 5_000, "{status:?}");
    for stream in &status.streams {
        assert_eq!(stream.state, SourceState::Live, "{stream:?}");
    }
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.until("weight", |run| (run.status().weight_used > 0).then_some(())).await;
    let texts = run.exchange.seen().texts;
    assert_eq!(texts.len(), 1, "{texts:?}");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_where_the_database_ends() {
    // Half an hour away.
    let ended = BEGIN.plus(-30 * MINUTE);
    let market = made();
    let before = market.until("BTCUSDT", ended);
    let newest = |wanted: fn(&Event) -> Option<UnixMs>| before.iter().rev().find_map(wanted);
    let (id, time) =
        before.iter().rev().find_map(|event| trade_id(event).map(|id| (id, event.known_at()))).unwrap();
    let known = ResumePoint {
        kline: Some(ended.plus(-MINUTE)),
        mark_kline: Some(ended.plus(-MINUTE)),
        open_interest: newest(|event| matches!(event, Event::OpenInterest(_)).then(|| event.known_at())),
        trade: Some((id, time)),
        funding: newest(|event| matches!(event, Event::Funding(_)).then(|| event.known_at())),
    };
    let plan = Plan { known: [(instrument("BTCUSDT"), known)].into(), ..Plan::default() };
    let mut run = plan.start();
    run.whole("BTCUSDT", ended.plus(1), BEGIN.plus(4 * MINUTE)).await;
    let events = run.events("BTCUSDT");
    let first = events.iter().filter_map(trade_id).min();
    assert_eq!(first, Some(id + 1), "every trade since, none of before");
    let oldest = events.iter().filter_map(|event| match event {
        Event::Kline(Kline { open_time, .. }) => Some(*open_time),
        _ => None,
    });
    assert_eq!(oldest.min(), Some(ended));
    let streams: Vec<StreamKind> = run.filled.iter().map(|(stream, ..)| *stream).collect();
    for stream in [StreamKind::Trades, StreamKind::Klines, StreamKind::Mark, StreamKind::OpenInterest] {
        assert!(streams.contains(&stream), "{:?}", run.filled);
    }
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_trades_to_fetch_are_a_stated_gap() {
    let known = ResumePoint {
        trade: Some((7_000_001, DAY)),
        kline: Some(BEGIN.plus(-MINUTE)),
        ..ResumePoint::default()
    };
    let plan =
        Plan { known: [(instrument("BTCUSDT"), known)].into(), fill_trades_max: 600, ..Plan::default() };
    let mut run = plan.start();
    run.until("a gap and a fill", |run| {
        (!run.gaps.is_empty() && run.filled.iter().any(|(stream, ..)| *stream == StreamKind::Trades))
            .then_some(())
    })
    .await;
    let gap = &run.gaps[0];
    assert_eq!((gap.stream, gap.from), (StreamKind::Trades, DAY));
    assert!(gap.reason.starts_with("trades 7000002 to "), "{gap:?}");
    assert!(gap.to >= BEGIN && run.gaps.len() == 1, "{:?}", run.gaps);
    let last_missing: i64 = gap.reason.split([' ', ':']).nth(3).unwrap().parse().unwrap();
    let first = run.events("BTCUSDT").iter().filter_map(trade_id).min();
    assert_eq!(first, Some(last_missing + 1), "the newest six hundred were fetched");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_replaced_before_they_are_old() {
    let market =
        made().with_made("ETHUSDT", &MarketShape { seed: 9, price: 3_000, ..MarketShape::new(DAY, 400) });
    // A second here: a busy machine is not taken for a silent venue, so that only replacement ends a connection.
    let limits = VenueLimits {
        connection_life: Duration::from_secs(180),
        mark_silence: Duration::from_secs(60),
        ..limits()
    };
    let plan = Plan { market, symbols: vec!["BTCUSDT", "ETHUSDT"], limits, speed: 60.0, ..Plan::default() };
    let mut run = plan.start();
    run.until("data", |run| (run.status().connections == 1).then_some(())).await;
    let (from, end) = (run.exchange.now(), BEGIN.plus(15 * MINUTE));
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        run.whole(symbol, from, end).await;
    }
    let status = run.status();
    assert!(status.rollovers >= 3, "{status:?}");
    assert!(status.repeated > 0, "two connections brought the same");
    assert!(run.exchange.seen().open_most <= 3);
    // Liquidations have no numbers: they must come through by the overlap alone.
    let liquidations = |events: &[Event]| -> Vec<Event> {
        let is_wanted = |event: &&Event| {
            matches!(event, Event::Liquidation(_)) && event.known_at() > from && event.known_at() <= end
        };
        events.iter().filter(is_wanted).copied().collect()
    };
    let happened = liquidations(run.exchange.market().events("BTCUSDT"));
    assert!(happened.len() > 10, "{}", happened.len());
    assert_eq!(liquidations(run.events("BTCUSDT")), happened, "{status:?}");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_young_contract_has_lost_nothing() {
    // Ten minutes old, and two hours are asked for.
    let young = MarketShape::new(BEGIN.plus(-10 * MINUTE), 60);
    let market = Market::default().with_made("BTCUSDT", &young);
    let mut run = Plan { market, ..Plan::default() }.start();
    run.whole("BTCUSDT", BEGIN.plus(-10 * MINUTE), BEGIN.plus(5 * MINUTE)).await;
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contracts_are_spread_over_connections() {
    let market =
        made().with_made("ETHUSDT", &MarketShape { seed: 9, price: 3_000, ..MarketShape::new(DAY, 400) });
    let limits = VenueLimits { contracts_per_connection: 1, ..limits() };
    let mut run = Plan { market, symbols: vec!["BTCUSDT", "ETHUSDT"], limits, ..Plan::default() }.start();
    run.until("two connections", |run| (run.status().connections == 2).then_some(())).await;
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        run.whole(symbol, BEGIN.plus(-60 * MINUTE), BEGIN.plus(5 * MINUTE)).await;
    }
    assert_eq!(run.exchange.seen().texts.len(), 2);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_keep_their_distance() {
    let symbols: Vec<&'static str> = vec![
        "AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT", "GUSDT", "HUSDT", "IUSDT", "JUSDT", "KUSDT",
        "LUSDT", "MUSDT", "NUSDT", "OUSDT", "PUSDT", "QUSDT", "RUSDT", "SUSDT", "TUSDT", "UUSDT", "VUSDT",
        "WUSDT", "XUSDT", "YUSDT", "ZUSDT", "AAUSDT", "BBUSDT", "CCUSDT", "DDUSDT", "EEUSDT", "FFUSDT",
        "GGUSDT", "HHUSDT", "IIUSDT", "JJUSDT", "KKUSDT", "LLUSDT", "MMUSDT", "NNUSDT", "OOUSDT", "PPUSDT",
        "QQUSDT", "RRUSDT", "SSUSDT", "TTUSDT", "UUUSDT", "VVUSDT", "WWUSDT", "XXUSDT", "YYUSDT",
    ];
    let market = symbols.iter().fold(Market::default(), |market, name| market.with(name, Vec::new()));
    let mut run = Plan { market, symbols, speed: 1.0, ..Plan::default() }.start();
    run.until("three messages", |run| (run.exchange.seen().texts.len() == 3).then_some(())).await;
    let texts = run.exchange.seen().texts;
    for pair in texts.windows(2) {
        // A tenth of a second is what the venue asks for.
        assert!(pair[1].1.duration_since(pair[0].1) >= Duration::from_millis(100));
    }
    run.end().await;
}
