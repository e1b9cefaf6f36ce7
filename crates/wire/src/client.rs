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

/// What the levels of a heatmap hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeatmapView {
    /// USD of open positions.
    #[default]
    Open,
    /// USD that is expected to be liquidated within a horizon.
    Expected,
}

impl HeatmapView {
    /// The view of a name; `None` where there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "expected" => Some(Self::Expected),
            _ => None,
        }
    }
}

/// Horizon of the expected view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum ExpectedWithin {
    /// An hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
}

impl ExpectedWithin {
    /// Both, shortest first.
    pub const ALL: [Self; 2] = [Self::Hour, Self::FourHours];
    /// What a horizon must be, and why there is no longer one.
    pub const MUST: &str =
        "must be '1h' or '4h'; a day ahead the map adds nothing to distance and volatility";

    /// `1h` or `4h`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::FourHours => "4h",
        }
    }

    /// The horizon of a name; `None` where there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|horizon| horizon.name() == name)
    }
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
    /// What the levels of the heatmap hold: `open` (USD of open positions) without, or `expected` (USD that is expected to
    /// be liquidated within `horizon`). A symbol has one of them a connection.
    #[serde(default, deserialize_with = "view")]
    pub view: HeatmapView,
    /// Of the expected view: `1h` without, or `4h`.
    #[serde(default, deserialize_with = "horizon")]
    pub horizon: Option<ExpectedWithin>,
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
            view: HeatmapView::Open,
            horizon: None,
        }
    }

    /// The horizon of the expected view; `None` for the view of open positions.
    #[must_use]
    pub fn expected_within(&self) -> Option<ExpectedWithin> {
        (self.view == HeatmapView::Expected).then(|| self.horizon.unwrap_or_default())
    }

    /// Fields that do not go together.
    fn check(self) -> Result<Self, CommandError> {
        if self.horizon.is_some() && self.view == HeatmapView::Open {
            return Err(CommandError::message("Field 'horizon' belongs to 'view':'expected'"));
        }
        Ok(self)
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
        "subscribe" => read_with_symbols(fields).and_then(Subscribe::check).map(ClientCommand::Subscribe),
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

fn view<'de, D: Deserializer<'de>>(input: D) -> Result<HeatmapView, D::Error> {
    let must = "must be 'open' or 'expected'";
    Ok(optional(input, "view", must, |value| HeatmapView::from_name(value.as_str()?))?.unwrap_or_default())
}

fn horizon<'de, D: Deserializer<'de>>(input: D) -> Result<Option<ExpectedWithin>, D::Error> {
    optional(input, "horizon", ExpectedWithin::MUST, |value| ExpectedWithin::from_name(value.as_str()?))
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn reads_the_documented_messages() {
        let parsed =
            parse_command(r#"{"action":"subscribe","symbols":["BTCUSDT","ETHUSDT"],"update_interval":5}"#);
        let expected = Subscribe {
            update_interval_s: Some(5.0),
            ..Subscribe::to(vec!["BTCUSDT".into(), "ETHUSDT".into()])
        };
        assert_eq!(parsed, Ok(ClientCommand::Subscribe(expected)));
        let parsed = parse_command(
            r#"{"action":"subscribe","symbols":["BTCUSDT"],"mode":"delta","resume":{"BTCUSDT":{"epoch":"e","seq":123}},"future":1}"#,
        );
        let Ok(ClientCommand::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(subscribe.mode, Mode::Delta);
        assert_eq!(subscribe.resume["BTCUSDT"], Position { epoch: "e".into(), seq: 123 });
        assert_eq!(
            parse_command(r#"{"action":"unsubscribe","symbols":["ETHUSDT"]}"#),
            Ok(ClientCommand::Unsubscribe(Unsubscribe {
                symbols: vec!["ETHUSDT".into()],
                channels: Vec::new()
            }))
        );
        assert_eq!(parse_command(r#"{"action":"ping"}"#), Ok(ClientCommand::Ping));
        assert_eq!(
            parse_command(r#"{"action":"ack","symbol":"BTCUSDT","seq":124}"#),
            Ok(ClientCommand::Ack(Ack { symbol: "BTCUSDT".into(), seq: 124 }))
        );
    }

    #[test]
    fn reads_views_and_reports() {
        let parsed = parse_command(
            r#"{"action":"subscribe","symbols":["X"],"price_range":[0.1,98000.5],"bin":0.25,"mismatch":{"X":{"epoch":"e","seq":7,"hash":"00"}}}"#,
        );
        let Ok(ClientCommand::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
        let price = |units| Price::from_units(units);
        assert_eq!(subscribe.price_range, Some((price(10_000_000), price(9_800_050_000_000))));
        assert_eq!(subscribe.bin, Some(price(25_000_000)));
        assert_eq!(subscribe.mismatch["X"], Position { epoch: "e".into(), seq: 7 });
        let parsed = parse_command(r#"{"action":"subscribe","symbols":["X"],"price_range":null,"bin":null}"#);
        assert!(parsed.is_ok(), "null is as good as absent: {parsed:?}");
    }

    #[test]
    fn reads_channels_and_tokens() {
        let parsed = parse_command(
            r#"{"action":"subscribe","symbols":["X"],"channels":["heatmap","liquidations"],"min_usd":5e4,"resume":{"X":{"epoch":"h","seq":1},"liquidations:X":{"epoch":"l","seq":2}}}"#,
        );
        let Ok(ClientCommand::Subscribe(mut subscribe)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(
            (subscribe.channels.join(" "), subscribe.min_usd),
            ("heatmap liquidations".into(), 50_000)
        );
        let at = |epoch: &str, seq| Some(Position { epoch: epoch.into(), seq });
        assert_eq!(subscribe.take_position("X", Channel::Liquidations), at("l", 2));
        assert_eq!(subscribe.take_position("X", Channel::Heatmap), at("h", 1));
        assert_eq!(subscribe.take_position("X", Channel::Price), None);
        let expected = |rest: &str| {
            let text = format!(r#"{{"action":"subscribe","symbols":["X"]{rest}}}"#);
            let Ok(ClientCommand::Subscribe(subscribe)) = parse_command(&text) else { panic!("{text}") };
            subscribe.expected_within()
        };
        assert_eq!(expected(""), None);
        assert_eq!(expected(r#","view":"open""#), None);
        assert_eq!(expected(r#","view":"expected""#), Some(ExpectedWithin::Hour));
        assert_eq!(expected(r#","view":"expected","horizon":"4h""#), Some(ExpectedWithin::FourHours));
        let parsed = parse_command(r#"{"action":"unsubscribe","symbols":["X"],"channels":["price"]}"#);
        let expected = Unsubscribe { symbols: vec!["X".into()], channels: vec!["price".into()] };
        assert_eq!(parsed, Ok(ClientCommand::Unsubscribe(expected)));
        let parsed = parse_command(r#"{"action":"token","token":"a.b.c"}"#);
        assert_eq!(parsed, Ok(ClientCommand::Token(Token { token: "a.b.c".into() })));
        for (text, part) in [
            (r#"{"action":"subscribe","symbols":["X"],"channels":"price"}"#, "'channels'"),
            (r#"{"action":"subscribe","symbols":["X"],"channels":[]}"#, "'channels'"),
            (r#"{"action":"subscribe","symbols":["X"],"channels":[1]}"#, "'channels'"),
            (r#"{"action":"unsubscribe","symbols":["X"],"channels":[[]]}"#, "'channels'"),
            (r#"{"action":"subscribe","symbols":["X"],"min_usd":-1}"#, "'min_usd'"),
            (r#"{"action":"subscribe","symbols":["X"],"min_usd":0.5}"#, "'min_usd'"),
            (r#"{"action":"subscribe","symbols":["X"],"min_usd":1e16}"#, "'min_usd'"),
            (r#"{"action":"subscribe","symbols":["X"],"min_usd":18446744073709551615}"#, "'min_usd'"),
            (r#"{"action":"token"}"#, "'token'"),
            (r#"{"action":"subscribe","symbols":["X"],"view":"size"}"#, "'open' or 'expected'"),
            (r#"{"action":"subscribe","symbols":["X"],"view":"expected","horizon":"24h"}"#, "adds nothing"),
            (r#"{"action":"subscribe","symbols":["X"],"horizon":"1h"}"#, "belongs to 'view':'expected'"),
            (r#"{"action":"token","token":7}"#, "'token'"),
        ] {
            let error = parse_command(text).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidMessage, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn answers_what_does_not_fit() {
        for (text, code, part) in [
            ("", ErrorCode::InvalidMessage, "JSON"),
            ("{", ErrorCode::InvalidMessage, "JSON"),
            ("[]", ErrorCode::InvalidMessage, "object"),
            ("{}", ErrorCode::InvalidMessage, "'action' is missing"),
            (r#"{"action":7}"#, ErrorCode::InvalidMessage, "string"),
            (r#"{"action":"dance"}"#, ErrorCode::InvalidAction, "'dance' not supported"),
            (r#"{"action":"subscribe"}"#, ErrorCode::InvalidMessage, "symbols"),
            (r#"{"action":"subscribe","symbols":[]}"#, ErrorCode::InvalidMessage, "1 to 10"),
            (r#"{"action":"subscribe","symbols":["A",1]}"#, ErrorCode::InvalidMessage, "symbols"),
            (
                r#"{"action":"subscribe","symbols":["A"],"update_interval":"x"}"#,
                ErrorCode::InvalidMessage,
                "interval",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"mode":"fast"}"#, ErrorCode::InvalidMessage, "mode"),
            (
                r#"{"action":"subscribe","symbols":["A"],"resume":{"A":1}}"#,
                ErrorCode::InvalidMessage,
                "resume",
            ),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[2,1]}"#,
                ErrorCode::InvalidMessage,
                "price_range",
            ),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[2,2]}"#,
                ErrorCode::InvalidMessage,
                "low below high",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"id":7}"#, ErrorCode::InvalidMessage, "'id'"),
            (r#"{"action":"subscribe","symbols":["A"],"id":""}"#, ErrorCode::InvalidMessage, "'id'"),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[1e300,1e301]}"#,
                ErrorCode::InvalidMessage,
                "price_range",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"bin":0}"#, ErrorCode::InvalidMessage, "bin"),
            (r#"{"action":"subscribe","symbols":["A"],"bin":"x"}"#, ErrorCode::InvalidMessage, "bin"),
            (r#"{"action":"ack","symbol":"A"}"#, ErrorCode::InvalidMessage, "ack"),
            (r#"{"action":"ack","symbol":"A","seq":-1}"#, ErrorCode::InvalidMessage, "ack"),
        ] {
            let error = parse_command(text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        let eleven =
            |action: &str| format!(r#"{{"action":"{action}","symbols":[{}]}}"#, [r#""A""#; 11].join(","));
        assert_eq!(parse_command(&eleven("subscribe")).unwrap_err().code, ErrorCode::InvalidMessage);
        assert_eq!(
            parse_command(&eleven("unsubscribe")),
            Ok(ClientCommand::Unsubscribe(Unsubscribe {
                symbols: vec!["A".into(); 11],
                channels: Vec::new()
            }))
        );
    }

    #[test]
    fn an_id_has_at_most_64_bytes() {
        let parse = |id: &str| {
            let text = format!(r#"{{"action":"subscribe","symbols":["A"],"id":"{id}"}}"#);
            parse_command(&text).map(|command| match command {
                ClientCommand::Subscribe(subscribe) => subscribe.id,
                other => panic!("{other:?}"),
            })
        };
        for id in ["a", &"x".repeat(64), &"ä".repeat(32), "a b"] {
            assert_eq!(parse(id), Ok(Some(id.to_owned())));
        }
        for id in ["x".repeat(65), "ä".repeat(33)] {
            assert!(parse(&id).unwrap_err().message.contains("64 bytes"), "{id}");
        }
    }

    #[test]
    fn what_is_read_is_described() {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let schema = settings.into_generator().into_root_schema_for::<ClientCommand>().to_value();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let symbols = |count: usize| vec!["A"; count];
        let position = json!({"X": {"epoch": "e", "seq": 7, "hash": "00"}});
        let subscribe = |name: &str, value: Value| {
            let mut message = json!({"action": "subscribe", "symbols": ["X"]});
            message[name] = value;
            message
        };
        for (message, is_valid) in [
            (json!({"action": "ping"}), true),
            (json!({"action": "dance"}), false),
            (json!({"action": "subscribe"}), false),
            (subscribe("symbols", json!(symbols(10))), true),
            (subscribe("symbols", json!(symbols(11))), false),
            (subscribe("symbols", json!([])), false),
            (subscribe("symbols", json!([1])), false),
            (subscribe("id", json!("left pane")), true),
            (subscribe("id", json!("")), false),
            (subscribe("id", json!("x".repeat(65))), false),
            (subscribe("update_interval", json!(2.5)), true),
            (subscribe("update_interval", json!("2")), false),
            (subscribe("mode", json!("delta")), true),
            (subscribe("mode", json!("fast")), false),
            (subscribe("price_range", json!([98_000, 99_000.5])), true),
            (subscribe("price_range", json!([98_000])), false),
            (subscribe("price_range", json!([1, 2, 3])), false),
            (subscribe("bin", json!(200)), true),
            (subscribe("bin", json!(0)), false),
            (subscribe("resume", position.clone()), true),
            (subscribe("resume", json!({"X": {"epoch": "e"}})), false),
            (subscribe("resume", json!({"X": {"epoch": "e", "seq": -1}})), false),
            (subscribe("mismatch", position), true),
            (subscribe("mismatch", json!([])), false),
            (subscribe("channels", json!(["price", "liquidations"])), true),
            (subscribe("channels", json!([])), false),
            (subscribe("channels", json!(vec!["price"; 17])), false),
            (subscribe("channels", json!([1])), false),
            (subscribe("min_usd", json!(50_000)), true),
            (subscribe("min_usd", json!(-1)), false),
            (subscribe("min_usd", json!(0.5)), false),
            (subscribe("min_usd", json!(1u64 << 53)), false),
            (subscribe("view", json!("expected")), true),
            (subscribe("view", json!("open")), true),
            (subscribe("view", json!("size")), false),
            (subscribe("horizon", json!("24h")), false),
            (json!({"action": "token", "token": "a.b.c"}), true),
            (json!({"action": "token", "token": 7}), false),
            (json!({"action": "token"}), false),
            (subscribe("later", json!(1)), true),
            (json!({"action": "unsubscribe", "symbols": symbols(11)}), true),
            (json!({"action": "unsubscribe", "symbols": []}), false),
            (json!({"action": "ack", "symbol": "X", "seq": 9}), true),
            (json!({"action": "ack", "symbol": "X", "seq": 9.5}), false),
            (json!({"action": "ack", "symbol": "X"}), false),
        ] {
            assert_eq!(parse_command(&message.to_string()).is_ok(), is_valid, "read {message}");
            assert_eq!(validator.is_valid(&message), is_valid, "{message} by {schema:#}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = parse_command(&text);
        }
    }
}
