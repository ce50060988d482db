//! A network of four layers over points of the plane, and how it is trained.

use super::ToyError;
use super::data::{Point, normals};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Units of each of the three hidden layers.
const WIDTH: usize = 32;
/// Of Adam.
const LEARNING_RATE: f64 = 1e-3;

/// 2 → 32 → 32 → 32 → 1, tanh between.
pub(super) struct Network {
    /// Weight `[outputs, inputs]` and bias `[outputs]` of each layer.
    layers: Vec<[Tensor; 2]>,
}

impl Network {
    /// He's initialisation, from `rng` alone.
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Result<Self, ToyError> {
        let mut layers = Vec::new();
        for [inputs, outputs] in [[2, WIDTH], [WIDTH, WIDTH], [WIDTH, WIDTH], [WIDTH, 1]] {
            let scale = (2.0 / inputs as f64).sqrt();
            let weight: Vec<f32> = (0..inputs * outputs).map(|_| (scale * normals(rng).0) as f32).collect();
            let weight = Tensor::f_from_slice(&weight)?.f_reshape([outputs as i64, inputs as i64])?;
            let bias = Tensor::f_from_slice(&vec![0f32; outputs])?;
            layers.push([weight.f_set_requires_grad(true)?, bias.f_set_requires_grad(true)?]);
        }
        Ok(Self { layers })
    }

    /// One number for each of the points `[N,2]`: `[N]`.
    pub(super) fn forward(&self, points: &Tensor) -> Result<Tensor, ToyError> {
        let mut x = points.shallow_clone();
        for (i, [weight, bias]) in self.layers.iter().enumerate() {
            let input = if i == 0 { x } else { x.f_tanh()? };
            x = input.f_linear(weight, Some(bias))?;
        }
        Ok(x.f_squeeze_dim(1)?)
    }

    /// Makes `loss` of the network smaller, in so many steps of Adam (Kingma and Ba, 2015).
    pub(super) fn train(
        &self,
        steps: usize,
        loss: impl Fn(&Self) -> Result<Tensor, ToyError>,
    ) -> Result<(), ToyError> {
        let (beta1, beta2) = (0.9f64, 0.999f64);
        let mut moments = Vec::new();
        for tensor in self.layers.iter().flatten() {
            moments.push([tensor.f_zeros_like()?, tensor.f_zeros_like()?].map(|t| t.detach()));
        }
        for step in 1..=steps {
            let total = loss(self)?;
            let parameters: Vec<&Tensor> = self.layers.iter().flatten().collect();
            let gradients = Tensor::f_run_backward(&[total], &parameters, false, false)?;
            let _no_grad = tch::no_grad_guard();
            let (mean_share, square_share) = (1.0 - beta1.powi(step as i32), 1.0 - beta2.powi(step as i32));
            for ((parameter, [mean, square]), gradient) in parameters.iter().zip(&mut moments).zip(&gradients)
            {
                *mean = mean.f_lerp(gradient, 1.0 - beta1)?;
                *square = square.f_lerp(&gradient.f_square()?, 1.0 - beta2)?;
                let root = square.f_div_scalar(square_share)?.f_sqrt()?.f_add_scalar(1e-8)?;
                let change = mean.f_div(&root)?.f_mul_scalar(-LEARNING_RATE / mean_share)?;
                let mut parameter = parameter.shallow_clone();
                let _ = parameter.f_add_(&change)?;
            }
        }
        Ok(())
    }
}

/// `[N,2]`
pub(super) fn tensor(points: &[Point]) -> Result<Tensor, ToyError> {
    Ok(Tensor::f_from_slice(points.as_flattened())?.f_reshape([points.len() as i64, 2])?)
}

/// The numbers of `[N]`.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, ToyError> {
    let count = tensor.numel();
    let mut values = vec![0f32; count];
    tensor.f_to_kind(Kind::Float)?.f_contiguous()?.f_copy_data(&mut values, count)?;
    Ok(values)
}
