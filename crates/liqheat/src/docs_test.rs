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
