//! Parsers of values that several commands share.

use std::time::Duration;

use liqheat_feeds::archive::Family;
use liqheat_market::{Symbol, UnixMs};

use crate::time_unit::{DAYS, SECONDS};

pub(super) fn redis_timeout(text: &str) -> Result<Duration, String> {
    SECONDS.parse(text, 0.05..=30.0)
}

pub(super) fn days(text: &str) -> Result<Duration, String> {
    DAYS.parse(text, 1.0..=36_500.0)
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.trim().parse().map_err(|_| "must be a number, such as 600".to_owned())?;
    if !(0.01..=1_000_000.0).contains(&speed) {
        return Err("must be 0.01 to 1000000 market seconds a second".to_owned());
    }
    Ok(speed)
}

pub(super) fn moment(text: &str) -> Result<UnixMs, String> {
    liqheat_wire::parse_time(text).map_err(|error| error.to_string())
}

pub(super) fn family(text: &str) -> Result<Family, String> {
    Family::from_name(text).ok_or_else(|| format!("must be one of {}", Family::names()))
}

pub(super) fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_checked() {
        assert_eq!(speed("0.5"), Ok(0.5));
        for bad in ["", "x", "0", "-1", "NaN", "inf", "1e9"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
