//! Many connections that read the database: states go on, other clients are answered, and the rest is notified to wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};

use liqheat_testkit::{Answer, Folder, get_with, until};
use serde_json::Value;

use crate::support::server;

const CROWD: usize = 100;
const PATHS: [&str; 2] = [
    "/prices/klines?symbol=BTCUSDT&interval=1m&limit=5000",
    "/v1/liquidations?symbol=BTCUSDT&start_time=1970-01-01T00:00:00Z&limit=10000",
];

fn turns(stats: &Value) -> u64 {
    stats["updates"].as_u64().unwrap()
}

/// A hundred connections of one address read as fast as they are answered.
#[test]
fn a_crowd_of_readers_holds_up_neither_states_nor_other_clients() {
    let folder = Folder::new();
    let demo = server("demo --days 4 --speed 600 --ws-update-interval 0.25 --db");
    let server = demo.arg(folder.path("market.duckdb")).serve();
    let address = server.address();
    let (mut viewer, _) = server.viewer_of("BTCUSDT");

    let ending = AtomicBool::new(false);
    let seen: Mutex<BTreeMap<u16, u64>> = Mutex::default();
    std::thread::scope(|scope| {
        let (refused, first_refusal) = mpsc::channel::<Answer>();
        for index in 0..CROWD {
            let (ending, seen, refused) = (&ending, &seen, refused.clone());
            scope.spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    let path = PATHS[index % PATHS.len()];
                    let answer = get_with(address, path, &[("X-Forwarded-For", "192.0.2.1")]);
                    *seen.lock().unwrap().entry(answer.status).or_default() += 1;
                    if answer.status == 503 {
                        // Nobody listens after the first.
                        let _ = refused.send(answer);
                    }
                }
            });
        }
        // Whatever fails here must not leave the crowd running.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let refusal = first_refusal.recv().unwrap();
            assert!(refusal.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
            let detail = refusal.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("too many requests wait for the database"), "{detail}");

            let before = turns(&server.get("/ws/stats").json());
            for round in 0..5 {
                // An address with a single request is never refused, however many another one has.
                for path in PATHS {
                    let answer = get_with(address, path, &[("X-Forwarded-For", "192.0.2.2")]);
                    assert_eq!(answer.status, 200, "{round}: {}", answer.text());
                }
                viewer.hear_until(|message| message["type"] == "snapshot");
            }
            let stats = server.get("/ws/stats").json();
            assert!(turns(&stats) >= before + 5, "{stats}");
            assert_eq!(stats["updates_failed"], 0);
            assert_eq!(server.get("/live").status, 200);
        }));
        ending.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.keys().all(|status| [200, 503].contains(status)), "{seen:?}");
    assert!(seen.contains_key(&200) && seen.contains_key(&503), "{seen:?}");
    until("all turns are given back", || {
        let metrics = server.get("/metrics").text();
        (metrics.contains("liqheat_reads_running 0\n") && metrics.contains("liqheat_reads_waiting 0\n"))
            .then_some(())
    });
    assert_eq!(server.terminate().code, Some(0));
}
