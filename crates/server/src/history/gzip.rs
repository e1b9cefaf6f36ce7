//! Bodies that are compressed once for all who ask, instead of once for each.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::is_coding_accepted;

/// What HTTP calls it.
pub(crate) const CODING: &str = "gzip";

/// A body in gzip. The usual level takes two thirds of the space of the fastest one, and the time is spent once.
#[must_use]
pub fn pack(body: &[u8]) -> Vec<u8> {
    pack_at(body, Compression::default())
}

fn pack_at(body: &[u8], level: Compression) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 8), level);
    // Writing into memory cannot fail.
    let _ = packer.write_all(body);
    packer.finish().unwrap_or_default()
}

/// A body of one answer in gzip, at the fastest level: half the size costs more than the time it saves.
pub(crate) fn pack_fast(body: &[u8]) -> Vec<u8> {
    pack_at(body, Compression::fast())
}

/// Whether a list of `Accept-Encoding` allows it.
pub(crate) fn is_accepted(list: &str) -> bool {
    is_coding_accepted(list, CODING)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let body: Vec<u8> = (0..100_000u32).map(|n| (n / 900) as u8).collect();
        let packed = pack(&body);
        assert!(packed.len() * 10 < body.len(), "{}", packed.len());
        let mut back = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
    }
}
