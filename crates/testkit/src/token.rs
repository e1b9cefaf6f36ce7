//! Signed tokens, and the keys they are signed with: made for these tests, secret from nobody.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey;
use serde_json::{Value, json};
use sha2::Sha256;

/// A secret of HS256.
pub const SECRET: &str = "a secret of the tests, long enough for HS256";

/// The public key of ES256, as a PEM file holds it.
pub const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAmnV4q7kDNVO+Ctn+FFtr8yrvJru
l4mutjf7FqNWi9IY6UswWod38O/flxjj6MToIpeKTUJm1lJ+FE6OhdapkA==
-----END PUBLIC KEY-----
";

const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrZBjRPSmZ3v1BFLV
7bjjBs5sl+HjwZWdUMsWnim07bWhRANCAAQCadXiruQM1U74K2f4UW2vzKu8mu6X
ia62N/sWo1aL0hjpSzBah3fw79+XGOPoxOgil4pNQmbWUn4UTo6F1qmQ
-----END PRIVATE KEY-----
";

/// Another one, for tokens that somebody else signed.
const PRIVATE_KEY_OF_OTHERS: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQge4qOw0pjWNvxX7fm
R9j267yhFGRJH4xu9ye2sgZpu4+hRANCAARidpxrDkAnriGYihGElWH9mFNplF4h
sTrS7BWaJaGGXVyuHm1IdxPclDYE3vo9SzYVIZejiEDSlIu0/T6h7jBe
-----END PRIVATE KEY-----
";

/// The key set (JWKS) that holds [`PUBLIC_KEY`] under a name.
#[must_use]
pub fn key_set(kid: &str) -> String {
    let key = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
        "x": "AmnV4q7kDNVO-Ctn-FFtr8yrvJrul4mutjf7FqNWi9I", "y": "GOlLMFqHd_Dv35cY4-jE6CKXik1CZtZSfhROjoXWqZA"});
    json!({"keys": [key]}).to_string()
}

/// A token signed with a secret (HS256).
///
/// # Panics
/// Never: every text can be a secret.
#[must_use]
pub fn signed_with(secret: impl AsRef<[u8]>, claims: &Value) -> String {
    let signed = unsigned(&json!({"typ": "JWT", "alg": "HS256"}), claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_ref()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", written(mac.finalize().into_bytes()))
}

/// A token signed with the private half of [`PUBLIC_KEY`] (ES256), with the name of the key if it has one.
#[must_use]
pub fn signed_by_key(kid: Option<&str>, claims: &Value) -> String {
    es256(PRIVATE_KEY, kid, claims)
}

/// A token signed with somebody else's key (ES256).
#[must_use]
pub fn signed_by_others(kid: Option<&str>, claims: &Value) -> String {
    es256(PRIVATE_KEY_OF_OTHERS, kid, claims)
}

fn es256(key: &str, kid: Option<&str>, claims: &Value) -> String {
    let mut head = json!({"typ": "JWT", "alg": "ES256"});
    if let Some(kid) = kid {
        head["kid"] = kid.into();
    }
    let signed = unsigned(&head, claims);
    let signature: Signature = SigningKey::from_pkcs8_pem(key).unwrap().sign(signed.as_bytes());
    format!("{signed}.{}", written(signature.to_bytes()))
}

fn unsigned(head: &Value, claims: &Value) -> String {
    format!("{}.{}", written(head.to_string()), written(claims.to_string()))
}

fn written(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
