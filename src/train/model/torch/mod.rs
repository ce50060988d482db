//! A description carried out by libtorch, with gradients.

mod ops;
mod tokens;
mod windows;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::declare::declare;
use super::parameters::Parameters;
use super::{Described, Mode, Network, NetworkError, Outputs, Spec, describe};

pub use ops::TorchOps;

/// What convolutions, linear maps and attention compute in. Parameters, statistics, layer normalisation, both heads and
/// what comes out are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    F32,
    /// Activations and, for the layer itself, weights of 16 bits, cast explicitly: libtorch's own autocast
    /// is out of tch's reach on a CPU. No loss scaling is needed, bf16 has f32's range.
    Bf16,
}

/// A network of this crate: its spec and its parameters.
#[derive(Debug)]
pub struct TorchNetwork {
    spec: Spec,
    parameters: Parameters,
    precision: Precision,
}

impl TorchNetwork {
    /// A network with fresh parameters, which are a function of the spec and the seed.
    ///
    /// # Errors
    /// A spec that is none; libtorch's.
    pub fn new(spec: Spec, seed: u64, precision: Precision, device: Device) -> Result<Self, NetworkError> {
        let parameters = declare(&spec, seed, device)?;
        Ok(TorchNetwork { spec, parameters, precision })
    }

    /// Its numbers.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What its layers compute in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The encoder alone: features at strides 4, 8, 16 and 32; of a Segmenter its patches at stride 16.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn features(&self, images: &Tensor, mode: Mode) -> Result<Vec<Tensor>, NetworkError> {
        super::features(&self.spec, &mut self.ops(mode), images)
    }

    fn ops(&self, mode: Mode) -> TorchOps<'_> {
        TorchOps { parameters: &self.parameters, mode, precision: self.precision }
    }
}

impl Network for TorchNetwork {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError> {
        let Described { pre_logits, logits, dataset_logits } =
            describe(&self.spec, &mut self.ops(mode), images)?;
        Ok(Outputs { pre_logits: pre_logits.f_to_kind(Kind::Float)?, logits, dataset_logits })
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn identity(&self) -> String {
        self.spec.identity()
    }

    fn stride(&self) -> usize {
        self.spec.stride()
    }
}
