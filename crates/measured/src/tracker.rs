//! The state machine of the measured layer: what is found, looked at and computed.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_market::UnixMs;

use crate::{
    AccountState, Address, AddressBook, AddressChanges, KnownAddress, Layer, LayerRequest, LookInterval,
    LookSchedule,
};

/// A coin as the venue describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct CoinMarket {
    /// The venue's name.
    pub coin: Arc<str>,
    /// Mark price, USD.
    pub mark: f64,
    /// Coins of both sides, as the venue counts them.
    pub open_interest_both_sides: f64,
}

/// The accounts of one venue: addresses, when each is looked at, positions and marks.
#[derive(Debug, Default)]
pub struct AccountTracker {
    book: AddressBook,
    schedule: LookSchedule,
    /// Accounts with positions, as they were at the last look.
    accounts: BTreeMap<Address, AccountState>,
    markets: BTreeMap<Arc<str>, CoinMarket>,
    /// When the marks are from.
    marked: Option<UnixMs>,
}

impl AccountTracker {
    /// With the addresses that were stored. What they hold is not stored: those that held something are looked at at once,
    /// shortest interval first.
    #[must_use]
    pub fn restored(known: impl IntoIterator<Item = (Address, KnownAddress)>, now: UnixMs) -> Self {
        let book = AddressBook::restored(known);
        let mut schedule = LookSchedule::default();
        for (address, known) in book.iter() {
            let looked = known.looked.filter(|_| known.interval == LookInterval::Day);
            schedule.add(*address, known.interval, looked, now);
        }
        Self { book, schedule, ..Self::default() }
    }

    /// Addresses that the operator named.
    pub fn on_named(&mut self, addresses: impl IntoIterator<Item = Address>, now: UnixMs) {
        for address in addresses {
            self.book.on_named(address, now);
            self.schedule_new(address, LookInterval::Minute, now);
        }
    }

    /// Addresses of the leaderboard.
    pub fn on_listed(&mut self, addresses: impl IntoIterator<Item = Address>, now: UnixMs) {
        for address in addresses {
            if self.book.on_listed(address, now) {
                self.schedule_new(address, LookInterval::Hour, now);
            }
        }
    }

    /// Addresses that traded.
    pub fn on_traded(&mut self, addresses: impl IntoIterator<Item = Address>, now: UnixMs) {
        for address in addresses {
            self.book.on_traded(address, now);
            self.schedule_new(address, LookInterval::Minute, now);
            self.schedule.hasten(address, LookInterval::Minute, now);
        }
    }

    fn schedule_new(&mut self, address: Address, interval: LookInterval, now: UnixMs) {
        if self.book.get(&address).is_some() {
            self.schedule.add(address, interval, None, now);
        }
    }

    /// The marks and the open interest of all coins. Accounts whose levels came nearer are looked at earlier.
    pub fn on_markets(&mut self, markets: impl IntoIterator<Item = CoinMarket>, now: UnixMs) {
        self.markets.extend(markets.into_iter().map(|market| (Arc::clone(&market.coin), market)));
        self.marked = Some(now);
        let nearer: Vec<(Address, LookInterval)> = self
            .accounts
            .iter()
            .map(|(address, account)| (*address, self.interval_of(account)))
            .filter(|(_, interval)| *interval < LookInterval::Hour)
            .collect();
        for (address, interval) in nearer {
            self.schedule.hasten(address, interval, now);
        }
    }

    /// The account to look at now; its answer is brought to [`AccountTracker::on_look`] or [`AccountTracker::on_failure`].
    pub fn next_look(&mut self, now: UnixMs) -> Option<Address> {
        self.schedule.next(now)
    }

    /// When the next account is due.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMs> {
        self.schedule.next_due()
    }

    /// A look brought an account.
    pub fn on_look(&mut self, address: Address, account: AccountState, now: UnixMs) {
        let has_position = !account.positions.is_empty();
        let interval = if has_position { self.interval_of(&account) } else { LookInterval::Day };
        self.book.on_look(address, has_position, interval, now);
        self.schedule.on_look(address, interval, now);
        if has_position && self.book.get(&address).is_some() {
            self.accounts.insert(address, account);
        } else {
            self.accounts.remove(&address);
        }
    }

    /// A look brought nothing.
    pub fn on_failure(&mut self, address: Address, now: UnixMs) {
        self.schedule.on_failure(address, now);
    }

    /// Drops addresses that held nothing for a week; returns how many.
    pub fn drop_idle(&mut self, now: UnixMs) -> usize {
        let idle = self.book.drop_idle(now);
        for address in &idle {
            self.schedule.remove(address);
            self.accounts.remove(address);
        }
        idle.len()
    }

    /// What is to be stored since the last call.
    pub fn take_changes(&mut self) -> AddressChanges {
        self.book.take_changes()
    }

    /// Changes that could not be stored.
    pub fn put_back(&mut self, changes: &AddressChanges) {
        self.book.put_back(changes);
    }

    /// Number of known addresses.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.book.len()
    }

    /// Number of known addresses by the interval at which they are looked at, shortest first. Those whose look is under way
    /// are not counted.
    pub fn addresses_by_interval(&self) -> impl Iterator<Item = (LookInterval, usize)> + '_ {
        self.schedule.waiting_by_interval()
    }

    /// Number of accounts with positions.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many accounts wait for a look that is due.
    #[must_use]
    pub fn late(&self, now: UnixMs) -> usize {
        self.schedule.late(now)
    }

    /// When the marks are from; `None` before the first.
    #[must_use]
    pub const fn marked(&self) -> Option<UnixMs> {
        self.marked
    }

    /// The mark price of a coin, USD.
    #[must_use]
    pub fn mark(&self, coin: &str) -> Option<f64> {
        self.markets.get(coin).map(|market| market.mark)
    }

    /// The layer of a coin; `None` while its mark is unknown.
    #[must_use]
    pub fn layer(&self, request: LayerRequest<'_>, now: UnixMs) -> Option<Layer> {
        let market = self.markets.get(request.coin)?;
        let both = market.open_interest_both_sides;
        let one_side = (both > 0.0).then_some(both / 2.0);
        let mark_of = |coin: &str| self.mark(coin);
        Some(Layer::new(self.accounts.iter(), mark_of, (market.mark, one_side), request, now))
    }

    fn interval_of(&self, account: &AccountState) -> LookInterval {
        let levels = account.levels(|coin| self.mark(coin));
        let distances = levels.iter().zip(&account.positions);
        let distances = distances.filter_map(|(level, position)| level.distance(position.is_long()));
        LookInterval::for_distance(distances.min_by(f64::total_cmp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountPosition, PositionMargin, liquidation_price};

    const MINUTE: i64 = 60_000;

    fn address(number: u8) -> Address {
        Address::new([number; 20])
    }

    fn market(coin: &str, mark: f64, open_interest_both_sides: f64) -> CoinMarket {
        CoinMarket { coin: coin.into(), mark, open_interest_both_sides }
    }

    /// One BTC position with this much margin above maintenance.
    fn account(size: f64, available: f64, as_of: UnixMs) -> AccountState {
        let (mark, rate) = (100_000.0, 0.0125);
        let maintenance = rate * size.abs() * mark;
        let position = AccountPosition {
            coin: "BTC".into(),
            size,
            mark,
            maintenance_rate: rate,
            margin: PositionMargin::Cross,
            liquidation_price: liquidation_price(mark, size, available, rate),
        };
        AccountState {
            as_of,
            cross_value: maintenance + available,
            cross_maintenance: maintenance,
            positions: vec![position],
        }
    }

    fn request(bin: f64) -> LayerRequest<'static> {
        LayerRequest { coin: "BTC", bin, closest: 2 }
    }

    #[test]
    fn looks_follow_the_nearness_of_levels_and_trades() {
        let mut measured = AccountTracker::default();
        let at = |minutes: i64| UnixMs(minutes * MINUTE);
        measured.on_markets([market("BTC", 100_000.0, 100.0)], at(0));
        measured.on_listed([address(1), address(2), address(3)], at(0));
        let looks = |measured: &mut AccountTracker, now| {
            let mut found: Vec<Address> = std::iter::from_fn(|| measured.next_look(now)).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(looks(&mut measured, at(0)), [address(1), address(2), address(3)]);
        // 4 % away, 30 % away, empty.
        measured.on_look(address(1), account(1.0, 4_000.0, at(0)), at(0));
        measured.on_look(address(2), account(-1.0, 30_000.0, at(0)), at(0));
        let empty =
            AccountState { as_of: at(0), cross_value: 5.0, cross_maintenance: 0.0, positions: Vec::new() };
        measured.on_look(address(3), empty, at(0));
        assert_eq!(looks(&mut measured, at(1)), [address(1)]);
        measured.on_look(address(1), account(1.0, 4_000.0, at(1)), at(1));
        measured.on_traded([address(3)], at(1));
        assert_eq!(looks(&mut measured, at(1)), [address(3)], "an empty account may have opened something");
        measured.on_failure(address(3), at(1));
        assert_eq!(looks(&mut measured, at(2)), [address(1), address(3)]);
        // The price comes within 12 % of the far short's level.
        measured.on_markets([market("BTC", 116_000.0, 100.0)], at(14));
        assert_eq!(looks(&mut measured, at(14)), []);
        assert_eq!(looks(&mut measured, at(15)), [address(2)], "every fifteen minutes now");
        assert_eq!((measured.addresses(), measured.accounts()), (3, 2));
        measured.on_look(address(2), account(-1.0, 30_000.0, at(15)), at(15));
        let waiting: Vec<usize> = measured.addresses_by_interval().map(|(_, addresses)| addresses).collect();
        assert_eq!(waiting, [0, 0, 1, 0, 0], "the looks at two accounts are under way");
    }

    /// The default budget of 300 looks a minute, and accounts of which one in a hundred is within 5 % of its level.
    #[test]
    fn ten_thousand_accounts_are_looked_at_in_time_for_a_day() {
        const LOOKS_A_SECOND: usize = 5;
        const SECOND: i64 = 1_000;
        const DAY: i64 = 24 * 60 * MINUTE;
        // Number of accounts, USD above maintenance (a percent of the mark each thousand), interval in minutes.
        const GROUPS: [(usize, f64, i64); 5] = [
            (100, 3_000.0, 1),
            (300, 8_000.0, 5),
            (900, 15_000.0, 15),
            (3_700, 40_000.0, 60),
            (5_000, 0.0, 1_440),
        ];
        let groups =
            GROUPS.iter().flat_map(|(count, available, minutes)| vec![(*available, *minutes); *count]);
        let groups: Vec<(f64, i64)> = groups.collect();
        assert_eq!(groups.len(), 10_000);
        let numbered = |number: usize| {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Address::new(bytes)
        };
        let number_of: BTreeMap<Address, usize> = (0..groups.len()).map(|one| (numbered(one), one)).collect();
        let mut measured = AccountTracker::default();
        measured.on_markets([market("BTC", 100_000.0, 100.0)], UnixMs(0));
        measured.on_listed(number_of.keys().copied(), UnixMs(0));
        let mut looked: Vec<Option<UnixMs>> = vec![None; groups.len()];
        let mut longest: BTreeMap<i64, i64> = BTreeMap::new();
        for second in 0..2 * DAY / SECOND {
            let now = UnixMs(second * SECOND);
            for _ in 0..LOOKS_A_SECOND {
                let Some(found) = measured.next_look(now) else { break };
                let number = number_of[&found];
                let (available, minutes) = groups[number];
                // The first hours are those in which all are looked at for the first time.
                if let Some(before) = looked[number].replace(now).filter(|before| before.0 > 2 * 60 * MINUTE)
                {
                    let gap = longest.entry(minutes).or_default();
                    *gap = (*gap).max(now.since(before));
                }
                let state = if available > 0.0 {
                    account(1.0, available, now)
                } else {
                    AccountState {
                        as_of: now,
                        cross_value: 5.0,
                        cross_maintenance: 0.0,
                        positions: Vec::new(),
                    }
                };
                measured.on_look(found, state, now);
            }
        }
        assert!(looked.iter().all(Option::is_some), "every address was looked at");
        for (minutes, gap) in longest {
            // Many are due at the same moment, so some wait.
            let late = gap - minutes * MINUTE;
            assert!(late <= minutes * MINUTE / 4, "{late} ms late of {minutes} minutes");
        }
    }

    #[test]
    fn the_layer_sums_levels_and_says_what_it_covers() {
        let mut measured = AccountTracker::default();
        let now = UnixMs(2 * 60 * MINUTE);
        measured.on_named((1..=5).map(address), UnixMs(0));
        assert_eq!(measured.layer(request(100.0), now), None, "no mark");
        measured.on_markets([market("BTC", 100_000.0, 20.0)], now);
        let ago = |minutes: i64| now.plus(-minutes * MINUTE);
        measured.on_look(address(1), account(1.0, 4_000.0, ago(1)), now);
        measured.on_look(address(2), account(3.0, 12_000.0, ago(10)), now);
        measured.on_look(address(3), account(2.0, 1e9, ago(90)), now);
        measured.on_look(address(4), account(-4.0, 40_000.0, now), now);
        let layer = measured.layer(request(100.0), now).unwrap();
        let long = layer.long;
        assert_eq!((long.accounts, long.size, long.usd, long.coverage), (3, 6.0, 600_000.0, Some(0.6)));
        let shares = [long.share_without_level, long.share_older_than_5m, long.share_older_than_60m];
        assert_eq!(shares, [2.0 / 6.0, 5.0 / 6.0, 2.0 / 6.0]);
        assert_eq!((layer.short.accounts, layer.short.coverage), (1, Some(0.4)));
        let price = liquidation_price(100_000.0, 1.0, 4_000.0, 0.0125).unwrap();
        let [longs, shorts] = &layer.levels[..] else { panic!("{layer:?}") };
        assert_eq!(
            (longs.index, longs.long_accounts, longs.age_ms),
            (liqheat_market::convert::trunc_i64(price / 100.0), 2, 10 * MINUTE)
        );
        assert!((longs.long_usd - 4.0 * price).abs() < 1e-6 && longs.short_usd == 0.0);
        assert_eq!((shorts.short_accounts, shorts.long_accounts), (1, 0));
        let closest: Vec<Address> = layer.closest.iter().map(|one| one.address).collect();
        assert_eq!(closest, [address(1), address(2)], "two of three were wanted");
        assert!(!layer.exceeds_open_interest());
        // The price passed the longs' level since the look: they are no level any more, and looked at again.
        measured.on_markets([market("BTC", 95_000.0, 9.0)], now);
        let layer = measured.layer(request(100.0), now).unwrap();
        assert_eq!(layer.levels.len(), 1);
        assert!(layer.exceeds_open_interest(), "6 coins of longs at an open interest of 4.5");
        measured.drop_idle(UnixMs(1_000 * 24 * 60 * MINUTE));
        assert_eq!(measured.accounts(), 4, "named");
    }

    #[test]
    fn a_restart_looks_first_at_what_was_near() {
        let mut measured = AccountTracker::default();
        measured.on_markets([market("BTC", 100_000.0, 20.0)], UnixMs(0));
        measured.on_listed((1..=3).map(address), UnixMs(0));
        while measured.next_look(UnixMs(0)).is_some() {}
        measured.on_look(address(1), account(1.0, 60_000.0, UnixMs(0)), UnixMs(0));
        measured.on_look(address(2), account(1.0, 3_000.0, UnixMs(0)), UnixMs(0));
        let empty = AccountState {
            as_of: UnixMs(0),
            cross_value: 0.0,
            cross_maintenance: 0.0,
            positions: Vec::new(),
        };
        measured.on_look(address(3), empty, UnixMs(0));
        let stored = measured.take_changes().changed;
        let now = UnixMs(10 * MINUTE);
        let mut restarted = AccountTracker::restored(stored, now);
        assert_eq!(restarted.addresses(), 3);
        let later = now.plus(1_000);
        assert_eq!(restarted.next_look(later), Some(address(2)));
        assert_eq!(restarted.next_look(later), Some(address(1)));
        assert_eq!(restarted.next_look(later), None, "empty a while ago");
    }
}
