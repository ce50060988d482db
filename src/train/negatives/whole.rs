//! Whole pictures, as another program made them: samples of a diffusion model, for one (Table VII).

use std::path::Path;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::pictures::{self, Pictures};
use super::{Negative, NegativesError, SceneView, Share, Source};
use crate::dataset::paste::Cutout;

/// Every picture of a folder is a negative, opaque all over, which gets its size where it is pasted.
#[derive(Debug)]
pub struct Whole {
    pictures: Pictures,
    name: String,
}

impl Whole {
    /// From every picture of a folder and of the folders in it.
    ///
    /// # Errors
    /// No such folder, no picture in it, none for this share.
    pub fn of_folder(folder: &Path, share: Share) -> Result<Self, NegativesError> {
        let files = pictures::find(folder)?;
        if files.is_empty() {
            return Err(NegativesError::Empty { folder: folder.into(), wanted: "picture" });
        }
        let name = format!("pictures of {}", folder.display());
        let count = files.len();
        let files = share.of(files, |file| pictures::name(folder, file));
        if files.is_empty() {
            return Err(share.is_empty(name, count));
        }
        Ok(Self { pictures: Pictures::new(files), name })
    }
}

impl Source for Whole {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let at = rng.random_range(0..self.pictures.len());
        let picture = self.pictures.get(at)?;
        let pixels = picture.data.as_chunks::<3>().0.iter().map(|[r, g, b]| [*r, *g, *b, 255]).collect();
        let name = self.pictures.files()[at].display().to_string();
        let (width, height) = (picture.width, picture.height);
        Ok(Negative::Object(Arc::new(Cutout { name, width, height, pixels })))
    }

    fn name(&self) -> String {
        format!("{} {}", self.pictures.len(), self.name)
    }
}
