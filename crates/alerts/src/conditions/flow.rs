//! Realised liquidations: one that is large, or many within a short time.

use liqheat_market::Side;
use liqheat_market::convert::approx_f64;

use super::{Change, Scene};
use crate::alert::{Alert, LiquidatedSum, Subject};
use crate::log::{ReportedLiquidation, is_of};

/// A cascade has ended when the sum fell below this share of the limit.
const ENDED_SHARE: f64 = 0.5;

#[derive(Debug, Clone)]
pub(crate) struct Flow {
    min_usd: u64,
    side: Option<Side>,
    kind: FlowKind,
}

#[derive(Debug, Clone)]
enum FlowKind {
    Single,
    Cascade {
        window_ms: i64,
        /// It was reported and has not ended.
        is_reported: bool,
    },
}

impl Flow {
    pub(crate) const fn single(min_usd: u64, side: Option<Side>) -> Self {
        Self { min_usd, side, kind: FlowKind::Single }
    }

    pub(crate) const fn cascade(min_usd: u64, window_ms: i64, side: Option<Side>) -> Self {
        Self { min_usd, side, kind: FlowKind::Cascade { window_ms, is_reported: false } }
    }

    pub(crate) const fn restore(&mut self, _: &Alert) {
        // A cascade that is still under way after a restart was reported; one that has ended is noticed at the next
        // observation.
        if let FlowKind::Cascade { is_reported, .. } = &mut self.kind {
            *is_reported = true;
        }
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        match (&mut self.kind, change) {
            (FlowKind::Single, Change::Liquidation(row)) => {
                let is_met = row.usd() >= self.min_usd && is_of(self.side, row);
                if is_met { vec![single(row)] } else { Vec::new() }
            }
            (FlowKind::Single, _) => Vec::new(),
            (FlowKind::Cascade { window_ms, is_reported }, _) => {
                let rows = || {
                    let since = scene.now.plus(-*window_ms);
                    scene.log.between(since, scene.now).filter(|row| is_of(self.side, row))
                };
                let of = |side| LiquidatedSum::of(rows().filter(|row| row.liquidation.side == side));
                let (long, short) = (of(Side::Long), of(Side::Short));
                let usd = long.usd.saturating_add(short.usd);
                if approx_f64(usd) < approx_f64(self.min_usd) * ENDED_SHARE {
                    *is_reported = false;
                }
                if usd < self.min_usd || *is_reported || !scene.may_alert {
                    return Vec::new();
                }
                *is_reported = true;
                vec![Subject::Cascade { window_s: window_ms.unsigned_abs() / 1_000, long, short }]
            }
        }
    }
}

fn single(row: &ReportedLiquidation) -> Subject {
    Subject::Liquidation {
        venue: row.venue.name().to_owned(),
        side: row.liquidation.side,
        price: row.liquidation.price,
        usd: row.usd(),
        time: row.liquidation.time,
    }
}
