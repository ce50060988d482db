//! Every key: in memory while they fit, beyond that in runs on disk; one walk over both.

use super::blocks::{Blocks, Cursor, Tally};
use super::curve::Group;
use super::error::RankingError;
use super::limits::{Limits, Side};
use super::run::{Pieces, Run, RunWriter};
use super::table::Table;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::{Add, Range};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Files open at once; when there are as many they become one.
const RUNS: usize = 256;

/// The store of exact rankings.
pub(super) struct Exact {
    limits: Limits,
    blocks: Blocks,
    runs: Vec<Run>,
}

impl Exact {
    pub(super) fn new(strata: usize, limits: Limits) -> Self {
        Self { limits, blocks: Blocks::new(strata), runs: Vec::new() }
    }

    /// What a partial result holds; it stays in its file.
    pub(super) fn of(run: Run, limits: Limits) -> Self {
        Self { limits, blocks: Blocks::new(run.tallies().len()), runs: vec![run] }
    }

    /// Of a stratum, which exists.
    pub(super) fn tally(&self, stratum: usize) -> Tally {
        self.blocks.tallies()[stratum] + on_disk(&self.runs, stratum)
    }

    fn strata(&self) -> Range<usize> {
        0..self.blocks.tallies().len()
    }

    /// Adds values to a stratum, which exists.
    pub(super) fn append<T: Copy>(
        &mut self,
        stratum: u16,
        mut values: &[T],
        key: impl Fn(T) -> u32 + Copy,
    ) -> Result<(), RankingError> {
        while !values.is_empty() {
            let room = self.limits.keys_in_memory.max(1).saturating_sub(self.blocks.held());
            if room == 0 {
                self.spill()?;
                continue;
            }
            let (now, later) = values.split_at(values.len().min(room));
            self.blocks.append(stratum, now, key);
            values = later;
        }
        Ok(())
    }

    /// Takes over another store of as many strata.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), RankingError> {
        for (stratum, keys) in other.blocks.keys() {
            self.append(stratum, keys, |key| key)?;
        }
        self.runs.extend(other.runs);
        if self.runs.len() > RUNS { self.merge_runs() } else { Ok(()) }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.runs.clear();
    }

    /// Writes all there is as one run.
    pub(super) fn save(&mut self, file: File, path: &Path) -> Result<(), RankingError> {
        let tallies = self.strata().map(|stratum| self.tally(stratum)).collect();
        write(self.walk(|_| true)?, tallies, file, path).map(drop)
    }

    /// Hands out the chosen strata's distinct keys, from the highest down.
    pub(super) fn descend(
        &mut self,
        sides: &[Option<Side>],
        mut emit: impl FnMut(Group),
    ) -> Result<(), RankingError> {
        let mut table = Table::new(1 << 16);
        let mut walk = self.walk(|stratum| sides[usize::from(stratum)].is_some())?;
        while let Some(bucket) = walk.bucket() {
            walk.take(bucket, |stratum, keys| {
                if let Some(side) = sides[usize::from(stratum)] {
                    keys.iter().for_each(|key| table.add(*key as u16, side, 1));
                }
                Ok(())
            })?;
            table.drain(|lower, positives, negatives| {
                let key = u32::from(bucket) << 16 | u32::from(lower);
                emit(Group { lowest: key, highest: key, positives, negatives });
            });
        }
        walk.verify()
    }

    /// For each stratum, how many keys are above one.
    pub(super) fn above(&mut self, key: u32) -> Result<Vec<u64>, RankingError> {
        let mut counts = vec![0; self.strata().len()];
        let mut walk = self.walk(|_| true)?;
        while let Some(bucket) = walk.bucket().filter(|bucket| u32::from(*bucket) >= key >> 16) {
            walk.take(bucket, |stratum, keys| {
                counts[usize::from(stratum)] += keys.iter().filter(|k| **k > key).count() as u64;
                Ok(())
            })?;
        }
        Ok(counts)
    }

    fn walk(&mut self, chosen: impl Fn(u16) -> bool) -> Result<Walk<'_>, RankingError> {
        Ok(Walk { memory: self.blocks.walk(chosen), runs: walks(&mut self.runs)? })
    }

    /// Moves what is in memory to disk.
    fn spill(&mut self) -> Result<(), RankingError> {
        if self.runs.len() >= RUNS {
            self.merge_runs()?;
        }
        let (file, path) = nameless(&self.limits.spill)?;
        let tallies = self.blocks.tallies().to_vec();
        let walk = Walk { memory: self.blocks.walk(|_| true), runs: Vec::new() };
        self.runs.push(write(walk, tallies, file, &path)?);
        self.blocks.clear();
        Ok(())
    }

    /// Makes one of all runs.
    fn merge_runs(&mut self) -> Result<(), RankingError> {
        let (file, path) = nameless(&self.limits.spill)?;
        let tallies = self.strata().map(|stratum| on_disk(&self.runs, stratum)).collect();
        let walk = Walk { memory: Vec::new(), runs: walks(&mut self.runs)? };
        self.runs = vec![write(walk, tallies, file, &path)?];
        Ok(())
    }
}

/// All keys of blocks and runs by their upper halves, from the highest down.
struct Walk<'a> {
    memory: Vec<Cursor<'a>>,
    runs: Vec<Pieces<'a>>,
}

impl Walk<'_> {
    /// The upper half of the highest keys left.
    fn bucket(&self) -> Option<u16> {
        let memory = self.memory.iter().filter_map(Cursor::bucket);
        memory.chain(self.runs.iter().filter_map(Pieces::bucket)).max()
    }

    /// Takes those of that upper half; `visit` gets a stratum and some of its keys at a time.
    fn take(
        &mut self,
        bucket: u16,
        mut visit: impl FnMut(u16, &[u32]) -> Result<(), RankingError>,
    ) -> Result<(), RankingError> {
        for cursor in &mut self.memory {
            visit(cursor.stratum, cursor.take(bucket))?;
        }
        self.runs.iter_mut().try_for_each(|run| run.take(bucket, &mut visit))
    }

    /// Checks, after the last bucket, that the files were what was written to them.
    fn verify(self) -> Result<(), RankingError> {
        self.runs.into_iter().try_for_each(Pieces::verify)
    }
}

fn walks(runs: &mut [Run]) -> Result<Vec<Pieces<'_>>, RankingError> {
    runs.iter_mut().map(Run::walk).collect()
}

fn on_disk(runs: &[Run], stratum: usize) -> Tally {
    runs.iter().map(|run| run.tallies()[stratum]).fold(Tally::default(), Tally::add)
}

/// Writes a walk as one run.
fn write(mut walk: Walk<'_>, tallies: Vec<Tally>, file: File, path: &Path) -> Result<Run, RankingError> {
    let mut run = RunWriter::new(file, path, tallies)?;
    while let Some(bucket) = walk.bucket() {
        walk.take(bucket, |stratum, keys| run.add(bucket, stratum, keys))?;
    }
    walk.verify()?;
    run.finish()
}

/// A file in a folder that has lost its name already, so that nothing is left of it however the program ends.
/// The path is the one it had, for messages.
fn nameless(folder: &Path) -> Result<(File, PathBuf), RankingError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("open-set-scores-{}-{number}", std::process::id()));
        let opened = File::options().read(true).write(true).create_new(true).open(&path);
        match opened.and_then(|file| std::fs::remove_file(&path).map(|()| file)) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {} // left by a program of the same number
            Err(source) => return Err(RankingError::Write { path, source }),
        }
    }
}
