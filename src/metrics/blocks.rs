//! Keys in memory, and the upper half of the sort: blocks of one stratum each, grouped by upper 16 bits.
//!
//! A block and its copy fit into a core's cache together, so grouping one is a single quick pass of counting
//! sort, and the blocks share out among the cores. The lower half needs no sorting: [`super::table`] counts.

use super::key;
use rayon::prelude::*;

/// Keys of a full block: 1 MiB.
const BLOCK: usize = 1 << 18;
/// From here on, a pass over 2¹⁶ counters is cheaper than comparing.
const COMPARED: usize = 1 << 12;

/// How many scores of a stratum, and how many of those are NaN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) nan: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { count: self.count + other.count, nan: self.nan + other.nan }
    }
}

struct Block {
    stratum: u16,
    keys: Vec<u32>,
}

/// The keys held in memory.
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// For each stratum the block that is being filled, if any.
    open: Vec<Option<usize>>,
    tallies: Vec<Tally>,
    held: usize,
}

/// What is left of a block in a walk from its highest keys down.
pub(super) struct Cursor<'a> {
    pub(super) stratum: u16,
    keys: &'a [u32],
}

impl Blocks {
    pub(super) fn new(strata: usize) -> Self {
        let (open, tallies) = (vec![None; strata], vec![Tally::default(); strata]);
        Self { blocks: Vec::new(), open, tallies, held: 0 }
    }

    /// How many keys there are.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// Adds values to a stratum, which exists.
    pub(super) fn append<T: Copy>(&mut self, stratum: u16, mut values: &[T], key: impl Fn(T) -> u32) {
        let tally = &mut self.tallies[usize::from(stratum)];
        tally.count += values.len() as u64;
        self.held += values.len();
        let open = &mut self.open[usize::from(stratum)];
        while !values.is_empty() {
            let index = match *open {
                Some(index) if self.blocks[index].keys.len() < BLOCK => index,
                _ => {
                    self.blocks.push(Block { stratum, keys: Vec::new() });
                    self.blocks.len() - 1
                }
            };
            *open = Some(index);
            let keys = &mut self.blocks[index].keys;
            let before = keys.len();
            let (now, later) = values.split_at(values.len().min(BLOCK - before));
            keys.extend(now.iter().map(|value| key(*value)));
            tally.nan += keys[before..].iter().filter(|key| **key == key::NAN).count() as u64;
            values = later;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.open.len());
    }

    /// Every stratum's keys, a block at a time.
    pub(super) fn keys(&self) -> impl Iterator<Item = (u16, &[u32])> {
        self.blocks.iter().map(|block| (block.stratum, block.keys.as_slice()))
    }

    /// A walk over the chosen strata, those of one stratum side by side.
    pub(super) fn walk(&mut self, chosen: impl Fn(u16) -> bool) -> Vec<Cursor<'_>> {
        let blocks = self.blocks.par_iter_mut();
        blocks.for_each_init(Scratch::default, |scratch, block| group(&mut block.keys, scratch));
        let chosen = self.blocks.iter().filter(|block| chosen(block.stratum));
        let mut walk: Vec<_> =
            chosen.map(|block| Cursor { stratum: block.stratum, keys: &block.keys }).collect();
        walk.sort_by_key(|cursor| cursor.stratum);
        walk
    }
}

impl<'a> Cursor<'a> {
    /// The upper half of the highest keys left.
    pub(super) fn bucket(&self) -> Option<u16> {
        self.keys.first().map(|key| upper(*key))
    }

    /// Takes those of that upper half, in no order.
    pub(super) fn take(&mut self, bucket: u16) -> &'a [u32] {
        let end = self.keys.iter().position(|key| upper(*key) != bucket).unwrap_or(self.keys.len());
        let (taken, left) = self.keys.split_at(end);
        self.keys = left;
        taken
    }
}

/// A core's memory for one block.
#[derive(Default)]
struct Scratch {
    keys: Vec<u32>,
    /// For each upper half, where its next key goes.
    next: Vec<u32>,
}

fn upper(key: u32) -> u16 {
    (key >> 16) as u16
}

/// Brings keys into descending order of their upper halves.
fn group(keys: &mut [u32], scratch: &mut Scratch) {
    if keys.is_sorted_by(|a, b| upper(*a) >= upper(*b)) {
        return; // also what an earlier walk has left
    }
    if keys.len() < COMPARED {
        return keys.sort_unstable_by(|a, b| b.cmp(a));
    }
    let Scratch { keys: copy, next } = scratch;
    copy.clear();
    copy.extend_from_slice(keys);
    next.clear();
    next.resize(1 << 16, 0);
    for key in copy.iter() {
        next[usize::from(upper(*key))] += 1;
    }
    let mut before = 0;
    for next in next.iter_mut().rev() {
        before += std::mem::replace(next, before);
    }
    for key in copy.iter() {
        let next = &mut next[usize::from(upper(*key))];
        keys[*next as usize] = *key;
        *next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping_orders_the_upper_halves_and_loses_nothing() {
        for length in [0, 1, 2, COMPARED - 1, COMPARED, 3 * COMPARED] {
            let mut keys: Vec<u32> = (0..length as u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
            let mut expected = keys.clone();
            group(&mut keys, &mut Scratch::default());
            assert!(keys.is_sorted_by(|a, b| upper(*a) >= upper(*b)));
            keys.sort_unstable();
            expected.sort_unstable();
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn a_full_block_is_followed_by_another() {
        let mut blocks = Blocks::new(2);
        let values: Vec<u32> = (0..BLOCK as u32 + 5).collect();
        for _ in 0..2 {
            blocks.append(1, &values[..3], |v| v);
            blocks.append(1, &values[3..], |v| v);
            blocks.append(0, &[key::NAN], |v| v);
            assert_eq!((blocks.held(), blocks.blocks.len()), (BLOCK + 6, 3));
            assert_eq!(blocks.tallies()[1], Tally { count: BLOCK as u64 + 5, nan: 0 });
            assert_eq!(blocks.tallies()[0], Tally { count: 1, nan: 1 });
            let walk = blocks.walk(|_| true);
            assert_eq!(
                walk.iter().map(|c| (c.stratum, c.keys.len())).collect::<Vec<_>>(),
                [(0, 1), (1, BLOCK), (1, 5)]
            );
            blocks.clear();
            assert_eq!((blocks.held(), blocks.blocks.len(), blocks.tallies()[1].count), (0, 0, 0));
        }
    }
}
