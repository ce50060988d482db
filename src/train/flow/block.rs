//! A block: units, and noise that comes in between them (the cross-unit coupling of DenseFlow; Grcić et al., 2021).
//!
//! Before each unit but the first, g channels y = μ + σ·e are put behind what there is, where e ~ N(0, 1), and a
//! network makes μ and ln σ of the outputs of all earlier units of the block. The picture's density is then that of
//! picture and noise together with the noise taken out by an integral, and for one draw
//! ```text
//! ln p(z, y) − ln q(y | z),   with   ln q(y | z) = ln N(e) − Σ ln σ
//! ```
//! is a lower bound of it in the mean. The way back knows y as it knows z: it splits it off and drops it.

use tch::Tensor;

use super::axes::sum_per_image;
use super::conditioner::Conditioner;
use super::gaussian::log_density;
use super::pass::Pass;
use super::unit::Unit;
use super::{BlockSpec, FlowError, FlowSpec};
use crate::train::model::declare::Declare;

/// Its units, in the order of a forward pass, each with the noise before it.
#[derive(Debug)]
pub(super) struct Block {
    units: Vec<(Option<Crossing>, Unit)>,
}

impl Block {
    /// Of `channels` at its begin.
    pub(super) fn declare(
        declare: &mut Declare,
        name: &str,
        mut channels: usize,
        block: BlockSpec,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        let mut units = Vec::new();
        let mut earlier = 0;
        for index in 0..block.units {
            let name = format!("{name}.unit{index}");
            let crossing = if index > 0 && spec.growth > 0 {
                channels += spec.growth;
                Some(Crossing::declare(declare, &format!("{name}.cross"), earlier, spec)?)
            } else {
                None
            };
            units.push((crossing, Unit::declare(declare, &name, channels, block.modules, spec)?));
            earlier += channels;
        }
        Ok(Self { units })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, FlowError> {
        let mut x = x.shallow_clone();
        let mut outputs = Vec::new();
        for (crossing, unit) in &self.units {
            if let Some(crossing) = crossing {
                x = Tensor::f_cat(&[&x, &crossing.draw(&outputs, pass)?], 1)?;
            }
            x = unit.forward(&x, pass)?;
            outputs.push(x.shallow_clone());
        }
        Ok(x)
    }

    pub(super) fn inverse(&self, z: &Tensor) -> Result<Tensor, FlowError> {
        let mut x = z.shallow_clone();
        for (crossing, unit) in self.units.iter().rev() {
            x = unit.inverse(&x)?;
            if let Some(crossing) = crossing {
                let (_, channels, ..) = x.size4()?;
                x = x.f_narrow(1, 0, channels - crossing.growth)?;
            }
        }
        Ok(x)
    }
}

/// Noise that comes in.
#[derive(Debug)]
struct Crossing {
    conditioner: Conditioner,
    growth: i64,
}

impl Crossing {
    /// That reads outputs of `earlier` channels in all.
    fn declare(
        declare: &mut Declare,
        name: &str,
        earlier: usize,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        let conditioner = Conditioner::declare(declare, name, earlier, spec.growth, spec)?;
        Ok(Self { conditioner, growth: spec.growth as i64 })
    }

    /// y = μ + σ·e, `[N,g,h,w]`
    fn draw(&self, outputs: &[Tensor], pass: &mut Pass) -> Result<Tensor, FlowError> {
        let (mean, log_deviation) = self.conditioner.forward(&Tensor::f_cat(outputs, 1)?)?;
        let e = pass.noise.normal(&mean.size(), (mean.f_kind()?, mean.device()))?;
        let y = e.f_mul(&log_deviation.f_exp()?)?.f_add(&mean)?;
        let surprise = sum_per_image(&log_deviation)?.f_sub(&log_density(&e)?)?;
        pass.add_noise(e, &surprise)?;
        Ok(y)
    }
}
