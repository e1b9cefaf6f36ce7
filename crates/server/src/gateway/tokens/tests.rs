use liqheat_testkit::Folder;
use liqheat_testkit::token::{PUBLIC_KEY, SECRET, key_set, signed_by_key, signed_by_others, signed_with};
use serde_json::{Value, json};

use super::*;

const NOW: UnixMs = UnixMs(1_766_932_200_000);
const NOW_S: i64 = NOW.0 / 1_000;

fn with_secret() -> TokenSettings {
    TokenSettings { secret: Some(Secret::new(SECRET.to_owned())), ..TokenSettings::default() }
}

fn load(settings: &TokenSettings) -> Tokens {
    Tokens::load(settings).unwrap()
}

fn in_an_hour() -> Value {
    json!({"sub": "viewer", "exp": NOW_S + 3_600})
}

#[test]
fn without_keys_no_token_is_asked_for() {
    assert!(!Tokens::load(&TokenSettings::default()).unwrap().are_required());
}

#[test]
fn times_are_checked_with_a_little_leeway() {
    let tokens = load(&with_secret());
    for (claims, expected) in [
        (json!({"exp": NOW_S + 60}), Ok(UnixMs(NOW.0 + 70_000))),
        (json!({"exp": NOW_S as f64 + 0.5}), Ok(UnixMs(NOW.0 + 10_500))),
        (json!({"exp": NOW_S - 9}), Ok(UnixMs(NOW.0 + 1_000))),
        (json!({"exp": NOW_S - 10}), Err(TokenFault::Expired)),
        (json!({"exp": 0}), Err(TokenFault::Expired)),
        (json!({"exp": 1e15}), Ok(UnixMs(1_000_000_000_000_010_000))),
        (json!({"exp": -1}), Err(TokenFault::NoExpiry)),
        (json!({}), Err(TokenFault::NoExpiry)),
        (json!({"exp": null}), Err(TokenFault::Malformed)),
        (json!({"exp": "soon"}), Err(TokenFault::Malformed)),
        (json!({"exp": NOW_S + 60, "nbf": NOW_S + 10}), Ok(UnixMs(NOW.0 + 70_000))),
        (json!({"exp": NOW_S + 60, "nbf": NOW_S + 11}), Err(TokenFault::TooEarly)),
    ] {
        assert_eq!(
            tokens.check(&signed_with(SECRET, &claims), NOW).map(|grant| grant.expires),
            expected,
            "{claims}"
        );
    }
}

/// A public key is public: taken for a secret, anybody could sign with it.
#[test]
fn algorithms_cannot_be_confused() {
    let folder = Folder::new();
    let path = folder.put("key.pem", PUBLIC_KEY);
    let by_key = TokenSettings { public_key: Some(path.clone()), ..TokenSettings::default() };
    let both = TokenSettings { public_key: Some(path), ..with_secret() };
    let es256 = signed_by_key(None, &in_an_hour());
    let hs256 = signed_with(SECRET, &in_an_hour());
    let hs256_with_the_key = signed_with(PUBLIC_KEY, &in_an_hour());
    let unsigned = "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.";
    for (settings, token, expected) in [
        (&by_key, es256.as_str(), Ok(())),
        (&by_key, &hs256, Err(TokenFault::Algorithm)),
        (&by_key, &hs256_with_the_key, Err(TokenFault::Algorithm)),
        (&by_key, unsigned, Err(TokenFault::Malformed)),
        (&by_key, &signed_by_others(None, &in_an_hour()), Err(TokenFault::Signature)),
        (&with_secret(), &hs256, Ok(())),
        (&with_secret(), &es256, Err(TokenFault::Algorithm)),
        (&with_secret(), &signed_with("another secret", &in_an_hour()), Err(TokenFault::Signature)),
        (&both, &es256, Ok(())),
        (&both, &hs256, Ok(())),
        (&both, &hs256_with_the_key, Err(TokenFault::Signature)),
    ] {
        assert_eq!(load(settings).check(token, NOW).map(drop), expected, "{settings:?} {token}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let tokens = load(&with_secret());
    let good = signed_with(SECRET, &in_an_hour());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let long = format!("{good}{}", "x".repeat(10_000));
    for text in ["", ".", "..", "a.b.c", "ä.ö.ü", signed, &good[1..], &long] {
        assert_eq!(tokens.check(text, NOW).unwrap_err(), TokenFault::Malformed, "{text}");
    }
    let mut other_claims: Vec<&str> = good.split('.').collect();
    let later = signed_with("another secret", &json!({"exp": NOW_S + 7_200}));
    other_claims[1] = later.split('.').nth(1).unwrap();
    assert_eq!(tokens.check(&other_claims.join("."), NOW).unwrap_err(), TokenFault::Signature);
}

#[test]
fn issuer_and_audience_are_asked_for_when_they_are_set() {
    let settings = TokenSettings {
        issuer: Some("https://login.example".into()),
        audience: Some("heatmap".into()),
        ..with_secret()
    };
    let tokens = load(&settings);
    for (issuer, audience, expected) in [
        (json!("https://login.example"), json!("heatmap"), Ok(())),
        (json!("https://login.example"), json!(["other", "heatmap"]), Ok(())),
        (json!("https://evil.example"), json!("heatmap"), Err(TokenFault::Issuer)),
        (Value::Null, json!("heatmap"), Err(TokenFault::Issuer)),
        (json!("https://login.example"), json!("other"), Err(TokenFault::Audience)),
        (json!("https://login.example"), Value::Null, Err(TokenFault::Audience)),
    ] {
        let claims = json!({"exp": NOW_S + 60, "iss": issuer, "aud": audience});
        assert_eq!(tokens.check(&signed_with(SECRET, &claims), NOW).map(drop), expected, "{claims}");
    }
    let plain = json!({"exp": NOW_S + 60, "aud": "whoever", "iss": "whoever"});
    assert!(load(&with_secret()).check(&signed_with(SECRET, &plain), NOW).is_ok());
}

#[test]
fn removed_keys_are_revoked_and_kept_ones_are_not() {
    let folder = Folder::new();
    let secret = folder.put("secret", SECRET);
    let path = folder.put("jwks.json", key_set("old"));
    let settings = TokenSettings { jwks: Some(path), secret_file: Some(secret), ..TokenSettings::default() };
    let tokens = load(&settings);
    let check = |kid: Option<&str>| tokens.check(&signed_by_key(kid, &in_an_hour()), NOW);
    let by_old = check(Some("old")).unwrap();
    let by_secret = tokens.check(&signed_with(SECRET, &in_an_hour()), NOW).unwrap();
    assert_eq!(check(None).unwrap_err(), TokenFault::UnknownKey);
    assert_eq!(check(Some("new")).unwrap_err(), TokenFault::UnknownKey);

    folder.put("jwks.json", format!(" {}", key_set("old")));
    tokens.read_files_again();
    assert!(!by_old.revoked.is_cancelled(), "the same key in another text");

    folder.put("jwks.json", "half a fi");
    tokens.read_files_again();
    assert!(check(Some("old")).is_ok() && !by_old.revoked.is_cancelled(), "keys stay in use");
    assert!(tokens.faults()[0].contains("WS_JWT_JWKS"), "{:?}", tokens.faults());

    folder.put("jwks.json", key_set("new"));
    tokens.read_files_again();
    assert_eq!(check(Some("old")).unwrap_err(), TokenFault::UnknownKey);
    assert!(by_old.revoked.is_cancelled() && tokens.faults().is_empty());
    let by_others = signed_by_others(Some("new"), &in_an_hour());
    assert_eq!(tokens.check(&by_others, NOW).unwrap_err(), TokenFault::Signature);
    let by_new = check(Some("new")).unwrap();

    folder.put("secret", "another secret that is long enough for HS256");
    tokens.read_files_again();
    assert!(by_secret.revoked.is_cancelled());
    assert_eq!(tokens.check(&signed_with(SECRET, &in_an_hour()), NOW).unwrap_err(), TokenFault::Signature);
    folder.put("jwks.json", "{\"keys\":[]}");
    tokens.read_files_again();
    assert!(by_new.revoked.is_cancelled());
    assert_eq!(check(Some("new")).unwrap_err(), TokenFault::UnknownKey);
}

/// An extension that must be understood may change what a token means (RFC 7515, 4.1.11).
#[test]
fn critical_extensions_are_refused() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let tokens = load(&with_secret());
    let good = signed_with(SECRET, &in_an_hour());
    let rest = good.split_once('.').unwrap().1;
    for crit in [r#"["b64"]"#, r#"["exp"]"#, "[]", "null", "1"] {
        let head = format!(r#"{{"alg":"HS256","typ":"JWT","b64":true,"crit":{crit}}}"#);
        let token = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(head));
        assert_eq!(tokens.check(&token, NOW).unwrap_err(), TokenFault::Critical, "{crit}");
    }
}

#[test]
fn settings_that_cannot_work_are_all_named() {
    let folder = Folder::new();
    let text = folder.put("text.pem", "no key");
    let p384 = "-----BEGIN PUBLIC KEY-----\n\
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE7T/lp1wsscbEg0vXV1uTKbWjdnZnx7PL\n\
        3GQ6SHMkwx39lXCjqovairjEa1b7rEukoBu0noSzKh+syFmkt06ic2s7St0d6Zm7\n\
        beB55NaExDbE+sHQU5hwVxjkkPvQXevQ\n-----END PUBLIC KEY-----\n";
    let no_keys = folder.put("none.json", r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"x"}]}"#);
    for (settings, parts) in [
        (
            TokenSettings {
                secret: Some(Secret::new("short".into())),
                public_key: Some(text),
                jwks: Some(folder.path("missing.json")),
                ..TokenSettings::default()
            },
            &["WS_JWT_SECRET", "text.pem", "missing.json"][..],
        ),
        (
            TokenSettings { secret_file: Some(folder.put("secret", "short\n")), ..TokenSettings::default() },
            &["WS_JWT_SECRET_FILE is shorter"],
        ),
        (TokenSettings { secret_file: Some(folder.path("x")), ..with_secret() }, &["both set"]),
        (
            TokenSettings { public_key: Some(folder.put("p384.pem", p384)), ..TokenSettings::default() },
            &["p384.pem"],
        ),
        (TokenSettings { jwks: Some(no_keys), ..TokenSettings::default() }, &["none.json"]),
        (
            TokenSettings {
                issuer: Some("x".into()),
                audience: Some("y".into()),
                ..TokenSettings::default()
            },
            &["WS_JWT_ISSUER", "WS_JWT_AUDIENCE"],
        ),
    ] {
        let faults = settings.faults();
        assert_eq!(faults.len(), parts.len(), "{faults:?}");
        for (fault, part) in faults.iter().zip(parts) {
            assert!(fault.to_string().contains(part), "{fault}");
        }
    }
    let file = folder.put("good", format!("{SECRET}\r\n"));
    let from_file = TokenSettings { secret_file: Some(file), ..TokenSettings::default() };
    assert!(load(&from_file).check(&signed_with(SECRET, &in_an_hour()), NOW).is_ok());
    assert!(!format!("{:?}", with_secret()).contains(SECRET), "never shown");
}
