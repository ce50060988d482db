//! What the tensors of a checkpoint are of.

use serde::{Deserialize, Serialize};

/// Of the layout of these files; another number is refused.
pub(super) const FORMAT: u32 = 1;

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which phase, from 0; one beyond the last: the run is over.
    pub phase: usize,
    /// Steps made in it.
    pub step: u64,
}

/// What the tensors are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Of the layout of the file.
    pub format: u32,
    /// The network's own line: architecture and its numbers.
    pub identity: String,
    /// The YAML of the run, whole.
    pub settings: String,
    /// SHA-256 over what of it decides what is learnt.
    pub settings_sha256: String,
    /// Where the run stood.
    pub place: Place,
    /// The name of the phase that the weights are of.
    pub phase: String,
    /// Of everything random.
    pub seed: u64,
    /// Steps the optimizer has made in the phase: t of its bias corrections.
    pub optimizer_steps: u64,
    /// Steps of the phases before.
    pub steps_before: u64,
    /// The phase's best validation so far.
    pub best: Option<f64>,
    /// The step of the phase's last validation.
    pub validated: Option<u64>,
    /// The line of the run's generator, if it has one.
    #[serde(default)]
    pub generator: Option<String>,
    /// Steps the generator's optimizer has made in the phase.
    #[serde(default)]
    pub generator_steps: u64,
    /// Trained so far, all phases together.
    pub seconds: f64,
    /// SHA-256 of the file that the encoder began with, if it began with one.
    #[serde(default)]
    pub pretrained: Option<String>,
    /// Version and git revision of the trainer.
    pub trainer: String,
    /// Of the libtorch that computed it, where that is known.
    pub libtorch: Option<String>,
}

impl About {
    /// The number of the layout that this program writes.
    pub fn format() -> u32 {
        FORMAT
    }
}
