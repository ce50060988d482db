//! Scores as integers of the same order: −∞ is 0, then every f32 in turn, +∞, and NaN above all.

use std::num::NonZeroU32;

/// +∞'s distance from 0, in steps from one f32 to the next; −∞'s as well.
const INFINITY: u32 = f32::INFINITY.to_bits();

/// The key of NaN, the most anomalous score; also the number of keys below it.
pub(super) const NAN: u32 = 2 * INFINITY + 1;

/// A score's key. −0.0 and 0.0 share one, and all NaN do.
#[inline(always)]
pub(crate) fn key(score: f32) -> u32 {
    let steps = score.to_bits() & !(1 << 31);
    let key =
        if score.is_sign_negative() { INFINITY.wrapping_sub(steps) } else { INFINITY.wrapping_add(steps) };
    if score.is_nan() { NAN } else { key }
}

/// The score of a key.
pub(crate) fn score(key: u32) -> f32 {
    match key {
        NAN.. => f32::NAN,
        INFINITY.. => f32::from_bits(key - INFINITY),
        _ => -f32::from_bits(INFINITY - key),
    }
}

/// The largest score below a key: the threshold that those from this key on are above. Below NaN that is +∞;
/// below −∞ there is none.
pub(super) fn strictly_below(key: u32) -> Option<f32> {
    key.checked_sub(1).map(score)
}

/// The bin of a key where so many of equal width cover −∞ to +∞; NaN has the one after the last to itself.
#[inline(always)]
pub(super) fn bin(key: u32, bins: NonZeroU32) -> u32 {
    // At most `bins`, since no key is above NAN.
    (u64::from(key) * u64::from(bins.get()) / u64::from(NAN)) as u32
}

/// The smallest key of a bin (or, where that bin has none, of those above it).
pub(super) fn lowest_of_bin(bin: u32, bins: NonZeroU32) -> u32 {
    (u64::from(bin) * u64::from(NAN)).div_ceil(u64::from(bins.get())) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_and_the_zeros() {
        assert_eq!(key(f32::NEG_INFINITY), 0);
        assert_eq!((key(0.0), key(-0.0)), (INFINITY, INFINITY));
        assert_eq!(key(f32::INFINITY) + 1, NAN);
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(u32::MAX)] {
            assert_eq!(key(nan), NAN);
        }
        assert_eq!(strictly_below(NAN), Some(f32::INFINITY));
        assert_eq!(strictly_below(key(0.0)), Some(0.0f32.next_down()));
        assert_eq!(strictly_below(0), None);
    }

    proptest! {
        #[test]
        fn the_order_of_keys_is_that_of_scores(a: u32, b: u32) {
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            prop_assert_eq!(a.partial_cmp(&b).is_some(), !a.is_nan() && !b.is_nan());
            if let Some(order) = a.partial_cmp(&b) {
                prop_assert_eq!(key(a).cmp(&key(b)), order);
                prop_assert_eq!(score(key(a)), a);
                prop_assert!(key(a) < key(f32::NAN));
            }
            if !a.is_nan() {
                prop_assert_eq!(strictly_below(key(a)), (a > f32::NEG_INFINITY).then(|| a.next_down()));
            }
        }

        #[test]
        fn every_key_is_in_the_bin_whose_edges_it_is_between(k in 0..=NAN, bins in 2u32..) {
            let bins = NonZeroU32::new(bins).unwrap();
            let b = bin(k, bins);
            prop_assert!(lowest_of_bin(b, bins) <= k);
            prop_assert!(b == bins.get() || k < lowest_of_bin(b + 1, bins));
            prop_assert_eq!(b == bins.get(), k == NAN);
        }
    }
}
