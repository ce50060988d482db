//! The settings of this room, as they stand in the YAML, and what makes no sense in them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::DataError;
use crate::dataset;

/// Which samples are trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The data set's name, one of [`crate::dataset::names`].
    pub dataset: String,
    /// Its folder, below the run's data folder.
    pub folder: PathBuf,
    /// The split; may be left out where the data set has one only.
    #[serde(default)]
    pub split: Option<String>,
    /// See [`crate::dataset::Options::ignore`].
    #[serde(default)]
    pub ignore: Option<u8>,
    /// Memory for decoded samples; what does not fit is decoded each time.
    #[serde(default = "default_cache_mb")]
    pub cache_mb: usize,
    /// Threads that make batches.
    #[serde(default = "default_workers")]
    pub workers: usize,
    /// So many damaged files, scenes or negatives, are skipped with a warning; one more ends the run.
    #[serde(default = "default_skip_limit")]
    pub skip_limit: usize,
}

fn default_cache_mb() -> usize {
    1024
}

fn default_workers() -> usize {
    2
}

fn default_skip_limit() -> usize {
    8
}

impl Settings {
    /// Refuses what makes no sense whatever the files are.
    ///
    /// # Errors
    /// No worker, or more than any machine's; no split where there are several.
    pub fn check(&self) -> Result<(), DataError> {
        within("workers", self.workers as f64, [1.0, 256.0], "1 to 256")?;
        if self.split.is_none() && dataset::splits(&self.dataset).len() > 1 {
            let wanted = "the one to train on: without a name it would be the one the set is judged on";
            return Err(DataError::Setting { name: "split", got: "absent".into(), wanted });
        }
        Ok(())
    }
}

/// What a phase makes of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// The size of what the network gets, in pixels.
    pub crop: Crop,
    /// The image is scaled by a factor from this range.
    ///
    /// Deviation: it is drawn evenly by its logarithm, the paper's evenly by itself: shrinking is as usual as
    /// enlarging.
    pub scale: [f64; 2],
    /// How often left and right are exchanged, 0..1.
    pub flip: f64,
    /// The share of samples (0..1) that are drawn by class: a class drawn evenly, then an image that has it,
    /// then a crop with a pixel of it. The others come in the order of the epoch.
    pub class_uniform: f64,
    /// Another light, another camera.
    pub photometric: Photometric,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            crop: Crop::Square(352),
            scale: [0.5, 2.0],
            flip: 0.5,
            class_uniform: 0.0,
            photometric: Photometric::default(),
        }
    }
}

/// `crop: 352` or `crop: [width, height]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Crop {
    /// Both sides.
    Square(usize),
    /// Width, height.
    Sides([usize; 2]),
}

impl Crop {
    /// Width, height.
    pub fn sides(self) -> [usize; 2] {
        match self {
            Self::Square(side) => [side, side],
            Self::Sides(sides) => sides,
        }
    }
}

/// How far colours are changed; each a strength, 0 leaves them alone. Values are those of 0..1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Photometric {
    /// Added to all channels: up to so much, either way.
    pub brightness: f64,
    /// Distance from middle gray, times a factor of e^±contrast at most.
    pub contrast: f64,
    /// Distance from the pixel's own gray, times e^±saturation at most.
    pub saturation: f64,
    /// The exponent is e^±gamma at most.
    pub gamma: f64,
    /// Colours are turned about the gray axis by so much of a full turn at most, either way.
    pub hue: f64,
    /// Each channel by itself, times e^±channels at most: another white balance.
    pub channels: f64,
    /// Half of the crops are blurred by a Gaussian of a deviation up to this, in pixels.
    pub blur: f64,
}

impl Augmentation {
    /// Refuses what makes no sense whatever the files are.
    ///
    /// # Errors
    /// A crop without pixels or over 8192 a side, a scale range that is empty or beyond 0.1..10, a share or
    /// strength out of its range.
    pub fn check(&self) -> Result<(), DataError> {
        let [width, height] = self.crop.sides();
        if !(1..=8192).contains(&width) || !(1..=8192).contains(&height) {
            let wanted = "sides of 1 to 8192 pixels";
            return Err(DataError::Setting { name: "crop", got: format!("{width}x{height}"), wanted });
        }
        let [low, high] = self.scale;
        if !(low >= 0.1 && high >= low && high <= 10.0) {
            let wanted = "two factors between 0.1 and 10, the smaller first";
            return Err(DataError::Setting { name: "scale", got: format!("{low}..{high}"), wanted });
        }
        within("flip", self.flip, [0.0, 1.0], "a share, 0 to 1")?;
        within("class_uniform", self.class_uniform, [0.0, 1.0], "a share, 0 to 1")?;
        self.photometric.check()
    }
}

impl Photometric {
    /// Refuses strengths beyond what leaves a picture.
    ///
    /// # Errors
    /// A strength out of its range.
    pub fn check(&self) -> Result<(), DataError> {
        within("brightness", self.brightness, [0.0, 1.0], "0 to 1")?;
        within("contrast", self.contrast, [0.0, 2.0], "0 to 2")?;
        within("saturation", self.saturation, [0.0, 2.0], "0 to 2")?;
        within("gamma", self.gamma, [0.0, 2.0], "0 to 2")?;
        within("hue", self.hue, [0.0, 0.5], "0 to 0.5 of a turn")?;
        within("channels", self.channels, [0.0, 2.0], "0 to 2")?;
        within("blur", self.blur, [0.0, 20.0], "0 to 20 pixels")
    }
}

fn within(
    name: &'static str,
    got: f64,
    [low, high]: [f64; 2],
    wanted: &'static str,
) -> Result<(), DataError> {
    if (low..=high).contains(&got) {
        Ok(())
    } else {
        Err(DataError::Setting { name, got: got.to_string(), wanted })
    }
}
