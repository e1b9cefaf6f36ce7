//! The section `[expected]`: coefficients of the expected view.

use std::ops::Range;

use liqheat_score::{ExpectedHorizon, ExpectedModel, TouchCoefficients};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;

impl Reader<'_> {
    pub(super) fn expected(&mut self, table: &DeTable<'_>, place: &Range<usize>) -> Option<ExpectedModel> {
        let (mut hour, mut four_hours, mut version) = (None, None, None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "version" => version = self.number("version", value),
                "1h" => hour = self.horizon("1h", value),
                "4h" => four_hours = self.horizon("4h", value),
                name => self.fault(key.span(), format!("{name}: unknown key of [expected]")),
            }
        }
        if version != Some(f64::from(ExpectedModel::VERSION)) {
            let version = ExpectedModel::VERSION;
            self.fault(
                place.clone(),
                format!("version: must be {version}; fit with `liqheat backtest --fit` again"),
            );
        }
        for (name, is_missing) in [("1h", hour.is_none()), ("4h", four_hours.is_none())] {
            if is_missing && !table.contains_key(name) {
                self.fault(place.clone(), format!("{name}: missing; [expected] needs 1h and 4h"));
            }
        }
        Some(ExpectedModel { hour: hour?, four_hours: four_hours? })
    }

    fn horizon(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<ExpectedHorizon> {
        const FORM: &str = "must be { touch = [four numbers], mass_exponent = number }";
        let DeValue::Table(table) = value.get_ref() else {
            self.fault(value.span(), format!("{name}: {FORM}"));
            return None;
        };
        let mut touch = None;
        let mut exponent = None;
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("touch", DeValue::Array(numbers)) => {
                    let numbers: Vec<f64> =
                        numbers.into_iter().filter_map(|number| self.number("touch", number)).collect();
                    touch = TouchCoefficients::try_from(numbers).ok();
                    if touch.is_some_and(|[_, slope, of_logarithm, _]| slope > 0.0 || of_logarithm > 0.0) {
                        self.fault(
                            value.span(),
                            "touch: the second and third number must not be above 0, or the chance rises with the distance",
                        );
                    }
                }
                ("mass_exponent", _) => {
                    exponent = self.number("mass_exponent", value);
                    if exponent.is_some_and(|exponent| !(0.0..=1.0).contains(&exponent)) {
                        self.fault(value.span(), "mass_exponent: must be 0 to 1");
                    }
                }
                (other, _) => self.fault(key.span(), format!("{other}: {FORM}")),
            }
        }
        let found =
            touch.zip(exponent).map(|(touch, mass_exponent)| ExpectedHorizon { touch, mass_exponent });
        if found.is_none() {
            self.fault(value.span(), format!("{name}: {FORM}"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ModelFileError, parse};

    #[test]
    fn the_expected_view_is_read_and_its_mistakes_named() {
        let text = "[expected]\nversion = 1\n1h = { touch = [0, -1, -2, 0.5], mass_exponent = 0.4 }\n\
            4h = { touch = [1, -1, -1, 0], mass_exponent = 0.2 }\n";
        let found = parse(text).unwrap().expected.unwrap();
        assert_eq!((found.hour.touch, found.four_hours.mass_exponent), ([0.0, -1.0, -2.0, 0.5], 0.2));
        let wrong = "[expected]\nversion = 7\n1h = { touch = [0, 1, -2, 0.5], mass_exponent = 4 }\n24h = 3\n";
        let ModelFileError(faults) = parse(wrong).unwrap_err();
        let expected = [
            "1: version: must be 1",
            "1: 4h: missing",
            "3: touch: the second",
            "3: mass_exponent: must be",
            "4: 24h: unknown",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for part in expected {
            assert!(faults.iter().any(|fault| fault.starts_with(part)), "{part} is not in {faults:#?}");
        }
        let short = "[expected]\nversion = 1\n1h = { touch = [0, -1] }\n4h = 2\n";
        let ModelFileError(faults) = parse(short).unwrap_err();
        assert!(
            faults[0].starts_with("3: 1h: must be {") && faults[1].starts_with("4: 4h: must be {"),
            "{faults:?}"
        );
    }
}
