//! Alerts: delivered, signed, delivered again after a kill, and never twice; rules through the API; a recorded crash.

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use liqheat_testkit::token::{SECRET, signed_with};
use liqheat_testkit::{Folder, Program, Receiver, RunningProgram, get_with, recorded, send_json, until};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{liqheat, load, loaded, server};

const KEY: &str = "the key of the tests, not short";

/// A rule that stored data meets at once: it is old.
const STALE: &str = "[[rules]]\nname = 'stale'\nkind = 'feed_stale'\n";

fn target(name: &str, address: impl std::fmt::Display) -> String {
    format!(
        "[[targets]]\nname = '{name}'\nkind = 'webhook'\nurl = 'http://{address}/hook'\nsecret_env = 'KEY_OF_TESTS'\nallow_private = true\n"
    )
}

fn write(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.path("alerts.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn serving(db: &Path, file: &Path) -> Program {
    server("serve --ws-update-interval 0.2")
        .args("--db")
        .arg(db)
        .args("--alerts")
        .arg(file)
        .env("KEY_OF_TESTS", KEY)
}

fn targets(server: &RunningProgram) -> Value {
    server.get("/v1/alerts").json()["targets"].clone()
}

/// `sha256=` and the digest of a body.
fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    format!("sha256={}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[test]
fn a_webhook_is_signed_and_delivered_again_after_a_kill_and_then_never_again() {
    let (folder, db) = loaded(2);
    let receiver = Receiver::answering(500);
    let file = write(&folder, &format!("{}{STALE}", target("bot", receiver.address())));
    let first = serving(&db, &file).serve();
    let refused = receiver.wait_for(1);
    let log = first.kill();
    assert!(!log.err.contains(KEY), "secrets are not logged");

    receiver.answer(200);
    let before = receiver.wait_for(1).len();
    let second = serving(&db, &file).serve();
    let all = receiver.wait_for(before + 1);
    let delivered = all.last().unwrap();
    assert_eq!(delivered.path, "/hook");
    assert_eq!(delivered.header("x-liqheat-signature"), Some(signature(&delivered.body).as_str()));
    let body = delivered.json();
    assert_eq!(delivered.header("x-liqheat-id"), body["id"].as_str());
    let at = liqheat_wire::parse_time(body["sent_at"].as_str().unwrap()).unwrap().0;
    assert_eq!(delivered.header("x-liqheat-timestamp"), Some((at / 1_000).to_string().as_str()));
    assert_eq!(
        (&body["alert"]["rule"], &body["alert"]["subject"]["kind"]),
        (&json!("stale"), &json!("feed_stale"))
    );
    // The same alert, under the same id.
    assert_eq!(body["id"], refused[0].json()["id"]);
    until("nothing waits", || (targets(&second)[0]["waiting"] == 0).then_some(()));
    let shown = second.get("/v1/alerts").json();
    assert_eq!(shown["alerts"].as_array().unwrap().len(), 1, "{shown}");
    assert!(!shown.to_string().contains(KEY) && !shown.to_string().contains("/hook"), "{shown}");
    assert_eq!(second.terminate().code, Some(0));

    // Delivered and remembered: another start sends nothing. A further target shows when it would have.
    let marker = Receiver::answering(200);
    let rules = format!(
        "{}{}{STALE}{}",
        target("bot", receiver.address()),
        target("marker", marker.address()),
        "targets = ['bot']\n[[rules]]\nname = 'marker'\nkind = 'feed_stale'\ntargets = ['marker']\n"
    );
    let third = serving(&db, &write(&folder, &rules)).serve();
    assert_eq!(marker.wait_for(1)[0].json()["alert"]["rule"], "marker");
    drop(third);
    assert_eq!(receiver.wait_for(before + 1).len(), before + 1);
}

#[test]
fn a_dead_target_is_reported_and_delays_no_other() {
    let (folder, db) = loaded(2);
    let (alive, failing) = (Receiver::answering(200), Receiver::answering(503));
    let file = write(
        &folder,
        &format!("{}{}{STALE}", target("failing", failing.address()), target("alive", alive.address())),
    );
    let server = serving(&db, &file).serve();
    let _ = (alive.wait_for(1), failing.wait_for(1));
    until("one is delivered, the other waits", || {
        let targets = targets(&server);
        (targets[0]["failures"] != 0 && targets[1]["waiting"] == 0).then_some(())
    });
    let ready = until("the dead target is named", || {
        let ready = server.get("/ready");
        ready.text().contains("alert target 'failing' failed").then_some(ready)
    });
    assert!(ready.text().contains("(status 503); 1 alerts wait for it"), "{}", ready.text());
    assert_eq!(ready.status, 200, "the heatmap is served all the same");
    let metrics = server.get("/metrics").text();
    for line in [
        "liqheat_alert_target_dead{target=\"failing\"} 1",
        "liqheat_alert_target_dead{target=\"alive\"} 0",
        "liqheat_alerts_delivered_total{target=\"alive\"} 1",
        "liqheat_alerts_waiting{target=\"failing\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[test]
fn a_target_that_resolves_to_a_private_address_is_refused() {
    let (folder, db) = loaded(2);
    let receiver = Receiver::answering(200);
    let port = receiver.address().port();
    let private =
        target("inside", format!("localhost:{port}")).replace("http:", "https:").replace("= true", "= false");
    let file = write(&folder, &format!("{private}{STALE}"));
    let server = serving(&db, &file).serve();
    let reason = until("the target failed", || {
        let reason = targets(&server)[0]["reason"].as_str().unwrap_or_default().to_owned();
        (!reason.is_empty()).then_some(reason)
    });
    assert!(reason.contains("its address is private; set allow_private = true"), "{reason}");
    // Plain http is not even started with.
    let plain = write(&folder, &private.replace("https:", "http:"));
    let refused = serving(&db, &plain).run();
    assert!(refused.err.contains("target 'inside': the address must begin with https://"), "{}", refused.err);
    assert_eq!(refused.code, Some(2));
}

#[test]
fn mistakes_in_the_file_are_named_together() {
    let folder = Folder::new();
    let file = write(&folder, "[[targets]]\nname = 'a'\nkind = 'slack'\nurl_env = 'NOT_SET_ANYWHERE'\n");
    let refused = serving(&folder.path("x.duckdb"), &file).args("--ws-ping-interval 90").run();
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("target 'a': the environment variable NOT_SET_ANYWHERE is not set"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("WS_PING_INTERVAL"), "{}", refused.err);
    let none = serving(&folder.path("x.duckdb"), &folder.path("nowhere.toml")).run();
    assert!(none.code == Some(2) && none.err.contains("nowhere.toml"), "{}", none.err);
}

#[test]
fn rules_come_and_go_through_the_api() {
    let (_folder, db) = loaded(2);
    let start = || server("serve --ws-update-interval 0.2").args("--db").arg(&db).serve();
    let server = start();
    let rule = r#"{"name":"mine","kind":"feed_stale","after_s":5}"#;
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        send_json(server.address(), method, path, headers, body)
    };
    // The checks need a state to know the symbols.
    let page = format!("http://{}", server.address());
    for (headers, body, status, detail) in [
        (&[("Origin", "https://evil.example")][..], rule, 403, "pages of other origins"),
        (&[("Sec-Fetch-Site", "cross-site")], rule, 403, "pages of other origins"),
        (&[("X-Forwarded-For", "203.0.113.7")], rule, 403, "without tokens only this machine"),
        (&[], "nonsense", 422, "the body is not a rule"),
        (&[], r#"{"name":"mine","kind":"cascade"}"#, 422, "min_usd is missing"),
        (
            &[],
            r#"{"name":"mine","kind":"feed_stale","symbols":["DOGEUSDT"]}"#,
            422,
            "'DOGEUSDT' is not served",
        ),
        (&[], r#"{"name":"mine","kind":"feed_stale","targets":["desk"]}"#, 422, "there is no target 'desk'"),
    ] {
        let answer = send("POST", "/v1/alerts", headers, body);
        assert_eq!(answer.status, status, "{body} {}", answer.text());
        assert!(answer.text().contains(detail), "{}", answer.text());
    }
    let too_large = send("POST", "/v1/alerts", &[], &" ".repeat(70_000));
    assert_eq!(too_large.status, 413);
    let added = send("POST", "/v1/alerts", &[("Origin", &page), ("Sec-Fetch-Site", "same-origin")], rule);
    assert_eq!(added.status, 200, "{}", added.text());
    assert_eq!(added.json(), json!({"source": "api", "name": "mine", "kind": "feed_stale", "after_s": 5}));
    let raised =
        until("the rule raises an alert", || server.get("/v1/alerts").json()["alerts"].get(0).cloned());
    assert_eq!((&raised["rule"], &raised["symbol"]), (&json!("mine"), &json!("BTCUSDT")));
    assert_eq!(server.terminate().code, Some(0));
    // It is there after a restart, and what it raised is not raised again.
    let server = start();
    let rules = until("the rule is loaded", || {
        let rules = server.get("/v1/alerts").json()["rules"].clone();
        (rules.as_array().unwrap().len() == 1).then_some(rules)
    });
    assert_eq!(rules[0]["name"], "mine");
    let delete = |path: &str| send_json(server.address(), "DELETE", path, &[], "");
    assert_eq!(delete("/v1/alerts").status, 422);
    assert_eq!(delete("/v1/alerts?name=other").status, 404);
    assert_eq!(delete("/v1/alerts?name=mine").json(), json!({"deleted": "mine"}));
    let shown = server.get("/v1/alerts").json();
    assert_eq!((shown["rules"].as_array().unwrap().len(), shown["alerts"].as_array().unwrap().len()), (0, 1));
}

#[test]
fn with_tokens_rules_need_one() {
    let folder = Folder::new();
    let server = server("serve --db").arg(folder.path("x.duckdb")).env("WS_JWT_SECRET", SECRET).serve();
    let rule = r#"{"name":"mine","kind":"feed_stale"}"#;
    assert_eq!(send_json(server.address(), "POST", "/v1/alerts", &[], rule).status, 401);
    assert_eq!(send_json(server.address(), "DELETE", "/v1/alerts?name=mine", &[], "").status, 401);
    assert_eq!(get_with(server.address(), "/v1/alerts", &[]).status, 401);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let bearer = format!("Bearer {}", signed_with(SECRET, &json!({"exp": now + 600})));
    let from_afar = [("Authorization", bearer.as_str()), ("X-Forwarded-For", "203.0.113.7")];
    assert_eq!(send_json(server.address(), "POST", "/v1/alerts", &from_afar, rule).status, 200);
    let foreign = [("Authorization", bearer.as_str()), ("Origin", "https://evil.example")];
    assert_eq!(send_json(server.address(), "POST", "/v1/alerts", &foreign, rule).status, 403);
}

#[test]
fn a_test_message_goes_to_every_target() {
    let folder = Folder::new();
    let (alive, failing) = (Receiver::answering(204), Receiver::answering(410));
    let telegram = format!(
        "[[targets]]\nname = 'phone'\nkind = 'telegram'\nurl = 'http://{}'\nsecret_env = 'TOKEN_OF_TESTS'\nchat = '-1'\nallow_private = true\n",
        alive.address()
    );
    let file = write(&folder, &format!("{telegram}{}", target("gone", failing.address())));
    let test =
        liqheat("alerts test --alerts").arg(&file).env("KEY_OF_TESTS", KEY).env("TOKEN_OF_TESTS", "12:ab");
    let done = test.run();
    assert_eq!(done.out, "ok    phone (telegram)\nFAIL  gone (webhook): status 410\n");
    assert_eq!(done.code, Some(1));
    let posted = alive.wait_for(1);
    assert_eq!(posted[0].path, "/bot12:ab/sendMessage");
    assert_eq!(posted[0].json()["chat_id"], "-1");
    assert_eq!(test.args("--target phone").run().code, Some(0));
}

const CRASH_RULES: &str = "\
[[rules]]
name = 'near'
kind = 'near_wall'
within_pct = 0.3
min_usd = 25_000_000
cooldown_s = 3600
[[rules]]
name = 'swept'
kind = 'wall_swept'
min_usd = 15_000_000
cooldown_s = 600
[[rules]]
name = 'formed'
kind = 'wall_formed'
min_usd = 25_000_000
within_pct = 5
cooldown_s = 3600
[[rules]]
name = 'vanished'
kind = 'wall_vanished'
min_usd = 20_000_000
within_pct = 10
cooldown_s = 3600
";

/// The crash of 2025-11-20 and 21 with one line an alert in `tests/golden/crash_alerts.txt`.
/// `LIQHEAT_BLESS=1` writes it anew.
#[test]
fn a_recorded_crash_raises_the_alerts_of_the_golden_list() {
    let Some(archive) = recorded("binance-archive") else { return };
    let folder = Folder::new();
    let db = folder.path("crash.duckdb");
    load(&db, &[archive]);
    let file = write(&folder, CRASH_RULES);
    let replay = || {
        let run = liqheat("alerts replay --symbol BTCUSDT --from 2025-11-20 --to 2025-11-22");
        let done = run.args("--alerts").arg(&file).args("--db").arg(&db).run();
        assert_eq!(done.code, Some(0), "{}", done.err);
        done.out
    };
    let out = replay();
    assert_eq!(out, replay(), "the same bars raise the same alerts");
    let alerts: Vec<liqheat_alerts::Alert> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: std::collections::BTreeSet<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), alerts.len(), "none twice");
    let kinds: std::collections::BTreeSet<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(kinds, ["formed", "near", "swept", "vanished"].into(), "a crash meets every rule");
    let line = |alert: &liqheat_alerts::Alert| {
        format!("{} {} {}\n", liqheat_wire::format_time(alert.time), alert.rule, alert.text())
    };
    let list: String = alerts.iter().map(line).collect();
    let path = "tests/golden/crash_alerts.txt";
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &list).unwrap();
    }
    assert_eq!(list, std::fs::read_to_string(path).unwrap_or_default());
}

#[test]
fn the_channel_sends_what_rules_raise_and_a_client_resumes() {
    let (folder, db) = loaded(2);
    let server = serving(&db, &write(&folder, "")).serve();
    let follow = |more: &Value| {
        let mut viewer = server.viewer();
        let mut message = json!({ "action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["alerts"] });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        viewer.say(&message);
        viewer
    };
    let is_alerts = |message: &Value| message["type"] == "alerts";
    let mut viewer = follow(&json!({}));
    let position = viewer.hear_until(is_alerts);
    assert_eq!((&position["seq"], &position["data"]), (&json!(0), &json!([])));

    let rule = r#"{"name":"stale","kind":"feed_stale"}"#;
    assert_eq!(send_json(server.address(), "POST", "/v1/alerts", &[], rule).status, 200);
    let raised = viewer.hear_until(is_alerts);
    let row = &raised["data"][0];
    assert_eq!((&row["rule"], &row["subject"]["kind"]), (&json!("stale"), &json!("feed_stale")));
    assert!(row["text"].as_str().is_some_and(|text| text.contains("BTCUSDT")), "{row}");
    let shown = server.get("/v1/alerts").json();
    assert_eq!(shown["alerts"][0]["id"], row["id"]);

    // From the position before it, a client that comes back gets it again; small ones are not sent to who does not want them.
    let resume = json!({ "alerts:BTCUSDT": { "epoch": position["epoch"], "seq": 0 } });
    let mut again = follow(&json!({ "resume": resume }));
    assert_eq!(again.hear_until(is_alerts)["data"], raised["data"]);
    let mut large = follow(&json!({ "min_usd": 1 }));
    assert_eq!(large.hear_until(is_alerts)["data"], json!([]));
}
