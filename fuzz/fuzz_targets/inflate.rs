//! Compressed payloads: any bytes, with a hard limit on what comes out; and what we compress comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_stream::{deflate, inflate};

fuzz_target!(|input: (u16, &[u8])| {
    let (most, bytes) = (usize::from(input.0), input.1);
    if let Ok(out) = inflate(bytes, most) {
        assert!(out.len() <= most);
    }
    if let Some(small) = deflate(bytes) {
        assert!(small.len() < bytes.len());
        assert_eq!(inflate(&small, bytes.len()).as_deref(), Ok(bytes));
    }
});
