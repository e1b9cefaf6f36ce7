//! Any text as lines of a recording, played: no line is too odd, and the counts are those of what came out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::raw::{Player, RawRecord};

fuzz_target!(|bytes: &[u8]| {
    let mut player = Player::new();
    let mut events = Vec::new();
    let mut taken = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Ok(record) = RawRecord::parse(line) else { continue };
        player.take(&record, &mut events);
        taken += 1;
    }
    let counts = player.counts();
    assert_eq!(counts.records, taken);
    assert_eq!(counts.events, events.len() as u64);
});
