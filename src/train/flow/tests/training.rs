//! What trains a flow: its likelihood, and the gradient that comes back through its samples.

use super::*;
use crate::train::losses::jensen_shannon_to_uniform;

#[test]
fn a_few_steps_lower_the_bits_per_dimension() {
    let flow = Flow::new(preset("tiny"), 7, Device::Cpu).unwrap();
    let x = pictures(8, 16, 16);
    flow.initialise(&x, &mut Noise::seeded(0)).unwrap();
    let curve = descend(flow.parameters(), 0.005, 40, |step| {
        let log_likelihood = flow.log_likelihood(&x, &mut Noise::seeded(step)).unwrap();
        bits_per_dimension(&log_likelihood, 3 * 16 * 16).unwrap().mean(Kind::Float)
    });
    assert!(curve[39] < curve[0] - 0.3, "{curve:?}");
}

/// L_jsd of samples under a linear classifier of four classes, after `between`.
fn divergence_of_samples(flow: &Flow, between: impl Fn(Tensor) -> Tensor) -> Tensor {
    let x = between(flow.sample(2, 16, 8, &mut Noise::seeded(6)).unwrap());
    let head = numbers("head", &[4, 3, 1, 1]);
    let logits = (x / 256.0 - 0.5).conv2d(&head, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
    jensen_shannon_to_uniform(&logits.permute([0, 2, 3, 1]).reshape([-1, 4])).unwrap()
}

/// Largest gradient of each parameter, `None` of those that have none.
fn gradients(loss: &Tensor, flow: &Flow) -> Vec<(String, Option<f64>)> {
    let (names, leaves): (Vec<String>, Vec<Tensor>) =
        flow.parameters().trained().map(|(name, p)| (name.to_owned(), p.tensor.shallow_clone())).unzip();
    let found = Tensor::run_backward(&[loss], &leaves, false, false);
    names.into_iter().zip(found).map(|(name, g)| (name, g.defined().then(|| largest(&g)))).collect()
}

#[test]
fn the_divergence_reaches_all_that_a_sample_is_made_by() {
    let flow = ready(preset("tiny"));
    let loss = divergence_of_samples(&flow, |x| x);
    let value = loss.double_value(&[]);
    assert!(0.0 < value && value < std::f64::consts::LN_2, "{value}");
    for (name, gradient) in gradients(&loss, &flow) {
        // The way back drops what came in between units, and with it the networks that shifted and scaled it.
        let dropped = name.contains(".cross.");
        assert_eq!(gradient.is_none(), dropped, "{name}");
        assert!(dropped || gradient.is_some_and(|g| g > 0.0 && g.is_finite()), "{name}: {gradient:?}");
    }
}

/// The trap: 8-bit samples look the same, and teach nothing.
#[test]
fn rounded_samples_have_no_gradient() {
    let flow = ready(preset("tiny"));
    let loss = divergence_of_samples(&flow, |x| x.round());
    let whole = divergence_of_samples(&flow, |x| x);
    assert!((loss.double_value(&[]) - whole.double_value(&[])).abs() < 1e-3);
    for (name, gradient) in gradients(&loss, &flow) {
        assert_eq!(gradient.unwrap_or(0.0), 0.0, "{name}");
    }
}

#[test]
fn the_likelihood_reaches_every_parameter() {
    let flow = ready(preset("tiny"));
    let log_likelihood = flow.log_likelihood(&pictures(2, 16, 8), &mut Noise::seeded(6)).unwrap();
    for (name, gradient) in gradients(&log_likelihood.mean(Kind::Float), &flow) {
        assert!(gradient.is_some_and(|g| g > 0.0 && g.is_finite()), "{name}: {gradient:?}");
    }
}
