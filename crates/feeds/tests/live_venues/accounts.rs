//! Liquidations out of the fills of named accounts.

use liqheat_feeds::live::{Clock, Delivery, LiveError, LiveFeed, LiveSettings, VenueSettings};
use liqheat_feeds::venues::StreamKind;
use liqheat_market::{Symbol, Venue};
use liqheat_testkit::exchange::HyperliquidProtocol;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{MIDNIGHT, World};

/// Has traded against the one who was liquidated.
const OTHER: &str = "0x2b5dba3bc4cbb1b94d1e57fcbe0fbc82731ce5f2";
/// Farther back than the script goes.
const BEFORE_ALL: i64 = -3_600_000;

/// Whichever side of a liquidation is followed, it is notified once, also those of before and of an outage.
#[tokio::test(flavor = "multi_thread")]
async fn liquidations_of_named_accounts_come_once() {
    for accounts in
        [&[HyperliquidProtocol::LIQUIDATED][..], &[OTHER], &[OTHER, HyperliquidProtocol::LIQUIDATED]]
    {
        let mut world = World::new(Venue::Hyperliquid, 40).accounts(accounts);
        world.start();
        world.until_minute(2).await;
        world.exchange.misbehave(|faults| faults.refuse_sockets = true);
        world.exchange.cut_all();
        world
            .until("the outage", |_, status| {
                status.venues[0].connections == 0 && status.venues[0].reconnects > 0
            })
            .await;
        let (clock, end) = (world.clock.clone(), world.clock.now().plus(2 * 60_000));
        world.until("two minutes without a connection", |_, _| clock.now() >= end).await;
        world.exchange.misbehave(|faults| faults.refuse_sockets = false);
        world.until_minute(8).await;
        world.exchange.cut_all();
        world.until_minute(10).await;
        let status = world.stop().await;
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let (got, expected) =
                world.liquidations(symbol, MIDNIGHT.plus(BEFORE_ALL), MIDNIGHT.plus(9 * 60_000));
            assert!(expected.len() > 35, "{}", expected.len());
            assert_eq!(got, expected, "{symbol} of {accounts:?}");
        }
        assert_eq!(status.venues[0].refused, 0, "{status:?}");
        assert!(status.venues[0].repeated > 60, "the snapshot of each connection: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_nothing_is_requested_or_reported() {
    let mut world = World::new(Venue::Hyperliquid, 20);
    world.start();
    world.until_minute(3).await;
    world.stop().await;
    assert_eq!(world.data.count("BTCUSDT", StreamKind::Liquidations), 0);
    assert!(world.exchange.seen().texts.iter().all(|(_, _, text)| !text.contains("userFills")));
}

#[tokio::test]
async fn more_accounts_than_the_venue_allows_are_refused() {
    let addresses = (0..11).map(|at| format!("0x{at:040x}").parse().unwrap());
    let venue = VenueSettings {
        venue: Venue::Hyperliquid,
        socket_base: None,
        rest_base: None,
        symbols: vec![Symbol::new("BTCUSDT").unwrap()],
        names: std::collections::BTreeMap::new(),
        accounts: addresses.collect(),
        looks: None,
        limits: None,
    };
    let settings = LiveSettings { clock: Clock::wall(), ..LiveSettings::new(vec![venue.clone()]) };
    let start = |settings| {
        let (sender, _deliveries) = mpsc::channel::<Delivery>(1);
        LiveFeed::start(settings, std::collections::BTreeMap::new(), sender, CancellationToken::new())
    };
    let error = start(settings).unwrap_err();
    assert!(matches!(error, LiveError::Accounts { given: 11, most: 10, .. }), "{error}");
    // Elsewhere nobody sees them.
    let bybit = VenueSettings { venue: Venue::Bybit, ..venue };
    let error = start(LiveSettings::new(vec![bybit])).unwrap_err();
    assert!(matches!(error, LiveError::Accounts { most: 0, .. }), "{error}");
}
