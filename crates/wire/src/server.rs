//! What the server says over the socket.

use liqheat_market::SourceState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::channel::{is_false, is_zero};
use crate::codes::SourceStateJson;
use crate::{
    AlertRow, Decimal, ErrorCode, FeedState, LevelMessage, LiquidationRow, PriceData, ViewHorizon, WallsBody,
    WarningCode,
};

/// The body of a snapshot (all levels with mass) or a delta (changed levels; 0/0 = gone).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateData {
    /// Ascending in price.
    pub levels: Vec<LevelMessage>,
    /// The price the state was made at.
    pub current_price: Decimal,
    /// (side, leverage class, bin) additions since the state the client had.
    pub positions_created: u64,
    /// (side, leverage class, bin) liquidations since the state the client had.
    pub positions_consumed: u64,
}

/// How one venue behind a symbol stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceMessage<'a> {
    /// Which venue.
    pub venue: &'a str,
    /// How it is.
    #[serde(with = "SourceStateJson")]
    pub state: SourceState,
    /// Time of its newest market event, RFC 3339; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// A whole state.
    Snapshot {
        /// The id of the subscription, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// Of which symbol.
        symbol: &'a str,
        /// Horizon of the expected view, whose levels hold expected USD; absent for that of open positions.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_within: Option<ViewHorizon>,
        /// The time of the state, RFC 3339.
        timestamp: &'a str,
        /// One unbroken run of `seq`.
        epoch: &'a str,
        /// The change this state includes last.
        seq: u64,
        /// Hash of the whole state.
        hash: &'a str,
        /// The state.
        data: StateData,
    },
    /// The difference between two states.
    Delta {
        /// The id of the subscription, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// Of which symbol.
        symbol: &'a str,
        /// Horizon of the expected view, whose levels hold expected USD; absent for that of open positions.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_within: Option<ViewHorizon>,
        /// The time of the state, RFC 3339.
        timestamp: &'a str,
        /// One unbroken run of `seq`.
        epoch: &'a str,
        /// The state it applies to.
        from: u64,
        /// The state it leads to.
        seq: u64,
        /// Hash of the whole state it leads to.
        hash: &'a str,
        /// Changed levels only.
        data: StateData,
    },
    /// How the data behind a symbol stands; also the heartbeat of a quiet market.
    Status {
        /// The id of the subscription, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// Of which symbol.
        symbol: &'a str,
        /// How it stands.
        state: FeedState,
        /// Time of the newest market event, RFC 3339; absent before the first.
        #[serde(skip_serializing_if = "Option::is_none")]
        as_of: Option<&'a str>,
        /// The current change number.
        seq: u64,
        /// How each venue behind it stands; absent where nothing is followed live.
        #[serde(skip_serializing_if = "<[SourceMessage<'_>]>::is_empty")]
        sources: &'a [SourceMessage<'a>],
    },
    /// Channel `price`: the prices now.
    Price(ChannelMessage<'a, PriceData>),
    /// Channel `liquidations`: those since the last message.
    Liquidations(RowsMessage<'a, LiquidationRow>),
    /// Channel `walls`: what `/v1/walls` answers.
    Walls(ChannelMessage<'a, WallsBody>),
    /// Channel `alerts`: those raised since the last message.
    Alerts(RowsMessage<'a, AlertRow>),
    /// Something the client should know.
    Warning {
        /// Which warning.
        code: WarningCode,
        /// In words.
        message: &'a str,
        /// Updates skipped.
        dropped_messages: u64,
    },
    /// Something the client said, or the server did, wrong.
    Error {
        /// Which error.
        code: ErrorCode,
        /// In words.
        message: &'a str,
    },
    /// The answer to a ping.
    Pong {
        /// The server's time, RFC 3339.
        timestamp: &'a str,
    },
    /// The server will close; come back after a delay.
    Goaway {
        /// Why.
        reason: &'a str,
        /// The delay, different for every client.
        reconnect_in_ms: u64,
    },
    /// The end of an event stream, which has no close frame.
    Close {
        /// The close code of a socket.
        code: u16,
        /// Why.
        reason: &'a str,
    },
}

/// A message of a channel that has one value: the newest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ChannelMessage<'a, Data> {
    /// The id of the subscription, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// Of which symbol.
    pub symbol: &'a str,
    /// Market time of the value, RFC 3339.
    pub timestamp: &'a str,
    /// One unbroken run of `seq` of this channel.
    pub epoch: &'a str,
    /// Rises with each change.
    pub seq: u64,
    /// The value.
    pub data: Data,
}

/// A message of a channel of rows: those since the last message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct RowsMessage<'a, Row> {
    /// The id of the subscription, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// Of which symbol.
    pub symbol: &'a str,
    /// Market time up to which the message is complete, RFC 3339.
    pub timestamp: &'a str,
    /// One unbroken run of `seq` of this channel.
    pub epoch: &'a str,
    /// How many rows there were in this epoch, whatever their size.
    pub seq: u64,
    /// Rows since the client's position that are no longer kept; absent when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// The client's position is not known here: rows may be missing or repeated. Absent when it is known.
    #[serde(skip_serializing_if = "is_false")]
    pub reset: bool,
    /// Oldest first; empty in the answer to a subscription without a position.
    pub data: Vec<Row>,
}

impl ServerMessage<'_> {
    /// Its `type`, which is also the name of its server-sent event.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "snapshot",
            Self::Delta { .. } => "delta",
            Self::Status { .. } => "status",
            Self::Price(_) => "price",
            Self::Liquidations(_) => "liquidations",
            Self::Walls(_) => "walls",
            Self::Alerts(_) => "alerts",
            Self::Warning { .. } => "warning",
            Self::Error { .. } => "error",
            Self::Pong { .. } => "pong",
            Self::Goaway { .. } => "goaway",
            Self::Close { .. } => "close",
        }
    }

    /// The text frame's payload.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising plain structs of numbers and strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What replaces the first byte of a JSON message, `{`, to give it an id. The rest of the message is the same for
/// every subscription, so it is made once.
#[must_use]
pub fn json_beginning(id: &str) -> Vec<u8> {
    // A text can always be written.
    format!("{{\"id\":{},", serde_json::to_string(id).unwrap_or_default()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_to_the_letter() {
        let levels = vec![LevelMessage {
            price: Decimal::from_units(9_800_000_000_000),
            long_density: 1_500_000,
            short_density: 200_000,
        }];
        let data = StateData {
            levels,
            current_price: Decimal::from_units(9_845_000_000_000),
            positions_created: 450,
            positions_consumed: 120,
        };
        let snapshot = ServerMessage::Snapshot {
            id: None,
            symbol: "BTCUSDT",
            expected_within: None,
            timestamp: "2025-12-28T14:30:00Z",
            epoch: "e1",
            seq: 124,
            hash: "00ff",
            data,
        };
        let cases = [
            (
                snapshot,
                r#"{"type":"snapshot","symbol":"BTCUSDT","timestamp":"2025-12-28T14:30:00Z","epoch":"e1","seq":124,"hash":"00ff","data":{"levels":[{"price":98000,"long_density":1500000,"short_density":200000}],"current_price":98450,"positions_created":450,"positions_consumed":120}}"#,
            ),
            (
                ServerMessage::Status {
                    id: None,
                    symbol: "BTCUSDT",
                    state: FeedState::WarmingUp,
                    as_of: Some("t"),
                    seq: 1,
                    sources: &[],
                },
                r#"{"type":"status","symbol":"BTCUSDT","state":"warming_up","as_of":"t","seq":1}"#,
            ),
            (
                ServerMessage::Status {
                    id: None,
                    symbol: "BTCUSDT",
                    state: FeedState::Degraded,
                    as_of: None,
                    seq: 1,
                    sources: &[
                        SourceMessage { venue: "binance", state: SourceState::Live, as_of: Some("t".into()) },
                        SourceMessage { venue: "okx", state: SourceState::Down, as_of: None },
                    ],
                },
                r#"{"type":"status","symbol":"BTCUSDT","state":"degraded","seq":1,"sources":[{"venue":"binance","state":"live","as_of":"t"},{"venue":"okx","state":"down"}]}"#,
            ),
            (
                ServerMessage::Warning { code: WarningCode::SlowConsumer, message: "m", dropped_messages: 3 },
                r#"{"type":"warning","code":"SLOW_CONSUMER","message":"m","dropped_messages":3}"#,
            ),
            (
                ServerMessage::Error { code: ErrorCode::InvalidSymbol, message: "m" },
                r#"{"type":"error","code":"INVALID_SYMBOL","message":"m"}"#,
            ),
            (ServerMessage::Pong { timestamp: "t" }, r#"{"type":"pong","timestamp":"t"}"#),
            (
                ServerMessage::Goaway { reason: "r", reconnect_in_ms: 8_123 },
                r#"{"type":"goaway","reason":"r","reconnect_in_ms":8123}"#,
            ),
        ];
        for (message, expected) in cases {
            assert!(expected.starts_with(&format!(r#"{{"type":"{}""#, message.kind())), "{expected}");
            assert_eq!(String::from_utf8(message.to_json()).unwrap(), expected);
        }
    }

    #[test]
    fn an_id_is_put_in_front() {
        let message = ServerMessage::Status {
            id: Some("a \"b\"\n"),
            symbol: "BTCUSDT",
            state: FeedState::Live,
            as_of: None,
            seq: 1,
            sources: &[],
        };
        let written: serde_json::Value = serde_json::from_slice(&message.to_json()).unwrap();
        let ServerMessage::Status { symbol, state, as_of, seq, sources, .. } = message else {
            unreachable!()
        };
        let plain = ServerMessage::Status { id: None, symbol, state, as_of, seq, sources }.to_json();
        let with_id = [&json_beginning("a \"b\"\n")[..], &plain[1..]].concat();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&with_id).unwrap(), written);
    }
}
