use super::*;
use proptest::prelude::*;

#[test]
fn reads_decimals_exactly() {
    for (text, units) in [
        ("0.1", 10_000_000),
        ("113446.20", 11_344_620_000_000),
        ("88004.43600000", 8_800_443_600_000),
        ("76643.1910000000000000", 7_664_319_100_000),
        ("-0.00012", -12_000),
        (".5", 50_000_000),
        ("7.", 700_000_000),
        (" 1 ", 100_000_000),
        ("8.12e-06", 812),
        ("1.5E3", 150_000_000_000),
        ("1e+2", 10_000_000_000),
        ("0.00000000000e5", 0),
        ("0e-300", 0),
        ("1234567890123456789012345678e-27", 123_456_789),
        ("100.000000004", 10_000_000_000),
        ("100.000000006", 10_000_000_001),
    ] {
        assert_eq!(Price::parse(text), Ok(Price::from_units(units)), "{text}");
    }
}

#[test]
fn refuses_what_is_not_a_number() {
    assert_eq!(Qty::parse(""), Err(DecimalError::Empty));
    for text in
        ["-", ".", "1e", "e5", "1e5.0", "1e+", "1e99999", "1,000", "NaN", "0x10", "1.2.3", "--1", "+1", "١"]
    {
        assert!(matches!(Qty::parse(text), Err(DecimalError::Malformed(_))), "{text}");
    }
    for text in
        ["92233720369", "99999999999999999999999999", "1e11", "1e9999", "123456789012345678901234567890e5"]
    {
        assert!(matches!(Price::parse(text), Err(DecimalError::TooLarge(_))), "{text}");
    }
    for text in ["10000000000000000000001", "-10000000000000000000001", "1e31", "1e9999"] {
        assert!(matches!(Qty::parse(text), Err(DecimalError::AmountTooLarge(_))), "{text}");
    }
    assert!(Price::from_f64(9.3e10).is_err() && Price::from_f64(9.2e10).is_ok());
    assert!(Qty::from_f64(1.1e22).is_err() && Qty::from_f64(-1e60).is_err());
    assert!(Price::from_f64(f64::NAN).is_err());
    assert!(Price::from_f64(1e30).is_err());
}

#[test]
fn quantities_beyond_64_bits_are_exact() {
    for (text, units) in [
        ("93000000000", 9_300_000_000_000_000_000_i128),
        ("1234567890123456.00000001", 123_456_789_012_345_600_000_001),
        ("10000000000000000000000", QTY_UNITS_MAX),
    ] {
        assert_eq!(Qty::parse(text), Ok(Qty::from_units(units)), "{text}");
        assert_eq!(Qty::from_units(units).to_string(), text);
    }
    assert_eq!(Qty::MAX.plus(Qty::MAX).units(), 2 * QTY_UNITS_MAX);
    assert_eq!(Qty::from_f64(9.3e10), Qty::parse("93000000000"));
}

#[test]
fn digits_are_scaled_before_they_are_rounded() {
    let by = |numerator, denominator| Ratio::new(numerator, denominator).unwrap();
    for (text, ratio, expected) in [
        ("0.000008119", by(1_000, 1), "0.008119"),
        ("0.0000000162345", by(1_000_000, 1), "0.0162345"),
        ("0.000000001123", by(1_000_000, 1), "0.001123"),
        ("20000000000000", by(1, 1_000), "20000000000"),
        ("13.5", by(1, 100), "0.135"),
        ("-3", by(1, 3), "-1"),
        ("1", by(1, 3), "0.33333333"),
    ] {
        assert_eq!(Price::parse_scaled(text, ratio), Price::parse(expected), "{text}");
    }
    let too_fine = Price::parse_scaled("0.0000000162345", by(10_000, 1));
    assert!(matches!(too_fine, Err(DecimalError::TooFine(_))), "{too_fine:?}");
    assert!(matches!(Price::parse_scaled("1e10", by(1_000, 1)), Err(DecimalError::TooLarge(_))));
}

#[test]
fn digits_that_make_a_difference_are_not_dropped() {
    for text in
        ["0.000008119", "0.0000000162345", "0.000000004", "4e-9", "0.00000000000000000000001", "1e-300"]
    {
        assert!(matches!(Price::parse(text), Err(DecimalError::TooFine(_))), "{text}");
    }
    assert_eq!(Rate::parse("-0.0000015186"), Ok(Rate::from_units(-152)));
    assert_eq!(Rate::parse("0.0000746604960499"), Ok(Rate::from_units(7_466)));
    assert_eq!(Rate::parse("1e-12"), Ok(Rate::from_units(0)));
}

#[test]
fn ratios_are_in_lowest_terms() {
    let ratio = Ratio::new(1_000, 400).unwrap();
    assert_eq!(Some(ratio), Ratio::new(5, 2));
    assert_eq!(ratio.times(ratio.inverse()), Some(Ratio::ONE));
    assert_eq!(Ratio::new(u64::MAX, 3).unwrap().times(Ratio::new(7, 1).unwrap()), None);
    assert_eq!((Ratio::new(0, 1), Ratio::new(1, 0)), (None, None));
}

proptest! {
    #[test]
    fn a_scaled_number_is_within_a_millionth(
        digits in 1_u64..1_000_000_000_000,
        places in 0_i32..20,
        numerator in 1_u64..10_000_000,
        denominator in 1_u64..10_000_000,
    ) {
        let text = format!("{digits}e-{places}");
        let expected = digits as f64 * 10_f64.powi(-places) * numerator as f64 / denominator as f64;
        match Price::parse_scaled(&text, Ratio::new(numerator, denominator).unwrap()) {
            Ok(price) => prop_assert!((price.to_f64() - expected).abs() <= expected * 1.000_001e-6),
            Err(DecimalError::TooFine(_)) => prop_assert!(expected < 0.01),
            Err(DecimalError::TooLarge(_)) => prop_assert!(expected > 92e9),
            Err(error) => prop_assert!(false, "{text}: {error}"),
        }
    }

    #[test]
    fn printing_and_reading_agree(units in any::<i64>()) {
        prop_assume!(units != i64::MIN);
        let price = Price::from_units(units);
        prop_assert_eq!(Price::parse(&price.to_string()), Ok(price));
    }

    #[test]
    fn the_short_way_agrees_with_the_long(text in "-?[0-9]{0,12}\\.?[0-9]{0,10}") {
        if let Some(units) = parse_short(text.as_bytes()) {
            prop_assert_eq!(parse_any(text.as_bytes(), Ratio::ONE, FineDigits::Keep), Ok(units));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Price::parse(&text);
    }
}
