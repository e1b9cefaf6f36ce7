//! Where settings come from: flags win over the environment, the environment over the file, the file over
//! the defaults.
//!
//! The file's keys are the long names of flags with `_` for `-`. They become the defaults of the command
//! line, so there is one list of settings and one way to check a value.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;

/// Why the settings cannot be used.
#[derive(Debug)]
pub(crate) enum SettingsError {
    /// The command line, the environment, or a value in the file; also `--help` and `--version`.
    CommandLine(clap::Error),
    /// The file itself, every mistake in one go.
    File { path: PathBuf, faults: Vec<String> },
}

impl SettingsError {
    /// Tells the user and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::CommandLine(error) => {
                // If even the terminal is gone there is nobody to tell.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Self::File { path, faults } => {
                for fault in faults {
                    eprintln!("liqheat: {}: {fault}", path.display());
                }
                ExitCode::from(2)
            }
        }
    }
}

/// Reads all settings.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, SettingsError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = match config_path(&arguments) {
        Some(path) => with_defaults(Cli::command(), &path)?,
        None => Cli::command(),
    };
    let matches = command.try_get_matches_from(arguments).map_err(SettingsError::CommandLine)?;
    Cli::from_arg_matches(&matches).map_err(SettingsError::CommandLine)
}

/// The file has to be known before the rest can be read, so it is looked for by hand.
fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("LIQHEAT_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn with_defaults(command: clap::Command, path: &Path) -> Result<clap::Command, SettingsError> {
    let fail = |fault: String| SettingsError::File { path: path.to_path_buf(), faults: vec![fault] };
    let text = std::fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error| fail(format!("is not TOML: {error}")))?;
    apply(command, &table).map_err(|faults| SettingsError::File { path: path.to_path_buf(), faults })
}

fn apply(mut command: clap::Command, table: &toml::Table) -> Result<clap::Command, Vec<String>> {
    let known = keys(&command);
    let mut faults = Vec::new();
    for (key, value) in table {
        if !known.contains(key) {
            let list = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            faults.push(format!("unknown key '{key}'; known are {list}"));
            continue;
        }
        match default_of(value) {
            Some(values) => command = set_default(command, key, &values),
            None => faults.push(format!("key '{key}': must be a string, number, boolean or a list of these")),
        }
    }
    if faults.is_empty() { Ok(command) } else { Err(faults) }
}

/// Long names of all flags that take a value, of all commands.
fn keys(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter(|arg| !arg.is_positional()).map(|arg| arg.get_id().to_string());
    let below = command.get_subcommands().flat_map(keys);
    own.chain(below).filter(|key| !["config", "help", "version", "open"].contains(&key.as_str())).collect()
}

fn set_default(command: clap::Command, key: &str, values: &[String]) -> clap::Command {
    let has = command.get_arguments().any(|arg| arg.get_id() == key);
    let command = if has { command.mut_arg(key, |arg| arg.default_values(values.to_vec())) } else { command };
    command.mut_subcommands(|below| set_default(below, key, values))
}

fn default_of(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(flag) => Some(vec![flag.to_string()]),
        toml::Value::Array(list) => list
            .iter()
            .map(|item| default_of(item).filter(|one| one.len() == 1).map(|mut one| one.remove(0)))
            .collect(),
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;

    fn parse_with(file: &str, arguments: &[&str]) -> Result<Cli, Vec<String>> {
        let table: toml::Table = file.parse().unwrap();
        let command = apply(Cli::command(), &table)?;
        let matches = command.try_get_matches_from(arguments).map_err(|error| vec![error.to_string()])?;
        Ok(Cli::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "listen = '127.0.0.1:9000'\nws_update_interval = 2\nsymbols = ['BTCUSDT', 'ETHUSDT']";
        let Command::Serve(serve) = parse_with(file, &["liqheat", "serve"]).unwrap().command else {
            panic!()
        };
        assert_eq!(serve.front.listen.port(), 9_000);
        assert_eq!(serve.front.ws_update_interval, Some(std::time::Duration::from_secs(2)));
        assert_eq!(serve.front.symbols, ["BTCUSDT", "ETHUSDT"]);
        let arguments = ["liqheat", "serve", "--listen", "127.0.0.1:1"];
        let Command::Serve(serve) = parse_with(file, &arguments).unwrap().command else { panic!() };
        assert_eq!(serve.front.listen.port(), 1);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let faults = parse_with("lissen = 1\nspeeed = 2\ndb = { x = 1 }", &["liqheat", "serve"]).unwrap_err();
        assert_eq!(faults.len(), 3);
        assert!(
            faults.iter().any(|fault| fault.contains("'lissen'") && fault.contains("listen")),
            "{faults:?}"
        );
    }

    #[test]
    fn values_are_checked_as_on_the_command_line() {
        let faults = parse_with("ws_update_interval = 'soon'", &["liqheat", "serve"]).unwrap_err();
        assert!(faults[0].contains("number of seconds"), "{faults:?}");
    }
}
