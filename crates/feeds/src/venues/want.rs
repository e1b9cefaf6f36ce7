//! What can be asked of a venue, as data: the live loop says what is missing, a venue says which request brings
//! it. It has a text form, so that a recording can say which question an answer belongs to.

use std::fmt;
use std::str::FromStr;

use liqheat_market::{Interval, KlineKind, UnixMs};

/// Data that is wanted. Times are `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The venue's clock.
    Time,
    /// Which contracts there are, and their sizes.
    Contracts,
    /// Klines that opened in `from..to` and are closed.
    Klines {
        /// Of trades or of the mark price.
        kind: KlineKind,
        /// Their length.
        interval: Interval,
        /// First open time.
        from: UnixMs,
        /// End of open times.
        to: UnixMs,
    },
    /// Open interest now.
    OpenInterest,
    /// Open interest of the past, as often as the venue keeps it.
    OpenInterestHistory {
        /// First moment.
        from: UnixMs,
        /// End.
        to: UnixMs,
    },
    /// Trades with ids `first..=last`; for venues with [`crate::venues::TradeIds::Consecutive`] ids.
    Trades {
        /// First id.
        first: i64,
        /// Last id.
        last: i64,
    },
    /// Funding payments in `from..to`.
    Funding {
        /// First moment.
        from: UnixMs,
        /// End.
        to: UnixMs,
    },
    /// The margin tiers of the contract.
    Tiers,
}

/// Why a text is not a [`Want`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no data that can be asked for")]
pub struct WantError(String);

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("time"),
            Self::Contracts => f.write_str("contracts"),
            Self::Klines { kind, interval, from, to } => {
                let kind = match kind {
                    KlineKind::Last => "klines",
                    KlineKind::Mark => "mark-klines",
                };
                write!(f, "{kind}:{interval}:{}:{}", from.0, to.0)
            }
            Self::OpenInterest => f.write_str("open-interest"),
            Self::OpenInterestHistory { from, to } => {
                write!(f, "open-interest-history:{}:{}", from.0, to.0)
            }
            Self::Trades { first, last } => write!(f, "trades:{first}:{last}"),
            Self::Funding { from, to } => write!(f, "funding:{}:{}", from.0, to.0),
            Self::Tiers => f.write_str("tiers"),
        }
    }
}

impl FromStr for Want {
    type Err = WantError;

    fn from_str(text: &str) -> Result<Self, WantError> {
        let error = || WantError(text.chars().take(80).collect());
        let parts: Vec<&str> = text.split(':').collect();
        let number = |at: usize| parts[at].parse::<i64>().map_err(|_| error());
        let time = |at: usize| number(at).map(UnixMs);
        let klines = |kind| {
            let interval = Interval::from_name(parts[1]).ok_or_else(error)?;
            Ok(Self::Klines { kind, interval, from: time(2)?, to: time(3)? })
        };
        match (parts[0], parts.len()) {
            ("time", 1) => Ok(Self::Time),
            ("contracts", 1) => Ok(Self::Contracts),
            ("klines", 4) => klines(KlineKind::Last),
            ("mark-klines", 4) => klines(KlineKind::Mark),
            ("open-interest", 1) => Ok(Self::OpenInterest),
            ("open-interest-history", 3) => Ok(Self::OpenInterestHistory { from: time(1)?, to: time(2)? }),
            ("trades", 3) => Ok(Self::Trades { first: number(1)?, last: number(2)? }),
            ("funding", 3) => Ok(Self::Funding { from: time(1)?, to: time(2)? }),
            ("tiers", 1) => Ok(Self::Tiers),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        let (from, to) = (UnixMs(1_700_000_000_000), UnixMs(1_700_000_600_000));
        for want in [
            Want::Time,
            Want::Contracts,
            Want::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to },
            Want::Klines { kind: KlineKind::Mark, interval: Interval::M5, from, to },
            Want::OpenInterest,
            Want::OpenInterestHistory { from, to },
            Want::Trades { first: 7, last: 9 },
            Want::Funding { from, to },
            Want::Tiers,
        ] {
            assert_eq!(want.to_string().parse(), Ok(want));
        }
        for bad in ["", "klines", "klines:1m:1", "klines:7m:1:2", "trades:a:b", "time:1"] {
            assert!(bad.parse::<Want>().is_err(), "{bad}");
        }
    }
}
