//! Files that cannot be decoded: left out and counted, up to a limit.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::images::ImagesError;

/// What is damaged among the files that a run reads, scenes and negatives together.
#[derive(Debug)]
pub struct Damage {
    limit: usize,
    /// What is wrong with each; the file is named.
    found: Mutex<BTreeSet<String>>,
}

/// More damaged files than are put up with, or nothing but them.
#[derive(Debug, thiserror::Error)]
#[error("{count} files cannot be decoded, and skip_limit is {limit}: {files}; copy them again")]
pub struct TooMuchDamage {
    /// How many.
    pub count: usize,
    /// How many may.
    pub limit: usize,
    /// Each, with what is wrong.
    pub files: String,
}

impl Damage {
    /// None so far; so many are put up with.
    pub fn new(limit: usize) -> Self {
        Self { limit, found: Mutex::default() }
    }

    /// How many files were found damaged so far.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Whether it is the file's bytes that are damaged: another file may do in its place.
    pub fn is(error: &ImagesError) -> bool {
        use ImagesError::{CutOff, Library, NotAnImage, TooLarge};
        matches!(error, NotAnImage { .. } | CutOff { .. } | TooLarge { .. } | Library { .. })
    }

    /// Leaves out a file that was found damaged, maybe not for the first time; `reason` names it.
    ///
    /// # Errors
    /// It is one too many.
    pub fn skip(&self, reason: String) -> Result<(), TooMuchDamage> {
        let new = self.lock().insert(reason.clone());
        let count = self.count();
        if count > self.limit {
            return Err(self.too_much());
        }
        if new {
            tracing::warn!("skipped ({count} of at most {}): {reason}", self.limit);
        }
        Ok(())
    }

    /// That there is nothing in their place.
    pub fn too_much(&self) -> TooMuchDamage {
        let found = self.lock();
        let files = found.iter().cloned().collect::<Vec<_>>().join("; ");
        TooMuchDamage { count: found.len(), limit: self.limit, files }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
