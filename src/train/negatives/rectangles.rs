//! Rectangles cut from pictures: from other pictures (whatever is in them), or from the scenes of the
//! training split themselves, whose pieces are out of place where they are pasted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::pictures::{self, Pictures};
use super::{Negative, NegativesError, SceneView, Share, Sides, Source};
use crate::dataset::paste::Cutout;

/// Where rectangles are cut, and how large they may be.
#[derive(Debug)]
pub struct Rectangles {
    pictures: Pictures,
    sides: Sides,
    name: String,
}

impl Rectangles {
    /// From every picture of a folder. Masks that lie among them (`*_seg.png`, `*_parts_1.png`, as in
    /// ADE20K) are left out.
    ///
    /// # Errors
    /// No such folder, no picture in it, none for this share.
    pub fn of_folder(folder: &Path, sides: Sides, share: Share) -> Result<Self, NegativesError> {
        let mut files = pictures::find(folder)?;
        let is_mask = |file: &PathBuf| {
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            stem.ends_with("_seg") || stem.contains("_parts_")
        };
        files.retain(|file| !is_mask(file));
        if files.is_empty() {
            return Err(NegativesError::Empty { folder: folder.into(), wanted: "picture" });
        }
        let name = format!("rectangles of {}", folder.display());
        Self::new(files, |file| pictures::name(folder, file), sides, name, share)
    }

    /// From the images that are trained on, which are below `root`.
    ///
    /// # Errors
    /// No image, none for this share.
    pub fn of_scenes(
        images: &[PathBuf],
        root: &Path,
        sides: Sides,
        share: Share,
    ) -> Result<Self, NegativesError> {
        let name = "crops of the training images".to_string();
        Self::new(images.to_vec(), |file| pictures::name(root, file), sides, name, share)
    }

    fn new(
        files: Vec<PathBuf>,
        name_of: impl Fn(&Path) -> String,
        sides: Sides,
        name: String,
        share: Share,
    ) -> Result<Self, NegativesError> {
        let count = files.len();
        let files = share.of(files, |file| name_of(file));
        if files.is_empty() {
            return Err(share.is_empty(name, count));
        }
        Ok(Self { pictures: Pictures::new(files), sides, name })
    }
}

impl Source for Rectangles {
    fn draw(&self, scene: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let at = rng.random_range(0..self.pictures.len());
        let picture = self.pictures.get(at)?;
        // No larger than what it is cut from, nor than what it is pasted into.
        let [width, height] = self.sides.draw(rng);
        let width = width.min(scene.rgb.width).min(picture.width);
        let height = height.min(scene.rgb.height).min(picture.height);
        let left = rng.random_range(0..=picture.width - width);
        let top = rng.random_range(0..=picture.height - height);
        let rows = picture.data.chunks_exact(picture.width * 3).skip(top).take(height);
        let pixels = rows.flat_map(|row| row[left * 3..(left + width) * 3].as_chunks::<3>().0);
        let pixels = pixels.map(|[r, g, b]| [*r, *g, *b, 255]).collect();
        let name = self.pictures.files()[at].display().to_string();
        Ok(Negative::AsItIs(Arc::new(Cutout { name, width, height, pixels })))
    }

    fn name(&self) -> String {
        format!("{} ({} pictures)", self.name, self.pictures.len())
    }
}
