//! Gradients of a step: gathered from its batches, measured, clipped.
//!
//! They are tensors of their own (libtorch's `run_backward`), not kept in the parameters: nothing has to be
//! set to zero, and a part that is not trained costs no backward pass.

use std::collections::BTreeMap;

use tch::{TchError, Tensor};

use crate::train::model::Parameters;

/// The gradient of each parameter that has one, by name.
#[derive(Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// Adds those of `loss` with respect to the parameters that are trained. The graph is given up, unless another
    /// loss is to go back through it.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn add(&mut self, loss: &Tensor, parameters: &Parameters, keep_graph: bool) -> Result<(), TchError> {
        let chosen: Vec<_> = parameters.trained().collect();
        let leaves: Vec<&Tensor> = chosen.iter().map(|(_, p)| &p.tensor).collect();
        // A loss that reads none of the parameters (all of a batch is void) has no graph to go back through.
        if leaves.is_empty() || !loss.requires_grad() {
            return Ok(());
        }
        let found = Tensor::f_run_backward(&[loss], &leaves, keep_graph, false)?;
        let _no_grad = tch::no_grad_guard();
        for ((name, _), gradient) in chosen.into_iter().zip(found).filter(|(_, g)| g.defined()) {
            match self.0.get_mut(name) {
                Some(sum) => drop(sum.f_add_(&gradient)?),
                None => drop(self.0.insert(name.to_owned(), gradient)),
            }
        }
        Ok(())
    }

    /// The Euclidean norm over all of them together; not finite where one value is not.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn norm(&self) -> Result<f64, TchError> {
        if self.0.is_empty() {
            return Ok(0.0);
        }
        let _no_grad = tch::no_grad_guard();
        let norms: Vec<Tensor> = self.0.values().map(Tensor::f_norm).collect::<Result<_, _>>()?;
        Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])
    }

    /// Scales them all so that a norm of `norm` becomes one of at most `limit`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn clip(&mut self, norm: f64, limit: f64) -> Result<(), TchError> {
        if norm <= limit {
            return Ok(());
        }
        let _no_grad = tch::no_grad_guard();
        for gradient in self.0.values_mut() {
            let _ = gradient.f_mul_scalar_(limit / (norm + 1e-6))?;
        }
        Ok(())
    }

    /// By name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }
}
