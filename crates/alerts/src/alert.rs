//! An alert, and its words.

use liqheat_market::convert::approx_f64;
use liqheat_market::{Price, Side, UnixMs};
use liqheat_wire::{SideJson, format_time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::ReportedLiquidation;
use crate::serial;
use crate::span::WallSpan;

/// What a rule reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Names it for ever: a receiver that has seen it ignores it.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// The symbol, as /v1/symbols names it.
    pub symbol: String,
    /// Market time at which it was raised.
    #[serde(with = "serial::time")]
    #[schemars(with = "String")]
    pub time: UnixMs,
    /// The price then.
    #[serde(with = "serial::price")]
    #[schemars(with = "f64")]
    pub price: Price,
    /// Whether it fell into quiet hours: it is recorded and shown, and sent to no target.
    pub quiet: bool,
    /// What happened; the largest where there is more than one.
    pub subject: Subject,
    /// How often it happened since the rule's last alert about the symbol.
    pub count: u32,
    /// Dollars of all of them.
    pub total_usd: u64,
}

/// Realised liquidations, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LiquidatedSum {
    /// USD of all.
    pub usd: u64,
    /// How many.
    pub count: u32,
}

impl LiquidatedSum {
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a ReportedLiquidation>) -> Self {
        rows.fold(Self::default(), |sum, row| Self {
            usd: sum.usd.saturating_add(row.usd()),
            count: sum.count.saturating_add(1),
        })
    }
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "AlertSubject")]
pub enum Subject {
    /// The price came near a wall.
    NearWall {
        /// The wall.
        wall: WallSpan,
        /// Distance to its nearest edge, per cent; negative below the price.
        distance_pct: f64,
    },
    /// The price went through a whole wall.
    WallSwept {
        /// The wall as it was when the price reached it.
        wall: WallSpan,
        /// When the price reached it.
        #[serde(with = "serial::time")]
        #[schemars(with = "String")]
        touched: UnixMs,
        /// What was really liquidated there meanwhile; absent where no liquidations of the symbol are known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        liquidated: Option<LiquidatedSum>,
    },
    /// One large liquidation.
    Liquidation {
        /// Who reported it.
        venue: String,
        /// Whose position it was.
        #[serde(with = "serial::side")]
        #[schemars(with = "SideJson")]
        side: Side,
        /// At what price.
        #[serde(with = "serial::price")]
        #[schemars(with = "f64")]
        price: Price,
        /// USD.
        usd: u64,
        /// When.
        #[serde(with = "serial::time")]
        #[schemars(with = "String")]
        time: UnixMs,
    },
    /// Many liquidations within a short time.
    Cascade {
        /// Length of the time, seconds.
        window_s: u64,
        /// Longs.
        long: LiquidatedSum,
        /// Shorts.
        short: LiquidatedSum,
    },
    /// A wall that was not there before.
    WallFormed {
        /// The wall.
        wall: WallSpan,
        /// Distance to its nearest edge, per cent; negative below the price.
        distance_pct: f64,
    },
    /// A wall that is gone although the price never reached it.
    WallVanished {
        /// The wall as it was last.
        wall: WallSpan,
        /// Distance to its nearest edge, per cent; negative below the price.
        distance_pct: f64,
    },
    /// Nothing new has come for a while.
    FeedStale {
        /// Time of the newest market event.
        #[serde(with = "serial::time")]
        #[schemars(with = "String")]
        as_of: UnixMs,
    },
}

impl Subject {
    /// What the largest of several is chosen by.
    pub(crate) const fn usd(&self) -> u64 {
        match self {
            Self::NearWall { wall, .. }
            | Self::WallSwept { wall, .. }
            | Self::WallFormed { wall, .. }
            | Self::WallVanished { wall, .. } => wall.usd,
            Self::Liquidation { usd, .. } => *usd,
            Self::Cascade { long, short, .. } => long.usd.saturating_add(short.usd),
            Self::FeedStale { .. } => 0,
        }
    }

    pub(crate) const fn wall(&self) -> Option<&WallSpan> {
        match self {
            Self::NearWall { wall, .. }
            | Self::WallSwept { wall, .. }
            | Self::WallFormed { wall, .. }
            | Self::WallVanished { wall, .. } => Some(wall),
            Self::Liquidation { .. } | Self::Cascade { .. } | Self::FeedStale { .. } => None,
        }
    }

    /// One line without the symbol.
    fn text(&self) -> String {
        match self {
            Self::NearWall { wall, distance_pct } if *distance_pct == 0.0 => {
                format!("price is in {}", wall_text(wall))
            }
            Self::NearWall { wall, distance_pct } => {
                format!("price is {} from {}", pct(*distance_pct), wall_text(wall))
            }
            Self::WallSwept { wall, liquidated, .. } => {
                let realised = match liquidated {
                    Some(sum) => {
                        format!("liquidated there: {} in {} orders", dollars(sum.usd), sum.count)
                    }
                    None => "no liquidations of this market are reported".to_owned(),
                };
                format!("price swept {}; {realised}", wall_text(wall))
            }
            Self::Liquidation { venue, side, price, usd, .. } => {
                format!("{} of {} liquidated at {price} on {venue}", side.name(), dollars(*usd))
            }
            Self::Cascade { window_s, long, short } => format!(
                "{} liquidated within {}: longs {}, shorts {}",
                dollars(long.usd.saturating_add(short.usd)),
                seconds(*window_s),
                dollars(long.usd),
                dollars(short.usd)
            ),
            Self::WallFormed { wall, distance_pct } => {
                format!("new wall {} away: {}", pct(*distance_pct), wall_text(wall))
            }
            Self::WallVanished { wall, distance_pct } => {
                format!("wall {} away is gone without a touch: {}", pct(*distance_pct), wall_text(wall))
            }
            Self::FeedStale { as_of } => format!("no new data since {}", format_time(*as_of)),
        }
    }
}

impl Alert {
    /// Three words for a title.
    #[must_use]
    pub fn title(&self) -> String {
        let what = match self.subject {
            Subject::NearWall { .. } => "near a wall",
            Subject::WallSwept { .. } => "wall swept",
            Subject::Liquidation { .. } => "large liquidation",
            Subject::Cascade { .. } => "cascade",
            Subject::WallFormed { .. } => "wall formed",
            Subject::WallVanished { .. } => "wall vanished",
            Subject::FeedStale { .. } => "feed stale",
        };
        format!("{} {what}", self.symbol)
    }

    /// The whole of it in a line.
    #[must_use]
    pub fn text(&self) -> String {
        let further = match self.count {
            0 | 1 => String::new(),
            count => format!(" ({count} of them since the last alert, {} in all)", dollars(self.total_usd)),
        };
        format!("{}: {}{further}. Price {}.", self.symbol, self.subject.text(), self.price)
    }
}

fn wall_text(wall: &WallSpan) -> String {
    format!("a {} wall of {} at {}-{}", wall.side.name(), dollars(wall.usd), wall.low, wall.high)
}

fn pct(distance: f64) -> String {
    format!("{:.2} %", distance.abs())
}

fn seconds(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Dollars with three digits or so: $1.24B, $53.1M, $850k, $120.
pub(crate) fn dollars(usd: u64) -> String {
    let scaled = |unit: f64, suffix: &str| {
        let value = approx_f64(usd) / unit;
        let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        format!("${value:.decimals$}{suffix}")
    };
    match usd {
        0..1_000 => format!("${usd}"),
        1_000..1_000_000 => scaled(1e3, "k"),
        1_000_000..1_000_000_000 => scaled(1e6, "M"),
        _ => scaled(1e9, "B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_short() {
        for (usd, text) in [
            (0, "$0"),
            (999, "$999"),
            (8_504, "$8.50k"),
            (85_040, "$85.0k"),
            (850_400, "$850k"),
            (53_140_000, "$53.1M"),
            (1_240_000_000, "$1.24B"),
        ] {
            assert_eq!(dollars(usd), text);
        }
        assert_eq!(
            (seconds(45), seconds(300), seconds(90)),
            ("45 s".into(), "5 min".into(), "1 min 30 s".into())
        );
    }
}
