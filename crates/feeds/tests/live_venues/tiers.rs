//! Margin tiers asked of a venue.

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_feeds::live::{TierFetchError, VenueSettings, fetch_tiers};
use liqheat_feeds::tiers::TierBook;
use liqheat_market::{Event, Instrument, KlineKind, Symbol, Venue};

use crate::support::{World, venues};

fn settings(world: &World, symbol: &str) -> VenueSettings {
    VenueSettings {
        venue: world.venue,
        socket_base: None,
        rest_base: Some(world.exchange.rest_base()),
        symbols: vec![Symbol::new(symbol).unwrap()],
        names: BTreeMap::new(),
        accounts: Vec::new(),
        looks: None,
        limits: None,
    }
}

const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn each_venue_tells_its_own() {
    for venue in venues() {
        let world = World::new(venue, 40);
        let settings = settings(&world, "BTCUSDT");
        let book = fetch_tiers(&settings, world.clock.clone(), TIMEOUT, TierBook::embedded()).await.unwrap();
        let table = book.table(&Instrument::new(venue, Symbol::new("BTCUSDT").unwrap()));
        assert!(table.as_of().0 >= 1_763_942_400_000 - 86_400_000, "{venue}: today");
        let tiers: Vec<(f64, f64, f64)> =
            table.tiers().iter().map(|tier| (tier.floor_usd, tier.rate, tier.leverage_max)).collect();
        match venue {
            Venue::Bybit => assert_eq!(tiers, [(0.0, 0.005, 100.0), (2_000_000.0, 0.01, 57.14)]),
            Venue::Hyperliquid => assert_eq!(tiers, [(0.0, 0.0125, 40.0), (150_000_000.0, 0.025, 20.0)]),
            // 1000 contracts of a hundredth of a coin, at a price of the last minutes.
            _ => {
                let floors: Vec<f64> = world
                    .script("BTCUSDT")
                    .iter()
                    .filter_map(|event| match event {
                        Event::Kline(kline) if kline.kind == KlineKind::Last => {
                            Some((kline.close.to_f64() * 10.0).round())
                        }
                        _ => None,
                    })
                    .collect();
                assert_eq!((tiers[0], tiers[1].1), ((0.0, 0.004, 100.0), 0.005));
                assert!(floors.contains(&tiers[1].0), "{tiers:?}");
            }
        }
        // The others stay as they were.
        assert_eq!(book.instruments().count(), TierBook::embedded().instruments().count());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_venue_does_not_have_is_an_error_with_words() {
    let cases = [
        (Venue::Bybit, "there is no contract DOGEUSDT"),
        (Venue::Okx, "there is no contract DOGE-USDT-SWAP"),
        (Venue::Hyperliquid, "there is no contract DOGE"),
    ];
    for (venue, words) in cases {
        let world = World::new(venue, 40);
        let settings = settings(&world, "DOGEUSDT");
        let error =
            fetch_tiers(&settings, world.clock.clone(), TIMEOUT, TierBook::default()).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let mut settings = settings(&World::new(Venue::Bybit, 1), "BTCUSDT");
    settings.venue = Venue::Binance;
    let clock = liqheat_feeds::live::Clock::wall();
    let error = fetch_tiers(&settings, clock, TIMEOUT, TierBook::default()).await.unwrap_err();
    assert!(matches!(error, TierFetchError::NotPublic(Venue::Binance)), "{error}");
}
