//! The settings in effect: printed as a configuration file that means the same, and logged in one line.
//!
//! Both come from the command line's own list of flags, so a new one cannot be forgotten. Secrets are omitted.

use std::fmt::Write;

use clap::{Arg, ArgMatches, Command};
use liqheat_server::Secret;

/// What cannot be set in a file.
pub(crate) const IN_NO_FILE: &[&str] = &["config", "help", "version", "open", "print", "print_config"];

/// All settings of one command.
#[derive(Debug, Clone, Default)]
pub(crate) struct EffectiveSettings(Vec<Setting>);

#[derive(Debug, Clone)]
struct Setting {
    heading: Option<String>,
    key: String,
    help: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// As TOML writes it.
    Is(String),
    /// No value and no default.
    None,
    /// A secret that is set.
    Hidden(Secret),
}

impl EffectiveSettings {
    /// Reads them off what was parsed, in the order of the command line as it is written down (changing a flag
    /// moves it to the end); empty without a command.
    pub(crate) fn of(command: &Command, matches: &ArgMatches) -> Self {
        let Some((name, below)) = matches.subcommand() else { return Self::default() };
        let own = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
        let every = command.get_arguments().chain(own);
        let in_files =
            every.filter(|arg| !arg.is_positional() && !IN_NO_FILE.contains(&arg.get_id().as_str()));
        Self(in_files.map(|arg| Setting::of(arg, below)).collect())
    }

    /// A configuration file.
    pub(crate) fn toml(&self) -> String {
        let mut text = String::new();
        let mut heading = &None;
        for setting in &self.0 {
            if setting.heading != *heading {
                heading = &setting.heading;
                if let Some(heading) = heading {
                    // Writing into memory cannot fail, here and below.
                    let _ = writeln!(text, "# ---- {heading}\n");
                }
            }
            let key = &setting.key;
            let _ = writeln!(text, "# {}", setting.help);
            let _ = match &setting.value {
                Value::Is(value) => writeln!(text, "{key} = {value}\n"),
                Value::None => writeln!(text, "# {key} =\n"),
                Value::Hidden(_) => writeln!(text, "# {key} is set, but not shown\n"),
            };
        }
        text
    }

    /// The keys whose values are others than before, secrets included.
    pub(crate) fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|now| before.value(&now.key) != Some(&now.value)).map(|now| now.key.as_str())
    }

    /// Takes the values of some keys from what is in effect now.
    pub(crate) fn take_over(&mut self, now: &Self, has: impl Fn(&str) -> bool) {
        for setting in self.0.iter_mut().filter(|setting| has(&setting.key)) {
            if let Some(value) = now.value(&setting.key) {
                setting.value = value.clone();
            }
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|setting| setting.key == key).map(|setting| &setting.value)
    }

    /// One line, without what is not set.
    pub(crate) fn line(&self) -> String {
        let pair = |setting: &Setting| match &setting.value {
            Value::Is(value) => Some(format!("{}={value}", setting.key)),
            Value::None => None,
            Value::Hidden(_) => Some(format!("{}=(not shown)", setting.key)),
        };
        self.0.iter().filter_map(pair).collect::<Vec<_>>().join(" ")
    }
}

impl Setting {
    fn of(arg: &Arg, matches: &ArgMatches) -> Self {
        let key = arg.get_id().to_string();
        let raw = matches.try_get_raw(&key).ok().flatten();
        let values: Vec<String> =
            raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
        let is_list =
            arg.get_value_delimiter().is_some() || arg.get_num_args().is_some_and(|n| n.max_values() > 1);
        let value = match values.as_slice() {
            // An empty list that stands for the default would be read as the default.
            [] if is_list && !arg.get_default_values().is_empty() => Value::Is("[]".to_owned()),
            [] => Value::None,
            list if arg.is_hide_env_values_set() => Value::Hidden(Secret::new(list.join(","))),
            [one] if !is_list => Value::Is(written(one)),
            list => {
                Value::Is(format!("[{}]", list.iter().map(|one| written(one)).collect::<Vec<_>>().join(", ")))
            }
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
        Self { heading: arg.get_help_heading().map(str::to_owned), key, help, value }
    }
}

/// A value as TOML: numbers and booleans bare where that loses nothing, all else as a string.
fn written(text: &str) -> String {
    let number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
        || (text.contains('.') && text.parse::<f64>().is_ok_and(|number| number.to_string() == text));
    if number || text == "true" || text == "false" {
        text.to_owned()
    } else {
        toml::Value::String(text.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_they_are_read_again() {
        for (text, expected) in [
            ("10", "10"),
            ("0.5", "0.5"),
            ("true", "true"),
            ("007", "\"007\""),
            ("1e5", "\"1e5\""),
            ("inf", "\"inf\""),
            ("127.0.0.1:80", "\"127.0.0.1:80\""),
            ("", "\"\""),
        ] {
            assert_eq!(written(text), expected);
        }
        let odd = "a \"quote\", a \\ and\na line";
        let table: toml::Table = format!("x = {}", written(odd)).parse().unwrap();
        assert_eq!(table["x"].as_str(), Some(odd));
    }
}
