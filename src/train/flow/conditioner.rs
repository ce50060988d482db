//! The network inside a coupling: what it reads decides how something else is shifted and scaled. It is never
//! inverted, so it can be any network.
//!
//! ```text
//! x ─▶ k×k ─▶ f0          fl = k×k(relu(1×1(relu([f0, ..., f(l−1)]))))          [shift, s] = 1×1(relu([f0, ..., fL]))
//! ```
//! k is 3 in a flow of pictures, 1 where there are no neighbours to read.
//! Dense layers, as in DenseFlow: each reads all before it. There is no normalisation inside.

use tch::Tensor;

use super::{FlowError, FlowSpec};
use crate::train::model::Role;
use crate::train::model::declare::Declare;

/// Its layers.
#[derive(Debug)]
pub(super) struct Conditioner {
    entry: Conv,
    dense: Vec<[Conv; 2]>,
    last: Conv,
}

impl Conditioner {
    /// `hidden` channels wide and `layers` deep, as the spec has it; of `outputs` channels of shifts, and as many of
    /// scales. Its last layer begins with zeros: nothing is shifted, nothing scaled.
    pub(super) fn declare(
        declare: &mut Declare,
        name: &str,
        inputs: usize,
        outputs: usize,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        let FlowSpec { hidden, layers, kernel, .. } = *spec;
        let entry = Conv::declare(declare, &format!("{name}.entry"), inputs, hidden, kernel, Start::He)?;
        let mut dense = Vec::new();
        for layer in 0..layers {
            let at = format!("{name}.dense{layer}");
            dense.push([
                Conv::declare(declare, &format!("{at}.narrow"), hidden * (layer + 1), hidden, 1, Start::He)?,
                Conv::declare(declare, &format!("{at}.conv"), hidden, hidden, kernel, Start::He)?,
            ]);
        }
        let all = hidden * (layers + 1);
        let last = Conv::declare(declare, &format!("{name}.last"), all, 2 * outputs, 1, Start::Zero)?;
        Ok(Self { entry, dense, last })
    }

    /// Shift and log-scale, 2·tanh(s/2): a scale is between e⁻² and e², about e^s for a small s.
    pub(super) fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor), FlowError> {
        let mut features = self.entry.forward(x)?;
        for [narrow, conv] in &self.dense {
            let next = narrow.forward(&features.f_relu()?)?;
            let next = conv.forward(&next.f_relu()?)?;
            features = Tensor::f_cat(&[&features, &next], 1)?;
        }
        let both = self.last.forward(&features.f_relu()?)?;
        let (_, channels, ..) = both.size4()?;
        let shift = both.f_narrow(1, 0, channels / 2)?;
        let s = both.f_narrow(1, channels / 2, channels / 2)?;
        Ok((shift, s.f_mul_scalar(0.5)?.f_tanh()?.f_mul_scalar(2.0)?))
    }
}

/// What a convolution begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Normal numbers of variance 2 / fan-in (He et al., 2015), the bias 0.
    He,
    /// 0
    Zero,
}

/// A convolution whose output is as large as its input.
#[derive(Debug)]
struct Conv {
    /// `[outputs, inputs, kernel, kernel]`
    weight: Tensor,
    /// `[outputs]`
    bias: Tensor,
    padding: i64,
}

impl Conv {
    fn declare(
        declare: &mut Declare,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        start: Start,
    ) -> Result<Self, FlowError> {
        let weight = format!("{name}.weight");
        let shape = [outputs, inputs, kernel, kernel];
        let fan_in = inputs * kernel * kernel;
        let values = match start {
            Start::He => declare.normals(&weight, outputs * fan_in, (2.0 / fan_in as f64).sqrt()),
            Start::Zero => vec![0.0; outputs * fan_in],
        };
        let weight = declare.shared(&weight, &values, &shape.map(|side| side as i64), Role::Weight)?;
        let zeros = vec![0.0; outputs];
        let bias = declare.shared(&format!("{name}.bias"), &zeros, &[outputs as i64], Role::Scale)?;
        Ok(Self { weight, bias, padding: (kernel / 2) as i64 })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, FlowError> {
        let kind = x.f_kind()?;
        let (weight, bias) = (self.weight.f_to_kind(kind)?, self.bias.f_to_kind(kind)?);
        Ok(x.f_conv2d(&weight, Some(bias), [1, 1], [self.padding; 2], [1, 1], 1)?)
    }
}
