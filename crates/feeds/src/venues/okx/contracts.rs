//! From contracts to coins. Sizes at OKX are in contracts; how many coins one is (`ctVal` x `ctMult`) the venue tells.

use liqheat_market::{Price, Qty, UNIT_SCALE};

use crate::venues::fields::{Decimal, value};
use crate::venues::names::pack_of;
use crate::venues::{Contract, FrameError};

/// The units of one contract: ours against the venue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    /// Coins of the venue in a contract.
    size: Qty,
    /// Coins of the venue in one of ours: 1000 for `1000PEPEUSDT`, which is `PEPE-USDT-SWAP` there.
    pack: i64,
}

impl Scale {
    pub(super) fn of(contract: &Contract) -> Self {
        let (pack, _) = pack_of(contract.symbol.as_str());
        let same_name = contract.name.starts_with(&pack.to_string());
        Self { size: contract.size, pack: if same_name { 1 } else { pack } }
    }

    /// A number of contracts in our coins; above zero.
    pub(super) fn size(self, contracts: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        let coins = self.amount(contracts, field)?;
        if coins.is_positive() {
            Ok(coins)
        } else {
            Err(value(field, contracts.text(), "an amount above zero"))
        }
    }

    /// The same, zero or more. What is below 1e-8 of a coin is cut off.
    pub(super) fn amount(self, contracts: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        let number = contracts.amount(field)?;
        let units = i128::from(number.units()) * i128::from(self.size.units())
            / (i128::from(UNIT_SCALE) * i128::from(self.pack));
        let units =
            i64::try_from(units).map_err(|_| value(field, contracts.text(), "an amount that can be held"))?;
        Ok(Qty::from_units(units))
    }

    /// A number of the venue's coins in ours.
    pub(super) fn coins(self, coins: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        let qty = if self.pack == 1 {
            coins.amount(field)?
        } else {
            // Coins that are traded by the thousand run into numbers of coins that do not fit.
            let shifted = coins.text().parse::<f64>().unwrap_or(f64::NAN) / self.pack as f64;
            Qty::from_f64(shifted).map_err(|error| FrameError::Number { field, error })?
        };
        if qty.units() >= 0 { Ok(qty) } else { Err(value(field, coins.text(), "an amount of zero or more")) }
    }

    /// The price of one of our coins.
    pub(super) fn price(self, price: Decimal<'_>, field: &'static str) -> Result<Price, FrameError> {
        let single = price.price(field)?;
        let units = single.units().checked_mul(self.pack);
        units.map(Price::from_units).ok_or_else(|| value(field, price.text(), "a price that can be held"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::Symbol;

    fn scale(symbol: &str, name: &str, size: &str) -> Scale {
        let symbol = Symbol::new(symbol).unwrap();
        Scale::of(&Contract { symbol, name: name.to_owned(), size: Qty::parse(size).unwrap() })
    }

    fn decimal(text: &str) -> Decimal<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn contracts_are_some_coins_each() {
        let bitcoin = scale("BTCUSDT", "BTC-USDT-SWAP", "0.01");
        assert_eq!(bitcoin.size(decimal("\"13.5\""), "sz"), Ok(Qty::parse("0.135").unwrap()));
        assert_eq!(bitcoin.price(decimal("\"83434.4\""), "px"), Ok(Price::parse("83434.4").unwrap()));
        assert!(bitcoin.size(decimal("\"0\""), "sz").is_err());
        assert!(bitcoin.amount(decimal("\"-1\""), "sz").is_err());
    }

    #[test]
    fn cheap_coins_are_counted_by_the_thousand() {
        let pepe = scale("1000PEPEUSDT", "PEPE-USDT-SWAP", "10000000");
        assert_eq!(pepe.size(decimal("\"2.5\""), "sz"), Ok(Qty::parse("25000").unwrap()));
        assert_eq!(pepe.price(decimal("\"0.00001012\""), "px"), Ok(Price::parse("0.01012").unwrap()));
        assert_eq!(
            pepe.coins(decimal("\"20000000000000\""), "oiCcy"),
            Ok(Qty::parse("20000000000").unwrap())
        );
        // Where the venue counts as we do, nothing is moved.
        let same = scale("1000PEPEUSDT", "1000PEPE-USDT-SWAP", "1");
        assert_eq!(same.price(decimal("\"0.01\""), "px"), Ok(Price::parse("0.01").unwrap()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let huge = scale("SHIBUSDT", "SHIB-USDT-SWAP", "1000000");
        assert!(huge.size(decimal("\"90000000000\""), "sz").is_err());
        assert!(huge.coins(decimal("\"1e40\""), "oiCcy").is_err());
    }
}
