//! The settings of this room, as they stand in the YAML, and what makes no sense in them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{NegativesError, Sides};

/// Where negatives come from and how they are pasted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// One or more; a negative is of one of them, by their weights.
    pub sources: Vec<SourceSettings>,
    /// How they are pasted.
    #[serde(default)]
    pub paste: Paste,
}

/// The union of two instances at most, as in the method's reference code.
fn default_together() -> [usize; 2] {
    [1, 2]
}

fn as_it_is() -> [f64; 2] {
    [1.0, 1.0]
}

fn default_weight() -> f64 {
    1.0
}

/// A source. `folder` is below the run's data folder, `weight` is relative to the other sources'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceSettings {
    /// PNG files with alpha, one object each.
    Cutouts {
        /// Of the files.
        folder: PathBuf,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Objects of images with instance masks: ADE20K's full set, or `images/` with `masks/`; see
    /// [`Instances`](super::Instances).
    Instances {
        /// Of the images and masks.
        folder: PathBuf,
        /// So many instances of one image make one negative: from, to.
        #[serde(default = "default_together")]
        together: [usize; 2],
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Rectangles of the pictures of a folder.
    Rectangles {
        /// Of the pictures.
        folder: PathBuf,
        /// Each side in pixels of the scene: from, to; multiples of 8.
        #[serde(default)]
        sides: Sides,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Rectangles of the images that are trained on.
    Crops {
        /// As those of `rectangles`.
        #[serde(default)]
        sides: Sides,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Whole pictures, resized as objects are.
    Pictures {
        /// Of the pictures.
        folder: PathBuf,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Rectangles of uniform noise.
    Noise {
        /// As those of `rectangles`.
        #[serde(default)]
        sides: Sides,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
    /// Rectangles that the run's `generator` fills, which is trained along: p_ζ of eq. (18). Of two sources, this
    /// one's share by weight is 1 − b.
    Generated {
        /// As those of `rectangles`.
        #[serde(default)]
        sides: Sides,
        /// A rectangle is so many times larger than what is made for it, and then enlarged: from, to; drawn evenly by
        /// its logarithm.
        ///
        /// Deviation: 1 in the paper. A small generator knows colours beside each other, and no shapes: enlarged,
        /// what it knows is found at more than one scale, and a large negative is made in the time of a small one.
        #[serde(default = "as_it_is")]
        magnify: [f64; 2],
        /// The share of them that are no rectangles but blobs with an outline of their own, 0..1.
        ///
        /// Deviation: 0 in the paper. Straight edges tell a rectangle whatever is in it.
        #[serde(default)]
        blobs: f64,
        /// Above 0.
        #[serde(default = "default_weight")]
        weight: f64,
    },
}

impl SourceSettings {
    pub(super) fn weight(&self) -> f64 {
        match self {
            Self::Cutouts { weight, .. }
            | Self::Instances { weight, .. }
            | Self::Rectangles { weight, .. }
            | Self::Crops { weight, .. }
            | Self::Pictures { weight, .. }
            | Self::Noise { weight, .. }
            | Self::Generated { weight, .. } => *weight,
        }
    }

    fn check(&self) -> Result<(), NegativesError> {
        let refuse = |name, got: String, wanted| Err(NegativesError::Setting { name, got, wanted });
        if !(self.weight() > 0.0 && self.weight().is_finite()) {
            return refuse("weight", self.weight().to_string(), "a number above 0");
        }
        match self {
            Self::Generated { magnify: [low, high], .. }
                if !(1.0 <= *low && low <= high && *high <= 64.0) =>
            {
                refuse("magnify", format!("{low}..{high}"), "two numbers between 1 and 64, the smaller first")
            }
            Self::Generated { blobs, .. } if !(0.0..=1.0).contains(blobs) => {
                refuse("blobs", blobs.to_string(), "a share, 0 to 1")
            }
            Self::Instances { together: [low, high], .. } if !(1 <= *low && low <= high && *high <= 16) => {
                refuse("together", format!("{low}..{high}"), "1 to 16 instances, the smaller first")
            }
            Self::Rectangles { sides, .. }
            | Self::Crops { sides, .. }
            | Self::Noise { sides, .. }
            | Self::Generated { sides, .. }
                if !sides.are_some() =>
            {
                let got = format!("{}..{}", sides.0[0], sides.0[1]);
                refuse("sides", got, "two multiples of 8 between 8 and 2048 pixels, the smaller first")
            }
            _ => Ok(()),
        }
    }
}

/// How negatives are pasted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paste {
    /// The share of scenes that get any, 0..1.
    pub probability: f64,
    /// How many such a scene gets: from, to.
    ///
    /// Deviation: the method's reference code pastes one, as it is; here several may be mixed in, lit and blurred.
    pub objects: [u32; 2],
    /// The longer side over the shorter side of the scene: from, to; drawn evenly by its logarithm.
    pub scale: [f64; 2],
    /// How often left and right are exchanged, 0..1.
    pub flip: f64,
    /// Turned by up to so many degrees, either way.
    pub rotation: f64,
    /// How often the edge is as soft as a camera's, 0..1; otherwise a pixel is the negative's or it is not.
    pub soft_edge: f64,
    /// How often it is brought into the light of its place, 0..1.
    pub match_light: f64,
    /// Blurred as much as the scene was when it was enlarged.
    pub match_sharpness: bool,
    /// Where some stand.
    pub ground: Ground,
}

/// Negatives that stand on something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ground {
    /// How many do, 0..1; the others are anywhere.
    pub share: f64,
    /// Names of the classes they stand on. Where none is in sight, they are anywhere.
    pub classes: Vec<String>,
}

impl Default for Paste {
    fn default() -> Self {
        Self {
            probability: 1.0,
            objects: [1, 3],
            scale: [0.05, 0.6],
            flip: 0.5,
            rotation: 0.0,
            soft_edge: 0.8,
            match_light: 0.5,
            match_sharpness: true,
            ground: Ground::default(),
        }
    }
}

impl Settings {
    /// Whether some are made by the trainer itself.
    pub fn have_vacancies(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, SourceSettings::Generated { .. }))
    }

    /// Refuses what makes no sense whatever the files are.
    ///
    /// # Errors
    /// No source, a weight that is none, a share or a range out of its bounds.
    pub fn check(&self) -> Result<(), NegativesError> {
        let refuse = |name, got: String, wanted| Err(NegativesError::Setting { name, got, wanted });
        if self.sources.is_empty() {
            return refuse("sources", "empty".into(), "one or more");
        }
        self.sources.iter().try_for_each(SourceSettings::check)?;
        if self.have_vacancies() && self.paste.objects != [1, 1] {
            // Another negative over it would be what the generator is fitted to.
            let got = format!("{}..{}", self.paste.objects[0], self.paste.objects[1]);
            return refuse("objects", got, "1..1 where a source is generated");
        }
        let Paste { objects, scale, rotation, ground, .. } = &self.paste;
        let shares = [
            ("probability", self.paste.probability),
            ("flip", self.paste.flip),
            ("soft_edge", self.paste.soft_edge),
            ("match_light", self.paste.match_light),
            ("ground share", ground.share),
        ];
        if let Some((name, got)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return refuse(name, got.to_string(), "a share, 0 to 1");
        }
        if !(objects[0] >= 1 && objects[1] >= objects[0] && objects[1] <= 100) {
            return refuse(
                "objects",
                format!("{}..{}", objects[0], objects[1]),
                "1 to 100, the smaller first",
            );
        }
        if !(scale[0] >= 0.001 && scale[1] >= scale[0] && scale[1] <= 4.0) {
            let wanted = "two numbers between 0.001 and 4, the smaller first";
            return refuse("scale", format!("{}..{}", scale[0], scale[1]), wanted);
        }
        if !(0.0..=180.0).contains(rotation) {
            return refuse("rotation", rotation.to_string(), "0 to 180 degrees");
        }
        if ground.share > 0.0 && ground.classes.is_empty() {
            return refuse("ground classes", "empty".into(), "the classes they stand on, or a share of 0");
        }
        Ok(())
    }
}
