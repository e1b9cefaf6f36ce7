//! The price went through a whole wall.
//!
//! A wall is remembered from the moment the price touches it, as it was before: the model takes mass away as the price
//! goes through, so the wall of later states is only what remains of it. Liquidations are reported with a delay, so
//! the sweep is reported a little later, with what they sum up to.

use liqheat_market::{Price, Side, UnixMs};

use super::{Change, Filter, Scene};
use crate::alert::Subject;
use crate::span::WallSpan;

/// Time after the sweep in which liquidations still arrive.
const SETTLE_MS: i64 = 20_000;
/// Liquidations this long before the price touched the wall belong to it: clocks of venues differ.
const BEFORE_MS: i64 = 5_000;
/// A touched wall is forgotten when the price is this far before it again, per cent.
const LEFT_PCT: f64 = 2.0;
/// A touched wall is forgotten after this.
const TOUCH_MS_MAX: i64 = 12 * 3_600_000;
/// A wall that the model still shows after this has formed anew.
const SHOWN_MS_MAX: i64 = 3_600_000;

#[derive(Debug, Clone)]
pub(crate) struct SweptWalls {
    filter: Filter,
    touches: Vec<WallTouch>,
    sweeps: Vec<WallSweep>,
    /// Swept walls that the model still shows: it moves with bars, the price does not wait for it.
    shown_sweeps: Vec<WallSweep>,
}

#[derive(Debug, Clone)]
struct WallTouch {
    wall: WallSpan,
    since: UnixMs,
}

#[derive(Debug, Clone)]
struct WallSweep {
    wall: WallSpan,
    touched_at: UnixMs,
    at: UnixMs,
}

impl SweptWalls {
    pub(crate) const fn new(filter: Filter) -> Self {
        Self { filter, touches: Vec::new(), sweeps: Vec::new(), shown_sweeps: Vec::new() }
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        match change {
            Change::Prices { from, low, high } => {
                self.touch(from, low, high, scene.walls);
                self.pass(low, high, scene);
            }
            Change::Walls => {
                let is_shown = |sweep: &WallSweep| scene.walls.iter().any(|wall| wall.overlaps(&sweep.wall));
                self.shown_sweeps.retain(|sweep| scene.now.since(sweep.at) < SHOWN_MS_MAX && is_shown(sweep));
            }
            Change::Liquidation(_) | Change::Feed(_) => {}
        }
        let (settled, waiting) = std::mem::take(&mut self.sweeps)
            .into_iter()
            .partition(|sweep| scene.now >= sweep.at.plus(SETTLE_MS));
        self.sweeps = waiting;
        let subject = |sweep: WallSweep| Subject::WallSwept {
            liquidated: scene.log.at_wall(
                &sweep.wall,
                sweep.touched_at.plus(-BEFORE_MS),
                sweep.at.plus(SETTLE_MS),
            ),
            wall: sweep.wall,
            touched: sweep.touched_at,
        };
        let settled: Vec<WallSweep> = settled;
        settled.into_iter().map(subject).collect()
    }

    fn touch(&mut self, from: UnixMs, low: Price, high: Price, walls: &[WallSpan]) {
        for wall in walls.iter().filter(|wall| self.filter.allows(wall) && wall.is_touched(low, high)) {
            let is_known = self.touches.iter().any(|touch| touch.wall.overlaps(wall));
            let is_swept = self.shown_sweeps.iter().any(|sweep| sweep.wall.overlaps(wall));
            if !is_known && !is_swept {
                self.touches.push(WallTouch { wall: *wall, since: from });
            }
        }
    }

    fn pass(&mut self, low: Price, high: Price, scene: &Scene<'_>) {
        let mut sweeps = Vec::new();
        self.touches.retain(|touch| {
            let wall = touch.wall;
            if wall.is_passed(low, high) {
                sweeps.push(WallSweep { wall, touched_at: touch.since, at: scene.now });
                return false;
            }
            let distance = wall.distance_pct(scene.price);
            let has_left = match wall.side {
                Side::Long => distance < -LEFT_PCT,
                Side::Short => distance > LEFT_PCT,
            };
            !has_left && scene.now.since(touch.since) < TOUCH_MS_MAX
        });
        self.shown_sweeps.extend(sweeps.iter().cloned());
        self.sweeps.extend(sweeps);
    }
}
