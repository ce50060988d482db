//! AdamW, Adam, Adamax and SGD over a network's parameters.
//!
//! libtorch has them too, but tch does not let their moments be read: a run could not be resumed. Here they are
//! tensors like any others, kept in the checkpoint. The formulas are PyTorch's; its order of operations, and so
//! the last bits, are not.

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{TchError, Tensor};

use super::Gradients;
use crate::train::model::{NetworkError, Parameters, Part, Role};

/// Which rule, and its numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The rule.
    pub kind: Rule,
    /// The base learning rate, above 0.
    pub lr: f64,
    /// What a part's rate is to the base rate; 0: the part is not trained.
    #[serde(default)]
    pub lr_scale: LrScale,
    /// λ; of weights only: normalisations, biases, learned positions and tokens do not decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// β1, β2 of Adam, AdamW and Adamax.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// ε of Adam, AdamW and Adamax.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// μ of SGD.
    #[serde(default)]
    pub momentum: f64,
}

/// How a gradient g moves a parameter p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Adam, with p ← p·(1 − lr·λ) first.
    AdamW,
    /// m ← β1·m + (1−β1)·g; v ← β2·v + (1−β2)·g²; p ← p − lr·m̂/(√v̂ + ε), with m̂ = m/(1−β1ᵗ),
    /// v̂ = v/(1−β2ᵗ) and λ·p added to g before.
    Adam,
    /// m as Adam's; u ← max(β2·u, |g| + ε); p ← p − lr·m/(1−β1ᵗ)/u, with λ·p added to g before.
    Adamax,
    /// m ← μ·m + g; p ← p − lr·m, with λ·p added to g before.
    Sgd,
}

/// A learning rate for each part of the network, as a share of the base rate.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LrScale {
    /// The pretrained features.
    pub encoder: f64,
    /// From features to pre-logits.
    pub decoder: f64,
    /// From pre-logits to logits.
    pub class_head: f64,
    /// From pre-logits to the dataset logit.
    pub dataset_head: f64,
}

impl Default for LrScale {
    fn default() -> Self {
        Self { encoder: 1.0, decoder: 1.0, class_head: 1.0, dataset_head: 1.0 }
    }
}

impl LrScale {
    fn of(&self, part: Part) -> f64 {
        match part {
            Part::Encoder => self.encoder,
            Part::Decoder => self.decoder,
            Part::ClassHead => self.class_head,
            Part::DatasetHead => self.dataset_head,
            // Trained by an optimizer of its own, whose base rate is for it alone.
            Part::Generator => 1.0,
        }
    }
}

fn betas() -> [f64; 2] {
    [0.9, 0.999]
}

fn epsilon() -> f64 {
    1e-8
}

impl Settings {
    /// What serde's types cannot say.
    ///
    /// # Errors
    /// Which number is impossible, and what would do.
    pub fn check(&self) -> Result<(), String> {
        let LrScale { encoder, decoder, class_head, dataset_head } = self.lr_scale;
        let scales = [encoder, decoder, class_head, dataset_head];
        let at_least_0 = |v: f64| v.is_finite() && v >= 0.0;
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return Err(format!("lr is {}: a number above 0", self.lr));
        }
        if !scales.iter().all(|s| at_least_0(*s)) || scales.iter().all(|s| *s == 0.0) {
            return Err(format!("lr_scale is {scales:?}: numbers from 0 on, one of them above"));
        }
        if !at_least_0(self.weight_decay) {
            return Err(format!("weight_decay is {}: a number from 0 on", self.weight_decay));
        }
        let below_1 = [self.betas[0], self.betas[1], self.momentum];
        if !below_1.iter().all(|b| (0.0..1.0).contains(b)) {
            return Err(format!("betas, momentum are {below_1:?}: 0 or more, below 1"));
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(format!("epsilon is {}: a number above 0", self.epsilon));
        }
        Ok(())
    }

    /// Freezes the parts whose rate is 0, and thaws the others.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn freeze(&self, parameters: &Parameters) -> Result<(), NetworkError> {
        for part in Part::ALL {
            parameters.freeze(part, self.lr_scale.of(part) == 0.0)?;
        }
        Ok(())
    }
}

/// Moves parameters, and remembers what it needs for that.
pub struct Optimizer {
    settings: Settings,
    /// How many steps it has made.
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

/// Of one parameter, in its shape.
struct Moments {
    first: Tensor,
    /// Of Adam and its kin.
    second: Option<Tensor>,
}

impl Optimizer {
    /// One that has made no step yet.
    ///
    /// # Errors
    /// libtorch has no memory for the moments.
    pub fn new(settings: &Settings, parameters: &Parameters) -> Result<Self, TchError> {
        let mut moments = BTreeMap::new();
        for (name, parameter) in parameters.trained() {
            // Like the parameter in its memory format too, without its gradient.
            let zeros = || parameter.tensor.f_detach()?.f_zeros_like();
            let second = (settings.kind != Rule::Sgd).then(zeros).transpose()?;
            moments.insert(name.to_owned(), Moments { first: zeros()?, second });
        }
        Ok(Self { settings: settings.clone(), steps: 0, moments })
    }

    /// One step at `factor` times the base learning rate. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(
        &mut self,
        parameters: &Parameters,
        gradients: &Gradients,
        factor: f64,
    ) -> Result<(), TchError> {
        self.steps += 1;
        let _no_grad = tch::no_grad_guard();
        for (name, gradient) in gradients.iter() {
            let known = parameters.get(name).zip(self.moments.get_mut(name));
            let Some((parameter, moments)) = known else { continue };
            let lr = self.settings.lr * factor * self.settings.lr_scale.of(parameter.part());
            let decay = if parameter.role == Role::Weight { self.settings.weight_decay } else { 0.0 };
            self.settings.apply(&parameter.tensor, gradient, moments, lr, decay, self.steps)?;
        }
        Ok(())
    }

    /// How many steps it has made: t of the bias corrections.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Its state: each moment by a name of its own.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.moments.iter().flat_map(|(name, m)| {
            let first = (format!("first/{name}"), &m.first);
            [Some(first), m.second.as_ref().map(|second| (format!("second/{name}"), second))]
                .into_iter()
                .flatten()
        })
    }

    /// Takes up where another stopped after `steps` steps; its [`tensors`](Self::tensors) are filled by the caller.
    pub fn resume_at(&mut self, steps: u64) {
        self.steps = steps;
    }
}

impl Settings {
    fn apply(
        &self,
        parameter: &Tensor,
        gradient: &Tensor,
        moments: &mut Moments,
        lr: f64,
        decay: f64,
        steps: u64,
    ) -> Result<(), TchError> {
        // A handle on the same values: libtorch's in-place operations want one that may be written to.
        let mut p = parameter.shallow_clone();
        let mut g = gradient.shallow_clone();
        if decay > 0.0 && self.kind == Rule::AdamW {
            let _ = p.f_mul_scalar_(1.0 - lr * decay)?;
        } else if decay > 0.0 {
            g = g.f_add(&p.f_mul_scalar(decay)?)?;
        }
        let Some(second) = &mut moments.second else {
            let mut m = moments.first.f_mul_scalar_(self.momentum)?;
            let m = m.f_add_(&g)?;
            let _ = p.f_sub_(&m.f_mul_scalar(lr)?)?;
            return Ok(());
        };
        let [beta1, beta2] = self.betas;
        let t = steps as f64;
        let (correction1, correction2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
        let m = moments.first.f_lerp_(&g, 1.0 - beta1)?;
        if self.kind == Rule::Adamax {
            let decayed = second.f_mul_scalar(beta2)?;
            second.f_copy_(&decayed.f_maximum(&g.f_abs()?.f_add_scalar(self.epsilon)?)?)?;
            let _ = p.f_sub_(&m.f_div(second)?.f_mul_scalar_(lr / correction1)?)?;
            return Ok(());
        }
        let v = second.f_lerp_(&g.f_square()?, 1.0 - beta2)?;
        let mut denominator = v.f_sqrt()?;
        let mut denominator = denominator.f_mul_scalar_(1.0 / correction2.sqrt())?;
        let denominator = denominator.f_add_scalar_(self.epsilon)?;
        let _ = p.f_sub_(&m.f_div(&denominator)?.f_mul_scalar_(lr / correction1)?)?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
