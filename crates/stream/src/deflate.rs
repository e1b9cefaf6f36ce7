//! permessage-deflate (RFC 7692) without context takeover on either side: every message is compressed by
//! itself, so a compressed frame, too, is made once and shared, and one compressor a thread serves everybody.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use liqheat_market::convert::saturating_len;

/// Below this many bytes compression costs more than it saves.
const BYTES_MIN: usize = 256;
/// What a sync flush ends with; it is skipped on the wire (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

thread_local! {
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(6), false));
    static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Why a compressed message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// Larger than the limit once inflated.
    #[error("message larger than the limit")]
    TooBig,
    /// Not deflate.
    #[error("compressed message is malformed")]
    Malformed,
}

/// The compressed payload of a message; `None` where it would not be smaller.
#[must_use]
pub fn deflate(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < BYTES_MIN {
        return None;
    }
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        // A message that does not fit into its own size is better sent plain.
        let mut out = Vec::with_capacity(payload.len());
        let status = compress.compress_vec(payload, &mut out, FlushCompress::Sync).ok()?;
        let complete = status == Status::Ok && compress.total_in() == payload.len() as u64;
        if !complete || !out.ends_with(&TAIL) {
            return None;
        }
        out.truncate(out.len() - TAIL.len());
        out.shrink_to_fit();
        Some(out)
    })
}

/// Bytes as a block that is not compressed and is followed by others (RFC 1951, 3.2.4).
pub(crate) fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("invariant: one block");
    let mut block = vec![0];
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(&(!length).to_le_bytes());
    block.extend_from_slice(bytes);
    block
}

/// The payload of a compressed message.
///
/// # Errors
/// When the bytes are not deflate, or give more than `bytes_max`.
pub fn inflate(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    const STEP: usize = 4 * 1_024;
    DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(false);
        let mut out = Vec::new();
        for part in [compressed, &TAIL[..]] {
            let mut rest = part;
            loop {
                out.reserve(STEP);
                let (taken, made) = (decompress.total_in(), decompress.total_out());
                let status = decompress
                    .decompress_vec(rest, &mut out, FlushDecompress::Sync)
                    .map_err(|_| InflateError::Malformed)?;
                if out.len() > bytes_max {
                    return Err(InflateError::TooBig);
                }
                let taken = saturating_len(decompress.total_in() - taken);
                let nothing_moved = taken == 0 && decompress.total_out() == made;
                rest = &rest[taken..];
                // The stream may end inside a message (a final block); what follows it is of no meaning here.
                if status == Status::StreamEnd {
                    return Ok(out);
                }
                if nothing_moved || rest.is_empty() && out.len() < out.capacity() {
                    break;
                }
            }
            if !rest.is_empty() {
                return Err(InflateError::Malformed);
            }
        }
        Ok(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7692 section 7.2.3.
    #[test]
    fn the_examples_of_the_rfc() {
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(&hello, 100), Ok(b"Hello".to_vec()));
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(inflate(&stored, 100), Ok(b"Hello".to_vec()));
        let with_final_block = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(inflate(&with_final_block, 100), Ok(b"Hello".to_vec()));
        let two_blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(&two_blocks, 100), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = deflate(&vec![b'x'; 10_000_000]).unwrap();
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        assert_eq!(inflate(&bomb, 65_536), Err(InflateError::TooBig));
        let fits = deflate(&vec![b'x'; 65_536]).unwrap();
        assert_eq!(inflate(&fits, 65_536).unwrap().len(), 65_536);
        assert_eq!(inflate(&fits, 65_535), Err(InflateError::TooBig));
    }

    #[test]
    fn a_payload_that_would_not_get_smaller_is_not_compressed() {
        assert_eq!(deflate(&[b'x'; BYTES_MIN - 1]), None, "too short to be worth it");
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(4_096).collect();
        assert_eq!(deflate(&noise), None);
        let half: Vec<u8> = noise.iter().copied().take(2_048).chain([b'x'; 2_048]).collect();
        assert!(deflate(&half).is_some_and(|out| out.len() < half.len()));
    }

    #[test]
    fn a_broken_message_does_not_hurt_the_next() {
        assert_eq!(inflate(&[0x07, 0xFF], 100), Err(InflateError::Malformed));
        let again = deflate("again ".repeat(100).as_bytes()).unwrap();
        assert_eq!(inflate(&again, 1_000).unwrap(), "again ".repeat(100).as_bytes());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(words in prop::collection::vec("[a-e]{1,8}", 60..400)) {
            let text = words.join("\",\"").into_bytes();
            let out = deflate(&text);
            if text.len() < BYTES_MIN {
                prop_assert_eq!(out, None);
            } else {
                let out = out.expect("five letters and separators get smaller");
                prop_assert!(out.len() < text.len());
                prop_assert_eq!(inflate(&out, text.len()).unwrap(), text);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), most in 0usize..2_000) {
            if let Ok(out) = inflate(&bytes, most) {
                prop_assert!(out.len() <= most);
            }
        }
    }
}
