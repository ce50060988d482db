//! The flow's steps one by one, the flow, a density in the plane of the same parts, and what trains it.

mod pictures;
mod plane;
mod steps;
mod training;

use tch::{Device, Kind, Tensor};

use super::*;
use crate::train::model::Parameters;
use crate::train::model::numbers::{generator, normals};
use crate::train::optimizer::{Gradients, LrScale, Optimizer, Rule, Settings};

/// Normal numbers, f32, a function of their name.
fn numbers(name: &str, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&normals(&mut generator(11, name), count, 1.0)).view(shape)
}

/// Dequantised pictures, f32: waves of one colour each, no two pictures alike.
fn pictures(count: i64, height: i64, width: i64) -> Tensor {
    let mut colours = Vec::new();
    for picture in 0..count {
        for colour in 0..3 {
            for y in 0..height {
                for x in 0..width {
                    let at = 0.4 * x as f64 + 0.25 * y as f64 + picture as f64 + 0.5 * f64::from(colour);
                    colours.push((127.5 + 100.0 * at.sin()) as u8);
                }
            }
        }
    }
    let eight_bit = Tensor::from_slice(&colours).view([count, 3, height, width]);
    dequantise(&eight_bit, &mut Noise::seeded(1)).unwrap()
}

/// Moves all that is trained away from where it began: zeros at the end of networks hide what is before them.
fn perturb(parameters: &Parameters, deviation: f64) {
    let _no_grad = tch::no_grad_guard();
    for (name, parameter) in parameters.trained() {
        let step = numbers(name, &parameter.tensor.size()) * deviation;
        let _ = parameter.tensor.shallow_clone().g_add_(&step);
    }
}

/// A flow that was perturbed and then initialised: as in one that was trained, what each step gives has about the
/// size 1. Without that, steps that were perturbed at random would drive numbers apart, one after the other.
///
/// For narrow flows. The wider a mix is, the worse numbers drawn at random make it: at 72 channels its inverse enlarges
/// some directions eightfold, and twelve in a row leave hardly a digit of f32's seven. No training does that: see
/// [`fitted`].
fn ready(spec: FlowSpec) -> Flow {
    let flow = Flow::new(spec, 7, Device::Cpu).unwrap();
    perturb(flow.parameters(), 0.05);
    flow.initialise(&pictures(4, 16, 16), &mut Noise::seeded(2)).unwrap();
    flow
}

/// A flow that was initialised and then fitted for a few steps: nothing of it is as it began, and all that it is follows
/// from pictures.
fn fitted(spec: FlowSpec) -> Flow {
    let flow = Flow::new(spec, 7, Device::Cpu).unwrap();
    let x = pictures(4, 16, 16);
    flow.initialise(&x, &mut Noise::seeded(2)).unwrap();
    let fresh: Vec<Tensor> = flow.parameters().trained().map(|(_, p)| p.tensor.detach().copy()).collect();
    descend(flow.parameters(), 0.001, 12, |step| {
        let log_likelihood = flow.log_likelihood(&x, &mut Noise::seeded(step)).unwrap();
        bits_per_dimension(&log_likelihood, 3 * 16 * 16).unwrap().mean(Kind::Float)
    });
    for ((name, parameter), before) in flow.parameters().trained().zip(fresh) {
        assert!(largest(&(&parameter.tensor - before)) > 1e-4, "{name} has not moved");
    }
    flow
}

fn preset(name: &str) -> FlowSpec {
    FlowSpec::preset(name).unwrap()
}

/// Steps of Adam down what `loss` gives for each, at the rate `lr`; what it gave.
fn descend(parameters: &Parameters, lr: f64, steps: u64, loss: impl Fn(u64) -> Tensor) -> Vec<f64> {
    let settings = Settings {
        kind: Rule::Adam,
        lr,
        lr_scale: LrScale::default(),
        weight_decay: 0.0,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        momentum: 0.0,
    };
    let mut optimizer = Optimizer::new(&settings, parameters).unwrap();
    let step = |step| {
        let loss = loss(step);
        let mut gradients = Gradients::default();
        gradients.add(&loss, parameters, false).unwrap();
        optimizer.step(parameters, &gradients, 1.0).unwrap();
        loss.double_value(&[])
    };
    (0..steps).map(step).collect()
}

fn largest(t: &Tensor) -> f64 {
    t.abs().max().double_value(&[])
}

fn bits(t: &Tensor) -> Vec<u32> {
    Vec::<f32>::try_from(t.flatten(0, -1)).unwrap().into_iter().map(f32::to_bits).collect()
}

/// ln |det| of the Jacobian of `outputs` by `inputs`, as many numbers on either side: one backward pass for each.
fn log_det(inputs: &[Tensor], outputs: &Tensor) -> f64 {
    let outputs = outputs.flatten(0, -1);
    let rows: Vec<Tensor> = (0..outputs.numel() as i64)
        .map(|i| {
            let gradients = Tensor::run_backward(&[outputs.get(i)], inputs, true, false);
            let flat: Vec<Tensor> = gradients.iter().map(|g| g.flatten(0, -1)).collect();
            Tensor::cat(&flat, 0)
        })
        .collect();
    let jacobian = Tensor::stack(&rows, 0);
    assert_eq!(jacobian.size()[0], jacobian.size()[1]);
    let (_, log_det) = jacobian.to_kind(Kind::Double).slogdet();
    log_det.double_value(&[])
}
