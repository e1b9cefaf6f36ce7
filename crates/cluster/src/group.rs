//! What the servers of a cluster have in common. Servers that differ in it must not exchange states: a viewer of a
//! live market would suddenly see a simulated one under the same name.

use std::fmt;

/// Where the market data of a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Live venues.
    Live,
    /// A database that nothing is added to.
    Stored,
    /// A database, played.
    Replay,
    /// The simulated market.
    Simulated,
}

impl DataKind {
    const ALL: [Self; 4] = [Self::Live, Self::Stored, Self::Replay, Self::Simulated];

    /// The word used in Redis, logs and `/ready`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stored => "stored",
            Self::Replay => "replay",
            Self::Simulated => "simulated",
        }
    }
}

/// Kind of data, venues and model of a server, as one line of text: `live binance,okx model=00c0ffee00c0ffee`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    text: String,
}

impl Group {
    /// Longest text that is read; eight venues take 120 bytes.
    pub(crate) const BYTES_MAX: usize = 400;

    /// `model` is the fingerprint of the model's parameters.
    #[must_use]
    pub fn new(kind: DataKind, venues: impl IntoIterator<Item = &'static str>, model: u64) -> Self {
        let mut venues: Vec<&str> = venues.into_iter().collect();
        venues.sort_unstable();
        venues.dedup();
        let venues = if venues.is_empty() { "-".to_owned() } else { venues.join(",") };
        Self { text: format!("{} {venues} model={model:016x}", kind.name()) }
    }

    /// Reads the text that another server wrote; `None` when no server writes that.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (kind, venues, model) = (words.next()?, words.next()?, words.next()?.strip_prefix("model=")?);
        let is_ours = words.next().is_none()
            && text.len() <= Self::BYTES_MAX
            && DataKind::ALL.iter().any(|known| known.name() == kind)
            && !venues.is_empty()
            && venues.chars().all(|c| c.is_ascii_alphanumeric() || ",-_".contains(c))
            && model.len() == 16
            && model.chars().all(|c| c.is_ascii_hexdigit());
        is_ours.then(|| Self { text: text.to_owned() })
    }

    /// Whether both are live, both simulated, and so on.
    pub(crate) fn has_kind_of(&self, other: &Self) -> bool {
        let kind = |group: &Self| group.text.split(' ').next().map(str::to_owned);
        kind(self) == kind(other)
    }

    /// The text, as it stands in Redis.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Hash of the text (FNV-1a, 52 bits: numbers in messages are below 2^53), which every message carries.
    pub(crate) fn fingerprint(&self) -> u64 {
        let hash = self.text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash >> 12
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_back_and_nothing_else_is() {
        let group = Group::new(DataKind::Live, ["okx", "binance", "okx"], 0xc0ffee);
        assert_eq!(group.to_string(), "live binance,okx model=0000000000c0ffee");
        assert_eq!(Group::parse(group.as_str()), Some(group.clone()));
        let empty = Group::new(DataKind::Stored, [], 1);
        assert_eq!(Group::parse(empty.as_str()), Some(empty.clone()));
        for other in [
            "",
            "live",
            "live binance",
            "alive binance model=0000000000c0ffee",
            "live  model=0000000000c0ffee",
        ] {
            assert_eq!(Group::parse(other), None, "{other}");
        }
        assert!(group.has_kind_of(&Group::new(DataKind::Live, ["bybit"], 2)));
        assert!(!group.has_kind_of(&empty));
        assert_ne!(group.fingerprint(), empty.fingerprint());
    }
}
