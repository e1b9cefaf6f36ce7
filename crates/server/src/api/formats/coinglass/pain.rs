//! `max-pain`: the largest level on either side of the price, of every market.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::Side;
use liqheat_wire::Channel;

use super::super::super::reading::Reading;
use super::super::super::selection::{SelectedState, StateSelector};
use super::super::super::walls::PAIN_RANGE_PCT;
use super::super::claims::Claims;
use super::super::names;
use super::super::{FormatKey, FormatState};
use super::readable;
use super::shapes::{Envelope, MaxPain};
use crate::engine::whole_usd;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const HOUR_MS: i64 = 3_600_000;
/// Words of `range`, and hours.
const RANGE_HOURS: [(&str, i64); 7] =
    [("12h", 12), ("24h", 24), ("48h", 48), ("3d", 72), ("7d", 168), ("14d", 336), ("30d", 720)];
pub(in super::super::super) const RANGES: [&str; 7] = {
    let mut names = [""; 7];
    let mut at = 0;
    while at < names.len() {
        names[at] = RANGE_HOURS[at].0;
        at += 1;
    }
    names
};
/// The original does not say what it takes without a range.
const RANGE_DEFAULT: &str = "24h";

pub(super) async fn max_pain(
    State(FormatState { model, flights }): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["range"])?;
    claims.check_channel(Channel::Heatmap)?;
    let range = if query.get("range").is_some() { query.word("range", &RANGES)? } else { RANGE_DEFAULT };
    let hours = RANGE_HOURS.iter().find(|(name, _)| *name == range).map_or(24, |(_, hours)| *hours);
    let key = FormatKey {
        request: format!("coinglass max-pain {range}"),
        symbol: claims.symbols(),
        accepts_gzip: reading.accepts_gzip(),
    };
    let body = flights.get(key, async || {
        let wanted = StateSelector::OpenedWithin(hours * HOUR_MS);
        let mut rows = Vec::new();
        for market in readable(&model.rows.symbols, &claims) {
            // A market without a state yet is absent; one that cannot be read fails the answer.
            if model.present.local_sum(market).await.is_err() {
                continue;
            }
            let selected = SelectedState::select(&model, reading, market, wanted, None).await?;
            rows.push(row(names::split(&market.name).0, &selected));
        }
        let turn = reading.turn(&model.rows, ReadKind::Query).await?;
        let body = reading.write_json(&turn, move || Envelope::new(rows)).await?;
        let bytes = body.len();
        Ok::<_, Refusal>((body, bytes))
    });
    Ok(body.await?.into_response())
}

fn row(coin: &str, selected: &SelectedState) -> MaxPain {
    let [below, above] = [Side::Long, Side::Short].map(|side| {
        let mass = selected.side(side);
        mass.largest(selected.price, PAIN_RANGE_PCT).map(|bin| (bin.low, whole_usd(bin.usd())))
    });
    MaxPain {
        symbol: coin.to_owned(),
        price: selected.price.into(),
        long_max_pain_liq_level: above.map_or(0, |(_, usd)| usd),
        long_max_pain_liq_price: above.map(|(price, _)| price.into()),
        short_max_pain_liq_level: below.map_or(0, |(_, usd)| usd),
        short_max_pain_liq_price: below.map(|(price, _)| price.into()),
    }
}
