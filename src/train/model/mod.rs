//! The networks: an encoder, a ladder that climbs back to stride 4, a class head and a dataset head.
//!
//! Place: between the batches and the losses. [`describe`] says over [`ops`] what each network is; [`torch`]
//! carries the description out with libtorch, [`count`] adds it up, `export` writes it as ONNX. [`Network`] is the
//! seam to the loop: a [`torch::TorchNetwork`] is one, and so is a TorchScript module from outside ([`script`]).
//!
//! Deliberately does not know: losses, optimizers, data, files of checkpoints.
//!
//! # Modules, in reading order
//! `spec` ▸ [`ops`] ▸ `blocks` ▸ `lite0`, `densenet`, `tiny` ▸ `ladder` ▸ `part`, [`parameters`] ▸ [`declare`] ▸ [`torch`] ▸
//! [`count`] ▸ [`weights`] ▸ [`script`]

mod blocks;
pub mod count;
pub mod declare;
mod densenet;
mod error;
#[cfg(test)]
mod golden;
mod ladder;
mod lite0;
pub mod ops;
pub mod parameters;
mod part;
pub mod script;
mod spec;
#[cfg(test)]
mod tests;
mod tiny;
pub mod torch;
pub mod weights;

use tch::Tensor;

pub use error::NetworkError;
pub use ops::Ops;
pub use parameters::{Parameter, Parameters};
pub use part::{Part, Role};
pub use spec::{Architecture, DatasetHead, Spec};
pub use torch::{Precision, TorchNetwork};

/// Of the class head and the dataset head alike: what PyTorch's `BatchNorm2d` has.
const HEAD_EPSILON: f64 = 1e-5;
const HEAD_MOMENTUM: f64 = 0.1;

/// Rows and columns of the image to one of the outputs.
pub const STRIDE: usize = 4;

/// What a network says of a batch, at stride 4.
#[derive(Debug)]
pub struct Outputs {
    /// What both heads read, z = f1(x): `[N, C, h, w]`.
    pub pre_logits: Tensor,
    /// Of the K known classes, s = f2(z): `[N, K, h, w]`.
    pub logits: Tensor,
    /// Logit of being an outlier, P(d_out|x) = σ(·) (eq. 8): `[N, 1, h, w]`.
    pub dataset_logits: Tensor,
}

/// What batch normalisation normalises by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the batch's own statistics, which also move the running ones; a frozen part is as in `Eval`.
    Train,
    /// By the running statistics.
    Eval,
}

/// What the training loop trains.
pub trait Network {
    /// Runs the network on `[N, 3, H, W]`, normalised images; gradients are recorded unless the caller is under
    /// `tch::no_grad`.
    ///
    /// # Errors
    /// What libtorch reports, with the layer; a batch of one value per channel, in training.
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError>;
    /// All that training changes or keeps, by name.
    fn parameters(&self) -> &Parameters;
    /// Architecture and its numbers, in one line: a checkpoint of another identity is refused.
    fn identity(&self) -> String;
    /// Rows and columns of the image to one of the outputs.
    fn stride(&self) -> usize;
}

/// What [`describe`] gives: see [`Outputs`].
#[derive(Debug)]
pub struct Described<V> {
    /// `[N, C, h, w]`
    pub pre_logits: V,
    /// `[N, K, h, w]`
    pub logits: V,
    /// `[N, 1, h, w]`
    pub dataset_logits: V,
}

/// The one description of every network: encoder, ladder, heads (BN, ReLU, 1×1 with bias).
///
/// # Errors
/// What `ops` reports.
pub fn describe<O: Ops>(spec: &Spec, ops: &mut O, image: &O::Value) -> Result<Described<O::Value>, O::Error> {
    let features = features(spec.architecture, ops, image)?;
    let pre_logits = ladder::climb(&spec.ladder(), ops, features)?;
    let width = spec.pre_logits();
    let logits = head(ops, "class_head", &pre_logits, width, spec.classes)?;
    let outlier = head(ops, "dataset_head", &pre_logits, width, 1)?;
    let dataset_logits = match spec.dataset_head {
        DatasetHead::Independent => outlier,
        DatasetHead::Tied => ops.subtract_log_sum_exp(&outlier, &logits)?,
    };
    Ok(Described { pre_logits, logits, dataset_logits })
}

/// The encoder alone: features at strides 4, 8, 16 and 32.
///
/// # Errors
/// What `ops` reports.
pub fn features<O: Ops>(
    architecture: Architecture,
    ops: &mut O,
    image: &O::Value,
) -> Result<[O::Value; 4], O::Error> {
    match architecture {
        Architecture::Lite0 => lite0::encode(ops, image),
        Architecture::Ldn121 => densenet::encode(ops, image),
        Architecture::Tiny => tiny::encode(ops, image),
    }
}

/// BN, ReLU, 1×1 with bias: parameters `name.norm.*` and `name.conv.*`.
///
/// # Errors
/// What `ops` reports.
pub fn head<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    inputs: usize,
    outputs: usize,
) -> Result<O::Value, O::Error> {
    let norm = ops::BatchNorm { channels: inputs, epsilon: HEAD_EPSILON, momentum: HEAD_MOMENTUM };
    blocks::norm_relu_conv(ops, name, x, norm, blocks::point(inputs, outputs, true))
}
