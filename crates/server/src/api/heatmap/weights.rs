//! Leverage weights, in the three forms that clients write.

use liqheat_model::LeverageWeights;

use crate::http::Refusal;

/// Reads `5:20,10:30,25:30`, `{"5":20,"10":30}` or `[[5,20],[10,30]]`: leverage and weight, in any scale.
pub(super) fn parse(text: &str) -> Result<LeverageWeights, Refusal> {
    let pairs = match text.trim_start().chars().next() {
        Some('{') => object(text),
        Some('[') => array(text),
        _ => text.split(',').map(|part| part.split_once(':').and_then(|(one, two)| pair(one, two))).collect(),
    };
    let pairs = pairs.ok_or_else(|| {
        Refusal::bad(format!(
            "parameter 'leverage_weights': '{}' must look like 5:20,10:30,25:30,50:15,100:5 (leverage:weight) or {{\"5\":20,\"10\":30}}",
            text.chars().take(80).collect::<String>()
        ))
    })?;
    LeverageWeights::new(&pairs)
        .map_err(|error| Refusal::bad(format!("parameter 'leverage_weights': {error}")))
}

fn object(text: &str) -> Option<Vec<(f64, f64)>> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    fields.iter().map(|(leverage, weight)| Some((leverage_of(leverage)?, weight.as_f64()?))).collect()
}

fn array(text: &str) -> Option<Vec<(f64, f64)>> {
    serde_json::from_str(text).ok()
}

fn pair(leverage: &str, weight: &str) -> Option<(f64, f64)> {
    Some((leverage_of(leverage)?, weight.trim().parse().ok()?))
}

/// `25`, `25x` or `25X`.
fn leverage_of(text: &str) -> Option<f64> {
    text.trim().trim_end_matches(['x', 'X']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_in_every_form_and_any_scale() {
        let expected = LeverageWeights::new(&[(5.0, 1.0), (10.0, 3.0)]).unwrap();
        for text in [
            "5:1,10:3",
            "10:75, 5:25",
            "5x:0.25,10X:0.75",
            r#"{"5":1,"10":3}"#,
            r#" {"10x": 0.75, "5x": 0.25}"#,
            "[[5,1],[10,3]]",
        ] {
            assert_eq!(parse(text).ok(), Some(expected.clone()), "{text}");
        }
        for text in [
            "",
            "5",
            "5:x",
            "5:1,",
            "0:1",
            "5:-1",
            "5:0",
            "5:1,5:2",
            "5:NaN",
            "1e9:1",
            "{}",
            "{",
            r#"{"5":"1"}"#,
            r#"{"a":1}"#,
            "[]",
            "[5,1]",
            "[[5]]",
            "[[5,1,2]]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
