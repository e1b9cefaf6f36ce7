//! The file of model parameters (`--model`): sections by venue and symbol, read with every mistake named at once, each with
//! its line and key.

#![expect(clippy::disallowed_methods, reason = "reads the file that the settings name")]

mod expected;

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{Symbol, Venue};
use liqheat_model::{ClassDetail, LeverageClass, ParamBook, ParamSection, ParamValues, Params};
use liqheat_score::ExpectedModel;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The parameters that the program ships, in the form of the file.
pub(crate) const SHIPPED: &str = include_str!("../data/model.toml");

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ModelFile {
    pub(crate) book: ParamBook,
    /// Coefficients of the expected view, where the file has them.
    pub(crate) expected: Option<ExpectedModel>,
}

/// Every mistake of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ModelFileError(pub(crate) Vec<String>);

/// The parameters of a file, and the shipped ones for what none of its sections names.
///
/// # Errors
/// When the file cannot be read, or with all of its mistakes.
pub(crate) fn load(given: Option<&Path>) -> anyhow::Result<ModelFile> {
    let shipped = parse(SHIPPED)?;
    let Some(path) = given else { return Ok(shipped) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let given = parse(&text).map_err(|ModelFileError(faults)| {
        let faults = faults.into_iter().map(|fault| format!("{}:{fault}", path.display()));
        ModelFileError(faults.collect())
    })?;
    let expected = given.expected.or(shipped.expected);
    Ok(ModelFile { book: shipped.book.replaced_by(given.book), expected })
}

/// Reads the text of a file.
///
/// # Errors
/// With all mistakes, each as `line: key ..`.
pub(crate) fn parse(text: &str) -> Result<ModelFile, ModelFileError> {
    let mut reader = Reader { text, faults: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.fault(error.span().unwrap_or(0..0), error.message());
    }
    if !reader.faults.is_empty() {
        return Err(reader.into_error());
    }
    let mut book = ParamBook::default();
    let mut expected = None;
    for (key, value) in table.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("parameters", DeValue::Array(sections)) => {
                for section in sections {
                    if let Some(section) = reader.section(section, &book) {
                        book = book.with(section);
                    }
                }
            }
            ("expected", DeValue::Table(table)) => expected = reader.expected(table, &key.span()),
            (name, _) => {
                reader.fault(
                    key.span(),
                    format!("{name}: unknown; sections are [[parameters]] and [expected]"),
                );
            }
        }
    }
    if reader.faults.is_empty() { Ok(ModelFile { book, expected }) } else { Err(reader.into_error()) }
}

struct Reader<'a> {
    text: &'a str,
    /// With the place of each.
    faults: Vec<(usize, String)>,
}

/// Where the keys of a section stand, by the names that the check of parameters uses.
type Places = HashMap<String, Range<usize>>;

impl Reader<'_> {
    fn fault(&mut self, place: Range<usize>, text: impl Display) {
        self.faults.push((place.start, text.to_string()));
    }

    fn into_error(mut self) -> ModelFileError {
        self.faults.sort_by_key(|(place, _)| *place);
        let line = |place: usize| self.text.get(..place).unwrap_or("").matches('\n').count() + 1;
        ModelFileError(self.faults.iter().map(|(place, text)| format!("{}: {text}", line(*place))).collect())
    }

    fn section(&mut self, section: &Spanned<DeValue<'_>>, before: &ParamBook) -> Option<ParamSection> {
        let DeValue::Table(table) = section.get_ref() else {
            self.fault(section.span(), "a section must be a table: [[parameters]]");
            return None;
        };
        let faults_before = self.faults.len();
        let (mut venue, mut symbol) = (None, None);
        let mut values = ParamValues::default();
        let mut classes = None;
        let mut places = Places::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            places.insert(name.to_owned(), key.span());
            let number = match name {
                "venue" => {
                    venue = self.name(name, value, Venue::from_name);
                    continue;
                }
                "symbol" => {
                    symbol = self.name(name, value, Symbol::new);
                    continue;
                }
                "classes" => {
                    classes = self.classes(value, &mut places);
                    continue;
                }
                "liquidatable_share" => &mut values.liquidatable_share,
                "maker_ratio" => &mut values.maker_ratio,
                "turnover_share" => &mut values.turnover_share,
                "kernel_sigma_min" => &mut values.kernel_sigma_min,
                "kernel_sigma_per_leverage" => &mut values.kernel_sigma_per_leverage,
                "position_usd" => &mut values.position_usd,
                "prior_half_width" => &mut values.prior_half_width,
                "warm_share" => &mut values.warm_share,
                "unlevelled_closing_rate" => &mut values.unlevelled_closing_rate,
                "gap_ms_max" => {
                    let length = self.number(name, value).unwrap_or(approx_f64(values.gap_ms_max));
                    values.gap_ms_max = trunc_i64(length);
                    continue;
                }
                "cells_in_price" => {
                    let cells = self.number(name, value).unwrap_or(approx_f64(values.cells_in_price));
                    values.cells_in_price = trunc_i64(cells);
                    continue;
                }
                _ => {
                    self.fault(key.span(), format!("{name}: unknown key"));
                    continue;
                }
            };
            if let Some(found) = self.number(name, value) {
                *number = found;
            }
        }
        if let Some(classes) = classes
            && let Err(error) = values.set_classes(&classes)
        {
            let place = places.get("classes").cloned().unwrap_or_else(|| section.span());
            self.fault(place, format!("classes: {error}"));
        }
        let is_known = |known: &ParamSection| (known.venue, &known.symbol) == (venue, &symbol);
        if self.faults.len() == faults_before && before.sections().iter().any(is_known) {
            self.fault(section.span(), "there is an earlier section for the same venue and symbol");
        }
        match Params::new(values) {
            Ok(params) => Some(ParamSection { venue, symbol, params }),
            Err(error) => {
                for fault in error.0 {
                    let name = fault.split(" is ").next().unwrap_or("");
                    let place = places.get(name).cloned().unwrap_or_else(|| section.span());
                    self.fault(place, fault);
                }
                None
            }
        }
    }

    fn classes(&mut self, value: &Spanned<DeValue<'_>>, places: &mut Places) -> Option<Vec<LeverageClass>> {
        let DeValue::Array(rows) = value.get_ref() else {
            self.fault(value.span(), "classes: must be a list of tables: [{ leverage = 100, taker = 0.25 }]");
            return None;
        };
        let faults_before = self.faults.len();
        let classes: Vec<LeverageClass> = rows.iter().filter_map(|row| self.class(row, places)).collect();
        (self.faults.len() == faults_before).then_some(classes)
    }

    fn class(&mut self, row: &Spanned<DeValue<'_>>, places: &mut Places) -> Option<LeverageClass> {
        let DeValue::Table(table) = row.get_ref() else {
            self.fault(row.span(), "classes: each must be a table: { leverage = 100, taker = 0.25 }");
            return None;
        };
        let (mut leverage, mut taker) = (None, None);
        let mut detail = ClassDetail::default();
        let mut keys = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let found = self.number(name, value);
            let checked_as = match name {
                "leverage" => {
                    leverage = found;
                    continue;
                }
                "taker" => {
                    taker = found;
                    continue;
                }
                "distance" => {
                    detail.distance = found;
                    "distance"
                }
                "maker" => {
                    detail.maker_weight = found;
                    "maker_weight"
                }
                "kernel_sigma" => {
                    detail.kernel_sigma = found;
                    "kernel_sigma"
                }
                "closing_rate" => {
                    detail.closing_rate = found.unwrap_or(1.0);
                    "closing_rate"
                }
                _ => {
                    self.fault(key.span(), format!("{name}: unknown key of a class"));
                    continue;
                }
            };
            keys.push((checked_as, key.span()));
        }
        let named = leverage.or_else(|| detail.distance.map(leverage_at));
        let (Some(leverage), Some(taker_weight)) = (named, taker) else {
            let missing = if taker.is_none() { "taker" } else { "leverage or distance" };
            self.fault(row.span(), format!("classes: {missing} is missing"));
            return None;
        };
        for (name, place) in keys {
            places.insert(format!("{name} of class {leverage}"), place);
        }
        Some(LeverageClass { leverage, taker_weight, detail })
    }

    fn number(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<f64> {
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => "",
        };
        let found = text.replace('_', "").parse().ok().filter(|number: &f64| number.is_finite());
        if found.is_none() {
            self.fault(value.span(), format!("{name}: must be a decimal number"));
        }
        found
    }

    fn name<T, E: Display>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let DeValue::String(text) = value.get_ref() else {
            self.fault(value.span(), format!("{key}: must be a text in quotes"));
            return None;
        };
        read(text).map_err(|error| self.fault(value.span(), format!("{key}: {error}"))).ok()
    }
}

/// The leverage that names a class by distance: one over the distance, to three digits.
fn leverage_at(distance: f64) -> f64 {
    let leverage = 1.0 / distance;
    let step = 10f64.powf(leverage.log10().floor() - 2.0);
    ((leverage / step).round() * step * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::Instrument;

    fn params(text: &str, venue: Venue, symbol: &str) -> Params {
        parse(text).unwrap().book.of(&Instrument::new(venue, Symbol::new(symbol).unwrap()))
    }

    #[test]
    fn the_shipped_file_can_be_read_and_keeps_what_is_unchanged() {
        let ModelFile { book, expected } = parse(SHIPPED).unwrap();
        assert_eq!(expected, Some(ExpectedModel::default()));
        let of = |venue, symbol| book.of(&Instrument::new(venue, Symbol::new(symbol).unwrap()));
        let default = Params::default().fingerprint();
        for (venue, symbol) in [(Venue::Bybit, "BTCUSDT"), (Venue::Okx, "ETHUSDT"), (Venue::Sim, "BTCUSDT")] {
            assert_eq!(of(venue, symbol).fingerprint(), default, "{venue} {symbol}: to the bit");
        }
        let leverages = |params: &Params| -> Vec<f64> {
            params.values().weights.classes().iter().map(|class| class.0).collect()
        };
        assert!(leverages(&of(Venue::Binance, "BTCUSDT")).ends_with(&[100.0, 125.0, 150.0]));
        assert_eq!(of(Venue::Binance, "ETHUSDT").fingerprint(), default);
        let hyperliquid = of(Venue::Hyperliquid, "SOLUSDT");
        assert!(hyperliquid.values().details.iter().all(|detail| detail.distance.is_some()));
    }

    #[test]
    fn a_section_replaces_only_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.toml");
        std::fs::write(&path, "[[parameters]]\nvenue = 'okx'\nturnover_share = 0.2\n").unwrap();
        let ModelFile { book, expected } = load(Some(&path)).unwrap();
        assert_eq!(expected, Some(ExpectedModel::default()), "the shipped one");
        let of = |venue| book.of(&Instrument::new(venue, Symbol::new("BTCUSDT").unwrap()));
        assert_eq!(of(Venue::Okx).values().turnover_share, 0.2);
        assert_eq!(
            of(Venue::Binance),
            load(None).unwrap().book.of(&Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").unwrap()))
        );
        assert!(
            load(Some(&folder.path().join("none.toml"))).unwrap_err().to_string().contains("cannot read")
        );
    }

    #[test]
    fn every_mistake_is_named_with_its_line_and_key() {
        let text = r#"
[[parameters]]
venue = "nowhere"
turnover_share = 1.5
speed = 3
classes = [
  { leverage = 100, taker = 0.2, closing_rate = 0 },
  { leverage = 50, taker = "much" },
  { taker = 0.1 },
]

[[parameters]]
symbol = "BTCUSDT"
classes = [{ leverage = 25, taker = 1.0, closing_rate = -3, distance = 4.0 }]

[other]
"#;
        let ModelFileError(faults) = parse(text).unwrap_err();
        let expected = [
            "3: venue:",
            "4: turnover_share is 1.5 but must be 0 to below 1",
            "5: speed: unknown key",
            "8: taker: must be a decimal number",
            "8: classes: taker is missing",
            "9: classes: leverage or distance is missing",
            "14: closing_rate of class 25 is -3",
            "14: distance of class 25 is 4",
            "16: other: unknown",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for part in expected {
            assert!(faults.iter().any(|fault| fault.starts_with(part)), "{part} is not in {faults:#?}");
        }
        let twice = "[[parameters]]\n[[parameters]]\n";
        assert!(parse(twice).unwrap_err().0[0].starts_with("2: there is an earlier section"));
        assert!(parse("a = [").unwrap_err().0[0].starts_with("1: "));
        let again = "[[parameters]]\nclasses = [{ leverage = 5, taker = 1 }, { leverage = 5, taker = 2 }]\n";
        assert!(parse(again).unwrap_err().0[0].starts_with("2: classes: leverage 5 is given twice"));
    }

    #[test]
    fn classes_by_distance_are_named_by_one_over_it() {
        let text =
            "[[parameters]]\nclasses = [{ distance = 0.075, taker = 1 }, { distance = 0.32, taker = 1 }]\n";
        let found = params(text, Venue::Sim, "BTCUSDT");
        assert_eq!(found.values().weights.classes(), [(3.13, 0.5), (13.3, 0.5)]);
    }
}
