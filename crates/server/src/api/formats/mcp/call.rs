//! A call of a tool as a request to its route, and what a refusal of the route means for the caller. Pure functions.

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::answers::Detail;
use super::tools::ToolSpec;
use crate::http::target;

/// A call of a tool, checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Path and query of the route.
    pub(super) target: String,
    pub(super) symbol: Option<String>,
    pub(super) detail: Detail,
}

impl Call {
    /// `resolve` gives the name under which a symbol is served.
    pub(super) fn of(
        tool: &ToolSpec,
        arguments: Map<String, Value>,
        resolve: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in arguments {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(is_set) => is_set.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    let name: String = name.chars().take(40).collect();
                    return Err(format!("argument '{name}' must be a text or a number"));
                }
            };
            given.push((name, text));
        }
        let known = |name: &str| name == "detail" || tool.arguments.iter().any(|one| one.name == name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
            let name: String = name.chars().take(40).collect();
            return Err(format!(
                "'{}' has no argument '{name}'; arguments: {}",
                tool.name,
                tool.argument_names()
            ));
        }
        let get = |name: &str| given.iter().find(|(one, _)| one == name).map(|(_, text)| text.as_str());
        let detail = get("detail").unwrap_or("concise");
        let detail = Detail::from_name(detail)
            .ok_or_else(|| format!("argument 'detail' must be one of {}", Detail::NAMES.join(", ")))?;
        let mut parameters = Vec::new();
        let mut symbol = None;
        for argument in tool.arguments {
            let text = get(argument.name).or(argument.default);
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
                if argument.is_required {
                    return Err(format!(
                        "argument '{}' is missing; call the tool `coverage` for the symbols that are served",
                        argument.name
                    ));
                }
                continue;
            };
            let mut text = text.to_owned();
            if argument.name == "symbol" {
                text = resolve(&text).unwrap_or(text);
                symbol = Some(text.clone());
            }
            parameters.push((argument.name, text));
        }
        Ok(Self { target: target(tool.route, &parameters), symbol, detail })
    }
}

/// Why a route refused, and what to try.
pub(super) fn refusal(tool: &ToolSpec, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = body["detail"].as_str().unwrap_or("the server did not say why");
    let retry = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let advice = match (status.as_u16(), retry) {
        (_, Some(seconds)) => format!("Try again in {seconds} s."),
        (400 | 422, None) => {
            format!("Arguments of `{}`: {}. `coverage` lists the symbols.", tool.name, tool.argument_names())
        }
        (401 | 403, None) => "Use a token that allows it.".to_owned(),
        _ => "Ask the operator of the server.".to_owned(),
    };
    format!("{detail}. {advice}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(tool: &str, arguments: Value) -> Result<Call, String> {
        let Value::Object(arguments) = arguments else { panic!("{arguments}") };
        let resolve = |text: &str| (text == "btc").then(|| "BTCUSDT".to_owned());
        Call::of(ToolSpec::find(tool).unwrap(), arguments, resolve)
    }

    #[test]
    fn a_call_becomes_a_request_to_its_route() {
        let walls =
            call("walls", json!({ "symbol": "btc", "min_usd": 1000, "at": "2025-08-27T00:00:00+01:00" }));
        let walls = walls.unwrap();
        assert_eq!(
            walls.target,
            "/v1/walls?symbol=BTCUSDT&min_usd=1000&limit=10&at=2025-08-27T00%3A00%3A00%2B01%3A00"
        );
        assert_eq!((walls.symbol.as_deref(), walls.detail), (Some("BTCUSDT"), Detail::Concise));
        let odd = call("candles", json!({ "symbol": "A&b=c", "detail": "detailed", "limit": null })).unwrap();
        assert_eq!(odd.target, "/prices/klines?symbol=A%26b%3Dc&interval=1h&limit=24");
        assert_eq!(odd.detail, Detail::Detailed);
        for (tool, arguments, part) in [
            ("walls", json!({}), "'symbol' is missing; call the tool `coverage`"),
            (
                "walls",
                json!({ "symbol": "btc", "coin": "x" }),
                "no argument 'coin'; arguments: symbol, range_pct",
            ),
            ("walls", json!({ "symbol": ["btc"] }), "must be a text"),
            ("status", json!({ "detail": "short" }), "concise, detailed"),
        ] {
            let error = call(tool, arguments).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_try() {
        let tool = ToolSpec::find("walls").unwrap();
        let mut headers = HeaderMap::new();
        let text =
            |status: StatusCode, headers: &HeaderMap| refusal(tool, status, headers, br#"{"detail":"no"}"#);
        assert!(text(StatusCode::BAD_REQUEST, &headers).starts_with("no. Arguments of `walls`: symbol"));
        assert_eq!(text(StatusCode::FORBIDDEN, &headers), "no. Use a token that allows it.");
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        assert_eq!(text(StatusCode::SERVICE_UNAVAILABLE, &headers), "no. Try again in 5 s.");
    }
}
