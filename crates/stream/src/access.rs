//! What a client may read, and how it renews the token that says so.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use liqheat_wire::Channel;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Limits of a token: what is not named by a list may not be read. Without a list everything may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Symbols, by the exact names of `/v1/symbols`.
    pub symbols: Option<BTreeSet<String>>,
    /// Channels; names that this server does not know allow nothing.
    pub channels: Option<BTreeSet<Channel>>,
}

impl Access {
    /// Whether a symbol may be read at all.
    #[must_use]
    pub fn allows_symbol(&self, symbol: &str) -> bool {
        self.symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol))
    }

    /// Whether a channel may be read at all.
    #[must_use]
    pub fn allows_channel(&self, channel: Channel) -> bool {
        self.channels.as_ref().is_none_or(|channels| channels.contains(&channel))
    }

    /// Why a symbol may not be read; `None` when it may.
    #[must_use]
    pub fn refusal_of_symbol(&self, symbol: &str) -> Option<String> {
        let named: String = symbol.chars().take(40).collect();
        (!self.allows_symbol(symbol))
            .then(|| format!("The token does not allow symbol '{named}' (claim 'symbols')"))
    }

    /// Why a channel may not be read; `None` when it may.
    #[must_use]
    pub fn refusal_of_channel(&self, channel: Channel) -> Option<String> {
        let name = channel.name();
        (!self.allows_channel(channel))
            .then(|| format!("The token does not allow channel '{name}' (claim 'channels')"))
    }

    /// Why a channel of a symbol may not be read; `None` when it may.
    #[must_use]
    pub fn refusal(&self, symbol: &str, channel: Channel) -> Option<String> {
        self.refusal_of_symbol(symbol).or_else(|| self.refusal_of_channel(channel))
    }
}

/// What a token gives a session.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// When it ends; never without.
    pub expires_at: Option<Instant>,
    /// What may be read.
    pub access: Arc<Access>,
    /// Cancelled when the key it was signed with is no longer accepted.
    pub revoked: CancellationToken,
}

/// Checks a token that a client sends to go on.
pub trait RenewTokens: Debug + Send + Sync {
    /// What the token gives.
    ///
    /// # Errors
    /// Why it is not accepted, in words for the client.
    fn renew(&self, token: &str) -> Result<Grant, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_allow_what_they_name() {
        let all = Access::default();
        assert_eq!(all.refusal("X", Channel::Walls), None);
        let access = Access {
            symbols: Some(BTreeSet::from(["X".to_owned()])),
            channels: Some(BTreeSet::from([Channel::Price])),
        };
        assert_eq!(access.refusal("X", Channel::Price), None);
        assert!(access.refusal("X@okx", Channel::Price).unwrap().contains("symbol 'X@okx'"));
        assert!(access.refusal("X", Channel::Heatmap).unwrap().contains("channel 'heatmap'"));
        let nothing = Access { channels: Some(BTreeSet::new()), ..Access::default() };
        assert!(nothing.refusal("X", Channel::Heatmap).is_some());
    }
}
