//! Fills of named accounts: which of them closed a liquidated position, and whose.
//!
//! A trade that closes a liquidated position is marked in the fills of both who made it, with the address of the one
//! who was liquidated. So an account that is followed is either that one, or the one who traded against it (the vault
//! that took the position over, where the method is `backstop`) and did the opposite of what the liquidation did.
//!
//! What a vault took over it may shed by auto-deleveraging those who gained (`dir` is `Auto-Deleveraging`, and the vault
//! itself is named as the liquidated one). That is no second liquidation of the same coins.
//!
//! The first message of a subscription repeats up to 2000 fills of before. Of these the recent ones are taken: they are
//! all that ever tells of liquidations that happened while no connection stood. They are no second ones: within a
//! connection each trade counts once by its id, between connections the contract's event gate detects equal ones, and
//! the store has each row once.

use std::borrow::Cow;

use liqheat_market::{Event, Liquidation, PriceKind, Side, UnixMs};

use super::frame::{FillRow, UserFills};
use crate::venues::fields::{time, value};
use crate::venues::recent::RecentIds;
use crate::venues::rows::{FrameKeys, read_frame_rows};
use crate::venues::scale::Scale;
use crate::venues::{ContractTable, FrameError, Signal, StreamKind};

/// Fills of a snapshot that are older when it comes are skipped. No outage that is worth filling lasts longer, and
/// events of more than a day ago are refused from any socket.
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
        table: &ContractTable,
        scales: &[Scale],
        message: &UserFills<'_>,
        received: UnixMs,
        out: &mut Vec<Signal>,
    ) {
        let is_snapshot = message.is_snapshot == Some(true);
        let oldest = received.plus(-SNAPSHOT_BACK_MS);
        let keys = FrameKeys { stream: StreamKind::Liquidations, name: "coin", time: "time" };
        read_frame_rows(&message.fills, table, keys, out, |row: FillRow<'_>| {
            let Some(contract) = table.find(&row.coin) else { return Ok(None) };
            let scale = scales[contract];
            let Some(liquidation) = liquidation(&row, &message.user, scale)? else { return Ok(None) };
            if (is_snapshot && liquidation.time < oldest) || !self.trades.is_new(row.tid) {
                return Ok(None);
            }
            // What is repeated says nothing about the way here.
            let sent = (!is_snapshot).then_some(liquidation.time);
            Ok(Some(Signal::Event { contract, event: Event::Liquidation(liquidation), sent }))
        });
    }
}

/// The liquidation that a fill was part of; `None` when it was none, or does not say enough.
fn liquidation(row: &FillRow<'_>, user: &str, scale: Scale) -> Result<Option<Liquidation>, FrameError> {
    let Some(mark) = &row.liquidation else { return Ok(None) };
    let method = mark.method.as_deref();
    let price_kind = if row.dir.as_deref() == Some(DELEVERAGING) {
        // The vault sheds what it took over: the takeover was the liquidation.
        if method == Some("backstop") || mark.liquidated_user.as_deref().is_some_and(is_liquidator) {
            return Ok(None);
        }
        // Where no vault stands behind a contract, a trader's position is closed at the oracle's price.
        PriceKind::Fill
    } else {
        match method {
            Some("market") => PriceKind::Fill,
            // Taken over together with its margin, so that nothing of it is left to its owner.
            Some("backstop") => PriceKind::Bankruptcy,
            _ => return Ok(None),
        }
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
        qty: scale.size(row.sz, "sz")?,
        price: scale.price(row.px, "px")?,
        price_kind,
    }))
}

/// `dir` of a fill that took a position from a trader who had gained.
const DELEVERAGING: &str = "Auto-Deleveraging";

/// Vaults of the venue's own liquidity provider that take positions over.
const LIQUIDATORS: [&str; 3] = [
    "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14",
    "0xb0a55f13d22f66e6d495ac98113841b2326e9540",
    "0x5e177e5e39c0f4e421f5865a6d8beed8d921cb70",
];

fn is_liquidator(address: &str) -> bool {
    LIQUIDATORS.iter().any(|liquidator| liquidator.eq_ignore_ascii_case(address))
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
