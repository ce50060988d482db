//! The lower half of the sort: counts of the keys of one bucket, those that share their upper half.

use super::limits::Side;

/// For each lower half of a bucket's keys, how often it came on each side; empty between buckets.
pub(super) struct Table {
    /// Negatives, positives.
    counts: Vec<[u64; 2]>,
    /// One bit for each count that is not zero: most of a bucket's keys never come.
    seen: Vec<u64>,
}

impl Table {
    /// A table for buckets of so many keys, a multiple of 64.
    pub(super) fn new(keys: usize) -> Self {
        Self { counts: vec![[0; 2]; keys], seen: vec![0; keys / 64] }
    }

    /// Counts `n` more of one key, whose lower half is less than the table's keys.
    pub(super) fn add(&mut self, low: u16, side: Side, n: u64) {
        let low = usize::from(low);
        self.counts[low][side as usize] += n;
        self.seen[low / 64] |= 1 << (low % 64);
    }

    /// Hands out what came, from the highest key down, and is empty again.
    pub(super) fn drain(&mut self, mut emit: impl FnMut(u16, u64, u64)) {
        for (word, seen) in self.seen.iter_mut().enumerate().rev() {
            while *seen != 0 {
                let bit = 63 - seen.leading_zeros();
                *seen ^= 1 << bit;
                let low = word * 64 + bit as usize;
                let [negatives, positives] = std::mem::take(&mut self.counts[low]);
                emit(low as u16, positives, negatives);
            }
        }
    }
}
