//! Conversions between numbers where something may be lost: each name says what becomes of a fraction, a sign, or a value that does
//! not fit. A plain `as` is refused by the lints; conversions that cannot lose anything use `From`.

use std::time::Duration;

/// A whole number of 64 bits or more.
pub trait WholeNumber: Copy {
    /// See [`approx_f64`].
    fn approx_f64(self) -> f64;
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {$(
        impl WholeNumber for $number {
            #[inline]
            #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest double is what is asked for")]
            fn approx_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

whole_numbers!(i64 u64 usize i128 u128);

/// The nearest `f64`, exact up to 2^53 and off by less than one part in 2^53 beyond.
#[inline]
pub fn approx_f64(number: impl WholeNumber) -> f64 {
    number.approx_f64()
}

/// Drops the fraction. A value that does not fit becomes the nearest that does, NaN becomes 0.
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, as the name's documentation says"
)]
pub const fn trunc_u64(number: f64) -> u64 {
    number as u64
}

/// As [`trunc_u64`].
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate, as the documentation says")]
pub const fn trunc_i64(number: f64) -> i64 {
    number as i64
}

/// As [`trunc_u64`].
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, as the documentation says"
)]
pub const fn trunc_usize(number: f64) -> usize {
    number as usize
}

/// As [`trunc_u64`].
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, as the documentation says"
)]
pub const fn trunc_u32(number: f64) -> u32 {
    number as u32
}

/// As [`trunc_u64`].
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, as the documentation says"
)]
pub const fn trunc_u8(number: f64) -> u8 {
    number as u8
}

/// The nearest `f32`; infinite beyond its range.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "rounding to 24 bits is what is asked for")]
pub const fn nearest_f32(number: f64) -> f32 {
    number as f32
}

/// Rounds half away from zero; then as [`trunc_u64`].
#[inline]
#[must_use]
pub fn round_u64(number: f64) -> u64 {
    trunc_u64(number.round())
}

/// A length or an index of something in memory, which is never above `isize::MAX`.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_wrap, reason = "no object in memory is larger than isize::MAX bytes")]
pub const fn signed_len(length: usize) -> i64 {
    length as i64
}

/// An index or a number of elements; a negative one becomes 0.
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sign is handled, and indices of what is in memory fit"
)]
pub const fn unsigned_len(length: i64) -> usize {
    if length < 0 { 0 } else { length as usize }
}

/// A number of bytes or elements; what is larger than the address space becomes `usize::MAX`.
#[inline]
#[must_use]
pub fn saturating_len(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// A count of things of which there are never four billion; saturates.
#[inline]
#[must_use]
pub fn count_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The bits of a number as two numbers of 64 bits, the lower half first.
#[inline]
#[must_use]
pub const fn split_i128(number: i128) -> [i64; 2] {
    const LOW: u128 = u64::MAX as u128;
    let bits = number.cast_unsigned();
    [((bits & LOW) as u64).cast_signed(), ((bits >> 64) as u64).cast_signed()]
}

/// Whole milliseconds; saturates after 584 million years.
#[inline]
#[must_use]
pub fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whole milliseconds for arithmetic with times; saturates after 292 million years.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is handled")]
pub const fn signed_ms(time: Duration) -> i64 {
    let ms = time.as_millis();
    if ms > i64::MAX as u128 { i64::MAX } else { ms as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_becomes_the_nearest_that_does() {
        assert_eq!([-1.5, -0.5, 0.9, 1e30, f64::NAN].map(trunc_u64), [0, 0, 0, u64::MAX, 0]);
        assert_eq!([-1.5, 0.9, -1e30, 1e30, f64::NAN].map(trunc_i64), [-1, 0, i64::MIN, i64::MAX, 0]);
        assert_eq!([-7.0, 7.9, f64::INFINITY].map(trunc_usize), [0, 7, usize::MAX]);
        assert_eq!([0.5, 1.5, 2.4, -3.0].map(round_u64), [1, 2, 2, 0]);
        assert_eq!([-1, 0, 7].map(unsigned_len), [0, 0, 7]);
        assert_eq!((whole_ms(Duration::MAX), signed_ms(Duration::MAX)), (u64::MAX, i64::MAX));
        assert_eq!((trunc_u8(300.0), trunc_u32(-1.0), nearest_f32(1e300)), (u8::MAX, 0, f32::INFINITY));
        assert_eq!((count_u32(7), count_u32(usize::MAX)), (7, u32::MAX));
        assert_eq!((split_i128(-2), split_i128((5 << 64) + 7)), ([-2, -1], [7, 5]));
        assert_eq!((signed_ms(Duration::from_micros(1_999)), saturating_len(9)), (1, 9));
    }

    #[test]
    fn whole_numbers_become_the_nearest_double() {
        assert_eq!(approx_f64(i64::MAX), 9_223_372_036_854_775_808.0);
        assert_eq!(approx_f64((1_u64 << 53) + 1), 9_007_199_254_740_992.0);
        assert_eq!((approx_f64(-7_i128), approx_f64(7_usize)), (-7.0, 7.0));
    }
}
