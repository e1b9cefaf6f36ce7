//! Settings: every mistake at once, and what is in effect.

use liqheat_testkit::Folder;

use crate::support::liqheat;

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let folder = Folder::new();
    let file =
        folder.put("bad.toml", "lissen = '127.0.0.1:0'\nws_ping_interval = 'often'\ntiers = { x = 1 }\n");
    let done = liqheat("serve --ws-max-connections many --trusted-proxies 10.0.0.1,here --config")
        .arg(&file)
        .env("WS_IDLE_TIMEOUT", "long")
        .env("WS_MAX_QUEUE_SIZE", "-1")
        .env("WS_JWT_PUBLIC_KEY", "/no/such/key.pem")
        .run();
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{}", done.err);
    let lines: Vec<&str> = done.err.lines().collect();
    let path = file.display();
    let expected = [
        format!("liqheat: {path}: unknown key 'lissen'; known are "),
        format!("liqheat: {path}: key 'tiers': must be a string"),
        "liqheat: command line: invalid value 'many' for '--ws-max-connections <N>'".to_owned(),
        "liqheat: command line: invalid value 'here' for '--trusted-proxies <NETWORKS>': must be an address"
            .to_owned(),
        "liqheat: environment variable WS_IDLE_TIMEOUT: invalid value 'long' for".to_owned(),
        "liqheat: environment variable WS_MAX_QUEUE_SIZE: invalid value '-1'".to_owned(),
        format!("liqheat: {path}: invalid value 'often' for '--ws-ping-interval <SECONDS>'"),
        "liqheat: WS_JWT_PUBLIC_KEY: cannot read /no/such/key.pem".to_owned(),
    ];
    for start in &expected {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}\n{}", done.err);
    }
    assert_eq!(lines.len(), expected.len(), "{}", done.err);
}

#[test]
fn removed_settings_are_refused_with_what_replaces_them() {
    let folder = Folder::new();
    let file = folder.put("old.toml", "okx_rest = 'https://okx.example'\n");
    let done = liqheat("serve --hyperliquid-rest https://h.example --config")
        .arg(file.as_path())
        .env("LIQHEAT_BINANCE_REST", "http://127.0.0.1:9")
        .env("LIQHEAT_BYBIT_SOCKET", "")
        .run();
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{}", done.err);
    let path = file.display();
    let expected = [
        "liqheat: environment variable LIQHEAT_BINANCE_REST: was removed; use --venue-url binance=http://127.0.0.1:9 (".to_owned(),
        format!("liqheat: {path}: key 'okx_rest' was removed; use --venue-url okx=https://okx.example ("),
        "liqheat: command line: '--hyperliquid-rest' was removed; use --venue-url hyperliquid=https://HOST (".to_owned(),
    ];
    for start in &expected {
        assert!(done.err.lines().any(|line| line.starts_with(start)), "{start}\n{}", done.err);
    }
    assert_eq!(done.err.lines().count(), expected.len(), "{}", done.err);
}

#[test]
fn unknown_variables_are_warned_of_with_the_nearest_setting() {
    let text = "environment variable WS_UPDATE_INTERVALL is not a setting and has no effect; did you mean WS_UPDATE_INTERVAL?";
    let done = liqheat("serve --print-config").env("WS_UPDATE_INTERVALL", "2").run();
    assert_eq!((done.code, done.err.trim_end()), (Some(0), format!("liqheat: warning: {text}").as_str()));
    // Where a command runs, the warning is a line of the log.
    let folder = Folder::new();
    let done = liqheat("backtest --log-format json --db")
        .arg(folder.path("none.duckdb"))
        .env("WS_UPDATE_INTERVALL", "2")
        .run();
    let line = done.err.lines().next().unwrap_or_default();
    assert!(line.contains("\"level\":\"WARN\"") && line.contains(text), "{}", done.err);
}

#[test]
fn a_value_that_a_better_place_overrides_is_no_mistake() {
    let folder = Folder::new();
    let file = folder.put("half.toml", "ws_max_queue_size = 'x'\n");
    let done = liqheat("serve --print-config --ws-max-queue-size 7 --config")
        .arg(file)
        .env("WS_MAX_QUEUE_SIZE", "y")
        .run();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("\nws_max_queue_size = 7\n"), "{}", done.out);
}

#[test]
fn the_settings_in_effect_can_be_printed_and_used_again() {
    let folder = Folder::new();
    let file = folder.put("first.toml", "ws_status_interval = 7\nsymbols = ['BTCUSDT', 'ETHUSDT']\n");
    let secret = "a secret that is long enough to be one";
    for command in ["serve", "demo", "replay"] {
        let printed = liqheat(command)
            .args("--print-config --listen 127.0.0.1:9 --config")
            .arg(&file)
            .env("WS_JWT_SECRET", secret)
            .env("WS_MAX_SUBSCRIPTIONS", "3")
            .run();
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        for line in [
            "listen = \"127.0.0.1:9\"",
            "ws_status_interval = 7",
            "ws_max_subscriptions = 3",
            "symbols = [\"BTCUSDT\", \"ETHUSDT\"]",
            "trusted_proxies = [\"127.0.0.0/8\", \"::1\"]",
            "# ws_jwt_secret is set, but not shown",
        ] {
            assert!(printed.out.lines().any(|printed| printed == line), "{line}\n{}", printed.out);
        }
        assert!(!printed.out.contains(secret));
        let again = folder.put("again.toml", &printed.out);
        let printed_again =
            liqheat(command).args("--print-config --config").arg(again).env("WS_JWT_SECRET", secret).run();
        assert_eq!(printed_again.out, printed.out, "{command}: {}", printed_again.err);
    }
}

#[test]
fn addresses_are_checked_and_counted() {
    let folder = Folder::new();
    let address = |at: usize| format!("'0x{at:040x}'");
    let many: Vec<String> = (0..11).map(address).collect();
    let file = folder.put("many.toml", format!("hyperliquid_addresses = [{}]\n", many.join(", ")));
    let done = liqheat("serve --symbols BTCUSDT --config").arg(&file).run();
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(done.err.contains("names 11 addresses; the venue shows the fills of at most 10"), "{}", done.err);
    let file = folder.put("one.toml", format!("hyperliquid_addresses = [{}]\n", address(7)));
    let done = liqheat("serve --print-config --config").arg(&file).run();
    let line = format!("hyperliquid_addresses = [\"{}\"]", address(7).trim_matches('\''));
    assert!(done.out.contains(&line), "{}", done.out);
    let done = liqheat("serve").env("LIQHEAT_HYPERLIQUID_ADDRESSES", "0x1,BTC").run();
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("'0x1' is no address: 0x and 40 hexadecimal digits"), "{}", done.err);
}

#[test]
fn help_is_in_parts() {
    let help = liqheat("serve --help").env("WS_JWT_SECRET", "never to be shown in any help text").run();
    for heading in ["Options:", "Sockets:", "Access:", "Tokens:"] {
        assert!(help.out.lines().any(|line| line == heading), "{heading}\n{}", help.out);
    }
    assert!(!help.out.contains("never to be shown"), "{}", help.out);
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_that_cannot_send_traces_says_so_and_goes_on() {
    let done = liqheat("serve --offline --db no-such-folder/market.duckdb")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        .run();
    assert!(done.err.contains("no spans are sent"), "{}", done.err);
    assert!(done.err.contains("no-such-folder"), "it got as far as its file: {}", done.err);
}
