//! Messages and grids as files that the TypeScript and Python tests also read. After a deliberate change of the protocol
//! print new ones with `LIQHEAT_BLESS=1 cargo test -p liqheat-wire golden` and review them.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "what must not fail in a test may stop it")]

use std::collections::BTreeMap;

use liqheat_market::{Price, Side};
use liqheat_wire::{
    Ack, AlertRow, CandleRow, ChannelMessage, ClientCommand, Decimal, ErrorCode, FeedState, GridHeader,
    GridLayout, GridScale, HeatmapView, LevelMessage, LeverageUsd, LiquidationRow, Mode, OpenCandle,
    Position, PriceData, RowsMessage, ServerMessage, StateData, StateReference, Subscribe, Token,
    Unsubscribe, ViewHorizon, WallRow, WallsBody, WarningCode, encode_grid, parse_command,
};
use serde_json::{Value, json};

fn is_golden(name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    let path = format!("golden/{name}");
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name} is part of the public protocol");
}

fn price(dollars: f64) -> Price {
    Price::from_f64(dollars).unwrap()
}

fn data() -> StateData {
    let level = |dollars, long_density, short_density| LevelMessage {
        price: price(dollars).into(),
        long_density,
        short_density,
    };
    StateData {
        levels: vec![level(98_000.0, 1_500_000, 200_000), level(98_100.5, 0, 7)],
        current_price: price(98_450.0).into(),
        positions_created: 450,
        positions_consumed: 120,
    }
}

/// Every kind of message, and every word a field can have.
fn server_messages() -> Vec<ServerMessage<'static>> {
    let (symbol, timestamp, epoch) = ("BTCUSDT", "2025-12-28T14:30:00Z", "19b657f1c40-1");
    let hash = "2b227eb42990abf1";
    let mut messages = vec![
        ServerMessage::Snapshot {
            id: None,
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            seq: 124,
            hash,
            data: data(),
        },
        ServerMessage::Delta {
            id: None,
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            from: 124,
            seq: 126,
            hash,
            data: data(),
        },
        ServerMessage::Status {
            id: None,
            symbol,
            state: FeedState::WarmingUp,
            as_of: None,
            seq: 0,
            sources: &[],
        },
        ServerMessage::Snapshot {
            id: Some("left pane"),
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            seq: 124,
            hash,
            data: data(),
        },
        ServerMessage::Delta {
            id: Some("1"),
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            from: 124,
            seq: 126,
            hash,
            data: data(),
        },
        ServerMessage::Status {
            id: Some("1"),
            symbol,
            state: FeedState::Live,
            as_of: None,
            seq: 0,
            sources: &[],
        },
        ServerMessage::Pong { timestamp },
        ServerMessage::Goaway { reason: "server restarts", reconnect_in_ms: 3_127 },
    ];
    messages.extend(FeedState::ALL.map(|state| ServerMessage::Status {
        id: None,
        symbol,
        state,
        as_of: Some(timestamp),
        seq: 124,
        sources: &[],
    }));
    messages
        .extend(ErrorCode::ALL.map(|code| ServerMessage::Error { code, message: "why, and what to try" }));
    messages.extend(
        [WarningCode::SlowConsumer, WarningCode::ConnectionUnstable].map(|code| ServerMessage::Warning {
            code,
            message: "m",
            dropped_messages: 3,
        }),
    );
    messages
}

/// What goes beside the heatmap.
fn channel_messages() -> [ServerMessage<'static>; 5] {
    let (symbol, timestamp, epoch) = ("BTCUSDT", "2025-12-28T14:30:00Z", "1c6b2f0a.1");
    let decimal = |number: f64| price(number).into();
    let candle = CandleRow {
        timestamp: timestamp.to_owned(),
        open: decimal(98_400.0),
        high: decimal(98_460.5),
        low: decimal(98_390.0),
        close: decimal(98_450.0),
        volume: Some(decimal(12.125)),
    };
    let prices = PriceData {
        venue: "binance",
        last: Some(decimal(98_450.0)),
        mark: Some(decimal(98_447.1)),
        candle: Some(OpenCandle { interval: "1m".to_owned(), candle }),
    };
    let liquidation = LiquidationRow {
        timestamp: timestamp.to_owned(),
        venue: "okx",
        side: Side::Long,
        price: decimal(98_401.5),
        quantity: decimal(0.75),
        usd: 73_801,
    };
    let reference = StateReference {
        symbol: symbol.to_owned(),
        as_of: timestamp.to_owned(),
        epoch: Some("19b657f1c40-1".to_owned()),
        seq: Some(124),
        state: FeedState::Live,
        current_price: decimal(98_450.0),
        expected_within: None,
    };
    let wall = WallRow {
        side: Side::Long,
        low: decimal(98_000.0),
        high: decimal(98_200.0),
        peak_price: decimal(98_100.0),
        usd: 1_500_000,
        share: 0.25,
        distance_pct: -0.25,
        expected_usd_1h: Some(12_000),
        freshness: None,
        usd_on_the_way: 200_000,
        leverages: vec![LeverageUsd { leverage: decimal(25.0), usd: 1_500_000 }],
    };
    let walls = WallsBody { reference, long_usd: 6_000_000, short_usd: 0, walls: vec![wall] };
    let span = json!({"side": "long", "low": 98_000, "high": 98_200, "peak": 98_100, "usd": 1_500_000});
    let alert = AlertRow {
        id: "near-BTCUSDT-1766932200000".to_owned(),
        rule: "near".to_owned(),
        symbol: symbol.to_owned(),
        time: timestamp.to_owned(),
        price: decimal(98_450.0),
        quiet: false,
        subject: json!({"kind": "near_wall", "wall": span, "distance_pct": -0.25}),
        count: 1,
        usd: 1_500_000,
        text: "BTCUSDT: price is 0.25 % from a long wall of $1.50M at 98000-98200. Price 98450.".to_owned(),
    };
    [
        ServerMessage::Price(ChannelMessage { id: None, symbol, timestamp, epoch, seq: 7, data: prices }),
        ServerMessage::Liquidations(RowsMessage {
            id: Some("1"),
            symbol,
            timestamp,
            epoch,
            seq: 31,
            missed: 2,
            reset: false,
            data: vec![liquidation],
        }),
        ServerMessage::Walls(ChannelMessage { id: None, symbol, timestamp, epoch, seq: 3, data: walls }),
        ServerMessage::Alerts(RowsMessage {
            id: None,
            symbol,
            timestamp,
            epoch,
            seq: 2,
            missed: 0,
            reset: false,
            data: vec![alert],
        }),
        ServerMessage::Close { code: 1012, reason: "server restarts" },
    ]
}

fn subscribe(symbols: &[&str]) -> Subscribe {
    Subscribe::to(symbols.iter().map(ToString::to_string).collect())
}

fn at(symbol: &str, seq: u64) -> BTreeMap<String, Position> {
    BTreeMap::from([(symbol.to_owned(), Position { epoch: "19b657f1c40-1".to_owned(), seq })])
}

/// What the JavaScript client says, to the letter, and what it means.
fn client_messages() -> Vec<(&'static str, &'static str, ClientCommand)> {
    let everything = Subscribe {
        id: Some("left pane".to_owned()),
        update_interval_s: Some(0.5),
        mode: Mode::Delta,
        price_range: Some((price(90_000.0), price(99_999.5))),
        bin: Some(price(200.0)),
        resume: at("BTCUSDT", 123),
        mismatch: at("BTCUSDT", 124),
        ..subscribe(&["BTCUSDT"])
    };
    vec![
        (
            "subscribe",
            r#"{"action":"subscribe","symbols":["BTCUSDT","ETHUSDT"]}"#,
            ClientCommand::Subscribe(subscribe(&["BTCUSDT", "ETHUSDT"])),
        ),
        (
            "subscribe with everything",
            r#"{"action":"subscribe","symbols":["BTCUSDT"],"id":"left pane","update_interval":0.5,"mode":"delta","price_range":[90000,99999.5],"bin":200,"resume":{"BTCUSDT":{"epoch":"19b657f1c40-1","seq":123}},"mismatch":{"BTCUSDT":{"epoch":"19b657f1c40-1","seq":124,"hash":"2b227eb42990abf1"}}}"#,
            ClientCommand::Subscribe(everything),
        ),
        (
            "unsubscribe",
            r#"{"action":"unsubscribe","symbols":["ETHUSDT"]}"#,
            ClientCommand::Unsubscribe(Unsubscribe {
                symbols: vec!["ETHUSDT".to_owned()],
                channels: Vec::new(),
            }),
        ),
        ("ping", r#"{"action":"ping"}"#, ClientCommand::Ping),
        (
            "ack",
            r#"{"action":"ack","symbol":"BTCUSDT","seq":124}"#,
            ClientCommand::Ack(Ack { symbol: "BTCUSDT".to_owned(), seq: 124 }),
        ),
    ]
}

/// What the clients of this repository say about channels and tokens, to the letter, and what it means.
fn client_channel_messages() -> [(&'static str, &'static str, ClientCommand); 3] {
    let names = |channels: &[&str]| channels.iter().map(ToString::to_string).collect::<Vec<_>>();
    let position = Position { epoch: "1c6b2f0a.1".to_owned(), seq: 31 };
    let everything = Subscribe {
        channels: names(&["heatmap", "price", "liquidations", "walls"]),
        min_usd: 50_000,
        resume: BTreeMap::from([("liquidations:BTCUSDT".to_owned(), position)]),
        ..subscribe(&["BTCUSDT"])
    };
    [
        (
            "subscribe",
            r#"{"action":"subscribe","symbols":["BTCUSDT"],"channels":["heatmap","price","liquidations","walls"],"min_usd":50000,"resume":{"liquidations:BTCUSDT":{"epoch":"1c6b2f0a.1","seq":31}}}"#,
            ClientCommand::Subscribe(everything),
        ),
        (
            "unsubscribe",
            r#"{"action":"unsubscribe","symbols":["BTCUSDT"],"channels":["price"]}"#,
            ClientCommand::Unsubscribe(Unsubscribe {
                symbols: names(&["BTCUSDT"]),
                channels: names(&["price"]),
            }),
        ),
        (
            "token",
            r#"{"action":"token","token":"a.b.c"}"#,
            ClientCommand::Token(Token { token: "a.b.c".to_owned() }),
        ),
    ]
}

/// Messages of the server as they are written, and of clients (name, text, meaning) as they are read.
#[track_caller]
fn are_golden(
    file: &str,
    messages: &[ServerMessage<'_>],
    commands: impl IntoIterator<Item = (&'static str, &'static str, ClientCommand)>,
) {
    let text = |message: &ServerMessage<'_>| Value::String(String::from_utf8(message.to_json()).unwrap());
    let server: Vec<Value> = messages.iter().map(text).collect();
    let mut client = serde_json::Map::new();
    for (name, text, means) in commands {
        assert_eq!(parse_command(text), Ok(means), "{name}");
        client.insert(name.to_owned(), json!(text));
    }
    is_golden(file, &json!({"server": server, "client": client}));
}

#[test]
fn golden_channel_messages() {
    are_golden("channels.json", &channel_messages(), client_channel_messages());
}

/// States of the expected view, and how one subscribes to it.
#[test]
fn golden_messages_of_the_expected_view() {
    let (symbol, timestamp, hash) = ("BTCUSDT", "2025-12-28T14:30:00Z", "2b227eb42990abf1");
    let (id, epoch) = (None, "4h-1c6b2f0a-19b657f1c40-1");
    let expected_within = Some(ViewHorizon::FourHours);
    let messages = [
        ServerMessage::Snapshot { id, symbol, expected_within, timestamp, epoch, seq: 7, hash, data: data() },
        ServerMessage::Delta {
            id,
            symbol,
            expected_within,
            timestamp,
            epoch,
            from: 7,
            seq: 8,
            hash,
            data: data(),
        },
    ];
    let text =
        r#"{"action":"subscribe","symbols":["BTCUSDT"],"mode":"delta","view":"expected","horizon":"4h"}"#;
    let means = Subscribe {
        mode: Mode::Delta,
        view: HeatmapView::Expected,
        horizon: Some(ViewHorizon::FourHours),
        ..subscribe(&["BTCUSDT"])
    };
    are_golden("views.json", &messages, [("subscribe", text, ClientCommand::Subscribe(means))]);
}

#[test]
fn golden_text_messages() {
    are_golden("messages.json", &server_messages(), client_messages());
}

#[test]
fn golden_grids() {
    // Two columns of three rows: longs below, shorts above, and both in the cell where they meet.
    let long = [1e6, 40_000.0, 0.0, 0.7, 0.0, 0.0];
    let short = [0.0, 10_000.0, 2e6, 0.0, 0.0, 0.3];
    let classes = [vec![0.0, 25_000.0, 2e6, 0.7, 0.0, 0.0], vec![1e6, 25_000.0, 0.0, 0.0, 0.0, 0.3]];
    let header = |leverages: Vec<Decimal>| GridHeader {
        symbol: "BTCUSDT".to_owned(),
        venue: "sim".to_owned(),
        epoch: "19b657f1c40-1".to_owned(),
        as_of: 1_766_932_200_000,
        start: 1_766_931_600_000,
        column_ms: 300_000,
        columns: 2,
        rows: 3,
        price_low: price(97_900.5).into(),
        bin: price(100.0).into(),
        scale: GridScale::for_max(2e6),
        state: FeedState::Replay,
        seen_share: 0.71,
        leverages,
        coverage_long: Vec::new(),
        coverage_short: Vec::new(),
    };
    let case = |name: &str, layout: GridLayout, header: GridHeader, classes: &[Vec<f32>]| {
        let bytes = encode_grid(&header, layout, &long, &short, classes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"name": name, "hex": hex, "header": header, "long": long, "short": short, "classes": classes})
    };
    let leverages = [25.0, 100.0].map(|leverage| price(leverage).into()).to_vec();
    let cases = [
        case("both sides", GridLayout::ColumnMajor, header(Vec::new()), &[]),
        case("by leverage", GridLayout::ColumnMajor, header(leverages.clone()), &classes),
        case("both sides, price-major", GridLayout::PriceMajor, header(Vec::new()), &[]),
        case("by leverage, price-major", GridLayout::PriceMajor, header(leverages.clone()), &classes),
        case("both sides, predicted", GridLayout::Predicted, header(Vec::new()), &[]),
        case("by leverage, predicted", GridLayout::Predicted, header(leverages), &classes),
    ];
    is_golden("grid.json", &json!({"cases": cases}));
}
