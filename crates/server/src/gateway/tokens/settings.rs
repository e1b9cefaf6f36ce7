//! What an operator can set about tokens.

use std::fmt;
use std::path::PathBuf;

use super::keys::SECRET_BYTES_MIN;

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
