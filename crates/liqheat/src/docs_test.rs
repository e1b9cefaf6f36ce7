//! The operator's document lists every flag; this holds it to that.

use std::collections::BTreeSet;

use crate::cli;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// Every flag as `docs/operations.md` should show it: in code quotes, with its environment name and its default.
fn mentions(command: &clap::Command, wanted: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str();
        if ["help", "version"].contains(&name) || argument.is_hide_set() {
            continue;
        }
        match argument.get_long() {
            Some(long) => wanted.insert(format!("`--{long}`")),
            None => wanted.insert(format!("`{}`", name.to_uppercase())),
        };
        wanted.extend(argument.get_env().map(|env| format!("`{}`", env.to_string_lossy())));
        let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        wanted.extend(
            defaults.filter(|_| argument.get_action().takes_values()).map(|value| format!("`{value}`")),
        );
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set())
    {
        wanted.insert(format!("`liqheat {}`", below.get_name()));
        mentions(below, wanted);
    }
}

#[test]
fn the_operators_document_names_every_flag() {
    let mut wanted = BTreeSet::new();
    mentions(&cli::command(), &mut wanted);
    assert!(wanted.contains("`--listen`") && wanted.contains("`LIQHEAT_LISTEN`"), "{wanted:?}");
    let missing: Vec<_> = wanted.iter().filter(|mention| !OPERATIONS.contains(mention.as_str())).collect();
    assert!(missing.is_empty(), "docs/operations.md does not mention {missing:?}");
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
        let help = help.replace('\n', " ").replace('|', "\\|");
        let heading = argument.get_help_heading().map(str::to_owned);
        (heading, format!("| `{name}` | {variable} | {default} | {help} |\n"))
    };
    command.get_arguments().filter(shown).map(row).collect()
}

/// `docs/settings.md`, from the command line's own definition.
fn settings() -> String {
    const HEAD: &str = "| flag | environment | default | meaning |\n|---|---|---|---|\n";
    let mut text = "# Settings\n\nEvery setting, made from the program's command line (see CONTRIBUTING.md); \
        [operations.md](operations.md#settings) says how they go together. In a configuration file a key is the long \
        name of the flag with `_` for `-`.\n"
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

#[test]
fn the_list_of_settings_is_what_the_command_line_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
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
