//! What a look at an account brought, and where its positions would be liquidated.

use std::sync::Arc;

use liqheat_market::UnixMs;

/// An account as the venue described it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountState {
    /// Time of the answer, market time.
    pub as_of: UnixMs,
    /// Value of the part of the account that its cross positions share, USD, with their unrealised profit.
    pub cross_value: f64,
    /// Maintenance margin of all cross positions, USD.
    pub cross_maintenance: f64,
    /// Its open positions; empty where it has none.
    pub positions: Vec<AccountPosition>,
}

/// An open position.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountPosition {
    /// The venue's name of the coin.
    pub coin: Arc<str>,
    /// Coins; negative for a short.
    pub size: f64,
    /// Mark price at the time of the look, USD.
    pub mark: f64,
    /// Maintenance rate of the tier that the position is in: half of the initial margin at its largest leverage.
    pub maintenance_rate: f64,
    /// The margin that backs it.
    pub margin: PositionMargin,
    /// Liquidation price as the venue computed it; `None` where it named none, because no price reaches the position.
    pub liquidation_price: Option<f64>,
}

/// What backs a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PositionMargin {
    /// The account's cross value, with all other cross positions.
    Cross,
    /// Margin of its own.
    Isolated {
        /// USD, with its unrealised profit.
        value: f64,
    },
}

/// A position under other marks.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionLevel {
    /// Index in [`AccountState::positions`].
    pub position: usize,
    /// The mark price it was computed with, USD.
    pub mark: f64,
    /// Liquidation price, USD; `None` where no price reaches the position.
    pub price: Option<f64>,
}

impl PositionLevel {
    /// Distance from the mark as a share of it; 0 where the mark has passed the level already, `None` without a level.
    #[must_use]
    pub fn distance(&self, is_long: bool) -> Option<f64> {
        let price = self.price?;
        let ahead = if is_long { self.mark - price } else { price - self.mark };
        Some((ahead / self.mark).max(0.0))
    }
}

/// The venue's formula: `mark - side x margin available / |size| / (1 - maintenance rate x side)`, with side 1 for a long and
/// -1 for a short. `size` is signed, `margin_available` the margin above maintenance, USD. `None` where the
/// price would not be above zero, which no price reaches.
#[must_use]
pub fn liquidation_price(mark: f64, size: f64, margin_available: f64, maintenance_rate: f64) -> Option<f64> {
    let side = size.signum();
    let price = mark - side * margin_available / size.abs() / (1.0 - maintenance_rate * side);
    (price.is_finite() && price > 0.0).then_some(price)
}

impl AccountPosition {
    /// Whether it is a long.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.size > 0.0
    }

    /// Unrealised profit since the look, USD.
    fn profit(&self, mark: f64) -> f64 {
        self.size * (mark - self.mark)
    }

    /// Maintenance margin that was added since the look, USD: the amount that a tier deducts stays as it was.
    fn maintenance_added(&self, mark: f64) -> f64 {
        self.maintenance_rate * self.size.abs() * (mark - self.mark)
    }
}

impl AccountState {
    /// The liquidation price of every position under these marks; a coin without a mark keeps the one of the look. Cross
    /// positions move together: what one gains backs the others.
    ///
    /// The venue's own price of the look is kept as the starting point, and moved by what the formula moved since: the venue
    /// knows the tiers beyond the present one, which the formula does not.
    #[must_use]
    pub fn levels(&self, mark_of: impl Fn(&str) -> Option<f64>) -> Vec<PositionLevel> {
        let marks: Vec<f64> = self
            .positions
            .iter()
            .map(|position| mark_of(&position.coin).filter(|mark| *mark > 0.0).unwrap_or(position.mark))
            .collect();
        let available_at_look = self.cross_value - self.cross_maintenance;
        let available_now = available_at_look
            + self
                .positions
                .iter()
                .zip(&marks)
                .filter(|(position, _)| position.margin == PositionMargin::Cross)
                .map(|(position, mark)| position.profit(*mark) - position.maintenance_added(*mark))
                .sum::<f64>();
        let levels = self.positions.iter().zip(marks).enumerate().map(|(index, (position, mark))| {
            let (before, now) = match position.margin {
                PositionMargin::Cross => (available_at_look, available_now),
                PositionMargin::Isolated { value } => {
                    let maintenance = position.maintenance_rate * position.size.abs() * position.mark;
                    let before = value - maintenance;
                    (before, before + position.profit(mark) - position.maintenance_added(mark))
                }
            };
            let of = |mark, available| {
                liquidation_price(mark, position.size, available, position.maintenance_rate)
            };
            let price = match (position.liquidation_price, of(position.mark, before), of(mark, now)) {
                (Some(named), Some(before), Some(now)) => Some(named + now - before),
                // The formula finds none, and the venue did: beyond the present tier.
                (Some(named), None, None) => Some(named),
                (Some(_), Some(_), None) => None,
                (Some(_), None, Some(now)) => Some(now),
                // The venue named none; a price that came into reach since counts.
                (None, None, now) => now,
                (None, Some(_), _) => None,
            };
            let price = price.filter(|price| *price > 0.0);
            PositionLevel { position: index, mark, price }
        });
        levels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position(coin: &str, size: f64, mark: f64, rate: f64, margin: PositionMargin) -> AccountPosition {
        let maintenance_rate = rate;
        AccountPosition { coin: coin.into(), size, mark, maintenance_rate, margin, liquidation_price: None }
    }

    fn is_near(found: Option<f64>, expected: f64) {
        let found = found.expect("a level");
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} against {expected}");
    }

    /// By hand: at the price, margin and profit are what maintenance asks for.
    #[test]
    fn the_formula_solves_value_against_maintenance() {
        // 2 BTC long at 100,000 (40x: rate 1.25 %), 20,000 USD of margin: 20,000 - 2,500 is available.
        // 100,000 - 17,500 / 2 / 0.9875 = 91,139.240506329.
        is_near(liquidation_price(100_000.0, 2.0, 17_500.0, 0.0125), 91_139.240_506_329_11);
        // The same as a short: 100,000 + 17,500 / 2 / 1.0125 = 108,641.975308642.
        is_near(liquidation_price(100_000.0, -2.0, 17_500.0, 0.0125), 108_641.975_308_641_98);
        // 50 ETH short at 3,000 (25x: 2 %), isolated margin 9,000: available 6,000; 3,000 + 6,000 / 50 / 1.02.
        is_near(liquidation_price(3_000.0, -50.0, 6_000.0, 0.02), 3_117.647_058_823_529_4);
        // Deep collateral: no price above zero reaches it.
        assert_eq!(liquidation_price(100_000.0, 1.0, 100_000.0, 0.0125), None);
        assert_eq!(liquidation_price(100_000.0, 0.0, 1.0, 0.0125), None, "no position");
    }

    #[test]
    fn cross_positions_move_together_and_isolated_ones_alone() {
        let state = AccountState {
            as_of: UnixMs(0),
            cross_value: 50_000.0,
            cross_maintenance: 2.0 * 100_000.0 * 0.0125 + 30.0 * 3_000.0 * 0.02,
            positions: vec![
                position("BTC", 2.0, 100_000.0, 0.0125, PositionMargin::Cross),
                position("ETH", -30.0, 3_000.0, 0.02, PositionMargin::Cross),
                position("SOL", 100.0, 200.0, 0.025, PositionMargin::Isolated { value: 4_000.0 }),
            ],
        };
        let named = |levels: &[PositionLevel]| -> Vec<AccountPosition> {
            let with = |(position, level): (&AccountPosition, &PositionLevel)| AccountPosition {
                liquidation_price: level.price,
                ..position.clone()
            };
            state.positions.iter().zip(levels).map(with).collect()
        };
        // The venue names what the formula says of the look.
        let at_look = vec![
            liquidation_price(100_000.0, 2.0, 50_000.0 - 4_300.0, 0.0125),
            liquidation_price(3_000.0, -30.0, 50_000.0 - 4_300.0, 0.02),
            liquidation_price(200.0, 100.0, 4_000.0 - 500.0, 0.025),
        ];
        let levels: Vec<PositionLevel> = at_look
            .iter()
            .enumerate()
            .map(|(position, price)| PositionLevel { position, mark: 0.0, price: *price })
            .collect();
        let state = AccountState { positions: named(&levels), ..state.clone() };
        let unmoved = state.levels(|_| None);
        assert_eq!(unmoved.iter().map(|level| level.price).collect::<Vec<_>>(), at_look);
        // ETH rises to 3,300: the short loses 9,000 and needs 180 more of maintenance, which brings the long nearer.
        let moved = state.levels(|coin| (coin == "ETH").then_some(3_300.0));
        is_near(
            moved[0].price,
            liquidation_price(100_000.0, 2.0, 50_000.0 - 9_000.0 - 4_300.0 - 180.0, 0.0125).unwrap(),
        );
        // Its own level depends on the others only: it is where it was.
        is_near(moved[1].price, at_look[1].unwrap());
        assert_eq!(moved[2].price, at_look[2], "isolated");
        // SOL falls: the level of an isolated position stays.
        let moved = state.levels(|coin| (coin == "SOL").then_some(180.0));
        is_near(moved[2].price, at_look[2].unwrap());
        assert_eq!(moved[0].price, at_look[0]);
    }

    #[test]
    fn the_venues_price_is_the_starting_point() {
        let mut one = position("BTC", 1.0, 100_000.0, 0.0125, PositionMargin::Cross);
        one.liquidation_price = Some(92_000.0);
        let other = position("ETH", 10.0, 3_000.0, 0.02, PositionMargin::Cross);
        let state = AccountState {
            as_of: UnixMs(0),
            cross_value: 10_000.0,
            cross_maintenance: 1_850.0,
            positions: vec![one, other],
        };
        let before = liquidation_price(100_000.0, 1.0, 8_150.0, 0.0125).unwrap();
        let after = liquidation_price(100_000.0, 1.0, 8_150.0 - 1_000.0 + 20.0, 0.0125).unwrap();
        let moved = state.levels(|coin| (coin == "ETH").then_some(2_900.0));
        is_near(moved[0].price, 92_000.0 + after - before);
        assert_eq!(moved[1].price, None, "the venue named none though the formula finds one");
        let level = PositionLevel { position: 0, mark: 100.0, price: Some(90.0) };
        assert_eq!((level.distance(true), level.distance(false)), (Some(0.1), Some(0.0)));
    }

    proptest! {
        /// Whatever the others do: at its own level an account has exactly its maintenance margin.
        #[test]
        fn at_the_level_value_equals_maintenance(
            sizes in prop::collection::vec(-100.0..100.0f64, 1..6),
            marks in prop::collection::vec((10.0..1_000.0f64, 0.5..1.5f64), 6),
            spare in 1.0..50_000.0f64,
        ) {
            prop_assume!(sizes.iter().all(|size| size.abs() > 0.01));
            let rate = 0.0125;
            let positions: Vec<AccountPosition> = sizes
                .iter()
                .zip(&marks)
                .enumerate()
                .map(|(index, (size, (mark, _)))| position(&index.to_string(), *size, *mark, rate, PositionMargin::Cross))
                .collect();
            let maintenance: f64 = positions.iter().map(|one| rate * one.size.abs() * one.mark).sum();
            let mut state = AccountState { as_of: UnixMs(0), cross_value: maintenance + spare, cross_maintenance: maintenance, positions };
            for one in &mut state.positions {
                one.liquidation_price = liquidation_price(one.mark, one.size, spare, rate);
            }
            let now = |coin: &str| coin.parse::<usize>().ok().map(|index| marks[index].0 * marks[index].1);
            for (position, level) in state.positions.iter().zip(state.levels(now)) {
                let Some(price) = level.price else { continue };
                let at = |one: &AccountPosition| if one.coin == position.coin { price } else { now(&one.coin).unwrap() };
                let value = state.cross_value + state.positions.iter().map(|one| one.size * (at(one) - one.mark)).sum::<f64>();
                let needed: f64 = state.positions.iter().map(|one| rate * one.size.abs() * at(one)).sum();
                prop_assert!((value - needed).abs() <= 1e-6 * (value.abs() + needed + 1.0), "{value} against {needed}");
            }
        }
    }
}
