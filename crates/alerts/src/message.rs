//! An alert as the request that a target expects.
//!
//! Formats: Telegram Bot API `sendMessage`, Discord "Execute Webhook", Slack incoming webhooks, ntfy "publish as JSON".
//! docs/price_alerts.md shows the bodies; a test compares them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use liqheat_market::{Price, Side, UnixMs};
use liqheat_wire::format_time;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::alert::{Alert, Subject};
use crate::config::{TargetFields, TargetKind};
use crate::span::WallSpan;

/// A target that can be sent to. Its address and its secret are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    name: String,
    kind: TargetKind,
    url: String,
    secret: Option<String>,
    chat: String,
    allow_private: bool,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Why a target cannot be used. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target '{name}': {problem}")]
pub struct TargetError {
    /// Its name.
    pub name: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// An HTTP request, always POST.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingRequest {
    /// May hold a secret.
    pub url: String,
    /// Names in lower case; may hold a secret.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest").field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

const TELEGRAM: &str = "https://api.telegram.org";
/// Shorter keys can be guessed.
const SECRET_BYTES_MIN: usize = 16;

impl Target {
    /// A target with its address and its secret, which were read from where the fields say.
    ///
    /// # Errors
    /// When something that its kind needs is missing or malformed.
    pub fn new(
        fields: &TargetFields,
        url: Option<String>,
        secret: Option<String>,
    ) -> Result<Self, TargetError> {
        let error = |problem: &str| TargetError { name: fields.name.clone(), problem: problem.to_owned() };
        let trimmed =
            |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let (url, secret) = (trimmed(url), trimmed(secret));
        let is_telegram = fields.kind == TargetKind::Telegram;
        if fields.chat.is_some() != is_telegram {
            return Err(error(if is_telegram {
                "chat is missing: the id of the chat, such as \"-1001234567890\""
            } else {
                "chat is for Telegram only; remove it"
            }));
        }
        match (fields.kind, &secret) {
            (TargetKind::Webhook, Some(secret)) if secret.len() < SECRET_BYTES_MIN => {
                return Err(error(
                    "the secret is shorter than 16 bytes; make one with `openssl rand -hex 32`",
                ));
            }
            (TargetKind::Webhook, None) => {
                return Err(error(
                    "secret_env or secret_file is missing: the key that signs messages; make one with `openssl rand -hex 32`",
                ));
            }
            (TargetKind::Telegram, None) => {
                return Err(error("secret_env or secret_file is missing: the token of the bot"));
            }
            (TargetKind::Telegram, Some(token))
                if !token.chars().all(|c| c.is_ascii_alphanumeric() || ":_-".contains(c)) =>
            {
                return Err(error("the secret is not the token of a bot, such as 123456:ABC-DEF"));
            }
            (TargetKind::Discord | TargetKind::Slack, Some(_)) => {
                return Err(error(
                    "the address is the secret (url_env or url_file); remove secret_env and secret_file",
                ));
            }
            _ => {}
        }
        let url = url.or_else(|| is_telegram.then(|| TELEGRAM.to_owned()));
        let url = url.ok_or_else(|| error("url, url_env or url_file is missing: where to send"))?;
        let scheme_is =
            |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let is_allowed = scheme_is("https://") || (fields.allow_private && scheme_is("http://"));
        if !is_allowed {
            return Err(error(
                "the address must begin with https:// (http:// only with allow_private = true)",
            ));
        }
        if fields.kind == TargetKind::Ntfy && ntfy_topic(&url).is_none() {
            return Err(error("the address must end with the topic, such as https://ntfy.sh/my-topic"));
        }
        Ok(Self {
            name: fields.name.clone(),
            kind: fields.kind,
            url,
            secret,
            chat: fields.chat.clone().unwrap_or_default(),
            allow_private: fields.allow_private,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose format.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        self.kind
    }

    /// Whether it may be at a private address.
    #[must_use]
    pub const fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// The request that delivers an alert. `sent_at` is the wall clock's time of this attempt.
    #[must_use]
    pub fn request(&self, alert: &Alert, sent_at: UnixMs) -> OutgoingRequest {
        let body = |value: Value| value.to_string().into_bytes();
        match self.kind {
            TargetKind::Webhook => self.signed(alert, sent_at),
            TargetKind::Telegram => {
                let (base, token) =
                    (self.url.trim_end_matches('/'), self.secret.as_deref().unwrap_or_default());
                let message = json!({
                    "chat_id": self.chat,
                    "text": alert.text(),
                    "link_preview_options": { "is_disabled": true }
                });
                self.plain(format!("{base}/bot{token}/sendMessage"), body(message))
            }
            TargetKind::Discord => {
                let message = json!({
                    "content": alert.text(),
                    "allowed_mentions": { "parse": [] }
                });
                self.plain(self.url.clone(), body(message))
            }
            TargetKind::Slack => {
                // Slack reads these three characters as its own markup.
                let text = alert.text().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                self.plain(self.url.clone(), body(json!({ "text": text })))
            }
            TargetKind::Ntfy => {
                let (base, topic) = ntfy_topic(&self.url).unwrap_or((&self.url, ""));
                let message = json!({
                    "topic": topic,
                    "title": alert.title(),
                    "message": alert.text(),
                    "tags": ["chart_with_downwards_trend"]
                });
                let mut request = self.plain(base.to_owned(), body(message));
                if let Some(token) = &self.secret {
                    request.headers.push(("authorization", format!("Bearer {token}")));
                }
                request
            }
        }
    }

    fn plain(&self, url: String, body: Vec<u8>) -> OutgoingRequest {
        OutgoingRequest { url, headers: vec![("content-type", "application/json".to_owned())], body }
    }

    /// The time stands within the body, so that the signature covers it and an old message cannot be sent again.
    fn signed(&self, alert: &Alert, sent_at: UnixMs) -> OutgoingRequest {
        let message = json!({
            "id": alert.id,
            "sent_at": format_time(sent_at),
            "title": alert.title(),
            "text": alert.text(),
            "alert": alert
        });
        let body = message.to_string().into_bytes();
        let key = self.secret.as_deref().unwrap_or_default().as_bytes();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-liqheat-id", alert.id.clone()),
            ("x-liqheat-timestamp", (sent_at.0.div_euclid(1_000)).to_string()),
        ];
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
            mac.update(&body);
            let digest = mac.finalize().into_bytes();
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            headers.push(("x-liqheat-signature", format!("sha256={hex}")));
        }
        OutgoingRequest { url: self.url.clone(), headers, body }
    }
}

/// The address of an ntfy server, and the topic behind it.
fn ntfy_topic(url: &str) -> Option<(&str, &str)> {
    let (base, topic) = url.trim_end_matches('/').rsplit_once('/')?;
    let is_topic = !topic.is_empty() && topic.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    (is_topic && !base.ends_with('/') && base.contains("://")).then_some((base, topic))
}

/// An alert that says that it is a test, for `liqheat alerts test`.
#[must_use]
pub fn test_alert(now: UnixMs) -> Alert {
    let at = Price::from_units;
    const USD: i64 = 100_000_000;
    let wall = WallSpan {
        side: Side::Long,
        low: at(91_200 * USD),
        high: at(91_400 * USD),
        peak: at(91_250 * USD),
        usd: 53_140_000,
    };
    Alert {
        id: format!("test:TEST:{}", now.0),
        rule: "test".to_owned(),
        symbol: "TEST".to_owned(),
        time: now,
        price: at(91_830 * USD),
        quiet: false,
        subject: Subject::NearWall { wall, distance_pct: -0.47 },
        count: 1,
        total_usd: wall.usd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(kind: TargetKind) -> TargetFields {
        TargetFields {
            name: "desk".into(),
            kind,
            url: None,
            url_env: None,
            url_file: None,
            secret_env: None,
            secret_file: None,
            chat: (kind == TargetKind::Telegram).then(|| "-100123".into()),
            allow_private: false,
        }
    }

    fn target(kind: TargetKind, url: &str, secret: &str) -> Result<Target, String> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Target::new(&fields(kind), some(url), some(secret)).map_err(|error| error.to_string())
    }

    const SECRET: &str = "0123456789abcdef0123";

    #[test]
    fn what_a_target_needs_is_checked_without_showing_it() {
        for (kind, url, secret, expected) in [
            (TargetKind::Webhook, "https://a.example", "", "secret_env or secret_file is missing"),
            (TargetKind::Webhook, "https://a.example", "tooshort", "shorter than 16 bytes"),
            (TargetKind::Webhook, "", SECRET, "url, url_env or url_file is missing"),
            (TargetKind::Webhook, "http://a.example", SECRET, "must begin with https://"),
            (TargetKind::Webhook, "ftp://a.example", SECRET, "must begin with https://"),
            (TargetKind::Telegram, "", "", "the token of the bot"),
            (TargetKind::Telegram, "", "a/../b", "is not the token of a bot"),
            (TargetKind::Slack, "https://hooks.example/x", SECRET, "the address is the secret"),
            (TargetKind::Discord, "", "", "url, url_env or url_file is missing"),
            (TargetKind::Ntfy, "https://ntfy.sh", "", "must end with the topic"),
            (TargetKind::Ntfy, "https://ntfy.sh/", "", "must end with the topic"),
        ] {
            let got = target(kind, url, secret).unwrap_err();
            assert!(got.contains(expected), "{kind:?} {url}: {got}");
            assert!(secret.is_empty() || !got.contains(secret), "{got}");
        }
        let target = target(TargetKind::Webhook, "https://a.example/secret-path", SECRET).unwrap();
        let shown = format!("{target:?} {:?}", target.request(&test_alert(UnixMs(0)), UnixMs(0)));
        assert!(!shown.contains(SECRET) && !shown.contains("secret-path"), "{shown}");
    }

    /// The documents show what is sent.
    #[test]
    fn the_documented_bodies_are_those_that_are_sent() {
        let document = include_str!("../../../docs/price_alerts.md");
        let alert = test_alert(UnixMs(1_763_683_200_000));
        for (kind, url, secret) in [
            (TargetKind::Telegram, "", "123:abc"),
            (TargetKind::Discord, "https://discord.example/api/webhooks/1/x", ""),
            (TargetKind::Slack, "https://hooks.example/services/x", ""),
            (TargetKind::Ntfy, "https://ntfy.sh/my-topic", ""),
            (TargetKind::Webhook, "https://bot.example/", SECRET),
        ] {
            let request = target(kind, url, secret).unwrap().request(&alert, UnixMs(1_763_683_201_000));
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let shown = serde_json::to_string_pretty(&body).unwrap();
            assert!(
                document.contains(&shown),
                "docs/price_alerts.md does not show the body for {kind:?}:\n{shown}"
            );
        }
    }

    #[test]
    fn requests_go_where_the_formats_say() {
        let alert = test_alert(UnixMs(1_763_683_200_000));
        let sent =
            |kind, url, secret| target(kind, url, secret).unwrap().request(&alert, UnixMs(1_763_683_201_500));
        let telegram = sent(TargetKind::Telegram, "", "123:abc");
        assert_eq!(telegram.url, "https://api.telegram.org/bot123:abc/sendMessage");
        let ntfy = sent(TargetKind::Ntfy, "https://ntfy.sh/my-topic", "tk_1");
        assert_eq!(ntfy.url, "https://ntfy.sh");
        assert!(ntfy.headers.contains(&("authorization", "Bearer tk_1".to_owned())));
        let webhook = sent(TargetKind::Webhook, "https://bot.example/x", SECRET);
        assert!(webhook.headers.contains(&("x-liqheat-timestamp", "1763683201".to_owned())));
        assert!(webhook.headers.contains(&("x-liqheat-id", alert.id.clone())));
    }

    /// RFC 4231, test case 2, through the same calls.
    #[test]
    fn the_signature_is_hmac_sha256() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
