//! The named lengths of time that charts offer.

/// A named length of time, as charts offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChartRange {
    pub(crate) name: &'static str,
    ms: i64,
    /// Margin of the rows beyond the highest and lowest price, per mille of the price. On a longer chart levels
    /// further away matter.
    margin_permille: i64,
}

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

pub(crate) const CHART_RANGES: [ChartRange; 8] = [
    ChartRange { name: "12h", ms: 12 * HOUR_MS, margin_permille: 50 },
    ChartRange { name: "24h", ms: DAY_MS, margin_permille: 60 },
    ChartRange { name: "3d", ms: 3 * DAY_MS, margin_permille: 80 },
    ChartRange { name: "7d", ms: 7 * DAY_MS, margin_permille: 100 },
    ChartRange { name: "30d", ms: 30 * DAY_MS, margin_permille: 130 },
    ChartRange { name: "90d", ms: 90 * DAY_MS, margin_permille: 160 },
    ChartRange { name: "180d", ms: 180 * DAY_MS, margin_permille: 200 },
    ChartRange { name: "1y", ms: 365 * DAY_MS, margin_permille: 200 },
];

impl ChartRange {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        CHART_RANGES.into_iter().find(|range| range.name == name)
    }

    pub(crate) fn names() -> String {
        CHART_RANGES.map(|range| range.name).join(", ")
    }

    pub(crate) const fn ms(self) -> i64 {
        self.ms
    }

    pub(super) const fn margin_permille(self) -> i64 {
        self.margin_permille
    }
}
