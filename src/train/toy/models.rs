//! The three models: what each is trained on, and what each calls anomalous.

use super::ToyError;
use super::data::Point;
use super::network::{Network, numbers, tensor};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// The plane that the energy is normalised over: its half side, and points across.
const PLANE: f32 = 4.0;
const ACROSS: usize = 33;

/// A classifier of inliers and negatives, and an energy model of inliers.
pub(super) struct Models {
    classifier: Network,
    energy: Network,
}

/// The scores of many points, in nats; higher is more anomalous.
pub(super) struct Scores {
    /// ln P(d_out|x)
    pub(super) discriminative: Vec<f32>,
    /// −ln p̂(x)
    pub(super) generative: Vec<f32>,
    /// Their sum, eq. (9).
    pub(super) hybrid: Vec<f32>,
}

impl Models {
    /// The classifier makes L_d, eq. (13), smaller. The energy model makes the negative log-likelihood of the
    /// inliers smaller, with ln Z the sum over a grid that covers the plane: in two dimensions one can.
    pub(super) fn train(
        inliers: &[Point],
        negatives: &[Point],
        steps: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ToyError> {
        let (inliers, negatives) = (tensor(inliers)?, tensor(negatives)?);
        let classifier = Network::new(rng)?;
        classifier.train(steps, |network| {
            let d_in = network.forward(&inliers)?.f_neg()?.f_log_sigmoid()?.f_mean(Kind::Float)?;
            let d_out = network.forward(&negatives)?.f_log_sigmoid()?.f_mean(Kind::Float)?;
            Ok(d_in.f_add(&d_out)?.f_neg()?)
        })?;
        let energy = Network::new(rng)?;
        let grid = tensor(&grid(PLANE, ACROSS))?;
        energy.train(steps, |network| {
            let log_z = network.forward(&grid)?.f_logsumexp(0, false)?;
            Ok(log_z.f_sub(&network.forward(&inliers)?.f_mean(Kind::Float)?)?)
        })?;
        Ok(Self { classifier, energy })
    }

    pub(super) fn score(&self, points: &[Point]) -> Result<Scores, ToyError> {
        let points = tensor(points)?;
        let (d, log_likelihood): (Tensor, Tensor) = tch::no_grad(|| {
            Ok::<_, ToyError>((self.classifier.forward(&points)?, self.energy.forward(&points)?))
        })?;
        let discriminative = numbers(&d.f_log_sigmoid()?)?;
        let generative = numbers(&log_likelihood.f_neg()?)?;
        let hybrid = discriminative.iter().zip(&generative).map(|(d, g)| d + g).collect();
        Ok(Scores { discriminative, generative, hybrid })
    }
}

/// The centres of `across × across` cells over ±`half` in both directions: rows from the top (y = `half`) down.
pub(super) fn grid(half: f32, across: usize) -> Vec<Point> {
    let place = |i: usize| ((i as f32 + 0.5) / across as f32 * 2.0 - 1.0) * half;
    (0..across * across).map(|i| [place(i % across), -place(i / across)]).collect()
}
