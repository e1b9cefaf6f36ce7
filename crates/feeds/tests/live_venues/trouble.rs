//! When it does not.

use std::time::Duration;

use liqheat_feeds::venues::StreamKind;
use liqheat_market::{KlineKind, Venue};

use crate::support::{MIDNIGHT, World, venues};

#[tokio::test(flavor = "multi_thread")]
async fn repeated_reordered_and_halved_frames_change_nothing() {
    for venue in venues() {
        let mut world = World::new(venue, 20);
        world.exchange.misbehave(|faults| {
            faults.repeat_every = Some(7);
            faults.swap_every = Some(5);
            faults.halve_every = Some(11);
            faults.say.push_back("{\"nonsense\":".to_owned());
            faults.say.push_back("[]".to_owned());
        });
        world.start();
        world.until_minute(4).await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.check_trades(symbol);
            world.check_klines(symbol);
        }
        assert!(status.venues[0].refused > 20, "{venue}: {status:?}");
        assert!(status.venues[0].repeated > 20, "{venue}: {status:?}");
        world.check_no_gaps();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_lose_no_kline_and_no_trade_without_a_word() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        world.start();
        for minute in 1..6 {
            world.until_minute(minute).await;
            world.exchange.cut_all();
        }
        world.exchange.misbehave(|faults| faults.cut_mid_message = 1);
        world.until_minute(8).await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.check_trades(symbol);
            world.check_klines(symbol);
        }
        assert!(status.venues[0].reconnects >= 5, "{venue}: {status:?}");
        // Liquidations are reported once, whatever OKX repeats after subscribing.
        if venue != Venue::Hyperliquid {
            let (got, expected) = world.liquidations("BTCUSDT", MIDNIGHT, MIDNIGHT.plus(7 * 60_000));
            assert!(got.iter().all(|one| expected.contains(one)), "{venue}");
            let mut once = got.clone();
            once.dedup();
            assert_eq!(once, got, "{venue}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_but_silent_connection_is_left() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        world.exchange.misbehave(|faults| faults.silent = true);
        world.start();
        world.until("two lost connections", |_, status| status.venues[0].reconnects >= 2).await;
        world.exchange.misbehave(|faults| faults.silent = false);
        world.until("trades", |data, _| data.count("ETHUSDT", StreamKind::Trades) > 100).await;
        let status = world.stop().await;
        world.check_trades("ETHUSDT");
        assert!(status.venues[0].reconnects >= 2, "{venue}: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_follow_each_other_without_gap_or_repeat() {
    for venue in venues() {
        let mut world = World::new(venue, 40).limits(|limits| {
            limits.connection_life = Duration::from_secs(60);
            limits.mark_silence = Duration::from_secs(20);
        });
        world.start();
        world.until_minute(8).await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.check_trades(symbol);
            world.check_klines(symbol);
            if venue != Venue::Hyperliquid {
                let (got, expected) =
                    world.liquidations(symbol, MIDNIGHT.plus(60_000), MIDNIGHT.plus(7 * 60_000));
                assert_eq!(got, expected, "{venue} {symbol}");
            }
        }
        assert!(status.venues[0].rollovers >= 3, "{venue}: {status:?}");
        world.check_no_gaps();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_asks_for_a_pause_gets_it() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        world.exchange.misbehave(|faults| {
            faults.refuse_requests = 1;
            faults.refuse_status = if venue == Venue::Bybit { 403 } else { 429 };
            faults.refuse_seconds = 30;
        });
        world.start();
        world.until_minute(6).await;
        world
            .until("the past", |data, _| {
                data.klines("BTCUSDT", KlineKind::Last).any(|kline| kline.open_time < MIDNIGHT.plus(-600_000))
            })
            .await;
        world.stop().await;
        // What was on its way when the first was refused may still come.
        let requests = world.exchange.seen().requests;
        let refused = requests[0].0;
        let early: Vec<_> = requests
            .iter()
            .filter(|(time, _)| (refused.plus(8_000)..refused.plus(30_000)).contains(time))
            .collect();
        assert!(early.is_empty(), "{venue} {refused:?} {early:?}");
        world.check_klines("BTCUSDT");
    }
}
