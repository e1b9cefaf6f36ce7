//! Moments in milliseconds, and the lengths that bars have.

use std::fmt;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This time moved by some milliseconds.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whether a row of a file may have this time: from 9 September 2001, before which milliseconds have fewer than 13
    /// digits and the number counts something else, to the end of 2099.
    #[must_use]
    pub const fn is_plausible(self) -> bool {
        const FIRST: i64 = 1_000_000_000_000;
        const END: i64 = 4_102_444_800_000;
        FIRST <= self.0 && self.0 < END
    }

    /// Milliseconds from `earlier` to this time.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The last multiple of `step_ms` at or before this time.
    #[must_use]
    pub const fn floor_to(self, step_ms: i64) -> Self {
        Self(self.0 - self.0.rem_euclid(step_ms))
    }
}

/// The length of a bar, as venues and charts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    ms: i64,
}

impl Interval {
    /// One minute.
    pub const M1: Self = Self { ms: 60_000 };
    /// Five minutes.
    pub const M5: Self = Self { ms: 300_000 };
    const NAMES: [(&'static str, i64); 12] = [
        ("1m", 60_000),
        ("3m", 180_000),
        ("5m", 300_000),
        ("15m", 900_000),
        ("30m", 1_800_000),
        ("1h", 3_600_000),
        ("2h", 7_200_000),
        ("4h", 14_400_000),
        ("6h", 21_600_000),
        ("8h", 28_800_000),
        ("12h", 43_200_000),
        ("1d", 86_400_000),
    ];

    /// From a name such as `5m`, `1h` or `1d`; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, ms)| Self { ms: *ms })
    }

    /// From a length in milliseconds that has a name.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        Self::NAMES.iter().any(|(_, known)| *known == ms).then_some(Self { ms })
    }

    /// Its length in milliseconds; always greater than zero.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.ms
    }

    /// Its name, such as `5m`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, ms)| *ms == self.ms).map_or("?", |(name, _)| name)
    }

    /// All names, shortest interval first, for error texts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_names() {
        assert_eq!(Interval::from_name("4h").map(Interval::ms), Some(14_400_000));
        assert_eq!(Interval::from_name("7m"), None);
        assert_eq!(Interval::M5.to_string(), "5m");
        assert_eq!(UnixMs(-1).floor_to(60_000), UnixMs(-60_000));
    }

    #[test]
    fn times_in_other_units_are_not_plausible() {
        let at = 1_766_932_200_000;
        for (ms, is_plausible) in [
            (at, true),
            (at / 1_000, false),
            (at * 1_000, false),
            (999_999_999_999, false),
            (1_000_000_000_000, true),
            (4_102_444_799_999, true),
            (4_102_444_800_000, false),
            (i64::MIN, false),
            (i64::MAX, false),
        ] {
            assert_eq!(UnixMs(ms).is_plausible(), is_plausible, "{ms}");
        }
    }
}
