//! What a client says, as it writes it: the form that descriptions of the protocol are made from.
//!
//! The server reads messages field by field ([`parse_command`](crate::parse_command)), because every mistake is to be
//! answered in words. The tests here hold both to each other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::Position;

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Begin sending these symbols. Answered by their states, or by an error for each name that is not served.
    Subscribe {
        /// What to send, by the names in `/v1/symbols`.
        #[schemars(length(min = 1, max = 10))]
        symbols: Vec<String>,
        /// The client's name for this subscription, at most 64 bytes; every state and status of it repeats it.
        #[schemars(length(min = 1, max = 64))]
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Seconds between states; clamped to 1..60, in delta mode to 0.25..60. The server's interval without.
        #[serde(skip_serializing_if = "Option::is_none")]
        update_interval: Option<f64>,
        /// How updates travel; `snapshot` without.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<ModeWord>,
        /// What the client has from an earlier connection, by symbol.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        resume: BTreeMap<String, Position>,
        /// Lowest and highest price: only levels whose bin touches this span.
        #[serde(skip_serializing_if = "Option::is_none")]
        price_range: Option<[f64; 2]>,
        /// Height of a level, a multiple of the base bin.
        #[schemars(extend("exclusiveMinimum" = 0))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bin: Option<f64>,
        /// States whose hash was not what the client computed, by symbol.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        mismatch: BTreeMap<String, Position>,
    },
    /// Stop sending these symbols.
    Unsubscribe {
        /// Which, any number.
        #[schemars(length(min = 1))]
        symbols: Vec<String>,
    },
    /// Asks for a pong.
    Ping,
    /// A state was painted. The first one turns credit on: from then on at most two unpainted states are sent.
    Ack {
        /// Of which symbol.
        symbol: String,
        /// The newest state painted.
        seq: u64,
    },
}

/// How updates travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeWord {
    /// Whole states.
    Snapshot,
    /// Differences.
    Delta,
}

#[cfg(test)]
mod tests {
    use liqheat_market::Price;

    use super::*;
    use crate::{Ack, ClientCommand, Mode, SYMBOLS_PER_MESSAGE_MAX, Subscribe, parse_command};

    fn read(message: &ClientMessage) -> ClientCommand {
        parse_command(&serde_json::to_string(message).unwrap()).unwrap()
    }

    #[test]
    fn the_server_reads_what_is_described() {
        let position = Position { epoch: "e1".into(), seq: 7 };
        let resume = BTreeMap::from([("BTCUSDT".to_owned(), position)]);
        let full = ClientMessage::Subscribe {
            symbols: vec!["BTCUSDT".into()],
            id: Some("left pane".into()),
            update_interval: Some(2.5),
            mode: Some(ModeWord::Delta),
            resume: resume.clone(),
            price_range: Some([98_000.0, 99_000.5]),
            bin: Some(200.0),
            mismatch: resume.clone(),
        };
        let price = |text| Price::parse(text).unwrap();
        let expected = Subscribe {
            symbols: vec!["BTCUSDT".into()],
            id: Some("left pane".into()),
            update_interval_s: Some(2.5),
            mode: Mode::Delta,
            resume: resume.clone(),
            price_range: Some((price("98000"), price("99000.5"))),
            bin: Some(price("200")),
            mismatch: resume,
        };
        assert_eq!(read(&full), ClientCommand::Subscribe(expected));
        let symbols = vec!["ETHUSDT".to_owned()];
        let unsubscribe = ClientMessage::Unsubscribe { symbols: symbols.clone() };
        assert_eq!(read(&unsubscribe), ClientCommand::Unsubscribe(symbols));
        assert_eq!(read(&ClientMessage::Ping), ClientCommand::Ping);
        let ack = ClientMessage::Ack { symbol: "BTCUSDT".into(), seq: 9 };
        assert_eq!(read(&ack), ClientCommand::Ack(Ack { symbol: "BTCUSDT".into(), seq: 9 }));
    }

    #[test]
    fn the_description_has_the_same_limits() {
        let schema = schemars::schema_for!(ClientMessage).to_value();
        let subscribe = &schema["oneOf"][0]["properties"];
        assert_eq!(subscribe["action"]["const"], "subscribe", "{schema:#}");
        assert_eq!(subscribe["symbols"]["maxItems"], SYMBOLS_PER_MESSAGE_MAX, "{schema:#}");
    }
}
