use liqheat_market::{Price, UnixMs};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Decimal, LevelMessage, ServerMessage, StateData, format_time};

const EXACT_MAX: u64 = 1 << 53;

fn cell(price: i64, long_usd: u64, short_usd: u64) -> Cell {
    Cell { price: Price::from_units(price), long_usd, short_usd }
}

fn state<'a>(from: Option<u64>, cells: &'a [Cell]) -> BinaryState<'a> {
    BinaryState {
        symbol: "BTCUSDT",
        timestamp: UnixMs(1_766_932_200_000),
        epoch: "19b657f1c40-1",
        from,
        seq: 124,
        hash: StateHash::of(cells),
        current_price: Price::from_units(9_845_000_000_000),
        positions_created: 450,
        positions_consumed: 120,
        cells,
    }
}

fn owned(state: &BinaryState<'_>) -> DecodedState {
    DecodedState {
        id: None,
        symbol: state.symbol.to_owned(),
        timestamp: state.timestamp,
        epoch: state.epoch.to_owned(),
        from: state.from,
        seq: state.seq,
        hash: state.hash,
        current_price: state.current_price,
        positions_created: state.positions_created,
        positions_consumed: state.positions_consumed,
        cells: state.cells.to_vec(),
    }
}

fn json_of(state: &BinaryState<'_>) -> Vec<u8> {
    let level = |cell: &Cell| LevelMessage {
        price: cell.price.into(),
        long_density: cell.long_usd,
        short_density: cell.short_usd,
    };
    let data = StateData {
        levels: state.cells.iter().map(level).collect(),
        current_price: state.current_price.into(),
        positions_created: state.positions_created,
        positions_consumed: state.positions_consumed,
    };
    let (timestamp, hash) = (format_time(state.timestamp), state.hash.to_string());
    let (symbol, epoch, seq) = (state.symbol, state.epoch, state.seq);
    let (timestamp, hash) = (timestamp.as_str(), hash.as_str());
    let message = match state.from {
        Some(from) => ServerMessage::Delta {
            id: None,
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            from,
            seq,
            hash,
            data,
        },
        None => ServerMessage::Snapshot {
            id: None,
            symbol,
            expected_within: None,
            timestamp,
            epoch,
            seq,
            hash,
            data,
        },
    };
    message.to_json()
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let usd = || prop_oneof![Just(0u64), 1u64..1_000, 1u64..EXACT_MAX];
    let levels = prop::collection::btree_map(0i64..1 << 30, (usd(), usd()), 0..60);
    (levels, 1i64..1 << 22).prop_map(|(levels, step)| {
        levels.into_iter().map(|(index, (long, short))| cell(index * step, long, short)).collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(cells in cells(), symbol in "\\PC{0,20}", epoch in "\\PC{0,20}", back in 0u64..5, seq in 5u64..EXACT_MAX, is_delta: bool) {
        let cells: Vec<Cell> = cells.into_iter().filter(|cell| is_delta || !cell.is_empty()).collect();
        let from = is_delta.then(|| seq - back);
        let state = BinaryState { symbol: &symbol, epoch: &epoch, from, seq, ..state(None, &cells) };
        let bytes = encode_state(&state);
        prop_assert_eq!(decode_state(&bytes), Ok(owned(&state)));
        for length in 0..bytes.len() {
            prop_assert!(decode_state(&bytes[..length]).is_err(), "cut to {} bytes", length);
        }
        prop_assert!(decode_state(&[&bytes[..], &[0]].concat()).is_err());
        let with_id = [&binary_beginning(is_delta, "ä 1")[..], &bytes[1..]].concat();
        let read = decode_state(&with_id);
        prop_assert_eq!(read, Ok(DecodedState { id: Some("ä 1".to_owned()), ..owned(&state) }));
    }

    /// What is read at all has one way of being written, up to the choice of the step.
    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0x10u8..0x14) {
        let _ = decode_state(&bytes);
        bytes.insert(0, kind);
        let _ = decode_state(&bytes);
    }

    /// Bytes close to a message get further into the decoder than any bytes.
    #[test]
    fn a_damaged_message_does_not_panic(cells in cells(), at in 0usize..300, byte: u8) {
        let mut bytes = encode_state(&state(Some(100), &cells));
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = decode_state(&bytes) {
            prop_assert!(read.cells.is_sorted_by(|a, b| a.price < b.price));
        }
    }
}

#[test]
fn what_is_never_written_is_refused() {
    // A message of one level, long 5, on a step of 1 at index 3.
    let good = encode_state(&state(None, &[cell(3, 5, 0)]));
    assert!(decode_state(&good).is_ok());
    let level = [1, 3, 3 - 2 - 1];
    assert_eq!(level.len(), 3, "count, step, index are the bytes before the columns");
    let ends_with = |tail: &[u8]| {
        let head = good.len() - 7;
        decode_state(&[&good[..head], tail].concat())
    };
    // count 1, step 3 (the greatest), index 1, long: no zeros, one value, 5; short: one zero.
    assert!(ends_with(&[1, 3, 1, 0, 1, 5, 1]).is_ok());
    for (tail, why) in [
        (&[1, 0, 1, 0, 1, 5, 1][..], "a step of zero"),
        (&[9, 3, 1, 0, 1, 5, 1], "more levels than bytes"),
        (&[1, 3, 1, 0, 2, 5, 5, 1], "a run past the end"),
        (&[1, 3, 1, 2, 1, 5, 1], "zeros past the end"),
        (&[1, 3, 1, 0, 0, 1], "an empty run"),
        (&[1, 3, 1, 0, 1, 0, 1], "a zero among values"),
        (&[1, 3, 1, 0, 1, 0x85, 0, 1], "an overlong number"),
        (&[1, 3, 1, 1, 1], "no mass in a whole state"),
        (&[1, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 5, 1], "an index that is too large"),
        (&[1, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 1, 5, 1], "a price that is too large"),
    ] {
        assert!(ends_with(tail).is_err(), "{why}");
    }
    for first in [0x00, 0x14, 0x20, 0x7B] {
        assert_eq!(decode_state(&[&[first], &good[1..]].concat()), Err(DecodeError::Unknown(first)));
    }
}

fn market(levels: i64) -> Vec<Cell> {
    let usd = |i: i64| (i.unsigned_abs() * 2_654_435_761 % 3_000_000) + 1_000;
    let side = |i: i64| if i < levels / 2 { (usd(i), 0) } else { (0, usd(i)) };
    (0..levels).map(|i| cell((900 + i) * 10_000_000_000, side(i).0, side(i).1)).collect()
}

/// The figures of docs/binary.md: `cargo test -p liqheat-wire sizes -- --nocapture`.
#[test]
fn sizes() {
    let whole = market(500);
    let changed: Vec<Cell> = whole.iter().step_by(17).copied().collect();
    for (name, state, most) in [
        ("500 levels", state(None, &whole), 2_600),
        ("difference of 30 levels", state(Some(123), &changed), 220),
    ] {
        let (binary, json) = (encode_state(&state), json_of(&state));
        println!("{name}: JSON {} bytes, binary {} bytes", json.len(), binary.len());
        assert!(binary.len() < most, "{name} takes {} bytes", binary.len());
    }
    let one_sided: Vec<Cell> = whole[..250].to_vec();
    let both: Vec<Cell> = one_sided.iter().map(|c| Cell { short_usd: 1, ..*c }).collect();
    let empty_side = encode_state(&state(None, &both)).len() - encode_state(&state(None, &one_sided)).len();
    assert!(empty_side >= 250, "250 sums of one dollar cost a byte each, no sums cost none: {empty_side}");
}

/// The same file is read by the TypeScript tests. After a deliberate change of the form (a new protocol
/// version), print the new one with `LIQHEAT_BLESS=1 cargo test -p liqheat-wire golden` and review it.
#[test]
fn golden_messages() {
    let bin = 10_000_000_000;
    let both = [cell(980 * bin, 1_500_000, 200_000), cell(981 * bin, 0, 7), cell(985 * bin, 3, 0)];
    let fractions = [cell(12_345_678, 1, 2), cell(10_000_000_000, 4_503_599_627_370_496, 4_294_967_296)];
    let gone = [cell(978 * bin, 0, 0), cell(980 * bin, 1_600_000, 0), cell(1_200 * bin, 0, 0)];
    let whole = market(40);
    let long_name = BinaryState {
        symbol: "1000000BABYDOGEUSDT@hyperliquid",
        epoch: "ü",
        timestamp: UnixMs(1_766_932_200_250),
        ..state(None, &both)
    };
    let cases = [
        ("nothing", state(None, &[])),
        ("one level", state(None, &both[..1])),
        ("both sides", state(None, &both)),
        ("longs below, shorts above", state(None, &whole)),
        ("fractional prices and large sums", state(None, &fractions)),
        ("a long name", long_name),
        ("a difference with levels that are gone", state(Some(120), &gone)),
        ("a difference of the price alone", state(Some(123), &[])),
        ("a difference from the same state", state(Some(124), &[])),
    ];
    let cases: Vec<Value> = cases
        .iter()
        .map(|(name, state)| {
            let hex: String = encode_state(state).iter().map(|byte| format!("{byte:02x}")).collect();
            let message: Value = serde_json::from_slice(&json_of(state)).unwrap();
            json!({"name": name, "hex": hex, "message": message})
        })
        .collect();
    assert_eq!(cases[1]["message"]["data"]["levels"][0]["price"], json!(Decimal::from_units(980 * bin)));
    let text = serde_json::to_string_pretty(&json!({"cases": cases})).unwrap() + "\n";
    let path = "golden/binary.json";
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        text,
        "the binary form is part of the public protocol"
    );
}

/// What every reader must refuse: each byte of each golden message replaced by each of `DAMAGE`, in order, one
/// letter a message, `1` where it is still one. The TypeScript tests hold their reader to the same letters.
#[test]
fn golden_damage() {
    const DAMAGE: [u8; 8] = [0x00, 0x01, 0x02, 0x10, 0x11, 0x7f, 0x80, 0xff];
    let golden: Value = serde_json::from_str(include_str!("../../golden/binary.json")).unwrap();
    let mut accepted = serde_json::Map::new();
    let mut letters = 0;
    for case in golden["cases"].as_array().unwrap() {
        let hex = case["hex"].as_str().unwrap();
        let whole: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let verdict = |at: usize, byte: u8| {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            if decode_state(&damaged).is_ok() { '1' } else { '0' }
        };
        let verdicts: String = (0..whole.len()).flat_map(|at| DAMAGE.map(|byte| verdict(at, byte))).collect();
        letters += verdicts.len();
        assert!(verdicts.contains('0') && verdicts.contains('1'));
        accepted.insert(case["name"].as_str().unwrap().to_owned(), json!(verdicts));
    }
    assert!(letters > 4_000, "{letters} damaged messages");
    let text = serde_json::to_string_pretty(&json!({"bytes": DAMAGE, "accepted": accepted})).unwrap() + "\n";
    let path = "golden/damaged.json";
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        text,
        "what is refused is part of the public protocol"
    );
}

/// The bytes that docs/binary.md takes apart are those of the golden case.
#[test]
fn the_document_shows_a_real_message() {
    let text = include_str!("../../../../docs/binary.md");
    let (_, example) = text.split_once("## An example").unwrap();
    let (example, _) = example.split_once("## Sizes").unwrap();
    let rows = example.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let hex: String = rows.flat_map(str::chars).filter(char::is_ascii_hexdigit).collect();
    let golden: Value = serde_json::from_str(include_str!("../../golden/binary.json")).unwrap();
    let case = golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == "both sides").unwrap();
    assert_eq!(json!(hex), case["hex"]);
    let json_bytes = serde_json::to_vec(&case["message"]).unwrap().len();
    assert!(text.contains(&format!("{} bytes (the JSON message takes {json_bytes})", hex.len() / 2)));
}
