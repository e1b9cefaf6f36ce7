/// A small 64-bit hash (FNV-1a) for fingerprints, checksums and state hashes. Not for adversaries: it tells apart what
/// differs by accident.
pub struct Fnv64(u64);

impl Fnv64 {
    /// The hash of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Takes in all bits of a number: 0 and -0 differ.
    pub fn number(&mut self, value: f64) {
        self.bytes(&value.to_bits().to_le_bytes());
    }

    /// Takes in an integer.
    pub fn integer(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    /// The hash of what was taken in.
    #[must_use]
    pub const fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for Fnv64 {
    fn default() -> Self {
        Self::new()
    }
}
