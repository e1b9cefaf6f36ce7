//! nginx before the servers, with the configuration of `deploy/nginx`: only addresses are changed for the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use liqheat_testkit::{
    Answer, EventReader, Folder, LoggedStates, Program, RunningProgram, ServerSentEvent, Shadow, Viewer,
    free_port, get, get_with, repository, until,
};
use serde_json::Value;

use super::support::{
    Redis, SYMBOL, Watcher, agree, board, edge, has_state, leads, local, maker, node, service,
};

/// nginx as it is shipped, before these servers.
struct Nginx {
    address: SocketAddr,
    folder: Folder,
    stage: u32,
    running: Option<RunningProgram>,
}

/// Its workers outlive a master that is killed, so it is asked to end.
impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.terminate();
        }
    }
}

impl Nginx {
    #[track_caller]
    fn before(live: [SocketAddr; 2], weights: [&str; 2], stored: SocketAddr) -> Self {
        let folder = Folder::new();
        let address = local(free_port());
        let shipped = repository().join("deploy/nginx");
        let read = |name: &str| std::fs::read_to_string(shipped.join(name)).unwrap();
        let here = format!("{}/", folder.path("").display()).replace("//", "/");
        let placed = read("liqheat.conf")
            .replace("/etc/nginx/", &here)
            .replace("listen 80;", &format!("listen {address};"));
        assert!(placed.contains(&address.to_string()));
        folder.put("liqheat.conf", placed);
        folder.put("liqheat-locations.conf", read("liqheat-locations.conf"));
        write_upstreams(&folder, live, weights, stored);
        write_main(&folder, 0);
        let config = folder.path("nginx.conf");
        let checked = Command::new(service("nginx")).arg("-t").arg("-c").arg(&config).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let running = Program::at(service("nginx")).args("-c").arg(&config).start();
        let nginx = Self { address, folder, stage: 0, running: Some(running) };
        nginx.wait_for_stage();
        nginx
    }

    /// Other weights, taken over by a reload, as an operator does it.
    #[track_caller]
    fn reload(&mut self, live: [SocketAddr; 2], weights: [&str; 2]) {
        self.stage += 1;
        write_upstreams(&self.folder, live, weights, live[0]);
        write_main(&self.folder, self.stage);
        self.running.as_ref().unwrap().signal("HUP");
        self.wait_for_stage();
    }

    /// The old worker takes connections, too, until it reads that it is to go; with nobody connected it ends then.
    #[track_caller]
    fn wait_for_stage(&self) {
        let stage = self.stage.to_string();
        let master = self.running.as_ref().unwrap().id();
        until("nginx has the new configuration, and only the new worker runs", || {
            std::net::TcpStream::connect(self.address).ok()?;
            let answered = get(self.address, "/nginx-health");
            (answered.header("x-stage") == Some(stage.as_str()) && children(master) == 1).then_some(())
        });
    }

    /// Sockets of clients from that many networks; gives how many each server has then.
    #[track_caller]
    fn spread(&self, clients: usize, servers: [&RunningProgram; 2]) -> [usize; 2] {
        let before = servers.map(connections);
        let sockets: Vec<Viewer> = (0..clients)
            .map(|number| {
                let client = format!("10.{}.{}.9", number / 200, number % 200);
                Viewer::connect(self.address, &[("X-Forwarded-For", &client)])
                    .unwrap_or_else(|answer| panic!("{} {}", answer.status, answer.text()))
            })
            .collect();
        let counts = until("all are counted", || {
            let now = servers.map(connections);
            let new = [now[0] - before[0], now[1] - before[1]];
            (new[0] + new[1] == clients).then_some(new)
        });
        drop(sockets);
        until("all have left", || (servers.map(connections) == before).then_some(()));
        counts
    }
}

/// How many processes have this one as their parent.
fn children(parent: u32) -> usize {
    let is_child = |stat: String| {
        // Behind the name, which may hold anything: state, then the parent.
        let behind = stat.rsplit(") ").next().unwrap_or_default();
        behind.split(' ').nth(1) == Some(parent.to_string().as_str())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter(|entry| std::fs::read_to_string(entry.path().join("stat")).is_ok_and(is_child)).count()
}

fn connections(server: &RunningProgram) -> usize {
    server.get("/ws/stats").json()["active_connections"].as_u64().unwrap() as usize
}

fn write_upstreams(folder: &Folder, live: [SocketAddr; 2], weights: [&str; 2], stored: SocketAddr) {
    let shipped = repository().join("deploy/nginx/liqheat-upstreams.conf");
    let text = std::fs::read_to_string(shipped).unwrap();
    let line = |port: u16, address: SocketAddr, weight: &str| {
        (format!("server 127.0.0.1:{port} weight=1"), format!("server {address} {weight}"))
    };
    let [first, second] = [line(8_000, live[0], weights[0]), line(8_001, live[1], weights[1])];
    assert!(text.contains(&first.0) && text.contains(&second.0), "{text}");
    let text = text.replace(&first.0, &first.1).replace(&second.0, &second.1);
    let only = "server 127.0.0.1:8000 max_fails";
    assert!(text.contains(only), "{text}");
    folder.put("liqheat-upstreams.conf", text.replace(only, &format!("server {stored} max_fails")));
}

/// What is around it on a real machine, and which configuration this is. Clients of the test all come from this
/// machine, so where they say they come from is believed.
fn write_main(folder: &Folder, stage: u32) {
    let as_root =
        String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
    let user = if as_root { "user root;" } else { "" };
    let path = |name: &str| folder.path(name).display().to_string();
    let main = format!(
        "{user}
daemon off;
pid {};
error_log stderr;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {};
    proxy_temp_path {};
    fastcgi_temp_path {};
    uwsgi_temp_path {};
    scgi_temp_path {};
    set_real_ip_from 127.0.0.0/8;
    real_ip_header X-Forwarded-For;
    add_header X-Stage {stage} always;
    add_header X-Served-By $upstream_addr always;
    include {};
}}
",
        path("pid"),
        path("body"),
        path("proxy"),
        path("fastcgi"),
        path("uwsgi"),
        path("scgi"),
        path("liqheat.conf"),
    );
    folder.put("nginx.conf", main);
}

#[test]
fn clients_come_through_nginx_and_a_dead_server_is_passed_over() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let servers = [edge(&redis.url()).serve(), edge(&redis.url()).serve()];
    servers.iter().for_each(has_state);
    let addresses = [servers[0].address(), servers[1].address()];
    let nginx = Nginx::before(addresses, ["weight=1", "weight=1"], producer.address());

    // Sockets, polling and history each find a server that has them; what is not for everybody is not there.
    let mut shadow = Shadow::new(SYMBOL, &log);
    assert!(shadow.connect(nginx.address, &[]));
    shadow.hear_until("differences", |shadow, _| shadow.deltas >= 3);
    assert_eq!(get(nginx.address, "/v1/heatmap?symbol=BTCUSDT").status, 200);
    assert_eq!(get(nginx.address, "/v1/heatmap/history?symbol=BTCUSDT&range=24h").status, 200);
    assert_eq!(get(nginx.address, "/prices/klines?symbol=BTCUSDT").status, 200);
    assert_eq!(get(nginx.address, "/metrics").status, 404);

    // A client stays with a server, and the server knows who it is.
    let from = |client: &str| [("X-Forwarded-For", client.to_owned())];
    let before = servers.each_ref().map(connections);
    let mut same: Vec<Viewer> = Vec::new();
    for _ in 0..6 {
        let headers = from("10.7.7.7");
        same.push(Viewer::connect(nginx.address, &[(headers[0].0, &headers[0].1)]).unwrap());
    }
    let place = until("all at one", || {
        let now = servers.each_ref().map(connections);
        let new = [now[0] - before[0], now[1] - before[1]];
        (new[0] + new[1] == 6).then_some(new)
    });
    assert!(place.contains(&6), "{place:?}");
    let server = &servers[usize::from(place[1] == 6)];
    let line = server.wait_for_log("10.7.7.7");
    assert!(line.contains("ws_connect") && line.contains("\"client_ip\":\"10.7.7.7\""), "{line}");
    drop(same);

    // One is killed: whoever was there comes back through nginx and goes on with a difference.
    let watchers: Vec<Watcher> = (0..4).map(|_| Watcher::start(&[nginx.address], &log)).collect();
    until("all are at the server of this machine's network", || {
        let at = servers.each_ref().map(connections);
        at.iter().any(|count| *count >= 5).then_some(())
    });
    let [first, second] = servers;
    let (dead, alive) = if connections(&first) >= 5 { (first, second) } else { (second, first) };
    dead.kill();
    until("all are at the other one", || (connections(&alive) >= 4).then_some(()));
    let moved = board(&alive).unwrap().1;
    until("and go on", || (board(&alive)?.1 > moved + 3).then_some(()));
    for watcher in watchers {
        assert_eq!(watcher.end().snapshots, 1, "the one at the beginning");
    }
    for _ in 0..5 {
        assert_eq!(
            get(nginx.address, "/v1/heatmap?symbol=BTCUSDT").status,
            200,
            "polls are also passed over"
        );
    }
}

/// Every event comes while the stream goes on, however small it is; and what one server began, the other goes on with.
#[test]
fn event_streams_are_not_held_back_and_go_on_at_another_server() {
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let servers = [edge(&redis.url()).serve(), edge(&redis.url()).serve()];
    servers.iter().for_each(has_state);
    let addresses = [servers[0].address(), servers[1].address()];
    let nginx = Nginx::before(addresses, ["weight=1", "weight=1"], producer.address());
    let gzip = "accept-encoding: gzip\r\n";

    // A few hundred bytes and then nothing: whatever collects them would never hand them on.
    let quiet = format!("symbols={SYMBOL}&channels=liquidations&min_usd=9000000000000");
    let (mut stream, head) = EventReader::open(nginx.address, &quiet, gzip);
    assert!(head.starts_with("http/1.1 200 ok\n"), "{head}");
    assert!(head.contains("content-type: text/event-stream\n"), "{head}");
    assert!(!head.contains("content-encoding"), "compressing also collects: {head}");
    assert_eq!(stream.until("liquidations").data["data"], serde_json::json!([]));
    drop(stream);

    // The same while the servers stand still: nothing more comes that could push it out of a buffer.
    let sent = |server: &RunningProgram| server.get("/ws/stats").json()["messages_sent"].as_u64().unwrap();
    let before: u64 = servers.iter().map(sent).sum();
    let address = nginx.address;
    let reading =
        std::thread::spawn(move || EventReader::open(address, &quiet, gzip).0.until("liquidations"));
    until("the servers have sent it", || (servers.iter().map(sent).sum::<u64>() > before).then_some(()));
    servers.iter().for_each(|server| server.signal("STOP"));
    let read = reading.join();
    servers.iter().for_each(|server| server.signal("CONT"));
    assert_eq!(read.expect("it came through").data["data"], serde_json::json!([]));

    // Prices are as small and come once a second. Each is here before the server has made the next one.
    let (mut stream, _) = EventReader::open(nginx.address, &format!("symbols={SYMBOL}&channels=price"), gzip);
    let seqs: Vec<u64> = (0..4).map(|_| stream.until("price").data["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|two| two[1] == two[0] + 1), "one by one: {seqs:?}");
    drop(stream);

    // The server of the stream restarts: it says goodbye through nginx, and the other one goes on from the last id.
    let query = format!("symbols={SYMBOL}&channels=heatmap,liquidations&mode=delta");
    let (mut stream, _) = EventReader::open(nginx.address, &query, gzip);
    let mut events = Vec::new();
    while !events.iter().any(|event: &ServerSentEvent| event.name == "delta") {
        events.push(stream.event().unwrap());
    }
    let [first, second] = servers;
    let (stopped, _other) = if connections(&first) == 1 { (first, second) } else { (second, first) };
    stopped.signal("TERM");
    loop {
        let event = stream.event().expect("the goodbye comes before the end");
        if event.name == "close" {
            assert_eq!(event.data["code"], 1012);
            break;
        }
        events.push(event);
    }
    assert!(stream.event().is_none(), "nginx ends it with the server");
    assert_eq!(stopped.wait().code, Some(0));
    let last = events.iter().rev().find_map(|event| event.id.clone()).unwrap();
    let (mut stream, head) = EventReader::open(nginx.address, &query, &format!("last-event-id: {last}\r\n"));
    assert!(head.starts_with("http/1.1 200 ok\n"), "{head}");
    while events.iter().filter(|event| event.name == "liquidations").count() < 6 {
        events.push(stream.event().unwrap());
    }

    let of = |names: &[&str]| {
        let some = events.iter().filter(|event| names.contains(&&*event.name));
        some.map(|event| &event.data).collect::<Vec<_>>()
    };
    assert_eq!(of(&["snapshot"]).len(), 1, "the one at the beginning");
    let states = of(&["snapshot", "delta"]);
    assert!(states.windows(2).all(|two| two[1]["from"] == two[0]["seq"]), "nothing twice, nothing missing");
    for two in of(&["liquidations"]).windows(2) {
        assert_eq!((two[1].get("missed"), two[1].get("reset")), (None, None), "{}", two[1]);
        let rows = two[1]["data"].as_array().unwrap().len() as u64;
        assert_eq!(two[1]["seq"].as_u64().unwrap(), two[0]["seq"].as_u64().unwrap() + rows, "{}", two[1]);
    }
}

#[test]
fn a_canary_gets_its_share() {
    const CLIENTS: usize = 300;
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let (stable, canary) = (edge(&redis.url()).serve(), edge(&redis.url()).serve());
    let addresses = [stable.address(), canary.address()];
    agree(&[&stable, &canary]);
    let mut nginx = Nginx::before(addresses, ["weight=9", "weight=1"], producer.address());
    let share = |nginx: &Nginx| {
        let counts = nginx.spread(CLIENTS, [&stable, &canary]);
        counts[1] as f64 / CLIENTS as f64
    };
    let ten = share(&nginx);
    assert!((0.04..0.18).contains(&ten), "{ten}");
    nginx.reload(addresses, ["weight=1", "weight=1"]);
    let fifty = share(&nginx);
    assert!((0.38..0.62).contains(&fifty), "{fifty}");
    nginx.reload(addresses, ["down", "weight=1"]);
    assert_eq!(share(&nginx), 1.0, "all at the canary");
    // And back.
    nginx.reload(addresses, ["weight=1", "down"]);
    assert_eq!(share(&nginx), 0.0, "none at the canary");
}

/// The load client, which another package of the workspace builds.
fn bench_program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_liqheat")).with_file_name("liqheat-bench");
    assert!(path.is_file(), "there is no {}: cargo build --workspace --bins", path.display());
    path
}

/// As `scripts/load-cluster.sh` does it with thousands.
#[test]
fn both_servers_are_restarted_under_load_and_nobody_loses_anything() {
    const CLIENTS: usize = 60;
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let mut servers = [edge(&redis.url()).serve(), edge(&redis.url()).serve()];
    servers.iter().for_each(has_state);
    let addresses = [servers[0].address(), servers[1].address()];
    let nginx = Nginx::before(addresses, ["weight=1", "weight=1"], producer.address());
    let load = Program::at(bench_program())
        .args(&format!("deploy --connect {} --forwarded --clients {CLIENTS} --seconds 120", nginx.address))
        .start();
    load.wait_for_output("all clients have a state");
    for (number, address) in addresses.into_iter().enumerate() {
        until("all are here", || {
            (servers.each_ref().map(connections).iter().sum::<usize>() == CLIENTS).then_some(())
        });
        let [first, second] = servers;
        let (stopped, other) = if number == 0 { (first, second) } else { (second, first) };
        assert_eq!(stopped.terminate().code, Some(0));
        until("all are at the other one", || (connections(&other) == CLIENTS).then_some(()));
        let again = format!("serve --role edge --listen {address}");
        let again = node(&again, &redis.url()).serve();
        has_state(&again);
        servers = if number == 0 { [again, other] } else { [other, again] };
    }
    load.signal("INT");
    let done = load.wait();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("connections lost without a goodbye: 0; wrong states: 0"), "{}", done.out);
    for address in addresses {
        let line = done.out.lines().rev().find(|line| line.contains(&address.to_string()));
        let line = line.unwrap_or_else(|| panic!("{address} is not named: {}", done.out));
        assert!(line.contains("handshakes so far") && !line.contains(" 0 states"), "{line}");
    }
}

#[test]
fn sockets_can_be_switched_off_and_clients_poll_on() {
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let address = local(free_port());
    let server = node(&format!("serve --role edge --listen {address}"), &redis.url()).serve();
    has_state(&server);
    let addresses = [address, local(free_port())];
    let nginx = Nginx::before(addresses, ["weight=1", "down"], producer.address());
    let log = LoggedStates::default();
    let mut shadow = Shadow::new(SYMBOL, &log);
    assert!(shadow.connect(nginx.address, &[]));
    shadow.hear_until("differences", |shadow, _| shadow.deltas >= 2);
    let at = shadow.at().unwrap().clone();
    assert_eq!(server.terminate().code, Some(0));

    // The same server again, without sockets.
    let listen = format!("serve --role edge --ws-enabled false --listen {address}");
    let server = node(&listen, &redis.url()).serve();
    has_state(&server);
    let refused: Answer = until("sockets are refused", || {
        let answer = Viewer::connect(nginx.address, &[]).err()?;
        (answer.status == 503).then_some(answer)
    });
    assert!(refused.text().contains("WS_ENABLED=false"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    // Polling goes on from the very state the socket had, with a difference.
    let path = format!("/v1/heatmap?symbol=BTCUSDT&since={}:{}", at.epoch, at.seq);
    let polled: Value = until("a newer state", || {
        let answer = get_with(nginx.address, &path, &[]);
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!((polled["type"].as_str(), polled["from"].as_u64()), (Some("delta"), Some(at.seq)));
}
