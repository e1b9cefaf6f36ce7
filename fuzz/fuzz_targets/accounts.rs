//! Any bytes as what Hyperliquid answers about accounts: positions, the leaderboard, marks of all coins. The first byte
//! chooses. What is read gives a layer whose numbers can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::venues::hyperliquid::{account, leaderboard, markets};
use liqheat_market::UnixMs;
use liqheat_measured::{AccountState, Address, CoinMarket, LayerRequest, AccountTracker};

const NOW: UnixMs = UnixMs(1_763_942_400_000);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    match first % 3 {
        0 => drop(account(body).map(measure)),
        1 => {
            let listed = leaderboard(body).unwrap_or_default();
            let mut measured = AccountTracker::default();
            measured.on_listed(listed.iter().copied(), NOW);
            assert!(measured.addresses() <= listed.len());
        }
        _ => {
            for market in markets(body).unwrap_or_default() {
                assert!(market.mark > 0.0 && market.mark.is_finite() && market.open_interest_both_sides.is_finite());
            }
        }
    }
});

fn measure(state: AccountState) {
    let address = Address::new([7; 20]);
    let coins: Vec<(std::sync::Arc<str>, f64)> =
        state.positions.iter().map(|position| (std::sync::Arc::clone(&position.coin), position.mark)).collect();
    let mut measured = AccountTracker::default();
    measured.on_named([address], NOW);
    assert_eq!(measured.next_look(NOW), Some(address));
    measured.on_look(address, state, NOW);
    for factor in [1.0, 0.5, 3.0] {
        let market = |(coin, mark): &(std::sync::Arc<str>, f64)| CoinMarket {
            coin: std::sync::Arc::clone(coin),
            mark: mark * factor,
            open_interest_both_sides: 1_000.0,
        };
        measured.on_markets(coins.iter().map(market), NOW);
        for (coin, mark) in &coins {
            let request = LayerRequest { coin, bin: mark / 1_000.0, closest: 3 };
            let Some(layer) = measured.layer(request, NOW) else { continue };
            for side in [layer.long, layer.short] {
                for share in [side.share_without_level, side.share_older_than_5m, side.share_older_than_60m] {
                    assert!((0.0..=1.0 + 1e-9).contains(&share), "{side:?}");
                }
                assert!(side.usd.is_finite() && side.coverage.is_none_or(f64::is_finite), "{side:?}");
            }
            assert!(layer.levels.windows(2).all(|pair| pair[0].index < pair[1].index));
            for level in &layer.levels {
                assert!(level.long_usd.is_finite() && level.short_usd.is_finite(), "{level:?}");
            }
            for one in &layer.closest {
                assert!(one.price > 0.0 && one.distance >= 0.0 && one.distance.is_finite(), "{one:?}");
            }
        }
    }
}
