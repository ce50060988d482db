//! A description carried out by libtorch, with gradients.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::declare::declare;
use super::ops::{BatchNorm, Conv, Ops, Pool};
use super::parameters::Parameters;
use super::part::Part;
use super::{Described, Mode, Network, NetworkError, Outputs, STRIDE, Spec, describe};

/// What convolutions compute in. Parameters, statistics, both heads and what comes out are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    F32,
    /// Activations and, for the convolution itself, weights of 16 bits, cast explicitly: libtorch's own autocast
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

    /// What its convolutions compute in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The encoder alone: features at strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn features(&self, images: &Tensor, mode: Mode) -> Result<[Tensor; 4], NetworkError> {
        super::features(self.spec.architecture, &mut self.ops(mode), images)
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
        STRIDE
    }
}

/// Ops over tensors `[N, C, h, w]`.
#[derive(Debug)]
pub struct TorchOps<'a> {
    /// What the layers' names refer to.
    pub parameters: &'a Parameters,
    /// What batch normalisation normalises by.
    pub mode: Mode,
    /// What convolutions outside the heads compute in.
    pub precision: Precision,
}

impl TorchOps<'_> {
    /// What a layer computes in.
    fn kind(&self, name: &str) -> Kind {
        match (self.precision, Part::of(name)) {
            (Precision::F32, _) | (_, Some(Part::ClassHead | Part::DatasetHead) | None) => Kind::Float,
            (Precision::Bf16, _) => Kind::BFloat16,
        }
    }

    fn tensor(&self, layer: &str, suffix: &str) -> Result<&Tensor, NetworkError> {
        self.parameters.tensor(&format!("{layer}.{suffix}"))
    }
}

impl Ops for TorchOps<'_> {
    type Value = Tensor;
    type Error = NetworkError;

    fn conv(&mut self, name: &str, x: &Tensor, conv: Conv) -> Result<Tensor, NetworkError> {
        let kind = self.kind(name);
        let weight = self.tensor(name, "weight")?;
        let bias = if conv.bias { Some(self.tensor(name, "bias")?) } else { None };
        let (before, after) = (conv.padding.0 as i64, conv.padding.1 as i64);
        let (stride, groups) = (conv.stride as i64, conv.groups as i64);
        let run = || {
            let mut x = x.f_to_kind(kind)?;
            let mut around = before;
            if before != after {
                x = x.f_constant_pad_nd([before, after, before, after])?;
                around = 0;
            }
            let bias = bias.map(|b| b.f_to_kind(kind)).transpose()?;
            x.f_conv2d(&weight.f_to_kind(kind)?, bias, [stride; 2], [around; 2], [1, 1], groups)
        };
        run().map_err(NetworkError::at(name))
    }

    fn batch_norm(&mut self, name: &str, x: &Tensor, norm: BatchNorm) -> Result<Tensor, NetworkError> {
        let frozen = Part::of(name).is_some_and(|part| self.parameters.is_frozen(part));
        let train = self.mode == Mode::Train && !frozen;
        if train && x.numel() <= norm.channels {
            return Err(NetworkError::OneValue { layer: name.to_owned() });
        }
        let [weight, bias, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|suffix| self.tensor(name, suffix));
        let (weight, bias, mean, variance) = (weight?, bias?, mean?, variance?);
        let run = || {
            // The heads' are in f32: what comes from the trunk may not be.
            x.f_to_kind(self.kind(name))?.f_batch_norm(
                Some(weight),
                Some(bias),
                Some(mean),
                Some(variance),
                train,
                norm.momentum,
                norm.epsilon,
                true,
            )
        };
        run().map_err(NetworkError::at(name))
    }

    fn relu(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        x.f_relu().map_err(NetworkError::at("a ReLU"))
    }

    fn relu6(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        x.f_relu6().map_err(NetworkError::at("a ReLU6"))
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor, NetworkError> {
        a.f_add(b).map_err(NetworkError::at("a sum"))
    }

    fn concat(&mut self, parts: &[&Tensor]) -> Result<Tensor, NetworkError> {
        Tensor::f_cat(parts, 1).map_err(NetworkError::at("a concatenation"))
    }

    fn max_pool(&mut self, x: &Tensor, pool: Pool) -> Result<Tensor, NetworkError> {
        let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|n| [n as i64; 2]);
        x.f_max_pool2d(kernel, stride, padding, [1, 1], false).map_err(NetworkError::at("a max pool"))
    }

    fn avg_pool(&mut self, x: &Tensor, pool: Pool) -> Result<Tensor, NetworkError> {
        let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|n| [n as i64; 2]);
        x.f_avg_pool2d(kernel, stride, padding, false, false, None)
            .map_err(NetworkError::at("an average pool"))
    }

    fn adaptive_avg_pool(&mut self, x: &Tensor, side: usize) -> Result<Tensor, NetworkError> {
        x.f_adaptive_avg_pool2d([side as i64; 2]).map_err(NetworkError::at("a grid of means"))
    }

    fn resize_as(&mut self, x: &Tensor, like: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || {
            let (_, _, height, width) = like.size4()?;
            x.f_upsample_bilinear2d([height, width], false, None, None)
        };
        run().map_err(NetworkError::at("a resize"))
    }

    fn subtract_log_sum_exp(&mut self, g: &Tensor, s: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || g.f_subtract(&s.f_logsumexp([1], true)?);
        run().map_err(NetworkError::at("the tied dataset logit"))
    }
}
