//! What a client may say: one type a message, which is read, checked and described from the same fields. Unknown
//! fields are ignored, so that newer clients can talk to older servers; everything else that does not fit is answered
//! with the field and its right form, never guessed.

use std::collections::BTreeMap;

use liqheat_market::Price;
use liqheat_market::convert::{approx_f64, trunc_u64};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Channel, ErrorCode};

/// Most symbols one message may name.
pub const SYMBOLS_PER_MESSAGE_MAX: usize = 10;

/// Most channels one message may name: more than there are, so that a newer client can name its own.
pub const CHANNELS_PER_MESSAGE_MAX: usize = 16;

/// Numbers of the protocol stay below 2^53, which every JSON parser reads exactly.
const MIN_USD_END: u64 = 1 << 53;

/// Most bytes of the id of a subscription.
pub const SUBSCRIPTION_ID_BYTES_MAX: usize = 64;

/// A position in the history of a symbol's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// One unbroken run of `seq`.
    pub epoch: String,
    /// The last change known.
    pub seq: u64,
}

/// How updates travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Whole states.
    #[default]
    Snapshot,
    /// Differences from the state the client has.
    Delta,
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ClientCommand {
    /// Begin sending these symbols. Answered by their states, or by an error for each name that is not served.
    Subscribe(Subscribe),
    /// Stop sending these symbols.
    Unsubscribe(Unsubscribe),
    /// Asks for a pong.
    Ping,
    /// A state was painted. The first one turns credit on: from then on at most two unpainted states are sent.
    Ack(Ack),
    /// Goes on with another token in place of the one before. Answered only where it is not accepted.
    Token(Token),
}

/// A subscription to one or more symbols.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Subscribe {
    /// What to send, by the names in `/v1/symbols`.
    #[serde(deserialize_with = "symbols::<_, SYMBOLS_PER_MESSAGE_MAX>")]
    #[schemars(length(min = 1, max = SYMBOLS_PER_MESSAGE_MAX))]
    pub symbols: Vec<String>,
    /// The client's name for this subscription, at most 64 bytes; every state and status of it repeats it.
    #[serde(default, deserialize_with = "id")]
    #[schemars(length(min = 1, max = SUBSCRIPTION_ID_BYTES_MAX))]
    pub id: Option<String>,
    /// Seconds between states; clamped to 1..60, in delta mode to 0.25..60. The server's interval without.
    #[serde(default, rename = "update_interval", deserialize_with = "update_interval")]
    pub update_interval_s: Option<f64>,
    /// How updates travel; `snapshot` without.
    #[serde(default, deserialize_with = "mode")]
    pub mode: Mode,
    /// What the client has from an earlier connection, by symbol; of a channel beside the heatmap under
    /// `CHANNEL:SYMBOL`, such as `liquidations:BTCUSDT`.
    #[serde(default, deserialize_with = "resume")]
    pub resume: BTreeMap<String, Position>,
    /// Lowest and highest price: only levels whose bin touches this span, both ends included. All of them without.
    #[serde(default, deserialize_with = "price_range")]
    #[schemars(with = "Option<[f64; 2]>")]
    pub price_range: Option<(Price, Price)>,
    /// Height of a level, a multiple of the base bin; levels are summed into it. The base bin without.
    #[serde(default, deserialize_with = "bin")]
    #[schemars(with = "Option<f64>", extend("exclusiveMinimum" = 0))]
    pub bin: Option<Price>,
    /// States whose hash was not what the client computed, by symbol: why it asks again.
    #[serde(default, deserialize_with = "mismatch")]
    pub mismatch: BTreeMap<String, Position>,
    /// What to follow of each symbol: `heatmap`, `price`, `liquidations`, `walls`. Only the heatmap without. A name that is
    /// not known is answered by an error; the others count.
    #[serde(default, deserialize_with = "channels")]
    #[schemars(length(min = 1, max = CHANNELS_PER_MESSAGE_MAX))]
    pub channels: Vec<String>,
    /// Smallest liquidation to send, whole USD; all of them without.
    #[serde(default, deserialize_with = "min_usd")]
    #[schemars(range(max = MIN_USD_END - 1))]
    pub min_usd: u64,
}

impl Subscribe {
    /// A subscription to the heatmap with every default.
    #[must_use]
    pub const fn to(symbols: Vec<String>) -> Self {
        Self {
            symbols,
            id: None,
            update_interval_s: None,
            mode: Mode::Snapshot,
            resume: BTreeMap::new(),
            price_range: None,
            bin: None,
            mismatch: BTreeMap::new(),
            channels: Vec::new(),
            min_usd: 0,
        }
    }

    /// Notes what the client has of a channel, in the form of `resume`.
    pub fn put_position(&mut self, symbol: &str, channel: Channel, position: Position) {
        let key = match channel {
            Channel::Heatmap => symbol.to_owned(),
            other => format!("{}:{symbol}", other.name()),
        };
        self.resume.insert(key, position);
    }

    /// What the client has of a channel, taken out of `resume`: the heatmap's key is the symbol, that of another channel
    /// is `CHANNEL:SYMBOL`.
    pub fn take_position(&mut self, symbol: &str, channel: Channel) -> Option<Position> {
        match channel {
            Channel::Heatmap => self.resume.remove(symbol),
            other => self.resume.remove(&format!("{}:{symbol}", other.name())),
        }
    }
}

/// The end of a subscription to one or more symbols.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Unsubscribe {
    /// Which, any number.
    #[serde(deserialize_with = "symbols::<_, { usize::MAX }>")]
    #[schemars(length(min = 1))]
    pub symbols: Vec<String>,
    /// Only these channels of them; all channels without.
    #[serde(default, deserialize_with = "channels")]
    #[schemars(length(min = 1, max = CHANNELS_PER_MESSAGE_MAX))]
    pub channels: Vec<String>,
}

/// A new token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Token {
    /// As in `Authorization`, without `Bearer`.
    pub token: String,
}

/// A client's word that it has painted a state; the first one turns credit on for the symbol.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Ack {
    /// Of which symbol.
    pub symbol: String,
    /// The newest state painted.
    pub seq: u64,
}

/// Why a message was refused, with the code to answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// What to tell the client.
    pub message: String,
}

impl CommandError {
    fn message(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidMessage, message: message.into() }
    }
}

/// Reads one text message.
///
/// # Errors
/// `INVALID_MESSAGE` for what is not a JSON object with fields of the right form, `INVALID_ACTION` for an
/// unknown action.
pub fn parse_command(text: &str) -> Result<ClientCommand, CommandError> {
    let message: Value = serde_json::from_str(text)
        .map_err(|error| CommandError::message(format!("Message is not valid JSON: {error}")))?;
    let Value::Object(mut fields) = message else {
        return Err(CommandError::message("Message must be a JSON object such as {\"action\":\"ping\"}"));
    };
    let action = match fields.remove("action") {
        Some(Value::String(action)) => action,
        Some(_) => return Err(CommandError::message("Field 'action' must be a string")),
        None => return Err(CommandError::message("Field 'action' is missing")),
    };
    match action.as_str() {
        "subscribe" => read_with_symbols(fields).map(ClientCommand::Subscribe),
        "unsubscribe" => read_with_symbols(fields).map(ClientCommand::Unsubscribe),
        "ping" => Ok(ClientCommand::Ping),
        "ack" => Ack::deserialize(Value::Object(fields)).map(ClientCommand::Ack).map_err(|_| {
            CommandError::message(
                "An ack must look like {\"action\":\"ack\",\"symbol\":\"BTCUSDT\",\"seq\":124}",
            )
        }),
        "token" => Token::deserialize(Value::Object(fields))
            .map(ClientCommand::Token)
            .map_err(|_| CommandError::message("Field 'token' must be the text of a token")),
        unknown => Err(CommandError {
            code: ErrorCode::InvalidAction,
            message: format!(
                "Action '{}' not supported. Valid: subscribe, unsubscribe, ping, ack, token",
                unknown.chars().take(40).collect::<String>()
            ),
        }),
    }
}

/// A message with a list of symbols; its fields say what is wrong with them. Without the list it is refused as with
/// a wrong one, so that the answer says what belongs there.
fn read_with_symbols<T: DeserializeOwned>(
    mut fields: serde_json::Map<String, Value>,
) -> Result<T, CommandError> {
    fields.entry("symbols").or_insert(Value::Null);
    T::deserialize(Value::Object(fields)).map_err(|error| CommandError::message(error.to_string()))
}

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
fn symbols<'de, D: Deserializer<'de>, const MOST: usize>(input: D) -> Result<Vec<String>, D::Error> {
    let number = if MOST == usize::MAX { "1 or more".to_owned() } else { format!("1 to {MOST}") };
    let must = format!("must be a list of {number} symbols");
    let list = optional(input, "symbols", &must, |value| {
        let list = Vec::<String>::deserialize(value).ok()?;
        (1..=MOST).contains(&list.len()).then_some(list)
    });
    list?.ok_or_else(|| D::Error::custom(format!("Field 'symbols' {must}")))
}

fn id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let must = format!("must be a text of 1 to {SUBSCRIPTION_ID_BYTES_MAX} bytes in UTF-8");
    optional(input, "id", must, |value| {
        let id = String::deserialize(value).ok()?;
        (1..=SUBSCRIPTION_ID_BYTES_MAX).contains(&id.len()).then_some(id)
    })
}

fn update_interval<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    optional(input, "update_interval", "must be a number of seconds", |value| {
        value.as_f64().filter(|seconds| seconds.is_finite())
    })
}

fn mode<'de, D: Deserializer<'de>>(input: D) -> Result<Mode, D::Error> {
    let must = "must be 'snapshot' or 'delta'";
    Ok(optional(input, "mode", must, |value| Mode::deserialize(value).ok())?.unwrap_or_default())
}

/// Names of channels; whether they exist is answered one by one, as for symbols.
fn channels<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let names = Channel::names();
    let must = format!("must be a list of 1 to {CHANNELS_PER_MESSAGE_MAX} names, of: {names}");
    let list = optional(input, "channels", must, |value| {
        let list = Vec::<String>::deserialize(value).ok()?;
        (1..=CHANNELS_PER_MESSAGE_MAX).contains(&list.len()).then_some(list)
    });
    Ok(list?.unwrap_or_default())
}

fn min_usd<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let must = "must be a whole number of dollars, such as 100000";
    let usd = optional(input, "min_usd", must, |value| {
        // JavaScript may write a whole number as 5e4.
        let whole = |usd: &f64| usd.fract() == 0.0 && (0.0..approx_f64(MIN_USD_END)).contains(usd);
        let written = value.as_f64().filter(whole).map(trunc_u64);
        value.as_u64().or(written).filter(|usd| *usd < MIN_USD_END)
    });
    Ok(usd?.unwrap_or_default())
}

fn resume<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, Position>, D::Error> {
    positions(input, "resume")
}

fn mismatch<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, Position>, D::Error> {
    positions(input, "mismatch")
}

fn positions<'de, D: Deserializer<'de>>(
    input: D,
    name: &str,
) -> Result<BTreeMap<String, Position>, D::Error> {
    let must = "must look like {\"BTCUSDT\":{\"epoch\":\"..\",\"seq\":123}}";
    Ok(optional(input, name, must, |value| BTreeMap::deserialize(value).ok())?.unwrap_or_default())
}

fn price_range<'de, D: Deserializer<'de>>(input: D) -> Result<Option<(Price, Price)>, D::Error> {
    let must = "must be [low, high]: two prices from 0 on, low below high by 0.00000001 or more";
    optional(input, "price_range", must, |value| {
        let [low, high] = <[f64; 2]>::deserialize(value).ok()?;
        let (low, high) = (Price::from_f64(low).ok()?, Price::from_f64(high).ok()?);
        (low.units() >= 0 && low < high).then_some((low, high))
    })
}

fn bin<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Price>, D::Error> {
    optional(input, "bin", "must be a price above zero", |value| {
        Price::from_f64(value.as_f64()?).ok().filter(|bin| bin.is_positive())
    })
}

#[cfg(test)]
mod tests;
