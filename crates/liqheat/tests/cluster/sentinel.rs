//! A real Sentinel that makes a replica the master when the master dies, and a forwarder to whichever is the master,
//! as the guide says to do it: `REDIS_URL` is the forwarder.

use std::net::{SocketAddr, TcpListener, TcpStream};

use liqheat_testkit::{Folder, LoggedStates, Program, RunningProgram, free_port, until};

use super::support::{
    Redis, Watcher, agree, board, edge, leads, local, maker, metric, pass, redis_command, service,
};

const MASTER: &str = "heat";

struct Sentinel {
    port: u16,
    _folder: Folder,
    _running: RunningProgram,
}

impl Sentinel {
    /// One that decides alone, and soon.
    #[track_caller]
    fn over(master: &Redis) -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let config = format!(
            "port {port}
bind 127.0.0.1
dir {}
sentinel monitor {MASTER} 127.0.0.1 {} 1
sentinel down-after-milliseconds {MASTER} 1000
sentinel failover-timeout {MASTER} 5000
",
            folder.path("").display(),
            master.port
        );
        let path = folder.put("sentinel.conf", config);
        let running = Program::at(service("redis-server")).arg(path).args("--sentinel").start();
        running.wait_for_output("Sentinel ID is");
        let sentinel = Self { port, _folder: folder, _running: running };
        until("the replica is known", || {
            sentinel.command(&["sentinel", "replicas", MASTER]).contains("slave-priority").then_some(())
        });
        sentinel
    }

    fn command(&self, words: &[&str]) -> String {
        redis_command(self.port, words)
    }
}

/// Who the master is by a Sentinel at this port.
fn master(sentinel: u16) -> Option<SocketAddr> {
    let reply = redis_command(sentinel, &["sentinel", "get-master-addr-by-name", MASTER]);
    let port = reply.lines().nth(1)?.trim().parse().ok()?;
    Some(local(port))
}

/// Where the master is, whichever that is; who cannot be led there is hung up on.
#[track_caller]
fn forwarder(sentinel: u16) -> SocketAddr {
    let listener = TcpListener::bind(local(0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for from in listener.incoming().map_while(Result::ok) {
            let Some(Ok(to)) = master(sentinel).map(TcpStream::connect) else { continue };
            pass(from.try_clone().unwrap(), to.try_clone().unwrap(), |_| true);
            pass(to, from, |_| true);
        }
    });
    address
}

#[test]
fn a_replica_that_sentinel_makes_the_master_carries_on() {
    let mut first = Redis::start();
    let replica = Redis::start_with(&format!("--replicaof 127.0.0.1 {}", first.port));
    until("the replica is in step", || {
        replica.command(&["info", "replication"]).contains("master_link_status:up").then_some(())
    });
    let sentinel = Sentinel::over(&first);
    let url = format!("redis://{}", forwarder(sentinel.port));
    let log = LoggedStates::default();
    let producer = maker(&url).serve();
    leads(&producer);
    let edge = edge(&url).serve();
    agree(&[&producer, &edge]);
    let watcher = Watcher::start(&[producer.address(), edge.address()], &log);

    first.kill();
    until("Sentinel has another master", || (master(sentinel.port)? == local(replica.port)).then_some(()));
    until("the producer is led there", || {
        (replica.command(&["get", "heatmap:lease"]).len() > 1
            && metric(&producer, "liqheat_redis_connected") == 1.0)
            .then_some(())
    });
    let before = agree(&[&producer, &edge]);
    until("states go on at both", || {
        let (made, heard) = (board(&producer)?, board(&edge)?);
        (made.0 == heard.0 && heard != before).then_some(())
    });
    assert!(metric(&edge, "liqheat_redis_faults_total") >= 1.0);
    // The watcher looked at every state on the way: none had a name that another one had.
    watcher.end();
}
