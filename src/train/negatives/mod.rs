//! What the network is taught not to know: negatives, pasted into the scenes it is trained on.
//!
//! Place: inside [`crate::train::data`], after a scene is cut and before its light is changed. A [`Source`]
//! gives a patch with its mask; `paste` gives it a size, a place and a light, mixes it in by eq. (15),
//! x' = (1 − m)·x⁺ + pad(x⁻, m), and says which pixels are negatives now. Their labels become void.
//!
//! # The seam
//! A negative is a patch and a mask, and a source is whoever draws one for a scene ([`Source::draw`]). A
//! source of another kind is one file here and one variant of [`SourceSettings`].
//! A model that makes negatives and is trained along (eq. 16-18) lives on the trainer's thread, since gradients
//! pass through its pixels. For it [`Vacancies`] draws a size, `paste` a place, and nothing is painted there: what
//! is to be replaced is still in the batch, and that is what such a model is fitted to. [`Mix`] chooses between
//! sources by their weights, which is b of eq. (18).
//!
//! Deliberately does not know: losses, networks, data sets (it is handed the images it may cut from).

mod blob;
mod cutouts;
mod error;
mod instances;
mod mix;
mod noise;
mod paste;
mod pictures;
mod rectangles;
mod settings;
mod sides;
mod vacancies;
mod whole;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub use blob::Blob;
pub use cutouts::CutoutFolder;
pub use error::NegativesError;
pub use instances::Instances;
pub use mix::Mix;
pub use noise::Noise;
pub(in crate::train) use pictures::find as find_pictures;
pub use rectangles::Rectangles;
pub use settings::{Ground, Paste, Settings, SourceSettings};
pub use sides::Sides;
pub use vacancies::{Vacancies, Wanted};
pub use whole::Whole;

use crate::dataset::paste::Cutout;
use crate::images::Rgb;
use crate::train::damage::Damage;
use crate::train::scene::Scene;

/// What is pasted.
#[derive(Debug, Clone)]
pub enum Negative {
    /// A patch and its mask, the pixels' colours and as alpha how opaque each is; size, direction, edge and light
    /// are drawn when it is pasted.
    Object(Arc<Cutout>),
    /// A patch and its mask, of the size and with the edge and colours it will have in the scene.
    AsItIs(Arc<Cutout>),
    /// A place that the trainer fills.
    Vacancy(Wanted),
}

/// Sides of what a trained generator fills are multiples of this, in pixels.
pub const MULTIPLE: usize = 8;

/// A rectangle of a scene, all of it inside; the trainer fills what is an outlier of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacancy {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Width and height of what is made for it, no larger than it is; multiples of [`MULTIPLE`]. It is enlarged.
    pub made: [usize; 2],
}

/// What pasting made of a scene besides its pixels and labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pasted {
    /// `[height, width]`: true on the pixels of negatives, vacancies too.
    pub outliers: Vec<bool>,
    /// Where the trainer's own negatives go; the scene is as it was there, but for its labels.
    pub vacancies: Vec<Vacancy>,
}

/// The scene that a negative is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct SceneView<'a> {
    /// The inlier crop.
    pub rgb: &'a Rgb,
    /// `[height, width]`: `0..K`, or 255 for void.
    pub labels: &'a [u8],
}

/// How a scene came to be what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Framing {
    /// By how much its pixels are smaller than its camera's: so much less sharp are negatives made.
    pub enlarged: f64,
    /// The columns and the rows that show the image; what is around them is filled, and stays so.
    pub image: [Range<usize>; 2],
}

impl Framing {
    /// Of an image as its camera took it.
    pub fn whole(rgb: &Rgb) -> Self {
        Self { enlarged: 1.0, image: [0..rgb.width, 0..rgb.height] }
    }
}

/// Where negatives come from.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// One negative: a function of the scene, the generator and the files.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn draw(&self, scene: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError>;

    /// For messages: the kind and the folder.
    fn name(&self) -> String;
}

/// Which of a source's files are drawn from. The number is the settings' `held_out`: the share, 0..1, that is kept
/// from training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Those to train with.
    Train(f64),
    /// Those kept from it, to judge by.
    HeldOut(f64),
}

impl Share {
    /// The items of this share, chosen by a hash of their names: the others keep their side when one is added, but
    /// for few. At least one is held out where a share above 0 is, so long as one is left to train with.
    fn of<T>(self, items: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
        let (Self::Train(held_out) | Self::HeldOut(held_out)) = self;
        let count = ((items.len() as f64 * held_out).ceil() as usize).min(items.len().saturating_sub(1));
        let hashes: Vec<_> = items.iter().map(|item| Sha256::digest(name(item))).collect();
        let mut ranked = hashes.clone();
        ranked.sort();
        let held = |i: usize| ranked[..count].binary_search(&hashes[i]).is_ok();
        let wanted = |(i, _): &(usize, T)| held(*i) == matches!(self, Self::HeldOut(_));
        items.into_iter().enumerate().filter(wanted).map(|(_, item)| item).collect()
    }

    /// That of so many files none is of this share.
    fn is_empty(self, name: String, files: usize) -> NegativesError {
        let (held_out, missing) = match self {
            Self::Train(held_out) => (held_out, "to train with"),
            Self::HeldOut(held_out) => (held_out, "to judge by"),
        };
        NegativesError::Share { name, files, held_out, missing }
    }
}

/// What is around the settings.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The run's data folder.
    pub root: &'a Path,
    /// Names of the K classes, by id.
    pub classes: &'a [String],
    /// The images that are trained on, for who cuts negatives out of them.
    pub scenes: &'a [PathBuf],
    /// Which files.
    pub share: Share,
    /// Where files are counted that cannot be decoded when they are drawn.
    pub damage: &'a Arc<Damage>,
}

/// A source and how its negatives are pasted.
#[derive(Debug)]
pub struct Negatives {
    source: Mix,
    paste: Paste,
    /// Ids of the classes that negatives stand on.
    ground: Vec<u8>,
    /// K.
    classes: u8,
    damage: Arc<Damage>,
}

impl Negatives {
    /// Finds the files of every source.
    ///
    /// # Errors
    /// Settings that make no sense, a class that the model does not have; a folder that is missing, empty,
    /// or holds something else; a share without a file.
    pub fn open(settings: &Settings, around: &Surroundings<'_>) -> Result<Self, NegativesError> {
        settings.check()?;
        let id = |name: &String| {
            let known = || NegativesError::Class { got: name.clone(), known: around.classes.join(", ") };
            let at = around.classes.iter().position(|class| class == name);
            at.and_then(|at| u8::try_from(at).ok()).ok_or_else(known)
        };
        Ok(Self {
            source: Mix::open(settings, around)?,
            paste: settings.paste.clone(),
            ground: settings.paste.ground.classes.iter().map(id).collect::<Result<_, _>>()?,
            classes: u8::try_from(around.classes.len()).unwrap_or(u8::MAX - 1),
            damage: Arc::clone(around.damage),
        })
    }

    /// What is drawn from, for the log.
    pub fn describe(&self) -> String {
        self.source.name()
    }

    /// Pastes negatives into a scene, in place. Their labels become void.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn paste(
        &self,
        scene: &mut Scene,
        framing: &Framing,
        rng: &mut ChaCha8Rng,
    ) -> Result<Pasted, NegativesError> {
        paste::paste(self, scene, framing, rng)
    }
}

#[cfg(test)]
mod tests;
