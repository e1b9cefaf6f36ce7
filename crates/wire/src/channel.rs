//! Channels: what a client can follow of a symbol, the heatmap and what goes beside it.
//!
//! A message of a channel beside the heatmap is the same for all clients but for the id in front, so its data is
//! serialised once and the envelope is written around it ([`channel_message`]).

use schemars::JsonSchema;
use serde::Serialize;

use crate::{CandleRow, Decimal};

/// What a client can follow of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Levels: snapshots and deltas.
    Heatmap,
    /// Last and mark price with the open candle, at most once a second.
    Price,
    /// Realised liquidations as they are stored.
    Liquidations,
    /// Merged clusters of levels, when they change.
    Walls,
    /// Alerts of the operator's and the API's rules, as they are raised.
    Alerts,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Heatmap, Self::Price, Self::Liquidations, Self::Walls, Self::Alerts];

    /// Those beside the heatmap, in the order in which their messages are sent.
    pub const BESIDE_HEATMAP: [Self; 4] = [Self::Price, Self::Liquidations, Self::Walls, Self::Alerts];

    /// The word used on the wire; for a channel beside the heatmap also the `type` of its messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heatmap => "heatmap",
            Self::Price => "price",
            Self::Liquidations => "liquidations",
            Self::Walls => "walls",
            Self::Alerts => "alerts",
        }
    }

    /// The channel of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }

    /// All names, for messages about a name that is not one of them.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The text for a channel that does not exist.
    #[must_use]
    pub fn unknown(name: &str) -> String {
        let name: String = name.chars().take(40).collect();
        format!("Channel '{name}' not supported. Valid: {}", Self::names())
    }
}

/// The data of a `price` message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PriceData {
    /// The venue whose prices they are: of several, the one with the most open interest.
    pub venue: &'static str,
    /// Newest traded price; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Decimal>,
    /// Newest mark price; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Decimal>,
    /// The candle that has not closed yet, made of trades; absent while there are none in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candle: Option<OpenCandle>,
}

/// An alert on the channel `alerts`: the alert of `/v1/alerts` with its words.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AlertRow {
    /// Names it for ever: a receiver that has seen it ignores it.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// The symbol.
    pub symbol: String,
    /// Market time at which it was raised, RFC 3339.
    pub time: String,
    /// The price then.
    pub price: Decimal,
    /// Whether it fell into quiet hours; such an alert is sent to no target.
    pub quiet: bool,
    /// What happened: `kind` and its fields, as in `/v1/alerts`.
    pub subject: serde_json::Value,
    /// How often it happened since the rule's last alert about the symbol.
    pub count: u32,
    /// USD of all of them; 0 where it is about no amount. What `min_usd` is compared with.
    pub usd: u64,
    /// The alert in words.
    pub text: String,
}

/// A candle that has not closed yet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OpenCandle {
    /// Its length: that of the symbol's bars.
    pub interval: String,
    /// As far as it has grown.
    #[serde(flatten)]
    pub candle: CandleRow,
}

/// What goes around the data of a channel's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChannelEnvelope<'a> {
    /// The channel; never the heatmap.
    #[serde(rename = "type")]
    pub channel: Channel,
    /// Of which symbol.
    pub symbol: &'a str,
    /// Market time of the newest event in it, RFC 3339.
    pub timestamp: &'a str,
    /// One unbroken run of `seq` of this channel of this symbol.
    pub epoch: &'a str,
    /// The last change that the message includes.
    pub seq: u64,
    /// Rows since the client's position that are no longer kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// The client's position is not known here: rows may be missing or repeated.
    #[serde(skip_serializing_if = "is_false")]
    pub reset: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
pub(crate) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A message of a channel beside the heatmap; `data` is JSON.
#[must_use]
pub fn channel_message(envelope: &ChannelEnvelope<'_>, data: &str) -> Vec<u8> {
    // Serialising plain texts and numbers into memory cannot fail.
    let mut message = serde_json::to_vec(envelope).unwrap_or_default();
    message.pop();
    message.extend_from_slice(b",\"data\":");
    message.extend_from_slice(data.as_bytes());
    message.push(b'}');
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelMessage, LiquidationRow, RowsMessage, ServerMessage};
    use liqheat_market::Side;

    #[test]
    fn every_channel_has_a_name_of_its_own() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_name(channel.name()), Some(channel));
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.name());
        }
        assert_eq!(Channel::from_name("dance"), None);
        assert_eq!(
            Channel::unknown("dance"),
            "Channel 'dance' not supported. Valid: heatmap, price, liquidations, walls, alerts"
        );
    }

    #[test]
    fn a_message_around_data_is_the_message_of_the_description() {
        let price = Decimal::from_units(9_845_000_000_000);
        let data = PriceData { venue: "okx", last: Some(price), mark: None, candle: None };
        let envelope = ChannelEnvelope {
            channel: Channel::Price,
            symbol: "BTCUSDT",
            timestamp: "t",
            epoch: "e",
            seq: 7,
            missed: 0,
            reset: false,
        };
        let written = channel_message(&envelope, &serde_json::to_string(&data).unwrap());
        let message = ServerMessage::Price(ChannelMessage {
            id: None,
            symbol: "BTCUSDT",
            timestamp: "t",
            epoch: "e",
            seq: 7,
            data,
        });
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(message.to_json()).unwrap());

        let row = LiquidationRow {
            timestamp: "t".into(),
            venue: "okx",
            side: Side::Long,
            price,
            quantity: price,
            usd: 3,
        };
        let envelope = ChannelEnvelope { channel: Channel::Liquidations, missed: 2, reset: true, ..envelope };
        let written = channel_message(&envelope, &format!("[{}]", serde_json::to_string(&row).unwrap()));
        let message = ServerMessage::Liquidations(RowsMessage {
            id: None,
            symbol: "BTCUSDT",
            timestamp: "t",
            epoch: "e",
            seq: 7,
            missed: 2,
            reset: true,
            data: vec![row],
        });
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(message.to_json()).unwrap());
    }
}
