//! What is shipped to operate the program, held to the program: every metric that a rule or a dashboard names exists,
//! and `docs/metrics.md` and `docs/operator_alerts.md` are what the code says.
//!
//! `LIQHEAT_BLESS=1 cargo test -p liqheat deploy` writes both anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use liqheat_testkit::{Folder, RunningProgram, repository, until};

use crate::support::server;

const RULES: &str = include_str!("../../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../deploy/grafana/liqheat.json");

/// A metric as a scraper learns of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// Metrics by the name under which they are asked for.
type Metrics = BTreeMap<String, Metric>;

fn metrics(server: &RunningProgram) -> Metrics {
    let text = server.get("/metrics").text();
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            metrics.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            metrics.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((name, rest)) = line.split_once('{') {
            let base = ["_bucket", "_count", "_sum", "_total", "_info"]
                .iter()
                .filter_map(|end| name.strip_suffix(end))
                .find(|base| metrics.contains_key(*base))
                .unwrap_or(name);
            let Some(metric) = metrics.get_mut(base) else { continue };
            let labels = rest.split('}').next().unwrap_or("");
            let names = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name);
            metric.labels.extend(names.filter(|name| *name != "le").map(str::to_owned));
        }
    }
    let shown = |(name, metric): (String, Metric)| {
        let end = match metric.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (format!("{name}{end}"), metric)
    };
    metrics.into_iter().map(shown).collect()
}

/// Everything that any server shows: one that plays a market, and one that follows venues that cannot be reached.
fn every_metric() -> Metrics {
    let played = server("demo --seed 7 --days 1").serve();
    let (_viewer, _) = played.viewer_of("BTCUSDT");
    assert_eq!(played.get("/nowhere").status, 404);
    let mut all = metrics(&played);
    let folder = Folder::new();
    // Port 9 is nobody's.
    let live = server(
        "serve --symbols BTCUSDT --venues binance,hyperliquid --fill-days 0 --venue-url binance=ws://127.0.0.1:9,binance=http://127.0.0.1:9",
    )
    .args("--venue-url hyperliquid=ws://127.0.0.1:9,hyperliquid=http://127.0.0.1:9")
    .args("--hyperliquid-measured --hyperliquid-leaderboard http://127.0.0.1:9/leaderboard")
    .arg("--db")
    .arg(folder.path("live.duckdb"))
    .env("REDIS_ENABLED", "true")
    .env("REDIS_URL", "redis://127.0.0.1:9")
    .serve();
    // Sources show up once they were tried.
    until("the source is known", || live.get("/metrics").text().contains("liqheat_source_up{").then_some(()));
    for (name, metric) in metrics(&live) {
        let known = all.entry(name).or_insert_with(|| metric.clone());
        known.labels.extend(metric.labels);
    }
    all
}

/// Words of a text that look like metrics of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| ["ws_", "liqheat_", "process_"].iter().any(|start| word.starts_with(start));
    words.filter(ours).collect()
}

fn exists(metrics: &Metrics, name: &str) -> bool {
    let parts = ["_bucket", "_count", "_sum"];
    metrics.contains_key(name)
        || parts
            .iter()
            .filter_map(|part| name.strip_suffix(part))
            .any(|base| metrics.get(base).is_some_and(|metric| metric.kind == "histogram"))
}

fn document(name: &str) -> PathBuf {
    repository().join("docs").join(name)
}

#[track_caller]
fn holds(name: &str, expected: &str) {
    let path = document(name);
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == expected,
        "docs/{name} is not what the program says; LIQHEAT_BLESS=1 cargo test -p liqheat deploy writes it anew. It should be:\n{expected}"
    );
}

#[test]
fn rules_and_dashboard_name_only_what_there_is_and_the_document_names_all() {
    let metrics = every_metric();
    for (whose, text) in [("alerts.yml", RULES), ("liqheat.json", DASHBOARD)] {
        let names = named(text);
        assert!(names.len() > 15, "{whose}: {names:?}");
        for name in names {
            assert!(
                exists(&metrics, name),
                "{whose} names {name}, which is nowhere in /metrics: {:?}",
                metrics.keys()
            );
        }
    }
    let mut text = "# Metrics\n\nLook up a metric of `GET /metrics`: kind, labels and meaning. The list is generated from the program (see \
        CONTRIBUTING.md); [operations.md](operations.md#watching-it) names the most important ones.\nMetrics of venues exist \
        if markets are followed live, those of Redis with `REDIS_ENABLED=true`.\n\n\
        | metric | kind | labels | what |\n|---|---|---|---|\n"
        .to_owned();
    for (name, metric) in &metrics {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        text.push_str(&format!("| `{name}` | {} | {} | {} |\n", metric.kind, labels.join(", "), metric.help));
    }
    holds("metrics.md", &text);
}

#[test]
fn every_alert_is_in_the_document() {
    let mut text = "# Alert rules for operators\n\nLook up what to do when an alert about the server fires. The rules are those of \
        `deploy/prometheus/alerts.yml` (this list is generated from it, see CONTRIBUTING.md). `page` wakes somebody, `ticket` waits \
        until morning. Alerts for traders are in [price_alerts.md](price_alerts.md).\n\n| alert | severity | after | when | what to do |\n|---|---|---|---|---|\n"
        .to_owned();
    let mut alerts = 0;
    for rule in RULES.split("- alert: ").skip(1) {
        let field = |name: &str| {
            let line = rule.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
            line.unwrap_or("").trim_matches('"').to_owned()
        };
        let alert = rule.lines().next().unwrap();
        let severity = field("labels").replace("{ severity: ", "").replace(" }", "");
        assert!(["page", "ticket"].contains(&severity.as_str()), "{alert}: {severity}");
        let (after, when, what) = (field("for"), field("expr").replace('|', "\\|"), field("do"));
        assert!(!when.is_empty() && !what.is_empty(), "{alert}");
        let after = if after.is_empty() { "at once".to_owned() } else { after };
        text.push_str(&format!("| {alert} | {severity} | {after} | `{when}` | {what} |\n"));
        alerts += 1;
    }
    assert!(alerts > 20, "{alerts}");
    holds("operator_alerts.md", &text);
}
