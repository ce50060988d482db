//! Foreign objects in labelled frames: a test set of anomalies from any frames and any cut-outs, in the
//! manner of Fishyscapes Static (Blum et al., 2019).
//!
//! A [`Cutout`] is drawn, brought to a size, a sharpness and a place (`placed`, on the `ground`, as a
//! `patch`), then mixed into the frame in the light of that place. [`paste`] is this walk for one frame.
//!
//! Plain Rust in one order, from one generator a frame: the same seed gives the same bytes, on any number of
//! threads, so that a set can be made again.
//!
//! Deliberately does not know: the layout of data sets, of which the command does. It casts no shadows: a
//! pixel whose truth stays known stays as the camera saw it.

mod cutouts;
mod error;
mod ground;
mod light;
mod patch;
mod placed;

use std::ops::RangeInclusive;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use cutouts::{Cutout, Cutouts};
pub use error::PasteError;
#[cfg(not(feature = "train"))]
use ground::Ground;
use placed::Placed;
#[cfg(feature = "train")]
pub(crate) use {
    ground::Ground,
    light::Light,
    patch::{Patch, Pixel, Shape},
};

use crate::images::Rgb;
use crate::labels::IGNORE;

/// An object that shows less than this, in pixels, is drawn again.
const LEAST_PIXELS: usize = 50;
/// So much of one object may another cover, or be covered by it.
const MOST_OVERLAP: f64 = 0.3;
/// Draws for one object, before the frame does without it.
const ATTEMPTS: usize = 50;

/// What a frame gets, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    objects: [u32; 2],
    scale: [f64; 2],
    horizon: f64,
}

/// A frame as it comes.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The camera's picture.
    pub rgb: &'a Rgb,
    /// `[height, width]`: `0..K` known, K unknown, 255 ignored.
    pub labels: &'a [u8],
    /// K.
    pub classes: u8,
    /// The known classes that objects stand on. Where none of them is in sight, they stand anywhere.
    pub ground: &'a [u8],
}

/// A frame with its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Pasted {
    /// The picture.
    pub rgb: Rgb,
    /// `[height, width]`: as they came, but K on an object and 255 on its rim, where both are mixed.
    pub labels: Vec<u8>,
    /// From far to near: as they were pasted.
    pub objects: Vec<Object>,
}

/// What was pasted, for the record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Object {
    /// The name of the cut-out.
    pub cutout: String,
    /// Left, top, width, height in pixels of the frame, out of which it may stand.
    #[serde(rename = "box")]
    pub bounds: [i64; 4],
    /// As in [`Settings::new`].
    pub scale: f64,
    /// Left and right are exchanged.
    pub mirrored: bool,
}

impl Settings {
    /// `objects` is how many a frame gets. `scale` is the longer side of an object over the height of the
    /// horizon above its foot: on a flat road that is its size in heights of the camera, wherever it stands.
    /// `horizon` is a share of the frame's height, from the top. Number and scale are drawn evenly from
    /// their ranges, the scale by its logarithm.
    ///
    /// # Errors
    /// An empty range, a scale that is no size, or a horizon that leaves no row below.
    pub fn new(
        objects: RangeInclusive<u32>,
        scale: RangeInclusive<f64>,
        horizon: f64,
    ) -> Result<Self, PasteError> {
        let objects = [*objects.start(), *objects.end()];
        let scale = [*scale.start(), *scale.end()];
        if objects[0] == 0 || objects[1] < objects[0] {
            return Err(PasteError::Objects(objects));
        }
        if !(scale[0] > 0.0 && scale[1] >= scale[0] && scale[1].is_finite()) {
            return Err(PasteError::Scale(scale));
        }
        if !(0.0..1.0).contains(&horizon) {
            return Err(PasteError::Horizon(horizon));
        }
        Ok(Self { objects, scale, horizon })
    }
}

/// The generator of one frame: of the seed and the frame's name, so that no other frame of the set, and no
/// order they are made in, changes what this one gets.
pub fn generator(seed: u64, id: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id).finalize().into())
}

/// Which frames stay without objects: `share` (0..1) of them, rounded, chosen by the seed.
pub fn clean(ids: &[&str], share: f64, seed: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    // Not the generator that the frame's objects are drawn from: the choice must not tell what they are.
    order.sort_by_cached_key(|i| generator(seed, &format!("clean/{}", ids[*i])).random::<u64>());
    let mut clean = vec![false; ids.len()];
    let count = (share * ids.len() as f64).round() as usize;
    order.into_iter().take(count).for_each(|i| clean[i] = true);
    clean
}

/// The binary truth in K+1 labels: 1 for K, 255 for 255, 0 for the known.
pub fn ood(labels: &[u8], classes: u8) -> Vec<u8> {
    let truth = |label: &u8| if *label == IGNORE { IGNORE } else { u8::from(*label == classes) };
    labels.iter().map(truth).collect()
}

/// Pastes objects into a frame, drawn from `cutouts` by `rng`. What finds no place (in a frame of few pixels,
/// say) is left out.
///
/// # Errors
/// No cut-outs, labels that do not fit the picture, or a label that is none.
pub fn paste(
    scene: &Scene<'_>,
    cutouts: &[Cutout],
    settings: &Settings,
    rng: &mut ChaCha8Rng,
) -> Result<Pasted, PasteError> {
    scene.check()?;
    if cutouts.is_empty() {
        return Err(PasteError::NoCutouts);
    }
    let ground = Ground::new(scene, settings.horizon);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    for _ in 0..rng.random_range(settings.objects[0]..=settings.objects[1]) {
        let fits = |object: &Placed<'_>| {
            object.pixels() >= LEAST_PIXELS && placed.iter().all(|p| object.overlap(p) <= MOST_OVERLAP)
        };
        let fitting = (0..ATTEMPTS)
            .map(|_| {
                let cutout = &cutouts[rng.random_range(0..cutouts.len())];
                Placed::draw(cutout, &ground, settings.scale, scene.rgb, rng)
            })
            .find(fits);
        placed.extend(fitting);
    }
    // What is nearer covers what is farther.
    placed.sort_by_key(Placed::foot);

    let mut pasted = Pasted { rgb: scene.rgb.clone(), labels: scene.labels.to_vec(), objects: Vec::new() };
    for object in &placed {
        object.blend(scene, &ground, &mut pasted);
        pasted.objects.push(object.record(&ground));
    }
    Ok(pasted)
}

impl Scene<'_> {
    fn check(&self) -> Result<(), PasteError> {
        let Rgb { width, height, ref data } = *self.rgb;
        let pixels = self.labels.len();
        if pixels == 0 || width.checked_mul(height) != Some(pixels) || data.len() != pixels * 3 {
            return Err(PasteError::Size { labels: pixels, width, height });
        }
        let classes = self.classes;
        match self.labels.iter().position(|label| *label > classes && *label != IGNORE) {
            None => Ok(()),
            Some(i) => Err(PasteError::Label { label: self.labels[i], x: i % width, y: i / width, classes }),
        }
    }
}

#[cfg(test)]
mod tests;
