//! The layer of a coin: levels of all accounts by price, and how much of the market they are.

use std::collections::{BTreeMap, BTreeSet};

use liqheat_market::convert::trunc_i64;
use liqheat_market::{Side, UnixMs};

use crate::{AccountState, Address};

/// What a layer is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerRequest<'a> {
    /// The venue's name of the coin.
    pub coin: &'a str,
    /// Height of a level, USD a coin.
    pub bin: f64,
    /// Most positions in [`Layer::closest`].
    pub closest: usize,
}

/// Positions of one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MeasuredSide {
    /// Accounts with a position.
    pub accounts: usize,
    /// Sum of their positions, coins.
    pub size: f64,
    /// Their value at the mark price, USD.
    pub usd: f64,
    /// Size over the side's open interest, 0 to 1; `None` while that is unknown.
    pub coverage: Option<f64>,
    /// Share of the size that no price liquidates, 0 to 1.
    pub share_without_level: f64,
    /// Share of the size that was looked at more than 5 minutes ago, 0 to 1.
    pub share_older_than_5m: f64,
    /// Share of the size that was looked at more than 60 minutes ago, 0 to 1.
    pub share_older_than_60m: f64,
}

/// Positions whose liquidation prices lie in one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerLevel {
    /// Its lower edge is this many heights above zero.
    pub index: i64,
    /// USD of longs at their liquidation prices.
    pub long_usd: f64,
    /// USD of shorts at their liquidation prices.
    pub short_usd: f64,
    /// Number of accounts with a long.
    pub long_accounts: usize,
    /// Number of accounts with a short.
    pub short_accounts: usize,
    /// Time since the oldest look at one of them, ms.
    pub age_ms: i64,
}

/// One position, nearest first in [`Layer::closest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosestPosition {
    /// The account.
    pub address: Address,
    /// Whether it is a long or a short.
    pub side: Side,
    /// Liquidation price, USD.
    pub price: f64,
    /// Distance from the mark as a share of it.
    pub distance: f64,
    /// Its value at the liquidation price, USD.
    pub usd: f64,
    /// Time since the look at the account, ms.
    pub age_ms: i64,
}

/// The levels of a coin.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Mark price, USD.
    pub mark: f64,
    /// All longs of known accounts.
    pub long: MeasuredSide,
    /// All shorts of known accounts.
    pub short: MeasuredSide,
    /// Levels with positions, ascending. Longs at or above the mark and shorts at or below it are not among them: the price
    /// has passed their level since the look.
    pub levels: Vec<LayerLevel>,
    /// Positions that are nearest to their liquidation, on both sides.
    pub closest: Vec<ClosestPosition>,
}

impl Layer {
    /// Of all accounts under the marks of now. `open_interest` is that of one side, coins.
    pub(crate) fn new<'a>(
        accounts: impl Iterator<Item = (&'a Address, &'a AccountState)>,
        mark_of: impl Fn(&str) -> Option<f64> + Copy,
        (mark, open_interest): (f64, Option<f64>),
        request: LayerRequest<'_>,
        now: UnixMs,
    ) -> Self {
        let mut sides = [Tally::default(), Tally::default()];
        let mut levels: BTreeMap<i64, LayerLevel> = BTreeMap::new();
        let mut closest: BTreeSet<(Distance, Address)> = BTreeSet::new();
        let mut named: BTreeMap<Address, ClosestPosition> = BTreeMap::new();
        for (address, account) in accounts {
            let Some(index) = account.positions.iter().position(|one| *one.coin == *request.coin) else {
                continue;
            };
            let position = &account.positions[index];
            let Some(level) = account.levels(mark_of).into_iter().nth(index) else { continue };
            let (is_long, size) = (position.is_long(), position.size.abs());
            let age_ms = now.since(account.as_of).max(0);
            sides[usize::from(!is_long)].add(size, level.price.is_some(), age_ms);
            let is_ahead = |price: &f64| if is_long { *price < mark } else { *price > mark };
            let Some(price) = level.price.filter(is_ahead) else { continue };
            let (usd, distance) = (size * price, (price / mark - 1.0).abs());
            let bin = trunc_i64((price / request.bin).floor());
            levels.entry(bin).or_insert(LayerLevel::empty(bin)).add(is_long, usd, age_ms);
            closest.insert((Distance(distance), *address));
            let side = if is_long { Side::Long } else { Side::Short };
            named.insert(*address, ClosestPosition { address: *address, side, price, distance, usd, age_ms });
            if closest.len() > request.closest
                && let Some((_, farthest)) = closest.pop_last()
            {
                named.remove(&farthest);
            }
        }
        let [long, short] = sides.map(|tally| tally.side(mark, open_interest));
        let closest = closest.iter().filter_map(|(_, address)| named.get(address).copied()).collect();
        Self { mark, long, short, levels: levels.into_values().collect(), closest }
    }

    /// Whether more is measured of a side than is open: then the venue's open interest no longer counts both sides.
    #[must_use]
    pub fn exceeds_open_interest(&self) -> bool {
        [self.long, self.short].iter().any(|side| side.coverage.is_some_and(|coverage| coverage > 1.0))
    }
}

/// A distance in order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Distance(f64);

impl Eq for Distance {}

impl PartialOrd for Distance {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Distance {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    accounts: usize,
    size: f64,
    without_level: f64,
    older_than_5m: f64,
    older_than_60m: f64,
}

impl Tally {
    fn add(&mut self, size: f64, has_level: bool, age_ms: i64) {
        const MINUTE_MS: i64 = 60_000;
        self.accounts += 1;
        self.size += size;
        let size_if = |condition: bool| if condition { size } else { 0.0 };
        self.without_level += size_if(!has_level);
        self.older_than_5m += size_if(age_ms > 5 * MINUTE_MS);
        self.older_than_60m += size_if(age_ms > 60 * MINUTE_MS);
    }

    fn side(self, mark: f64, open_interest: Option<f64>) -> MeasuredSide {
        let share = |part: f64| if self.size > 0.0 { part / self.size } else { 0.0 };
        MeasuredSide {
            accounts: self.accounts,
            size: self.size,
            usd: self.size * mark,
            coverage: open_interest.filter(|one| *one > 0.0).map(|one| self.size / one),
            share_without_level: share(self.without_level),
            share_older_than_5m: share(self.older_than_5m),
            share_older_than_60m: share(self.older_than_60m),
        }
    }
}

impl LayerLevel {
    const fn empty(index: i64) -> Self {
        Self { index, long_usd: 0.0, short_usd: 0.0, long_accounts: 0, short_accounts: 0, age_ms: 0 }
    }

    fn add(&mut self, is_long: bool, usd: f64, age_ms: i64) {
        let (sum, accounts) = if is_long {
            (&mut self.long_usd, &mut self.long_accounts)
        } else {
            (&mut self.short_usd, &mut self.short_accounts)
        };
        *sum += usd;
        *accounts += 1;
        self.age_ms = self.age_ms.max(age_ms);
    }
}
