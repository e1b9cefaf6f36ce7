//! From the producer's publication through Redis to the board of an edge, and on to an edge's client.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use liqheat_market::convert::approx_f64;
use tokio_util::sync::CancellationToken;

use super::http::HttpClient;
use super::program::Program;
use super::{SETTLE, pause};
use crate::cli::ContractArgs;
use crate::fanout::child::Process;
use liqheat::terminal::say;

/// p95 from the publication to the edge's board.
const LIMIT_SECONDS: f64 = 0.01;
const METRIC: &str = "liqheat_redis_lag_seconds";
const HTTP_BYTES_MAX: usize = 4 << 20;

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    // Four publications a second.
    let seconds = arguments.seconds.max(Duration::from_secs(20));
    say!("redis: a producer, redis-server and an edge; a state every 0.25 s for {seconds:?}");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
        .arg(port.to_string())
        .stdout(Stdio::null());
    let _redis = Process::start(&mut command).context("install it with scripts/setup-services.sh")?;
    let shared = format!("--redis-enabled true --redis-url redis://127.0.0.1:{port}");
    let _producer =
        Program::start(&format!("demo --days 1 --speed 600 --ws-update-interval 0.25 {shared}")).await?;
    let edge = Program::start(&format!("serve --role edge {shared}")).await?;
    pause(SETTLE, stop).await;
    let before = lag(&edge).await?;
    pause(seconds, stop).await;
    let after = lag(&edge).await?;
    let buckets: Vec<(f64, u64)> = after
        .iter()
        .zip(&before)
        .map(|(after, before)| (after.0, after.1.saturating_sub(before.1)))
        .collect();
    let publications = buckets.last().map_or(0, |last| last.1);
    anyhow::ensure!(publications > 0, "the edge got no publication");
    let mut line = String::new();
    for share in [0.5, 0.95, 0.99] {
        write!(line, "  p{} at most {} ms", share * 100.0, quantile(&buckets, share) * 1e3)?;
    }
    say!("publications: {publications};{line}");
    let p95 = quantile(&buckets, 0.95);
    let ok = super::print_verdict(
        "p95 from publication to the edge's board, at most",
        p95 * 1e3,
        LIMIT_SECONDS * 1e3,
        " ms",
    );
    Ok(ok && !stop.is_cancelled())
}

/// The buckets of the edge's own histogram: upper bounds in seconds with cumulative counts.
async fn lag(edge: &Program) -> anyhow::Result<Vec<(f64, u64)>> {
    let mut client = HttpClient::connect(edge.address).await?;
    let answer = client.get("/metrics", None).await?;
    anyhow::ensure!(answer.status == 200 && client.body().len() < HTTP_BYTES_MAX, "no metrics");
    let buckets = buckets(std::str::from_utf8(client.body())?);
    anyhow::ensure!(!buckets.is_empty(), "no {METRIC} in /metrics");
    Ok(buckets)
}

fn buckets(text: &str) -> Vec<(f64, u64)> {
    let bucket = |line: &str| {
        let rest = line.strip_prefix(METRIC)?.strip_prefix("_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
        Some((bound, count.trim().parse().ok()?))
    };
    text.lines().filter_map(bucket).collect()
}

/// The upper bound of the bucket that holds a quantile.
fn quantile(buckets: &[(f64, u64)], share: f64) -> f64 {
    let wanted = buckets.last().map_or(0.0, |last| approx_f64(last.1) * share);
    buckets.iter().find(|bucket| approx_f64(bucket.1) >= wanted).map_or(f64::INFINITY, |bucket| bucket.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_read_off_buckets() {
        let text = "# TYPE liqheat_redis_lag_seconds histogram\n\
            liqheat_redis_lag_seconds_sum 1.0\n\
            liqheat_redis_lag_seconds_bucket{le=\"0.001\"} 90\n\
            liqheat_redis_lag_seconds_bucket{le=\"0.01\"} 99\n\
            liqheat_redis_lag_seconds_bucket{le=\"+Inf\"} 100\n";
        let buckets = buckets(text);
        assert_eq!(buckets.len(), 3);
        assert_eq!(quantile(&buckets, 0.5), 0.001);
        assert_eq!(quantile(&buckets, 0.95), 0.01);
        assert_eq!(quantile(&buckets, 1.0), f64::INFINITY);
    }
}
