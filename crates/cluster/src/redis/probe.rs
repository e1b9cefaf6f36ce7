//! What is in Redis under a prefix, for `liqheat doctor`. Writes nothing.

use liqheat_wire::FeedState;

use super::{LIST_BYTES_MAX, RedisClient, connect};
use crate::group::Group;
use crate::message::Message;
use crate::request::{RequestFailure, StoredValue};
use crate::settings::RedisSettings;

/// What a look at Redis finds, for `liqheat doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What the servers of this prefix serve; `None` while there are none.
    pub group: Option<String>,
    /// Whether a server holds the lease.
    pub has_producer: bool,
    /// Symbols with a usable state, and the state of their feeds.
    pub symbols: Vec<(String, FeedState)>,
    /// Values that no server wrote: key, reason.
    pub unusable: Vec<(String, String)>,
}

/// Connects, and reads what is there for these symbols. Writes nothing.
///
/// # Errors
/// When Redis cannot be reached or refuses a command, in its words.
pub async fn probe(settings: &RedisSettings, symbols: &[String]) -> Result<Probe, String> {
    let mut client = RedisClient::new(settings.clone(), String::new(), None);
    client.probe(symbols).await.map_err(|fault| fault.to_string())
}

impl RedisClient {
    async fn probe(&mut self, symbols: &[String]) -> Result<Probe, RequestFailure> {
        self.connection = Some(connect(&self.settings.address.client, self.within()).await?);
        let names = ["lease", "fence", "group", "symbols"];
        let keys = names.map(|name| self.keys.of(name));
        let mut unusable = Vec::new();
        let mut texts = Vec::new();
        for (key, value) in keys.iter().zip(self.read(&keys, LIST_BYTES_MAX).await?) {
            texts.push(match value {
                StoredValue::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                StoredValue::Missing => None,
                StoredValue::Unusable(why) => {
                    unusable.push((key.clone(), why));
                    None
                }
            });
        }
        if texts[1].as_deref().is_some_and(|fence| !is_token(fence)) {
            unusable.push((keys[1].clone(), "not a whole number below 2^53; it counts as 0".to_owned()));
        }
        let group = texts[2].as_deref().and_then(Group::parse);
        if texts[2].is_some() && group.is_none() {
            unusable.push((keys[2].clone(), "no server writes that; it counts as missing".to_owned()));
        }
        let mut found = Vec::new();
        for (symbol, value) in symbols.iter().zip(self.read_states(symbols).await?) {
            let read = match value {
                StoredValue::Missing => continue,
                StoredValue::Unusable(why) => Err(why),
                StoredValue::Bytes(bytes) => Message::decode(&bytes).map_err(|error| error.to_string()),
            };
            match read {
                Ok(message) => found.push((symbol.clone(), message.feed_state)),
                Err(why) => unusable.push((self.keys.state(symbol), why)),
            }
        }
        let has_producer = texts[0].is_some();
        Ok(Probe { group: group.map(|group| group.to_string()), has_producer, symbols: found, unusable })
    }
}

/// The rule of `scripts::WHOLE`.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok_and(|token| token < 1 << 53)
}
