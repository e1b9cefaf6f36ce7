//! Names of channels and keys.

/// End of the name of a Redis channel for channels beside the heatmap.
const CHANNELS: &str = ":channels";

/// Names of channels and keys.
#[derive(Debug, Clone)]
pub(crate) struct RedisKeys {
    prefix: String,
}

impl RedisKeys {
    pub(crate) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub(super) fn channel(&self, symbol: &str) -> String {
        format!("{}:{symbol}", self.prefix)
    }

    pub(super) fn channels(&self, symbol: &str) -> String {
        format!("{}:{symbol}{CHANNELS}", self.prefix)
    }

    /// The symbol whose channels beside the heatmap this Redis channel carries.
    pub(crate) fn symbol_of_channels<'a>(&self, channel: &'a str) -> Option<&'a str> {
        self.symbol(channel)?.strip_suffix(CHANNELS)
    }

    /// The symbol of a channel.
    pub(crate) fn symbol<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix(':')
    }

    pub(super) fn state(&self, symbol: &str) -> String {
        format!("{}:{symbol}:state", self.prefix)
    }

    pub(super) fn of(&self, what: &str) -> String {
        format!("{}:{what}", self.prefix)
    }
}
