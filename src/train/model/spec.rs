//! Which network: the numbers that a settings file gives, checked.

use serde::{Deserialize, Serialize};

use super::NetworkError;
use super::architecture::{Architecture, Design};
use super::segmenter::FEWEST_CLASSES;

/// The numbers of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The encoder, and what makes one map of its features.
    pub architecture: Architecture,
    /// K: of known classes, 1 to 254; of a Segmenter 3 to 254.
    pub classes: usize,
    /// Channels of the pre-logits, a multiple of 4. LDN-121 has 128, its ladder is up to four times as wide; of
    /// the others the whole ladder, or UPerNet, has this width. A Segmenter's is its encoder's own.
    pub width: usize,
    /// How the dataset logit is made of its head.
    pub dataset_head: DatasetHead,
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
    /// `classes` not in 1..=254 (255 is the label of no class), or too few for a Segmenter; `width` no multiple of 4 in
    /// 4..=4096, or not the architecture's own.
    pub fn check(&self) -> Result<(), NetworkError> {
        let Spec { architecture, classes, width, .. } = *self;
        if !(1..=254).contains(&classes) {
            return Err(NetworkError::Classes { got: classes });
        }
        if matches!(self.design(), Design::Segmenter(_)) && classes < FEWEST_CLASSES {
            return Err(NetworkError::FewClasses { got: classes, fewest: FEWEST_CLASSES });
        }
        if let Some(own) = architecture.own_width().filter(|own| *own != width) {
            return Err(NetworkError::OwnWidth { architecture: architecture.name(), own, got: width });
        }
        if width == 0 || width > 4096 || !width.is_multiple_of(4) {
            return Err(NetworkError::Width { got: width });
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

    /// Rows and columns of the image to one of the outputs.
    pub fn stride(&self) -> usize {
        match self.design() {
            Design::Pyramid(..) => super::FINEST,
            Design::Segmenter(vit) => vit.patch,
        }
    }

    pub(super) fn design(&self) -> Design {
        self.architecture.design(self.width)
    }
}
