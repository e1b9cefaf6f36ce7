//! Codes of the protocol: a public contract, one row each in `docs/protocol.md`.

use liqheat_market::{Side, SourceState};
use schemars::JsonSchema;
use serde::Serialize;

/// What went wrong with something the client said, or with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// A symbol that is not served.
    InvalidSymbol,
    /// An action the server does not know.
    InvalidAction,
    /// Not JSON, not an object, or a field of the wrong form.
    InvalidMessage,
    /// A channel that does not exist.
    InvalidChannel,
    /// The token does not allow this symbol or channel.
    Forbidden,
    /// A token that is not accepted; the one before stays valid.
    InvalidToken,
    /// More messages than allowed.
    RateLimited,
    /// The server's own fault.
    ServerError,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::InvalidSymbol,
        Self::InvalidAction,
        Self::InvalidMessage,
        Self::InvalidChannel,
        Self::Forbidden,
        Self::InvalidToken,
        Self::RateLimited,
        Self::ServerError,
    ];

    /// The word used on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidSymbol => "INVALID_SYMBOL",
            Self::InvalidAction => "INVALID_ACTION",
            Self::InvalidMessage => "INVALID_MESSAGE",
            Self::InvalidChannel => "INVALID_CHANNEL",
            Self::Forbidden => "FORBIDDEN",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::RateLimited => "RATE_LIMITED",
            Self::ServerError => "SERVER_ERROR",
        }
    }
}

/// Something the client should know but need not act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WarningCode {
    /// Updates were skipped because the client did not keep up.
    SlowConsumer,
    /// The connection looks unreliable.
    ConnectionUnstable,
}

/// How the data behind a symbol stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Following the market.
    Live,
    /// Following, but behind.
    Lagging,
    /// Nothing new for too long.
    Stale,
    /// Recorded or simulated data, played.
    Replay,
    /// Part of the machinery is down.
    Degraded,
    /// The model has seen too little of the market yet.
    WarmingUp,
}

impl FeedState {
    /// All of them. The order is that of their numbers between servers: new ones go to the end.
    pub const ALL: [Self; 6] =
        [Self::Live, Self::Lagging, Self::Stale, Self::Replay, Self::Degraded, Self::WarmingUp];

    /// The word used on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Lagging => "lagging",
            Self::Stale => "stale",
            Self::Replay => "replay",
            Self::Degraded => "degraded",
            Self::WarmingUp => "warming_up",
        }
    }
}

/// How a source of market data is.
// The JSON form of a type of `liqheat_market`, which serialises nothing; the compiler compares the two.
#[derive(Serialize, JsonSchema)]
#[serde(remote = "SourceState", rename_all = "snake_case")]
#[schemars(rename = "SourceState")]
pub(crate) enum SourceStateJson {
    /// Nothing came yet.
    Connecting,
    /// Data comes as it should.
    Live,
    /// Data comes, but late.
    Lagging,
    /// It was live and is silent for longer than it should be.
    Stale,
    /// The venue cannot be reached, or refuses.
    Down,
    /// The venue does not list the contract, which therefore is no part of the sum.
    Unlisted,
}

/// Whose positions.
// As [`SourceStateJson`].
#[derive(Serialize, JsonSchema)]
#[serde(remote = "Side", rename_all = "snake_case")]
#[schemars(rename = "Side")]
pub enum SideJson {
    /// Positions that gain when the price rises.
    Long,
    /// Positions that gain when the price falls.
    Short,
}

/// Why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The client closed first.
    Normal,
    /// The server is going away.
    GoingAway,
    /// The client broke the WebSocket protocol.
    ProtocolError,
    /// A kind of message the server does not accept.
    Unsupported,
    /// A text message that is not UTF-8.
    InvalidPayload,
    /// The token expired, or its key was revoked; come back with a new one only.
    Policy,
    /// A message larger than the limit.
    TooBig,
    /// The server's own fault; come back.
    ServerError,
    /// The server restarts; come back.
    Restart,
    /// No sign of life for too long; come back with backoff.
    Silent,
    /// Nothing was accepted for too long; come back with backoff.
    Stalled,
    /// Too many messages for too long; come back with backoff.
    Flooding,
    /// Nothing was subscribed for too long; come back with backoff.
    Unsubscribed,
}

impl CloseCode {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::Unsupported,
        Self::InvalidPayload,
        Self::Policy,
        Self::TooBig,
        Self::ServerError,
        Self::Restart,
        Self::Silent,
        Self::Stalled,
        Self::Flooding,
        Self::Unsubscribed,
    ];

    /// The number in the close frame.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::InvalidPayload => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::ServerError => 1011,
            Self::Restart => 1012,
            Self::Silent => 4100,
            Self::Stalled => 4101,
            Self::Flooding => 4102,
            Self::Unsubscribed => 4103,
        }
    }

    /// The text in the close frame and in logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "closed by client",
            Self::GoingAway => "server is going away",
            Self::ProtocolError => "websocket protocol error",
            Self::Unsupported => "unsupported kind of message",
            Self::InvalidPayload => "text is not UTF-8",
            Self::Policy => "token expired or revoked",
            Self::TooBig => "message too big",
            Self::ServerError => "error in the server",
            Self::Restart => "server restarts",
            Self::Silent => "no sign of life",
            Self::Stalled => "nothing accepted for too long",
            Self::Flooding => "too many messages",
            Self::Unsubscribed => "nothing subscribed",
        }
    }
}
