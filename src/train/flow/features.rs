//! A density of single feature vectors, made of the flow's own steps: what Table V compares the hybrid score's
//! unnormalised density with.

use tch::{Device, Tensor};

use super::block::Block;
use super::gaussian::Gaussian;
use super::pass::Pass;
use super::{BlockSpec, FlowError, FlowSpec, Noise};
use crate::train::model::declare::Declare;
use crate::train::model::{Parameters, Part};

/// ln p(z) of a vector z of C features, exact: a chain of modules without noise.
#[derive(Debug)]
pub struct FeatureDensity {
    parameters: Parameters,
    block: Block,
    latent: Gaussian,
}

impl FeatureDensity {
    /// A fresh one, for vectors of `channels` features; next, [`FeatureDensity::initialise`] it.
    ///
    /// # Errors
    /// libtorch's.
    pub fn new(channels: usize, modules: usize, seed: u64, device: Device) -> Result<Self, FlowError> {
        let chain = BlockSpec { units: 1, modules };
        let spec = FlowSpec { blocks: [chain; 3], growth: 0, hidden: 64, layers: 1, kernel: 1 };
        let mut declare = Declare::new(seed, device);
        let name = format!("{}.features", Part::Generator.prefix());
        let block = Block::declare(&mut declare, &name, channels, chain, &spec)?;
        let latent = Gaussian::declare(&mut declare, &format!("{name}.latent"), channels)?;
        Ok(Self { parameters: declare.into_parameters(), block, latent })
    }

    /// What fitting changes.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Takes the scale of each feature from these vectors, `[M, C]`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn initialise(&self, features: &Tensor) -> Result<(), FlowError> {
        tch::no_grad(|| self.walk(features, true)).map(drop)
    }

    /// ln p(z) of each vector of `[M, C]`, nats: `[M]`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn log_density(&self, features: &Tensor) -> Result<Tensor, FlowError> {
        self.walk(features, false)
    }

    fn walk(&self, features: &Tensor, initialise: bool) -> Result<Tensor, FlowError> {
        // Each vector is a picture of one pixel.
        let (count, channels) = features.size2()?;
        let points = features.f_view([count, channels, 1, 1])?;
        // Without noise between units nothing is drawn.
        let mut none = Noise::given([]);
        let mut pass = Pass::new(&points, &mut none, initialise)?;
        let z = self.block.forward(&points, &mut pass)?;
        Ok(self.latent.log_density(&z)?.f_add(&pass.volume)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::optimizer::{Gradients, Optimizer, Settings};
    use tch::Kind;

    #[test]
    fn fitted_it_tells_what_is_far_from_what_is_near() {
        // Three features, two of which follow from the first.
        let near = |seed| {
            let e = Noise::seeded(seed).normal(&[256, 3], (Kind::Float, Device::Cpu)).unwrap();
            let x = e.narrow(1, 0, 1);
            Tensor::cat(
                &[&x, &(x.square() + e.narrow(1, 1, 1) * 0.1), &(&x * 2.0 + e.narrow(1, 2, 1) * 0.1)],
                1,
            )
        };
        let density = FeatureDensity::new(3, 3, 1, Device::Cpu).unwrap();
        density.initialise(&near(0)).unwrap();
        let rule: Settings = crate::yaml::from_str("{kind: adam, lr: 0.01}").unwrap();
        let mut optimizer = Optimizer::new(&rule, density.parameters()).unwrap();
        let mean = |features: &Tensor| density.log_density(features).unwrap().mean(Kind::Float);
        let before = mean(&near(99)).double_value(&[]);
        for seed in 1..80 {
            let mut gradients = Gradients::default();
            gradients.add(&mean(&near(seed)).neg(), density.parameters(), false).unwrap();
            optimizer.step(density.parameters(), &gradients, 1.0).unwrap();
        }
        let after = mean(&near(99)).double_value(&[]);
        // The same features, each by itself as likely as before, but not together.
        let (a, b) = (near(99), near(98));
        let mixed = Tensor::cat(&[a.narrow(1, 0, 1), b.narrow(1, 1, 2)], 1);
        let apart = mean(&mixed).double_value(&[]);
        assert!(after > before + 0.5 && apart < after - 2.0, "{before} {after} {apart}");
    }
}
