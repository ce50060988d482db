//! What a run from pictures to latents gathers on its way.

use tch::Tensor;

use super::{FlowError, Noise};

/// Of one run.
pub(super) struct Pass<'a> {
    pub(super) noise: &'a mut Noise,
    /// Whether activation normalisations take their numbers from what comes by.
    pub(super) initialise: bool,
    /// ln |det| of the steps so far, `[N]`.
    pub(super) volume: Tensor,
    /// −ln N(e) + Σ ln σ of the noise so far, `[N]`.
    pub(super) surprise: Tensor,
    /// e, in the order in which they were drawn.
    pub(super) noises: Vec<Tensor>,
}

impl<'a> Pass<'a> {
    /// Of pictures `x`.
    pub(super) fn new(x: &Tensor, noise: &'a mut Noise, initialise: bool) -> Result<Self, FlowError> {
        let (count, ..) = x.size4()?;
        let zeros = || Tensor::f_zeros([count], (x.f_kind()?, x.device()));
        Ok(Self { noise, initialise, volume: zeros()?, surprise: zeros()?, noises: Vec::new() })
    }

    /// A step's ln |det|: `[N]`, or `[]` where it is the same for all.
    pub(super) fn add_volume(&mut self, log_det: &Tensor) -> Result<(), FlowError> {
        self.volume = self.volume.f_add(log_det)?;
        Ok(())
    }

    /// −ln N(e) + Σ ln σ of noise just drawn: `[N]`.
    pub(super) fn add_noise(&mut self, e: Tensor, surprise: &Tensor) -> Result<(), FlowError> {
        self.surprise = self.surprise.f_add(surprise)?;
        self.noises.push(e);
        Ok(())
    }
}
