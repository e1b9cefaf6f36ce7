//! Bearer tokens (JWT): whether a request may have data, and until when.
//!
//! Two kinds of signature are accepted, each with its own kind of key and no other: HS256 with the shared secret,
//! ES256 with a public key, named one by one or in a key set (JWKS). Which key is tried follows from the
//! algorithm in the token's head, so a public key is never taken for a secret. Every token must expire.
//!
//! The file of the key set is read again when a token names a key that is not in it and the file has changed,
//! at most once a minute; a file that cannot be read then leaves the known keys as they are.

mod signature;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use liqheat_market::UnixMs;
use serde::Deserialize;
use tracing::{info, warn};

/// How far the clocks of whoever signs and of this machine may be apart.
const LEEWAY_MS: i64 = 10_000;
/// Between two looks at the file of the key set.
const REREAD_EVERY_MS: i64 = 60_000;
/// The shortest secret: as long as the hash (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// A longer token is no token; request heads are bounded, too.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for where it is needed.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// Which tokens are accepted. Without a secret or key, none is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// The secret of HS256.
    pub secret: Option<Secret>,
    /// A file that holds it, instead.
    pub secret_file: Option<PathBuf>,
    /// A PEM file with the public key of ES256.
    pub public_key: Option<PathBuf>,
    /// A JWKS file with public keys of ES256.
    pub jwks: Option<PathBuf>,
    /// Who must have signed (`iss`).
    pub issuer: Option<String>,
    /// Whom tokens must be for (`aud`).
    pub audience: Option<String>,
}

/// Settings of tokens that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenSettingsError {
    /// Two secrets.
    #[error("WS_JWT_SECRET and WS_JWT_SECRET_FILE are both set; leave one out")]
    TwoSecrets,
    /// A secret that can be guessed.
    #[error(
        "the secret of {0} is shorter than {SECRET_BYTES_MIN} bytes; make one with `openssl rand -base64 48`"
    )]
    ShortSecret(&'static str),
    /// A file that cannot be read.
    #[error("{setting}: cannot read {path}: {error}")]
    Unreadable {
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A key that is none.
    #[error(
        "WS_JWT_PUBLIC_KEY: {0} is not a public key of ES256 in PEM form (-----BEGIN PUBLIC KEY-----, curve P-256)"
    )]
    NotAKey(PathBuf),
    /// A key set that is none.
    #[error(
        "WS_JWT_JWKS: {0} is not a key set ({{\"keys\":[..]}}) with at least one EC key of curve P-256 and a kid"
    )]
    NotAKeySet(PathBuf),
    /// Conditions for tokens that nobody checks.
    #[error(
        "{0} is set, but neither WS_JWT_SECRET nor WS_JWT_PUBLIC_KEY nor WS_JWT_JWKS, so no token is asked for"
    )]
    NothingToCheckWith(&'static str),
}

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

/// What a token says besides what is checked by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    /// Seconds since 1970; may have a fraction.
    exp: f64,
    nbf: Option<f64>,
}

/// Checks tokens.
pub(crate) struct Tokens {
    secret: Option<DecodingKey>,
    public_key: Option<DecodingKey>,
    /// Locked for a look-up, and at most once a minute while a small file is read.
    key_set: Option<Mutex<KeySet>>,
    /// Without an algorithm yet.
    conditions: Validation,
}

impl TokenSettings {
    /// Looks whether these settings can be used, and says everything that is wrong with them.
    #[must_use]
    pub fn faults(&self) -> Vec<TokenSettingsError> {
        Tokens::load(self).err().unwrap_or_default()
    }
}

impl Tokens {
    /// What checks tokens under these settings; `None` when none is asked for.
    pub(crate) fn load(settings: &TokenSettings) -> Result<Option<Self>, Vec<TokenSettingsError>> {
        let mut faults = Vec::new();
        let mut keep = |fault| faults.push(fault);
        let secret = secret(settings).map_err(&mut keep).ok().flatten();
        let public_key = settings.public_key.as_deref().map(public_key).transpose();
        let public_key = public_key.map_err(&mut keep).ok().flatten();
        let key_set = settings.jwks.as_deref().map(KeySet::load).transpose();
        let key_set = key_set.map_err(&mut keep).ok().flatten();
        if !faults.is_empty() {
            return Err(faults);
        }
        if secret.is_none() && public_key.is_none() && key_set.is_none() {
            let conditions = [("WS_JWT_ISSUER", &settings.issuer), ("WS_JWT_AUDIENCE", &settings.audience)];
            let unused = conditions.into_iter().filter(|(_, value)| value.is_some());
            let faults: Vec<_> =
                unused.map(|(name, _)| TokenSettingsError::NothingToCheckWith(name)).collect();
            return if faults.is_empty() { Ok(None) } else { Err(faults) };
        }
        signature::install();
        let conditions = conditions(settings);
        Ok(Some(Self { secret, public_key, key_set: key_set.map(Mutex::new), conditions }))
    }

    /// Checks a token; gives the moment at which it ends.
    pub(crate) fn check(&self, token: &str, now: UnixMs) -> Result<UnixMs, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Malformed);
        }
        let head = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
        let key = match head.alg {
            Algorithm::HS256 => self.secret.clone().ok_or(TokenFault::Algorithm)?,
            Algorithm::ES256 => self.public_key_for(head.kid.as_deref(), now)?,
            _ => return Err(TokenFault::Algorithm),
        };
        let conditions = Validation { algorithms: vec![head.alg], ..self.conditions.clone() };
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key, &conditions).map_err(|error| fault_of(&error))?;
        check_times(&claims.claims, now)
    }

    /// How long a token that ends at a moment is still good for.
    pub(crate) fn left(expires: UnixMs, now: UnixMs) -> Duration {
        Duration::from_millis(u64::try_from(expires.since(now)).unwrap_or(0))
    }

    fn public_key_for(&self, kid: Option<&str>, now: UnixMs) -> Result<DecodingKey, TokenFault> {
        let named = kid.and_then(|kid| {
            let key_set = self.key_set.as_ref()?;
            key_set.lock().unwrap_or_else(PoisonError::into_inner).find(kid, now)
        });
        let missing = if self.key_set.is_some() { TokenFault::UnknownKey } else { TokenFault::Algorithm };
        named.or_else(|| self.public_key.clone()).ok_or(missing)
    }
}

/// Checks that depend on the time, which is a parameter here and not in the library.
fn check_times(claims: &Claims, now: UnixMs) -> Result<UnixMs, TokenFault> {
    // The cast saturates, and NaN cannot be written in JSON.
    let ms = |seconds: f64| UnixMs((seconds * 1_000.0) as i64);
    let expires = ms(claims.exp).plus(LEEWAY_MS);
    if expires <= now {
        return Err(TokenFault::Expired);
    }
    if claims.nbf.is_some_and(|nbf| ms(nbf) > now.plus(LEEWAY_MS)) {
        return Err(TokenFault::TooEarly);
    }
    Ok(expires)
}

fn conditions(settings: &TokenSettings) -> Validation {
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
        // The claims are read before they are checked, and `exp` is the only one that must be there.
        ErrorKind::Json(error) if error.to_string().contains("`exp`") => TokenFault::NoExpiry,
        _ => TokenFault::Malformed,
    }
}

fn secret(settings: &TokenSettings) -> Result<Option<DecodingKey>, TokenSettingsError> {
    let (text, setting) = match (&settings.secret, &settings.secret_file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(TokenSettingsError::TwoSecrets),
        (Some(secret), None) => (secret.0.clone(), "WS_JWT_SECRET"),
        (None, Some(path)) => (read("WS_JWT_SECRET_FILE", path)?, "WS_JWT_SECRET_FILE"),
    };
    // Editors end files with a line break that nobody means to be part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.len() < SECRET_BYTES_MIN {
        return Err(TokenSettingsError::ShortSecret(setting));
    }
    Ok(Some(DecodingKey::from_secret(secret.as_bytes())))
}

fn public_key(path: &Path) -> Result<DecodingKey, TokenSettingsError> {
    let text = read("WS_JWT_PUBLIC_KEY", path)?;
    signature::public_key(&text).ok_or_else(|| TokenSettingsError::NotAKey(path.to_path_buf()))
}

fn read(setting: &'static str, path: &Path) -> Result<String, TokenSettingsError> {
    std::fs::read_to_string(path).map_err(|error| TokenSettingsError::Unreadable {
        setting,
        path: path.to_path_buf(),
        error,
    })
}

/// The keys of a JWKS file.
struct KeySet {
    path: PathBuf,
    keys: HashMap<String, DecodingKey>,
    modified: Option<SystemTime>,
    /// When the file was last looked at for a key that is not in it.
    looked: Option<UnixMs>,
}

impl KeySet {
    fn load(path: &Path) -> Result<Self, TokenSettingsError> {
        let modified = modified(path);
        let text = read("WS_JWT_JWKS", path)?;
        let keys = parse_key_set(&text).ok_or_else(|| TokenSettingsError::NotAKeySet(path.to_path_buf()))?;
        Ok(Self { path: path.to_path_buf(), keys, modified, looked: None })
    }

    fn find(&mut self, kid: &str, now: UnixMs) -> Option<DecodingKey> {
        if !self.keys.contains_key(kid) {
            self.look_again(now);
        }
        self.keys.get(kid).cloned()
    }

    fn look_again(&mut self, now: UnixMs) {
        if self.looked.is_some_and(|looked| now.since(looked) < REREAD_EVERY_MS) {
            return;
        }
        self.looked = Some(now);
        let newest = modified(&self.path);
        if newest == self.modified {
            return;
        }
        match Self::load(&self.path) {
            Ok(read) => {
                info!(path = %self.path.display(), keys = read.keys.len(), "key set read again");
                *self = Self { looked: self.looked, ..read };
            }
            Err(error) => warn!(%error, "key set not read again; the known keys stay"),
        }
    }
}

/// `None` too when the file is gone: then reading says so.
fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// Keys of ES256 by their names; keys of other kinds are for others.
fn parse_key_set(text: &str) -> Option<HashMap<String, DecodingKey>> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<serde_json::Value>,
    }
    let listed: Keys = serde_json::from_str(text).ok()?;
    let key = |value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let AlgorithmParameters::EllipticCurve(curve) = &jwk.algorithm else { return None };
        let key = (curve.curve == EllipticCurve::P256).then(|| DecodingKey::from_jwk(&jwk))?.ok()?;
        Some((jwk.common.key_id?, key)).filter(|(_, key)| signature::is_usable(key))
    };
    let keys: HashMap<_, _> = listed.keys.into_iter().filter_map(key).collect();
    (!keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests;
