//! Walls that form, and walls that vanish without having been touched.

use super::{Change, Filter, Scene};
use crate::alert::Subject;
use crate::span::WallSpan;

#[derive(Debug, Clone)]
pub(crate) struct WallFormation {
    filter: Filter,
    within_pct: f64,
    /// `false`: those that vanish.
    reports_new: bool,
    /// The walls of the state before; `None` before the first one, whose walls are not new.
    walls: Option<Vec<KnownWall>>,
}

#[derive(Debug, Clone)]
struct KnownWall {
    wall: WallSpan,
    /// The price has been there, so that it may go without a word.
    is_touched: bool,
}

impl WallFormation {
    pub(crate) const fn formed(filter: Filter, within_pct: f64) -> Self {
        Self { filter, within_pct, reports_new: true, walls: None }
    }

    pub(crate) const fn vanished(filter: Filter, within_pct: f64) -> Self {
        Self { filter, within_pct, reports_new: false, walls: None }
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        match change {
            Change::Prices { low, high, .. } => {
                for one in self.walls.iter_mut().flatten() {
                    one.is_touched |= one.wall.is_touched(low, high);
                }
                Vec::new()
            }
            Change::Walls => self.compare(scene),
            Change::Liquidation(_) | Change::Feed(_) => Vec::new(),
        }
    }

    fn compare(&mut self, scene: &Scene<'_>) -> Vec<Subject> {
        let before = self.walls.take();
        let known = before.as_deref().unwrap_or_default();
        let of_before =
            |wall: &WallSpan| known.iter().filter(|one| one.wall.overlaps(wall)).collect::<Vec<_>>();
        let mut formed = Vec::new();
        let mut walls = Vec::new();
        for wall in scene.walls {
            let earlier = of_before(wall);
            let is_new = earlier.is_empty() && self.filter.allows(wall);
            if is_new {
                formed.push(*wall);
            }
            if is_new || (!earlier.is_empty() && self.filter.still_allows(wall)) {
                let is_touched = earlier.iter().any(|one| one.is_touched);
                walls.push(KnownWall { wall: *wall, is_touched });
            }
        }
        let is_gone = |one: &&KnownWall| {
            !one.is_touched && !walls.iter().any(|now: &KnownWall| now.wall.overlaps(&one.wall))
        };
        let vanished: Vec<WallSpan> = known.iter().filter(is_gone).map(|one| one.wall).collect();
        let is_first = before.is_none();
        self.walls = Some(walls);
        let distance = |wall: &WallSpan| (wall.distance_pct(scene.price) * 100.0).round() / 100.0;
        let is_close = |wall: &WallSpan| wall.distance_pct(scene.price).abs() <= self.within_pct;
        if self.reports_new {
            let formed = formed.into_iter().filter(|wall| !is_first && is_close(wall));
            formed.map(|wall| Subject::WallFormed { distance_pct: distance(&wall), wall }).collect()
        } else {
            let vanished = vanished.into_iter().filter(is_close);
            vanished.map(|wall| Subject::WallVanished { distance_pct: distance(&wall), wall }).collect()
        }
    }
}
