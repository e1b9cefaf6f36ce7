//! The two signatures a token may have, for the library that reads tokens.
//!
//! The library can bring a set of its own, with every algorithm there is. These two are all that is wanted, so no
//! other exists in this program: nothing that could be confused, and no RSA.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use p256::PublicKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_: &Algorithm, _: &EncodingKey| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    // Asked for by nothing that is used here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library use these. To be called before the first token is checked; doing it again changes nothing.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

/// The public key in a PEM file, if it is one of the curve P-256.
pub(super) fn public_key(pem: &str) -> Option<DecodingKey> {
    let key = PublicKey::from_public_key_pem(pem).ok()?;
    Some(DecodingKey::from_ec_der(&key.to_sec1_bytes()))
}

/// Whether a key is a point of the curve P-256.
pub(super) fn is_usable(key: &DecodingKey) -> bool {
    Es256::new(key).is_ok()
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key)?)),
        Algorithm::ES256 => Ok(Box::new(Es256::new(key)?)),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &DecodingKey) -> Result<Self, Error> {
        let mac = Hmac::new_from_slice(key.try_get_as_bytes()?);
        mac.map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mac = self.0.clone().chain_update(message);
        // In constant time.
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct Es256(VerifyingKey);

impl Es256 {
    fn new(key: &DecodingKey) -> Result<Self, Error> {
        let key = VerifyingKey::from_sec1_bytes(key.try_get_as_bytes()?);
        key.map(Self).map_err(|_| ErrorKind::InvalidEcdsaKey.into())
    }
}

impl Verifier<Vec<u8>> for Es256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let signature = Signature::from_slice(signature).map_err(|_| signature::Error::new())?;
        self.0.verify(message, &signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}
