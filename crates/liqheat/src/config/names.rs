//! Names of settings that are not read: those that were removed, and those that never existed.
//!
//! A flag or a key of the file that does not exist is a mistake. A variable that does not exist may belong to another
//! program, so it is a warning; one that was removed is a mistake, because whoever sets it relies on it.

use std::collections::BTreeSet;

use clap::Command;
use liqheat_feeds::venues::exchange;
use liqheat_market::Venue;

/// First parts of the names of variables that this program reads.
const PREFIXES: [&str; 3] = ["LIQHEAT", "WS", "REDIS"];
/// `REDIS_HOST` and the like are everywhere, so a variable with this prefix is reported only if it resembles a setting.
const SHARED_PREFIX: &str = "REDIS";
/// Variables that tests, scripts and `liqheat-bench` read. An entry that ends with `_` stands for all that begin so.
const DEVELOPMENT: &[&str] = &[
    "LIQHEAT_BENCH_",
    "LIQHEAT_BIN",
    "LIQHEAT_BLESS",
    "LIQHEAT_EQUALITY_",
    "LIQHEAT_REQUIRE_",
    "LIQHEAT_SHARED_DATA",
    "LIQHEAT_STORE_TEST_",
    "LIQHEAT_STRESS_",
    "LIQHEAT_URL",
];

/// What is wrong with the names of variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VariableNames {
    /// Removed variables and what replaces each.
    pub(super) removed: Vec<(String, String)>,
    /// A line about each variable that looks like a setting and is none.
    pub(super) unknown: Vec<String>,
}

/// Checks the names of all variables that are set. An empty value counts as unset, as in compositions that pass on
/// `${NAME:-}`.
pub(super) fn check_variables(
    set: impl Iterator<Item = (String, String)>,
    command: &Command,
) -> VariableNames {
    let known = variables(command);
    let mut names = VariableNames::default();
    let mut ours: Vec<(String, String)> = set
        .filter(|(name, value)| {
            !value.is_empty() && PREFIXES.contains(&split(name).0) && !known.contains(name)
        })
        .collect();
    ours.sort();
    for (name, value) in ours {
        if let Some(replacement) = replacement(split(&name).1, &value) {
            names.removed.push((name, replacement));
        } else if !is_development(&name) && !is_service_link(&name, &value) {
            let hint = match nearest(&name, &known) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None if split(&name).0 == SHARED_PREFIX => continue,
                None => "docs/settings.md lists the settings".to_owned(),
            };
            names
                .unknown
                .push(format!("environment variable {name} is not a setting and has no effect; {hint}"));
        }
    }
    names
}

/// What to write in place of a setting that was removed, `key` in any spelling of flag, variable or file.
pub(super) fn replacement(key: &str, value: &str) -> Option<String> {
    let key = key.trim_start_matches('-').replace('-', "_").to_lowercase();
    let (venue, interface) = key.split_once('_')?;
    let venue = Venue::from_name(venue).ok().filter(|venue| exchange(*venue).is_some())?;
    let example = match (interface, value) {
        ("rest" | "socket", value) if value.contains("://") => value,
        ("rest", _) => "https://HOST",
        ("socket", _) => "wss://HOST",
        _ => return None,
    };
    Some(format!(
        "was removed; use --venue-url {venue}={example} (variable LIQHEAT_VENUE_URL, key venue_url), several separated by commas"
    ))
}

/// Variables of all flags of all commands.
fn variables(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned()));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

/// The prefix of a name, and the rest.
fn split(name: &str) -> (&str, &str) {
    name.split_once('_').unwrap_or((name, ""))
}

fn is_development(name: &str) -> bool {
    DEVELOPMENT
        .iter()
        .any(|known| if known.ends_with('_') { name.starts_with(known) } else { name == *known })
}

/// Whether Kubernetes or Docker set a variable, which they do for every service whose name begins like a setting:
/// `LIQHEAT_SERVICE_HOST`, `LIQHEAT_PORT=tcp://10.0.0.1:8000`, `LIQHEAT_PORT_8000_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    let has_protocol = || ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme));
    let port_number = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && has_protocol())
        || name.split_once("_PORT_").is_some_and(|(_, rest)| port_number(rest))
}

/// The known name that differs least from another: by at most a third of its letters, the prefix not counted. One with a
/// shared prefix is compared with those of this prefix only.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let (prefix, rest) = split(name);
    let distance = |known: &str| {
        let by_rest = strsim::damerau_levenshtein(rest, split(known).1);
        by_rest.min(strsim::damerau_levenshtein(rest, known))
    };
    let is_candidate = |known: &&String| prefix != SHARED_PREFIX || split(known).0 == SHARED_PREFIX;
    let best = known.iter().filter(is_candidate).map(|known| (distance(known), known)).min()?;
    (best.0 * 3 <= rest.len()).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn check(set: &[(&str, &str)]) -> VariableNames {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        check_variables(set, &cli::command())
    }

    #[test]
    fn removed_variables_name_what_replaces_them() {
        let names = check(&[
            ("LIQHEAT_OKX_SOCKET", "wss://ws.okx.example"),
            ("LIQHEAT_BINANCE_REST", "here"),
            ("LIQHEAT_BYBIT_REST", ""),
        ]);
        assert_eq!(names.unknown, [""; 0]);
        let found: Vec<&str> = names.removed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["LIQHEAT_BINANCE_REST", "LIQHEAT_OKX_SOCKET"]);
        assert!(names.removed[0].1.contains("--venue-url binance=https://HOST "), "{names:?}");
        assert!(names.removed[1].1.contains("--venue-url okx=wss://ws.okx.example "), "{names:?}");
    }

    #[test]
    fn all_spellings_of_removed_settings_are_known() {
        for venue in liqheat_feeds::venues::exchanges().map(|exchange| exchange.venue) {
            for interface in ["rest", "socket"] {
                let key = format!("{venue}_{interface}");
                for spelling in [format!("--{venue}-{interface}"), key.to_uppercase(), key] {
                    assert!(replacement(&spelling, "").is_some(), "{spelling}");
                }
            }
        }
        for other in ["hyperliquid_addresses", "sim_rest", "kraken_rest", "rest", "binance_", "--venue-url"] {
            assert_eq!(replacement(other, ""), None, "{other}");
        }
    }

    #[test]
    fn unknown_variables_name_the_nearest_setting() {
        for (name, nearest) in [
            ("WS_UPDATE_INTERVALL", "WS_UPDATE_INTERVAL"),
            ("WS_MAX_CONECTIONS", "WS_MAX_CONNECTIONS"),
            ("LIQHEAT_UPDATE_INTERVAL", "WS_UPDATE_INTERVAL"),
            ("LIQHEAT_WS_PING_INTERVAL", "WS_PING_INTERVAL"),
            ("LIQHEAT_REDIS_URL", "REDIS_URL"),
            ("LIQHEAT_SYMBOLES", "LIQHEAT_SYMBOLS"),
            ("REDIS_ENABLE", "REDIS_ENABLED"),
        ] {
            let names = check(&[(name, "1")]);
            let line = format!(
                "environment variable {name} is not a setting and has no effect; did you mean {nearest}?"
            );
            assert_eq!(names.unknown, [line]);
        }
        let names = check(&[("LIQHEAT_PORT", "8000"), ("WS_ENDPOINT", "x")]);
        assert_eq!(names.unknown.len(), 2, "{names:?}");
        assert!(names.unknown.iter().all(|line| line.contains("docs/settings.md")), "{names:?}");
    }

    #[test]
    fn variables_of_others_are_not_reported() {
        let names = check(&[
            ("LIQHEAT_LISTEN", "127.0.0.1:1"),
            ("LIQHEAT_LIVE_SPEED", "60"),
            ("LIQHEAT_BENCH_ROWS", "7"),
            ("LIQHEAT_BLESS", "1"),
            ("LIQHEAT_PORT", "tcp://10.0.0.1:8000"),
            ("LIQHEAT_PORT_8000_TCP_ADDR", "10.0.0.1"),
            ("LIQHEAT_EDGE_SERVICE_HOST", "10.0.0.2"),
            ("REDIS_HOST", "10.0.0.3"),
            ("REDIS_PASSWORD", "x"),
            ("WSL_DISTRO_NAME", "x"),
            ("LIQHEATMAP_X", "x"),
            ("WS_NOTHING", ""),
            ("PATH", "/bin"),
        ]);
        assert_eq!(names, VariableNames::default());
    }
}
