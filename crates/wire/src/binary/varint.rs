//! Unsigned numbers of one to ten bytes, seven bits a byte, the lowest first (LEB128), in the shortest form.

use super::DecodeError;

/// Appends a number.
pub fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

/// Takes a number below 2^53 from the front: larger ones cannot be held by every client.
///
/// # Errors
/// When there is none, or it is not in the form that is written.
pub fn take_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    const EXACT_MAX: u64 = 1 << 53;
    let mut n = 0u64;
    for place in 0..8 {
        let (byte, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        *bytes = rest;
        n |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            if *byte == 0 && place > 0 {
                return Err(DecodeError::Malformed("a number is longer than it needs to be"));
            }
            return if n < EXACT_MAX { Ok(n) } else { Err(DecodeError::TooLarge) };
        }
    }
    Err(DecodeError::TooLarge)
}
