//! A unit: a chain of modules, each of which normalises, mixes and couples its channels.

use tch::Tensor;

use super::coupling::Coupling;
use super::mix::Mix;
use super::norm::ActNorm;
use super::pass::Pass;
use super::{FlowError, FlowSpec};
use crate::train::model::declare::Declare;

/// Its modules, in the order of a forward pass.
#[derive(Debug)]
pub(super) struct Unit {
    modules: Vec<Module>,
}

impl Unit {
    pub(super) fn declare(
        declare: &mut Declare,
        name: &str,
        channels: usize,
        modules: usize,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        let modules = (0..modules)
            .map(|index| Module::declare(declare, &format!("{name}.module{index}"), channels, spec))
            .collect::<Result<_, _>>()?;
        Ok(Self { modules })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, FlowError> {
        let mut x = x.shallow_clone();
        for module in &self.modules {
            x = module.forward(&x, pass)?;
        }
        Ok(x)
    }

    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor, FlowError> {
        let mut y = y.shallow_clone();
        for module in self.modules.iter().rev() {
            y = module.inverse(&y)?;
        }
        Ok(y)
    }
}

#[derive(Debug)]
struct Module {
    norm: ActNorm,
    mix: Mix,
    coupling: Coupling,
}

impl Module {
    fn declare(
        declare: &mut Declare,
        name: &str,
        channels: usize,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        Ok(Self {
            norm: ActNorm::declare(declare, &format!("{name}.norm"), channels)?,
            mix: Mix::declare(declare, &format!("{name}.mix"), channels)?,
            coupling: Coupling::declare(declare, &format!("{name}.coupling"), channels, spec)?,
        })
    }

    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, FlowError> {
        if pass.initialise {
            self.norm.initialise(x)?;
        }
        let (x, log_det) = self.norm.forward(x)?;
        pass.add_volume(&log_det)?;
        let (x, log_det) = self.mix.forward(&x)?;
        pass.add_volume(&log_det)?;
        let (x, log_det) = self.coupling.forward(&x)?;
        pass.add_volume(&log_det)?;
        Ok(x)
    }

    fn inverse(&self, y: &Tensor) -> Result<Tensor, FlowError> {
        self.norm.inverse(&self.mix.inverse(&self.coupling.inverse(y)?)?)
    }
}
