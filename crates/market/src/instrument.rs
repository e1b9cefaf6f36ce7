//! What is traded and where.

use std::fmt;
use std::sync::Arc;

/// Why a text is not a symbol, a venue or an instrument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentError {
    /// Symbols are 2 to 24 capital letters, digits, `-` or `_`, or letters of scripts without capitals.
    #[error(
        "'{0}' is not a symbol (2 to 24 of A-Z, 0-9, '-', '_' and letters of scripts without capitals, for example BTCUSDT)"
    )]
    Symbol(String),
    /// An unknown venue.
    #[error("'{0}' is not a venue (known: {known})", known = Venue::names())]
    Venue(String),
}

/// The name of a perpetual future as its venue writes it, such as `BTCUSDT`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

impl Symbol {
    const CHARS_MAX: usize = 24;

    /// Checks a name; small letters are accepted and made capital. Venues list names like `币安人生USDT`: letters and
    /// digits of scripts that know no capitals are taken as they are. Letters of other alphabets that have capitals are
    /// not, since they look like those of ASCII.
    ///
    /// # Errors
    /// When the text has another length or other characters than a symbol has.
    pub fn new(text: &str) -> Result<Self, InstrumentError> {
        let length_fits = (2..=Self::CHARS_MAX).contains(&text.chars().count());
        if !length_fits || !text.chars().all(Self::allows) {
            return Err(InstrumentError::Symbol(text.chars().take(40).collect()));
        }
        Ok(Self(text.to_ascii_uppercase().into()))
    }

    /// The currency that prices are in, where it is known to be another than a dollar: `BTC` of `ETHBTC`. Amounts of such a
    /// contract are no dollars, whatever multiplies them.
    #[must_use]
    pub fn foreign_quote(&self) -> Option<&'static str> {
        const FOREIGN: [&str; 9] = ["BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD"];
        // A date of delivery stands behind the pair.
        let pair = self.0.split('_').next().unwrap_or_default();
        // A name of three letters more than the currency is a pair; `WBTC` and `STETH` are coins.
        FOREIGN.into_iter().find(|quote| {
            let coin = pair.strip_suffix(quote);
            coin.is_some_and(|coin| coin.chars().count() >= 3)
        })
    }

    fn allows(c: char) -> bool {
        if c.is_ascii() {
            return c.is_ascii_alphanumeric() || c == '-' || c == '_';
        }
        c.is_alphanumeric() && !c.is_uppercase() && !c.is_lowercase()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares [`Venue`] with the name of each, which is used in the database, in settings and in `SYMBOL@venue`.
macro_rules! venues {
    ($($(#[$comment:meta])* $venue:ident = $name:literal,)+) => {
        /// An exchange, or the simulated market.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Venue {
            $($(#[$comment])* $venue,)+
        }

        impl Venue {
            /// Every venue.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$venue),+];

            /// The name used in the database, in settings and in `SYMBOL@venue`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$venue => $name,)+
                }
            }
        }
    };
}

venues! {
    /// Binance USD-M futures.
    Binance = "binance",
    /// Bybit linear perpetuals.
    Bybit = "bybit",
    /// OKX swaps.
    Okx = "okx",
    /// Hyperliquid perpetuals.
    Hyperliquid = "hyperliquid",
    /// The demo's simulated market.
    Sim = "sim",
}

impl Venue {
    /// From a name.
    ///
    /// # Errors
    /// When no venue has that name.
    pub fn from_name(name: &str) -> Result<Self, InstrumentError> {
        Self::ALL
            .into_iter()
            .find(|venue| venue.name() == name)
            .ok_or_else(|| InstrumentError::Venue(name.chars().take(40).collect()))
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One perpetual future at one venue: the key of every table and every ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instrument {
    /// Where.
    pub venue: Venue,
    /// What.
    pub symbol: Symbol,
}

impl Instrument {
    /// Puts the two together.
    #[must_use]
    pub const fn new(venue: Venue, symbol: Symbol) -> Self {
        Self { venue, symbol }
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.symbol, self.venue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_checked() {
        assert_eq!(Symbol::new("btcusdt").unwrap().as_str(), "BTCUSDT");
        assert_eq!(Symbol::new("BTC-USDT-SWAP").unwrap().as_str(), "BTC-USDT-SWAP");
        assert_eq!(Symbol::new("币安人生usdt").unwrap().as_str(), "币安人生USDT");
        assert!(Symbol::new(&"币".repeat(24)).is_ok());
        for bad in ["币 安", "ＢＴＣ", "币\u{200b}安", "币\u{202e}安", "é币", &"币".repeat(25)] {
            assert!(Symbol::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "B", "BTC USDT", "BTC/USDT", "BTC'; DROP", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "БТЦ"] {
            assert!(Symbol::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prices_in_other_coins_are_known() {
        for (symbol, quote) in [
            ("ETHBTC", Some("BTC")),
            ("ETHBTC_251226", Some("BTC")),
            ("BTCEUR", Some("EUR")),
            ("BTCUSDT", None),
            ("WBTCUSDT", None),
            ("WBTC", None),
            ("BTCUSDC", None),
            ("BTCUSDT_251226", None),
            ("BTC-USDT-SWAP", None),
            ("币安人生USDT", None),
        ] {
            assert_eq!(Symbol::new(symbol).unwrap().foreign_quote(), quote, "{symbol}");
        }
    }

    #[test]
    fn venues_have_names() {
        for venue in Venue::ALL {
            assert_eq!(Venue::from_name(venue.name()), Ok(venue));
        }
        let error = Venue::from_name("mtgox").unwrap_err().to_string();
        assert!(error.contains("binance"), "{error}");
    }
}
