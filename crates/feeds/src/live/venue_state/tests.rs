use liqheat_market::{Price, Qty, Side, Symbol, Taker, Trade, UnixMs, Venue};

use super::*;
use crate::live::connection::{ConnectionEvent, StreamSignal};
use crate::live::listing::ListedContracts;
use crate::venues::{ListedContract, OrderReport, Underlying, contract_named, exchange};

const NOW: UnixMs = UnixMs(1_748_131_200_000);
const SUPERVISOR: SupervisorIndex = SupervisorIndex(0);

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn reading(seconds: i64) -> ClockReading {
    ClockReading { local: NOW.plus(seconds * 1_000), uptime: Uptime(seconds * 1_000) }
}

fn listed(rows: &[(&str, Qty)]) -> ListedContracts {
    let row = |(name, size): &(&str, Qty)| {
        let row = ListedContract { name: (*name).to_owned(), size: *size, underlying: Underlying::Coin };
        ((*name).to_owned(), Ok(row))
    };
    rows.iter().map(row).collect()
}

/// Binance with these contracts listed and connected by one supervisor.
fn venue(names: &[&str]) -> (VenueState, Vec<ContractIndex>) {
    let exchange = exchange(Venue::Binance).unwrap();
    let settings = VenueStateSettings {
        exchange,
        limits: exchange.limits.clone(),
        wanted: names.iter().map(|name| contract_named(&symbol(name), name)).collect(),
        listing_interval: Duration::from_secs(3_600),
        policy: BackfillPolicy {
            klines: Duration::from_secs(600),
            open_interest: Duration::from_secs(600),
            trades_max: 100,
            budget_share: 0.5,
        },
        resume: BTreeMap::new(),
    };
    let mut venue = VenueState::new(settings, Uptime(0));
    let rows: Vec<(&str, Qty)> = names.iter().map(|name| (*name, Qty::ONE)).collect();
    let commands = venue.on_list(Some(&listed(&rows)), reading(0));
    let [VenueCommand::Connect(contracts)] = &commands[..] else { panic!("{commands:?}") };
    let contracts = contracts.clone();
    assert_eq!(contracts.len(), names.len());
    venue.on_assigned(SUPERVISOR, &contracts);
    venue.on_connection_event(ConnectionEvent::Opened { supervisor: SUPERVISOR }, Uptime(0));
    (venue, contracts)
}

fn hear(venue: &mut VenueState, connection: u64, seconds: i64, signals: Vec<StreamSignal>) {
    let received = reading(seconds);
    let event = ConnectionEvent::Frames { connection, received, frames: 1, signals };
    venue.on_connection_event(event, received.uptime);
}

/// Everything that is delivered, gaps in words.
fn delivered(venue: &mut VenueState, seconds: i64) -> (Vec<Event>, Vec<String>) {
    venue.on_tick(reading(seconds));
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    for delivery in venue.deliveries() {
        match delivery {
            Delivery::Events { events: more, .. } => events.extend(more),
            Delivery::Gap(gap) => gaps.push(format!("{} {}", gap.instrument, gap.reason)),
            Delivery::Filled { .. } => {}
        }
    }
    (events, gaps)
}

fn trade(contract: ContractIndex, id: i64, price: i64, seconds: i64) -> StreamSignal {
    let time = NOW.plus(seconds * 1_000);
    let (price, qty, taker) = (Price::from_units(price), Qty::ONE, Taker::Buy);
    let event = Event::Trade(Trade { id, time, price, qty, taker });
    StreamSignal::Event { contract, event, sent: Some(time) }
}

#[test]
fn a_contract_that_is_no_longer_listed_is_left_and_taken_up_again() {
    let (mut venue, contracts) = venue(&["BTCUSDT", "ETHUSDT"]);
    let commands = venue.on_list(Some(&listed(&[("BTCUSDT", Qty::ONE)])), reading(3_600));
    let [VenueCommand::Reassign { supervisor: SUPERVISOR, remaining, handover: Handover::Overlapping }] =
        &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(remaining[..], contracts[..1]);
    assert_eq!(venue.followed().len(), 1);

    let both = listed(&[("BTCUSDT", Qty::ONE), ("ETHUSDT", Qty::ONE)]);
    let commands = venue.on_list(Some(&both), reading(7_200));
    let [VenueCommand::Connect(again)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(again[..], contracts[1..]);
    assert_eq!(venue.followed().len(), 2);
}

#[test]
fn a_contract_of_another_size_is_subscribed_again_at_once() {
    let (mut venue, contracts) = venue(&["BTCUSDT"]);
    let tenfold = Qty::from_units(Qty::ONE.units() * 10);
    let commands = venue.on_list(Some(&listed(&[("BTCUSDT", tenfold)])), reading(3_600));
    let [VenueCommand::Reassign { remaining, handover: Handover::Immediate, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(remaining[..], contracts[..]);
    assert_eq!(venue.contract(contracts[0]).size, tenfold);
}

#[test]
fn an_order_that_fills_over_a_change_of_connections_is_one_liquidation() {
    let (mut venue, contracts) = venue(&["BTCUSDT"]);
    let report = |filled: i128, seconds: i64| {
        let report = OrderReport {
            side: Side::Long,
            size: Qty::from_units(10),
            limit: Price::from_units(6_000_000),
            filled: Qty::from_units(filled),
            average: Price::from_units(6_000_000),
            is_open: filled < 10,
            time: NOW.plus(seconds * 1_000),
        };
        StreamSignal::Order { contract: contracts[0], report, sent: None }
    };
    hear(&mut venue, 1, 1, vec![report(4, 1)]);
    hear(&mut venue, 2, 2, vec![report(10, 2)]);
    hear(&mut venue, 1, 2, vec![report(10, 2)]);
    let (events, _) = delivered(&mut venue, 3);
    let parts = events.iter().map(|event| match event {
        Event::Liquidation(liquidation) => liquidation.qty.units(),
        other => panic!("{other:?}"),
    });
    assert_eq!(parts.collect::<Vec<_>>(), [4, 6]);
}

#[test]
fn one_absurd_trade_among_good_ones_costs_itself() {
    let (mut venue, contracts) = venue(&["BTCUSDT", "ETHUSDT"]);
    let [btc, eth] = contracts[..] else { panic!("{contracts:?}") };
    hear(&mut venue, 1, 1, vec![trade(btc, 1, 6_000_000, 1), trade(eth, 1, 300_000, 1)]);
    let absurd = trade(btc, 2, 6_000_000_000, 2);
    let of_tomorrow = trade(eth, 2, 300_000, 86_400);
    hear(&mut venue, 1, 2, vec![absurd, of_tomorrow, trade(btc, 3, 6_000_100, 2), trade(eth, 3, 300_010, 2)]);
    hear(&mut venue, 2, 2, vec![trade(btc, 3, 6_000_100, 2)]);
    let (events, _) = delivered(&mut venue, 3);
    let mut ids: Vec<(i64, i64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Trade(trade) => Some((trade.id, trade.price.units())),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [(1, 300_000), (1, 6_000_000), (3, 300_010), (3, 6_000_100)]);
}

#[test]
fn a_venue_that_cannot_be_reached_follows_nothing_and_asks_again() {
    let (mut venue, _) = venue(&["BTCUSDT"]);
    let asks = |venue: &mut VenueState, seconds: i64| {
        venue.on_tick(reading(seconds)).iter().any(|command| matches!(command, VenueCommand::ListContracts))
    };
    assert!(asks(&mut venue, 1));
    assert!(!asks(&mut venue, 2), "one request at a time");
    venue.on_unreachable("no route to host".to_owned(), Uptime(3_000));
    assert!(!asks(&mut venue, 4), "not at once");
    assert!(asks(&mut venue, 3_600));
}
