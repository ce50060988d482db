//! The networks: an encoder, what makes one map of its features, a class head and a dataset head.
//!
//! Place: between the batches and the losses. [`describe`] says over [`ops`] what each network is; [`torch`]
//! carries the description out with libtorch, [`count`] adds it up, `export` writes it as ONNX. [`Network`] is the
//! seam to the loop: a [`torch::TorchNetwork`] is one, and so is a TorchScript module from outside ([`script`]).
//!
//! Deliberately does not know: losses, optimizers, data, files of checkpoints.
//!
//! # Modules, in reading order
//! `spec`, `architecture` ▸ [`ops`] ▸ `blocks` ▸ `lite0`, `densenet`, `resnet`, `tiny` ▸ `ladder` ▸ `transformer` ▸
//! `vit`, `segmenter` ▸ `swin`, `upernet` ▸ `part`, [`parameters`] ▸ `numbers` ▸ [`declare`] ▸ [`torch`] ▸ [`count`] ▸
//! [`weights`] ▸ [`script`]

mod architecture;
mod blocks;
pub mod count;
pub mod declare;
mod densenet;
mod error;
#[cfg(test)]
mod golden;
mod ladder;
mod lite0;
pub(in crate::train) mod numbers;
pub mod ops;
pub mod parameters;
mod part;
mod resnet;
pub mod script;
mod segmenter;
mod spec;
mod swin;
#[cfg(test)]
mod tests;
mod tiny;
pub mod torch;
mod transformer;
mod upernet;
mod vit;
pub mod weights;

use tch::Tensor;

use architecture::Design;

pub use architecture::Architecture;
pub use error::NetworkError;
pub use ops::Ops;
pub use parameters::{Parameter, Parameters};
pub use part::{Part, Role};
pub use spec::{DatasetHead, Spec};
pub use torch::{Precision, TorchNetwork};

/// Of the class head and the dataset head alike: what PyTorch's `BatchNorm2d` has.
const HEAD_EPSILON: f64 = 1e-5;
const HEAD_MOMENTUM: f64 = 0.1;

/// Stride of the finest feature of a pyramid, and with it of what is made of its features.
const FINEST: usize = 4;

/// What a network says of a batch, at its own stride.
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

/// The one description of every network: encoder, decoder, heads (BN, ReLU, 1×1 with bias; a Segmenter's class head is
/// its own).
///
/// # Errors
/// What `ops` reports.
pub fn describe<O: Ops>(spec: &Spec, ops: &mut O, image: &O::Value) -> Result<Described<O::Value>, O::Error> {
    let (width, classes) = (spec.pre_logits(), spec.classes);
    let [pre_logits, logits, outlier] = match spec.design() {
        Design::Pyramid(encoder, decoder) => {
            let features = encoder.encode(ops, image)?;
            let pre_logits = decoder.decode(ops, features)?;
            let logits = head(ops, "class_head", &pre_logits, width, classes)?;
            let outlier = head(ops, "dataset_head", &pre_logits, width, 1)?;
            [pre_logits, logits, outlier]
        }
        Design::Segmenter(vit) => {
            let segmenter::Masks { pre_logits, logits } = segmenter::segment(vit, classes, ops, image)?;
            let outlier = head(ops, "dataset_head", &pre_logits, width, 1)?;
            // Published: the masks are enlarged, and what lies beyond the image is cut off.
            [
                ops.cut_to_image(&pre_logits, image, vit.patch)?,
                ops.cut_to_image(&logits, image, vit.patch)?,
                ops.cut_to_image(&outlier, image, vit.patch)?,
            ]
        }
    };
    let dataset_logits = match spec.dataset_head {
        DatasetHead::Independent => outlier,
        DatasetHead::Tied => ops.subtract_log_sum_exp(&outlier, &logits)?,
    };
    Ok(Described { pre_logits, logits, dataset_logits })
}

/// The encoder alone: features at strides 4, 8, 16 and 32; of a Segmenter its patches at stride 16.
///
/// # Errors
/// What `ops` reports.
pub fn features<O: Ops>(spec: &Spec, ops: &mut O, image: &O::Value) -> Result<Vec<O::Value>, O::Error> {
    match spec.design() {
        Design::Pyramid(encoder, _) => Ok(encoder.encode(ops, image)?.into()),
        Design::Segmenter(vit) => {
            let vit::Encoded { tokens, grid } = vit::encode(vit, ops, image)?;
            Ok(vec![ops.to_map(&tokens, &grid)?])
        }
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
