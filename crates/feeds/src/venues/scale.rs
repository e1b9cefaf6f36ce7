//! From the units of a venue's contract to ours.
//!
//! Two things differ. Sizes may be in contracts of some coins each (OKX: `ctVal` x `ctMult`). And what is one coin may be
//! a pack of them: `1000SHIBUSDT` is `SHIB1000USDT` at Bybit, `kSHIB` at Hyperliquid and `SHIB-USDT-SWAP`, in single coins,
//! at OKX. Both are factors on the decimal text, so that no digit is lost before the result is rounded.

use liqheat_market::{Price, Qty, Ratio, UNIT_SCALE};

use super::fields::{Decimal, value};
use super::names::{pack_of_name, pack_of_symbol};
use super::{Contract, FrameError};

/// The factors of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    /// From the price of the venue's coin to that of ours.
    price: Ratio,
    /// From the venue's coins to ours.
    coins: Ratio,
    /// From contracts to our coins.
    contracts: Ratio,
}

impl Scale {
    /// Where everything is counted as it is here.
    #[cfg(test)]
    pub(super) const ONE: Self = Self { price: Ratio::ONE, coins: Ratio::ONE, contracts: Ratio::ONE };

    pub(super) fn of(contract: &Contract) -> Self {
        let ours = pack_of_symbol(contract.symbol.as_str());
        let theirs = pack_of_name(&contract.name);
        let coins = Ratio::new(theirs, ours).unwrap_or(Ratio::ONE);
        // A size is above zero, and products of a size and a pack fit: `size_of` looks at both.
        let size = u64::try_from(contract.size.units()).ok();
        let size = size.and_then(|size| Ratio::new(size, UNIT_SCALE.unsigned_abs()));
        let contracts = size.and_then(|size| size.times(coins)).unwrap_or(coins);
        Self { price: coins.inverse(), coins, contracts }
    }

    /// The price of one of our coins; above zero.
    pub(super) fn price(self, price: Decimal<'_>, field: &'static str) -> Result<Price, FrameError> {
        let scaled = Price::parse_scaled(price.text(), self.price);
        let scaled = scaled.map_err(|error| FrameError::Number { field, error })?;
        if scaled.is_positive() { Ok(scaled) } else { Err(value(field, price.text(), "a price above zero")) }
    }

    /// A number of contracts in our coins; above zero.
    pub(super) fn size(self, contracts: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        let qty = scaled(contracts, self.contracts, field)?;
        if qty.is_positive() { Ok(qty) } else { Err(value(field, contracts.text(), "an amount above zero")) }
    }

    /// The same, zero or more.
    pub(super) fn amount(self, contracts: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        amount(contracts, self.contracts, field)
    }

    /// A number of the venue's coins in ours; zero or more.
    pub(super) fn coins(self, coins: Decimal<'_>, field: &'static str) -> Result<Qty, FrameError> {
        amount(coins, self.coins, field)
    }

    /// The same where the venue counts both sides of each contract.
    pub(super) fn coins_of_both_sides(
        self,
        coins: Decimal<'_>,
        field: &'static str,
    ) -> Result<Qty, FrameError> {
        let half = Ratio::new(1, 2).and_then(|half| half.times(self.coins)).unwrap_or(self.coins);
        amount(coins, half, field)
    }
}

fn scaled(text: Decimal<'_>, ratio: Ratio, field: &'static str) -> Result<Qty, FrameError> {
    Qty::parse_scaled(text.text(), ratio).map_err(|error| FrameError::Number { field, error })
}

fn amount(text: Decimal<'_>, ratio: Ratio, field: &'static str) -> Result<Qty, FrameError> {
    let qty = scaled(text, ratio, field)?;
    if qty.units() >= 0 { Ok(qty) } else { Err(value(field, text.text(), "an amount of zero or more")) }
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

    fn price(text: &str) -> Result<Price, FrameError> {
        Ok(Price::parse(text).unwrap())
    }

    fn qty(text: &str) -> Result<Qty, FrameError> {
        Ok(Qty::parse(text).unwrap())
    }

    #[test]
    fn contracts_are_some_coins_each() {
        let bitcoin = scale("BTCUSDT", "BTC-USDT-SWAP", "0.01");
        assert_eq!(bitcoin.size(decimal("\"13.5\""), "sz"), qty("0.135"));
        assert_eq!(bitcoin.price(decimal("\"83434.4\""), "px"), price("83434.4"));
        assert!(bitcoin.size(decimal("\"0\""), "sz").is_err());
        assert!(bitcoin.amount(decimal("\"-1\""), "sz").is_err());
    }

    #[test]
    fn cheap_coins_are_counted_in_packs() {
        let pepe = scale("1000PEPEUSDT", "PEPE-USDT-SWAP", "10000000");
        assert_eq!(pepe.size(decimal("\"2.5\""), "sz"), qty("25000"));
        assert_eq!(pepe.price(decimal("\"0.00001012\""), "px"), price("0.01012"));
        assert_eq!(pepe.coins(decimal("\"20000000000000\""), "oiCcy"), qty("20000000000"));
        // Where the venue counts as we do, nothing is moved.
        for name in ["1000PEPE-USDT-SWAP", "1000PEPEUSDT", "PEPE1000USDT", "kPEPE"] {
            let same = scale("1000PEPEUSDT", name, "1");
            assert_eq!(same, Scale::ONE, "{name}");
        }
        let larger = scale("1000SATSUSDT", "10000SATSUSDT", "1");
        assert_eq!(larger.price(decimal("\"0.0001623\""), "p"), price("0.00001623"));
        assert_eq!(larger.size(decimal("\"7\""), "v"), qty("70"));
    }

    #[test]
    fn tiny_prices_keep_their_digits() {
        for (symbol, name, text, expected) in [
            ("1000SHIBUSDT", "SHIB-USDT-SWAP", "\"0.000008119\"", "0.008119"),
            ("10000SATSUSDT", "SATS-USDT-SWAP", "\"0.0000000233\"", "0.000233"),
            ("1000000BABYDOGEUSDT", "BABYDOGE-USDT-SWAP", "\"0.000000001123\"", "0.001123"),
            ("1000PEPEUSDT", "PEPE-USDT-SWAP", "\"4.712e-06\"", "0.004712"),
        ] {
            assert_eq!(scale(symbol, name, "1").price(decimal(text), "markPx"), price(expected), "{symbol}");
        }
        let single = scale("PEPEUSDT", "PEPE-USDT-SWAP", "1").price(decimal("\"0.000004712\""), "markPx");
        let error = single.unwrap_err().to_string();
        assert!(error.contains("field markPx: '0.000004712' has digits below 1e-8"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let huge = scale("SHIBUSDT", "SHIB-USDT-SWAP", "1000000");
        assert!(huge.size(decimal("\"90000000000000000000000000000000000\""), "sz").is_err());
        assert!(huge.coins(decimal("\"1e40\""), "oiCcy").is_err());
    }

    #[test]
    fn open_interest_of_both_sides_is_halved() {
        let bitcoin = scale("BTCUSDT", "BTC", "1");
        assert_eq!(bitcoin.coins_of_both_sides(decimal("\"27353.17682\""), "oi"), qty("13676.58841"));
    }
}
