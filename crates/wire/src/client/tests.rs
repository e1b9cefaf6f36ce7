use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn reads_the_documented_messages() {
    let parsed =
        parse_command(r#"{"action":"subscribe","symbols":["BTCUSDT","ETHUSDT"],"update_interval":5}"#);
    let expected =
        Subscribe { update_interval_s: Some(5.0), ..Subscribe::to(vec!["BTCUSDT".into(), "ETHUSDT".into()]) };
    assert_eq!(parsed, Ok(ClientCommand::Subscribe(expected)));
    let parsed = parse_command(
        r#"{"action":"subscribe","symbols":["BTCUSDT"],"mode":"delta","resume":{"BTCUSDT":{"epoch":"e","seq":123}},"future":1}"#,
    );
    let Ok(ClientCommand::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
    assert_eq!(subscribe.mode, Mode::Delta);
    assert_eq!(subscribe.resume["BTCUSDT"], Position { epoch: "e".into(), seq: 123 });
    assert_eq!(
        parse_command(r#"{"action":"unsubscribe","symbols":["ETHUSDT"]}"#),
        Ok(ClientCommand::Unsubscribe(Unsubscribe { symbols: vec!["ETHUSDT".into()], channels: Vec::new() }))
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
fn reads_channels_and_tokens() {
    let parsed = parse_command(
        r#"{"action":"subscribe","symbols":["X"],"channels":["heatmap","liquidations"],"min_usd":5e4,"resume":{"X":{"epoch":"h","seq":1},"liquidations:X":{"epoch":"l","seq":2}}}"#,
    );
    let Ok(ClientCommand::Subscribe(mut subscribe)) = parsed else { panic!("{parsed:?}") };
    assert_eq!((subscribe.channels.join(" "), subscribe.min_usd), ("heatmap liquidations".into(), 50_000));
    let at = |epoch: &str, seq| Some(Position { epoch: epoch.into(), seq });
    assert_eq!(subscribe.take_position("X", Channel::Liquidations), at("l", 2));
    assert_eq!(subscribe.take_position("X", Channel::Heatmap), at("h", 1));
    assert_eq!(subscribe.take_position("X", Channel::Price), None);
    let expected = |rest: &str| {
        let text = format!(r#"{{"action":"subscribe","symbols":["X"]{rest}}}"#);
        let Ok(ClientCommand::Subscribe(subscribe)) = parse_command(&text) else { panic!("{text}") };
        subscribe.expected_within()
    };
    assert_eq!(expected(""), None);
    assert_eq!(expected(r#","view":"open""#), None);
    assert_eq!(expected(r#","view":"expected""#), Some(ViewHorizon::Hour));
    assert_eq!(expected(r#","view":"expected","horizon":"4h""#), Some(ViewHorizon::FourHours));
    let parsed = parse_command(r#"{"action":"unsubscribe","symbols":["X"],"channels":["price"]}"#);
    let expected = Unsubscribe { symbols: vec!["X".into()], channels: vec!["price".into()] };
    assert_eq!(parsed, Ok(ClientCommand::Unsubscribe(expected)));
    let parsed = parse_command(r#"{"action":"token","token":"a.b.c"}"#);
    assert_eq!(parsed, Ok(ClientCommand::Token(Token { token: "a.b.c".into() })));
    for (text, part) in [
        (r#"{"action":"subscribe","symbols":["X"],"channels":"price"}"#, "'channels'"),
        (r#"{"action":"subscribe","symbols":["X"],"channels":[]}"#, "'channels'"),
        (r#"{"action":"subscribe","symbols":["X"],"channels":[1]}"#, "'channels'"),
        (r#"{"action":"unsubscribe","symbols":["X"],"channels":[[]]}"#, "'channels'"),
        (r#"{"action":"subscribe","symbols":["X"],"min_usd":-1}"#, "'min_usd'"),
        (r#"{"action":"subscribe","symbols":["X"],"min_usd":0.5}"#, "'min_usd'"),
        (r#"{"action":"subscribe","symbols":["X"],"min_usd":1e16}"#, "'min_usd'"),
        (r#"{"action":"subscribe","symbols":["X"],"min_usd":18446744073709551615}"#, "'min_usd'"),
        (r#"{"action":"token"}"#, "'token'"),
        (r#"{"action":"subscribe","symbols":["X"],"view":"size"}"#, "'open' or 'expected'"),
        (r#"{"action":"subscribe","symbols":["X"],"view":"expected","horizon":"24h"}"#, "adds nothing"),
        (r#"{"action":"subscribe","symbols":["X"],"horizon":"1h"}"#, "belongs to 'view':'expected'"),
        (r#"{"action":"token","token":7}"#, "'token'"),
    ] {
        let error = parse_command(text).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidMessage, "{text}");
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
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
        (r#"{"action":"subscribe","symbols":["A"],"resume":{"A":1}}"#, ErrorCode::InvalidMessage, "resume"),
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
        Ok(ClientCommand::Unsubscribe(Unsubscribe { symbols: vec!["A".into(); 11], channels: Vec::new() }))
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

#[test]
fn what_is_read_is_described() {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let schema = settings.into_generator().into_root_schema_for::<ClientCommand>().to_value();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let symbols = |count: usize| vec!["A"; count];
    let position = json!({"X": {"epoch": "e", "seq": 7, "hash": "00"}});
    let subscribe = |name: &str, value: Value| {
        let mut message = json!({"action": "subscribe", "symbols": ["X"]});
        message[name] = value;
        message
    };
    for (message, is_valid) in [
        (json!({"action": "ping"}), true),
        (json!({"action": "dance"}), false),
        (json!({"action": "subscribe"}), false),
        (subscribe("symbols", json!(symbols(10))), true),
        (subscribe("symbols", json!(symbols(11))), false),
        (subscribe("symbols", json!([])), false),
        (subscribe("symbols", json!([1])), false),
        (subscribe("id", json!("left pane")), true),
        (subscribe("id", json!("")), false),
        (subscribe("id", json!("x".repeat(65))), false),
        (subscribe("update_interval", json!(2.5)), true),
        (subscribe("update_interval", json!("2")), false),
        (subscribe("mode", json!("delta")), true),
        (subscribe("mode", json!("fast")), false),
        (subscribe("price_range", json!([98_000, 99_000.5])), true),
        (subscribe("price_range", json!([98_000])), false),
        (subscribe("price_range", json!([1, 2, 3])), false),
        (subscribe("bin", json!(200)), true),
        (subscribe("bin", json!(0)), false),
        (subscribe("resume", position.clone()), true),
        (subscribe("resume", json!({"X": {"epoch": "e"}})), false),
        (subscribe("resume", json!({"X": {"epoch": "e", "seq": -1}})), false),
        (subscribe("mismatch", position), true),
        (subscribe("mismatch", json!([])), false),
        (subscribe("channels", json!(["price", "liquidations"])), true),
        (subscribe("channels", json!([])), false),
        (subscribe("channels", json!(vec!["price"; 17])), false),
        (subscribe("channels", json!([1])), false),
        (subscribe("min_usd", json!(50_000)), true),
        (subscribe("min_usd", json!(-1)), false),
        (subscribe("min_usd", json!(0.5)), false),
        (subscribe("min_usd", json!(1u64 << 53)), false),
        (subscribe("view", json!("expected")), true),
        (subscribe("view", json!("open")), true),
        (subscribe("view", json!("size")), false),
        (subscribe("horizon", json!("24h")), false),
        (json!({"action": "token", "token": "a.b.c"}), true),
        (json!({"action": "token", "token": 7}), false),
        (json!({"action": "token"}), false),
        (subscribe("later", json!(1)), true),
        (json!({"action": "unsubscribe", "symbols": symbols(11)}), true),
        (json!({"action": "unsubscribe", "symbols": []}), false),
        (json!({"action": "ack", "symbol": "X", "seq": 9}), true),
        (json!({"action": "ack", "symbol": "X", "seq": 9.5}), false),
        (json!({"action": "ack", "symbol": "X"}), false),
    ] {
        assert_eq!(parse_command(&message.to_string()).is_ok(), is_valid, "read {message}");
        assert_eq!(validator.is_valid(&message), is_valid, "{message} by {schema:#}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse_command(&text);
    }
}
