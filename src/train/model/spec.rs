//! Which network: the numbers that a settings file gives, checked.

use serde::{Deserialize, Serialize};

use super::ladder::Ladder;
use super::{NetworkError, densenet, lite0, tiny};

/// The numbers of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The encoder, and the shape of the ladder on it.
    pub architecture: Architecture,
    /// K: of known classes, 1 to 254.
    pub classes: usize,
    /// Channels of the pre-logits, a multiple of 4. LDN-121 has 128, its ladder is up to four times as wide; of
    /// the others the whole ladder has this width.
    pub width: usize,
    /// How the dataset logit is made of its head.
    pub dataset_head: DatasetHead,
}

/// The encoders, each with its ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// EfficientNet-Lite0, pyramid of grids 1, 2, 4, one width.
    #[serde(rename = "lite0")]
    Lite0,
    /// DenseNet-121, pyramid of grids 8, 4, 2, 1, widths 512, 256, 256, 128: LDN-121 of the paper.
    #[serde(rename = "ldn-121")]
    Ldn121,
    /// A few thousand parameters, for tests and smoke runs.
    #[serde(rename = "tiny")]
    Tiny,
}

impl Architecture {
    /// As the settings file has it.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Lite0 => "lite0",
            Architecture::Ldn121 => "ldn-121",
            Architecture::Tiny => "tiny",
        }
    }
}

/// How the dataset logit is made of the dataset head's output g.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetHead {
    /// g itself (eq. 8).
    Independent,
    /// g − LSE(s): σ of it is the last entry of softmax over (s, g), so the two heads together are exactly the
    /// classifier of K + 1 classes, whose posterior of the last is P(d_out|x).
    Tied,
}

impl DatasetHead {
    fn name(self) -> &'static str {
        match self {
            DatasetHead::Independent => "independent",
            DatasetHead::Tied => "tied",
        }
    }
}

impl Spec {
    /// Whether there is such a network.
    ///
    /// # Errors
    /// `classes` not in 1..=254 (255 is the label of no class); `width` no multiple of 4 in 4..=4096.
    pub fn check(&self) -> Result<(), NetworkError> {
        if !(1..=254).contains(&self.classes) {
            return Err(NetworkError::Classes { got: self.classes });
        }
        if self.width == 0 || self.width > 4096 || !self.width.is_multiple_of(4) {
            return Err(NetworkError::Width { got: self.width });
        }
        Ok(())
    }

    /// In one line: two networks of one identity have the same parameters and mean the same by them.
    pub fn identity(&self) -> String {
        let Spec { architecture, classes, width, dataset_head } = self;
        format!(
            "{} classes={classes} width={width} dataset_head={}",
            architecture.name(),
            dataset_head.name()
        )
    }

    /// C: channels of the pre-logits.
    pub fn pre_logits(&self) -> usize {
        self.width
    }

    pub(super) fn ladder(&self) -> Ladder {
        let w = self.width;
        let narrow = |features| Ladder { features, grids: &[1, 2, 4], level: w / 4, widths: [w; 4] };
        match self.architecture {
            Architecture::Lite0 => narrow(lite0::CHANNELS),
            Architecture::Tiny => narrow(tiny::CHANNELS),
            Architecture::Ldn121 => Ladder {
                features: densenet::CHANNELS,
                grids: &[8, 4, 2, 1],
                level: w,
                widths: [w, 2 * w, 2 * w, 4 * w],
            },
        }
    }
}
