//! Flags of live markets: which venues, where they are, and how hard they are asked.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use liqheat_feeds::live::{AccountSettings, Clock, LiveSettings, VenueSettings};
use liqheat_feeds::raw::RawSettings;
use liqheat_feeds::venues::{Account, Exchange, exchange, exchanges};
use liqheat_market::{Backoff, Symbol, UnixMs, Venue};
use liqheat_measured::Address;
use liqheat_server::MeasuredSettings;

use super::values::{moment, speed};
use crate::time_unit::{DAYS, HOURS, parse_seconds};

/// What `serve`, `record` and `doctor` share.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live markets")]
pub(crate) struct LiveArgs {
    /// Venues to follow, separated by commas.
    #[arg(long, env = "LIQHEAT_VENUES", value_delimiter = ',', default_values_t = exchanges().map(|exchange| exchange.venue), value_parser = venue, value_name = "VENUES")]
    pub(crate) venues: Vec<Venue>,
    /// Days of history that are fetched if the database has none; venues keep open interest for a month.
    #[arg(long, env = "LIQHEAT_FILL_DAYS", default_value = "30", value_parser = fill_days, value_name = "DAYS")]
    pub(crate) fill_days: Duration,
    /// Most trades that are fetched to close one gap; a larger one remains and is reported.
    #[arg(long, env = "LIQHEAT_FILL_TRADES_MAX", default_value = "100000", value_name = "N")]
    pub(crate) fill_trades_max: u64,
    /// Seconds between two requests for open interest, if a venue has no stream of it.
    #[arg(long, env = "LIQHEAT_OPEN_INTEREST_INTERVAL", default_value = "5", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) open_interest_interval: Duration,
    /// Share of a venue's request budget that may be used, 0.05 to 1.
    #[arg(long, env = "LIQHEAT_REQUEST_BUDGET", default_value = "0.7", value_parser = share, value_name = "SHARE")]
    pub(crate) request_budget: f64,
    /// Seconds for connecting to a venue, and for one request.
    #[arg(long, env = "LIQHEAT_VENUE_TIMEOUT", default_value = "10", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) venue_timeout: Duration,
    /// Seconds of silence of a mark price after which its connection is closed.
    #[arg(long, help = silence_help(), env = "LIQHEAT_SILENCE_TIMEOUT", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) silence_timeout: Option<Duration>,
    /// Hours after which a connection is replaced by a new one; venues end them at 24.
    #[arg(long, env = "LIQHEAT_CONNECTION_LIFE", default_value = "23", value_parser = life, value_name = "HOURS")]
    pub(crate) connection_life: Duration,
    /// First pause before connecting again, seconds; it doubles with each attempt.
    #[arg(long, env = "LIQHEAT_RECONNECT_MIN", default_value = "0.5", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) reconnect_min: Duration,
    /// Longest pause before connecting again, seconds.
    #[arg(long, env = "LIQHEAT_RECONNECT_MAX", default_value = "60", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) reconnect_max: Duration,
    /// Hours between requests for the venues' margin tiers; 0 disables them.
    #[arg(long, env = "LIQHEAT_REFRESH_TIERS", default_value = "24", value_parser = refresh, value_name = "HOURS")]
    pub(crate) refresh_tiers: Duration,
    /// Addresses that replace those of venues, separated by commas: binance=wss://fstream.binance.com is that of the
    /// sockets, binance=https://fapi.binance.com that of the REST interface.
    #[arg(long, env = "LIQHEAT_VENUE_URL", value_delimiter = ',', value_parser = venue_url, value_name = "VENUE=URL")]
    pub(crate) venue_url: Vec<VenueUrl>,
    /// Name of a contract at a venue, if it does not follow from the symbol: 1000PEPEUSDT@hyperliquid=kPEPE, separated
    /// by commas.
    #[arg(long, env = "LIQHEAT_CONTRACT_NAMES", value_delimiter = ',', value_parser = contract_name, value_name = "NAMES")]
    pub(crate) contract_names: Vec<ContractName>,
    /// Addresses at Hyperliquid whose liquidations are followed, at most 10, separated by commas; if empty, there are
    /// none of this venue.
    #[arg(long, env = "LIQHEAT_HYPERLIQUID_ADDRESSES", value_delimiter = ',', value_parser = account, value_name = "ADDRESSES")]
    pub(crate) hyperliquid_addresses: Vec<Account>,
    /// Read the positions of accounts at Hyperliquid: SYMBOL@hyperliquid:measured and /v1/measured show where they
    /// would be liquidated, beside the estimate.
    #[arg(long, env = "LIQHEAT_HYPERLIQUID_MEASURED")]
    pub(crate) hyperliquid_measured: bool,
    /// Share of the request budget of Hyperliquid for reading accounts, 0.05 to 1; never more than --request-budget.
    #[arg(long, env = "LIQHEAT_HYPERLIQUID_MEASURED_SHARE", default_value = "0.5", value_parser = share, value_name = "SHARE")]
    pub(crate) hyperliquid_measured_share: f64,
    /// Accounts at Hyperliquid that are read in addition to those of the leaderboard and of trades, separated by
    /// commas.
    #[arg(long, env = "LIQHEAT_HYPERLIQUID_MEASURED_ADDRESSES", value_delimiter = ',', value_parser = address, value_name = "ADDRESSES")]
    pub(crate) hyperliquid_measured_addresses: Vec<Address>,
    /// URL of the leaderboard of Hyperliquid, read once a day [default: that of the venue].
    #[arg(long, env = "LIQHEAT_HYPERLIQUID_LEADERBOARD", value_parser = web_url, value_name = "URL")]
    pub(crate) hyperliquid_leaderboard: Option<String>,
    /// Show the addresses of accounts in /v1/measured.
    #[arg(long, env = "LIQHEAT_SHOW_ADDRESSES")]
    pub(crate) show_addresses: bool,
    /// For trials against a stand-in exchange: the moment at which the live clock begins.
    #[arg(long, env = "LIQHEAT_LIVE_CLOCK", value_parser = moment, hide = true, value_name = "TIME")]
    pub(crate) live_clock: Option<UnixMs>,
    /// For the same: market seconds a second.
    #[arg(long, env = "LIQHEAT_LIVE_SPEED", default_value = "1", value_parser = speed, hide = true, value_name = "N")]
    pub(crate) live_speed: f64,
}

/// An address of a venue, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VenueUrl {
    venue: Venue,
    interface: Interface,
    url: String,
}

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interface {
    Sockets,
    Rest,
}

/// What a venue calls a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContractName {
    symbol: Symbol,
    venue: Venue,
    name: String,
}

/// Where raw frames go.
#[derive(Debug, Args)]
pub(crate) struct RawArgs {
    /// Size in megabytes at which a new file begins.
    #[arg(long, env = "LIQHEAT_RECORD_FILE_MB", default_value = "256", value_parser = clap::value_parser!(u64).range(1..=65_536), value_name = "MB")]
    pub(crate) record_file_mb: u64,
    /// Hours after which a new file begins.
    #[arg(long, env = "LIQHEAT_RECORD_FILE_HOURS", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=168), value_name = "HOURS")]
    pub(crate) record_file_hours: u64,
    /// Days that files of raw frames are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_RECORD_KEEP", value_parser = super::values::days, value_name = "DAYS")]
    pub(crate) record_keep: Option<Duration>,
}

impl RawArgs {
    pub(crate) fn settings(&self, folder: PathBuf) -> RawSettings {
        RawSettings {
            file_bytes_max: self.record_file_mb << 20,
            file_age_max: Duration::from_secs(self.record_file_hours * 3_600),
            keep: self.record_keep,
            ..RawSettings::new(folder)
        }
    }
}

impl LiveArgs {
    /// As the connectors want them. `names` are symbols, each at all venues or, with `@venue`, at one.
    ///
    /// # Errors
    /// Names every mistake.
    pub(crate) fn settings(&self, names: &[String]) -> Result<LiveSettings, Vec<String>> {
        let mut faults = Vec::new();
        let mut venues: Vec<VenueSettings> = Vec::new();
        for venue in &self.venues {
            if exchange(*venue).is_none() {
                faults.push(format!("'{venue}' has no live data"));
            } else if !venues.iter().any(|known| known.venue == *venue) {
                venues.push(self.venue(*venue));
            }
        }
        for name in names {
            match parse_name(name) {
                Err(fault) => faults.push(fault),
                Ok((symbol, None)) => {
                    for venue in &mut venues {
                        let follows = exchange(venue.venue).is_some_and(|one| one.name_of(&symbol).is_some());
                        let listed = follows || venue.names.contains_key(&symbol);
                        if listed && !venue.symbols.contains(&symbol) {
                            venue.symbols.push(symbol.clone());
                        }
                    }
                }
                Ok((symbol, Some(wanted))) => match venues.iter_mut().find(|venue| venue.venue == wanted) {
                    Some(venue) if !venue.symbols.contains(&symbol) => venue.symbols.push(symbol),
                    Some(_) => {}
                    None => faults
                        .push(format!("'{name}' is to be followed, but --venues does not name {wanted}")),
                },
            }
        }
        for (index, one) in self.venue_url.iter().enumerate() {
            let same = |other: &&VenueUrl| (other.venue, other.interface) == (one.venue, one.interface);
            if let Some(first) = self.venue_url[..index].iter().find(same) {
                faults.push(format!(
                    "--venue-url names {} and {} for {}: give one",
                    first.url, one.url, one.venue
                ));
            }
        }
        for venue in &venues {
            let most = exchange(venue.venue).map_or(0, |exchange| exchange.accounts_max);
            let given = venue.accounts.len();
            if given > most {
                faults.push(format!(
                    "--{}-addresses names {given} addresses; the venue shows the fills of at most {most}",
                    venue.venue
                ));
            }
        }
        venues.retain(|venue| !venue.symbols.is_empty());
        if self.hyperliquid_measured && !venues.iter().any(|venue| venue.looks.is_some()) {
            faults.push(
                "--hyperliquid-measured needs hyperliquid in --venues, and a symbol that it has".to_owned(),
            );
        }
        let max = self.reconnect_max.max(self.reconnect_min);
        let reconnect = Backoff::new(self.reconnect_min, max)
            .map_err(|error| vec![format!("--reconnect-min and --reconnect-max: {error}")]);
        let reconnect = match (reconnect, faults.is_empty()) {
            (Ok(reconnect), true) => reconnect,
            (Ok(_), false) => return Err(faults),
            (Err(error), _) => return Err(faults.into_iter().chain(error).collect()),
        };
        let clock = match self.live_clock {
            Some(start) => Clock::compressed(start, self.live_speed),
            None => Clock::wall(),
        };
        Ok(LiveSettings {
            clock,
            fill_klines: self.fill_days,
            fill_open_interest: self.fill_days,
            fill_trades_max: self.fill_trades_max,
            reconnect,
            timeout: self.venue_timeout,
            budget_share: self.request_budget,
            refresh_tiers: (!self.refresh_tiers.is_zero()).then_some(self.refresh_tiers),
            ..LiveSettings::new(venues)
        })
    }

    /// Every venue that is asked for, without symbols.
    pub(crate) fn venue(&self, venue: Venue) -> VenueSettings {
        let url = |interface| {
            let given = |one: &&VenueUrl| one.venue == venue && one.interface == interface;
            self.venue_url.iter().find(given).map(|one| one.url.clone())
        };
        let limits = exchange(venue).map(|exchange| {
            let mut limits = exchange.limits.clone();
            limits.mark_silence = self.silence_timeout.unwrap_or(limits.mark_silence);
            limits.connection_life = self.connection_life;
            if limits.poll_open_interest.is_some() {
                limits.poll_open_interest = Some(self.open_interest_interval);
                limits.poll_open_interest_max =
                    limits.poll_open_interest_max.max(self.open_interest_interval);
            }
            limits
        });
        VenueSettings {
            venue,
            socket_base: url(Interface::Sockets),
            rest_base: url(Interface::Rest),
            symbols: Vec::new(),
            names: self
                .contract_names
                .iter()
                .filter(|one| one.venue == venue)
                .map(|one| (one.symbol.clone(), one.name.clone()))
                .collect(),
            accounts: if venue == Venue::Hyperliquid { self.accounts() } else { Vec::new() },
            looks: (venue == Venue::Hyperliquid && self.hyperliquid_measured).then(|| AccountSettings {
                budget_share: self.hyperliquid_measured_share,
                leaderboard: self.hyperliquid_leaderboard.clone(),
            }),
            limits,
        }
    }

    /// What is shown of accounts, where they are looked at.
    pub(crate) fn measured(&self) -> Option<MeasuredSettings> {
        self.hyperliquid_measured.then(|| MeasuredSettings {
            addresses: self.hyperliquid_measured_addresses.clone(),
            show_addresses: self.show_addresses,
        })
    }

    /// Each once.
    fn accounts(&self) -> Vec<Account> {
        let named: BTreeSet<&Account> = self.hyperliquid_addresses.iter().collect();
        named.into_iter().cloned().collect()
    }
}

/// `BTCUSDT`, or `BTCUSDT@okx`.
pub(crate) fn parse_name(name: &str) -> Result<(Symbol, Option<Venue>), String> {
    let (symbol, venue) = match name.split_once('@') {
        Some((symbol, venue)) => (symbol, Some(Venue::from_name(venue).map_err(|error| error.to_string())?)),
        None => (name, None),
    };
    Ok((Symbol::new(symbol).map_err(|error| error.to_string())?, venue))
}

/// The help of `--silence-timeout` with the default of each venue.
fn silence_help() -> String {
    let default =
        |exchange: &Exchange| format!("{} {}", exchange.venue, exchange.limits.mark_silence.as_secs());
    let defaults: Vec<String> = exchanges().map(default).collect();
    format!(
        "Seconds of silence of a mark price after which its connection is given up [default: {}]",
        defaults.join(", ")
    )
}

fn venue(text: &str) -> Result<Venue, String> {
    Venue::from_name(text.trim()).map_err(|error| error.to_string())
}

fn account(text: &str) -> Result<Account, String> {
    text.parse().map_err(|error: liqheat_feeds::venues::AccountError| error.to_string())
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error: liqheat_measured::AddressError| error.to_string())
}

fn web_url(text: &str) -> Result<String, String> {
    let url = text.trim();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host.filter(|host| !host.is_empty()) {
        Some(_) => Ok(url.to_owned()),
        None => Err(format!("'{url}' must begin with https:// or http://")),
    }
}

fn contract_name(text: &str) -> Result<ContractName, String> {
    let form = || "must look like 1000PEPEUSDT@hyperliquid=kPEPE".to_owned();
    let (whose, name) = text.trim().split_once('=').filter(|(_, name)| !name.is_empty()).ok_or_else(form)?;
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("'{name}': a venue's name has no spaces and no letters beyond ASCII"));
    }
    match parse_name(whose)? {
        (symbol, Some(venue)) => Ok(ContractName { symbol, venue, name: name.to_owned() }),
        (_, None) => Err(form()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.trim().parse().map_err(|_| "must be a number, such as 0.7".to_owned())?;
    if (0.05..=1.0).contains(&share) { Ok(share) } else { Err("must be 0.05 to 1".to_owned()) }
}

/// The life of a connection.
fn life(text: &str) -> Result<Duration, String> {
    HOURS.parse(text, 0.02..=24.0)
}

fn refresh(text: &str) -> Result<Duration, String> {
    let is_never = text.trim() == "0";
    if is_never {
        Ok(Duration::ZERO)
    } else {
        HOURS.parse(text, 0.1..=8_760.0).map_err(|why| format!("{why}, or 0 for never"))
    }
}

fn fill_days(text: &str) -> Result<Duration, String> {
    DAYS.parse(text, 0.0..=365.0)
}

/// Paths of the venue come after the address, so it has no slash at its end.
fn venue_url(text: &str) -> Result<VenueUrl, String> {
    let form = "must look like binance=wss://HOST or binance=https://HOST";
    let (whose, url) = text.trim().split_once('=').ok_or(form)?;
    let (venue, url) = (venue(whose)?, url.trim_end_matches('/'));
    if exchange(venue).is_none() {
        return Err(format!("'{venue}' has no live data"));
    }
    let (scheme, host) = url.split_once("://").filter(|(_, host)| !host.is_empty()).ok_or(form)?;
    let interface = match scheme {
        "ws" | "wss" => Interface::Sockets,
        "http" | "https" => Interface::Rest,
        _ => return Err(format!("'{scheme}://{host}': must begin with wss://, ws://, https:// or http://")),
    };
    Ok(VenueUrl { venue, interface, url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_an_address_says_what_it_leads_to() {
        for (text, venue, interface, url) in [
            (
                "binance=wss://fstream.binance.com",
                Venue::Binance,
                Interface::Sockets,
                "wss://fstream.binance.com",
            ),
            (" okx=ws://127.0.0.1:9/x/ ", Venue::Okx, Interface::Sockets, "ws://127.0.0.1:9/x"),
            ("bybit=https://api.bybit.com/", Venue::Bybit, Interface::Rest, "https://api.bybit.com"),
            ("hyperliquid=http://h?a=b", Venue::Hyperliquid, Interface::Rest, "http://h?a=b"),
        ] {
            assert_eq!(venue_url(text), Ok(VenueUrl { venue, interface, url: url.to_owned() }), "{text}");
        }
        for (text, part) in [
            ("wss://fstream.binance.com", "must look like"),
            ("binance=", "must look like"),
            ("binance=fapi.binance.com", "must look like"),
            ("binance=https://", "must look like"),
            ("binance=ftp://h", "must begin with"),
            ("kraken=https://h", "kraken"),
            ("sim=https://h", "no live data"),
        ] {
            let why = venue_url(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
