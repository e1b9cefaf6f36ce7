//! When all goes well.

use liqheat_feeds::venues::StreamKind;
use liqheat_market::{Event, KlineKind, Venue};

use crate::support::{MIDNIGHT, World, venues};

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_comes_out_in_our_units() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        world.start();
        world.until_minute(8).await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.check_trades(symbol);
            world.check_klines(symbol);
            // Open interest is single-sided, and some of the script's.
            let sample =
                |event: &Event| if let Event::OpenInterest(sample) = event { Some(sample.qty) } else { None };
            let script: Vec<_> = world.script(symbol).iter().filter_map(sample).collect();
            let got: Vec<_> = world.data.events[symbol].iter().filter_map(sample).collect();
            assert!(got.len() > 50, "{venue} {}", got.len());
            assert!(got.iter().all(|qty| script.contains(qty)), "{venue}");
            let (got, expected) =
                world.liquidations(symbol, MIDNIGHT.plus(60_000), MIDNIGHT.plus(7 * 60_000));
            if venue == Venue::Hyperliquid {
                assert_eq!(got, [], "it tells of none by itself");
            } else {
                assert!(expected.len() >= 6, "{}", expected.len());
                assert_eq!(got, expected, "{venue}");
            }
            // Klines of the mark price, of the ticks that came.
            assert!(world.data.klines(symbol, KlineKind::Mark).count() >= 5, "{venue}");
            // OKX and Bybit tell the time of each tick: then they are those of the script to the last digit.
            if venue != Venue::Hyperliquid {
                for kline in world.data.klines(symbol, KlineKind::Mark) {
                    let is_same =
                        |event: &Event| matches!(event, Event::Kline(expected) if *expected == kline);
                    assert!(world.script(symbol).iter().any(is_same), "{venue} {kline:?}");
                }
            }
        }
        assert_eq!(status.venues[0].refused, 0, "{venue}: {status:?}");
        world.check_no_gaps();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_sent_in_time_and_funding_is_fetched() {
    for (venue, ping) in [
        (Venue::Bybit, r#"{"op":"ping"}"#),
        (Venue::Okx, "ping"),
        (Venue::Hyperliquid, r#"{"method":"ping"}"#),
    ] {
        let mut world = World::new(venue, 20);
        world.start();
        world.until_minute(4).await;
        world.until("funding", |data, _| data.count("BTCUSDT", StreamKind::Funding) > 0).await;
        world.stop().await;
        let texts = world.exchange.seen().texts;
        let pings = texts.iter().filter(|(_, _, text)| text == ping).count();
        assert!(pings >= 6, "{venue}: {pings} in four minutes");
    }
}
