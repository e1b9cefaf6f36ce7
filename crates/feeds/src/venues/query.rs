//! What can be asked of a venue, as data: the live loop says what is missing, a venue says which request brings
//! it. It has a text form, so that a recording can say which question an answer belongs to.

use std::fmt;
use std::str::FromStr;

use liqheat_market::{Interval, KlineKind, UnixMs};

use super::ClippedQuery;

/// Data that is wanted. Times are `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestQuery {
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

impl RestQuery {
    /// Divides a query about a stretch of time: what is before `oldest` is lost, the rest is asked for.
    pub(super) fn divide(&self, oldest: UnixMs) -> ClippedQuery {
        let Some((from, to)) = self.span() else { return ClippedQuery { query: Some(*self), lost: None } };
        if oldest <= from {
            ClippedQuery { query: Some(*self), lost: None }
        } else if oldest >= to {
            ClippedQuery { query: None, lost: Some(*self) }
        } else {
            ClippedQuery { query: Some(self.with_span(oldest, to)), lost: Some(self.with_span(from, oldest)) }
        }
    }

    /// From when (inclusive) to when (exclusive) it reaches; `None` for what is not about a stretch of time. Trades are
    /// named by ids.
    #[must_use]
    pub const fn span(&self) -> Option<(UnixMs, UnixMs)> {
        match *self {
            Self::Klines { from, to, .. }
            | Self::OpenInterestHistory { from, to }
            | Self::Funding { from, to } => Some((from, to)),
            Self::Trades { .. } | Self::Time | Self::Contracts | Self::OpenInterest | Self::Tiers => None,
        }
    }

    /// The same query about another stretch; unchanged when it is not about one.
    #[must_use]
    pub const fn with_span(&self, from: UnixMs, to: UnixMs) -> Self {
        match *self {
            Self::Klines { kind, interval, .. } => Self::Klines { kind, interval, from, to },
            Self::OpenInterestHistory { .. } => Self::OpenInterestHistory { from, to },
            Self::Funding { .. } => Self::Funding { from, to },
            other => other,
        }
    }
}

/// Why a text is not a [`RestQuery`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no data that can be asked for")]
pub struct RestQueryError(String);

impl fmt::Display for RestQuery {
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

impl FromStr for RestQuery {
    type Err = RestQueryError;

    fn from_str(text: &str) -> Result<Self, RestQueryError> {
        let error = || RestQueryError(text.chars().take(80).collect());
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
        for query in [
            RestQuery::Time,
            RestQuery::Contracts,
            RestQuery::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to },
            RestQuery::Klines { kind: KlineKind::Mark, interval: Interval::M5, from, to },
            RestQuery::OpenInterest,
            RestQuery::OpenInterestHistory { from, to },
            RestQuery::Trades { first: 7, last: 9 },
            RestQuery::Funding { from, to },
            RestQuery::Tiers,
        ] {
            assert_eq!(query.to_string().parse(), Ok(query));
        }
        for bad in ["", "klines", "klines:1m:1", "klines:7m:1:2", "trades:a:b", "time:1"] {
            assert!(bad.parse::<RestQuery>().is_err(), "{bad}");
        }
    }
}
