//! The families of archive files that hold something the model can use.

use std::fmt;

/// What kind of rows a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Aggregate trades.
    AggTrades,
    /// Klines of traded prices.
    Klines,
    /// Klines of the mark price.
    MarkPriceKlines,
    /// Open interest every five minutes (and ratios, which are not used).
    Metrics,
    /// Funding payments.
    FundingRate,
    /// Realised liquidations; published until 2024.
    LiquidationSnapshot,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::AggTrades,
        Self::Klines,
        Self::MarkPriceKlines,
        Self::Metrics,
        Self::FundingRate,
        Self::LiquidationSnapshot,
    ];

    /// The name the archive uses in folders and file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AggTrades => "aggTrades",
            Self::Klines => "klines",
            Self::MarkPriceKlines => "markPriceKlines",
            Self::Metrics => "metrics",
            Self::FundingRate => "fundingRate",
            Self::LiquidationSnapshot => "liquidationSnapshot",
        }
    }

    /// From the archive's name, in any case; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name().eq_ignore_ascii_case(name))
    }

    /// All names, for error texts and help.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Klines of either price: they share column names, file names and rules.
    #[must_use]
    pub const fn is_klines(self) -> bool {
        matches!(self, Self::Klines | Self::MarkPriceKlines)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Families of the archive that are recognised and left alone, with the reason.
pub(super) const UNUSED: [(&str, &str); 10] = [
    ("indexPriceKlines", "the model works on the mark and the last price"),
    ("premiumIndexKlines", "the model works on the mark and the last price"),
    ("trades", "load aggTrades instead: the same volume in fewer rows"),
    ("bookTicker", "order books are not used"),
    ("bookDepth", "order books are not used"),
    ("BVOLIndex", "options are not used"),
    ("EOHSummary", "options are not used"),
    ("T_DEPTH", "order books are not used"),
    ("S_DEPTH", "order books are not used"),
    ("borrowSnapshot", "loans are not used"),
];
