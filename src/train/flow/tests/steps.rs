//! Each step alone: its inverse, its ln |det|, and what it begins with.

use super::super::axes::area;
use super::super::coupling::Coupling;
use super::super::gaussian::Gaussian;
use super::super::mix::Mix;
use super::super::norm::ActNorm;
use super::*;
use crate::train::model::declare::Declare;

type Forward<'a> = &'a dyn Fn(&Tensor) -> Result<(Tensor, Tensor), FlowError>;
type Inverse<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor, FlowError>;

/// In f64, where what is left is rounding: of about 30 numbers by 30, far below 1e-9.
fn check(name: &str, channels: i64, forward: Forward, inverse: Inverse) {
    let x = numbers(name, &[1, channels, 2, 3]).to_kind(Kind::Double).set_requires_grad(true);
    let (y, said) = forward(&x).unwrap();
    let found = log_det(&[x.shallow_clone()], &y);
    let said = said.sum(Kind::Double).double_value(&[]);
    assert!(said.abs() > 1e-3, "{name}: {said} says nothing");
    assert!((said - found).abs() < 1e-9, "{name}: {said}, and by the Jacobian {found}");
    assert!(largest(&(inverse(&y).unwrap() - &x)) < 1e-9, "{name}");
}

fn declared<T>(make: impl FnOnce(&mut Declare) -> Result<T, FlowError>) -> T {
    let mut declare = Declare::new(3, Device::Cpu);
    let step = make(&mut declare).unwrap();
    perturb(&declare.into_parameters(), 0.1);
    step
}

#[test]
fn each_step_knows_its_inverse_and_its_determinant() {
    // An odd number of channels too: halves are not always equal.
    for channels in [2, 5] {
        let norm = declared(|d| ActNorm::declare(d, "generator.norm", channels));
        let mix = declared(|d| Mix::declare(d, "generator.mix", channels));
        let coupling = declared(|d| Coupling::declare(d, "generator.coupling", channels, &preset("tiny")));
        let n = channels as i64;
        check("norm", n, &|x| norm.forward(x), &|y| norm.inverse(y));
        check("mix", n, &|x| mix.forward(x), &|y| mix.inverse(y));
        check("coupling", n, &|x| coupling.forward(x), &|y| coupling.inverse(y));
    }
}

#[test]
fn the_widest_mix_has_a_sound_inverse_in_f32() {
    let mut declare = Declare::new(3, Device::Cpu);
    let mix = Mix::declare(&mut declare, "generator.mix", 168).unwrap();
    perturb(&declare.into_parameters(), 0.01);
    let x = numbers("wide", &[2, 168, 4, 4]);
    let again = tch::no_grad(|| mix.inverse(&mix.forward(&x).unwrap().0)).unwrap();
    assert!(largest(&(again - x)) < 1e-4);
}

#[test]
fn a_fresh_mix_is_a_rotation_and_a_fresh_coupling_nothing() {
    let mut declare = Declare::new(3, Device::Cpu);
    let mix = Mix::declare(&mut declare, "generator.mix", 12).unwrap();
    let coupling = Coupling::declare(&mut declare, "generator.coupling", 12, &preset("tiny")).unwrap();
    let x = numbers("fresh", &[2, 12, 3, 4]);
    let (y, log_det) = mix.forward(&x).unwrap();
    let lengths = |t: &Tensor| t.square().sum_dim_intlist(1i64, false, Kind::Float);
    assert!(largest(&(lengths(&y) - lengths(&x))) < 1e-4);
    assert!(largest(&log_det) < 1e-4);
    assert!(largest(&(&y - &x)) > 0.1, "it mixes");
    let (y, log_det) = coupling.forward(&x).unwrap();
    assert_eq!((largest(&(y - &x)), largest(&log_det)), (0.0, 0.0));
}

#[test]
fn initialised_normalisation_gives_mean_0_and_variance_1() {
    let mut declare = Declare::new(3, Device::Cpu);
    let norm = ActNorm::declare(&mut declare, "generator.norm", 4).unwrap();
    let wide = Tensor::from_slice(&[0.01f32, 1.0, 30.0, 0.0]).view([1, 4, 1, 1]);
    let x = numbers("norm", &[3, 4, 5, 6]) * wide + 7.0;
    norm.initialise(&x).unwrap();
    let y = norm.forward(&x).unwrap().0;
    let axes = [0i64, 2, 3];
    let means = y.mean_dim(axes.as_slice(), false, Kind::Float);
    let deviations = y.std_dim(axes.as_slice(), false, false);
    assert!(largest(&means) < 1e-3, "{means:?}");
    // The last channel is constant, and stays so instead of being blown up.
    let expected = Tensor::from_slice(&[1.0f32, 1.0, 1.0, 0.0]);
    assert!(largest(&(deviations - expected)) < 1e-3);
    assert_eq!(area(&x).unwrap(), 30.0);
}

#[test]
fn the_gaussian_is_the_textbooks() {
    let mut declare = Declare::new(3, Device::Cpu);
    let gaussian = Gaussian::declare(&mut declare, "generator.latent", 2).unwrap();
    let parameters = declare.into_parameters();
    let set = |name: &str, values: &[f32]| {
        let tensor = parameters.tensor(&format!("generator.latent.{name}")).unwrap();
        tch::no_grad(|| tensor.shallow_clone().copy_(&Tensor::from_slice(values)));
    };
    let (means, deviations) = ([1.0f64, -2.0], [0.5f64, 3.0]);
    set("mean", &means.map(|m| m as f32));
    set("log_deviation", &deviations.map(|d| d.ln() as f32));
    let z = [0.3f64, 1.2];
    let terms = z.iter().zip(means).zip(deviations).map(|((z, mean), deviation)| {
        let e = (z - mean) / deviation;
        -0.5 * e * e - deviation.ln() - 0.5 * std::f64::consts::TAU.ln()
    });
    let expected: f64 = terms.sum();
    let z = Tensor::from_slice(&z).view([1, 2, 1, 1]);
    assert!((gaussian.log_density(&z).unwrap().double_value(&[0]) - expected).abs() < 1e-6);

    let drawn = tch::no_grad(|| gaussian.sample(4, 50, 50, &mut Noise::seeded(1))).unwrap();
    assert_eq!(drawn.size(), [4, 2, 50, 50]);
    let axes = [0i64, 2, 3];
    let off = drawn.mean_dim(axes.as_slice(), false, Kind::Double) - Tensor::from_slice(&means);
    let spread = drawn.std_dim(axes.as_slice(), false, false) / Tensor::from_slice(&deviations);
    // 10000 draws: five deviations of their mean, and more of their deviation.
    assert!(largest(&(off / Tensor::from_slice(&deviations))) < 0.05);
    assert!(largest(&(spread - 1.0)) < 0.05);
}
