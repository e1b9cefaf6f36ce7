//! Each fault of an exchange ends in the right set of events, or in a gap that is stated.

use std::time::Duration;

use liqheat_feeds::venues::StreamKind;
use liqheat_market::Event;
use liqheat_testkit::exchange::Faults;

use crate::support::{BEGIN, MINUTE, Plan, Run, made, trade_id};

/// Follows for some minutes with a fault from the first data on, and compares everything.
async fn survives(fault: impl FnOnce(&mut Faults)) -> Run {
    let mut run = Plan::default().start();
    run.until("data", |run| (run.events("BTCUSDT").iter().any(|e| trade_id(e).is_some())).then_some(()))
        .await;
    run.exchange.misbehave(fault);
    let from = BEGIN.plus(-60 * MINUTE);
    let end = run.exchange.now().plus(6 * MINUTE);
    run.whole("BTCUSDT", from, end).await;
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_trades_count_once() {
    let run = survives(|faults| faults.repeat_every = Some(3)).await;
    assert!(run.status().repeated >= 60, "{:?}", run.status());
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_in_disorder_all_count() {
    let run = survives(|faults| faults.swap_every = Some(5)).await;
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_in_the_ids_are_filled_by_request() {
    let run = survives(|faults| faults.drop_every = Some(50)).await;
    let filled: u64 = run.filled.iter().filter(|(s, ..)| *s == StreamKind::Trades).map(|f| f.3).sum();
    assert!(filled >= 5, "{:?}", run.filled);
    let requests = run.exchange.seen().requests;
    assert!(requests.iter().any(|(_, path)| path.contains("aggTrades?symbol=BTCUSDT&fromId=")));
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_frames_are_counted_and_dropped() {
    let run = survives(|faults| faults.halve_every = Some(10)).await;
    let status = run.status();
    assert!(status.refused >= 20 && status.reconnects == 0, "{status:?}");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_cannot_be_true_never_count() {
    let mut run = Plan::default().start();
    let price = |run: &Run| {
        run.events("BTCUSDT").iter().find_map(|event| match event {
            Event::Trade(trade) => Some((trade.id, trade.time)),
            _ => None,
        })
    };
    let (id, _) = run.until("a trade", price).await;
    let now = run.exchange.now().0;
    let trade = |id: i64, time: i64, price: &str, qty: &str| {
        format!(
            r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{now},"a":{id},"s":"BTCUSDT","p":"{price}","q":"{qty}","f":1,"l":1,"T":{time},"m":true}}}}"#
        )
    };
    let mark = |time: i64, price: &str| {
        format!(
            r#"{{"stream":"x","data":{{"e":"markPriceUpdate","E":{time},"s":"BTCUSDT","p":"{price}","T":{now}}}}}"#
        )
    };
    let absurd = [
        trade(id + 3_000, now, "60000", "-1"),
        trade(id + 3_001, now, "0", "1"),
        trade(id + 3_002, now, "60000000", "1"),
        trade(id + 3_003, now, "60", "1"),
        trade(id + 3_004, now + 3_600_000, "60000", "1"),
        trade(id + 3_005, now - 2 * 86_400_000, "60000", "1"),
        trade(id + 2_000_000_000, now, "60000", "1"),
        mark(now + 3_600_000, "60000"),
        mark(now, "60000000"),
        format!(
            r#"{{"e":"kline","E":{now},"s":"BTCUSDT","k":{{"t":{DAY},"i":"1m","o":"5","h":"4","l":"6","c":"5","v":"1","V":"2","n":1,"x":true}}}}"#,
            DAY = BEGIN.0
        ),
        "[]".to_owned(),
        "\u{0}".to_owned(),
    ];
    let sent = absurd.len() as u64;
    run.exchange.misbehave(|faults| faults.say.extend(absurd));
    run.until("all refused", |run| (run.status().refused >= sent).then_some(())).await;
    let end = run.exchange.now().plus(3 * MINUTE);
    run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
    assert_eq!(run.status().refused, sent);
    assert!(run.gaps.is_empty(), "{:?}", run.gaps);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_in_the_middle_of_a_message_is_made_good() {
    let run = survives(|faults| faults.cut_mid_message = 1).await;
    let status = run.status();
    assert!(status.reconnects >= 1 && run.exchange.seen().sockets.len() >= 2, "{status:?}");
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_exchange_is_waited_for() {
    let run = survives(|faults| faults.slow = Some(Duration::from_millis(1))).await;
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_venue_ends_are_opened_again() {
    let run = survives(|faults| faults.socket_life_ms = Some(2 * MINUTE)).await;
    assert!(run.status().reconnects >= 2, "{:?}", run.status());
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_that_nobody_has_are_a_stated_gap() {
    let market = made();
    let lost: Vec<i64> = market
        .events("BTCUSDT")
        .iter()
        .filter(|event| event.known_at() >= BEGIN.plus(3 * MINUTE))
        .filter_map(trade_id)
        .filter(|id| id % 100 == 0)
        .take(1)
        .collect();
    let mut run = Plan::default().start_with(|exchange| {
        exchange.misbehave(|faults| {
            faults.drop_every = Some(100);
            faults.forgotten.extend(&lost);
        });
    });
    run.until("a gap", |run| (!run.gaps.is_empty()).then_some(())).await;
    let gap = &run.gaps[0];
    assert_eq!(gap.stream, StreamKind::Trades);
    assert!(gap.reason.contains(&format!("trades {0} to {0}", lost[0])), "{gap:?}");
    assert!(gap.from <= gap.to && gap.to.since(gap.from) < 2 * MINUTE && gap.from >= BEGIN, "{gap:?}");
    run.until("it is counted", |run| (run.status().gaps == 1).then_some(())).await;
    assert_eq!(run.gaps.len(), 1);
    run.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venue_is_left_alone_when_it_says_so() {
    for status in [429, 418] {
        let mut run = Plan::default().start();
        run.until("data", |run| (run.status().connections == 1 && !run.status().filling).then_some(())).await;
        run.exchange.misbehave(|faults| {
            (faults.refuse_requests, faults.refuse_status, faults.refuse_seconds) = (1, status, 300);
        });
        let until = run.until("a pause", |run| run.status().banned_until).await;
        let asked = run.exchange.seen();
        let end = run.exchange.now().plus(7 * MINUTE);
        run.whole("BTCUSDT", BEGIN.plus(-60 * MINUTE), end).await;
        let seen = run.exchange.seen();
        // Those that were under way already when the answer came.
        assert!(seen.requests_in_pause <= 6, "{status}: {} in the pause", seen.requests_in_pause);
        assert!(seen.requests.len() > asked.requests.len(), "and goes on after it");
        assert!(run.exchange.now() > until && run.status().banned_until.is_none());
        run.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_is_measured_and_does_no_harm() {
    for hours in [-2, 2] {
        let off = hours * 3_600_000;
        let mut run =
            Plan::default().start_with(|exchange| exchange.misbehave(|faults| faults.clock_off_ms = off));
        let skew = run
            .until("skew and trades", |run| {
                let trades = run.events("BTCUSDT").iter().filter(|event| trade_id(event).is_some()).count();
                run.status().skew_ms.filter(|_| trades > 200)
            })
            .await;
        assert!((skew - off).abs() < 20_000, "{skew} {off}");
        let status = run.status();
        assert_eq!(status.refused, 0, "{status:?}");
        run.end().await;
    }
}
