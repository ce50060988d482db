//! DenseFlow: a normalizing flow of pictures, from whose samples synthetic negatives are made.
//!
//! Place: beside the segmentation network, trained together with it (DenseHybrid, Sec. 4.2, eqs. 16 and 17). A
//! [`Flow`] is an invertible map h between pictures and noise of the same dimension, put together of small steps
//! whose inverse and whose ln |det| are known. So it can say how likely a picture is ([`Flow::log_likelihood`],
//! L_mle) and make new ones ([`Flow::sample`]), through which gradients go
//! ([`crate::train::losses::jensen_shannon_to_uniform`], L_jsd).
//!
//! # The walk of a picture
//! ```text
//! x [N,3,H,W]  0..256     ─▶ x/256 − ½
//!   squeeze ─▶ block 1, [N,12+,H/2,W/2]   ─▶ half of the channels are latents
//!   squeeze ─▶ block 2, on what is left, at H/4  ─▶ half of the channels are latents
//!   squeeze ─▶ block 3, on what is left, at H/8  ─▶ all of them are latents
//!
//! block:   unit ─▶ [·, y] ─▶ unit ─▶ [·, y] ─▶ unit ...    y: noise, shifted and scaled by what all earlier units gave
//! unit:    module ─▶ module ─▶ ...
//! module:  activation normalisation ─▶ invertible 1×1 convolution ─▶ affine coupling
//! ```
//! Every step is a convolution or works on single pixels: a flow takes and makes pictures of any size whose sides are
//! multiples of [`STRIDE`], whatever it was trained on.
//!
//! Deviation: the networks inside the couplings are densely connected convolutions, without the attention (a Nyström
//! approximation) that DenseFlow has beside them; patches of negatives are small, and the flow has to be trained along
//! with a segmentation network. The paper's 45-6 does not say how modules are dealt to blocks: see [`FlowSpec`].
//!
//! # Modules, in reading order
//! `spec` ▸ `noise` ▸ `axes`, `pass` ▸ `norm`, `rotation`, `mix`, `conditioner`, `coupling` ▸ `unit` ▸ `block` ▸
//! `gaussian` ▸ `likelihood` ▸ `density` ▸ `features` ▸ `error`
//!
//! Deliberately does not know: data sets, segmentation networks, optimizers, files.

mod axes;
mod block;
mod conditioner;
mod coupling;
mod density;
mod error;
mod features;
mod gaussian;
mod likelihood;
mod mix;
mod noise;
mod norm;
mod pass;
mod rotation;
mod spec;
#[cfg(test)]
mod tests;
mod unit;

pub use density::{Encoded, Flow};
pub use error::FlowError;
pub use features::FeatureDensity;
pub use likelihood::{LogLikelihood, bits_per_dimension};
pub use noise::{Noise, dequantise};
pub use spec::{BlockSpec, FlowSpec};

/// Rows and columns of a picture to one of the last latents: both sides of a picture are multiples of it.
pub const STRIDE: i64 = 8;
