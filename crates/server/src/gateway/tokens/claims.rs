//! What a token must say to be accepted, and what it gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Header, Validation};
use liqheat_market::UnixMs;
use liqheat_market::convert::trunc_i64;
use liqheat_stream::{Access, Grant};
use liqheat_wire::Channel;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use tokio_util::sync::CancellationToken;

use super::settings::TokenSettings;

/// Allowed difference between the clocks of the issuer and of this machine.
const LEEWAY_MS: i64 = 10_000;
/// Longer tokens are refused unread.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;

/// Why a token is not accepted; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    #[error(
        "a bearer token is needed: send it as 'Authorization: Bearer ..' or offer the subprotocol 'bearer.<token>'"
    )]
    Missing,
    #[error("the token is not a JWT")]
    Malformed,
    #[error("the token is signed in a way that is not accepted here")]
    Algorithm,
    #[error("the token names a key that is not known here")]
    UnknownKey,
    #[error("the token demands an extension that is not supported here (header 'crit')")]
    Critical,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token says no time at which it expires (claim 'exp')")]
    NoExpiry,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
}

/// What a token gives.
#[derive(Debug, Clone)]
pub(crate) struct TokenGrant {
    /// When it ends.
    pub(crate) expires: UnixMs,
    /// Cancelled when the key it was signed with is no longer accepted.
    pub(crate) revoked: CancellationToken,
    /// What may be read.
    pub(crate) access: Arc<Access>,
    /// Whether files may be loaded.
    pub(crate) may_ingest: bool,
}

impl TokenGrant {
    /// The same for a session, which ends by the monotonic clock.
    pub(crate) fn for_session(self, now: UnixMs) -> Grant {
        // A token for thousands of years is one for a hundred.
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
        let remaining = Duration::from_millis(u64::try_from(self.expires.since(now)).unwrap_or(0));
        let expires_at = tokio::time::Instant::now() + remaining.min(LONGEST);
        Grant { expires_at: Some(expires_at), access: self.access, revoked: self.revoked }
    }
}

/// What a token says besides what is checked by the library.
#[derive(Debug, Deserialize)]
pub(super) struct SignedClaims {
    /// Seconds since 1970; may have a fraction.
    #[serde(default, deserialize_with = "present")]
    exp: Option<f64>,
    nbf: Option<f64>,
    /// Symbols that may be read; all of them without.
    symbols: Option<BTreeSet<String>>,
    /// Channels that may be read; all of them without. Names that are not known here allow nothing.
    channels: Option<Vec<String>>,
    /// Whether files may be loaded; only `true` allows it.
    ingest: Option<serde_json::Value>,
}

/// A number that may be missing but not `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(deserializer).map(Some)
}

impl SignedClaims {
    /// The claims of a token whose signature, issuer and audience are right.
    pub(super) fn verified(
        token: &str,
        key: &DecodingKey,
        conditions: &Validation,
    ) -> Result<Self, TokenFault> {
        let decoded = jsonwebtoken::decode::<Self>(token, key, conditions);
        decoded.map(|token| token.claims).map_err(|error| fault_of(&error))
    }

    /// What they give at a moment; `revoked` is cancelled when the key of the token is no longer accepted.
    ///
    /// # Errors
    /// When the token has expired, is not valid yet or never expires.
    pub(super) fn grant(self, now: UnixMs, revoked: CancellationToken) -> Result<TokenGrant, TokenFault> {
        let expires = self.check_times(now)?;
        let may_ingest = self.ingest == Some(serde_json::Value::Bool(true));
        Ok(TokenGrant { expires, revoked, access: Arc::new(self.access()), may_ingest })
    }

    /// Checks that depend on the time, which is a parameter here and not in the library. Returns when the token ends.
    fn check_times(&self, now: UnixMs) -> Result<UnixMs, TokenFault> {
        // The cast saturates, and NaN cannot be written in JSON.
        let ms = |seconds: f64| UnixMs(trunc_i64(seconds * 1_000.0));
        let expires = ms(self.exp.ok_or(TokenFault::NoExpiry)?).plus(LEEWAY_MS);
        if expires <= now {
            return Err(TokenFault::Expired);
        }
        if self.nbf.is_some_and(|nbf| ms(nbf) > now.plus(LEEWAY_MS)) {
            return Err(TokenFault::TooEarly);
        }
        Ok(expires)
    }

    fn access(self) -> Access {
        let channel = |name: &String| Channel::from_name(name);
        let channels = self.channels.map(|names| names.iter().filter_map(channel).collect());
        Access { symbols: self.symbols, channels }
    }
}

/// The head of a token that can be read and asks for nothing that is not supported.
pub(super) fn head_of(token: &str) -> Result<Header, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::Malformed);
    }
    if has_critical_extensions(token)? {
        return Err(TokenFault::Critical);
    }
    jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)
}

/// Whether the token's head lists extensions that must be understood.
fn has_critical_extensions(token: &str) -> Result<bool, TokenFault> {
    let head = token.split('.').next().unwrap_or_default();
    let json = BASE64_URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenFault::Malformed)?;
    let fields: BTreeMap<String, IgnoredAny> =
        serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)?;
    Ok(fields.contains_key("crit"))
}

/// What must hold for every token, without an algorithm yet.
pub(super) fn conditions(settings: &TokenSettings) -> Validation {
    let mut conditions = Validation {
        validate_exp: false,
        validate_aud: settings.audience.is_some(),
        ..Validation::default()
    };
    let mut required = vec!["exp"];
    if let Some(issuer) = &settings.issuer {
        conditions.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = &settings.audience {
        conditions.set_audience(&[audience]);
        required.push("aud");
    }
    conditions.set_required_spec_claims(&required);
    conditions
}

fn fault_of(error: &jsonwebtoken::errors::Error) -> TokenFault {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenFault::Signature,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::InvalidAlgorithm => TokenFault::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "exp" => TokenFault::NoExpiry,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenFault::Issuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenFault::Audience,
        _ => TokenFault::Malformed,
    }
}
