//! Commands of clients: any text is a command or an answer, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_wire::{ClientCommand, SYMBOLS_PER_MESSAGE_MAX, parse_command};

fuzz_target!(|text: &str| {
    match parse_command(text) {
        Ok(ClientCommand::Subscribe(subscribe)) => {
            assert!((1..=SYMBOLS_PER_MESSAGE_MAX).contains(&subscribe.symbols.len()));
            assert!(subscribe.update_interval_s.is_none_or(f64::is_finite));
            assert!(subscribe.price_range.is_none_or(|(low, high)| low < high));
            assert!(subscribe.bin.is_none_or(|bin| bin.is_positive()));
        }
        Ok(_) => {}
        Err(error) => assert!(!error.message.is_empty()),
    }
});
