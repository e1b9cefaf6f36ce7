//! The price is near a wall.
//!
//! A reported wall is remembered as the stretch of price it covered, not as an object: walls are found anew in every
//! state and may be missing from one. The memory ends when the price is clearly away, so a price that oscillates around the
//! limit and a wall that flickers raise one alert.

use liqheat_market::Price;

use super::{Change, Filter, Scene};
use crate::alert::{Alert, Subject};
use crate::span::WallSpan;

#[derive(Debug, Clone)]
pub(crate) struct NearWalls {
    filter: Filter,
    within_pct: f64,
    clear_pct: f64,
    /// Walls that were reported, and that the price has not left since.
    reported: Vec<WallSpan>,
}

impl NearWalls {
    pub(crate) const fn new(filter: Filter, within_pct: f64, clear_pct: f64) -> Self {
        Self { filter, within_pct, clear_pct, reported: Vec::new() }
    }

    pub(crate) fn restore(&mut self, alert: &Alert) {
        self.reported.extend(alert.subject.wall());
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        let (low, high) = match change {
            Change::Prices { low, high, .. } => (low, high),
            Change::Walls => (scene.price, scene.price),
            Change::Liquidation(_) | Change::Feed(_) => return Vec::new(),
        };
        let near: Vec<&WallSpan> = scene
            .walls
            .iter()
            .filter(|wall| {
                self.filter.still_allows(wall) && closest_pct(wall, low, high).abs() <= self.within_pct
            })
            .collect();
        let is_reported =
            |wall: &WallSpan, reported: &[WallSpan]| reported.iter().any(|one| one.overlaps(wall));
        let new: Vec<WallSpan> = near
            .iter()
            .filter(|wall| self.filter.allows(wall) && !is_reported(wall, &self.reported))
            .map(|wall| **wall)
            .collect();
        // A wall that moves a little takes its memory with it.
        for reported in &mut self.reported {
            if let Some(now) = near.iter().find(|wall| wall.overlaps(reported)) {
                reported.low = reported.low.min(now.low);
                reported.high = reported.high.max(now.high);
            }
        }
        let new = if scene.may_alert { new } else { Vec::new() };
        self.reported.extend(&new);
        self.reported.retain(|wall| wall.distance_pct(scene.price).abs() <= self.clear_pct);
        let subject = |wall: WallSpan| Subject::NearWall {
            distance_pct: (closest_pct(&wall, low, high) * 100.0).round() / 100.0,
            wall,
        };
        new.into_iter().map(subject).collect()
    }
}

/// The least distance of any price of a span, signed.
fn closest_pct(wall: &WallSpan, low: Price, high: Price) -> f64 {
    if low <= wall.high && wall.low <= high {
        return 0.0;
    }
    let (below, above) = (wall.distance_pct(low), wall.distance_pct(high));
    if below.abs() < above.abs() { below } else { above }
}
