//! Fields of client messages: what each accepts, and the text that refuses everything else.

use std::collections::BTreeMap;

use liqheat_market::Price;
use liqheat_market::convert::{approx_f64, trunc_u64};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{
    CHANNELS_PER_MESSAGE_MAX, HeatmapView, MIN_USD_END, Mode, Position, SUBSCRIPTION_ID_BYTES_MAX,
    ViewHorizon,
};
use crate::Channel;

/// A field that may be absent or `null`. One that `convert` does not take is refused as `Field 'NAME' MUST`.
fn optional<'de, D: Deserializer<'de>, T>(
    input: D,
    name: &str,
    must: impl std::fmt::Display,
    convert: impl FnOnce(Value) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(input)?;
    let wrong_form = || D::Error::custom(format!("Field '{name}' {must}"));
    value.map(|value| convert(value).ok_or_else(wrong_form)).transpose()
}

/// One symbol to `MOST`; a list without a limit is bounded by the size of a message.
pub(super) fn symbols<'de, D: Deserializer<'de>, const MOST: usize>(
    input: D,
) -> Result<Vec<String>, D::Error> {
    let number = if MOST == usize::MAX { "1 or more".to_owned() } else { format!("1 to {MOST}") };
    let must = format!("must be a list of {number} symbols");
    let list = optional(input, "symbols", &must, |value| {
        let list = Vec::<String>::deserialize(value).ok()?;
        (1..=MOST).contains(&list.len()).then_some(list)
    });
    list?.ok_or_else(|| D::Error::custom(format!("Field 'symbols' {must}")))
}

pub(super) fn id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let must = format!("must be a text of 1 to {SUBSCRIPTION_ID_BYTES_MAX} bytes in UTF-8");
    optional(input, "id", must, |value| {
        let id = String::deserialize(value).ok()?;
        (1..=SUBSCRIPTION_ID_BYTES_MAX).contains(&id.len()).then_some(id)
    })
}

pub(super) fn update_interval<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    optional(input, "update_interval", "must be a number of seconds", |value| {
        value.as_f64().filter(|seconds| seconds.is_finite())
    })
}

pub(super) fn mode<'de, D: Deserializer<'de>>(input: D) -> Result<Mode, D::Error> {
    let must = "must be 'snapshot' or 'delta'";
    Ok(optional(input, "mode", must, |value| Mode::deserialize(value).ok())?.unwrap_or_default())
}

/// Names of channels; whether they exist is answered one by one, as for symbols.
pub(super) fn channels<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let names = Channel::names();
    let must = format!("must be a list of 1 to {CHANNELS_PER_MESSAGE_MAX} names, of: {names}");
    let list = optional(input, "channels", must, |value| {
        let list = Vec::<String>::deserialize(value).ok()?;
        (1..=CHANNELS_PER_MESSAGE_MAX).contains(&list.len()).then_some(list)
    });
    Ok(list?.unwrap_or_default())
}

pub(super) fn min_usd<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let must = "must be a whole number of dollars, such as 100000";
    let usd = optional(input, "min_usd", must, |value| {
        // JavaScript may write a whole number as 5e4.
        let whole = |usd: &f64| usd.fract() == 0.0 && (0.0..approx_f64(MIN_USD_END)).contains(usd);
        let written = value.as_f64().filter(whole).map(trunc_u64);
        value.as_u64().or(written).filter(|usd| *usd < MIN_USD_END)
    });
    Ok(usd?.unwrap_or_default())
}

pub(super) fn view<'de, D: Deserializer<'de>>(input: D) -> Result<HeatmapView, D::Error> {
    let must = "must be 'open' or 'expected'";
    Ok(optional(input, "view", must, |value| HeatmapView::from_name(value.as_str()?))?.unwrap_or_default())
}

pub(super) fn horizon<'de, D: Deserializer<'de>>(input: D) -> Result<Option<ViewHorizon>, D::Error> {
    optional(input, "horizon", ViewHorizon::MUST, |value| ViewHorizon::from_name(value.as_str()?))
}

pub(super) fn resume<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, Position>, D::Error> {
    positions(input, "resume")
}

pub(super) fn mismatch<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, Position>, D::Error> {
    positions(input, "mismatch")
}

fn positions<'de, D: Deserializer<'de>>(
    input: D,
    name: &str,
) -> Result<BTreeMap<String, Position>, D::Error> {
    let must = "must look like {\"BTCUSDT\":{\"epoch\":\"..\",\"seq\":123}}";
    Ok(optional(input, name, must, |value| BTreeMap::deserialize(value).ok())?.unwrap_or_default())
}

pub(super) fn price_range<'de, D: Deserializer<'de>>(input: D) -> Result<Option<(Price, Price)>, D::Error> {
    let must = "must be [low, high]: two prices from 0 on, low below high by 0.00000001 or more";
    optional(input, "price_range", must, |value| {
        let [low, high] = <[f64; 2]>::deserialize(value).ok()?;
        let (low, high) = (Price::from_f64(low).ok()?, Price::from_f64(high).ok()?);
        (low.units() >= 0 && low < high).then_some((low, high))
    })
}

pub(super) fn bin<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Price>, D::Error> {
    optional(input, "bin", "must be a price above zero", |value| {
        Price::from_f64(value.as_f64()?).ok().filter(|bin| bin.is_positive())
    })
}
