//! Bearer tokens (JWT): whether a request may have data, and until when.
//!
//! Two kinds of signature are accepted, each with its own kind of key and no other: HS256 with the shared secret,
//! ES256 with a public key, named one by one or in a key set (JWKS). Which key is tried follows from the
//! algorithm in the token's head, so a public key is never taken for a secret. Every token must expire.
//!
//! Files of keys are watched by a task ([`Tokens::watch`]), so that checking a token never reads a file. A key that is
//! removed is no longer accepted seconds later, and WebSockets that were opened with it are closed.

#![expect(clippy::disallowed_methods, reason = "reads the key files off the async workers")]

mod keys;
mod signature;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation};
use liqheat_market::UnixMs;
use liqheat_market::convert::{signed_len, trunc_i64};
use liqheat_stream::{Access, RenewTokens};
use liqheat_wire::Channel;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use keys::{Key, KeySource, Keys, ParsedKeys, SECRET_BYTES_MIN};
use watch::KeyFile;

use crate::clock::MarketClock;

/// How far the clocks of whoever signs and of this machine may be apart.
const LEEWAY_MS: i64 = 10_000;
/// Between two readings of the files of keys.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// The longest token that is looked at.
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
    /// Malformed key.
    #[error(
        "WS_JWT_PUBLIC_KEY: {0} is not a public key of ES256 in PEM form (-----BEGIN PUBLIC KEY-----, curve P-256)"
    )]
    NotAKey(PathBuf),
    /// Malformed key set.
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

/// What a token says besides what is checked by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    /// Seconds since 1970; may have a fraction.
    exp: f64,
    nbf: Option<f64>,
    /// Symbols that may be read; all of them without.
    symbols: Option<BTreeSet<String>>,
    /// Channels that may be read; all of them without. Names that are not known here allow nothing.
    channels: Option<Vec<String>>,
    /// Whether files may be loaded; only `true` allows it.
    ingest: Option<serde_json::Value>,
}

impl Claims {
    fn access(self) -> Access {
        let channel = |name: &String| Channel::from_name(name);
        let channels = self.channels.map(|names| names.iter().filter_map(channel).collect());
        Access { symbols: self.symbols, channels }
    }
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
    /// The same for a session, whose clock is another one.
    pub(crate) fn for_session(self, now: UnixMs) -> liqheat_stream::Grant {
        // A token for thousands of years is one for a hundred.
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
        let expires_at = tokio::time::Instant::now() + Tokens::left(self.expires, now).min(LONGEST);
        liqheat_stream::Grant { expires_at: Some(expires_at), access: self.access, revoked: self.revoked }
    }
}

impl RenewTokens for Tokens {
    fn renew(&self, token: &str) -> Result<liqheat_stream::Grant, String> {
        if !self.are_required() {
            return Err("This server asks for no token".to_owned());
        }
        let now = MarketClock::wall_now();
        self.check(token, now).map(|grant| grant.for_session(now)).map_err(|fault| fault.to_string())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are never shown.
        f.write_str("Tokens")
    }
}

/// Checks tokens.
pub(crate) struct Tokens {
    /// Locked for a look-up, and for moments when a file has changed.
    state: RwLock<TokenState>,
    /// Locked by whoever reads them: the task that watches, and the operator's reload.
    files: Mutex<Vec<KeyFile>>,
    reloads: Counter,
    files_failing: Gauge,
}

/// What tokens are checked with.
struct TokenState {
    /// Empty where no token is asked for.
    keys: Keys,
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
    /// What checks tokens under these settings.
    pub(crate) fn load(settings: &TokenSettings) -> Result<Self, Vec<TokenSettingsError>> {
        let (state, files) = Self::read(settings)?;
        Ok(Self {
            state: RwLock::new(state),
            files: Mutex::new(files),
            reloads: Counter::default(),
            files_failing: Gauge::default(),
        })
    }

    /// Takes other settings. Keys that stay the same stay in use; WebSockets that were opened with one that is gone are
    /// closed. Reads files. Returns how many keys were revoked.
    pub(crate) fn reload(&self, settings: &TokenSettings) -> Result<usize, Vec<TokenSettingsError>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, new_files) = Self::read(settings)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *files = new_files;
        state.conditions = read.conditions;
        Ok(state.keys.replace_all(read.keys))
    }

    /// Whether requests for data need a token.
    pub(crate) fn are_required(&self) -> bool {
        !self.state.read().unwrap_or_else(PoisonError::into_inner).keys.is_empty()
    }

    fn read(settings: &TokenSettings) -> Result<(TokenState, Vec<KeyFile>), Vec<TokenSettingsError>> {
        let mut faults = Vec::new();
        let (mut keys, mut files) = (Keys::default(), Vec::new());
        match (&settings.secret, &settings.secret_file) {
            (Some(_), Some(_)) => faults.push(TokenSettingsError::TwoSecrets),
            (Some(secret), None) => match ParsedKeys::parse(KeySource::Secret, secret.expose()) {
                Some(secret) => {
                    keys.replace(secret);
                }
                None => faults.push(TokenSettingsError::ShortSecret("WS_JWT_SECRET")),
            },
            (None, _) => {}
        }
        let is_used = |source| source != KeySource::Secret || settings.secret.is_none();
        for (source, path) in KeyFile::paths(settings).filter(|(source, _)| is_used(*source)) {
            match load_file(source, path) {
                Ok((parsed, file)) => {
                    keys.replace(parsed);
                    files.push(file);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if keys.is_empty() {
            let conditions = [("WS_JWT_ISSUER", &settings.issuer), ("WS_JWT_AUDIENCE", &settings.audience)];
            let unused = conditions.into_iter().filter(|(_, value)| value.is_some());
            let faults: Vec<_> =
                unused.map(|(name, _)| TokenSettingsError::NothingToCheckWith(name)).collect();
            if !faults.is_empty() {
                return Err(faults);
            }
        }
        signature::install();
        Ok((TokenState { keys, conditions: conditions(settings) }, files))
    }

    /// Checks a token.
    pub(crate) fn check(&self, token: &str, now: UnixMs) -> Result<TokenGrant, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Malformed);
        }
        if has_critical_extensions(token)? {
            return Err(TokenFault::Critical);
        }
        let head = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
        let (key, conditions) = self.key_for(head.alg, head.kid.as_deref())?;
        let conditions = Validation { algorithms: vec![head.alg], ..conditions };
        let claims = jsonwebtoken::decode::<Claims>(token, key.decoding(), &conditions)
            .map_err(|error| fault_of(&error))?;
        let expires = check_times(&claims.claims, now)?;
        let may_ingest = claims.claims.ingest == Some(serde_json::Value::Bool(true));
        let access = Arc::new(claims.claims.access());
        Ok(TokenGrant { expires, revoked: key.revoked().clone(), access, may_ingest })
    }

    /// How long a token that ends at a moment is still good for.
    pub(crate) fn left(expires: UnixMs, now: UnixMs) -> Duration {
        Duration::from_millis(u64::try_from(expires.since(now)).unwrap_or(0))
    }

    /// The key for a token, and what else must hold.
    fn key_for(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<(Key, Validation), TokenFault> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let keys = &state.keys;
        let key = match algorithm {
            Algorithm::HS256 => keys.secret.clone().ok_or(TokenFault::Algorithm),
            Algorithm::ES256 => {
                let named = kid.and_then(|kid| keys.key_set.as_ref()?.get(kid));
                let missing =
                    if keys.key_set.is_some() { TokenFault::UnknownKey } else { TokenFault::Algorithm };
                named.or(keys.public_key.as_ref()).cloned().ok_or(missing)
            }
            _ => Err(TokenFault::Algorithm),
        };
        Ok((key?, state.conditions.clone()))
    }

    /// Reads the files of keys again and again, until asked to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut tick = interval(WATCH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            let tokens = Arc::clone(&self);
            // Files may lie on a slow disk. A reading that panics is tried again like one that fails.
            let _ = tokio::task::spawn_blocking(move || tokens.read_files_again()).await;
        }
    }

    /// One reading of all files; blocks.
    fn read_files_again(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for file in files.iter_mut() {
            let Some(parsed) = file.take(watch::read(&file.path)) else { continue };
            let count = parsed.len();
            let revoked = self.state.write().unwrap_or_else(PoisonError::into_inner).keys.replace(parsed);
            self.reloads.inc();
            file.report(count, revoked);
        }
        self.files_failing.set(signed_len(files.iter().filter(|file| file.is_faulty()).count()));
    }

    /// Why keys in use may be out of date, for `/ready`.
    pub(crate) fn faults(&self) -> Vec<String> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let faulty = files.iter().filter(|file| file.is_faulty());
        let reason = |file: &KeyFile| {
            let setting = file.source.setting();
            format!("the key file of {setting} cannot be used; keys read before stay in use; see the log")
        };
        faulty.map(reason).collect()
    }

    /// Shows what happens to the files of keys in `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("liqheat");
        ours.register(
            "token_key_reloads",
            "Changed files of token keys taken into use",
            self.reloads.clone(),
        );
        let help = "Files of token keys that cannot be read or parsed; keys read before stay in use";
        ours.register("token_key_files_failing", help, self.files_failing.clone());
    }
}

/// Whether the token's head lists extensions that must be understood.
fn has_critical_extensions(token: &str) -> Result<bool, TokenFault> {
    let head = token.split('.').next().unwrap_or_default();
    let json = BASE64_URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenFault::Malformed)?;
    let fields: BTreeMap<String, IgnoredAny> =
        serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)?;
    Ok(fields.contains_key("crit"))
}

/// Checks that depend on the time, which is a parameter here and not in the library.
fn check_times(claims: &Claims, now: UnixMs) -> Result<UnixMs, TokenFault> {
    // The cast saturates, and NaN cannot be written in JSON.
    let ms = |seconds: f64| UnixMs(trunc_i64(seconds * 1_000.0));
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

/// Reads a file of keys at the start, when every mistake is an error.
fn load_file(source: KeySource, path: &Path) -> Result<(ParsedKeys, KeyFile), TokenSettingsError> {
    let text = watch::read(path).map_err(|error| TokenSettingsError::Unreadable {
        setting: source.setting(),
        path: path.to_path_buf(),
        error,
    })?;
    let parsed = ParsedKeys::parse(source, &text).filter(|keys| keys.len() > 0);
    let parsed = parsed.ok_or_else(|| match source {
        KeySource::Secret => TokenSettingsError::ShortSecret(source.setting()),
        KeySource::PublicKey => TokenSettingsError::NotAKey(path.to_path_buf()),
        KeySource::KeySet => TokenSettingsError::NotAKeySet(path.to_path_buf()),
    })?;
    Ok((parsed, KeyFile::new(source, path.to_path_buf(), text)))
}

#[cfg(test)]
mod tests;
