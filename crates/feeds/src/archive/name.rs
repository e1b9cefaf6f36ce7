//! What the path of a file says about its content.
//!
//! The archive names files `BTCUSDT-5m-2025-08-25.zip` or `BTCUSDT-metrics-2025-08-29.zip` and keeps them in
//! folders like `futures/um/daily/klines/BTCUSDT/5m`. Klines, mark price klines and index klines share file
//! names, so only the folder tells them apart. Names made by people are read leniently: any part that looks
//! like a symbol, a family, an interval or a trailing date counts.

use std::path::Path;

use liqheat_market::{Interval, Symbol, UnixMs};

use super::family::{Family, UNUSED};
use super::fields::start_of_date;

/// The day or month in a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    /// Its first moment.
    pub(super) start: UnixMs,
    /// Its end, exclusive.
    pub(super) end: UnixMs,
}

/// What a name says of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyClue {
    /// This one.
    Known(Family),
    /// Klines, but not of which price.
    SomeKlines,
    /// One that is not used: its name and why.
    Unused(&'static str, &'static str),
}

/// What a name says of the kline interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IntervalClue {
    /// A length that is understood.
    Known(Interval),
    /// Looks like an interval but is none of ours (`3d`, `1w`, `1mo`, `1s`).
    Unsupported(String),
}

/// A market whose files look alike but count differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignMarket {
    /// Quantities are contracts of 10 or 100 USD.
    CoinMargined,
    /// Not a future.
    Spot,
}

/// Everything a path says; each part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Clues {
    pub(super) family: Option<FamilyClue>,
    pub(super) symbol: Option<Symbol>,
    pub(super) interval: Option<IntervalClue>,
    pub(super) period: Option<Period>,
    pub(super) foreign: Option<ForeignMarket>,
}

impl Clues {
    /// From the file name and the folders above it; the name counts more.
    pub(super) fn of_path(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let mut clues = Self::of_name(&name);
        let mut folders: Vec<String> = path
            .parent()
            .into_iter()
            .flat_map(Path::components)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        folders.reverse();
        clues.fill_from(Self::of_folders(&folders));
        clues
    }

    /// From a file name alone.
    pub(super) fn of_name(name: &str) -> Self {
        let stem = stem(name);
        let mut parts: Vec<&str> = stem.split('-').collect();
        let period = take_period(&mut parts);
        let mut clues = Self { period, ..Self::default() };
        let mut archive_form = false;
        for (index, part) in parts.iter().enumerate() {
            if let Some(family) = family_of(part) {
                clues.family.get_or_insert(family);
                archive_form |= index == 1;
            } else if let Some(interval) = interval_of(part) {
                clues.interval.get_or_insert(interval);
                archive_form |= index == 1;
            }
        }
        if clues.family.is_none() && clues.interval.is_some() {
            clues.family = Some(FamilyClue::SomeKlines);
        }
        let first_is_symbol = archive_form && parts.first().is_some_and(|part| is_capital_name(part));
        let symbol_part = if first_is_symbol {
            parts.first().copied()
        } else {
            parts.iter().copied().find(|part| looks_like_symbol(part))
        };
        clues.symbol = symbol_part.and_then(|part| Symbol::new(part).ok());
        clues
    }

    /// From folder names, nearest first.
    fn of_folders(folders: &[String]) -> Self {
        let mut clues = Self::default();
        for (depth, folder) in folders.iter().enumerate() {
            if let Some(family) = family_of(folder) {
                clues.family.get_or_insert(family);
            } else if let Some(interval) = interval_of(folder) {
                clues.interval.get_or_insert(interval);
            } else if looks_like_symbol(folder) {
                clues.symbol = clues.symbol.or_else(|| Symbol::new(folder).ok());
            }
            let below_is_period = depth > 0 && matches!(folders[depth - 1].as_str(), "daily" | "monthly");
            let above = folders.get(depth + 1).map(String::as_str);
            match folder.as_str() {
                "cm" if below_is_period || above == Some("futures") => {
                    clues.foreign.get_or_insert(ForeignMarket::CoinMargined);
                }
                "spot" if below_is_period => {
                    clues.foreign.get_or_insert(ForeignMarket::Spot);
                }
                _ => {}
            }
        }
        clues
    }

    /// Takes from `other` what is not known yet. A name that says only "klines" learns of which price.
    pub(super) fn fill_from(&mut self, other: Self) {
        let learns_price = self.family == Some(FamilyClue::SomeKlines)
            && match other.family {
                Some(FamilyClue::Known(family)) => family.is_klines(),
                Some(FamilyClue::Unused(name, _)) => name.ends_with("Klines"),
                _ => false,
            };
        if learns_price || self.family.is_none() {
            self.family = other.family;
        }
        self.symbol = self.symbol.take().or(other.symbol);
        self.interval = self.interval.take().or(other.interval);
        self.period = self.period.or(other.period);
        self.foreign = self.foreign.or(other.foreign);
    }
}

/// A name without its endings: `.csv`, `.zip`, `.csv.gz`, `.csv.zip`, in any case.
fn stem(name: &str) -> &str {
    let without = |name: &'_ str, ending: &str| -> Option<usize> {
        let at = name.len().checked_sub(ending.len())?;
        name.get(at..)?.eq_ignore_ascii_case(ending).then_some(at)
    };
    let mut stem = name;
    while let Some(at) = [".csv", ".zip", ".gz"].iter().find_map(|ending| without(stem, ending)) {
        stem = &stem[..at];
    }
    stem
}

/// Coin-margined contracts are named `BTCUSD_PERP` or `BTCUSD_250627`; `BTCUSDT_250627` is not one.
pub(super) fn is_coin_margined(symbol: &str) -> bool {
    symbol.contains("USD_")
}

fn family_of(part: &str) -> Option<FamilyClue> {
    let unused = UNUSED.iter().find(|(name, _)| *name == part);
    let known = Family::ALL.into_iter().find(|family| family.name() == part).map(FamilyClue::Known);
    known.or(unused.map(|&(name, why)| FamilyClue::Unused(name, why)))
}

fn interval_of(part: &str) -> Option<IntervalClue> {
    if let Some(interval) = Interval::from_name(part) {
        return Some(IntervalClue::Known(interval));
    }
    matches!(part, "1s" | "3d" | "1w" | "1mo" | "1M").then(|| IntervalClue::Unsupported(part.to_owned()))
}

/// A symbol as the archive writes it: nothing in small letters, and no `-`, which divides the parts of a name.
fn is_capital_name(part: &str) -> bool {
    !part.contains('-') && Symbol::new(part).is_ok_and(|symbol| symbol.as_str() == part)
}

/// Out of place, only a name with a quote currency at its end is taken for a symbol.
fn looks_like_symbol(part: &str) -> bool {
    const QUOTES: [&str; 5] = ["USDT", "USDC", "BUSD", "FDUSD", "USD_PERP"];
    is_capital_name(part) && QUOTES.iter().any(|quote| part.len() > quote.len() && part.ends_with(quote))
}

/// Takes a trailing `YYYY-MM-DD` or `YYYY-MM` off the parts.
fn take_period(parts: &mut Vec<&str>) -> Option<Period> {
    const DAY_MS: i64 = 86_400_000;
    let number = |part: &str, digits: usize| -> Option<i64> {
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    };
    if let [.., year, month, day] = parts.as_slice()
        && let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
        && let Some(start) = start_of_date(year, month, day)
    {
        parts.truncate(parts.len() - 3);
        return Some(Period { start, end: start.plus(DAY_MS) });
    }
    if let [.., year, month] = parts.as_slice()
        && let (Some(year), Some(month)) = (number(year, 4), number(month, 2))
        && let Some(start) = start_of_date(year, month, 1)
    {
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let end = start_of_date(next_year, next_month, 1)?;
        parts.truncate(parts.len() - 2);
        return Some(Period { start, end });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clues(path: &str) -> Clues {
        Clues::of_path(Path::new(path))
    }

    fn symbol(clues: &Clues) -> Option<&str> {
        clues.symbol.as_ref().map(Symbol::as_str)
    }

    #[test]
    fn archive_names_say_everything() {
        for (path, family) in [
            ("BTCUSDT-aggTrades-2024-08-08.zip", Family::AggTrades),
            ("BTCUSDT-metrics-2025-08-29.zip", Family::Metrics),
            ("BTCUSDT-fundingRate-2025-01.zip", Family::FundingRate),
            ("BTCUSDT-liquidationSnapshot-2023-06-25.csv", Family::LiquidationSnapshot),
            ("data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip", Family::Klines),
            ("um/daily/markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip", Family::MarkPriceKlines),
        ] {
            let clues = clues(path);
            assert_eq!(clues.family, Some(FamilyClue::Known(family)), "{path}");
            assert_eq!(symbol(&clues), Some("BTCUSDT"), "{path}");
            assert!(clues.period.is_some(), "{path}");
        }
        let daily = clues("BTCUSDT-5m-2025-08-25.zip");
        assert_eq!(daily.family, Some(FamilyClue::SomeKlines));
        assert_eq!(daily.interval, Some(IntervalClue::Known(Interval::M5)));
        let day = Period { start: UnixMs(1_756_080_000_000), end: UnixMs(1_756_166_400_000) };
        assert_eq!(daily.period, Some(day));
        let monthly = clues("ETHUSDT-1h-2024-12.csv");
        let month = Period { start: UnixMs(1_733_011_200_000), end: UnixMs(1_735_689_600_000) };
        assert_eq!(monthly.period, Some(month));
    }

    #[test]
    fn folders_fill_what_a_name_leaves_open() {
        let clues = clues("futures/um/daily/markPriceKlines/ETHUSDT/15m/part-1.csv");
        assert_eq!(clues.family, Some(FamilyClue::Known(Family::MarkPriceKlines)));
        assert_eq!(symbol(&clues), Some("ETHUSDT"));
        assert_eq!(
            clues.interval.map(|i| i == IntervalClue::Known(Interval::from_name("15m").unwrap())),
            Some(true)
        );
    }

    #[test]
    fn a_name_counts_more_than_its_folder() {
        let clues = clues("klines/ETHUSDT/BTCUSDT-metrics-2025-08-29.csv");
        assert_eq!(clues.family, Some(FamilyClue::Known(Family::Metrics)));
        assert_eq!(symbol(&clues), Some("BTCUSDT"));
    }

    #[test]
    fn foreign_markets_and_unused_families_are_seen() {
        let index = clues("um/daily/indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip");
        assert!(matches!(index.family, Some(FamilyClue::Unused("indexPriceKlines", _))));
        assert!(matches!(
            clues("BTCUSDT-trades-2025-08-25.zip").family,
            Some(FamilyClue::Unused("trades", _))
        ));
        let coin = clues("futures/cm/daily/klines/BTCUSD_PERP/5m/BTCUSD_PERP-5m-2025-08-25.zip");
        assert_eq!(coin.foreign, Some(ForeignMarket::CoinMargined));
        assert!(is_coin_margined(coin.symbol.unwrap().as_str()));
        assert_eq!(
            clues("spot/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip").foreign,
            Some(ForeignMarket::Spot)
        );
        assert_eq!(clues("my/spot/klines/BTCUSDT-5m-2025-08-25.zip").foreign, None);
        assert!(!is_coin_margined("BTCUSDT_250627"));
        assert!(matches!(clues("BTCUSDT-1w-2025-08.zip").interval, Some(IntervalClue::Unsupported(_))));
    }

    #[test]
    fn symbols_of_any_script_are_found() {
        for path in [
            "klines/币安人生USDT/5m/币安人生USDT-5m-2026-11-20.csv",
            "币安人生USDT-5m-2026-11-20.csv.gz",
            "klines/币安人生USDT/5m/part.csv.zip",
        ] {
            assert_eq!(symbol(&clues(path)), Some("币安人生USDT"), "{path}");
        }
        let metrics = clues("metrics/币安人生USDT/币安人生USDT-metrics-2026-11-20.csv");
        assert_eq!(metrics.family, Some(FamilyClue::Known(Family::Metrics)));
        let compressed = clues("BTCUSDT-5m-2025-08-25.CSV.GZ");
        assert_eq!(compressed.interval, Some(IntervalClue::Known(Interval::M5)));
        assert!(compressed.period.is_some());
    }

    #[test]
    fn names_made_by_people_are_read_leniently() {
        let funding = clues("funding/binance-um-BTCUSDT-2025.csv");
        assert_eq!((symbol(&funding), funding.family, funding.period), (Some("BTCUSDT"), None, None));
        let rows = clues("captures/binance-archive-metrics-rows.csv");
        assert_eq!((symbol(&rows), rows.family), (None, Some(FamilyClue::Known(Family::Metrics))));
        for path in ["", "/", "..", "2025-13-40.csv", "-----.zip", "é-è-2025-02-30.csv"] {
            assert_eq!(clues(path).period, None, "{path}");
        }
    }
}
