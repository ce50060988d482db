//! The running mean of the weights: what is judged and exported, while the weights themselves wander.

use std::collections::BTreeMap;

use tch::{Kind, TchError, Tensor};

use crate::train::model::Parameters;

/// An exponential moving average of every parameter and buffer; of a count, its last value.
pub struct Ema {
    decay: f64,
    means: BTreeMap<String, Tensor>,
}

impl Ema {
    /// Begins at the parameters as they are; `decay` in 0..1.
    ///
    /// # Errors
    /// libtorch has no memory for a copy.
    pub fn new(parameters: &Parameters, decay: f64) -> Result<Self, TchError> {
        let _no_grad = tch::no_grad_guard();
        let mut means = BTreeMap::new();
        for (name, parameter) in parameters.iter() {
            let mut copy = parameter.tensor.f_detach()?.f_empty_like()?;
            copy.f_copy_(&parameter.tensor)?;
            means.insert(name.to_owned(), copy);
        }
        Ok(Self { decay, means })
    }

    /// mean ← d·mean + (1 − d)·value, with d = min(decay, (t + 1)/(t + 10)) at step t = 0, 1, ...: the first
    /// steps, of a network that has learnt nothing, are soon forgotten.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn update(&mut self, parameters: &Parameters, step: u64) -> Result<(), TchError> {
        let decay = self.decay.min((step + 1) as f64 / (step + 10) as f64);
        let _no_grad = tch::no_grad_guard();
        for (name, mean) in &mut self.means {
            let Some(parameter) = parameters.get(name) else { continue };
            if mean.f_kind()? == Kind::Float {
                let _ = mean.f_lerp_(&parameter.tensor, 1.0 - decay)?;
            } else {
                mean.f_copy_(&parameter.tensor)?; // a count
            }
        }
        Ok(())
    }

    /// Exchanges means and parameters; once more, and all is as it was, bit for bit.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn swap(&mut self, parameters: &Parameters) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        for (name, mean) in &mut self.means {
            let Some(parameter) = parameters.get(name) else { continue };
            let mut kept = mean.f_empty_like()?;
            kept.f_copy_(mean)?;
            mean.f_copy_(&parameter.tensor)?;
            parameter.tensor.shallow_clone().f_copy_(&kept)?;
        }
        Ok(())
    }

    /// By name, in order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.means.iter().map(|(name, mean)| (name.as_str(), mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::model::Role;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn the_mean_follows_and_swaps_back_bit_for_bit() {
        let mut parameters = Parameters::new();
        parameters.insert("encoder.a", Tensor::from_slice(&[1.0f32, 0.1]), Role::Weight).unwrap();
        parameters.insert("encoder.b", Tensor::from_slice(&[4.0f32]), Role::Buffer).unwrap();
        let a = parameters.get("encoder.a").unwrap().tensor.shallow_clone();
        let mut ema = Ema::new(&parameters, 0.5).unwrap();
        tch::no_grad(|| a.shallow_clone().copy_(&Tensor::from_slice(&[11.0f32, 0.3])));
        ema.update(&parameters, 0).unwrap(); // d = min(0.5, 1/10)
        let mean = values(ema.tensors().next().unwrap().1);
        assert!((mean[0] - 10.0).abs() < 1e-6, "{mean:?}");
        ema.update(&parameters, 1000).unwrap(); // d = 0.5
        let mean = values(ema.tensors().next().unwrap().1);
        assert!((mean[0] - 10.5).abs() < 1e-6, "{mean:?}");

        ema.swap(&parameters).unwrap();
        assert_eq!((values(&a), values(ema.tensors().next().unwrap().1)), (mean.clone(), vec![11.0, 0.3]));
        ema.swap(&parameters).unwrap();
        assert_eq!((values(&a), values(ema.tensors().next().unwrap().1)), (vec![11.0, 0.3], mean));
        assert!(a.requires_grad());
    }
}
