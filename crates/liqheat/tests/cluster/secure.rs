//! Passwords and TLS, and that neither is ever shown; settings that cannot be meant.

use std::process::{Command, Stdio};

use liqheat_testkit::{Folder, Program, RunningProgram, free_port, repository, until};

use super::support::{
    Redis, agree, edge, goes_on, has_state, leads, maker, metric, node, ready, service, takes_over,
};

const PASSWORD: &str = "s3cret-of-redis";

#[track_caller]
fn keeps_the_secret(server: RunningProgram) {
    let metrics = server.get("/metrics").text();
    let (status, reason) = ready(&server);
    let done = server.terminate();
    for (place, text) in
        [("log", &done.err), ("output", &done.out), ("metrics", &metrics), ("/ready", &reason)]
    {
        assert!(!text.contains(PASSWORD), "the password is in the {place} ({status})");
    }
}

#[test]
fn a_password_is_used_and_never_shown() {
    let redis = Redis::start_with(&format!("--requirepass {PASSWORD}"));
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port);
    let producer = maker(&url).serve();
    leads(&producer);
    let server = edge(&url).serve();
    agree(&[&producer, &server]);
    server.wait_for_log("Redis connected");

    // Without it, and with a wrong one.
    for wrong in [redis.url(), format!("redis://:{PASSWORD}-not@127.0.0.1:{}", redis.port)] {
        let refused = edge(&wrong).serve();
        until("it says why", || {
            let (status, reason) = ready(&refused);
            let said = reason.to_ascii_uppercase();
            (status == 503 && (said.contains("AUTH") || said.contains("PASS"))).then_some(())
        });
        keeps_the_secret(refused);
    }
    // Nor in what is printed of settings, on request or by mistake.
    let printed = edge(&url).args("--print-config").run();
    assert!(printed.out.contains("redis_url is set, but not shown"), "{}", printed.out);
    let odd = edge(&format!("http://:{PASSWORD}@host")).run();
    assert_eq!(odd.code, Some(2));
    assert!(odd.err.contains("REDIS_URL"), "{}", odd.err);
    for text in [&printed.out, &printed.err, &odd.out, &odd.err] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    [producer, server].into_iter().for_each(keeps_the_secret);
}

/// The rights that the guide names are enough, for all that servers do: to make, to follow, to take over.
#[test]
fn a_user_with_the_rights_of_the_guide_is_enough() {
    let guide = include_str!("../../../../docs/multi_server_deployment.md");
    let (_, rights) = guide.split_once("ACL SETUSER liqheat ").unwrap();
    let rights = rights.lines().next().unwrap().replace("PASSWORD", PASSWORD);
    let redis = Redis::start();
    let mut words = vec!["acl", "setuser", "liqheat"];
    words.extend(rights.split_whitespace());
    assert_eq!(redis.command(&words), "OK");
    assert_eq!(redis.command(&["acl", "setuser", "default", "off"]), "OK");
    let url = format!("redis://liqheat:{PASSWORD}@127.0.0.1:{}", redis.port);
    let first = maker(&url).serve();
    leads(&first);
    let (second, server) = (maker(&url).serve(), edge(&url).serve());
    agree(&[&first, &second, &server]);
    first.terminate();
    takes_over(&second);
    goes_on(&server, &agree(&[&second, &server]));
    assert_eq!(metric(&second, "liqheat_redis_faults_total"), 0.0);
    [second, server].into_iter().for_each(keeps_the_secret);
}

/// An authority of the test's own, and what it signed for Redis and for its clients.
#[track_caller]
fn certificates() -> Folder {
    let folder = Folder::new();
    folder.put("names", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    let openssl = |arguments: &str| {
        let mut command = Command::new(service("openssl"));
        command.args(arguments.split_whitespace()).current_dir(folder.path("")).stdin(Stdio::null());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority"));
    for name in ["redis", "client"] {
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile names"
        ));
    }
    folder
}

#[test]
fn tls_with_certificates_on_both_sides() {
    let folder = certificates();
    let path = |name: &str| folder.path(name).display().to_string();
    let port = free_port();
    let redis = Redis::start_with(&format!(
        "--tls-port {port} --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {} --requirepass {PASSWORD}",
        path("redis.pem"),
        path("redis.key"),
        path("ca.pem")
    ));
    let url = format!("rediss://:{PASSWORD}@127.0.0.1:{port}");
    let known = |program: Program| {
        program
            .env("REDIS_CA", &path("ca.pem"))
            .env("REDIS_CERT", &path("client.pem"))
            .env("REDIS_KEY", &path("client.key"))
    };
    let producer = known(maker(&url)).serve();
    leads(&producer);
    let server = known(edge(&url)).serve();
    agree(&[&producer, &server]);
    let log = server.wait_for_log("Redis connected");
    assert!(log.contains("rediss://127.0.0.1"), "{log}");

    // An authority that is not known is not trusted.
    let stranger = edge(&url).serve();
    until("it says why", || {
        let (status, reason) = ready(&stranger);
        (status == 503 && reason.to_ascii_lowercase().contains("certificate")).then_some(())
    });
    [producer, server, stranger].into_iter().for_each(keeps_the_secret);
    drop(redis);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let refused = |program: Program, words: &[&str]| {
        let done = program.run();
        assert_eq!(done.code, Some(2), "{}{}", done.out, done.err);
        for word in words {
            assert!(done.err.contains(word), "'{word}' is not in {}", done.err);
        }
    };
    let off = Program::at(env!("CARGO_BIN_EXE_liqheat")).args("serve --role edge");
    refused(off, &["LIQHEAT_ROLE=edge", "REDIS_ENABLED=true"]);
    let url = "redis://127.0.0.1:1";
    refused(edge(url).env("REDIS_CHANNEL_PREFIX", "heat map"), &["REDIS_CHANNEL_PREFIX", "'heat map'"]);
    refused(edge(url).env("REDIS_CERT", "x.pem"), &["REDIS_CERT and REDIS_KEY go together"]);
    refused(edge("nonsense"), &["REDIS_URL", "redis://"]);
    let missing = edge("rediss://127.0.0.1:1").env("REDIS_CA", "/nowhere/ca.pem").run();
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/nowhere/ca.pem"), "{}", missing.err);
    let plain = edge(url).env("REDIS_CA", &repository().join("Cargo.toml").to_string_lossy()).run();
    assert_eq!(plain.code, Some(1));
    assert!(plain.err.contains("rediss://"), "{}", plain.err);
}

/// Two groups of servers share one Redis without hearing of each other; the names in it are those documented.
#[test]
fn prefixes_keep_groups_apart() {
    let redis = Redis::start();
    let group =
        |prefix: &str, arguments: &str| node(arguments, &redis.url()).env("REDIS_CHANNEL_PREFIX", prefix);
    let first = group("one", "demo --days 1 --speed 600").serve();
    let second = group("two", "demo --days 1 --speed 600 --seed 99").serve();
    [&first, &second].into_iter().for_each(leads);
    let edges = [group("one", "serve --role edge").serve(), group("two", "serve --role edge").serve()];
    edges.iter().for_each(has_state);
    let (one, two) = (agree(&[&first, &edges[0]]), agree(&[&second, &edges[1]]));
    assert_ne!(one.0, two.0);
    let mut keys: Vec<String> = redis.command(&["keys", "*"]).lines().map(str::to_owned).collect();
    keys.sort();
    let expected = ["BTCUSDT:state", "BTCUSDT@sim:state", "fence", "group", "lease", "symbols"];
    let of_both = |names: &[&str]| -> Vec<String> {
        ["one", "two"]
            .iter()
            .flat_map(|prefix| names.iter().map(move |name| format!("{prefix}:{name}")))
            .collect()
    };
    assert_eq!(keys, of_both(&expected));
    let mut channels: Vec<String> =
        redis.command(&["pubsub", "channels"]).lines().map(str::to_owned).collect();
    channels.sort();
    let expected = ["BTCUSDT", "BTCUSDT:channels", "BTCUSDT@sim", "BTCUSDT@sim:channels"];
    assert_eq!(channels, of_both(&expected));
}

/// A single node of a Redis Cluster, all slots its own: every name must then be in one slot, which braces see to.
#[test]
fn a_cluster_node_serves_when_the_prefix_is_in_braces() {
    let redis = Redis::start_with("--cluster-enabled yes --cluster-config-file nodes.conf");
    assert_eq!(redis.command(&["cluster", "addslotsrange", "0", "16383"]), "OK");
    until("the cluster is up", || {
        redis.command(&["cluster", "info"]).contains("cluster_state:ok").then_some(())
    });
    let group = |arguments: &str| node(arguments, &redis.url()).env("REDIS_CHANNEL_PREFIX", "{heatmap}");
    let producer = group("demo --days 1 --speed 600").serve();
    leads(&producer);
    let server = group("serve --role edge").serve();
    agree(&[&producer, &server]);
}

/// Three nodes with a third of the slots each: `REDIS_URL` names the one that has the slot of the prefix, and another one
/// says which that is.
#[test]
fn a_cluster_of_three_serves_at_the_node_of_the_slot() {
    let nodes = [(); 3].map(|()| Redis::start_with("--cluster-enabled yes --cluster-config-file nodes.conf"));
    let addresses = nodes.each_ref().map(|node| format!("127.0.0.1:{}", node.port));
    let mut create = vec!["--cluster", "create"];
    create.extend(addresses.iter().map(String::as_str));
    create.push("--cluster-yes");
    let created = nodes[0].command(&create);
    assert!(created.contains("All 16384 slots covered"), "{created}");
    until("the cluster is up", || {
        let is_up = |node: &Redis| node.command(&["cluster", "info"]).contains("cluster_state:ok");
        nodes.iter().all(is_up).then_some(())
    });
    let owner = nodes.iter().find(|node| node.command(&["get", "{heatmap}:lease"]).is_empty()).unwrap();
    let stranger = nodes.iter().find(|node| node.port != owner.port).unwrap();
    let group =
        |arguments: &str, node_url: &str| node(arguments, node_url).env("REDIS_CHANNEL_PREFIX", "{heatmap}");
    let producer = group("demo --days 1 --speed 600", &owner.url()).serve();
    leads(&producer);
    let server = group("serve --role edge", &owner.url()).serve();
    agree(&[&producer, &server]);

    let lost = group("serve --role edge", &stranger.url()).serve();
    until("it says where to go", || {
        let (status, reason) = ready(&lost);
        (status == 503 && reason.contains(&owner.port.to_string())).then_some(())
    });
}
