//! Accounts at the stand-in Hyperliquid: thousands of them, each a function of its number, the mark and the time.

use liqheat_market::UnixMs;
use liqheat_market::convert::{approx_f64, signed_len};
use serde_json::{Value, json};

/// Accounts whose positions anybody may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StandInAccounts {
    /// How many.
    pub count: usize,
    /// Size of all positions, in relation to the usual.
    pub scale: f64,
    /// The price that liquidation prices lie around.
    pub reference: f64,
}

/// A position as the stand-in has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandInPosition {
    /// Coins; negative for a short.
    pub size: f64,
    /// Where it is liquidated.
    pub liquidation_price: f64,
    /// Whether it has margin of its own.
    pub is_isolated: bool,
}

/// Half of the initial margin at 40x.
const RATE: f64 = 0.0125;
/// Positions in the other coin are at 20x.
const OTHER_RATE: f64 = 0.025;
const OTHER_PRICE: f64 = 100.0;
const CHANGE_MS: i64 = 600_000;

impl StandInAccounts {
    /// The address of an account.
    #[must_use]
    pub fn address(number: usize) -> String {
        format!("0x{:040x}", 0xacc0_0000_usize + number)
    }

    /// The account of an address.
    #[must_use]
    pub fn number(&self, address: &str) -> Option<usize> {
        let number = usize::from_str_radix(address.strip_prefix("0x")?, 16).ok()?.checked_sub(0xacc0_0000)?;
        (number < self.count).then_some(number)
    }

    /// The main position of an account; `None` where it is empty: every fourth always, the others once the mark has
    /// passed their level. Sizes change every ten minutes.
    #[must_use]
    pub fn position(&self, number: usize, mark: f64, now: UnixMs) -> Option<StandInPosition> {
        if number % 4 == 3 {
            return None;
        }
        let side = if number.is_multiple_of(2) { 1.0 } else { -1.0 };
        let distance = [0.03, 0.08, 0.15, 0.4][number / 4 % 4];
        let liquidation_price = self.reference * (1.0 - side * distance);
        let is_passed = (mark - liquidation_price) * side <= 0.0;
        let change = if (now.0 / CHANGE_MS + signed_len(number)) % 2 == 0 { 1.0 } else { 1.5 };
        let size = side * self.scale * approx_f64(1 + number % 7) * change;
        let is_isolated = number.is_multiple_of(3);
        (!is_passed).then_some(StandInPosition { size, liquidation_price, is_isolated })
    }

    /// The answer to `clearinghouseState`. Every fifth account also holds another coin, with cross margin.
    pub(super) fn state(&self, address: &str, coin: &str, mark: f64, now: UnixMs) -> Value {
        let number = self.number(address);
        let position = number.and_then(|number| self.position(number, mark, now));
        let (mut rows, mut value, mut maintenance) = (Vec::new(), 10.0, 0.0);
        if let (Some(number), Some(main)) = (number, position) {
            let side = main.size.signum();
            // What is above maintenance is spent on the way to the level.
            let available = (mark - main.liquidation_price) * side * main.size.abs() * (1.0 - RATE * side);
            let needed = RATE * main.size.abs() * mark;
            let margin = available + needed;
            rows.push(row(
                coin,
                main.size,
                mark,
                Some(main.liquidation_price),
                main.is_isolated.then_some(margin),
                40,
            ));
            if !main.is_isolated {
                (value, maintenance) = (margin, needed);
                if number.is_multiple_of(5) {
                    let size = 3.0;
                    let needed = OTHER_RATE * size * OTHER_PRICE;
                    let level = OTHER_PRICE - available / size / (1.0 - OTHER_RATE);
                    rows.push(row("OTHER", size, OTHER_PRICE, (level > 0.0).then_some(level), None, 20));
                    (value, maintenance) = (value + needed, maintenance + needed);
                }
            }
        }
        json!({
            "marginSummary": { "accountValue": value.to_string(), "totalNtlPos": "0", "totalRawUsd": "0", "totalMarginUsed": "0" },
            "crossMarginSummary": { "accountValue": value.to_string(), "totalNtlPos": "0", "totalRawUsd": "0", "totalMarginUsed": "0" },
            "crossMaintenanceMarginUsed": maintenance.to_string(), "withdrawable": "0", "assetPositions": rows, "time": now.0
        })
    }

    /// The leaderboard: the first half of all accounts.
    pub(super) fn leaderboard(&self) -> Value {
        let row = |number: usize| {
            json!({
                "ethAddress": Self::address(number), "accountValue": (1_000 + number).to_string(),
                "windowPerformances": [["day", { "pnl": "1", "roi": "0", "vlm": "5" }]], "prize": 0, "displayName": null
            })
        };
        json!({ "leaderboardRows": (0..self.count / 2).map(row).collect::<Vec<_>>() })
    }

    /// The two accounts of a trade.
    pub(super) fn traders(&self, trade: i64) -> [String; 2] {
        let number = |step: i64| {
            usize::try_from((trade * step).rem_euclid(signed_len(self.count.max(1)))).unwrap_or(0)
        };
        [Self::address(number(7)), Self::address(number(13))]
    }
}

fn row(
    coin: &str,
    size: f64,
    mark: f64,
    level: Option<f64>,
    isolated: Option<f64>,
    max_leverage: u32,
) -> Value {
    let value = size.abs() * mark;
    let leverage = match isolated {
        Some(_) => json!({ "type": "isolated", "value": 10, "rawUsd": "0" }),
        None => json!({ "type": "cross", "value": 20 }),
    };
    json!({ "type": "oneWay", "position": {
        "coin": coin, "szi": size.to_string(), "leverage": leverage, "entryPx": mark.to_string(),
        "positionValue": value.to_string(), "unrealizedPnl": "0", "returnOnEquity": "0",
        "liquidationPx": level.map(|level| level.to_string()),
        "marginUsed": isolated.unwrap_or(value / 20.0).to_string(), "maxLeverage": max_leverage,
        "cumFunding": { "allTime": "0", "sinceOpen": "0", "sinceChange": "0" }
    } })
}
