//! Where settings come from: flags win over the environment, the environment over the file, the file over
//! the defaults.
//!
//! The file's keys are the long names of flags with `_` for `-`. They become the defaults of the command
//! line, so there is one list of settings and one way to check a value.
//!
//! Every mistake is reported at once, with its source. The command line's parser stops at the first, so what is
//! wrong is noted and taken away from where it stood, and the rest is read again, until nothing is wrong any more.

#![expect(clippy::disallowed_methods, reason = "reads the configuration file")]

mod names;

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::{self, Cli};
use crate::effective::{EffectiveSettings, IN_NO_FILE};
use crate::terminal::complain;

/// Why the settings cannot be used.
#[derive(Debug)]
pub(crate) enum SettingsError {
    /// `--help`, `--version`, or one mistake on the command line, in the words of its parser.
    CommandLine(clap::Error),
    /// Every mistake.
    Faults(Vec<SettingsFault>),
}

/// One mistake.
#[derive(Debug)]
pub(crate) struct SettingsFault {
    place: ErrorOrigin,
    text: String,
}

/// Where the wrong value was set.
#[derive(Debug)]
enum ErrorOrigin {
    Flag,
    Variable(String),
    File(PathBuf),
    /// In how several settings go together.
    Together,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            ErrorOrigin::Flag => write!(f, "command line: {}", self.text),
            ErrorOrigin::Variable(name) => write!(f, "environment variable {name}: {}", self.text),
            ErrorOrigin::File(path) => write!(f, "{}: {}", path.display(), self.text),
            ErrorOrigin::Together => f.write_str(&self.text),
        }
    }
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
            Self::Faults(faults) => {
                for fault in faults {
                    complain!("liqheat: {fault}");
                }
                ExitCode::from(2)
            }
        }
    }
}

/// All settings.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) cli: Cli,
    /// What is in effect, to print.
    pub(crate) effective: EffectiveSettings,
    /// A line about each variable that looks like a setting and is none.
    pub(crate) unknown_variables: Vec<String>,
}

/// Reads all settings.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Settings, SettingsError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let set = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let names = names::check_variables(set, &cli::command());
    let removed = names.removed.into_iter();
    let mut faults: Vec<SettingsFault> =
        removed.map(|(name, text)| SettingsFault { place: ErrorOrigin::Variable(name), text }).collect();
    let file = config_path(&arguments).map(|path| {
        let table = read(&path).unwrap_or_else(|text| {
            faults.push(SettingsFault { place: ErrorOrigin::File(path.clone()), text });
            toml::Table::new()
        });
        (path, table)
    });
    let (cli, effective) = Reader::new(arguments, file, faults).read()?;
    Ok(Settings { cli, effective, unknown_variables: names.unknown })
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

fn read(path: &Path) -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    text.parse().map_err(|error| format!("is not TOML: {error}"))
}

/// What is still to be read: everything in which no mistake was found yet.
struct Reader {
    arguments: Vec<OsString>,
    file: PathBuf,
    table: toml::Table,
    /// Variables that are skipped because their values are wrong.
    skipped: BTreeSet<String>,
    faults: Vec<SettingsFault>,
    /// The parser's own words for a mistake on the command line, which are best if it stays the only one.
    in_its_words: Option<clap::Error>,
}

impl Reader {
    fn new(
        arguments: Vec<OsString>,
        file: Option<(PathBuf, toml::Table)>,
        faults: Vec<SettingsFault>,
    ) -> Self {
        let (file, table) = file.unwrap_or_default();
        let mut reader =
            Self { arguments, file, table, skipped: BTreeSet::new(), faults, in_its_words: None };
        reader.drop_bad_keys();
        reader
    }

    /// Notes keys that do not exist and values that can be none.
    fn drop_bad_keys(&mut self) {
        let known = keys(&cli::command());
        for (key, value) in std::mem::take(&mut self.table) {
            let text = if let Some(replacement) = names::replacement(&key, value.as_str().unwrap_or_default())
            {
                format!("key '{key}' {replacement}")
            } else if !known.contains(&key) {
                let list = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("unknown key '{key}'; known are {list}")
            } else if default_of(&value).is_none() {
                format!("key '{key}': must be a string, number, boolean or a list of these")
            } else {
                self.table.insert(key, value);
                continue;
            };
            self.faults.push(SettingsFault { place: ErrorOrigin::File(self.file.clone()), text });
        }
    }

    fn read(mut self) -> Result<(Cli, EffectiveSettings), SettingsError> {
        let matches = loop {
            let command = self.command();
            match command.clone().try_get_matches_from(&self.arguments) {
                Ok(matches) => break matches,
                Err(error) if is_help(&error) => {
                    return Err(SettingsError::CommandLine(error));
                }
                Err(error) => {
                    if !self.take_away(&command, &error) {
                        return Err(self.give_up(error));
                    }
                }
            }
        };
        self.finish(&matches)
    }

    fn finish(mut self, matches: &ArgMatches) -> Result<(Cli, EffectiveSettings), SettingsError> {
        let cli = Cli::from_arg_matches(matches).map_err(SettingsError::CommandLine)?;
        let together = cli.command.faults();
        self.faults
            .extend(together.into_iter().map(|text| SettingsFault { place: ErrorOrigin::Together, text }));
        match (self.faults.as_slice(), self.in_its_words.take()) {
            ([], _) => Ok((cli, EffectiveSettings::of(&Cli::command(), matches))),
            ([_], Some(error)) => Err(SettingsError::CommandLine(error)),
            _ => Err(SettingsError::Faults(self.faults)),
        }
    }

    /// The command line, with the file as its defaults.
    fn command(&self) -> Command {
        let mut command = cli::command();
        for (key, value) in &self.table {
            let values = default_of(value).unwrap_or_default();
            command = change(command, key, &|arg| arg.default_values(values.clone()));
        }
        for id in &self.skipped {
            command = change(command, id, &|arg| arg.env(Resettable::Reset));
        }
        command
    }

    /// Notes a mistake and takes it away; `false` when it is not known how.
    fn take_away(&mut self, command: &Command, error: &clap::Error) -> bool {
        let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else {
            return false;
        };
        // `--listen <ADDRESS>`.
        let flag = named.split([' ', '=']).next().unwrap_or("").to_owned();
        let text = words(error);
        if error.kind() == ErrorKind::UnknownArgument {
            if let Some(replacement) = names::replacement(&flag, "") {
                let text = format!("'{flag}' {replacement}");
                self.faults.push(SettingsFault { place: ErrorOrigin::Flag, text });
                return self.drop_flag(&flag);
            }
            return self.drop_flag(&flag) && self.note_flag(error, text);
        }
        if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
            return false;
        }
        if self.drop_flag(&flag) {
            return self.note_flag(error, text);
        }
        let Some(arg) = self.argument(command, &flag) else { return false };
        let id = arg.get_id().to_string();
        let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
        let place = match variable.filter(|name| std::env::var_os(name).is_some()) {
            Some(name) if self.skipped.insert(id.clone()) => ErrorOrigin::Variable(name),
            // Left out already, and still wrong: better told once than for ever.
            Some(_) => return false,
            None if self.table.remove(&id).is_some() => ErrorOrigin::File(self.file.clone()),
            None => return false,
        };
        self.faults.push(SettingsFault { place, text });
        true
    }

    fn note_flag(&mut self, error: &clap::Error, text: String) -> bool {
        // Errors cannot be cloned; an equal one is made by reading the same again.
        if self.in_its_words.is_none() {
            self.in_its_words = Some(clap::Error::raw(error.kind(), format!("{}\n", plain(error))));
        }
        self.faults.push(SettingsFault { place: ErrorOrigin::Flag, text });
        true
    }

    /// Takes a flag and its value off the command line; `false` when it is not there.
    fn drop_flag(&mut self, flag: &str) -> bool {
        let with_value = format!("{flag}=");
        let before = self.arguments.len();
        let mut kept = Vec::with_capacity(before);
        let mut rest = std::mem::take(&mut self.arguments).into_iter().peekable();
        while let Some(argument) = rest.next() {
            let text = argument.to_string_lossy();
            if text == flag {
                rest.next_if(|value| !value.to_string_lossy().starts_with("--"));
            } else if !text.starts_with(&with_value) {
                kept.push(argument);
            }
        }
        self.arguments = kept;
        self.arguments.len() < before
    }

    /// The definition of a flag, of the command that is to run.
    fn argument<'a>(&self, command: &'a Command, flag: &str) -> Option<&'a Arg> {
        let long = flag.strip_prefix("--")?;
        let named = self.arguments.iter().skip(1).find_map(|word| command.find_subcommand(word));
        let every = command.get_arguments().chain(named.into_iter().flat_map(Command::get_arguments));
        every.into_iter().find(|arg| arg.get_long() == Some(long))
    }

    /// A mistake after which nothing more can be read.
    fn give_up(mut self, error: clap::Error) -> SettingsError {
        if self.faults.is_empty() {
            return SettingsError::CommandLine(error);
        }
        self.faults.push(SettingsFault { place: ErrorOrigin::Flag, text: words(&error) });
        SettingsError::Faults(self.faults)
    }
}

/// What was asked for, or what somebody needs who asked for nothing.
fn is_help(error: &clap::Error) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion)
}

/// The first paragraph of an error, in one line.
fn words(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
    let mut words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(source) = error.source().map(ToString::to_string)
        && !words.contains(&source)
    {
        words = format!("{words}: {source}");
    }
    words
}

/// An error as the parser shows it, without the word that it puts in front.
fn plain(error: &clap::Error) -> String {
    error.render().to_string().trim_start_matches("error: ").trim_end().to_owned()
}

/// Long names of all flags that take a value, of all commands.
fn keys(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter(|arg| !arg.is_positional()).map(|arg| arg.get_id().to_string());
    let below = command.get_subcommands().flat_map(keys);
    own.chain(below).filter(|key| !IN_NO_FILE.contains(&key.as_str())).collect()
}

/// Changes a flag of whatever commands have it.
fn change(command: Command, id: &str, how: &dyn Fn(Arg) -> Arg) -> Command {
    let has = command.get_arguments().any(|arg| arg.get_id() == id);
    let command = if has { command.mut_arg(id, how) } else { command };
    command.mut_subcommands(|below| change(below, id, how))
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
    use crate::cli::Command as Chosen;

    fn parse_with(file: &str, arguments: &[&str]) -> Result<(Cli, EffectiveSettings), Vec<String>> {
        let arguments = arguments.iter().map(OsString::from).collect();
        let file = Some((PathBuf::from("liqheat.toml"), file.parse().unwrap()));
        Reader::new(arguments, file, Vec::new()).read().map_err(|error| match error {
            SettingsError::CommandLine(error) => vec![error.to_string()],
            SettingsError::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
        })
    }

    fn serve(file: &str, arguments: &[&str]) -> cli::ServeArgs {
        match parse_with(file, arguments).unwrap().0.command {
            Chosen::Serve(serve) => *serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "listen = '127.0.0.1:9000'\nws_update_interval = 2\nsymbols = ['BTCUSDT', 'ETHUSDT']";
        let by_file = serve(file, &["liqheat", "serve"]);
        assert_eq!(by_file.front.listen.port(), 9_000);
        assert_eq!(by_file.front.sockets.ws_update_interval, std::time::Duration::from_secs(2));
        assert_eq!(by_file.front.symbols, ["BTCUSDT", "ETHUSDT"]);
        assert_eq!(serve(file, &["liqheat", "serve", "--listen", "127.0.0.1:1"]).front.listen.port(), 1);
    }

    #[test]
    fn every_mistake_is_named_at_once_with_its_place() {
        let file = "lissen = 1\nspeeed = 2\ndb = { x = 1 }\nws_ping_interval = 'often'\nlog_format = 'xml'";
        let arguments = ["liqheat", "serve", "--ws-max-connections=many", "--nonsense", "--listen", "here"];
        let faults = parse_with(file, &arguments).unwrap_err();
        let expected = [
            "liqheat.toml: unknown key 'lissen'; known are alerts",
            "liqheat.toml: unknown key 'speeed'",
            "liqheat.toml: key 'db'",
            "command line: invalid value 'here' for '--listen",
            "command line: invalid value 'many' for '--ws-max-connections",
            "command line: unexpected argument '--nonsense'",
            "liqheat.toml: invalid value 'often' for '--ws-ping-interval <SECONDS>': must be a number of seconds",
            "liqheat.toml: invalid value 'xml' for '--log-format <LOG_FORMAT>' [possible values: pretty, json]",
        ];
        for part in expected {
            assert!(faults.iter().any(|fault| fault.starts_with(part)), "{part}: {faults:#?}");
        }
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    }

    #[test]
    fn one_mistake_on_the_command_line_is_reported_in_full() {
        let faults = parse_with("", &["liqheat", "serve", "--listn", "x"]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("error: unexpected") && faults[0].contains("'--listen'"),
            "{}",
            faults[0]
        );
        let faults = parse_with("x = 1", &["liqheat"]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains("Usage: liqheat"), "{faults:?}");
    }

    #[test]
    fn settings_must_go_together() {
        let file = "ws_ping_interval = 60\nws_jwt_public_key = '/no/such/file'";
        let faults = parse_with(file, &["liqheat", "serve", "--ws-slow-consumer-timeout", "31"]).unwrap_err();
        for part in ["WS_PING_INTERVAL", "/no/such/file", "WS_SLOW_CONSUMER_TIMEOUT"] {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:#?}");
        }
        assert_eq!(faults.len(), 3);
    }

    #[test]
    fn the_settings_in_effect_can_be_used_again() {
        let secret = "a secret that is long enough to be one";
        for (command, flags) in [
            (
                "serve",
                &["--ws-max-connections", "7", "--symbols", "BTCUSDT,ETHUSDT", "--keep-trades", "30"][..],
            ),
            (
                "replay",
                &["--from", "2025-11-20", "--trusted-proxies", "10.0.0.0/8", "--db", "a \"b\".duckdb"],
            ),
            ("demo", &["--seed", "3", "--ws-jwt-secret", secret]),
            ("ingest", &["somewhere", "--family", "metrics"]),
        ] {
            let arguments =
                |more: &[&'static str]| ["liqheat", command].iter().chain(more).copied().collect::<Vec<_>>();
            let (_, effective) = parse_with("", &arguments(flags)).unwrap();
            let text = effective.toml();
            let positional: &[&str] = if command == "ingest" { &["somewhere"] } else { &[] };
            let (_, again) = parse_with(&text, &arguments(positional)).unwrap();
            let without_secret = text.replace("ws_jwt_secret is set, but not shown", "ws_jwt_secret =");
            assert_eq!(again.toml(), without_secret, "{command}");
            assert!(!text.contains(secret) && !effective.line().contains(secret), "secrets are never shown");
            for flag in flags.iter().filter_map(|flag| flag.strip_prefix("--")) {
                assert!(
                    effective.line().contains(&format!("{}=", flag.replace('-', "_"))) || flag == "db",
                    "{flag}"
                );
            }
        }
        let (_, nobody) = parse_with("trusted_proxies = []", &["liqheat", "serve"]).unwrap();
        assert!(nobody.toml().contains("\ntrusted_proxies = []\n"), "{}", nobody.toml());
        assert_eq!(parse_with(&nobody.toml(), &["liqheat", "serve"]).unwrap().1.toml(), nobody.toml());
        let (_, effective) = parse_with("", &["liqheat", "serve"]).unwrap();
        assert!(effective.toml().contains("\nws_update_interval = 5\n"), "{}", effective.toml());
        let (_, effective) = parse_with("", &["liqheat", "demo"]).unwrap();
        assert!(effective.line().contains(" ws_update_interval=1 "), "{}", effective.line());
    }
}
