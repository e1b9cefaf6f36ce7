//! Who holds what: the population of traders, and the rule that every contract has one long and one short.
//!
//! Traders with a liquidation price are kept one by one ([`Position`]); everybody else (hedgers, market
//! makers, low leverage, deep collateral) is one number a side, the pool. Whatever happens is a trade, and a
//! trade of `q` contracts is settled on both legs at once: its buyers open longs or close shorts, its sellers
//! open shorts or close longs, `q` in all on either leg. Hence always, in whole units,
//!
//! ```text
//! levered[long] + pool[long] = levered[short] + pool[short] = open interest
//! ```
//!
//! A liquidation is such a trade too: the venue's order closes the trader's side in the market, and the pool
//! is its counterpart. [`COVERED_SHARE`] of the contracts end (the pool closes the opposite side with them),
//! the rest are taken over (the pool opens the same side). There is no auto-deleveraging, because the pool
//! never runs out of takers.

use std::collections::BTreeSet;

use liqheat_market::convert::{approx_f64, count_u32, trunc_i64};
use liqheat_market::{Price, Qty, Side, TierTable, UNIT_SCALE};

use super::config::units_of;
use super::margin;

/// Share of liquidated contracts whose counterpart closes, so that open interest falls by them.
const COVERED_SHARE: f64 = 0.6;

/// A trader with isolated margin.
#[derive(Debug, Clone, Copy)]
struct Position {
    side: Side,
    entry: Price,
    qty: i64,
    leverage: f64,
    level: Price,
    /// Wants to close once this much has been traded since the start, in units.
    due: i64,
}

/// Somebody who opens a position with a liquidation price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrant {
    pub(super) qty: i64,
    pub(super) leverage: f64,
    /// How much is traded, in units, until this trader wants to close.
    pub(super) patience: i64,
}

/// One leg of a trade: what levered traders do on it. The pool does the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Leg {
    pub(super) entrant: Option<Entrant>,
    /// At most this many units close positions that are due.
    pub(super) leaving_max: i64,
}

/// What one leg moved, in units: opened on the buyers' side, closed on the sellers' side, or the reverse.
#[derive(Debug, Clone, Copy, Default)]
struct LegFlow {
    opened: i64,
    closed: i64,
}

/// An open position with a liquidation price, as it really is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueLevel {
    /// Whose level.
    pub side: Side,
    /// The mark price at which the position is liquidated.
    pub price: Price,
    /// The price at which it was opened.
    pub entry: Price,
    /// Coins.
    pub qty: Qty,
    /// Leverage at the opening.
    pub leverage: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Crowd {
    tiers: TierTable,
    open_interest: i64,
    /// Contracts without a level, by side; never negative.
    pool: [i64; 2],
    levered: [i64; 2],
    positions: Vec<Option<Position>>,
    free: Vec<u32>,
    /// (level, slot), by side: the next to be liquidated stands at the end for longs, at the start for shorts.
    by_level: [BTreeSet<(Price, u32)>; 2],
    /// (due, slot), by side.
    by_due: [BTreeSet<(i64, u32)>; 2],
    /// Units traded since the start: the clock of patience. A busy market moves faster through its traders.
    traded: i64,
}

const fn at(side: Side) -> usize {
    match side {
        Side::Long => 0,
        Side::Short => 1,
    }
}

impl Crowd {
    /// A market whose open interest is all in the pools.
    pub(super) fn new(open_interest: Qty, tiers: TierTable) -> Self {
        Self {
            tiers,
            open_interest: units_of(open_interest),
            pool: [units_of(open_interest); 2],
            levered: [0; 2],
            positions: Vec::new(),
            free: Vec::new(),
            by_level: [BTreeSet::new(), BTreeSet::new()],
            by_due: [BTreeSet::new(), BTreeSet::new()],
            traded: 0,
        }
    }

    pub(super) fn open_interest(&self) -> Qty {
        Qty::from_units(self.open_interest)
    }

    pub(super) fn tiers(&self) -> &TierTable {
        &self.tiers
    }

    /// Gives part of the pool to a trader who has been there since before the start. Nothing happens when
    /// its level is not on the safe side of the mark, or the pool is too small.
    pub(super) fn place(&mut self, side: Side, entry: Price, entrant: Entrant, mark: Price) {
        if entrant.qty <= self.pool[at(side)] && self.enter(side, entry, entrant, mark) > 0 {
            self.pool[at(side)] -= entrant.qty;
            self.levered[at(side)] += entrant.qty;
        }
    }

    /// Settles a trade of `qty` units. `oi_change` is the change of open interest that the pools aim for; it
    /// is met as far as both legs can.
    pub(super) fn trade(
        &mut self,
        price: Price,
        mark: Price,
        qty: i64,
        buyers: Leg,
        sellers: Leg,
        oi_change: i64,
    ) {
        let buyers = self.levered_leg(Side::Long, price, mark, qty, buyers);
        let sellers = self.levered_leg(Side::Short, price, mark, qty, sellers);
        self.settle(qty, buyers, sellers, oi_change);
    }

    /// Liquidates every position of a side whose level the mark price has touched, appends the units of each
    /// to `forced`, the most exposed first, and settles the venue's order. Returns the units closed.
    pub(super) fn liquidate(&mut self, side: Side, mark: Price, forced: &mut Vec<i64>) -> i64 {
        let mut closed = 0;
        while let Some((level, slot)) = self.most_exposed(side) {
            let touched = match side {
                Side::Long => level >= mark,
                Side::Short => level <= mark,
            };
            if !touched {
                break;
            }
            let qty = self.remove(slot);
            forced.push(qty);
            closed += qty;
        }
        if closed > 0 {
            let order = LegFlow { opened: 0, closed };
            let (buyers, sellers) = match side {
                Side::Long => (LegFlow::default(), order),
                Side::Short => (order, LegFlow::default()),
            };
            self.settle(closed, buyers, sellers, -trunc_i64(approx_f64(closed) * COVERED_SHARE));
        }
        closed
    }

    /// Every levered position, longs first, each side by rising level.
    pub(super) fn levels(&self) -> Vec<TrueLevel> {
        let slots = self.by_level.iter().flatten().map(|&(_, slot)| slot);
        slots
            .filter_map(|slot| self.positions[slot as usize])
            .map(|p| TrueLevel {
                side: p.side,
                price: p.level,
                entry: p.entry,
                qty: Qty::from_units(p.qty),
                leverage: p.leverage,
            })
            .collect()
    }

    /// Counts everything again: open contracts by side, long first.
    pub(super) fn recount(&self) -> [i64; 2] {
        let mut sums = self.pool;
        for position in self.positions.iter().flatten() {
            sums[at(position.side)] += position.qty;
        }
        sums
    }

    /// The smaller of the two pools; never negative.
    pub(super) fn pool_least(&self) -> i64 {
        self.pool[0].min(self.pool[1])
    }

    fn most_exposed(&self, side: Side) -> Option<(Price, u32)> {
        match side {
            Side::Long => self.by_level[0].last().copied(),
            Side::Short => self.by_level[1].first().copied(),
        }
    }

    /// The levered part of a leg that opens `side` and closes the other.
    fn levered_leg(&mut self, side: Side, price: Price, mark: Price, qty: i64, leg: Leg) -> LegFlow {
        let opened = match leg.entrant {
            Some(entrant) if entrant.qty > 0 && entrant.qty <= qty => self.enter(side, price, entrant, mark),
            _ => 0,
        };
        let closed = self.leave(side.opposite(), leg.leaving_max.min(qty - opened));
        LegFlow { opened, closed }
    }

    /// Lets the pools trade what remains of both legs, so that both sides change by the same amount, as near
    /// to `oi_change` as possible.
    fn settle(&mut self, qty: i64, buyers: LegFlow, sellers: LegFlow, oi_change: i64) {
        let levered_change = [buyers.opened - sellers.closed, sellers.opened - buyers.closed];
        let pool_buys = qty - buyers.opened - buyers.closed;
        let pool_sells = qty - sellers.opened - sellers.closed;
        for side in Side::BOTH {
            self.levered[at(side)] += levered_change[at(side)];
        }
        // The change is largest when the pool only opens on the buyers' leg and closes nothing on the other,
        // smallest the other way round; and it must leave both pools at zero or more.
        let most = levered_change[0] + pool_buys;
        let levered_most = self.levered[0].max(self.levered[1]);
        let least = (levered_change[0] - pool_sells).max(levered_most - self.open_interest);
        let change = oi_change.min(most).max(least);
        self.open_interest += change;
        self.pool[0] += change - levered_change[0];
        self.pool[1] += change - levered_change[1];
        self.traded = self.traded.saturating_add(qty);
        debug_assert!(self.pool_least() >= 0, "invariant: a pool is never negative");
        debug_assert!(
            (0..2).all(|side| self.levered[side] + self.pool[side] == self.open_interest),
            "invariant: longs = shorts = open interest"
        );
    }

    /// Opens a position, unless its level already lies beyond the mark. Returns the units opened.
    fn enter(&mut self, side: Side, entry: Price, entrant: Entrant, mark: Price) -> i64 {
        let Entrant { qty, leverage, patience } = entrant;
        let coins = approx_f64(qty) / approx_f64(UNIT_SCALE);
        let notional = coins * entry.to_f64();
        let leverage = leverage.min(self.tiers.tier_of(notional).leverage_max);
        let level = self.level(side, entry, qty, leverage);
        let safe = match side {
            Side::Long => level < mark && level.is_positive(),
            Side::Short => level > mark,
        };
        if !safe {
            return 0;
        }
        let due = self.traded.saturating_add(patience);
        self.insert(Position { side, entry, qty, leverage, level, due });
        qty
    }

    /// Closes positions that are due, at most `most` units of them, the longest overdue first; the last one
    /// perhaps in part. Returns the units closed.
    fn leave(&mut self, side: Side, most: i64) -> i64 {
        let mut closed = 0;
        while closed < most {
            let Some(&(due, slot)) = self.by_due[at(side)].first() else { break };
            if due > self.traded {
                break;
            }
            let Some(position) = self.positions[slot as usize] else { break };
            let qty = position.qty.min(most - closed);
            self.remove(slot);
            if qty < position.qty {
                // What stays keeps its share of the margin; in a higher tier its level moves a little.
                let rest = position.qty - qty;
                let level = self.level(side, position.entry, rest, position.leverage);
                self.insert(Position { qty: rest, level, ..position });
            }
            closed += qty;
        }
        closed
    }

    fn level(&self, side: Side, entry: Price, qty: i64, leverage: f64) -> Price {
        let coins = approx_f64(qty) / approx_f64(UNIT_SCALE);
        let price = margin::level(side, entry.to_f64(), coins, leverage, &self.tiers);
        Price::from_f64(price).unwrap_or_default()
    }

    fn insert(&mut self, position: Position) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.positions.push(None);
            count_u32(self.positions.len() - 1)
        });
        self.by_level[at(position.side)].insert((position.level, slot));
        self.by_due[at(position.side)].insert((position.due, slot));
        self.positions[slot as usize] = Some(position);
    }

    /// Takes a position out of all indexes. Returns its units.
    fn remove(&mut self, slot: u32) -> i64 {
        let Some(position) = self.positions[slot as usize].take() else { return 0 };
        self.by_level[at(position.side)].remove(&(position.level, slot));
        self.by_due[at(position.side)].remove(&(position.due, slot));
        self.free.push(slot);
        position.qty
    }
}

#[cfg(test)]
mod tests;
