//! Models that make negatives while the segmenter is trained, and learn from it (Sec. 4, eqs. 16-18, Fig. 4).
//!
//! Place: on the loop's thread, between a batch and the network. The batch has vacancies, rectangles of which all
//! or a blob is void already; a [`Generator`] makes their pixels, the segmenter is trained on the filled images, and what it says
//! of the generated pixels goes back into the generator ([`Feedback`]). What a rectangle showed before is what the
//! generator is fitted to (eq. 16).
//!
//! Colours in this room are real numbers, 0 to 255 a channel, never rounded: rounding has no gradient, and with it
//! the feedback would teach nothing.
//!
//! Deliberately does not know: where vacancies are, how parameters are moved, checkpoints.
//!
//! # Modules, in reading order
//! `settings` ▸ `flow` ▸ `gan` ▸ `adversarial` ▸ `error`

mod adversarial;
mod error;
mod flow;
mod gan;
mod settings;
#[cfg(test)]
mod tests;

use tch::{Device, Tensor};

pub use adversarial::Adversarial;
pub use error::GeneratorError;
pub use flow::FlowGenerator;
pub use gan::Gan;
pub use settings::{Feedback, Lessons, Settings};

use crate::train::flow::Noise;
use crate::train::losses::Weighted;
use crate::train::model::Parameters;

/// Makes negatives.
pub trait Generator {
    /// Its kind and its numbers, in one line: a checkpoint of another identity is refused.
    fn identity(&self) -> String;

    /// What it learns, if anything.
    fn parameters(&self) -> &Parameters;

    /// A patch for each rectangle; gradients to the parameters pass through.
    ///
    /// `replaced` is what the rectangles showed, averaged down to the sizes that are to be made, `[1, 3, h, w]` each: a
    /// patch is as large. `judge` tells how far class posteriors
    /// on patches in these places are from uniform, for who searches by that.
    ///
    /// # Errors
    /// What libtorch reports, or the judge.
    fn generate(
        &self,
        replaced: &[Tensor],
        judge: &mut Judge<'_>,
        noise: &mut Noise,
    ) -> Result<Vec<Tensor>, GeneratorError>;

    /// What it is fitted by, without the segmenter: a scalar for each term, with its name and weight. What was replaced
    /// may be whole images too, `[N, 3, H, W]`, with nothing generated.
    ///
    /// # Errors
    /// What libtorch reports.
    fn fit(
        &self,
        replaced: &[Tensor],
        generated: &[Tensor],
        noise: &mut Noise,
    ) -> Result<Vec<Fitted>, GeneratorError>;

    /// Whether it has to see images before it can do anything.
    ///
    /// # Errors
    /// What libtorch reports.
    fn is_blank(&self) -> Result<bool, GeneratorError> {
        Ok(false)
    }

    /// Shows images to a blank one, colours `[N, 3, H, W]`.
    ///
    /// # Errors
    /// Images too small; what libtorch reports.
    fn initialise(&self, _images: &Tensor, _noise: &mut Noise) -> Result<(), GeneratorError> {
        Ok(())
    }
}

/// Patches to L_jsd of the segmenter on them (eq. 17), a scalar that gradients to the patches pass through.
pub type Judge<'a> = dyn FnMut(&[Tensor]) -> Result<Tensor, GeneratorError> + 'a;

/// A term of a generator's own.
#[derive(Debug)]
pub struct Fitted {
    /// In logs and curves.
    pub name: &'static str,
    /// Its share in the sum.
    pub weight: f64,
    /// A scalar.
    pub value: Tensor,
}

/// The generator that the settings name; its numbers are a function of the seed.
///
/// # Errors
/// Numbers that make none; libtorch's.
pub fn open(settings: &Settings, seed: u64, device: Device) -> Result<Box<dyn Generator>, GeneratorError> {
    Ok(match settings {
        Settings::Flow { preset, .. } => Box::new(FlowGenerator::new(preset, seed, device)?),
        Settings::Gan { latent, width } => Box::new(Gan::new(*latent, *width, seed, device)?),
        Settings::Adversarial { steps, radius } => Box::new(Adversarial::new(*steps, *radius)),
    })
}

/// The terms of the segmenter's feedback; `of_phase` are those it is trained by itself.
pub fn feedback(lessons: &Lessons, of_phase: &[Weighted]) -> Vec<Weighted> {
    lessons
        .feedback
        .terms(of_phase)
        .into_iter()
        .map(|w| Weighted { weight: w.weight * lessons.lambda, ..w })
        .collect()
}
