//! Pictures to cut negatives out of, decoded when they are drawn and kept as far as they fit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::NegativesError;
use crate::dataset::{relative, walk};
use crate::images::{Rgb, read_rgb};
use crate::train::cache::Cache;

/// Memory for the decoded pictures of one source.
const CACHE_MB: usize = 512;
/// What pictures are called.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "ppm"];

/// Files, and what was decoded of them.
#[derive(Debug)]
pub(super) struct Pictures {
    files: Vec<PathBuf>,
    kept: Cache<Rgb>,
}

impl Pictures {
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self { kept: Cache::new(files.len(), CACHE_MB), files }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// `at` is below [`len`](Self::len).
    pub(super) fn get(&self, at: usize) -> Result<Arc<Rgb>, NegativesError> {
        Ok(self.kept.get(at, |rgb| rgb.data.len(), || read_rgb(&self.files[at]))?)
    }
}

/// Every picture in a folder and in the folders in it, in the order of names.
pub(in crate::train) fn find(folder: &Path) -> Result<Vec<PathBuf>, NegativesError> {
    let mut found = Vec::new();
    walk(folder, &mut |path: PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) {
            found.push(path);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A file's name below a folder: what decides on which side of the share it is.
pub(super) fn name(folder: &Path, file: &Path) -> String {
    relative(folder, file)
}
