//! How far class posteriors are from knowing nothing, eq. (17).

use tch::Tensor;

use super::LossError;

/// L_jsd, eq. (17): the mean over M pixels of the Jensen-Shannon divergence between P(y|x), the softmax of logits
/// `[M,K]`, and the uniform distribution u over the K classes, ½·KL(p‖m) + ½·KL(u‖m) with m = (p + u)/2. Nats, 0 to
/// ln 2; 0 where there is no pixel. A scalar.
///
/// Deviation: the paper's formula has it with a minus; its prose and its code make it smaller, as is done here, so
/// that what is generated lies where the classes are undecided.
///
/// # Errors
/// An error of libtorch.
pub fn jensen_shannon_to_uniform(logits: &Tensor) -> Result<Tensor, LossError> {
    let (pixels, classes) = logits.size2()?;
    // In logarithms: p of a class that is 1000 nats behind is 0, and 0·ln p is 0 still.
    let log_p = logits.f_log_softmax(1, None)?;
    let log_u = -(classes as f64).ln();
    let log_m = log_p.f_logaddexp(&Tensor::f_full_like(&log_p, log_u)?)?.f_sub_scalar(2f64.ln())?;
    let of_p = log_p.f_exp()?.f_mul(&log_p.f_sub(&log_m)?)?;
    let of_u = log_m.f_neg()?.f_add_scalar(log_u)?.f_mul_scalar(1.0 / classes as f64)?;
    let sum = of_p.f_add(&of_u)?.f_sum(log_p.kind())?;
    Ok(sum.f_mul_scalar(0.5 / pixels.max(1) as f64)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divergence(logits: &[f64], classes: i64) -> f64 {
        let logits = Tensor::from_slice(logits).reshape([-1, classes]);
        jensen_shannon_to_uniform(&logits).unwrap().double_value(&[])
    }

    #[test]
    fn two_classes_by_hand() {
        assert!(divergence(&[5.0, 5.0], 2).abs() < 1e-12, "uniform already");
        // p = (3/4, 1/4), m = (5/8, 3/8): ½·(¾·ln 6/5 + ¼·ln 2/3) + ½·(½·ln 4/5 + ½·ln 4/3).
        let by_hand = 0.5 * (0.75 * 1.2f64.ln() + 0.25 * (2.0 / 3.0f64).ln())
            + 0.25 * (0.8f64.ln() + (4.0 / 3.0f64).ln());
        assert!((divergence(&[3f64.ln(), 0.0], 2) - by_hand).abs() < 1e-12);
        // The mean over pixels.
        assert!((divergence(&[3f64.ln(), 0.0, 1.0, 1.0], 2) - by_hand / 2.0).abs() < 1e-12);
        assert_eq!(divergence(&[], 2), 0.0, "no pixel");
    }

    #[test]
    fn it_is_finite_and_below_ln_2_however_sure_the_classes_are() {
        let logits = Tensor::from_slice(&[1000.0f32, 0.0, -1000.0]).reshape([1, 3]).set_requires_grad(true);
        let loss = jensen_shannon_to_uniform(&logits).unwrap();
        // p = (1, 0, 0): ½·ln(1/(2/3)) + ½·(⅓·ln ½ + ⅔·ln 2).
        let sure = 0.5 * 1.5f64.ln() + 0.5 * (0.5f64.ln() + 2.0 * 2f64.ln()) / 3.0;
        assert!((loss.double_value(&[]) - sure).abs() < 1e-6 && sure < 2f64.ln());
        let gradient = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0);
        assert!(bool::try_from(gradient.isfinite().all()).unwrap(), "{gradient:?}");
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        let at = [0.3, -1.2, 2.0, 0.1, 0.4, -0.7];
        let logits = Tensor::from_slice(&at).reshape([2, 3]).set_requires_grad(true);
        let loss = jensen_shannon_to_uniform(&logits).unwrap();
        let gradient = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0).reshape([6]);
        for i in 0..6 {
            let moved = |by: f64| {
                let mut at = at;
                at[i] += by;
                divergence(&at, 3)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((gradient.double_value(&[i as i64]) - expected).abs() < 1e-8);
        }
    }
}
