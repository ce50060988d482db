//! Objects of pictures whose pixels someone dealt out to them: images with instance masks.
//!
//! Two layouts. ADE20K's full set: `X.jpg` with `X_seg.png`, anywhere below the folder, whose blue channel
//! numbers the instances of the image. Any other: `images/ID.*` with `masks/ID.png`, gray of 8 or 16 bits,
//! each value an instance. In both 0 is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::pictures::{self, Pictures};
use super::{Negative, NegativesError, SceneView, Share, Source};
use crate::dataset::paste::Cutout;
use crate::images::{Rgb, Rgba, read_gray16, read_rgb};
use crate::train::cache::Cache;

/// An instance of fewer pixels is not drawn: it would be a speck.
const LEAST_PIXELS: usize = 100;
/// Nor is one of more than this share of its image: a wall, a sky.
const LARGEST_SHARE: f64 = 0.5;
/// Memory for decoded masks.
const CACHE_MB: usize = 256;
/// Images that are tried for one that has an instance.
const ATTEMPTS: usize = 50;

/// Images with instances, of one share.
#[derive(Debug)]
pub struct Instances {
    folder: PathBuf,
    images: Pictures,
    masks: Vec<PathBuf>,
    kept: Cache<Numbered>,
    kind: Kind,
    /// So many instances of an image make one negative: from, to.
    together: [usize; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ade20k,
    Gray,
}

/// The instances of an image.
#[derive(Debug)]
struct Numbered {
    width: usize,
    height: usize,
    /// `width × height`; 0 is none.
    numbers: Vec<u16>,
    /// Those that may be drawn.
    drawn: Vec<u16>,
}

impl Instances {
    /// Finds and pairs the files of either layout; none is read yet.
    ///
    /// # Errors
    /// No such folder; neither layout; an image without its mask or a mask without its image; none for this
    /// share.
    pub fn of_folder(folder: &Path, together: [usize; 2], share: Share) -> Result<Self, NegativesError> {
        let (kind, pairs) = pair(folder)?;
        let count = pairs.len();
        let pairs = share.of(pairs, |(image, _)| pictures::name(folder, image));
        let (images, masks): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let kept = Cache::new(masks.len(), CACHE_MB);
        let opened =
            Self { folder: folder.into(), images: Pictures::new(images), masks, kept, kind, together };
        if opened.masks.is_empty() {
            return Err(share.is_empty(opened.name(), count));
        }
        Ok(opened)
    }

    fn numbered(&self, at: usize) -> Result<Arc<Numbered>, NegativesError> {
        let file = &self.masks[at];
        let read = || -> Result<Numbered, NegativesError> {
            let (width, height, numbers) = match self.kind {
                Kind::Ade20k => {
                    let Rgb { width, height, data } = read_rgb(file)?;
                    (width, height, data.chunks_exact(3).map(|pixel| u16::from(pixel[2])).collect())
                }
                Kind::Gray => {
                    let gray = read_gray16(file)?;
                    (gray.width, gray.height, gray.data)
                }
            };
            Ok(Numbered::new(width, height, numbers))
        };
        self.kept.get(at, |mask| mask.numbers.len() * 2, read)
    }
}

impl Numbered {
    fn new(width: usize, height: usize, numbers: Vec<u16>) -> Self {
        let mut pixels = BTreeMap::<u16, usize>::new();
        for run in numbers.chunk_by(|a, b| a == b) {
            *pixels.entry(run[0]).or_default() += run.len();
        }
        let most = (numbers.len() as f64 * LARGEST_SHARE) as usize;
        let may = |(number, pixels): &(u16, usize)| *number != 0 && (LEAST_PIXELS..=most).contains(pixels);
        let drawn = pixels.into_iter().filter(may).map(|(number, _)| number).collect();
        Self { width, height, numbers, drawn }
    }
}

impl Source for Instances {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        for _ in 0..ATTEMPTS {
            let at = rng.random_range(0..self.masks.len());
            let mask = self.numbered(at)?;
            let count = rng.random_range(self.together[0]..=self.together[1]);
            if mask.drawn.is_empty() {
                continue;
            }
            let chosen: Vec<u16> =
                (0..count).map(|_| mask.drawn[rng.random_range(0..mask.drawn.len())]).collect();
            let image = self.images.get(at)?;
            let file = &self.images.files()[at];
            if (image.width, image.height) != (mask.width, mask.height) {
                let reason = format!(
                    "it is {}x{}, but its mask {} is {}x{}: are they of one image?",
                    image.width,
                    image.height,
                    self.masks[at].display(),
                    mask.width,
                    mask.height
                );
                return Err(NegativesError::Masks { file: file.clone(), reason });
            }
            let opaque = mask.numbers.iter().map(|number| if chosen.contains(number) { 255 } else { 0 });
            let pixels = image.data.as_chunks::<3>().0.iter().zip(opaque);
            let data = pixels.flat_map(|([r, g, b], alpha)| [*r, *g, *b, alpha]).collect();
            let whole = Rgba { width: image.width, height: image.height, data };
            if let Some(patch) = Cutout::new(&file.display().to_string(), &whole) {
                return Ok(Negative::Object(Arc::new(patch)));
            }
        }
        let wanted = "instance of 100 pixels or more in many of its masks";
        Err(NegativesError::Empty { folder: self.folder.clone(), wanted })
    }

    fn name(&self) -> String {
        format!("instances of {} images of {}", self.masks.len(), self.folder.display())
    }
}

type Pairs = Vec<(PathBuf, PathBuf)>;

fn pair(folder: &Path) -> Result<(Kind, Pairs), NegativesError> {
    let (images, masks) = (folder.join("images"), folder.join("masks"));
    let by_id = |root: &Path| -> Result<BTreeMap<String, PathBuf>, NegativesError> {
        let id = |file: &Path| pictures::name(root, &file.with_extension(""));
        Ok(pictures::find(root)?.into_iter().map(|file| (id(&file), file)).collect())
    };
    let (kind, mut images, masks) = if images.is_dir() && masks.is_dir() {
        (Kind::Gray, by_id(&images)?, by_id(&masks)?)
    } else {
        let (mut images, mut masks) = (BTreeMap::new(), BTreeMap::new());
        for (id, file) in by_id(folder)? {
            match id.strip_suffix("_seg") {
                Some(of) => masks.insert(of.to_string(), file),
                None if id.contains("_parts_") => None,
                None => images.insert(id, file),
            };
        }
        (Kind::Ade20k, images, masks)
    };
    if masks.is_empty() {
        let wanted = "instance masks: X_seg.png beside X.jpg (ADE20K), or images/ID.jpg with masks/ID.png";
        return Err(NegativesError::Empty { folder: folder.into(), wanted });
    }
    let mut pairs = Pairs::new();
    for (id, mask) in masks {
        let Some(image) = images.remove(&id) else {
            return Err(NegativesError::Masks { file: mask, reason: format!("there is no image {id}") });
        };
        pairs.push((image, mask));
    }
    if let Some((_, file)) = images.pop_first() {
        return Err(NegativesError::Masks { file, reason: "it has no instance mask".into() });
    }
    Ok((kind, pairs))
}
