//! What a client may say. Unknown fields are ignored, so that newer clients can talk to older servers;
//! everything else that does not fit is answered, never guessed.

use std::collections::BTreeMap;

use liqheat_market::Price;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ErrorCode;

/// Most symbols one message may name.
pub const SYMBOLS_PER_MESSAGE_MAX: usize = 10;

/// Most bytes of the id of a subscription.
pub const SUBSCRIPTION_ID_BYTES_MAX: usize = 64;

/// A position in the history of a symbol's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// One unbroken run of `seq`.
    pub epoch: String,
    /// The last change known.
    pub seq: u64,
}

/// How updates travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Whole states.
    #[default]
    Snapshot,
    /// Differences from the state the client has.
    Delta,
}

/// A subscription to one or more symbols.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// The symbols as the client wrote them, 1 to 10.
    pub symbols: Vec<String>,
    /// The client's name for this subscription, 1 to 64 bytes; every message about it repeats it.
    pub id: Option<String>,
    /// Wanted seconds between updates; to be clamped by the server.
    pub update_interval_s: Option<f64>,
    /// How updates travel.
    pub mode: Mode,
    /// What the client has from an earlier connection.
    pub resume: BTreeMap<String, Position>,
    /// Only levels whose bin touches this span, both ends included; all of them without.
    pub price_range: Option<(Price, Price)>,
    /// Height of a level; levels are summed into it. The base bin without.
    pub bin: Option<Price>,
    /// States that did not have the hash they should have had: why the client asks again.
    pub mismatch: BTreeMap<String, Position>,
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientCommand {
    /// Begin sending these symbols.
    Subscribe(Subscribe),
    /// Stop sending these symbols.
    Unsubscribe(Vec<String>),
    /// Answer with a pong.
    Ping,
    /// A state was painted.
    Ack(Ack),
}

/// A client's word that it has painted a state; the first one turns credit on for the symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Of which symbol.
    pub symbol: String,
    /// The newest state painted.
    pub seq: u64,
}

/// Why a message was refused, with the code to answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// What to tell the client.
    pub message: String,
}

impl CommandError {
    fn message(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidMessage, message: message.into() }
    }
}

/// Reads one text message.
///
/// # Errors
/// `INVALID_MESSAGE` for what is not a JSON object with fields of the right form, `INVALID_ACTION` for an
/// unknown action.
pub fn parse_command(text: &str) -> Result<ClientCommand, CommandError> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| CommandError::message(format!("Message is not valid JSON: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(CommandError::message("Message must be a JSON object such as {\"action\":\"ping\"}"));
    };
    let action = match fields.get("action") {
        Some(Value::String(action)) => action.as_str(),
        Some(_) => return Err(CommandError::message("Field 'action' must be a string")),
        None => return Err(CommandError::message("Field 'action' is missing")),
    };
    match action {
        "subscribe" => subscribe(&fields).map(ClientCommand::Subscribe),
        "unsubscribe" => symbols(&fields, None).map(ClientCommand::Unsubscribe),
        "ping" => Ok(ClientCommand::Ping),
        "ack" => ack(&fields).map(ClientCommand::Ack),
        unknown => Err(CommandError {
            code: ErrorCode::InvalidAction,
            message: format!(
                "Action '{}' not supported. Valid: subscribe, unsubscribe, ping, ack",
                unknown.chars().take(40).collect::<String>()
            ),
        }),
    }
}

type Fields = serde_json::Map<String, Value>;

fn subscribe(fields: &Fields) -> Result<Subscribe, CommandError> {
    let update_interval_s =
        match fields.get("update_interval") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_f64().filter(|seconds| seconds.is_finite()).ok_or_else(|| {
                CommandError::message("Field 'update_interval' must be a number of seconds")
            })?),
        };
    let mode = match fields.get("mode") {
        None | Some(Value::Null) => Mode::Snapshot,
        Some(Value::String(mode)) if mode == "snapshot" => Mode::Snapshot,
        Some(Value::String(mode)) if mode == "delta" => Mode::Delta,
        Some(_) => return Err(CommandError::message("Field 'mode' must be 'snapshot' or 'delta'")),
    };
    Ok(Subscribe {
        symbols: symbols(fields, Some(SYMBOLS_PER_MESSAGE_MAX))?,
        id: id(fields)?,
        update_interval_s,
        mode,
        resume: positions(fields, "resume")?,
        price_range: price_range(fields)?,
        bin: given(fields, "bin")
            .map(|value| price(value).filter(|bin| bin.is_positive()))
            .map(|bin| bin.ok_or_else(|| CommandError::message("Field 'bin' must be a price above zero")))
            .transpose()?,
        mismatch: positions(fields, "mismatch")?,
    })
}

/// A field that is there and not null.
fn given<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn id(fields: &Fields) -> Result<Option<String>, CommandError> {
    let Some(value) = given(fields, "id") else {
        return Ok(None);
    };
    let id = value.as_str().filter(|id| (1..=SUBSCRIPTION_ID_BYTES_MAX).contains(&id.len()));
    id.map(|id| Some(id.to_owned())).ok_or_else(|| {
        CommandError::message(format!(
            "Field 'id' must be a text of 1 to {SUBSCRIPTION_ID_BYTES_MAX} bytes in UTF-8"
        ))
    })
}

fn positions(fields: &Fields, name: &str) -> Result<BTreeMap<String, Position>, CommandError> {
    let wrong_form = |_| {
        CommandError::message(format!(
            "Field '{name}' must look like {{\"BTCUSDT\":{{\"epoch\":\"..\",\"seq\":123}}}}"
        ))
    };
    given(fields, name)
        .map_or_else(|| Ok(BTreeMap::new()), |value| BTreeMap::deserialize(value).map_err(wrong_form))
}

fn price_range(fields: &Fields) -> Result<Option<(Price, Price)>, CommandError> {
    let Some(value) = given(fields, "price_range") else {
        return Ok(None);
    };
    let ends = value.as_array().and_then(|ends| match &ends[..] {
        [low, high] => Some((price(low)?, price(high)?)),
        _ => None,
    });
    let ordered = ends.filter(|(low, high)| low.units() >= 0 && low < high);
    let wrong_form = || {
        CommandError::message(
            "Field 'price_range' must be [low, high]: two prices from 0 on, low below high by 0.00000001 or more",
        )
    };
    ordered.map(Some).ok_or_else(wrong_form)
}

fn price(value: &Value) -> Option<Price> {
    Price::from_f64(value.as_f64()?).ok()
}

fn ack(fields: &Fields) -> Result<Ack, CommandError> {
    let symbol = fields.get("symbol").and_then(Value::as_str);
    let seq = fields.get("seq").and_then(Value::as_u64);
    match (symbol, seq) {
        (Some(symbol), Some(seq)) => Ok(Ack { symbol: symbol.to_owned(), seq }),
        _ => Err(CommandError::message(
            "An ack must look like {\"action\":\"ack\",\"symbol\":\"BTCUSDT\",\"seq\":124}",
        )),
    }
}

/// `most` symbols at most, at least one. Without a number the list is bounded by the size of a message.
fn symbols(fields: &Fields, most: Option<usize>) -> Result<Vec<String>, CommandError> {
    let wrong_form = || {
        let number = most.map_or_else(|| "1 or more".to_owned(), |most| format!("1 to {most}"));
        CommandError::message(format!("Field 'symbols' must be a list of {number} symbols"))
    };
    let list = fields.get("symbols").and_then(Value::as_array).ok_or_else(wrong_form)?;
    if list.is_empty() || most.is_some_and(|most| list.len() > most) {
        return Err(wrong_form());
    }
    list.iter().map(|symbol| symbol.as_str().map(str::to_owned).ok_or_else(wrong_form)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_documented_messages() {
        let parsed =
            parse_command(r#"{"action":"subscribe","symbols":["BTCUSDT","ETHUSDT"],"update_interval":5}"#);
        let expected = Subscribe {
            symbols: vec!["BTCUSDT".into(), "ETHUSDT".into()],
            id: None,
            update_interval_s: Some(5.0),
            mode: Mode::Snapshot,
            resume: BTreeMap::new(),
            price_range: None,
            bin: None,
            mismatch: BTreeMap::new(),
        };
        assert_eq!(parsed, Ok(ClientCommand::Subscribe(expected)));
        let parsed = parse_command(
            r#"{"action":"subscribe","symbols":["BTCUSDT"],"mode":"delta","resume":{"BTCUSDT":{"epoch":"e","seq":123}},"future":1}"#,
        );
        let Ok(ClientCommand::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(subscribe.mode, Mode::Delta);
        assert_eq!(subscribe.resume["BTCUSDT"], Position { epoch: "e".into(), seq: 123 });
        assert_eq!(
            parse_command(r#"{"action":"unsubscribe","symbols":["ETHUSDT"]}"#),
            Ok(ClientCommand::Unsubscribe(vec!["ETHUSDT".into()]))
        );
        assert_eq!(parse_command(r#"{"action":"ping"}"#), Ok(ClientCommand::Ping));
        assert_eq!(
            parse_command(r#"{"action":"ack","symbol":"BTCUSDT","seq":124}"#),
            Ok(ClientCommand::Ack(Ack { symbol: "BTCUSDT".into(), seq: 124 }))
        );
    }

    #[test]
    fn reads_views_and_reports() {
        let parsed = parse_command(
            r#"{"action":"subscribe","symbols":["X"],"price_range":[0.1,98000.5],"bin":0.25,"mismatch":{"X":{"epoch":"e","seq":7,"hash":"00"}}}"#,
        );
        let Ok(ClientCommand::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
        let price = |units| Price::from_units(units);
        assert_eq!(subscribe.price_range, Some((price(10_000_000), price(9_800_050_000_000))));
        assert_eq!(subscribe.bin, Some(price(25_000_000)));
        assert_eq!(subscribe.mismatch["X"], Position { epoch: "e".into(), seq: 7 });
        let parsed = parse_command(r#"{"action":"subscribe","symbols":["X"],"price_range":null,"bin":null}"#);
        assert!(parsed.is_ok(), "null is as good as absent: {parsed:?}");
    }

    #[test]
    fn answers_what_does_not_fit() {
        for (text, code, part) in [
            ("", ErrorCode::InvalidMessage, "JSON"),
            ("{", ErrorCode::InvalidMessage, "JSON"),
            ("[]", ErrorCode::InvalidMessage, "object"),
            ("{}", ErrorCode::InvalidMessage, "'action' is missing"),
            (r#"{"action":7}"#, ErrorCode::InvalidMessage, "string"),
            (r#"{"action":"dance"}"#, ErrorCode::InvalidAction, "'dance' not supported"),
            (r#"{"action":"subscribe"}"#, ErrorCode::InvalidMessage, "symbols"),
            (r#"{"action":"subscribe","symbols":[]}"#, ErrorCode::InvalidMessage, "1 to 10"),
            (r#"{"action":"subscribe","symbols":["A",1]}"#, ErrorCode::InvalidMessage, "symbols"),
            (
                r#"{"action":"subscribe","symbols":["A"],"update_interval":"x"}"#,
                ErrorCode::InvalidMessage,
                "interval",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"mode":"fast"}"#, ErrorCode::InvalidMessage, "mode"),
            (
                r#"{"action":"subscribe","symbols":["A"],"resume":{"A":1}}"#,
                ErrorCode::InvalidMessage,
                "resume",
            ),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[2,1]}"#,
                ErrorCode::InvalidMessage,
                "price_range",
            ),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[2,2]}"#,
                ErrorCode::InvalidMessage,
                "low below high",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"id":7}"#, ErrorCode::InvalidMessage, "'id'"),
            (r#"{"action":"subscribe","symbols":["A"],"id":""}"#, ErrorCode::InvalidMessage, "'id'"),
            (
                r#"{"action":"subscribe","symbols":["A"],"price_range":[1e300,1e301]}"#,
                ErrorCode::InvalidMessage,
                "price_range",
            ),
            (r#"{"action":"subscribe","symbols":["A"],"bin":0}"#, ErrorCode::InvalidMessage, "bin"),
            (r#"{"action":"subscribe","symbols":["A"],"bin":"x"}"#, ErrorCode::InvalidMessage, "bin"),
            (r#"{"action":"ack","symbol":"A"}"#, ErrorCode::InvalidMessage, "ack"),
            (r#"{"action":"ack","symbol":"A","seq":-1}"#, ErrorCode::InvalidMessage, "ack"),
        ] {
            let error = parse_command(text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        let eleven =
            |action: &str| format!(r#"{{"action":"{action}","symbols":[{}]}}"#, [r#""A""#; 11].join(","));
        assert_eq!(parse_command(&eleven("subscribe")).unwrap_err().code, ErrorCode::InvalidMessage);
        assert_eq!(
            parse_command(&eleven("unsubscribe")),
            Ok(ClientCommand::Unsubscribe(vec!["A".into(); 11]))
        );
    }

    #[test]
    fn an_id_has_at_most_64_bytes() {
        let parse = |id: &str| {
            let text = format!(r#"{{"action":"subscribe","symbols":["A"],"id":"{id}"}}"#);
            parse_command(&text).map(|command| match command {
                ClientCommand::Subscribe(subscribe) => subscribe.id,
                other => panic!("{other:?}"),
            })
        };
        for id in ["a", &"x".repeat(64), &"ä".repeat(32), "a b"] {
            assert_eq!(parse(id), Ok(Some(id.to_owned())));
        }
        for id in ["x".repeat(65), "ä".repeat(33)] {
            assert!(parse(&id).unwrap_err().message.contains("64 bytes"), "{id}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = parse_command(&text);
        }
    }
}
