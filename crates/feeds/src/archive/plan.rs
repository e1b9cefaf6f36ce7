//! Deciding, before the first row, what a file holds and whose it is.
//!
//! The order: the file's name and folders, then the caller's assumption, then the header and the columns.
//! What is named is still checked against the header. Nothing is guessed: klines and mark price klines have
//! the same columns, so without a name only a volume can tell that they are of trades.

use liqheat_market::{Interval, Symbol};

use super::columns::{self, Shape};
use super::fields::Fields;
use super::name::{Clues, FamilyClue, ForeignMarket, IntervalClue, Period, is_coin_margined};
use super::options::ReadOptions;
use super::report::shorten;
use super::{Family, FileError};

/// What is settled about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) family: Family,
    /// From the name: rows of another symbol are refused.
    pub(super) symbol: Option<Symbol>,
    /// From the caller: for rows that do not say.
    pub(super) symbol_assumed: Option<Symbol>,
    /// `None`: each row's own.
    pub(super) interval: Option<Interval>,
    pub(super) period: Option<Period>,
}

/// Settles it from the path's clues and the first bytes of the content.
pub(super) fn plan(clues: Clues, options: &ReadOptions, head: &[u8]) -> Result<Plan, FileError> {
    match clues.foreign {
        Some(ForeignMarket::CoinMargined) => return Err(FileError::CoinMargined),
        Some(ForeignMarket::Spot) => return Err(FileError::Spot),
        None => {}
    }
    if clues.symbol.as_ref().is_some_and(|symbol| is_coin_margined(symbol.as_str())) {
        return Err(FileError::CoinMargined);
    }
    if let Some(symbol) = clues.symbol.as_ref().or(options.assume_symbol.as_ref())
        && let Some(quote) = symbol.foreign_quote()
    {
        return Err(FileError::ForeignQuote { symbol: symbol.clone(), quote });
    }
    if let Some(FamilyClue::Unused(family, why)) = clues.family {
        return Err(FileError::FamilyUnused { family, why });
    }
    let header = header_shape(head)?;
    let family = settle_family(clues.family, options.assume_family, header, head)?;
    if let Some(shape) = header
        && !shape.fits(family)
    {
        return Err(FileError::HeaderDisagrees { header: shape.name(), name: family });
    }
    let interval = match clues.interval {
        Some(IntervalClue::Unsupported(name)) if family.is_klines() => return Err(FileError::Interval(name)),
        Some(IntervalClue::Known(interval)) => Some(interval),
        _ => None,
    };
    let rows_say_symbol = matches!(family, Family::Metrics | Family::LiquidationSnapshot);
    if clues.symbol.is_none() && options.assume_symbol.is_none() && !rows_say_symbol {
        return Err(FileError::SymbolUnknown);
    }
    Ok(Plan {
        family,
        symbol: clues.symbol,
        symbol_assumed: options.assume_symbol.clone(),
        interval,
        period: clues.period,
    })
}

fn settle_family(
    named: Option<FamilyClue>,
    assumed: Option<Family>,
    header: Option<Shape>,
    head: &[u8],
) -> Result<Family, FileError> {
    if let Some(FamilyClue::Known(family)) = named {
        return Ok(family);
    }
    if let Some(family) = assumed
        && (named.is_none() || family.is_klines())
    {
        return Ok(family);
    }
    let shape = match named {
        Some(_) => Some(Shape::SomeKlines),
        None => header.or_else(|| rows(head).find_map(|fields| columns::shape_of_row(&fields))),
    };
    match shape {
        Some(Shape::Family(family)) => Ok(family),
        Some(Shape::SpotTrades) => Err(FileError::Spot),
        Some(Shape::SomeKlines) if rows(head).any(|fields| has_volume(&fields)) => Ok(Family::Klines),
        Some(Shape::SomeKlines) => Err(FileError::KlinesOfWhich),
        None => Err(FileError::FamilyUnknown),
    }
}

/// What the first line says when it is a header.
fn header_shape(head: &[u8]) -> Result<Option<Shape>, FileError> {
    let first = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    let Some(line) = first.filter(|line| columns::is_text(line)) else {
        return Ok(None);
    };
    let shape = columns::shape_of_header(&Fields::split(line));
    shape.map(Some).ok_or_else(|| FileError::HeaderUnknown { line: 1, header: shorten(line) })
}

/// The rows within the first bytes; the last may be cut, so it does not count.
fn rows(head: &[u8]) -> impl Iterator<Item = Fields<'_>> {
    let whole = head.iter().rposition(|&byte| byte == b'\n').map_or(head, |at| &head[..at]);
    let lines = whole.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !columns::is_text(line)).map(Fields::split)
}

fn has_volume(fields: &Fields<'_>) -> bool {
    fields.count() == 12 && fields.at(5).iter().any(|byte| (b'1'..=b'9').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const KLINE: &[u8] =
        b"1752710400000,118590.70,118652.40,118582.30,118649.00,211.549,1752710699999,,,,,0\n";
    const MARK: &[u8] =
        b"1752710400000,118590.70,118652.40,118582.30,118649.00,0,1752710699999,0,300,0,0,0\n";

    fn settled(path: &str, options: &ReadOptions, head: &[u8]) -> Result<Family, FileError> {
        plan(Clues::of_path(Path::new(path)), options, head).map(|plan| plan.family)
    }

    #[test]
    fn klines_and_mark_klines_are_different_families() {
        let name = "BTCUSDT-5m-2025-07-17.csv";
        let none = ReadOptions::default();
        assert_eq!(settled(name, &none, KLINE), Ok(Family::Klines));
        assert_eq!(settled(name, &none, MARK), Err(FileError::KlinesOfWhich));
        assert_eq!(settled(&format!("markPriceKlines/{name}"), &none, MARK), Ok(Family::MarkPriceKlines));
        let mark = ReadOptions { assume_family: Some(Family::MarkPriceKlines), ..ReadOptions::default() };
        assert_eq!(settled(name, &mark, MARK), Ok(Family::MarkPriceKlines));
        let metrics = ReadOptions { assume_family: Some(Family::Metrics), ..ReadOptions::default() };
        assert_eq!(settled(name, &metrics, MARK), Err(FileError::KlinesOfWhich));
    }

    #[test]
    fn what_is_named_is_checked_against_the_header() {
        let header = b"create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n";
        let none = ReadOptions::default();
        assert_eq!(settled("BTCUSDT-metrics-2025-07-17.csv", &none, header), Ok(Family::Metrics));
        let error = settled("BTCUSDT-aggTrades-2025-07-17.csv", &none, header).unwrap_err();
        assert_eq!(error, FileError::HeaderDisagrees { header: "metrics", name: Family::AggTrades });
        let error = settled("BTCUSDT-aggTrades-2025-07-17.csv", &none, b"a,b,c\n1,2,3\n").unwrap_err();
        assert!(matches!(error, FileError::HeaderUnknown { .. }));
    }

    #[test]
    fn what_cannot_be_told_is_an_error_that_says_what_to_do() {
        let none = ReadOptions::default();
        let error = settled("rows.csv", &none, b"1,2\n").unwrap_err();
        assert!(error.to_string().contains("markPriceKlines"), "{error}");
        assert_eq!(settled("rows.csv", &none, KLINE), Err(FileError::SymbolUnknown));
        let symbol = ReadOptions { assume_symbol: Symbol::new("BTCUSDT").ok(), ..ReadOptions::default() };
        assert_eq!(settled("rows.csv", &symbol, KLINE), Ok(Family::Klines));
        assert!(matches!(settled("BTCUSDT-1w-2025-07.csv", &none, KLINE), Err(FileError::Interval(_))));
        assert_eq!(settled("BTCUSD_PERP-5m-2025-07-17.csv", &none, KLINE), Err(FileError::CoinMargined));
        let foreign = settled("klines/ETHBTC/5m/ETHBTC-5m-2025-07-17.csv", &none, KLINE).unwrap_err();
        assert!(foreign.to_string().starts_with("ETHBTC is priced in BTC, not in dollars"), "{foreign}");
        assert_eq!(
            settled("spot/daily/klines/BTCUSDT-5m-2025-07-17.csv", &none, KLINE),
            Err(FileError::Spot)
        );
        assert!(matches!(
            settled("indexPriceKlines/BTCUSDT-5m-2025-07-17.csv", &none, MARK),
            Err(FileError::FamilyUnused { .. })
        ));
    }
}
