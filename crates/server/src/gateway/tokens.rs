//! Bearer tokens (JWT): whether a request may have data, and until when.
//!
//! Two kinds of signature are accepted, each with its own kind of key and no other: HS256 with the shared secret,
//! ES256 with a public key, named one by one or in a key set (JWKS). Which key is tried follows from the
//! algorithm in the token's head, so a public key is never taken for a secret. Every token must expire.
//!
//! Files of keys are watched by a task ([`Tokens::watch`]), so that checking a token never reads a file. A key that is
//! removed is no longer accepted seconds later, and WebSockets that were opened with it are closed.

#![expect(clippy::disallowed_methods, reason = "reads the key files off the async workers")]

mod claims;
mod keys;
mod settings;
mod signature;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation};
use liqheat_market::UnixMs;
use liqheat_market::convert::signed_len;
use liqheat_stream::RenewTokens;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::MarketClock;
use claims::SignedClaims;
pub(crate) use claims::{TokenFault, TokenGrant};
use keys::{Key, KeySource, Keys, ParsedKeys};
pub use settings::{Secret, TokenSettings, TokenSettingsError};
use watch::KeyFile;

/// Between two readings of the files of keys.
const WATCH_EVERY: Duration = Duration::from_secs(2);

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
    /// Locked while they are read, by the task that watches them and by a reload.
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
            match KeyFile::load(source, path) {
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
        Ok((TokenState { keys, conditions: claims::conditions(settings) }, files))
    }

    /// Checks a token.
    pub(crate) fn check(&self, token: &str, now: UnixMs) -> Result<TokenGrant, TokenFault> {
        let head = claims::head_of(token)?;
        let (key, conditions) = self.key_for(head.alg, head.kid.as_deref())?;
        let conditions = Validation { algorithms: vec![head.alg], ..conditions };
        SignedClaims::verified(token, key.decoding(), &conditions)?.grant(now, key.revoked().clone())
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

#[cfg(test)]
mod tests;
