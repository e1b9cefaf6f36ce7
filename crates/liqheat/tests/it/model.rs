//! `liqheat model` and `--model`: parameters of the model from a file.

use liqheat_testkit::Folder;
use serde_json::Value;

use crate::support::{hash_of, liqheat, loaded, server, state};

#[test]
fn the_shipped_parameters_are_printed_and_can_be_used_as_a_file() {
    let folder = Folder::new();
    let printed = liqheat("model --print").run();
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    let file = folder.put("model.toml", &printed.out);
    let checked = liqheat("model --model").arg(&file).run();
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let lines: Vec<&str> = checked.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", checked.out);
    assert_eq!(lines[0], "every venue, every symbol: b7a36b6dde3a4716", "as it was before there was a file");
    assert!(
        lines[1].starts_with("binance, BTCUSDT: ") && lines[2].starts_with("hyperliquid, every symbol: ")
    );
    let expected = lines[3].strip_prefix("the expected view: ").unwrap();
    assert!(expected.len() == 16 && expected.bytes().all(|digit| digit.is_ascii_hexdigit()), "{expected}");
}

#[test]
fn every_mistake_of_a_file_is_reported_before_the_start() {
    let folder = Folder::new();
    let text = "[[parameters]]\nvenue = \"mars\"\nturnover_share = 2\nclasses = [{ leverage = 5 }]\n";
    let file = folder.put("model.toml", text);
    for command in ["model --model", "serve --db none.duckdb --model", "demo --model"] {
        let refused = liqheat(command).arg(&file).run();
        assert_eq!(refused.code, Some(1), "{command}: {}", refused.err);
        for part in [
            "model.toml:2: venue",
            "model.toml:3: turnover_share is 2",
            "model.toml:4: classes: taker is missing",
        ] {
            assert!(refused.err.contains(part), "{command}: {part} is not in {}", refused.err);
        }
    }
}

#[test]
fn other_parameters_compute_the_ledger_anew_and_the_old_ones_give_the_old_state() {
    let (folder, db) = loaded(2);
    let text = "[[parameters]]\nvenue = \"binance\"\nliquidatable_share = 0.2\nunlevelled_closing_rate = 0.2\n\
        classes = [{ leverage = 20, taker = 1 }, { distance = 0.02, taker = 1, closing_rate = 3 }]\n";
    let file = folder.put("model.toml", text);
    let look = |arguments: Option<&std::path::Path>| {
        let program = server("serve --db").arg(&db);
        let program = match arguments {
            Some(file) => program.args("--model").arg(file),
            None => program,
        };
        let server = program.serve();
        let snapshot = state(&server);
        let leverages = server.get("/v1/symbols").json()["symbols"][0]["leverages"].clone();
        assert_eq!(server.get("/ws/stats").json()["invariants_broken"], 0);
        // The levels by leverage sum to those of the socket, also where classes have factors of their own.
        let usd = |levels: &Value, field: &str| -> u64 {
            levels.as_array().unwrap().iter().map(|level| level[field].as_u64().unwrap()).sum()
        };
        let map = server.get("/v1/map?symbol=BTCUSDT").json();
        assert_eq!(map["long_usd"], usd(&snapshot["data"]["levels"], "long_density"));
        (hash_of(&snapshot), leverages)
    };
    let shipped = look(None);
    let other = look(Some(&file));
    assert_eq!(shipped.1, serde_json::json!([3, 5, 10, 25, 50, 100, 125, 150]));
    assert_eq!(other.1, serde_json::json!([20, 50]));
    assert_ne!(shipped.0, other.0);
    assert_eq!(look(None), shipped, "its checkpoints are still there");
    assert_eq!(look(Some(&file)), other);
}
