//! Query parameters, checked by hand so that every mistake is answered in words.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use liqheat_market::{Interval, Price, UnixMs};
use liqheat_wire::{HeatmapView, ViewHorizon, parse_time};

use super::refusal::Refusal;

/// The parameters of one request. Unknown ones are ignored.
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    pub(crate) fn new(fields: HashMap<String, String>) -> Self {
        Self(fields)
    }

    /// A parameter that was given and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::malformed(format!("parameter '{name}' is missing")))
    }

    pub(crate) fn time(&self, name: &str) -> Result<UnixMs, Refusal> {
        let text = self.required(name)?;
        parse_time(text).map_err(|error| Refusal::malformed(format!("parameter '{name}': {error}")))
    }

    /// Refuses parameters that would change the meaning of the answer and that this route does not support.
    ///
    /// # Errors
    /// 400 with the first of them that was given.
    pub(crate) fn refuse(&self, unsupported: &[&str]) -> Result<(), Refusal> {
        match unsupported.iter().find(|name| self.get(name).is_some()) {
            Some(name) => {
                Err(Refusal::bad(format!("parameter '{name}' is not supported here; leave it out")))
            }
            None => Ok(()),
        }
    }

    /// Refuses parameters that a route does not know, for interfaces whose clients rely on every parameter.
    ///
    /// # Errors
    /// 400 with the first unknown name and all known ones.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        match names.into_iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(40).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Refusal::bad(format!("parameter '{name}' is not known here; parameters: {known}")))
            }
        }
    }

    /// One of some words.
    ///
    /// # Errors
    /// 422 when it is missing or another one.
    pub(crate) fn word<'a>(&self, name: &str, words: &[&'a str]) -> Result<&'a str, Refusal> {
        let text = self.required(name)?;
        words.iter().find(|word| **word == text).copied().ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            Refusal::malformed(format!("parameter '{name}': '{text}' must be one of {}", words.join(", ")))
        })
    }

    /// A time that need not be given.
    pub(crate) fn optional_time(&self, name: &str) -> Result<Option<UnixMs>, Refusal> {
        if self.get(name).is_some() { self.time(name).map(Some) } else { Ok(None) }
    }

    /// A time, or a default where none is given.
    pub(crate) fn time_or(&self, name: &str, default: UnixMs) -> Result<UnixMs, Refusal> {
        if self.get(name).is_some() { self.time(name) } else { Ok(default) }
    }

    /// A whole number from 1 to a maximum.
    pub(crate) fn count_or(
        &self,
        name: &str,
        default: NonZeroUsize,
        most: usize,
    ) -> Result<NonZeroUsize, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        let fits = |n: &NonZeroUsize| n.get() <= most;
        text.parse().ok().filter(fits).ok_or_else(|| {
            Refusal::malformed(format!(
                "parameter '{name}': '{text}' must be a whole number from 1 to {most}"
            ))
        })
    }

    /// A whole number of dollars, 0 where none is given.
    pub(crate) fn usd_or_zero(&self, name: &str) -> Result<u64, Refusal> {
        /// Numbers of the interface stay below 2^53.
        const MAX: u64 = 1 << 53;
        let Some(text) = self.get(name) else { return Ok(0) };
        text.parse().ok().filter(|usd| *usd < MAX).ok_or_else(|| {
            Refusal::malformed(format!(
                "parameter '{name}': '{text}' must be a whole number of dollars, such as 100000"
            ))
        })
    }

    /// One of the named intervals.
    pub(crate) fn interval_or(&self, allowed: &[&str], default: &str) -> Result<Interval, Refusal> {
        let text = self.get("interval").unwrap_or(default);
        Interval::from_name(text).filter(|interval| allowed.contains(&interval.name())).ok_or_else(|| {
            let allowed = allowed.join(", ");
            Refusal::malformed(format!("parameter 'interval': '{text}' must be one of {allowed}"))
        })
    }

    /// The horizon of `view=expected`; `None` for the view of open positions.
    ///
    /// # Errors
    /// Refused when `view` or `horizon` is unknown, or there is a horizon without that view.
    pub(crate) fn expected_within(&self) -> Result<Option<ViewHorizon>, Refusal> {
        let named = self.get("horizon");
        let cut = |text: &str| -> String { text.chars().take(40).collect() };
        let view = self.get("view").unwrap_or("open");
        let view = HeatmapView::from_name(view).ok_or_else(|| {
            Refusal::malformed(format!("parameter 'view': '{}' must be open or expected", cut(view)))
        })?;
        match (view, named) {
            (HeatmapView::Open, Some(_)) => Err(Refusal::bad(
                "parameter 'horizon' belongs to view=expected; add that, or remove 'horizon'",
            )),
            (HeatmapView::Open, None) => Ok(None),
            (HeatmapView::Expected, None) => Ok(Some(ViewHorizon::default())),
            (HeatmapView::Expected, Some(text)) => ViewHorizon::from_name(text).map(Some).ok_or_else(|| {
                let (text, must) = (cut(text), ViewHorizon::MUST);
                Refusal::malformed(format!("parameter 'horizon': '{text}' {must}"))
            }),
        }
    }

    /// A price greater than zero.
    pub(crate) fn price(&self, name: &str) -> Result<Option<Price>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match Price::parse(text) {
            Ok(price) if price.is_positive() => Ok(Some(price)),
            Ok(_) => {
                Err(Refusal::malformed(format!("parameter '{name}': '{text}' must be greater than zero")))
            }
            Err(error) => Err(Refusal::malformed(format!("parameter '{name}': {error}"))),
        }
    }
}

/// A path with parameters, percent-encoded (RFC 3986) but for letters and digits.
pub(crate) fn target(path: &str, parameters: &[(&str, String)]) -> String {
    use std::fmt::Write;
    let mut target = path.to_owned();
    for (index, (name, value)) in parameters.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                target.push(char::from(byte));
            } else {
                // Writing to memory cannot fail.
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    target
}
