//! Sums over venues.
//!
//! Each venue has a ledger of its own, with that venue's margin tiers; the aggregate is their sum and nothing else. It
//! is taken over whole dollars, so a client that adds up the venues gets the aggregate to the dollar.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_market::{Price, UnixMs};
use liqheat_model::LeverageLevel;
use liqheat_stream::Counters;
use liqheat_wire::Cell;

use crate::catalog::{LedgerView, VenueLedger};

/// The ledgers of a symbol on this server, summed.
#[derive(Debug, Clone)]
pub(crate) struct LedgerSum {
    /// Time of the newest market event in any of them.
    pub(crate) as_of: UnixMs,
    /// The price of the venue with the most open interest.
    pub(crate) price: Price,
    /// Height of a public bin.
    pub(crate) base_bin: Price,
    /// Share of open interest that the model has seen open, 0 to 1.
    pub(crate) seen_share: f64,
    /// Whether `seen_share` is below the model's threshold for a trustworthy picture.
    pub(crate) warming_up: bool,
    /// Levels in whole dollars, ascending.
    pub(crate) cells: Arc<Vec<Cell>>,
    /// Levels by leverage in public bins, dollars.
    pub(crate) by_leverage: Arc<Vec<LeverageLevel>>,
    /// Positions created and consumed since the process began.
    pub(crate) counters: Counters,
    /// Epoch of the states made from it: changes with the set of venues and with any bin height.
    pub(crate) epoch: String,
    /// The ledgers in it, the one with the most open interest first.
    pub(crate) ledgers: Vec<(Arc<VenueLedger>, Arc<LedgerView>)>,
}

impl LedgerSum {
    /// Open interest of all venues.
    pub(crate) fn open_interest_usd(&self) -> f64 {
        self.ledgers.iter().map(|(_, view)| view.open_interest * view.price.to_f64()).sum()
    }
}

impl LedgerSum {
    /// Identifies the past that grids are computed from: it changes when a bar closes anywhere and when the past is
    /// computed anew.
    pub(crate) fn past(&self) -> Vec<(UnixMs, u64)> {
        self.ledgers.iter().map(|(_, ledger)| (ledger.cursor, ledger.revision)).collect()
    }
}

/// The narrowest height of bins that is a whole multiple of all: heights are 1, 2 or 5 times a power of ten, so it
/// is one of them again, and every bin of a venue falls into exactly one.
pub(crate) fn common_bin(bins: impl IntoIterator<Item = Price>) -> Price {
    let units = bins
        .into_iter()
        .map(|bin| bin.units().max(1))
        .fold(1, |all, one| (all / greatest_common_divisor(all, one)).saturating_mul(one));
    Price::from_units(units)
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn bin_of(price: Price, bin: Price) -> Price {
    Price::from_units(price.units().div_euclid(bin.units()) * bin.units())
}

/// Adds up levels in bins of `bin`, ascending.
pub(crate) fn sum_cells<'a>(cells: impl IntoIterator<Item = &'a Cell>, bin: Price) -> Vec<Cell> {
    let mut sums: BTreeMap<Price, Cell> = BTreeMap::new();
    for cell in cells {
        let price = bin_of(cell.price, bin);
        let sum = sums.entry(price).or_insert(Cell { price, long_usd: 0, short_usd: 0 });
        sum.long_usd = sum.long_usd.saturating_add(cell.long_usd);
        sum.short_usd = sum.short_usd.saturating_add(cell.short_usd);
    }
    sums.into_values().collect()
}

/// Adds up levels by leverage in bins of `bin`: lowest leverage first, prices ascending within it.
pub(crate) fn sum_by_leverage<'a>(
    levels: impl IntoIterator<Item = &'a LeverageLevel>,
    bin: Price,
) -> Vec<LeverageLevel> {
    // Leverages are above zero, and positive numbers sort by their bits.
    let mut sums: BTreeMap<(u64, Price), LeverageLevel> = BTreeMap::new();
    for level in levels {
        let price = bin_of(level.price, bin);
        let sum = sums.entry((level.leverage.to_bits(), price)).or_insert(LeverageLevel {
            price,
            long_usd: 0.0,
            short_usd: 0.0,
            ..*level
        });
        sum.long_usd += level.long_usd;
        sum.short_usd += level.short_usd;
    }
    sums.into_values().collect()
}

/// The sum of the ledgers that have a view; `None` while none has. `epoch_run` names the run of this process.
pub(crate) fn sum(ledgers: &[Arc<VenueLedger>], epoch_run: &str) -> Option<LedgerSum> {
    let views: Vec<Option<Arc<LedgerView>>> = ledgers.iter().map(|ledger| ledger.view()).collect();
    // A new epoch begins when a venue joins and when any height of bins changes.
    let versions: Vec<String> =
        views.iter().map(|view| view.as_ref().map_or(0, |view| view.version).to_string()).collect();
    let mut ledgers: Vec<(Arc<VenueLedger>, Arc<LedgerView>)> =
        ledgers.iter().cloned().zip(views).filter_map(|(ledger, view)| Some((ledger, view?))).collect();
    // The sort is stable: of two with the same open interest the first venue leads.
    ledgers.sort_by(|(_, a), (_, b)| b.open_interest.total_cmp(&a.open_interest));
    let (lead_ledger, lead) = ledgers.first()?;
    let views = || ledgers.iter().map(|(_, view)| view);
    let base_bin = common_bin(views().map(|view| view.base_bin));
    let (cells, by_leverage) = match ledgers.as_slice() {
        [(_, only)] => (Arc::clone(&only.cells), Arc::clone(&only.by_leverage)),
        _ => (
            Arc::new(sum_cells(views().flat_map(|view| view.cells.iter()), base_bin)),
            Arc::new(sum_by_leverage(views().flat_map(|view| view.by_leverage.iter()), base_bin)),
        ),
    };
    let seen_share = match ledgers.as_slice() {
        [(_, only)] => only.seen_share,
        _ => seen_share(views()),
    };
    Some(LedgerSum {
        as_of: views().map(|view| view.as_of).max().unwrap_or(lead.as_of),
        price: lead.price,
        base_bin,
        seen_share,
        warming_up: seen_share < lead_ledger.spec.params.values().warm_share,
        cells,
        by_leverage,
        counters: views().fold(Counters::default(), |all, view| Counters {
            created: all.created + view.counters.created,
            consumed: all.consumed + view.counters.consumed,
        }),
        epoch: format!("{epoch_run}-{}", versions.join(".")),
        ledgers,
    })
}

/// Share of open interest that the model has seen open, over several ledgers, weighted by coins.
pub(crate) fn seen_share<'a>(views: impl Iterator<Item = &'a Arc<LedgerView>> + Clone) -> f64 {
    let all: f64 = views.clone().map(|view| view.open_interest).sum();
    let seen_interest: f64 = views.map(|view| view.open_interest * view.seen_share).sum();
    if all > 0.0 { (seen_interest / all).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::LedgerSpec;
    use liqheat_market::{Instrument, Interval, Symbol, TierTable, Venue};
    use liqheat_model::Params;
    use proptest::prelude::*;

    /// A height as grids choose them.
    fn bins() -> impl Strategy<Value = i64> {
        (prop::sample::select(vec![1i64, 2, 5]), 0u32..6).prop_map(|(digit, power)| digit * 10i64.pow(power))
    }

    #[derive(Debug, Clone)]
    struct VenueMap {
        bin: i64,
        levels: BTreeMap<i64, (u64, u64)>,
        open_interest: f64,
        seen_share: f64,
        price: i64,
    }

    fn venues() -> impl Strategy<Value = Vec<VenueMap>> {
        let levels = prop::collection::btree_map(0i64..500, (0u64..1_000_000, 0u64..1_000_000), 0..60);
        let one = (bins(), levels, 1.0..1e6f64, 0.0..=1.0f64, 1i64..1_000_000).prop_map(
            |(bin, levels, open_interest, seen_share, price)| VenueMap {
                bin,
                levels,
                open_interest,
                seen_share,
                price,
            },
        );
        prop::collection::vec(one, 1..5)
    }

    fn ledger(venue: Venue, of: &VenueMap) -> Arc<VenueLedger> {
        let instrument = Instrument::new(venue, Symbol::new("BTCUSDT").unwrap());
        let tiers = TierTable::flat(UnixMs(0), 0.005).unwrap();
        let spec = LedgerSpec::new(instrument, Interval::M1, Params::default(), 0);
        let ledger = VenueLedger::new(spec, Some(UnixMs(0)), tiers);
        let cell = |(index, (long_usd, short_usd)): (&i64, &(u64, u64))| Cell {
            price: Price::from_units(index * of.bin),
            long_usd: *long_usd,
            short_usd: *short_usd,
        };
        let cells: Vec<Cell> = of.levels.iter().map(cell).filter(|cell| !cell.is_empty()).collect();
        let by_leverage = [5.0, 25.0].into_iter().flat_map(|leverage| {
            cells.iter().map(move |cell| LeverageLevel {
                leverage,
                price: cell.price,
                long_usd: cell.long_usd as f64 / 2.0,
                short_usd: cell.short_usd as f64 / 2.0,
            })
        });
        ledger.set_view(LedgerView {
            cursor: UnixMs(1),
            as_of: UnixMs(of.price),
            price: Price::from_units(of.price),
            base_bin: Price::from_units(of.bin),
            seen_share: of.seen_share,
            open_interest: of.open_interest,
            tip: None,
            by_leverage: Arc::new(by_leverage.collect()),
            cells: Arc::new(cells),
            counters: Counters { created: 3, consumed: 2 },
            version: 1,
            revision: 0,
        });
        Arc::new(ledger)
    }

    fn ledgers(of: &[VenueMap]) -> Vec<Arc<VenueLedger>> {
        Venue::ALL.into_iter().zip(of).map(|(venue, of)| ledger(venue, of)).collect()
    }

    proptest! {
        /// The aggregate is the sum of the venues on every bin, by side and by leverage, and nothing besides.
        #[test]
        fn the_sum_is_the_sum_of_its_parts_on_every_bin(venues in venues()) {
            let all = ledgers(&venues);
            let sum = sum(&all, "run").unwrap();
            let bin = sum.base_bin.units();
            prop_assert!(venues.iter().all(|one| bin % one.bin == 0), "whole multiples");
            let narrower = [1, 2, 5].into_iter().flat_map(|digit| (0..12).map(move |power| digit * 10i64.pow(power)));
            for other in narrower.filter(|other| *other < bin) {
                prop_assert!(venues.iter().any(|one| other % one.bin != 0), "{other} would also do");
            }
            let mut expected: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
            for venue in &venues {
                for (index, (long, short)) in &venue.levels {
                    let at = expected.entry(index * venue.bin / bin * bin).or_default();
                    *at = (at.0 + long, at.1 + short);
                }
            }
            expected.retain(|_, sums| *sums != (0, 0));
            let got: BTreeMap<i64, (u64, u64)> =
                sum.cells.iter().map(|cell| (cell.price.units(), (cell.long_usd, cell.short_usd))).collect();
            prop_assert_eq!(got.len(), sum.cells.len(), "each bin once");
            prop_assert!(sum.cells.is_sorted_by(|a, b| a.price < b.price));
            prop_assert_eq!(&got, &expected);
            let of_leverage: f64 = sum.by_leverage.iter().map(|level| level.long_usd).sum();
            let longs: u64 = expected.values().map(|(long, _)| long).sum();
            prop_assert!((of_leverage - longs as f64).abs() <= 1e-6 * longs as f64);
            prop_assert!(sum.by_leverage.is_sorted_by_key(|level| (level.leverage.to_bits(), level.price)));
        }

        #[test]
        fn the_largest_open_interest_leads_and_weighs(venues in venues()) {
            let all = ledgers(&venues);
            let sum = sum(&all, "run").unwrap();
            let largest = venues.iter().map(|one| one.open_interest).fold(0.0, f64::max);
            let leading = venues.iter().find(|one| one.open_interest == largest).unwrap();
            prop_assert_eq!(sum.price.units(), leading.price);
            prop_assert!((0.0..=1.0).contains(&sum.seen_share));
            let newest = venues.iter().map(|one| one.price).max().unwrap();
            prop_assert_eq!(sum.as_of.0, newest);
            prop_assert_eq!(sum.counters.created, 3 * venues.len() as u64);
        }
    }

    #[test]
    fn a_venue_that_joins_begins_an_epoch() {
        let venue = |bin| VenueMap {
            bin,
            levels: BTreeMap::from([(3, (7, 0))]),
            open_interest: 10.0,
            seen_share: 1.0,
            price: 4,
        };
        let one = ledger(Venue::Binance, &venue(2));
        let tiers = TierTable::flat(UnixMs(0), 0.005).unwrap();
        let instrument = Instrument::new(Venue::Okx, Symbol::new("BTCUSDT").unwrap());
        let spec = LedgerSpec::new(instrument, Interval::M1, Params::default(), 0);
        let silent = Arc::new(VenueLedger::new(spec, None, tiers));
        assert!(sum(&[Arc::clone(&silent)], "r").is_none());
        let alone = sum(&[Arc::clone(&one), silent], "r").unwrap();
        assert_eq!((alone.epoch.as_str(), alone.base_bin.units()), ("r-1.0", 2));
        assert_eq!(alone.cells[0].price.units(), 6, "a single ledger's levels are its own");
        let both = sum(&[one, ledger(Venue::Okx, &venue(5))], "r").unwrap();
        assert_eq!((both.epoch.as_str(), both.base_bin.units()), ("r-1.1", 10));
        assert_eq!(both.cells.iter().map(|cell| cell.price.units()).collect::<Vec<_>>(), [0, 10]);
    }
}
