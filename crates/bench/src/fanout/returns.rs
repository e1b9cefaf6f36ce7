//! Clients that were sent away by a server that stops, and how they came back.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use liqheat_market::convert::whole_ms;

/// What happened to those who were sent away.
#[derive(Debug)]
pub(super) struct Returns {
    /// Told to go.
    pub(super) sent_away: u64,
    /// Have a state again.
    pub(super) back: u64,
    /// Were answered with the difference from the state they had.
    pub(super) resumed: u64,
    /// Connections that were opened again and did not come to be, and the first reason.
    pub(super) refused: u64,
    pub(super) first_refusal: Option<String>,
    /// Milliseconds they were asked to wait,
    pub(super) asked_ms: Histogram<u64>,
    /// and milliseconds from being told until there was a state again.
    pub(super) without_state_ms: Histogram<u64>,
    /// Connections opened, by the second.
    opened: BTreeMap<u64, u64>,
}

impl Returns {
    /// Far beyond any delay worth knowing; longer ones count as this.
    const MS_MAX: u64 = 600_000;

    pub(super) fn new() -> anyhow::Result<Self> {
        let histogram = Histogram::new_with_max(Self::MS_MAX, 3)?;
        Ok(Self {
            sent_away: 0,
            back: 0,
            resumed: 0,
            refused: 0,
            first_refusal: None,
            asked_ms: histogram.clone(),
            without_state_ms: histogram,
            opened: BTreeMap::new(),
        })
    }

    pub(super) fn asked(&mut self, delay_ms: u64) {
        self.sent_away += 1;
        self.asked_ms.saturating_record(delay_ms);
    }

    pub(super) fn opened(&mut self, at_micros: u64) {
        *self.opened.entry(at_micros / 1_000_000).or_default() += 1;
    }

    pub(super) fn refused(&mut self, why: &str) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(|| why.to_owned());
    }

    pub(super) fn done(&mut self, without_state: Duration, resumed: bool) {
        self.back += 1;
        self.resumed += u64::from(resumed);
        self.without_state_ms.saturating_record(whole_ms(without_state));
    }

    /// Most connections opened again within a second.
    pub(super) fn peak_a_second(&self) -> u64 {
        self.opened.values().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_counted() {
        let mut returns = Returns::new().unwrap();
        for (delay, at) in [(100, 1_000_000), (900, 1_999_999), (1_500, 2_000_000)] {
            returns.asked(delay);
            returns.opened(at);
        }
        returns.refused("no");
        returns.refused("never");
        returns.done(Duration::from_millis(120), true);
        returns.done(Duration::from_millis(950), false);
        assert_eq!((returns.sent_away, returns.back, returns.resumed, returns.refused), (3, 2, 1, 2));
        assert_eq!((returns.peak_a_second(), returns.first_refusal.as_deref()), (2, Some("no")));
        assert!(returns.asked_ms.max() >= 1_500 && returns.without_state_ms.max() >= 950);
    }
}
