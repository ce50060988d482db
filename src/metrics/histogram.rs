//! Counts in bins over the order of all f32: for rankings that need no sort, no disk and no range in advance.

use super::blocks::Tally;
use super::curve::Group;
use super::error::RankingError;
use super::key;
use super::limits::Side;
use super::run::{Head, read_u32, read_u64};
use super::sealed::{Reader, Writer};
use super::table::Table;
use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;

/// Bins that come into being together: few where a stratum's scores are alike.
const PAGE: usize = 1 << 10;

type Page = Box<[u64; PAGE]>;

/// The store of quick rankings.
pub(super) struct Histogram {
    bins: NonZeroU32,
    /// For each stratum its bins from the lowest up, page by page; without a page they are empty.
    pages: Vec<Vec<Option<Page>>>,
    tallies: Vec<Tally>,
}

impl Histogram {
    pub(super) fn new(strata: usize, bins: NonZeroU32) -> Self {
        Self { bins, pages: vec![Vec::new(); strata], tallies: vec![Tally::default(); strata] }
    }

    pub(super) fn bins(&self) -> u32 {
        self.bins.get()
    }

    /// Of a stratum, which exists.
    pub(super) fn tally(&self, stratum: usize) -> Tally {
        self.tallies[stratum]
    }

    /// Adds scores to a stratum, which exists.
    pub(super) fn append(&mut self, stratum: u16, scores: &[f32]) {
        let tally = &mut self.tallies[usize::from(stratum)];
        tally.count += scores.len() as u64;
        let pages = &mut self.pages[usize::from(stratum)];
        for score in scores {
            let key = key::key(*score);
            tally.nan += u64::from(key == key::NAN);
            let bin = key::bin(key, self.bins) as usize;
            page(pages, bin / PAGE)[bin % PAGE] += 1;
        }
    }

    /// Adds another histogram of as many strata and bins.
    pub(super) fn merge(&mut self, other: &Self) {
        self.tallies.iter_mut().zip(&other.tallies).for_each(|(ours, theirs)| *ours = *ours + *theirs);
        for (ours, theirs) in self.pages.iter_mut().zip(&other.pages) {
            for (index, counts) in theirs.iter().enumerate() {
                if let Some(counts) = counts {
                    page(ours, index).iter_mut().zip(counts.iter()).for_each(|(sum, n)| *sum += n);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.pages.iter_mut().flatten().flatten().for_each(|page| page.fill(0));
        self.tallies.fill(Tally::default());
    }

    /// Hands out the chosen strata's bins that are not empty, from the highest down.
    pub(super) fn descend(&self, sides: &[Option<Side>], mut emit: impl FnMut(Group)) {
        let mut table = Table::new(PAGE);
        let pages = self.pages.iter().map(Vec::len).max().unwrap_or(0);
        for index in (0..pages).rev() {
            for (pages, side) in self.pages.iter().zip(sides) {
                if let (Some(Some(page)), Some(side)) = (pages.get(index), side) {
                    let filled = page.iter().enumerate().filter(|(_, n)| **n > 0);
                    filled.for_each(|(bin, n)| table.add(bin as u16, *side, *n));
                }
            }
            table.drain(|bin, positives, negatives| {
                let bin = index as u32 * PAGE as u32 + u32::from(bin);
                let lowest = key::lowest_of_bin(bin, self.bins);
                let highest =
                    if lowest < key::NAN { key::lowest_of_bin(bin + 1, self.bins) - 1 } else { lowest };
                emit(Group { lowest, highest, positives, negatives });
            });
        }
    }

    /// For each stratum, how many scores are in the bins of the keys above one.
    pub(super) fn above(&self, key: u32) -> Vec<u64> {
        if key == key::NAN {
            return vec![0; self.pages.len()];
        }
        let first = key::bin(key + 1, self.bins) as usize;
        let count = |pages: &Vec<Option<Page>>| {
            let bins =
                pages.iter().enumerate().skip(first / PAGE).filter_map(|(i, p)| Some((i, p.as_ref()?)));
            bins.map(|(i, page)| page[first.saturating_sub(i * PAGE)..].iter().sum::<u64>()).sum()
        };
        self.pages.iter().map(count).collect()
    }

    /// The threshold that [`Histogram::above`] counts at for the one of that key: the lower edge of its bin.
    pub(super) fn counted(&self, key: u32) -> Option<f32> {
        if key == key::NAN {
            return Some(f32::NAN);
        }
        key::strictly_below(key::lowest_of_bin(key::bin(key + 1, self.bins), self.bins))
    }

    /// Writes a partial result: a head as runs have it, then each page behind its stratum and its place.
    pub(super) fn save(&self, file: File, path: &Path) -> Result<(), RankingError> {
        let mut out = Writer::new(file, path)?;
        Head { bins: self.bins.get(), tallies: self.tallies.clone() }.write(&mut out)?;
        for (stratum, pages) in self.pages.iter().enumerate() {
            for (index, page) in pages.iter().enumerate() {
                if let Some(page) = page {
                    out.write(&(stratum as u32).to_le_bytes())?;
                    out.write(&(index as u32).to_le_bytes())?;
                    page.iter().try_for_each(|n| out.write(&n.to_le_bytes()))?;
                }
            }
        }
        out.seal().map(drop)
    }

    /// Reads a partial result behind its head.
    pub(super) fn load(
        mut input: Reader<'_>,
        bins: NonZeroU32,
        tallies: Vec<Tally>,
    ) -> Result<Self, RankingError> {
        let mut read = Self { bins, pages: vec![Vec::new(); tallies.len()], tallies };
        let mut left: Vec<u64> = read.tallies.iter().map(|tally| tally.count).collect();
        while !input.is_at_end() {
            let [stratum, index] = [read_u32(&mut input)? as usize, read_u32(&mut input)? as usize];
            let (Some(pages), Some(left)) = (read.pages.get_mut(stratum), left.get_mut(stratum)) else {
                return Err(input.damaged("a stratum that it does not have"));
            };
            if index > bins.get() as usize / PAGE {
                return Err(input.damaged("a bin that it does not have"));
            }
            for (place, count) in page(pages, index).iter_mut().enumerate() {
                let n = read_u64(&mut input)?;
                if n > 0 && index * PAGE + place > bins.get() as usize {
                    return Err(input.damaged("a bin that it does not have"));
                }
                *left =
                    left.checked_sub(n).ok_or_else(|| input.damaged("it has more scores than it says"))?;
                *count += n;
            }
        }
        if left.iter().any(|left| *left > 0) {
            return Err(input.damaged("it has fewer scores than it says"));
        }
        input.verify()?;
        Ok(read)
    }
}

/// A page of a stratum, made where it is missing.
#[inline(always)]
fn page(pages: &mut Vec<Option<Page>>, index: usize) -> &mut Page {
    if pages.len() <= index {
        pages.resize(index + 1, None);
    }
    pages[index].get_or_insert_with(|| Box::new([0; PAGE]))
}
