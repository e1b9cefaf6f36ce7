//! The documents list every setting; this holds them to that.

use std::collections::BTreeSet;

use crate::cli;
use crate::reload::RELOADABLE;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");
const SETTINGS: &str = include_str!("../../../docs/settings.md");

#[test]
fn the_operators_document_names_every_command_and_only_settings_that_there_are() {
    for command in cli::command().get_subcommands() {
        if command.get_name() != "help" && !command.is_hide_set() {
            let name = format!("`liqheat {}`", command.get_name());
            assert!(OPERATIONS.contains(&name), "docs/operations.md does not mention {name}");
        }
    }
    let words = OPERATIONS.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_ours = |word: &&str| {
        ["LIQHEAT_", "WS_", "REDIS_"].iter().any(|start| word.len() > start.len() && word.starts_with(start))
    };
    let named: BTreeSet<&str> = words.filter(is_ours).collect();
    assert!(named.len() > 10, "{named:?}");
    let unknown: Vec<_> = named.iter().filter(|name| !SETTINGS.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "docs/operations.md speaks of {unknown:?}, which are no settings");
}

/// One row a setting: flag, environment, default, meaning; hidden ones are nobody's business.
fn rows(command: &clap::Command, known: &BTreeSet<String>) -> Vec<(Option<String>, String)> {
    let shown = |argument: &&clap::Arg| {
        let name = argument.get_id().as_str();
        !["help", "version"].contains(&name) && !argument.is_hide_set() && !known.contains(name)
    };
    let row = |argument: &clap::Arg| {
        let name = match argument.get_long() {
            Some(long) => format!("--{long}"),
            None => argument.get_id().as_str().to_uppercase(),
        };
        let variable =
            argument.get_env().map_or(String::new(), |name| format!("`{}`", name.to_string_lossy()));
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let default =
            if argument.get_action().takes_values() { defaults.join(", ") } else { "off".to_owned() };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let choices: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| argument.get_action().takes_values())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        // What is on or off needs no list.
        let is_switch = choices.iter().any(|choice| choice == "`true`");
        let help =
            if choices.is_empty() || is_switch { help } else { format!("{help}: {}", choices.join(", ")) };
        let mut help = help.replace('\n', " ").replace('|', "\\|");
        if RELOADABLE.contains(&argument.get_id().as_str()) {
            help.push_str(" *Read again on SIGHUP.*");
        }
        let heading = argument.get_help_heading().map(str::to_owned);
        (heading, format!("| `{name}` | {variable} | {default} | {help} |\n"))
    };
    command.get_arguments().filter(shown).map(row).collect()
}

/// `docs/settings.md`, from the command line's own definition.
fn settings() -> String {
    const HEAD: &str = "| flag | environment | default | meaning |\n|---|---|---|---|\n";
    let mut text = "# Settings\n\nLook up a setting: flag, environment variable, default and meaning. The list is generated from the program's \
        command line (see CONTRIBUTING.md); [operations.md](operations.md#settings) explains how they combine. In a configuration file a key is the long \
        name of the flag with `_` for `-`. On SIGHUP a running `serve` applies those that are marked ([operations.md](operations.md#changing-settings-while-it-runs)).\n"
        .to_owned();
    let command = cli::command();
    let mut known = BTreeSet::new();
    let mut table = |title: &str, rows: &[String]| {
        if !rows.is_empty() {
            text.push_str(&format!("\n## {title}\n\n{HEAD}{}", rows.concat()));
        }
    };
    let global: Vec<String> = rows(&command, &known).into_iter().map(|(_, row)| row).collect();
    table("Of every command", &global);
    known.extend(command.get_arguments().map(|argument| argument.get_id().to_string()));
    let commands: Vec<&clap::Command> = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help" && !below.is_hide_set())
        .collect();
    for below in commands {
        let mut groups: Vec<(Option<String>, Vec<String>)> = Vec::new();
        for (heading, row) in rows(below, &known) {
            match groups.iter_mut().find(|(known, _)| *known == heading) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((heading, vec![row])),
            }
        }
        for (heading, rows) in groups {
            let name = below.get_name();
            let title =
                heading.map_or(format!("`liqheat {name}`"), |heading| format!("`liqheat {name}`: {heading}"));
            table(&title, &rows);
        }
    }
    text
}

/// `.env.example`: every variable of a server, commented out, with its default.
fn environment() -> String {
    let mut text =
        "# Variables that `liqheat serve` reads; docs/settings.md explains each. Remove the '#' to set one.
"
        .to_owned();
    let command = cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    for argument in command.get_arguments().chain(serve.get_arguments()) {
        let (Some(name), false) = (argument.get_env(), argument.is_hide_set()) else { continue };
        let defaults: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match (argument.get_action().takes_values(), defaults.as_slice()) {
            (true, defaults) => defaults.join(","),
            (false, _) => "false".to_owned(),
        };
        text.push_str(&format!(
            "#{}={default}
",
            name.to_string_lossy()
        ));
    }
    text
}

#[test]
fn the_example_environment_has_the_settings_of_a_server() {
    let path = "../../.env.example";
    let expected = environment();
    assert!(
        expected.contains(
            "
#WS_MAX_CONNECTIONS=10000
"
        ),
        "{expected}"
    );
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stands == expected,
        ".env.example is not what the command line says; LIQHEAT_BLESS=1 cargo test -p liqheat settings writes it anew"
    );
}

#[test]
fn the_list_of_settings_is_what_the_command_line_says() {
    let path = "../../docs/settings.md";
    let expected = settings();
    assert!(expected.contains("`WS_MAX_CONNECTIONS` | `10000`"), "{expected}");
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stands == expected,
        "docs/settings.md is not what the command line says; LIQHEAT_BLESS=1 cargo test -p liqheat settings writes it anew"
    );
}
