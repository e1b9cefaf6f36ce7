//! Every venue as a stand-in on this machine, with a made-up market by the wall clock: live markets without the
//! internet, for a look at `serve`, `record` and `doctor`, and for staging.
//!
//! ```sh
//! cargo run -p liqheat-testkit --example exchanges > venues.env      # hours of the past [6] and of the future [4] may follow
//! set -a; . ./venues.env; set +a                                     # in another shell
//! liqheat serve --symbols BTCUSDT,ETHUSDT
//! ```

#![allow(clippy::disallowed_methods, reason = "an example runs real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "a tool for developers")]

use std::time::{Duration, SystemTime};

use liqheat_market::{UnixMs, Venue};
use liqheat_testkit::exchange::{ExchangeServer, Market, MarketShape, Time, protocol};

const SYMBOLS: [(&str, i64); 2] = [("BTCUSDT", 60_000), ("ETHUSDT", 3_000)];

fn main() {
    let mut arguments =
        std::env::args().skip(1).map(|text| text.parse::<i64>().expect("hours, a whole number"));
    let (past, future) = (arguments.next().unwrap_or(6), arguments.next().unwrap_or(4));
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = i64::try_from(since.as_millis()).unwrap();
    let from = UnixMs(now - now % 60_000 - past * 3_600_000);
    let market = |venue: u64| {
        SYMBOLS.iter().zip(0..).fold(Market::default(), |market, ((symbol, price), number)| {
            let made = MarketShape::new(from, (past + future) * 60);
            market.with_made(
                symbol,
                &MarketShape { price: *price, seed: 10 * venue + number, liquidation_every: 3, ..made },
            )
        })
    };
    let time = Time { start: UnixMs(now), speed: 1.0 };
    let venues: Vec<(Venue, ExchangeServer)> = Venue::ALL
        .into_iter()
        .zip(1..)
        .filter_map(|(venue, number)| {
            Some((venue, ExchangeServer::start_boxed(protocol(venue)?, market(number), time)))
        })
        .collect();
    let urls: Vec<String> = venues
        .iter()
        .map(|(venue, server)| format!("{venue}={},{venue}={}", server.socket_base(), server.rest_base()))
        .collect();
    println!("LIQHEAT_VENUE_URL={}", urls.join(","));
    eprintln!("exchanges: {past} hours of the past are there, {future} are to come; Ctrl-C ends it");
    std::thread::sleep(Duration::from_secs(u64::try_from(future).unwrap() * 3_600));
}
