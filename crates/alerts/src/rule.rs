//! Rules, as they stand in files and requests, and checked.

use liqheat_market::{Side, UnixMs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::LiquidationLog;
use crate::serial;

/// What a rule looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// The price is within `within_pct` of a wall of at least `min_usd`.
    NearWall,
    /// The price went through a whole wall of at least `min_usd`.
    WallSwept,
    /// One realised liquidation of at least `min_usd`.
    Liquidation,
    /// Realised liquidations of at least `min_usd` together within `window_s`.
    Cascade,
    /// A wall of at least `min_usd` that was not there before.
    WallFormed,
    /// A wall of at least `min_usd` that is gone although the price never reached it.
    WallVanished,
    /// No new market event for `after_s`.
    FeedStale,
}

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFields {
    /// Its name: up to 64 letters, digits, `-`, `_` and `.`; unique.
    pub name: String,
    /// What it looks for.
    pub kind: RuleKind,
    /// Symbols as /v1/symbols names them, such as BTCUSDT (all venues) or BTCUSDT@okx; every listed symbol by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<String>,
    /// `long` or `short`: only walls and liquidations of this side; both by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// USD; required but for feed_stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_usd: Option<u64>,
    /// Distance to the nearest edge of the wall, per cent of the price; required for near_wall. For wall_formed and
    /// wall_vanished the farthest wall that counts, 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_pct: Option<f64>,
    /// near_wall: a wall is reported again after the price was farther away than this, per cent; twice `within_pct` by
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_pct: Option<f64>,
    /// cascade: seconds over which liquidations are summed, up to a day; 300 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u64>,
    /// feed_stale: seconds without a market event; 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u64>,
    /// Least seconds between two alerts of the rule about one symbol; 300 by default, at least 1. What happens
    /// meanwhile is counted in the next alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_s: Option<u64>,
    /// When alerts are recorded and shown, but sent to no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHoursFields>,
    /// Names of targets; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// A paused rule is kept and listed, and raises nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A time of every day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHoursFields {
    /// `22:00`.
    pub from: String,
    /// `07:00`; before `from` it is on the next day.
    pub to: String,
    /// `+02:00`; UTC by default. Daylight saving time is not followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
}

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule '{rule}': {problem}")]
pub struct RuleError {
    /// Its name.
    pub rule: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// A checked rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    fields: RuleFields,
    pub(crate) condition: Condition,
    /// Least time between two alerts about one symbol, ms.
    pub(crate) cooldown_ms: i64,
    quiet: Option<QuietHours>,
}

/// What a rule looks for, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Condition {
    Near { min_usd: u64, within_pct: f64, clear_pct: f64, side: Option<Side> },
    Swept { min_usd: u64, side: Option<Side> },
    Liquidation { min_usd: u64, side: Option<Side> },
    Cascade { min_usd: u64, window_ms: i64, side: Option<Side> },
    Formed { min_usd: u64, within_pct: f64, side: Option<Side> },
    Vanished { min_usd: u64, within_pct: f64, side: Option<Side> },
    Stale { after_ms: i64 },
}

/// Quiet hours, in minutes of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from_min: i64,
    to_min: i64,
    offset_min: i64,
}

const DAY_MIN: i64 = 24 * 60;
const COOLDOWN_DEFAULT_S: u64 = 300;
/// Cooldowns and windows end at a week.
const SECONDS_MAX: u64 = 7 * 86_400;

impl QuietHours {
    /// Reads them.
    ///
    /// # Errors
    /// When a time or the offset is malformed, or both times are the same.
    pub fn parse(fields: &QuietHoursFields) -> Result<Self, String> {
        let (from_min, to_min) = (minutes(&fields.from)?, minutes(&fields.to)?);
        if from_min == to_min {
            return Err(format!("quiet_hours begin and end at {}; give two times", fields.from));
        }
        let offset_min = match fields.utc_offset.as_deref() {
            None => 0,
            Some(text) => {
                let malformed = || format!("utc_offset '{text}' must be like +02:00 or -05:30");
                let (sign, time) = match text.split_at_checked(1) {
                    Some(("+", time)) => (1, time),
                    Some(("-", time)) => (-1, time),
                    _ => return Err(malformed()),
                };
                let offset = minutes(time).map_err(|_| malformed())?;
                if offset > 14 * 60 {
                    return Err(malformed());
                }
                sign * offset
            }
        };
        Ok(Self { from_min, to_min, offset_min })
    }

    /// Whether a moment is within them.
    #[must_use]
    pub const fn contains(&self, at: UnixMs) -> bool {
        let minute = (at.0.div_euclid(60_000) + self.offset_min).rem_euclid(DAY_MIN);
        if self.from_min < self.to_min {
            self.from_min <= minute && minute < self.to_min
        } else {
            minute >= self.from_min || minute < self.to_min
        }
    }
}

/// Minutes of a day, from `07:30`.
fn minutes(text: &str) -> Result<i64, String> {
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let two = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        (hours < 24 && minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))
    });
    parsed.ok_or_else(|| format!("'{text}' must be a time of day from 00:00 to 23:59, such as 22:30"))
}

/// Letters, digits, `-`, `_` and `.`, at most 64: names go into ids, metrics and addresses.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        return Err("a name has 1 to 64 letters, digits, '-', '_' or '.'".to_owned());
    }
    Ok(())
}

impl Rule {
    /// Checks a rule.
    ///
    /// # Errors
    /// When a field is missing, out of its range, or not one of this kind.
    pub fn new(fields: RuleFields) -> Result<Self, RuleError> {
        let error = |problem: String| RuleError { rule: fields.name.chars().take(64).collect(), problem };
        check_name(&fields.name).map_err(error)?;
        fields.check_foreign().map_err(error)?;
        let condition = fields.condition().map_err(error)?;
        let cooldown_s = fields.cooldown_s.unwrap_or(COOLDOWN_DEFAULT_S);
        let cooldown_ms = seconds_ms("cooldown_s", cooldown_s, SECONDS_MAX).map_err(error)?;
        let quiet = fields.quiet_hours.as_ref().map(QuietHours::parse).transpose().map_err(error)?;
        if fields.symbols.len() > 100 || fields.targets.len() > 100 {
            return Err(error("at most 100 symbols and 100 targets; leave them out for all".to_owned()));
        }
        Ok(Self { fields, condition, cooldown_ms, quiet })
    }

    /// As it was written.
    #[must_use]
    pub const fn fields(&self) -> &RuleFields {
        &self.fields
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.fields.name
    }

    /// Whether it watches a symbol; a paused rule watches none. `is_listed`: whether lists of symbols show it.
    #[must_use]
    pub fn covers(&self, symbol: &str, is_listed: bool) -> bool {
        if self.fields.paused {
            false
        } else if self.fields.symbols.is_empty() {
            is_listed
        } else {
            self.fields.symbols.iter().any(|one| one == symbol)
        }
    }

    /// Whether its alerts go to a target.
    #[must_use]
    pub fn is_sent_to(&self, target: &str) -> bool {
        self.fields.targets.is_empty() || self.fields.targets.iter().any(|one| one == target)
    }

    pub(crate) fn is_quiet(&self, at: UnixMs) -> bool {
        self.quiet.is_some_and(|quiet| quiet.contains(at))
    }
}

impl RuleFields {
    fn condition(&self) -> Result<Condition, String> {
        let side = self.side.as_deref().map(serial::side::parse).transpose();
        let side = side.map_err(|problem| format!("side: {problem}"))?;
        let min_usd = || match self.min_usd {
            Some(usd) if usd > 0 => Ok(usd),
            Some(_) => Err("min_usd must be above 0".to_owned()),
            None => Err("min_usd is missing: the least dollars, such as 50000000".to_owned()),
        };
        let pct = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 && value <= 100.0 {
                Ok(value)
            } else {
                Err(format!("{name} must be per cent above 0 and at most 100"))
            }
        };
        let window_max = LiquidationLog::HORIZON_MS.unsigned_abs() / 1_000;
        Ok(match self.kind {
            RuleKind::NearWall => {
                let within =
                    self.within_pct.ok_or("within_pct is missing: per cent of the price, such as 0.5")?;
                let within_pct = pct("within_pct", within)?;
                let clear_pct = pct("clear_pct", self.clear_pct.unwrap_or((within_pct * 2.0).min(100.0)))?;
                if clear_pct < within_pct {
                    return Err("clear_pct must not be below within_pct".to_owned());
                }
                Condition::Near { min_usd: min_usd()?, within_pct, clear_pct, side }
            }
            RuleKind::WallSwept => Condition::Swept { min_usd: min_usd()?, side },
            RuleKind::Liquidation => Condition::Liquidation { min_usd: min_usd()?, side },
            RuleKind::Cascade => {
                let window_ms = seconds_ms("window_s", self.window_s.unwrap_or(300), window_max)?;
                Condition::Cascade { min_usd: min_usd()?, window_ms, side }
            }
            RuleKind::WallFormed | RuleKind::WallVanished => {
                let (min_usd, within_pct) = (min_usd()?, pct("within_pct", self.within_pct.unwrap_or(10.0))?);
                if self.kind == RuleKind::WallFormed {
                    Condition::Formed { min_usd, within_pct, side }
                } else {
                    Condition::Vanished { min_usd, within_pct, side }
                }
            }
            RuleKind::FeedStale => {
                Condition::Stale { after_ms: seconds_ms("after_s", self.after_s.unwrap_or(60), SECONDS_MAX)? }
            }
        })
    }

    /// Refuses fields that another kind has: they would silently do nothing.
    fn check_foreign(&self) -> Result<(), String> {
        use RuleKind::{Cascade, FeedStale, NearWall, WallFormed, WallVanished};
        let has_distance = matches!(self.kind, NearWall | WallFormed | WallVanished);
        let foreign = [
            ("within_pct", self.within_pct.is_some() && !has_distance),
            ("clear_pct", self.clear_pct.is_some() && self.kind != NearWall),
            ("window_s", self.window_s.is_some() && self.kind != Cascade),
            ("after_s", self.after_s.is_some() && self.kind != FeedStale),
            ("min_usd", self.min_usd.is_some() && self.kind == FeedStale),
            ("side", self.side.is_some() && self.kind == FeedStale),
        ];
        match foreign.iter().find(|(_, is_foreign)| *is_foreign) {
            Some((name, _)) => Err(format!("{name} means nothing for this kind; remove it")),
            None => Ok(()),
        }
    }
}

fn seconds_ms(name: &str, seconds: u64, most: u64) -> Result<i64, String> {
    if (1..=most).contains(&seconds) {
        Ok(seconds.cast_signed() * 1_000)
    } else {
        Err(format!("{name} must be whole seconds from 1 to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Rule, String> {
        let fields: RuleFields = serde_json::from_str(json).map_err(|error| error.to_string())?;
        Rule::new(fields).map_err(|error| error.to_string())
    }

    #[test]
    fn every_mistake_is_named() {
        for (json, expected) in [
            (r#"{"name":"a","kind":"near_wall","min_usd":1}"#, "rule 'a': within_pct is missing"),
            (r#"{"name":"a","kind":"near_wall","within_pct":1}"#, "min_usd is missing"),
            (r#"{"name":"a","kind":"near_wall","within_pct":-1,"min_usd":1}"#, "within_pct must be"),
            (
                r#"{"name":"a","kind":"near_wall","within_pct":1,"clear_pct":0.5,"min_usd":1}"#,
                "clear_pct must not",
            ),
            (
                r#"{"name":"a","kind":"cascade","min_usd":1,"window_s":0}"#,
                "window_s must be whole seconds from 1 to 86400",
            ),
            (r#"{"name":"a","kind":"cascade","min_usd":0}"#, "min_usd must be above 0"),
            (r#"{"name":"a","kind":"liquidation","min_usd":1,"after_s":4}"#, "after_s means nothing"),
            (r#"{"name":"a","kind":"feed_stale","min_usd":4}"#, "min_usd means nothing"),
            (r#"{"name":"a b","kind":"feed_stale"}"#, "a name has"),
            (r#"{"name":"","kind":"feed_stale"}"#, "a name has"),
            (r#"{"name":"a","kind":"feed_stale","cooldown_s":0}"#, "cooldown_s must be"),
            (
                r#"{"name":"a","kind":"liquidation","min_usd":1,"side":"buy"}"#,
                "side: 'buy' must be 'long' or 'short'",
            ),
            (r#"{"name":"a","kind":"teleport"}"#, "unknown variant `teleport`, expected one of `near_wall`"),
            (r#"{"name":"a","kind":"feed_stale","colour":1}"#, "unknown field `colour`"),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"22:00","to":"22:00"}}"#,
                "begin and end",
            ),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"24:00","to":"22:00"}}"#,
                "'24:00' must be",
            ),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"1:00","to":"22:00"}}"#,
                "'1:00' must be",
            ),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"21:00","to":"22:00","utc_offset":"2"}}"#,
                "utc_offset '2'",
            ),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"21:00","to":"22:00","utc_offset":"+15:00"}}"#,
                "utc_offset",
            ),
            (
                r#"{"name":"a","kind":"feed_stale","quiet_hours":{"from":"21:00","to":"22:00","utc_offset":"é"}}"#,
                "utc_offset",
            ),
        ] {
            let got = rule(json).unwrap_err();
            assert!(got.contains(expected), "{json}: {got}");
        }
    }

    #[test]
    fn a_rule_is_read_with_its_defaults_and_written_as_it_was() {
        let json = r#"{"name":"a","kind":"near_wall","min_usd":50000000,"within_pct":0.5}"#;
        let rule = rule(json).unwrap();
        let expected = Condition::Near { min_usd: 50_000_000, within_pct: 0.5, clear_pct: 1.0, side: None };
        assert_eq!((rule.condition, rule.cooldown_ms), (expected, 300_000));
        let written = serde_json::to_value(rule.fields()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert!(rule.covers("BTCUSDT", true) && !rule.covers("BTCUSDT@okx", false) && rule.is_sent_to("x"));
    }

    #[test]
    fn a_paused_rule_watches_nothing_and_says_so() {
        let json = r#"{"name":"a","kind":"feed_stale","symbols":["BTCUSDT"],"paused":true}"#;
        let rule = rule(json).unwrap();
        assert!(!rule.covers("BTCUSDT", true));
        let written = serde_json::to_value(rule.fields()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }

    #[test]
    fn quiet_hours_pass_midnight_and_follow_the_offset() {
        let hours = |from: &str, to: &str, offset: Option<&str>| {
            let utc_offset = offset.map(str::to_owned);
            QuietHours::parse(&QuietHoursFields { from: from.into(), to: to.into(), utc_offset }).unwrap()
        };
        let at = |hour: i64, minute: i64| UnixMs((20_000 * 1_440 + hour * 60 + minute) * 60_000);
        let night = hours("22:00", "07:00", None);
        for (hour, minute, is_quiet) in
            [(21, 59, false), (22, 0, true), (0, 0, true), (6, 59, true), (7, 0, false), (12, 0, false)]
        {
            assert_eq!(night.contains(at(hour, minute)), is_quiet, "{hour}:{minute}");
        }
        let east = hours("22:00", "07:00", Some("+02:00"));
        assert!(east.contains(at(20, 0)) && !east.contains(at(5, 0)) && !night.contains(at(20, 0)));
        let west = hours("12:00", "13:30", Some("-05:30"));
        assert!(west.contains(at(17, 30)) && !west.contains(at(19, 0)) && !west.contains(at(12, 30)));
    }
}
