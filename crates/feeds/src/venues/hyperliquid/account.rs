//! What the venue tells of accounts: positions, marks of all coins, and who is on the leaderboard.
//!
//! <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals>. The leaderboard is a file of the
//! venue's page.

use std::borrow::Cow;

use liqheat_measured::{AccountPosition, AccountState, Address, CoinMarket, PositionMargin};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::rows::RawRows;
use crate::venues::{FrameError, Request};

/// Weight of a request for the positions of an account.
const ACCOUNT_WEIGHT: u32 = 2;
/// Weight of a request for all marks.
const MARKETS_WEIGHT: u32 = 20;

/// Requests the positions of an account.
pub(crate) fn account_request(address: &Address) -> Request {
    let body = serde_json::json!({ "type": "clearinghouseState", "user": address.to_string() });
    info(&body, ACCOUNT_WEIGHT)
}

/// Requests mark price and open interest of all coins.
pub(crate) fn markets_request() -> Request {
    info(&serde_json::json!({ "type": "metaAndAssetCtxs" }), MARKETS_WEIGHT)
}

fn info(body: &serde_json::Value, weight: u32) -> Request {
    Request { path: "/info".to_owned(), body: Some(body.to_string()), weight, rate_limit: None }
}

/// `{"marginSummary":{…},"crossMarginSummary":{"accountValue":"13104.5",…},"crossMaintenanceMarginUsed":"0.0",…,"assetPositions":[…],"time":1708622398623}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClearinghouseState<'a> {
    #[serde(borrow)]
    cross_margin_summary: MarginSummary<'a>,
    #[serde(borrow)]
    cross_maintenance_margin_used: Decimal<'a>,
    #[serde(borrow)]
    asset_positions: Vec<AssetPosition<'a>>,
    time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarginSummary<'a> {
    #[serde(borrow)]
    account_value: Decimal<'a>,
}

/// `{"type":"oneWay","position":{…}}`
#[derive(Deserialize)]
struct AssetPosition<'a> {
    #[serde(borrow)]
    position: Position<'a>,
}

/// `{"coin":"ETH","szi":"0.0335","leverage":{"type":"isolated","value":20,"rawUsd":"-95.059824"},"entryPx":"2986.3","positionValue":"100.02765","unrealizedPnl":"-0.0134","returnOnEquity":"-0.0026789","liquidationPx":"2866.26936529","marginUsed":"4.967826","maxLeverage":50,"cumFunding":{…}}`
///
/// `szi` is negative for a short. `maxLeverage` is that of the tier that the position is in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Position<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    #[serde(borrow)]
    szi: Decimal<'a>,
    #[serde(borrow)]
    leverage: Leverage<'a>,
    #[serde(borrow)]
    position_value: Decimal<'a>,
    #[serde(borrow, default)]
    liquidation_px: Option<Decimal<'a>>,
    #[serde(borrow)]
    margin_used: Decimal<'a>,
    #[serde(borrow)]
    max_leverage: Decimal<'a>,
}

#[derive(Deserialize)]
struct Leverage<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Coins, dollars and prices beyond this are a fault of the venue: sums of them would leave the range of numbers.
const LARGEST: f64 = 1e18;

fn number(decimal: Decimal<'_>, field: &'static str) -> Result<f64, FrameError> {
    let found: Option<f64> = decimal.text().parse().ok();
    let found = found.filter(|found| found.abs() <= LARGEST);
    found.ok_or_else(|| value(field, decimal.text(), "a number of at most 1e18"))
}

fn positive(decimal: Decimal<'_>, field: &'static str) -> Result<f64, FrameError> {
    let found = number(decimal, field)?;
    if found > 0.0 { Ok(found) } else { Err(value(field, decimal.text(), "a number above zero")) }
}

/// The positions of an account.
///
/// # Errors
/// When any of it cannot be read: cross positions depend on each other.
pub fn account(body: &[u8]) -> Result<AccountState, FrameError> {
    let state: ClearinghouseState<'_> = json(body)?;
    let mut positions = Vec::with_capacity(state.asset_positions.len());
    for AssetPosition { position } in state.asset_positions {
        let size = number(position.szi, "szi")?;
        if size == 0.0 {
            continue;
        }
        let margin = match position.leverage.kind.as_ref() {
            "cross" => PositionMargin::Cross,
            "isolated" => PositionMargin::Isolated { value: number(position.margin_used, "marginUsed")? },
            other => return Err(value("leverage.type", other, "cross or isolated")),
        };
        let worth = positive(position.position_value, "positionValue")?;
        let mark = worth / size.abs();
        if !(mark > 0.0 && mark <= LARGEST) {
            return Err(value("szi", position.szi.text(), "a size that gives positionValue a price"));
        }
        positions.push(AccountPosition {
            coin: position.coin.as_ref().into(),
            size,
            mark,
            maintenance_rate: 0.5 / positive(position.max_leverage, "maxLeverage")?,
            margin,
            liquidation_price: position.liquidation_px.map(|one| number(one, "liquidationPx")).transpose()?,
        });
    }
    Ok(AccountState {
        as_of: time("time", state.time)?,
        cross_value: number(state.cross_margin_summary.account_value, "accountValue")?,
        cross_maintenance: number(state.cross_maintenance_margin_used, "crossMaintenanceMarginUsed")?,
        positions,
    })
}

#[derive(Deserialize)]
struct Universe<'a> {
    #[serde(borrow)]
    universe: RawRows<'a>,
}

#[derive(Deserialize)]
struct UniverseAsset<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(borrow)]
    open_interest: Decimal<'a>,
    #[serde(borrow, default)]
    mark_px: Option<Decimal<'a>>,
}

/// Two lists of the same order: names and contexts. Coins whose name or context cannot be read, or that have no mark price,
/// are skipped.
///
/// # Errors
/// When the answer is not two lists.
pub fn markets(body: &[u8]) -> Result<Vec<CoinMarket>, FrameError> {
    let (listed, contexts): (Universe<'_>, RawRows<'_>) = json(body)?;
    let market = |(asset, context): (&&RawValue, &&RawValue)| {
        let asset: UniverseAsset<'_> = json(asset.get().as_bytes()).ok()?;
        let context: Context<'_> = json(context.get().as_bytes()).ok()?;
        Some(CoinMarket {
            coin: asset.name.as_deref()?.into(),
            mark: positive(context.mark_px?, "markPx").ok()?,
            open_interest_both_sides: number(context.open_interest, "openInterest").ok()?,
        })
    };
    Ok(listed.universe.iter().zip(contexts.iter()).filter_map(market).collect())
}

/// `{"leaderboardRows":[…]}`, with a [`LeaderboardRow`] for each account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leaderboard<'a> {
    #[serde(borrow)]
    leaderboard_rows: RawRows<'a>,
}

/// The keys `ethAddress`, a text, and `accountValue`, USD as a text, beside others that are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaderboardRow<'a> {
    #[serde(borrow)]
    eth_address: Cow<'a, str>,
    /// Orders the rows only, so whatever stands there costs no address.
    #[serde(borrow, default)]
    account_value: Option<&'a RawValue>,
}

/// The accounts of the leaderboard, largest first. Rows whose address cannot be read are skipped.
///
/// # Errors
/// When the answer is not a leaderboard.
pub fn leaderboard(body: &[u8]) -> Result<Vec<Address>, FrameError> {
    let board: Leaderboard<'_> = json(body)?;
    let mut rows: Vec<(f64, Address)> = board
        .leaderboard_rows
        .into_iter()
        .filter_map(|row| {
            let row: LeaderboardRow<'_> = json(row.get().as_bytes()).ok()?;
            let worth = row.account_value.and_then(|worth| json::<Decimal<'_>>(worth.get().as_bytes()).ok());
            let worth = worth.and_then(|worth| number(worth, "accountValue").ok());
            Some((worth.unwrap_or(0.0), row.eth_address.parse().ok()?))
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(rows.into_iter().map(|(_, address)| address).collect())
}

/// Buyer and seller of a trade, or maker and taker; what is no address is skipped.
pub(super) fn traders(users: &RawValue, found: &mut Vec<Address>) {
    let users: RawRows<'_> = serde_json::from_str(users.get()).unwrap_or_default();
    let address = |user: &&RawValue| serde_json::from_str::<Cow<'_, str>>(user.get()).ok()?.parse().ok();
    for address in users.iter().filter_map(address) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::UnixMs;

    use super::*;

    #[test]
    fn an_account_is_read_as_documented() {
        let body = br#"{"marginSummary":{"accountValue":"13109.482328","totalNtlPos":"100.02765","totalRawUsd":"13009.454678","totalMarginUsed":"4.967826"},
            "crossMarginSummary":{"accountValue":"13104.514502","totalNtlPos":"0.0","totalRawUsd":"13104.514502","totalMarginUsed":"0.0"},
            "crossMaintenanceMarginUsed":"0.0","withdrawable":"13104.514502","assetPositions":[{"type":"oneWay","position":{"coin":"ETH","szi":"0.0335",
            "leverage":{"type":"isolated","value":20,"rawUsd":"-95.059824"},"entryPx":"2986.3","positionValue":"100.02765","unrealizedPnl":"-0.0134",
            "returnOnEquity":"-0.0026789","liquidationPx":"2866.26936529","marginUsed":"4.967826","maxLeverage":50,"cumFunding":{"allTime":"514.085417","sinceOpen":"0.0","sinceChange":"0.0"}}}],
            "time":1708622398623}"#;
        let state = account(body).unwrap();
        assert_eq!((state.as_of, state.cross_value), (UnixMs(1_708_622_398_623), 13_104.514_502));
        let [position] = &state.positions[..] else { panic!("{state:?}") };
        assert_eq!((&*position.coin, position.size, position.maintenance_rate), ("ETH", 0.0335, 0.01));
        assert_eq!(position.margin, PositionMargin::Isolated { value: 4.967_826 });
        // The venue's own price is what the formula says of the same numbers.
        let available = 4.967_826 - 0.01 * 100.027_65;
        let computed =
            liqheat_measured::liquidation_price(position.mark, position.size, available, 0.01).unwrap();
        let named = position.liquidation_price.unwrap();
        // Its numbers have six decimals, which are some parts in a thousand million of them.
        assert!((computed / named - 1.0).abs() < 1e-8, "{computed} against {named}");
        for (damage, field) in [
            (r#""0.0335""#, "szi"),
            (r#""100.02765","unrealizedPnl""#, "positionValue"),
            (r#""isolated""#, "leverage.type"),
            (r#""13104.514502","totalNtlPos""#, "accountValue"),
        ] {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let other = match field {
                "positionValue" => r#""-1","unrealizedPnl""#,
                "accountValue" => r#""1e300","totalNtlPos""#,
                _ => r#""x""#,
            };
            let error = account(text.replace(damage, other).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
        for size in ["1e-300", "1e300", "NaN", "inf"] {
            let text =
                String::from_utf8(body.to_vec()).unwrap().replace("\"0.0335\"", &format!("\"{size}\""));
            assert!(account(text.as_bytes()).unwrap_err().to_string().contains("szi"), "{size}");
        }
    }

    #[test]
    fn marks_and_leaderboard_skip_what_cannot_be_read() {
        let body = br#"[{"universe":[{"name":"BTC","maxLeverage":40},{"name":null},{"name":"OLD"},{"name":"ETH"}],"marginTables":[]},
            [{"openInterest":"27353.1","markPx":"77562.0"},{"openInterest":"1","markPx":"1"},{"openInterest":"0.0","markPx":null},{"openInterest":"5","markPx":"3000.5"}]]"#;
        let found = markets(body).unwrap();
        let names: Vec<&str> = found.iter().map(|market| &*market.coin).collect();
        assert_eq!(names, ["BTC", "ETH"]);
        assert_eq!((found[0].mark, found[0].open_interest_both_sides), (77_562.0, 27_353.1));
        let (small, large) =
            ("0x00000000000000000000000000000000000000aa", "0x00000000000000000000000000000000000000bb");
        let body = format!(
            r#"{{"leaderboardRows":[{{"ethAddress":"{small}","accountValue":"5.5","prize":0}},{{"ethAddress":"nobody"}},{{"ethAddress":"{large}","accountValue":"1e6"}}]}}"#
        );
        let found: Vec<String> =
            leaderboard(body.as_bytes()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, [large, small]);
    }

    /// One odd element costs itself, whatever stands in its place.
    #[test]
    fn an_odd_element_of_a_list_costs_no_other() {
        let (one, other) =
            ("0x00000000000000000000000000000000000000aa", "0x00000000000000000000000000000000000000bb");
        for odd in ["null", "7", r#""text""#, "[]", "{}", r#"{"ethAddress":7,"name":7}"#, r#"{"name":null}"#]
        {
            let body = format!(
                r#"{{"leaderboardRows":[{{"ethAddress":"{one}","accountValue":{{}}}},{odd},{{"ethAddress":"{other}","accountValue":true}}]}}"#
            );
            let found = leaderboard(body.as_bytes()).unwrap();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [one, other], "{odd}");
            let context = r#"{"openInterest":"1","markPx":"2"}"#;
            for (names, contexts) in [
                (format!(r#"{{"name":"BTC"}},{odd},{{"name":"ETH"}}"#), [context; 3].join(",")),
                (
                    r#"{"name":"BTC"},{"name":"SOL"},{"name":"ETH"}"#.to_owned(),
                    format!("{context},{odd},{context}"),
                ),
            ] {
                let body = format!(r#"[{{"universe":[{names}]}},[{contexts}]]"#);
                let found = markets(body.as_bytes()).unwrap();
                assert_eq!(
                    found.iter().map(|market| &*market.coin).collect::<Vec<_>>(),
                    ["BTC", "ETH"],
                    "{odd}"
                );
            }
            let users: Box<RawValue> =
                serde_json::from_str(&format!(r#"["{one}",{odd},"{other}"]"#)).unwrap();
            let mut traded = Vec::new();
            traders(&users, &mut traded);
            assert_eq!(traded.len(), 2, "{odd}");
        }
    }
}
