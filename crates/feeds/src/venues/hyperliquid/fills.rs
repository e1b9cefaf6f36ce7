//! Fills of named accounts: which of them closed a liquidated position, and whose.
//!
//! A trade that closes a liquidated position is marked in the fills of both who made it, with the address of the one
//! who was liquidated. So an account that is followed is either that one, or the one who traded against it (the vault
//! that took the position over, where the method is `backstop`) and did the opposite of what the liquidation did.
//!
//! The first message of a subscription repeats up to 2000 fills of before. Of these the recent ones are taken: they are
//! all that ever tells of liquidations that happened while no connection stood. They are no second ones: within a
//! connection each trade counts once by its id, between connections the contract's intake knows the equal ones, and
//! the store has each row once.

use std::borrow::Cow;

use liqheat_market::{Event, Liquidation, PriceKind, Side, UnixMs};

use super::frame::{FillRow, UserFills};
use crate::venues::fields::{time, value};
use crate::venues::recent::RecentIds;
use crate::venues::{FrameError, Roster, Signal};

/// Fills of a snapshot that are older when it comes are left out. No outage that is worth filling lasts longer, and
/// events of more than a day ago are believed of no socket.
const SNAPSHOT_BACK_MS: i64 = 12 * 3_600_000;

/// What one connection told of liquidations.
#[derive(Debug, Default)]
pub(super) struct Fills {
    /// Two accounts that are followed may be the two sides of one trade.
    trades: RecentIds,
}

impl Fills {
    pub(super) fn read(
        &mut self,
        roster: &Roster,
        message: &UserFills<'_>,
        received: UnixMs,
    ) -> Result<Vec<Signal>, FrameError> {
        let is_snapshot = message.is_snapshot == Some(true);
        let oldest = received.plus(-SNAPSHOT_BACK_MS);
        let mut told = Vec::new();
        for row in &message.fills {
            let Some(contract) = roster.find(&row.coin) else { continue };
            let Some(liquidation) = liquidation(row, &message.user)? else { continue };
            if is_snapshot && liquidation.time < oldest {
                continue;
            }
            // What is repeated says nothing about the way here.
            let sent = (!is_snapshot).then_some(liquidation.time);
            told.push((row.tid, Signal::Event { contract, event: Event::Liquidation(liquidation), sent }));
        }
        told.retain(|(trade, _)| self.trades.is_new(*trade));
        Ok(told.into_iter().map(|(_, signal)| signal).collect())
    }
}

/// The liquidation that a fill was part of; `None` when it was none, or does not say enough.
fn liquidation(row: &FillRow<'_>, user: &str) -> Result<Option<Liquidation>, FrameError> {
    let Some(mark) = &row.liquidation else { return Ok(None) };
    let price_kind = match mark.method.as_deref() {
        Some("market") => PriceKind::Fill,
        // Taken over together with its margin, so that nothing of it is left to its owner.
        Some("backstop") => PriceKind::Bankruptcy,
        _ => return Ok(None),
    };
    // A long is liquidated by selling.
    let (own, opposite) = match row.side.as_ref() {
        "A" => (Side::Long, Side::Short),
        "B" => (Side::Short, Side::Long),
        other => return Err(value("side", other, "A or B")),
    };
    let side = match &mark.liquidated_user {
        Some(liquidated) if liquidated.eq_ignore_ascii_case(user) => own,
        Some(_) => opposite,
        None => match named_side(&row.dir) {
            Some(side) => side,
            None => return Ok(None),
        },
    };
    Ok(Some(Liquidation {
        time: time("time", row.time)?,
        side,
        qty: row.sz.size("sz")?,
        price: row.px.price("px")?,
        price_kind,
    }))
}

/// Of which side it speaks: `Liquidated Cross Long`, `Liquidated Isolated Short`.
fn named_side(dir: &Option<Cow<'_, str>>) -> Option<Side> {
    let words = dir.as_deref()?.strip_prefix("Liquidated ")?;
    match words.rsplit(' ').next()? {
        "Long" => Some(Side::Long),
        "Short" => Some(Side::Short),
        _ => None,
    }
}
