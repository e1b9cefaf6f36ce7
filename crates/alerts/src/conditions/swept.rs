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
    touched: Vec<Touched>,
    swept: Vec<Swept>,
    /// Swept walls that the model still shows: it moves with bars, the price does not wait for it.
    shown: Vec<Swept>,
}

#[derive(Debug, Clone)]
struct Touched {
    wall: WallSpan,
    since: UnixMs,
}

#[derive(Debug, Clone)]
struct Swept {
    wall: WallSpan,
    touched: UnixMs,
    at: UnixMs,
}

impl SweptWalls {
    pub(crate) const fn new(filter: Filter) -> Self {
        Self { filter, touched: Vec::new(), swept: Vec::new(), shown: Vec::new() }
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        match change {
            Change::Prices { from, low, high } => {
                self.touch(from, low, high, scene.walls);
                self.pass(low, high, scene);
            }
            Change::Walls => {
                let is_shown = |swept: &Swept| scene.walls.iter().any(|wall| wall.overlaps(&swept.wall));
                self.shown.retain(|swept| scene.now.since(swept.at) < SHOWN_MS_MAX && is_shown(swept));
            }
            Change::Liquidation(_) | Change::Feed(_) => {}
        }
        let (settled, waiting) = std::mem::take(&mut self.swept)
            .into_iter()
            .partition(|swept| scene.now >= swept.at.plus(SETTLE_MS));
        self.swept = waiting;
        let subject = |swept: Swept| Subject::WallSwept {
            liquidated: scene.log.at_wall(
                &swept.wall,
                swept.touched.plus(-BEFORE_MS),
                swept.at.plus(SETTLE_MS),
            ),
            wall: swept.wall,
            touched: swept.touched,
        };
        let settled: Vec<Swept> = settled;
        settled.into_iter().map(subject).collect()
    }

    fn touch(&mut self, from: UnixMs, low: Price, high: Price, walls: &[WallSpan]) {
        for wall in walls.iter().filter(|wall| self.filter.allows(wall) && wall.is_touched(low, high)) {
            let is_known = self.touched.iter().any(|touched| touched.wall.overlaps(wall));
            let is_swept = self.shown.iter().any(|swept| swept.wall.overlaps(wall));
            if !is_known && !is_swept {
                self.touched.push(Touched { wall: *wall, since: from });
            }
        }
    }

    fn pass(&mut self, low: Price, high: Price, scene: &Scene<'_>) {
        let mut swept = Vec::new();
        self.touched.retain(|touched| {
            let wall = touched.wall;
            if wall.is_passed(low, high) {
                swept.push(Swept { wall, touched: touched.since, at: scene.now });
                return false;
            }
            let distance = wall.distance_pct(scene.price);
            let has_left = match wall.side {
                Side::Long => distance < -LEFT_PCT,
                Side::Short => distance > LEFT_PCT,
            };
            !has_left && scene.now.since(touched.since) < TOUCH_MS_MAX
        });
        self.shown.extend(swept.iter().cloned());
        self.swept.extend(swept);
    }
}
