use super::*;
use crate::live::clock::ClockReading;
use crate::live::venue_clock::VenueClock;
use crate::venues::exchange;

const SUPERVISOR: SupervisorIndex = SupervisorIndex(0);

/// Binance's, with one contract at one supervisor.
fn health() -> (Health, ContractIndex) {
    let mut health =
        Health::new(Venue::Binance, exchange(Venue::Binance).unwrap().limits.clone(), Vec::new());
    let contract = health.add(Symbol::new("BTCUSDT").unwrap());
    health.assign(SUPERVISOR, &[contract]);
    (health, contract)
}

fn at(seconds: i64) -> Uptime {
    Uptime(seconds * 1_000)
}

fn message(contract: ContractIndex, stream: StreamKind, seconds: i64) -> StreamMessage {
    let (lag_ms, as_of) = (None, None);
    StreamMessage { contract, stream, received: at(seconds), lag_ms, as_of, is_new: true }
}

fn around(seconds: i64, local: UnixMs) -> StatusContext {
    let now = ClockReading { local, uptime: at(seconds) };
    StatusContext { now, market_now: local, weight_used: 0, paused_until: None, is_filling: false }
}

#[test]
fn a_stream_that_brought_nothing_is_silent_since_other_data_came() {
    let (mut health, contract) = health();
    let state = |health: &Health, stream, seconds| health.state_of(contract, stream, at(seconds));
    assert_eq!(state(&health, StreamKind::Trades, 0), SourceState::Connecting);
    health.on_opened(SUPERVISOR);
    assert_eq!(state(&health, StreamKind::Trades, 0), SourceState::Connecting);
    health.on_proved(SUPERVISOR, at(0));
    health.on_proved(SUPERVISOR, at(60));
    // Trades may be absent for two minutes, closed klines come once in one; open interest is requested.
    assert_eq!(state(&health, StreamKind::Trades, 119), SourceState::Live);
    assert_eq!(state(&health, StreamKind::Klines, 119), SourceState::Live);
    assert_eq!(state(&health, StreamKind::OpenInterest, 119), SourceState::Connecting);
    assert_eq!(state(&health, StreamKind::Trades, 121), SourceState::Stale);
    health.on_message(message(contract, StreamKind::Trades, 121));
    assert_eq!(state(&health, StreamKind::Trades, 122), SourceState::Live);
    health.on_lost(SUPERVISOR, "cut".to_owned(), RemainingConnections::None);
    assert_eq!(state(&health, StreamKind::Klines, 122), SourceState::Down);
}

#[test]
fn a_local_clock_that_is_stepped_makes_no_stream_stale() {
    let (mut health, contract) = health();
    health.on_proved(SUPERVISOR, at(0));
    for stream in [StreamKind::Mark, StreamKind::Klines, StreamKind::Trades] {
        health.on_message(message(contract, stream, 10));
    }
    let clock = VenueClock::default();
    let local = UnixMs(1_763_942_400_000);
    let status = health.next_status(&clock, around(11, local)).unwrap();
    assert_eq!(status.state, SourceState::Live);
    let back = health.next_status(&clock, around(12, local.plus(-7_200_000))).unwrap();
    assert_eq!(back.state, SourceState::Live);
    assert_eq!(back.streams[0].heard, Some(local.plus(-7_202_000)), "two seconds ago, on the new clock");
}

#[test]
fn a_silent_stream_is_advised_about_once_a_minute_unless_reading_had_to_wait() {
    let (mut health, contract) = health();
    health.on_proved(SUPERVISOR, at(0));
    for second in 0..400 {
        health.on_message(message(contract, StreamKind::Mark, second));
        health.on_message(message(contract, StreamKind::Klines, second));
    }
    assert_eq!(health.replacements(at(240)), []);
    let advice = health.replacements(at(241));
    assert_eq!(advice[0].1, "trades of BTCUSDT are silent while others are not");
    assert_eq!(health.replacements(at(300)), []);
    assert_eq!(health.replacements(at(301)).len(), 1);
    health.on_backpressure(at(360));
    assert_eq!(health.replacements(at(399)), [], "nothing was read before");
}

#[test]
fn a_venue_that_cannot_be_asked_is_down_before_anything_is_followed() {
    let wanted = vec![Symbol::new("BTCUSDT").unwrap()];
    let mut health = Health::new(Venue::Okx, exchange(Venue::Okx).unwrap().limits.clone(), wanted);
    let clock = VenueClock::default();
    let status = health.next_status(&clock, around(0, UnixMs(0))).unwrap();
    assert_eq!(status.state, SourceState::Connecting);
    health.on_unreachable("no route".to_owned());
    let status = health.next_status(&clock, around(0, UnixMs(0))).unwrap();
    assert_eq!((status.state, status.trouble.as_deref()), (SourceState::Down, Some("no route")));
    assert_eq!(status.streams.len(), StreamKind::ALL.len());
    assert!(status.streams.iter().all(|stream| stream.state == SourceState::Down), "{status:?}");
    assert_eq!(health.next_status(&clock, around(0, UnixMs(0))), None, "nothing changed");
}
