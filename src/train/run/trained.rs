//! What a run trains, and how a checkpoint fills it.

use super::RunError;
use super::checkpoint::{Checkpoint, CheckpointError};
use crate::train::generator::Generator;
use crate::train::model::{Network, Parameters};

/// A segmenter, and what makes negatives for it where the run has such.
#[derive(Clone, Copy)]
pub struct Trained<'a> {
    /// The segmenter.
    pub network: &'a dyn Network,
    /// Its generator.
    pub generator: Option<&'a dyn Generator>,
    /// Whether the generator has what the settings name for it already: then it begins with that, and not with the
    /// generator of another run's checkpoint.
    pub generator_is_pretrained: bool,
}

impl<'a> Trained<'a> {
    /// A segmenter alone.
    pub fn alone(network: &'a dyn Network) -> Self {
        Self { network, generator: None, generator_is_pretrained: false }
    }

    /// Goes on where the run stopped.
    pub(super) fn resume_from(&self, checkpoint: &Checkpoint) -> Result<(), RunError> {
        checkpoint.fill("parameters", named(self.network.parameters()))?;
        self.generator.map_or(Ok(()), |generator| fill_generator(generator, checkpoint))
    }

    /// Begins with what another run ended with: of a generator, if it had one and the settings name none.
    pub(super) fn begin_from(&self, checkpoint: &Checkpoint) -> Result<(), RunError> {
        checkpoint.check_identity(&self.network.identity())?;
        checkpoint.fill_judged(self.network.parameters())?;
        let takes_it = checkpoint.about.generator.is_some() && !self.generator_is_pretrained;
        match self.generator.filter(|_| takes_it) {
            Some(generator) => fill_generator(generator, checkpoint),
            None => Ok(()),
        }
    }
}

/// The generator of a checkpoint, whatever segmenter it was trained beside.
///
/// # Errors
/// It has none, or another one.
pub fn fill_generator(generator: &dyn Generator, checkpoint: &Checkpoint) -> Result<(), RunError> {
    let (expected, got) = (generator.identity(), checkpoint.about.generator.clone());
    if got.as_deref() != Some(expected.as_str()) {
        let got = got.unwrap_or_else(|| "none".into());
        return Err(CheckpointError::Generator { path: checkpoint.path.clone(), got, expected }.into());
    }
    Ok(checkpoint.fill("generator", named(generator.parameters()))?)
}

fn named(parameters: &Parameters) -> impl Iterator<Item = (String, &tch::Tensor)> {
    parameters.iter().map(|(name, p)| (name.to_owned(), &p.tensor))
}
