//! A Redis of the test's own, servers around it, and clients that watch all the while.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use liqheat_testkit::{
    Folder, LoggedStates, Program, RunningProgram, Shadow, ViewerMessage, free_port, until,
};

pub(crate) const SYMBOL: &str = "BTCUSDT";

/// The path of a program that `scripts/setup-services.sh` installs.
#[track_caller]
pub(crate) fn service(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name} on this machine: run scripts/setup-services.sh"))
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A redis-server that keeps nothing on disk.
pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: Folder,
    more: String,
    running: Option<RunningProgram>,
}

impl Redis {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    #[track_caller]
    pub(crate) fn start_with(more: &str) -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let mut redis = Self { port, folder, more: more.to_owned(), running: None };
        redis.again();
        redis
    }

    /// Starts it again, at the same place, empty.
    #[track_caller]
    pub(crate) fn again(&mut self) {
        let program = Program::at(service("redis-server"))
            .args(&format!("--port {} --bind 127.0.0.1 --appendonly no --dir", self.port))
            .arg(self.folder.path(""))
            .args("--save")
            .arg("")
            .args(&self.more);
        let running = program.start();
        running.wait_for_output("Ready to accept connections");
        self.running = Some(running);
    }

    /// kill -9.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        self.running.as_ref().unwrap().signal(name);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// One command, as `redis-cli` has it.
    #[track_caller]
    pub(crate) fn command(&self, words: &[&str]) -> String {
        redis_command(self.port, words)
    }
}

/// One command to whoever listens there, as `redis-cli` has it.
#[track_caller]
pub(crate) fn redis_command(port: u16, words: &[&str]) -> String {
    let mut client = Command::new(service("redis-cli"));
    client.args(["-p", &port.to_string()]).args(words).stdin(Stdio::null());
    String::from_utf8(client.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// A server that shares its states.
pub(crate) fn node(arguments: &str, url: &str) -> Program {
    let (command, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    Program::at(env!("CARGO_BIN_EXE_liqheat"))
        .args(command)
        .args("--log-format json --ws-update-interval 0.25")
        .args("--ws-status-interval 1 --ws-drain-window 0.5")
        .args("--ws-max-connections-per-address 1000 --ws-max-new-connections-per-minute 100000")
        .args(rest)
        .env("LIQHEAT_LISTEN", "127.0.0.1:0")
        .env("REDIS_ENABLED", "true")
        .env("REDIS_URL", url)
        .env("LIQHEAT_LOG", "info,liqheat_cluster=debug")
}

/// A server with moving states: the simulated market, fast.
pub(crate) fn maker(url: &str) -> Program {
    node("demo --days 1 --speed 600", url)
}

pub(crate) fn edge(url: &str) -> Program {
    node("serve --role edge", url)
}

/// The board of a server: epoch, seq, hash.
pub(crate) fn board(server: &RunningProgram) -> Option<(String, u64, String)> {
    let stats = server.get("/ws/stats").json();
    let board = &stats["boards"][SYMBOL];
    Some((board["epoch"].as_str()?.to_owned(), board["seq"].as_u64()?, board["hash"].as_str()?.to_owned()))
}

/// How the data of a server stands.
pub(crate) fn standing(server: &RunningProgram) -> String {
    server.get("/ws/stats").json()["boards"][SYMBOL]["state"].as_str().unwrap_or("none").to_owned()
}

/// A number of `GET /metrics`, by the beginning of its line.
#[track_caller]
pub(crate) fn metric(server: &RunningProgram, name: &str) -> f64 {
    let text = server.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// Waits until the server has a state.
#[track_caller]
pub(crate) fn has_state(server: &RunningProgram) {
    until("a state", || board(server));
}

/// Waits until a server is the producer.
#[track_caller]
pub(crate) fn leads(server: &RunningProgram) {
    until("the lease", || (metric(server, "liqheat_redis_lease_holder") == 1.0).then_some(()));
}

/// Waits until a server is the producer, after another one was.
#[track_caller]
pub(crate) fn takes_over(server: &RunningProgram) {
    leads(server);
    let line = server.wait_for_log("epoch taken over");
    // The board follows when Redis has confirmed.
    until("the epoch is on its board", || line.contains(&board(server)?.0).then_some(()));
}

/// Waits until all servers are at the same state, which may move meanwhile.
#[track_caller]
pub(crate) fn agree(servers: &[&RunningProgram]) -> (String, u64, String) {
    until("all servers at one state", || {
        let first = board(servers[0])?;
        let same = servers[1..].iter().all(|server| board(server).as_ref() == Some(&first));
        same.then_some(first)
    })
}

/// Waits until a server has newer states of the run it was in.
#[track_caller]
pub(crate) fn goes_on(server: &RunningProgram, from: &(String, u64, String)) {
    until("the run goes on", || {
        let now = board(server)?;
        (now.0 == from.0 && now.1 > from.1 + 3).then_some(())
    });
}

/// A producer, one that follows it with another market, and an edge; all at one state.
#[track_caller]
pub(crate) fn three(redis: &Redis) -> [RunningProgram; 3] {
    let first = maker(&redis.url()).serve();
    leads(&first);
    let second = maker(&redis.url()).args("--seed 99").serve();
    let edge = edge(&redis.url()).serve();
    agree(&[&first, &second, &edge]);
    [first, second, edge]
}

#[track_caller]
pub(crate) fn ready(server: &RunningProgram) -> (u16, String) {
    let answer = server.get("/ready");
    (answer.status, answer.text())
}

/// A client, connected.
#[track_caller]
pub(crate) fn client(server: &RunningProgram, log: &LoggedStates) -> Shadow {
    let mut shadow = Shadow::new(SYMBOL, log);
    assert!(shadow.connect(server.address(), &[]));
    shadow
}

/// A client on a thread of its own, which comes back whenever it is thrown out, to the next of its servers.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    received: Arc<Mutex<WatchReport>>,
    thread: JoinHandle<()>,
}

/// What a watcher received.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchReport {
    pub(crate) snapshots: u64,
    pub(crate) deltas: u64,
    /// States of the feed, without repetitions in a row.
    pub(crate) standings: Vec<String>,
}

impl Watcher {
    pub(crate) fn start(servers: &[SocketAddr], log: &LoggedStates) -> Self {
        let (stop, received) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(WatchReport::default())));
        let (servers, mut shadow) = (servers.to_vec(), Shadow::new(SYMBOL, log));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&received));
        let thread = std::thread::spawn(move || {
            let mut next = servers.iter().cycle();
            shadow.connect(*next.next().unwrap(), &[]);
            while !stopped.load(Ordering::Relaxed) {
                match shadow.listen(Duration::from_millis(100)) {
                    ViewerMessage::Gone => {
                        // A server that is dead refuses at once.
                        std::thread::park_timeout(Duration::from_millis(50));
                        shadow.connect(*next.next().unwrap(), &[]);
                    }
                    ViewerMessage::Message(message) => {
                        let mut received = shared.lock().unwrap();
                        (received.snapshots, received.deltas) = (shadow.snapshots, shadow.deltas);
                        if message["type"] == "status" {
                            let standing = message["state"].as_str().unwrap_or("").to_owned();
                            if received.standings.last() != Some(&standing) {
                                received.standings.push(standing);
                            }
                        }
                    }
                    _ => {}
                }
            }
        });
        Self { stop, received, thread }
    }

    /// Ends it once it has received what is asked for; panics with what it found wrong.
    #[track_caller]
    pub(crate) fn end_when(self, what: &str, is_there: impl Fn(&WatchReport) -> bool) -> WatchReport {
        until(what, || {
            let received = self.received.lock().map(|received| received.clone());
            // What it found wrong is the answer, not that nothing more comes.
            let failed = self.thread.is_finished() || received.is_err();
            (failed || received.is_ok_and(|received| is_there(&received))).then_some(())
        });
        self.end()
    }

    /// Ends it with what it has received so far; panics with what it found wrong.
    #[track_caller]
    pub(crate) fn end(self) -> WatchReport {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.received.lock().unwrap().clone()
    }
}

/// Several days of a made-up market in a database, and copies of it.
#[track_caller]
pub(crate) fn databases(days: i64, copies: usize) -> (Folder, Vec<PathBuf>) {
    let folder = crate::market::folder(days);
    let db = folder.path("market.duckdb");
    let load =
        Program::at(env!("CARGO_BIN_EXE_liqheat")).args("ingest --db").arg(&db).arg(folder.path("archive"));
    let done = load.run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let copy = |number: usize| {
        let to = folder.path(&format!("copy-{number}.duckdb"));
        std::fs::copy(&db, &to).unwrap();
        to
    };
    let paths = (0..copies).map(copy).collect();
    (folder, paths)
}

/// A server over a file.
pub(crate) fn over(arguments: &str, db: &Path, url: &str) -> Program {
    node(arguments, url).args("--db").arg(db)
}

/// Passes bytes on, on a thread of its own, until one side ends or `passes` says that they are lost.
pub(crate) fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    mut passes: impl FnMut(&[u8]) -> bool + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(length) = from.read(&mut bytes) {
            if length == 0 || passes(&bytes[..length]) && to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
