//! Contracts that come and go while a venue is followed.

use liqheat_feeds::live::LiveStatus;
use liqheat_feeds::venues::StreamKind;
use liqheat_market::SourceState;
use liqheat_market::{KlineKind, UnixMs};

use crate::support::{MIDNIGHT, ReceivedData, World, venues};

const MINUTE_MS: i64 = 60_000;

fn unlisted(status: &LiveStatus) -> Vec<&str> {
    status.venues[0].unlisted.iter().map(liqheat_market::Symbol::as_str).collect()
}

/// Whether klines of a symbol reach a moment.
fn reaches(data: &ReceivedData, symbol: &str, moment: UnixMs) -> bool {
    data.klines(symbol, KlineKind::Last).any(|kline| kline.close_time() >= moment)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_is_listed_later_is_followed_from_then_on() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        world.exchange.market().unlist("ETHUSDT");
        world.start();
        world
            .until("the one that is there", |data, status| {
                reaches(data, "BTCUSDT", MIDNIGHT.plus(3 * MINUTE_MS))
                    && unlisted(status) == ["ETHUSDT"]
                    && status.venues[0].state == SourceState::Live
            })
            .await;
        assert_eq!(world.data.count("ETHUSDT", StreamKind::Trades), 0);
        world.exchange.market().list("ETHUSDT");
        let listed = world.exchange.now();
        world
            .until("the other", |data, status| {
                reaches(data, "ETHUSDT", listed.plus(4 * MINUTE_MS))
                    && unlisted(status).is_empty()
                    && status.venues[0].state == SourceState::Live
            })
            .await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.check_trades(symbol);
        }
        world.check_klines("BTCUSDT");
        // Its past is also fetched.
        let count = world.check_klines_from("ETHUSDT", listed.plus(-15 * MINUTE_MS));
        assert!(count >= 18, "{venue}: {count}");
        assert_eq!(
            status.venues[0].reconnects, 0,
            "{venue}: the one that was there was left alone: {status:?}"
        );
        assert_eq!(status.venues[0].connections, 2, "{venue}: {status:?}");
        let symbols = status.venues[0].streams.iter().filter(|stream| stream.stream == StreamKind::Mark);
        assert_eq!(symbols.count(), 2, "{venue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delisted_contract_is_named_and_takes_no_other_with_it() {
    for venue in venues() {
        let mut world = World::new(venue, 60);
        world.start();
        world.until_minute(2).await;
        // Whoever subscribes anew is refused; at Bybit with everything else.
        world.exchange.market().unlist("ETHUSDT");
        world.exchange.cut_all();
        world
            .until("it is named, and the other has a connection of its own", |_, status| {
                let venue = &status.venues[0];
                unlisted(status) == ["ETHUSDT"] && venue.state == SourceState::Live && venue.connections == 1
            })
            .await;
        // The connection that was refused may still be counted: the one that brings the other's data comes after it.
        let named = world.exchange.now();
        world.until("the other's data", |data, _| reaches(data, "BTCUSDT", named.plus(2 * MINUTE_MS))).await;
        let sockets = world.exchange.seen().sockets.len();
        world.until("time", |data, _| reaches(data, "BTCUSDT", named.plus(6 * MINUTE_MS))).await;
        assert_eq!(world.exchange.seen().sockets.len(), sockets, "{venue}: nobody tries for it");
        world.exchange.market().list("ETHUSDT");
        let back = world.exchange.now();
        world
            .until("it is back", |data, status| {
                reaches(data, "ETHUSDT", back.plus(4 * MINUTE_MS)) && unlisted(status).is_empty()
            })
            .await;
        world.stop().await;
        world.check_klines("BTCUSDT");
        world.check_trades("BTCUSDT");
        world.check_klines("ETHUSDT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_has_nothing_is_looked_at_again() {
    for venue in venues() {
        let mut world = World::new(venue, 40);
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.exchange.market().unlist(symbol);
        }
        world.start();
        world.until("nothing", |_, status| status.venues[0].has_nothing()).await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            world.exchange.market().list(symbol);
        }
        world.until_minute(4).await;
        let status = world.stop().await;
        assert!(!status.venues[0].has_nothing(), "{status:?}");
    }
}
