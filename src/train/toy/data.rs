//! The points of the toy: inliers of a known density, negatives on one side, test outliers all around.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A place in the plane.
pub(super) type Point = [f32; 2];

/// Covariances of the two halves of the inliers: [xx, xy, yy].
///
/// Deviation: the paper prints Σ2 as [[.071,.071],[−.639,.639]], which is not symmetric and so no covariance;
/// this is about what samplers make of it.
const COVARIANCES: [[f64; 3]; 2] = [[0.9, 0.0, 0.1], [0.5, -0.4, 0.5]];

/// Outliers are where the inliers' density is below that of all but this share of them.
const RARE: f64 = 0.05;
/// How far from the origin outliers go: near the inliers, where they are hard to tell.
const REACH: f64 = 2.0;

/// ½N(0,Σ1) + ½N(0,Σ2)
pub(super) fn inliers(count: usize, rng: &mut ChaCha8Rng) -> Vec<Point> {
    (0..count).map(|_| inlier(rng).map(|v| v as f32)).collect()
}

fn inlier(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let [xx, xy, yy] = COVARIANCES[rng.random_range(0..2)];
    let (a, b) = normals(rng);
    // The Cholesky factor of the covariance, written out.
    [xx.sqrt() * a, xy / xx.sqrt() * a + (yy - xy * xy / xx).sqrt() * b]
}

/// Two of N(0,1), by Box and Muller.
pub(super) fn normals(rng: &mut ChaCha8Rng) -> (f64, f64) {
    // 1 − u is in 0 (left out) to 1, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
    (radius * cos, radius * sin)
}

/// ln p of the inliers, the true one.
fn log_density([x, y]: [f64; 2]) -> f64 {
    let sum: f64 = COVARIANCES
        .iter()
        .map(|[xx, xy, yy]| {
            let det = xx * yy - xy * xy;
            let distance = (yy * x * x - 2.0 * xy * x * y + xx * y * y) / det;
            0.5 * (-0.5 * distance).exp() / (std::f64::consts::TAU * det.sqrt())
        })
        .sum();
    sum.ln()
}

/// Where outliers can be.
pub(super) struct Surroundings {
    /// ln p below which a place is no inlier's.
    rare: f64,
}

impl Surroundings {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut densities: Vec<f64> = (0..20_000).map(|_| log_density(inlier(rng))).collect();
        densities.sort_by(f64::total_cmp);
        let rare = densities[(RARE * densities.len() as f64) as usize];
        Self { rare }
    }

    /// Test outliers: even over the disc of radius [`REACH`], where inliers are rare.
    pub(super) fn outliers(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<Point> {
        (0..count).map(|_| self.place(rng, |_| true)).collect()
    }

    /// Negatives: as outliers, but all but a `share` of them in the quadrants 1 and 4.
    pub(super) fn negatives(&self, count: usize, share: f64, rng: &mut ChaCha8Rng) -> Vec<Point> {
        (0..count)
            .map(|_| {
                let anywhere = rng.random_bool(share);
                self.place(rng, |x| anywhere || x > 0.0)
            })
            .collect()
    }

    fn place(&self, rng: &mut ChaCha8Rng, wanted: impl Fn(f64) -> bool) -> Point {
        loop {
            let at = [rng.random_range(-REACH..REACH), rng.random_range(-REACH..REACH)];
            let outside = at[0].hypot(at[1]) < REACH && log_density(at) < self.rare;
            if outside && wanted(at[0]) {
                return at.map(|v| v as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn inliers_have_the_covariance_of_the_mixture() {
        let points = inliers(50_000, &mut ChaCha8Rng::seed_from_u64(1));
        let moment = |f: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|[x, y]| f(f64::from(*x), f64::from(*y))).sum::<f64>() / 50_000.0
        };
        // Means of the two covariances; four deviations of a mean of 50000 are about 0.02.
        for (got, want) in [
            (moment(&|x, _| x), 0.0),
            (moment(&|x, _| x * x), 0.7),
            (moment(&|x, y| x * y), -0.2),
            (moment(&|_, y| y * y), 0.3),
        ] {
            assert!((got - want).abs() < 0.02, "{got} {want}");
        }
    }

    #[test]
    fn the_density_integrates_to_one() {
        let step = 0.05;
        let cells = (-100..100).flat_map(|i| (-100..100).map(move |j| [i, j].map(|v| f64::from(v) * step)));
        let sum: f64 = cells.map(|at| log_density(at).exp() * step * step).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    }

    #[test]
    fn negatives_stand_on_one_side_and_outliers_on_all() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let around = Surroundings::new(&mut rng);
        let left = |points: &[Point]| points.iter().filter(|p| p[0] < 0.0).count();
        // Half of the tenth that may be anywhere, of 2000.
        assert!((60..140).contains(&left(&around.negatives(2000, 0.1, &mut rng))));
        assert!((900..1100).contains(&left(&around.outliers(2000, &mut rng))));
    }
}
