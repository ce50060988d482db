//! The flow's own block over points of the plane, pictures of one pixel and two channels: a density that can be added
//! up. With noise the likelihood is a bound, so its exponential is averaged over many draws of the noise: that is the
//! density itself, without bias.

use super::super::block::Block;
use super::super::gaussian::Gaussian;
use super::super::pass::Pass;
use super::*;
use crate::train::model::declare::Declare;

/// Draws of the noise at each point.
const DRAWS: u64 = 4;

struct Plane {
    parameters: Parameters,
    block: Block,
    latent: Gaussian,
}

impl Plane {
    fn new() -> Self {
        let spec = FlowSpec { growth: 1, hidden: 16, ..preset("tiny") };
        let shape = BlockSpec { units: 2, modules: 3 };
        let mut declare = Declare::new(5, Device::Cpu);
        let block = Block::declare(&mut declare, "generator.block0", 2, shape, &spec).unwrap();
        let latent = Gaussian::declare(&mut declare, "generator.block0.latent", 3).unwrap();
        Self { parameters: declare.into_parameters(), block, latent }
    }

    /// The bound of ln p of each point, for one draw of the noise.
    fn bound(&self, points: &Tensor, noise: &mut Noise, initialise: bool) -> Tensor {
        let mut pass = Pass::new(points, noise, initialise).unwrap();
        let z = self.block.forward(points, &mut pass).unwrap();
        self.latent.log_density(&z).unwrap() + &pass.volume + &pass.surprise
    }

    /// Some bounds of each point: `[DRAWS, points]`.
    fn bounds(&self, points: &Tensor) -> Tensor {
        let draws: Vec<Tensor> =
            (0..DRAWS).map(|draw| self.bound(points, &mut Noise::seeded(1000 + draw), false)).collect();
        Tensor::stack(&draws, 0)
    }
}

/// A bow: x ~ N(0, 1), y = 0.3·(x² − 1) + 0.3·e.
fn points(name: &str, count: i64) -> Tensor {
    let e = numbers(name, &[count, 2]);
    let (x, e) = (e.narrow(1, 0, 1), e.narrow(1, 1, 1));
    let y = (x.square() - 1.0) * 0.3 + e * 0.3;
    Tensor::cat(&[x, y], 1).view([count, 2, 1, 1])
}

/// A square of 16 by 16 around the origin, by steps of 0.1, a third of the narrowest width there is.
fn grid() -> (Tensor, f64) {
    let (side, step) = (160i64, 0.1);
    let line = (Tensor::arange(side, (Kind::Float, Device::Cpu)) + 0.5) * step - 8.0;
    let (x, y) = (line.repeat([side]), line.repeat_interleave_self_int(side, 0i64, side * side));
    (Tensor::stack(&[x, y], 1).view([side * side, 2, 1, 1]), step * step)
}

#[test]
fn a_fitted_density_with_noise_adds_up_to_one() {
    let plane = Plane::new();
    let judged = points("judged", 2000);
    // ln of the mean of the draws' densities, and of that the mean over points.
    let quality = || {
        let bounds = tch::no_grad(|| plane.bounds(&judged));
        (bounds.logsumexp(0, false) - (DRAWS as f64).ln()).mean(Kind::Double).double_value(&[])
    };
    let _ = tch::no_grad(|| plane.bound(&points("first", 256), &mut Noise::seeded(1), true));
    let before = quality();
    descend(&plane.parameters, 0.005, 150, |step| {
        let batch = points(&format!("batch {step}"), 256);
        -plane.bound(&batch, &mut Noise::seeded(step), false).mean(Kind::Float)
    });
    let after = quality();
    // No density is better than the true one in the mean: −½ln(2πe) − ½ln(2πe·0.09); 2000 points are off by 0.02.
    let entropy = (std::f64::consts::TAU * std::f64::consts::E).ln() + 0.3f64.ln();
    assert!(after > before + 0.1 && after < 0.1 - entropy, "{before} {after} {entropy}");

    let (cells, area) = grid();
    let densities = tch::no_grad(|| plane.bounds(&cells)).to_kind(Kind::Double).exp();
    let sum = densities.mean_dim(0i64, false, None).sum(Kind::Double).double_value(&[]) * area;
    let variance = densities.var_dim(0i64, true, false).sum(Kind::Double).double_value(&[]);
    let error = (variance / DRAWS as f64).sqrt() * area;
    assert!(error > 1e-6 && error < 0.01, "{error}: the noise does something, and little");
    // Besides the draws' error: what lies outside of the square, and the cells' width.
    assert!((sum - 1.0).abs() < 0.01 + 4.0 * error, "{sum} ± {error}");
}
