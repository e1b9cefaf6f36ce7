//! What a client may say: one type a message, which is read, checked and described from the same fields. Unknown
//! fields are ignored, so that newer clients can talk to older servers; everything else that does not fit is answered
//! with the field and its right form, never guessed.

mod fields;

use std::collections::BTreeMap;

use liqheat_market::Price;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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
pub enum ViewHorizon {
    /// An hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
}

impl ViewHorizon {
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
    #[serde(deserialize_with = "fields::symbols::<_, SYMBOLS_PER_MESSAGE_MAX>")]
    #[schemars(length(min = 1, max = SYMBOLS_PER_MESSAGE_MAX))]
    pub symbols: Vec<String>,
    /// The client's name for this subscription, at most 64 bytes; every state and status of it repeats it.
    #[serde(default, deserialize_with = "fields::id")]
    #[schemars(length(min = 1, max = SUBSCRIPTION_ID_BYTES_MAX))]
    pub id: Option<String>,
    /// Seconds between states; clamped to 1..60, in delta mode to 0.25..60. The server's interval without.
    #[serde(default, rename = "update_interval", deserialize_with = "fields::update_interval")]
    pub update_interval_s: Option<f64>,
    /// How updates travel; `snapshot` without.
    #[serde(default, deserialize_with = "fields::mode")]
    pub mode: Mode,
    /// What the client has from an earlier connection, by symbol; of a channel beside the heatmap under
    /// `CHANNEL:SYMBOL`, such as `liquidations:BTCUSDT`.
    #[serde(default, deserialize_with = "fields::resume")]
    pub resume: BTreeMap<String, Position>,
    /// Lowest and highest price: only levels whose bin touches this span, both ends included. All of them without.
    #[serde(default, deserialize_with = "fields::price_range")]
    #[schemars(with = "Option<[f64; 2]>")]
    pub price_range: Option<(Price, Price)>,
    /// Height of a level, a multiple of the base bin; levels are summed into it. The base bin without.
    #[serde(default, deserialize_with = "fields::bin")]
    #[schemars(with = "Option<f64>", extend("exclusiveMinimum" = 0))]
    pub bin: Option<Price>,
    /// States whose hash was not what the client computed, by symbol: why it asks again.
    #[serde(default, deserialize_with = "fields::mismatch")]
    pub mismatch: BTreeMap<String, Position>,
    /// What to follow of each symbol: `heatmap`, `price`, `liquidations`, `walls`, `alerts`; only the heatmap if absent. An
    /// unknown name is answered by an error; the other channels are followed.
    #[serde(default, deserialize_with = "fields::channels")]
    #[schemars(length(min = 1, max = CHANNELS_PER_MESSAGE_MAX))]
    pub channels: Vec<String>,
    /// Smallest liquidation or alert to send, whole USD; all of them if absent.
    #[serde(default, deserialize_with = "fields::min_usd")]
    #[schemars(range(max = MIN_USD_END - 1))]
    pub min_usd: u64,
    /// What the levels of the heatmap hold: `open` (USD of open positions) without, or `expected` (USD that is expected to
    /// be liquidated within `horizon`). A symbol has one of them a connection.
    #[serde(default, deserialize_with = "fields::view")]
    pub view: HeatmapView,
    /// Of the expected view: `1h` without, or `4h`.
    #[serde(default, deserialize_with = "fields::horizon")]
    pub horizon: Option<ViewHorizon>,
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
    pub fn expected_within(&self) -> Option<ViewHorizon> {
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
    #[serde(deserialize_with = "fields::symbols::<_, { usize::MAX }>")]
    #[schemars(length(min = 1))]
    pub symbols: Vec<String>,
    /// Only these channels of them; all channels without.
    #[serde(default, deserialize_with = "fields::channels")]
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

#[cfg(test)]
mod tests;
