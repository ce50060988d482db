//! Makes a network's parameters from its description: an [`Ops`] whose values are numbers of channels.
//!
//! Each parameter's numbers are a function of (seed, name): a change to one layer leaves the others' numbers.

use tch::{Device, Tensor};

use super::numbers::{generator, normals};
use super::ops::{BatchNorm, Conv, LayerNorm, Linear, Ops, Pool, Positions, Tokens, Window};
use super::parameters::Parameters;
use super::part::{Part, Role};
use super::{NetworkError, Spec, describe};

/// Of the heads' weights: their first logits are next to 0 whatever the features are.
const HEAD_DEVIATION: f64 = 0.01;

/// Of linear maps, learned tokens and positions, as transformers are published with.
const TOKEN_DEVIATION: f64 = 0.02;

/// The parameters of a network: convolutions normal with variance 2 / fan-out (He et al. 2015; fan-out = k² outputs /
/// groups), the heads' with deviation 0.01; linear maps, tokens and positions with deviation 0.02, linear maps of a
/// class head with variance 1 / inputs; normalisation 1 and 0; biases 0; running mean 0, variance 1.
///
/// # Errors
/// A spec that is none; libtorch's.
pub(super) fn declare(spec: &Spec, seed: u64, device: Device) -> Result<Parameters, NetworkError> {
    spec.check()?;
    let mut declared = Declare::new(seed, device);
    describe(spec, &mut declared, &3)?;
    Ok(declared.parameters)
}

/// Adds the parameters of a head that reads another network's pre-logits, as [`super::head`] describes it.
///
/// # Errors
/// There are such parameters already; the name is no head's; libtorch's.
pub fn declare_head(
    parameters: Parameters,
    name: &str,
    inputs: usize,
    outputs: usize,
    seed: u64,
) -> Result<Parameters, NetworkError> {
    let device = parameters.device();
    let mut declared = Declare { parameters, seed, device };
    super::head(&mut declared, name, &inputs, inputs, outputs)?;
    Ok(declared.parameters)
}

/// Parameters that are being made.
pub(in crate::train) struct Declare {
    parameters: Parameters,
    seed: u64,
    device: Device,
}

impl Declare {
    /// None yet.
    pub(in crate::train) fn new(seed: u64, device: Device) -> Self {
        Self { parameters: Parameters::new(), seed, device }
    }

    /// All that were made.
    pub(in crate::train) fn into_parameters(self) -> Parameters {
        self.parameters
    }

    /// `count` draws from N(0, deviation²) for the parameter of that name.
    pub(in crate::train) fn normals(&self, name: &str, count: usize, deviation: f64) -> Vec<f32> {
        normals(&mut generator(self.seed, name), count, deviation)
    }

    /// Adds a parameter, and gives a handle to it: it sees what training makes of the numbers.
    pub(in crate::train) fn shared(
        &mut self,
        name: &str,
        values: &[f32],
        shape: &[i64],
        role: Role,
    ) -> Result<Tensor, NetworkError> {
        self.insert(name, values, shape, role)?;
        Ok(self.parameters.tensor(name)?.shallow_clone())
    }

    fn insert(&mut self, name: &str, values: &[f32], shape: &[i64], role: Role) -> Result<(), NetworkError> {
        let tensor = Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(self.device)?;
        self.parameters.insert(name, tensor, role)
    }

    fn filled(&mut self, name: &str, value: f32, channels: usize, role: Role) -> Result<(), NetworkError> {
        self.insert(name, &vec![value; channels], &[channels as i64], role)
    }

    fn drawn(&mut self, name: &str, shape: &[usize], deviation: f64, role: Role) -> Result<(), NetworkError> {
        let values = self.normals(name, shape.iter().product(), deviation);
        let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        self.insert(name, &values, &shape, role)
    }
}

fn same(layer: &str, expected: usize, got: usize) -> Result<(), NetworkError> {
    if expected == got {
        return Ok(());
    }
    Err(NetworkError::Channels { layer: layer.to_owned(), expected, got })
}

impl Ops for Declare {
    type Value = usize;
    type Error = NetworkError;

    fn conv(&mut self, name: &str, x: &usize, conv: Conv) -> Result<usize, NetworkError> {
        same(name, conv.inputs, *x)?;
        let Conv { inputs, outputs, kernel, groups, .. } = conv;
        let shape = [outputs, inputs / groups.max(1), kernel, kernel];
        let fan_out = kernel * kernel * outputs / groups.max(1);
        let deviation = match Part::of(name) {
            Some(Part::ClassHead | Part::DatasetHead) => HEAD_DEVIATION,
            _ => (2.0 / fan_out.max(1) as f64).sqrt(),
        };
        self.drawn(&format!("{name}.weight"), &shape, deviation, Role::Weight)?;
        if conv.bias {
            self.filled(&format!("{name}.bias"), 0.0, outputs, Role::Scale)?;
        }
        Ok(outputs)
    }

    fn batch_norm(&mut self, name: &str, x: &usize, norm: BatchNorm) -> Result<usize, NetworkError> {
        same(name, norm.channels, *x)?;
        for (suffix, value, role) in [
            ("weight", 1.0, Role::Scale),
            ("bias", 0.0, Role::Scale),
            ("running_mean", 0.0, Role::Buffer),
            ("running_var", 1.0, Role::Buffer),
        ] {
            self.filled(&format!("{name}.{suffix}"), value, norm.channels, role)?;
        }
        Ok(norm.channels)
    }

    fn relu(&mut self, x: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn relu6(&mut self, x: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn add(&mut self, a: &usize, b: &usize) -> Result<usize, NetworkError> {
        same("a sum", *a, *b)?;
        Ok(*a)
    }

    fn concat(&mut self, parts: &[&usize]) -> Result<usize, NetworkError> {
        Ok(parts.iter().copied().sum())
    }

    fn max_pool(&mut self, x: &usize, _: Pool) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn avg_pool(&mut self, x: &usize, _: Pool) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn adaptive_avg_pool(&mut self, x: &usize, _: usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn resize_as(&mut self, x: &usize, _: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn subtract_log_sum_exp(&mut self, g: &usize, _: &usize) -> Result<usize, NetworkError> {
        same("the dataset logit", 1, *g)?;
        Ok(*g)
    }

    fn gelu(&mut self, x: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn pad_to_multiple(&mut self, x: &usize, _: usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn space_to_depth(&mut self, x: &usize) -> Result<usize, NetworkError> {
        Ok(4 * x)
    }

    fn cut_to_image(&mut self, x: &usize, _: &usize, _: usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn add_positions(&mut self, name: &str, x: &usize, positions: Positions) -> Result<usize, NetworkError> {
        let Positions { channels, side } = positions;
        same(name, channels, *x)?;
        self.drawn(name, &[1, channels, side, side], TOKEN_DEVIATION, Role::Scale)?;
        Ok(*x)
    }

    fn to_tokens(&mut self, x: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn to_map(&mut self, x: &usize, _: &usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn to_windows(&mut self, x: &usize, _: &usize, _: Window) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn join_windows(&mut self, x: &usize, _: &usize, _: Window) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn linear(&mut self, name: &str, x: &usize, linear: Linear) -> Result<usize, NetworkError> {
        let Linear { inputs, outputs, bias } = linear;
        same(name, inputs, *x)?;
        let deviation = match Part::of(name) {
            Some(Part::ClassHead) => (1.0 / inputs.max(1) as f64).sqrt(),
            _ => TOKEN_DEVIATION,
        };
        self.drawn(&format!("{name}.weight"), &[outputs, inputs], deviation, Role::Weight)?;
        if bias {
            self.filled(&format!("{name}.bias"), 0.0, outputs, Role::Scale)?;
        }
        Ok(outputs)
    }

    fn layer_norm(&mut self, name: &str, x: &usize, norm: LayerNorm) -> Result<usize, NetworkError> {
        same(name, norm.channels, *x)?;
        for (suffix, value) in [("weight", 1.0), ("bias", 0.0)] {
            self.filled(&format!("{name}.{suffix}"), value, norm.channels, Role::Scale)?;
        }
        Ok(norm.channels)
    }

    fn attention(&mut self, qkv: &usize, heads: usize, bias: Option<&usize>) -> Result<usize, NetworkError> {
        let parts = 3 * heads.max(1);
        same("attention", qkv / parts * parts, *qkv)?;
        if let Some(of_heads) = bias {
            same("a bias of attention", heads, *of_heads)?;
        }
        Ok(qkv / 3)
    }

    fn window_bias(
        &mut self,
        name: &str,
        _: &usize,
        heads: usize,
        window: Window,
    ) -> Result<usize, NetworkError> {
        self.drawn(name, &[window.relative_places(), heads], TOKEN_DEVIATION, Role::Scale)?;
        Ok(heads)
    }

    fn append_tokens(&mut self, name: &str, x: &usize, tokens: Tokens) -> Result<usize, NetworkError> {
        same(name, tokens.channels, *x)?;
        self.drawn(name, &[tokens.count, tokens.channels], TOKEN_DEVIATION, Role::Scale)?;
        Ok(*x)
    }

    fn all_but_last(&mut self, x: &usize, _: usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn last(&mut self, x: &usize, _: usize) -> Result<usize, NetworkError> {
        Ok(*x)
    }

    fn cosines(&mut self, x: &usize, y: &usize, count: usize) -> Result<usize, NetworkError> {
        same("products of tokens", *x, *y)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, DatasetHead};
    use super::*;

    fn declared(architecture: Architecture) -> Parameters {
        let width = architecture.own_width().unwrap_or(16);
        let spec = Spec { architecture, classes: 5, width, dataset_head: DatasetHead::Independent };
        declare(&spec, 7, Device::Cpu).unwrap()
    }

    #[test]
    fn only_weights_decay() {
        for architecture in [Architecture::SegmenterTiny, Architecture::UperNetTiny] {
            let parameters = declared(architecture);
            for (name, parameter) in parameters.iter() {
                let expected = match name.rsplit('.').next().unwrap() {
                    "running_mean" | "running_var" => Role::Buffer,
                    "weight" if !name.contains(".norm") => Role::Weight,
                    "weight" | "bias" => Role::Scale,
                    "positions" | "relative_positions" | "class_token" | "class_tokens" => Role::Scale,
                    _ => panic!("{name} is of no kind"),
                };
                assert_eq!(parameter.role, expected, "{name}");
            }
        }
    }

    #[test]
    fn transformers_begin_as_published() {
        let segmenter = declared(Architecture::SegmenterTiny);
        let swin = declared(Architecture::UperNetTiny);
        for (parameters, name, shape, expected) in [
            (&segmenter, "encoder.block0.attention.qkv.weight", vec![96, 32], 0.02),
            (&segmenter, "encoder.positions", vec![1, 32, 4, 4], 0.02),
            (&segmenter, "class_head.classes.weight", vec![32, 32], (1.0f64 / 32.0).sqrt()),
            (&swin, "encoder.stage4.block1.mlp.narrow.weight", vec![64, 256], 0.02),
            (&swin, "encoder.stage4.block1.attention.relative_positions", vec![49, 8], 0.02),
        ] {
            let tensor = parameters.tensor(name).unwrap();
            assert_eq!(tensor.size(), shape, "{name}");
            let deviation = tensor.std(true).double_value(&[]);
            assert!((deviation / expected - 1.0).abs() < 0.15, "{name}: {deviation}");
        }
        assert_eq!(segmenter.tensor("decoder.class_tokens").unwrap().size(), [5, 32]);
        assert_eq!(segmenter.tensor("encoder.class_token").unwrap().size(), [1, 32]);
    }
}
