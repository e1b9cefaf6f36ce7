use liqheat_wire::{Mode, Position};

use super::*;
use crate::cursor::Cursor;
use crate::frame;
use crate::frames::FrameForm;
use crate::metrics::Encoding;

#[test]
fn polling_shares_the_frames_of_sockets_and_says_the_same() {
    let slot = BoardSlot::new(
        "BTCUSDT".into(),
        &StreamMetrics::default(),
        &WakeSignals::new(),
        (&"r".into(), &Arc::default()),
    );
    let at = Price::from_units;
    let state = |long_usd| BoardUpdate {
        epoch: "e".into(),
        cells: vec![liqheat_wire::Cell { price: at(10), long_usd, short_usd: 0 }],
        price: at(20),
        base_bin: at(10),
        as_of: UnixMs(long_usd as i64),
        counters: crate::Counters::default(),
    };
    assert!(slot.message_since(None, &View::default(), Encoding::Json).is_none(), "no state yet");
    slot.publish(state(1));
    slot.publish(state(2));
    let poll = |seq: Option<u64>| {
        let position = seq.map(|seq| Position { epoch: "e".into(), seq });
        slot.message_since(position.as_ref(), &View::default(), Encoding::Json).unwrap()
    };
    let form = FrameForm {
        view: View::default(),
        mode: Mode::Delta,
        encoding: Encoding::Json,
        deflate: false,
        has_id: false,
    };
    for seq in [None, Some(1)] {
        let first = poll(seq);
        let from = seq.map(|seq| Cursor { epoch: Arc::from("e"), seq });
        let socket = slot.next_state(&form, from.as_ref()).unwrap();
        assert_eq!(frame::payload(&socket.frame.bytes), first.body);
        let second = poll(seq);
        assert_eq!(second.body.as_ptr(), first.body.as_ptr(), "made once");
        assert_eq!((second.hash, second.up_to_date), (first.hash, false));
    }
    assert!(poll(Some(2)).up_to_date);
    slot.publish(state(3));
    let message: serde_json::Value = serde_json::from_slice(&poll(None).body).unwrap();
    assert_eq!(
        (message["seq"].as_u64(), message["data"]["levels"][0]["long_density"].as_u64()),
        (Some(3), Some(3))
    );
}

#[test]
fn different_views_are_limited_and_given_back() {
    let slot = BoardSlot::new(
        "BTCUSDT".into(),
        &StreamMetrics::default(),
        &WakeSignals::new(),
        (&"r".into(), &Arc::default()),
    );
    let view =
        |low| View { price_range: Some((Price::from_units(low), Price::from_units(1_000))), bin: None };
    for low in 0..BoardSlot::VIEWS_MAX as i64 {
        assert_eq!(slot.open_view(view(low)), Ok(()));
    }
    assert_eq!(slot.open_view(view(3)), Ok(()), "many may share one");
    assert_eq!(slot.open_view(View::default()), Ok(()), "the whole is always there");
    let refused = slot.open_view(view(999)).unwrap_err();
    assert!(refused.to_string().contains("256 different ways"), "{refused}");
    slot.close_view(view(3));
    assert!(slot.open_view(view(999)).is_err(), "somebody else still looks at it");
    slot.close_view(view(3));
    assert_eq!(slot.open_view(view(999)), Ok(()));
}
