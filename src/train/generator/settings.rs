//! The generator of a run and its lessons in a phase, as they stand in the YAML.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::train::losses::{Term, Weighted};
use crate::train::optimizer;

/// Which generator a run has; one for all phases.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Settings {
    /// A normalizing flow, DenseFlow: [`crate::train::flow`].
    Flow {
        /// `45-6` is the paper's, `small` one for a CPU.
        preset: String,
        /// A checkpoint whose flow it begins with, relative to where the program is run, whatever `--init` has; absent:
        /// that of `--init`, or a fresh one.
        #[serde(default)]
        pretrained: Option<PathBuf>,
    },
    /// A small generative adversarial network.
    Gan {
        /// Channels of the latent map.
        #[serde(default = "latent")]
        latent: usize,
        /// Channels of its hidden maps.
        #[serde(default = "width")]
        width: usize,
    },
    /// No model: what is replaced is itself changed, against the segmenter.
    Adversarial {
        /// Gradient steps a patch, each a forward and a backward pass of the segmenter.
        #[serde(default = "steps")]
        steps: u32,
        /// How far a colour is moved at most, of 255.
        #[serde(default = "radius")]
        radius: f64,
    },
}

fn latent() -> usize {
    32
}

fn width() -> usize {
    48
}

fn steps() -> u32 {
    2
}

fn radius() -> f64 {
    32.0
}

/// How the run's generator is trained along in a phase.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lessons {
    /// What the segmenter teaches it.
    pub feedback: Feedback,
    /// Weight of the feedback beside what the generator is fitted by; 0.03 in the paper, for a likelihood in bits per
    /// dimension.
    pub lambda: f64,
    /// The rule it moves by.
    pub optimizer: optimizer::Settings,
    /// How its rate goes; absent: as the segmenter's.
    #[serde(default)]
    pub schedule: Option<optimizer::Schedule>,
    /// Gradients of a larger norm are scaled to it; absent: as they are.
    #[serde(default)]
    pub clip: Option<f64>,
}

/// What is made small on generated pixels, besides what fits the generator to inliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feedback {
    /// L_jsd, eq. (17): they go where the classes are undecided.
    JensenShannon,
    /// The outliers' terms that the phase's objective has, L_d and L_x^UB, each once and without a floor: they go where the
    /// segmenter tells them from inliers. The paper's Table IX finds it worse.
    Hybrid,
    /// Cross-entropy between the uniform distribution and P(y|x), as published with a GAN (Lee et al., 2018).
    Uniform,
}

impl Feedback {
    pub(in crate::train) fn terms(self, of_phase: &[Weighted]) -> Vec<Weighted> {
        match self {
            Self::JensenShannon => vec![Weighted { weight: 1.0, term: Term::JensenShannon }],
            Self::Uniform => vec![Weighted { weight: 1.0, term: Term::Uniform }],
            // The phase's own weights and floor are for what the segmenter learns of negatives that are given.
            Self::Hybrid => {
                let of_outliers = of_phase.iter().filter(|w| w.weight > 0.0).filter_map(|w| match w.term {
                    Term::DatasetOut => Some(Term::DatasetOut),
                    Term::Likelihood { .. } => Some(Term::Likelihood { floor: None }),
                    _ => None,
                });
                of_outliers.map(|term| Weighted { weight: 1.0, term }).collect()
            }
        }
    }
}

impl Settings {
    /// What serde's types cannot say.
    ///
    /// # Errors
    /// The number that is impossible, and what would do.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Flow { .. } => Ok(()),
            Self::Gan { latent, width } if !(1..=512).contains(latent) || !(8..=512).contains(width) => {
                Err(format!("latent {latent}, width {width}: 1 to 512 and 8 to 512"))
            }
            Self::Adversarial { steps, radius }
                if !(1..=50).contains(steps) || !(0.0..=255.0).contains(radius) =>
            {
                Err(format!("steps {steps}, radius {radius}: 1 to 50 and 0 to 255"))
            }
            _ => Ok(()),
        }
    }

    /// The checkpoint that it begins with.
    pub fn pretrained(&self) -> Option<&Path> {
        match self {
            Self::Flow { pretrained, .. } => pretrained.as_deref(),
            _ => None,
        }
    }

    /// Whether it has something to learn.
    pub fn learns(&self) -> bool {
        !matches!(self, Self::Adversarial { .. })
    }
}

impl Lessons {
    /// What serde's types cannot say.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn check(&self) -> Result<(), String> {
        if !(self.lambda.is_finite() && self.lambda >= 0.0) {
            return Err(format!("lambda is {}: 0 or more", self.lambda));
        }
        if let Some(clip) = self.clip.filter(|c| !(c.is_finite() && *c > 0.0)) {
            return Err(format!("clip is {clip}: a norm above 0, or leave it out"));
        }
        // Against the phase's steps it is checked when these are known.
        let schedule = self.schedule.as_ref().map_or(Ok(()), |schedule| schedule.check(u64::MAX));
        schedule.map_err(|reason| format!("schedule: {reason}"))?;
        self.optimizer.check().map_err(|reason| format!("optimizer: {reason}"))
    }
}
