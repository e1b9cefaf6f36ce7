//! The picture of 30 days as the page asks for it: bytes on the wire in every layout of the compact form, from the
//! released program over a year of bars.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use liqheat_market::convert::approx_f64;
use liqheat_wire::GridLayout;

use super::data::Year;
use super::start::Server;
use super::timed;
use liqheat::terminal::say;

const PATH: &str = "/v1/heatmap/history?symbol=BTCUSDT&range=30d&columns=1000";
const BYTES_MAX: u32 = 270_000;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(year: &Year, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("picture.duckdb");
    year.store(&file)?;
    let server = Server::start(&file)?;
    server.wait_for_snapshot()?;
    say!("30 days as the page asks for them, bytes: {PATH}");
    for (what, path) in
        [("two planes", PATH.to_owned()), ("with a plane a leverage class", format!("{PATH}&by=leverage"))]
    {
        let plain = get(&server.address, &path, GridLayout::ColumnMajor, "identity")?;
        let first = get(&server.address, &path, GridLayout::ColumnMajor, "gzip")?;
        let second = get(&server.address, &path, GridLayout::PriceMajor, "gzip")?;
        let (third, took) = timed(|| get(&server.address, &path, GridLayout::Predicted, "gzip"));
        let (plain, first, second, third) = (plain.len(), first.len(), second.len(), third?.len());
        let share = approx_f64(third) / f64::from(BYTES_MAX);
        say!(
            "{what:<30} plain {plain:>9}   gzip: LQG1 {first:>9}   LQG2 {second:>9}   LQG3 {third:>9}   {share:.2} of the limit of {BYTES_MAX}   computed in {:.0} ms",
            took.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

/// The body of an answer, as it is on the wire.
fn get(address: &str, path: &str, layout: GridLayout, coding: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {}\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n",
        layout.content_type()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("an answer without a head")?;
    let body = answer.split_off(end + 4);
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&body));
    Ok(body)
}
