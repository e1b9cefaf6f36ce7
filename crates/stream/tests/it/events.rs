//! Server-sent events, from the client's side.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use liqheat_stream::{Connection, Encoding, EventStream, parse_event_id, serve_events};
use liqheat_wire::{Channel, Mode, Subscribe};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, settings, until};

/// An event as a browser reads it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: Option<Value>,
    retry: Option<u64>,
}

struct Reader(Option<BufReader<TcpStream>>);

impl Reader {
    async fn open(world: &World, subscribe: Subscribe, last_id: Option<&str>) -> Self {
        let address = world.listener.local_addr().unwrap();
        let client = tokio::task::spawn_blocking(move || TcpStream::connect(address).unwrap());
        let (stream, peer) = world.listener.accept().await.unwrap();
        let places = EventStream::places(&subscribe).len();
        let positions = last_id.map(|id| parse_event_id(id, places).unwrap()).unwrap_or_default();
        let connection = Connection { encoding: Encoding::Events, ..Connection::plain(peer.ip()) };
        let events = EventStream { head: Bytes::from_static(b"HEAD\r\n\r\n"), subscribe, positions };
        let place = world.sessions.reserve().unwrap();
        world.sessions.spawn(serve_events(Arc::clone(&world.sessions), place, stream, connection, events));
        let client = client.await.unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = Self(Some(BufReader::new(client)));
        assert_eq!(reader.line().await.as_deref(), Some("HEAD"));
        assert_eq!(reader.line().await.as_deref(), Some(""));
        reader
    }

    /// `None` at the end.
    async fn line(&mut self) -> Option<String> {
        let mut stream = self.0.take().unwrap();
        let (stream, line) = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let count = stream.read_line(&mut line).unwrap();
            (stream, (count > 0).then(|| line.trim_end().to_owned()))
        })
        .await
        .unwrap();
        self.0 = Some(stream);
        line
    }

    /// The next event; `None` at the end.
    async fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.line().await?;
            let field = line.split_once(": ").map(|(name, value)| (name, value.to_owned()));
            match field {
                Some(("event", name)) => event.name = name,
                Some(("id", id)) => event.id = Some(id),
                Some(("data", data)) => event.data = Some(serde_json::from_str(&data).unwrap()),
                Some(("retry", after)) => event.retry = Some(after.parse().unwrap()),
                _ if line.is_empty() && event != Event::default() => return Some(event),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_a_message_with_its_position() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 5, 0), (101, 1, 0), (102, 1, 0)], 120);
    let subscribe = Subscribe { mode: Mode::Delta, ..Subscribe::to(vec!["BTCUSDT".to_owned()]) };
    let mut reader = Reader::open(&world, subscribe.clone(), None).await;
    let first = reader.event().await.unwrap();
    assert_eq!((first.name.as_str(), first.id.as_deref()), ("snapshot", Some("e1:1")));
    assert_eq!(first.data.unwrap()["data"]["levels"][0]["long_density"], 5);
    world.publish("BTCUSDT", &[(100, 6, 0), (101, 1, 0), (102, 1, 0)], 120);
    let second = reader.event().await.unwrap();
    assert_eq!((second.name.as_str(), second.id.as_deref()), ("delta", Some("e1:2")));
    drop(reader);
    world.publish("BTCUSDT", &[(100, 7, 0), (101, 1, 0), (102, 1, 0)], 120);
    let mut again = Reader::open(&world, subscribe, second.id.as_deref()).await;
    let resumed = again.event().await.unwrap();
    assert_eq!((resumed.name.as_str(), resumed.id.as_deref()), ("delta", Some("e1:3")));
    world.end().await;
    // Goodbye, when to come back, and the end.
    let retry = again.event().await.unwrap();
    assert!(retry.retry.is_some_and(|after| after <= 5_000), "{retry:?}");
    let goaway = again.event().await.unwrap();
    assert_eq!(
        (goaway.name.as_str(), &goaway.data.unwrap()["reason"]),
        ("goaway", &json!("server restarts"))
    );
    let close = again.event().await.unwrap();
    assert_eq!((close.name.as_str(), &close.data.unwrap()["code"]), ("close", &json!(1012)));
    assert_eq!(again.event().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_several_channels_has_all_positions_in_its_ids() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    world.publish("ETHUSDT", &[(10, 5, 0)], 12);
    world.liquidate("BTCUSDT", &[]);
    let subscribe = Subscribe {
        channels: vec!["heatmap".to_owned(), "liquidations".to_owned()],
        ..Subscribe::to(vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()])
    };
    let mut reader = Reader::open(&world, subscribe.clone(), None).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let event = reader.event().await.unwrap();
        ids.push((event.name, event.id.unwrap()));
    }
    let epoch = ids[2].1.split(',').nth(1).unwrap().trim_end_matches(":0").to_owned();
    let expected = [
        ("snapshot", "e1:1,-,-,-".to_owned()),
        ("snapshot", "e1:1,-,e1:1,-".to_owned()),
        ("liquidations", format!("e1:1,{epoch}:0,e1:1,-")),
    ];
    assert_eq!(ids, expected.map(|(name, id)| (name.to_owned(), id)));
    drop(reader);
    world.liquidate("BTCUSDT", &[30]);
    world.publish("ETHUSDT", &[(10, 6, 0)], 12);
    let mut again = Reader::open(&world, subscribe, Some(&ids[2].1)).await;
    // What it has is not sent again; a status says that it is current.
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = again.event().await.unwrap();
        seen.push((event.name, event.id));
    }
    seen.sort();
    let of = |name: &str, id: Option<String>| (name.to_owned(), id);
    assert!(seen.contains(&of("status", None)), "{seen:?}");
    assert!(
        seen.iter().any(|(name, id)| name == "liquidations"
            && id.as_ref().is_some_and(|id| id.contains(&format!("{epoch}:1")))),
        "{seen:?}"
    );
    assert!(
        seen.iter().any(|(name, id)| name == "snapshot" && id.as_ref().is_some_and(|id| id.contains("e1:2"))),
        "{seen:?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_events_that_hangs_up_is_gone() {
    let world = World::new(settings()).await;
    world.put("BTCUSDT", Channel::Price, 1);
    let subscribe =
        Subscribe { channels: vec!["price".to_owned()], ..Subscribe::to(vec!["BTCUSDT".to_owned()]) };
    let mut reader = Reader::open(&world, subscribe, None).await;
    assert_eq!(reader.event().await.unwrap().name, "price");
    let slot = world.hub.slot("BTCUSDT").unwrap();
    assert_eq!(slot.channel_subscriptions(Channel::Price), 1);
    drop(reader);
    until("the session ends", || slot.channel_subscriptions(Channel::Price) == 0).await;
    world.end().await;
}
