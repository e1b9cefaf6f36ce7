//! Messages between servers about channels beside the heatmap: lines of JSON, so that other programs can read them too.
//!
//! ```text
//! {"v":1,"channel":"walls","epoch":"1c6b2f0a.1","seq":7,"as_of":1766932200000,"token":17,"group":99}
//! {"symbol":"BTCUSDT",..}
//! ```
//!
//! After the head comes the value, or a line for each new row, oldest first. Bytes come from outside; every line is
//! checked.

use liqheat_market::UnixMs;
use liqheat_stream::{ChannelChange, ChannelContent, ChannelKind, ChannelRow};
use liqheat_wire::Channel;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::message::NAME_BYTES_MAX;

const VERSION: u32 = 1;
/// Largest message that is sent or read, in bytes.
const BYTES_MAX: usize = 1_024 * 1_024;

/// A change of a channel, under the token of the server that publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelUpdate {
    pub(crate) channel: Channel,
    pub(crate) token: u64,
    /// Fingerprint of what the sender serves.
    pub(crate) group: u64,
    pub(crate) change: ChannelChange,
}

#[derive(Serialize, Deserialize)]
struct Head {
    v: u32,
    channel: String,
    epoch: String,
    seq: u64,
    as_of: i64,
    token: u64,
    group: u64,
}

/// The part of a row that is read.
#[derive(Deserialize)]
struct RowUsd {
    #[serde(default)]
    usd: u64,
}

impl ChannelUpdate {
    /// Writes the message; `None` when it would be too large.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let head = Head {
            v: VERSION,
            channel: self.channel.name().to_owned(),
            epoch: self.change.epoch.to_string(),
            seq: self.change.seq,
            as_of: self.change.as_of.0,
            token: self.token,
            group: self.group,
        };
        let mut text = serde_json::to_string(&head).ok()?;
        let mut line = |json: &str| {
            text.push('\n');
            text.push_str(json);
        };
        match &self.change.content {
            ChannelContent::Latest(value) => line(value),
            ChannelContent::Rows(rows) => rows.iter().for_each(|row| line(&row.json)),
        }
        (text.len() <= BYTES_MAX).then(|| text.into_bytes())
    }

    /// Reads a message; `None` when it is not one of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BYTES_MAX {
            return None;
        }
        let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
        let head: Head = serde_json::from_str(lines.next()?).ok()?;
        if head.v != VERSION || head.epoch.is_empty() || head.epoch.len() > NAME_BYTES_MAX {
            return None;
        }
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !head.epoch.bytes().all(is_id) {
            return None;
        }
        let channel = Channel::from_name(&head.channel).filter(|channel| *channel != Channel::Heatmap)?;
        let content = match ChannelKind::of(channel) {
            ChannelKind::Latest => {
                let value = lines.next()?;
                serde_json::from_str::<IgnoredAny>(value).ok()?;
                if lines.next().is_some() {
                    return None;
                }
                ChannelContent::Latest(value.into())
            }
            ChannelKind::Rows => {
                let row = |line: &str| {
                    let RowUsd { usd } = serde_json::from_str(line).ok()?;
                    Some(ChannelRow { usd, json: line.into() })
                };
                ChannelContent::Rows(lines.map(row).collect::<Option<_>>()?)
            }
        };
        let change =
            ChannelChange { epoch: head.epoch.into(), seq: head.seq, as_of: UnixMs(head.as_of), content };
        Some(Self { channel, token: head.token, group: head.group, change })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn update(channel: Channel, content: ChannelContent) -> ChannelUpdate {
        let change = ChannelChange { epoch: "1c6b2f0a.1".into(), seq: 7, as_of: UnixMs(5), content };
        ChannelUpdate { channel, token: 17, group: u64::MAX, change }
    }

    #[test]
    fn a_message_is_read_back() {
        let row = |usd: u64| ChannelRow { usd, json: format!(r#"{{"venue":"okx","usd":{usd}}}"#).into() };
        for update in [
            update(Channel::Price, ChannelContent::Latest(r#"{"last":1}"#.into())),
            update(Channel::Liquidations, ChannelContent::Rows(vec![row(5), row(6)])),
            update(Channel::Liquidations, ChannelContent::Rows(Vec::new())),
        ] {
            assert_eq!(ChannelUpdate::decode(&update.encode().unwrap()), Some(update));
        }
        let large = "1".repeat(BYTES_MAX).into();
        assert_eq!(update(Channel::Price, ChannelContent::Latest(large)).encode(), None);
    }

    #[test]
    fn other_bytes_are_no_message() {
        let good = update(Channel::Walls, ChannelContent::Latest("{}".into())).encode().unwrap();
        let good = String::from_utf8(good).unwrap();
        for text in [
            String::new(),
            good.replace("\"v\":1", "\"v\":2"),
            good.replace("walls", "heatmap"),
            good.replace("walls", "dance"),
            good.replace("1c6b2f0a.1", "a,b"),
            good.replace("1c6b2f0a.1", ""),
            good.replace("{}", "{"),
            format!("{good}\n{{}}"),
            good.lines().next().unwrap().to_owned(),
        ] {
            assert_eq!(ChannelUpdate::decode(text.as_bytes()), None, "{text}");
        }
        let rows = update(Channel::Liquidations, ChannelContent::Rows(Vec::new())).encode().unwrap();
        let rows = String::from_utf8(rows).unwrap();
        assert_eq!(ChannelUpdate::decode(format!("{rows}\n[1").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ChannelUpdate::decode(&bytes);
        }
    }
}
