//! Where a flow's random numbers come from: from a source that the caller gives, and nowhere else.
//!
//! The source is ChaCha8 on the CPU, whose numbers are copied to where the flow is. libtorch's own generators would
//! be faster on a GPU, but they are one for all of the process: what another thread draws in between, or a test
//! beside this one, changes what a flow gets, and a GPU's numbers are not a CPU's. A training that takes a source of
//! its own for every step (`data::generator` of seed, phase and step) can be resumed at any step and draws what it
//! would have drawn, on any device and with any number of threads.
//!
//! Noise has no gradient. Where it is shifted and scaled by parameters, they have (the reparametrisation of
//! Kingma and Welling, 2014).

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::FlowError;
use crate::train::model::numbers::normals;

/// A source of noise; what is drawn moves it on.
#[derive(Debug)]
pub struct Noise(Source);

#[derive(Debug)]
enum Source {
    Drawn(Box<ChaCha8Rng>),
    Given(VecDeque<Tensor>),
}

impl Noise {
    /// What this generator gives from here on.
    pub fn new(generator: ChaCha8Rng) -> Self {
        Self(Source::Drawn(Box::new(generator)))
    }

    /// A function of a number.
    pub fn seeded(seed: u64) -> Self {
        Self::new(ChaCha8Rng::seed_from_u64(seed))
    }

    /// These tensors one after the other, whatever distribution is asked for: with [`super::Encoded::noises`], a
    /// picture is encoded again just as it was.
    pub fn given(tensors: impl IntoIterator<Item = Tensor>) -> Self {
        Self(Source::Given(tensors.into_iter().collect()))
    }

    /// N(0, 1)
    ///
    /// # Errors
    /// Given tensors of other shapes, or none left; libtorch's.
    pub fn normal(&mut self, shape: &[i64], at: (Kind, Device)) -> Result<Tensor, FlowError> {
        self.draw(shape, at, |rng, count| normals(rng, count, 1.0))
    }

    /// Even over \[0, 1), in steps of 2⁻²⁴: all of them are f32 numbers.
    ///
    /// # Errors
    /// As [`Noise::normal`].
    pub fn uniform(&mut self, shape: &[i64], at: (Kind, Device)) -> Result<Tensor, FlowError> {
        self.draw(shape, at, |rng, count| {
            (0..count).map(|_| (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32).collect()
        })
    }

    fn draw(
        &mut self,
        shape: &[i64],
        (kind, device): (Kind, Device),
        numbers: impl FnOnce(&mut ChaCha8Rng, usize) -> Vec<f32>,
    ) -> Result<Tensor, FlowError> {
        let tensor = match &mut self.0 {
            Source::Drawn(rng) => {
                // Sides are never negative.
                let count: usize = shape.iter().map(|side| *side as usize).product();
                Tensor::f_from_slice(&numbers(rng.as_mut(), count))?.f_view(shape)?
            }
            Source::Given(tensors) => tensors.pop_front().ok_or(FlowError::NoNoise)?,
        };
        let got = tensor.size();
        if got != shape {
            return Err(FlowError::Shape { what: "noises given", got, expected: format!("{shape:?} here") });
        }
        Ok(tensor.f_to_device(device)?.f_to_kind(kind)?)
    }
}

/// Uniform dequantisation: x + u of 8-bit colours x, 0..=255 in any kind of number, with u in \[0, 1); f32, 0..256.
///
/// A density of what comes out gives a lower bound for the probability of the 8-bit picture: by Jensen's inequality
/// E_u\[ln p(x + u)\] ≤ ln ∫ p(x + u) du = ln P(x).
///
/// # Errors
/// libtorch's.
pub fn dequantise(images: &Tensor, noise: &mut Noise) -> Result<Tensor, FlowError> {
    let u = noise.uniform(&images.size(), (Kind::Float, images.device()))?;
    Ok(images.f_to_kind(Kind::Float)?.f_add(&u)?)
}
