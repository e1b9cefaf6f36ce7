//! Reads the file of alerts and its secrets.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the file of alerts and the files that hold its secrets"
)]

use std::path::Path;

use liqheat_alerts::{AlertsFile, SecretSource, Target, TargetFields};
use liqheat_server::AlertSettings;

/// A secret is a line.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Rules and targets of a file; none without a file.
///
/// # Errors
/// Every mistake, in words that hold no secret.
pub(crate) fn settings(path: Option<&Path>) -> Result<AlertSettings, Vec<String>> {
    let Some(path) = path else { return Ok(AlertSettings::default()) };
    let named = |text: String| format!("LIQHEAT_ALERTS: {}: {text}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| vec![named(error.to_string())])?;
    let file = AlertsFile::parse(&text)
        .map_err(|faults| faults.iter().map(|fault| named(fault.to_string())).collect::<Vec<_>>())?;
    let (mut targets, mut faults) = (Vec::new(), Vec::new());
    for fields in &file.targets {
        match target(fields) {
            Ok(target) => targets.push(target),
            Err(fault) => faults.push(named(fault)),
        }
    }
    if faults.is_empty() { Ok(AlertSettings { rules: file.rules, targets }) } else { Err(faults) }
}

fn target(fields: &TargetFields) -> Result<Target, String> {
    let named = |text: String| format!("target '{}': {text}", fields.name);
    let secret = |source: Option<SecretSource>| source.map(read_secret).transpose().map_err(named);
    let url = secret(fields.url_source().map_err(named)?)?;
    let key = secret(fields.secret_source().map_err(named)?)?;
    Target::new(fields, url, key).map_err(|error| error.to_string())
}

fn read_secret(source: SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Literal(text) => Ok(text),
        SecretSource::Variable(name) => {
            std::env::var(&name).map_err(|_| format!("the environment variable {name} is not set"))
        }
        SecretSource::File(path) => {
            let named = |text: String| format!("{}: {text}", path.display());
            let length = std::fs::metadata(&path).map_err(|error| named(error.to_string()))?.len();
            if length > SECRET_BYTES_MAX {
                return Err(named("larger than a secret can be".to_owned()));
            }
            std::fs::read_to_string(&path).map_err(|error| named(error.to_string()))
        }
    }
}
