//! The clock of a venue, estimated from answers that carry its time and from the stamps of its frames.
//!
//! The estimate is kept against uptime, which never jumps. So a wall clock that is wrong, or is stepped while the process
//! runs, changes the reported skew and nothing else.

use std::collections::VecDeque;

use liqheat_market::UnixMs;

use super::clock::{ClockReading, Uptime};

/// How far the local clock is off, in grades that a reader acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ClockHealth {
    /// Within two seconds of the venue's, as far as that can be measured.
    #[default]
    Ok,
    /// More than two seconds off.
    Off,
    /// More than half a minute off.
    Wrong,
}

impl ClockHealth {
    /// A difference beyond this is logged, and market time follows the venue.
    pub const OFF_MS: i64 = 2_000;
    /// A difference beyond this makes the server `degraded`.
    pub const WRONG_MS: i64 = 30_000;

    /// As it is written in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Off => "off",
            Self::Wrong => "wrong",
        }
    }

    /// As a number for metrics: 0, 1, 2.
    #[must_use]
    pub const fn grade(self) -> u8 {
        self as u8
    }

    /// Grades a skew that is known to within `uncertainty_ms`.
    #[must_use]
    pub const fn of(skew_ms: i64, uncertainty_ms: i64) -> Self {
        match skew_ms.unsigned_abs().saturating_sub(uncertainty_ms.unsigned_abs()) {
            certain if certain > Self::WRONG_MS.unsigned_abs() => Self::Wrong,
            certain if certain > Self::OFF_MS.unsigned_abs() => Self::Off,
            _ => Self::Ok,
        }
    }
}

/// The difference between a venue's clock and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skew {
    /// The venue's time minus local time.
    pub(super) ms: i64,
    /// Half the time that the measurement took.
    pub(super) uncertainty_ms: i64,
}

impl Skew {
    pub(super) const fn health(self) -> ClockHealth {
        ClockHealth::of(self.ms, self.uncertainty_ms)
    }
}

#[derive(Debug, Clone, Copy)]
struct Measurement {
    offset_ms: i64,
    uncertainty_ms: i64,
}

/// The estimate.
#[derive(Debug, Default)]
pub(super) struct VenueClock {
    measured: Option<Measurement>,
    /// Stamp minus arrival of the newest frames: the offset, less the time on the way.
    stamps: VecDeque<i64>,
    median: Option<i64>,
    since_median: usize,
}

impl VenueClock {
    const STAMPS_MAX: usize = 31;
    /// When stamps and measurement differ by more, the venue's clock has jumped since it was measured, or this machine
    /// has slept.
    const JUMP_MS: i64 = 30_000;

    /// The venue named its time in an answer to a request sent at `sent`.
    pub(super) fn on_time(&mut self, venue: UnixMs, sent: Uptime, received: Uptime) {
        let half_way = received.since(sent) / 2;
        self.measured = Some(Measurement {
            offset_ms: venue.0.saturating_sub(sent.0.saturating_add(half_way)),
            uncertainty_ms: half_way.max(0),
        });
    }

    /// A frame was stamped `sent` by the venue.
    pub(super) fn on_stamp(&mut self, sent: UnixMs, received: Uptime) {
        if self.stamps.len() == Self::STAMPS_MAX {
            self.stamps.pop_front();
        }
        self.stamps.push_back(sent.0.saturating_sub(received.0));
        self.since_median += 1;
        // Half of the stamps must change before the median can move, so it is not sorted for each.
        if self.stamps.len() < Self::STAMPS_MAX || self.since_median >= Self::STAMPS_MAX / 2 {
            self.since_median = 0;
            let mut sorted: Vec<i64> = self.stamps.iter().copied().collect();
            sorted.sort_unstable();
            self.median = Some(sorted[sorted.len() / 2]);
        }
    }

    /// The venue's time minus uptime; `None` before anything is known.
    pub(super) fn offset_ms(&self) -> Option<i64> {
        self.estimate().map(|estimate| estimate.offset_ms)
    }

    /// The venue's time; `None` before anything is known.
    pub(super) fn at(&self, uptime: Uptime) -> Option<UnixMs> {
        self.offset_ms().map(|offset| UnixMs(uptime.0.saturating_add(offset)))
    }

    /// The latest that the venue's time may be; `None` before anything is known. Frames that waited, because nobody took them
    /// or the machine stood still, carry stamps of then, and for a moment the estimate is of then too: an answer of now would
    /// be refused as one from the future.
    pub(super) fn latest(&self, uptime: Uptime) -> Option<UnixMs> {
        let measured = self.measured.map(|measured| UnixMs(uptime.0.saturating_add(measured.offset_ms)));
        self.at(uptime).max(measured)
    }

    /// How far local time is off.
    pub(super) fn skew(&self, now: ClockReading) -> Option<Skew> {
        let estimate = self.estimate()?;
        let venue = now.uptime.0.saturating_add(estimate.offset_ms);
        Some(Skew { ms: venue.saturating_sub(now.local.0), uncertainty_ms: estimate.uncertainty_ms })
    }

    fn estimate(&self) -> Option<Measurement> {
        let from_stamps = |offset_ms| Measurement { offset_ms, uncertainty_ms: 0 };
        match (self.measured, self.median) {
            (Some(measured), Some(median)) if (measured.offset_ms - median).abs() > Self::JUMP_MS => {
                Some(from_stamps(median))
            }
            (Some(measured), _) => Some(measured),
            (None, median) => median.map(from_stamps),
        }
    }
}

/// The offset from uptime that market time follows, given what is known of each venue's clock: the one in the middle, so
/// that a single venue with a wrong clock does not count; `None` while that agrees with local time.
pub(super) fn market_offset(venues: impl Iterator<Item = (i64, ClockHealth)>) -> Option<i64> {
    let mut offsets: Vec<(i64, ClockHealth)> = venues.collect();
    offsets.sort_unstable();
    let right = offsets.iter().filter(|(_, health)| *health == ClockHealth::Ok).count();
    // Of two that contradict each other the one that agrees with the local clock counts.
    if right * 2 >= offsets.len() {
        return None;
    }
    offsets.retain(|(_, health)| *health != ClockHealth::Ok);
    offsets.get(offsets.len() / 2).map(|(offset, _)| *offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: UnixMs = UnixMs(1_763_942_400_000);

    fn reading(uptime: i64, local_offset: i64) -> ClockReading {
        ClockReading { local: LOCAL.plus(uptime + local_offset), uptime: Uptime(uptime) }
    }

    #[test]
    fn the_way_is_halved() {
        let mut clock = VenueClock::default();
        assert_eq!(clock.at(Uptime(0)), None);
        clock.on_time(UnixMs(5_050), Uptime(1_000), Uptime(1_100));
        assert_eq!(clock.at(Uptime(2_000)), Some(UnixMs(6_000)));
        assert_eq!(
            clock.skew(ClockReading { local: UnixMs(2_000), uptime: Uptime(2_000) }),
            Some(Skew { ms: 4_000, uncertainty_ms: 50 })
        );
    }

    #[test]
    fn one_odd_stamp_moves_nothing_and_a_jump_is_followed() {
        let mut clock = VenueClock::default();
        for at in 0..31 {
            clock.on_stamp(UnixMs(at * 1_000 - 40), Uptime(at * 1_000));
        }
        clock.on_stamp(UnixMs(9_000_000_000), Uptime(31_000));
        assert_eq!(clock.offset_ms(), Some(-40));
        clock.on_time(UnixMs(31_000), Uptime(31_000), Uptime(31_000));
        assert_eq!(clock.offset_ms(), Some(0), "a measurement is better than stamps");
        for at in 32..100 {
            clock.on_stamp(UnixMs(at * 1_000 - 3_600_000), Uptime(at * 1_000));
        }
        assert_eq!(clock.offset_ms(), Some(-3_600_000), "the venue's clock was set back");
    }

    #[test]
    fn frames_that_waited_do_not_make_an_answer_one_of_the_future() {
        let mut clock = VenueClock::default();
        assert_eq!(clock.latest(Uptime(0)), None);
        clock.on_time(UnixMs(0), Uptime(0), Uptime(0));
        // Six minutes of frames are read at once.
        for at in 0..31 {
            clock.on_stamp(UnixMs(at * 10_000), Uptime(360_000));
        }
        assert_eq!(clock.at(Uptime(360_000)), Some(UnixMs(150_000)));
        assert_eq!(clock.latest(Uptime(360_000)), Some(UnixMs(360_000)));
        // A clock that is ahead of its last measurement is followed.
        for at in 0..31 {
            clock.on_stamp(UnixMs(3_600_000 + at), Uptime(360_000 + at));
        }
        assert_eq!(clock.latest(Uptime(360_100)), Some(UnixMs(3_600_100)));
    }

    #[test]
    fn a_local_clock_that_is_stepped_back_changes_the_skew_and_not_the_venues_time() {
        let mut clock = VenueClock::default();
        clock.on_time(LOCAL, Uptime(0), Uptime(0));
        assert_eq!(clock.skew(reading(60_000, 0)).unwrap().ms, 0);
        let stepped = reading(61_000, -7_200_000);
        assert_eq!(clock.skew(stepped).unwrap().ms, 7_200_000);
        assert_eq!(clock.skew(stepped).unwrap().health(), ClockHealth::Wrong);
        assert_eq!(clock.at(stepped.uptime), Some(LOCAL.plus(61_000)));
    }

    #[test]
    fn a_slow_answer_proves_no_skew() {
        for (skew, uncertainty, health) in [
            (2_000, 0, ClockHealth::Ok),
            (-2_001, 0, ClockHealth::Off),
            (2_400, 500, ClockHealth::Ok),
            (30_001, 0, ClockHealth::Wrong),
            (-30_400, 500, ClockHealth::Off),
            (i64::MIN, 0, ClockHealth::Wrong),
        ] {
            assert_eq!(ClockHealth::of(skew, uncertainty), health, "{skew} {uncertainty}");
        }
    }

    #[test]
    fn market_time_follows_the_majority_of_venues() {
        use ClockHealth::{Off, Ok, Wrong};
        let offset = |venues: &[(i64, ClockHealth)]| market_offset(venues.iter().copied());
        assert_eq!(offset(&[]), None);
        assert_eq!(offset(&[(5, Ok), (7, Ok)]), None);
        assert_eq!(offset(&[(7_200_000, Wrong)]), Some(7_200_000));
        assert_eq!(offset(&[(5, Ok), (7_200_000, Wrong)]), None, "one venue may be wrong itself");
        assert_eq!(offset(&[(7_200_000, Wrong), (5, Ok), (7_200_050, Wrong)]), Some(7_200_050));
        assert_eq!(offset(&[(3_000, Off), (3_100, Off), (90_000_000, Wrong)]), Some(3_100));
    }
}
