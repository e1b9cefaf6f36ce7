//! The file of rules and targets.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::rule::{Rule, RuleError, RuleFields, check_name};

/// Where messages go, by whose format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// JSON with a signature.
    Webhook,
    /// A bot's `sendMessage`.
    Telegram,
    /// An incoming webhook.
    Discord,
    /// An incoming webhook.
    Slack,
    /// A topic.
    Ntfy,
}

impl TargetKind {
    /// As it stands in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Telegram => "telegram",
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::Ntfy => "ntfy",
        }
    }
}

/// A target as it is written. It holds no secret, only where secrets are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFields {
    /// Its name; unique.
    pub name: String,
    /// Whose format.
    pub kind: TargetKind,
    /// Where to send. For Discord and Slack the address is a secret: use `url_env` or `url_file`.
    #[serde(default)]
    pub url: Option<String>,
    /// The environment variable that holds the address.
    #[serde(default)]
    pub url_env: Option<String>,
    /// The file that holds the address.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The environment variable that holds the secret: the key of a webhook's signature, the token of a Telegram bot, the
    /// access token of ntfy.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// The file that holds the secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Telegram: the chat.
    #[serde(default)]
    pub chat: Option<String>,
    /// Whether the address may be private (this machine, the local network), and plain http.
    #[serde(default)]
    pub allow_private: bool,
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the file of targets itself, because it is none.
    Literal(String),
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

impl TargetFields {
    /// Where the address stands; `None` when it is not given.
    ///
    /// # Errors
    /// When it is given more than once.
    pub fn url_source(&self) -> Result<Option<SecretSource>, String> {
        source("url", self.url.as_ref(), self.url_env.as_ref(), self.url_file.as_ref())
    }

    /// Where the secret stands; `None` when it is not given.
    ///
    /// # Errors
    /// When it is given more than once.
    pub fn secret_source(&self) -> Result<Option<SecretSource>, String> {
        source("secret", None, self.secret_env.as_ref(), self.secret_file.as_ref())
    }
}

fn source(
    name: &str,
    literal: Option<&String>,
    variable: Option<&String>,
    file: Option<&PathBuf>,
) -> Result<Option<SecretSource>, String> {
    match (literal, variable, file) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(SecretSource::Literal(text.clone()))),
        (None, Some(name), None) => Ok(Some(SecretSource::Variable(name.clone()))),
        (None, None, Some(path)) => Ok(Some(SecretSource::File(path.clone()))),
        _ => Err(format!("give only one of {name}, {name}_env and {name}_file")),
    }
}

/// The file, read and checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertsFile {
    /// Rules, each under a name of its own.
    pub rules: Vec<Rule>,
    /// Targets, each under a name of its own. Their secrets have not been looked at.
    pub targets: Vec<TargetFields>,
}

/// A mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertsFileError {
    /// Not TOML, or a field that is missing, unknown or of the wrong type.
    #[error("{0}")]
    Malformed(String),
    /// A rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A target.
    #[error("target '{name}': {problem}")]
    Target {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFields {
    #[serde(default)]
    rules: Vec<RuleFields>,
    #[serde(default)]
    targets: Vec<TargetFields>,
}

impl AlertsFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every mistake in it; a text that cannot be parsed is one.
    pub fn parse(text: &str) -> Result<Self, Vec<AlertsFileError>> {
        let fields: FileFields =
            toml::from_str(text).map_err(|error| vec![AlertsFileError::Malformed(error.to_string())])?;
        let mut faults = Vec::new();
        let mut target_names = BTreeSet::new();
        for target in &fields.targets {
            let fault = |problem: String| AlertsFileError::Target { name: target.name.clone(), problem };
            if let Err(problem) = check_name(&target.name) {
                faults.push(fault(problem));
            } else if !target_names.insert(target.name.clone()) {
                faults.push(fault("there are two targets of this name".to_owned()));
            }
            let sources = [target.url_source().err(), target.secret_source().err()];
            faults.extend(sources.into_iter().flatten().map(fault));
        }
        let mut rules = Vec::new();
        let mut rule_names = BTreeSet::new();
        for fields in fields.rules {
            match Rule::new(fields) {
                Ok(rule) => rules.push(rule),
                Err(error) => faults.push(error.into()),
            }
        }
        for rule in &rules {
            let fault = |problem: String| RuleError { rule: rule.name().to_owned(), problem };
            if !rule_names.insert(rule.name()) {
                faults.push(fault("there are two rules of this name".to_owned()).into());
            }
            if let Err(problem) = check_targets(rule, |name| target_names.contains(name)) {
                faults.push(fault(problem).into());
            }
        }
        if faults.is_empty() { Ok(Self { rules, targets: fields.targets }) } else { Err(faults) }
    }
}

/// Whether the targets that a rule names exist.
pub(crate) fn check_targets(rule: &Rule, is_known: impl Fn(&str) -> bool) -> Result<(), String> {
    match rule.fields().targets.iter().find(|name| !is_known(name)) {
        Some(name) => Err(format!("there is no target '{name}'")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let file = AlertsFile::parse(
            r#"
            [[targets]]
            name = "desk"
            kind = "telegram"
            chat = "-100123"
            secret_env = "TELEGRAM_TOKEN"

            [[targets]]
            name = "bot"
            kind = "webhook"
            url = "https://bot.example/liqheat"
            secret_file = "/etc/liqheat/hook"

            [[rules]]
            name = "near"
            kind = "near_wall"
            symbols = ["BTCUSDT", "ETHUSDT@okx"]
            within_pct = 0.5
            min_usd = 50_000_000
            quiet_hours = { from = "22:00", to = "07:00", utc_offset = "+02:00" }
            targets = ["desk"]
            "#,
        )
        .unwrap();
        assert_eq!((file.rules.len(), file.targets.len()), (1, 2));
        let [desk, bot] = file.targets.as_slice() else { panic!() };
        assert_eq!(desk.secret_source(), Ok(Some(SecretSource::Variable("TELEGRAM_TOKEN".into()))));
        assert_eq!(bot.secret_source(), Ok(Some(SecretSource::File("/etc/liqheat/hook".into()))));
        assert!(file.rules[0].is_sent_to("desk") && !file.rules[0].is_sent_to("bot"));
        assert_eq!(AlertsFile::parse("").unwrap(), AlertsFile::default());
    }

    #[test]
    fn every_mistake_of_a_file_is_named() {
        let text = r#"
            [[targets]]
            name = "a"
            kind = "webhook"
            url = "x"
            url_env = "Y"
            [[targets]]
            name = "a"
            kind = "slack"
            [[rules]]
            name = "r"
            kind = "cascade"
            [[rules]]
            name = "q"
            kind = "feed_stale"
            targets = ["nobody"]
            [[rules]]
            name = "q"
            kind = "feed_stale"
        "#;
        let faults = AlertsFile::parse(text).unwrap_err();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "target 'a': give only one of url, url_env and url_file",
                "target 'a': there are two targets of this name",
                "rule 'r': min_usd is missing: the least dollars, such as 50000000",
                "rule 'q': there is no target 'nobody'",
                "rule 'q': there are two rules of this name",
            ]
        );
        let malformed = AlertsFile::parse("[[rules]]\nname = 1\n").unwrap_err();
        assert!(matches!(malformed.as_slice(), [AlertsFileError::Malformed(_)]), "{malformed:?}");
        assert!(AlertsFile::parse("colour = 1").unwrap_err()[0].to_string().contains("colour"));
    }
}
