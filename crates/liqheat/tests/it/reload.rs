//! SIGHUP: what a running server takes over, and that a mistake changes nothing.

use std::fs;
use std::path::Path;

use liqheat_testkit::token::{SECRET, signed_with};
use liqheat_testkit::{Answer, Folder, RunningProgram, Viewer, get_with, until};
use serde_json::json;

use crate::support::server;

struct World {
    server: RunningProgram,
    folder: Folder,
}

impl World {
    /// A server over an empty database, with settings in a file.
    fn start(settings: &str) -> Self {
        let folder = Folder::new();
        let config = folder.put("liqheat.toml", settings);
        let db = folder.path("empty.duckdb");
        let server = server("serve --config").arg(config).args("--db").arg(db).serve();
        Self { server, folder }
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path("liqheat.toml")
    }

    /// Replaces the file and waits for what the server says to it.
    fn reload(&self, settings: &str, said: &str) -> String {
        fs::write(self.config(), settings).unwrap();
        self.server.signal("HUP");
        self.server.wait_for_log(said)
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.server.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }

    fn page(&self) -> Result<Viewer, Answer> {
        Viewer::connect(self.server.address(), &[("Origin", "https://charts.example")])
    }
}

#[test]
fn origins_limits_and_levels_are_taken_over_and_the_rest_is_named() {
    let world = World::start("ws_max_connections = 10\n");
    assert_eq!(world.page().err().map(|answer| answer.status), Some(403));
    assert_eq!(world.metric("liqheat_reload_last_success_timestamp_seconds"), 0.0);
    let open = world.server.viewer();

    let settings = "allowed_origins = ['https://charts.example']\nws_max_connections = 2\nlog = 'debug'\n\
                    ws_update_interval = 3\ncheckpoints_kept = 5\n";
    let unknown = world.reload(settings, "checkpoints_kept");
    assert!(unknown.contains("settings not reloaded; nothing has changed"), "{unknown}");
    assert_eq!(world.page().err().map(|answer| answer.status), Some(403), "a mistake changes nothing");
    assert_eq!(world.metric("liqheat_reload_last_successful"), 0.0);

    let settings = settings.replace("checkpoints_kept = 5\n", "http_max_connections = 99\n");
    let waiting = world.reload(&settings, "changed, needs a restart");
    let applied = world.server.wait_for_log("settings reloaded");
    for key in ["allowed_origins", "ws_max_connections", "log"] {
        assert!(applied.contains(key), "{key}: {applied}");
    }
    assert!(waiting.contains("http_max_connections") && waiting.contains("ws_update_interval"), "{waiting}");
    assert!(!waiting.contains("allowed_origins"), "{waiting}");
    assert_eq!(world.metric("liqheat_reload_last_successful"), 1.0);
    assert!(world.metric("liqheat_reload_last_success_timestamp_seconds") > 1e9);
    assert_eq!(world.metric("liqheat_reload_attempts_total{result=\"refused\"}"), 1.0);

    let page = world.page().map_err(|answer| answer.status).unwrap();
    let answer = get_with(world.server.address(), "/v1/symbols", &[("Origin", "https://charts.example")]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://charts.example"));
    // Two are open, and that is all there may be.
    assert_eq!(world.page().err().map(|answer| answer.status), Some(503));
    world.server.wait_for_log("ws_rejected");
    drop((open, page));
}

#[test]
fn tokens_are_asked_for_and_their_keys_replaced() {
    let world = World::start("");
    let (other, folder) = ("another secret that is long enough to be one", &world.folder);
    let status = |token: Option<&str>| {
        let header = token.map(|token| ("Authorization", format!("Bearer {token}")));
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        get_with(world.server.address(), "/v1/symbols", &headers).status
    };
    assert_eq!(status(None), 200);
    let file = |path: &Path| format!("ws_jwt_secret_file = '{}'\n", path.display());
    let refused = world.reload(&file(&folder.path("missing")), "settings not reloaded");
    assert!(refused.contains("WS_JWT_SECRET_FILE"), "{refused}");
    assert_eq!(status(None), 200);

    let first = folder.put("first", SECRET);
    world.reload(&file(&first), "changed=\"ws_jwt_secret_file\"");
    let claims = json!({ "exp": 4_000_000_000_u64 });
    let (old, new) = (signed_with(SECRET, &claims), signed_with(other, &claims));
    assert_eq!((status(None), status(Some(&old)), status(Some(&new))), (401, 200, 401));
    let headers = [("Authorization", format!("Bearer {old}"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut viewer = Viewer::connect(world.server.address(), &headers).map_err(|it| it.status).unwrap();

    let second = folder.put("second", other);
    fs::write(world.config(), file(&second)).unwrap();
    world.server.signal("HUP");
    until("the other secret", || (status(Some(&new)) == 200).then_some(()));
    assert_eq!(status(Some(&old)), 401);
    assert_eq!(viewer.closed().code, 1008, "its key is gone");
}

#[test]
fn rules_and_targets_of_alerts_are_read_again() {
    let folder = Folder::new();
    let rule = |name: &str| format!("[[rules]]\nname = '{name}'\nkind = 'feed_stale'\n");
    let secret = folder.put("secret", SECRET);
    let target = format!(
        "[[targets]]\nname = 'bot'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\nallow_private = true\nsecret_file = '{}'\n",
        secret.display()
    );
    let alerts = folder.put("alerts.toml", rule("first"));
    let world = World::start(&format!("alerts = '{}'\n", alerts.display()));
    let listed = |of: &str| {
        let body = world.server.get("/v1/alerts").json();
        let names = body[of].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed("rules"), ["first"]);
    assert_eq!(listed("targets"), [""; 0]);
    fs::write(&alerts, format!("{target}{}{}", rule("first"), rule("second"))).unwrap();
    world.server.signal("HUP");
    until("the rules", || (listed("rules") == ["first", "second"]).then_some(()));
    assert_eq!(listed("targets"), ["bot"]);
    fs::write(&alerts, "[[rules]]\nname = 'x'\nkind = 'nothing'\n").unwrap();
    world.server.signal("HUP");
    world.server.wait_for_log("nothing has changed");
    assert_eq!(listed("rules"), ["first", "second"]);
}
