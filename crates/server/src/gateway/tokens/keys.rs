//! The keys that tokens are checked with, and what changes when their files do. No I/O: texts come in.

use std::collections::HashMap;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::signature;

/// The shortest secret: as long as the hash (RFC 7518, 3.2).
pub(super) const SECRET_BYTES_MIN: usize = 32;

/// One key, and a signal for those who were let in with it.
#[derive(Clone)]
pub(super) struct Key {
    decoding: DecodingKey,
    /// Cancelled when the key is no longer accepted.
    revoked: CancellationToken,
}

impl Key {
    fn new(decoding: DecodingKey) -> Self {
        Self { decoding, revoked: CancellationToken::new() }
    }

    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    pub(super) const fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }

    fn is_same(&self, other: &Self) -> bool {
        matches!(
            (self.decoding.try_get_as_bytes(), other.decoding.try_get_as_bytes()),
            (Ok(one), Ok(other)) if one == other
        )
    }
}

/// Which setting keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeySource {
    Secret,
    PublicKey,
    KeySet,
}

impl KeySource {
    /// The setting that names the file.
    pub(super) const fn setting(self) -> &'static str {
        match self {
            Self::Secret => "WS_JWT_SECRET_FILE",
            Self::PublicKey => "WS_JWT_PUBLIC_KEY",
            Self::KeySet => "WS_JWT_JWKS",
        }
    }
}

/// Keys from one source.
pub(super) enum ParsedKeys {
    Secret(Key),
    PublicKey(Key),
    /// By `kid`.
    KeySet(HashMap<String, Key>),
}

impl ParsedKeys {
    /// Reads the text of a source; `None` when it is not what the setting wants. A key set may be empty.
    pub(super) fn parse(source: KeySource, text: &str) -> Option<Self> {
        match source {
            KeySource::Secret => secret(text).map(Self::Secret),
            KeySource::PublicKey => signature::public_key(text).map(Key::new).map(Self::PublicKey),
            KeySource::KeySet => key_set(text).map(Self::KeySet),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Secret(_) | Self::PublicKey(_) => 1,
            Self::KeySet(keys) => keys.len(),
        }
    }
}

/// Editors end files with a line break that nobody means to be part of the secret.
fn secret(text: &str) -> Option<Key> {
    let secret = text.trim_end_matches(['\r', '\n']);
    (secret.len() >= SECRET_BYTES_MIN).then(|| Key::new(DecodingKey::from_secret(secret.as_bytes())))
}

/// Keys of ES256 by their `kid`; keys of other kinds are skipped.
fn key_set(text: &str) -> Option<HashMap<String, Key>> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<serde_json::Value>,
    }
    let listed: KeySet = serde_json::from_str(text).ok()?;
    let key = |value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let AlgorithmParameters::EllipticCurve(curve) = &jwk.algorithm else { return None };
        let key = (curve.curve == EllipticCurve::P256).then(|| DecodingKey::from_jwk(&jwk))?.ok()?;
        let key = Some(key).filter(signature::is_usable)?;
        Some((jwk.common.key_id?, Key::new(key)))
    };
    Some(listed.keys.into_iter().filter_map(key).collect())
}

/// All keys in use.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) secret: Option<Key>,
    pub(super) public_key: Option<Key>,
    /// `None` where no key set is configured.
    pub(super) key_set: Option<HashMap<String, Key>>,
}

impl Keys {
    /// Whether there is none: then no token is asked for.
    pub(super) const fn is_empty(&self) -> bool {
        self.secret.is_none() && self.public_key.is_none() && self.key_set.is_none()
    }

    /// Takes what all sources hold now, as [`Keys::replace`] does for one; sources that are no longer configured lose
    /// their keys. Returns how many keys were revoked.
    pub(super) fn replace_all(&mut self, all: Self) -> usize {
        let mut revoked = 0;
        match all.secret {
            Some(key) => revoked += replace_one(&mut self.secret, key),
            None => revoked += revoke(self.secret.take()),
        }
        match all.public_key {
            Some(key) => revoked += replace_one(&mut self.public_key, key),
            None => revoked += revoke(self.public_key.take()),
        }
        match all.key_set {
            Some(keys) => revoked += self.replace(ParsedKeys::KeySet(keys)),
            None => revoked += revoke(self.key_set.take().into_iter().flat_map(HashMap::into_values)),
        }
        revoked
    }

    /// Takes what a source holds now. Keys that were there before stay as they are, those that are gone are revoked.
    /// Returns how many were revoked.
    pub(super) fn replace(&mut self, parsed: ParsedKeys) -> usize {
        match parsed {
            ParsedKeys::Secret(key) => replace_one(&mut self.secret, key),
            ParsedKeys::PublicKey(key) => replace_one(&mut self.public_key, key),
            ParsedKeys::KeySet(mut keys) => {
                let mut revoked = 0;
                for (kid, before) in self.key_set.take().unwrap_or_default() {
                    match keys.get_mut(&kid).filter(|key| key.is_same(&before)) {
                        Some(key) => *key = before,
                        None => {
                            before.revoked.cancel();
                            revoked += 1;
                        }
                    }
                }
                self.key_set = Some(keys);
                revoked
            }
        }
    }
}

fn revoke(keys: impl IntoIterator<Item = Key>) -> usize {
    keys.into_iter().map(|key| key.revoked.cancel()).count()
}

fn replace_one(place: &mut Option<Key>, key: Key) -> usize {
    match place {
        Some(before) if before.is_same(&key) => 0,
        _ => {
            let before = place.replace(key);
            before.map_or(0, |before| {
                before.revoked.cancel();
                1
            })
        }
    }
}
