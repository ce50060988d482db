//! Objects that someone cut out: PNG files with alpha.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Negative, NegativesError, SceneView, Share, Source};
use crate::dataset::paste::{Cutout, Cutouts};

/// A folder of cut-outs, all in memory.
#[derive(Debug)]
pub struct CutoutFolder {
    folder: PathBuf,
    cutouts: Vec<Arc<Cutout>>,
}

impl CutoutFolder {
    /// Reads every PNG of the folder and of the folders in it.
    ///
    /// # Errors
    /// No such folder, no cut-out in it; a PNG that is none, for then it may well be another folder.
    pub fn read(folder: &Path, share: Share) -> Result<Self, NegativesError> {
        let source = |source| NegativesError::Cutouts { folder: folder.into(), source: Box::new(source) };
        let Cutouts { found, left_out, failed, .. } = Cutouts::read(folder).map_err(source)?;
        let wrong: Vec<_> =
            left_out.into_iter().chain(failed.into_iter().map(|(name, e)| (name, e.to_string()))).collect();
        if let Some((first, reason)) = wrong.first().cloned() {
            return Err(NegativesError::NotCutouts {
                folder: folder.into(),
                count: wrong.len(),
                first,
                reason,
            });
        }
        let files = found.len();
        let cutouts = share.of(found, |cutout| cutout.name().into());
        let cutouts: Vec<_> = cutouts.into_iter().map(Arc::new).collect();
        let opened = Self { folder: folder.into(), cutouts };
        if opened.cutouts.is_empty() {
            return Err(share.is_empty(opened.name(), files));
        }
        Ok(opened)
    }
}

impl Source for CutoutFolder {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let patch = Arc::clone(&self.cutouts[rng.random_range(0..self.cutouts.len())]);
        Ok(Negative::Object(patch))
    }

    fn name(&self) -> String {
        format!("{} cut-outs of {}", self.cutouts.len(), self.folder.display())
    }
}
