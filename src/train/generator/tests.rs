use tch::{Device, Kind, Tensor};

use super::*;
use crate::train::losses::{Objective, Term, jensen_shannon_to_uniform};
use crate::train::optimizer::{self, Gradients, Optimizer};

/// Classes that are told by how red a pixel is, and undecided where that is 128: logits ±(r − 128)/60.
fn classes(patches: &[Tensor]) -> Result<Tensor, GeneratorError> {
    let red = patches.iter().map(|p| p.select(1, 0).flatten(0, -1)).collect::<Vec<_>>();
    let x = (Tensor::cat(&red, 0) - 128.0) / 60.0;
    let logits = Tensor::stack(&[&x, &-&x], 1);
    jensen_shannon_to_uniform(&logits).map_err(|e| GeneratorError::Segmenter(e.to_string()))
}

fn nobody(_: &[Tensor]) -> Result<Tensor, GeneratorError> {
    panic!("this generator asks nobody")
}

/// Reddish pixels, a little different from each other.
fn reddish(sizes: &[(i64, i64)]) -> Vec<Tensor> {
    let patch = |(height, width): &(i64, i64)| {
        let count = 3 * height * width;
        let ramp =
            Tensor::arange(count, (Kind::Float, Device::Cpu)).view([1, 3, *height, *width]).remainder(17.0);
        let base = Tensor::from_slice(&[210.0f32, 90.0, 60.0]).view([1, 3, 1, 1]);
        ramp + base
    };
    sizes.iter().map(patch).collect()
}

fn initialise(generator: &dyn Generator) {
    if generator.is_blank().unwrap() {
        generator.initialise(&reddish(&[(32, 32)])[0], &mut Noise::seeded(0)).unwrap();
    }
    assert!(!generator.is_blank().unwrap());
}

fn settings(kind: &str) -> Settings {
    crate::yaml::from_str(kind).unwrap()
}

#[test]
fn an_attack_confuses_and_stays_near() {
    let replaced = reddish(&[(16, 8), (8, 8)]);
    let attack = Adversarial::new(4, 32.0);
    let mut noise = Noise::seeded(1);
    let patches = attack.generate(&replaced, &mut classes, &mut noise).unwrap();
    for (patch, of) in patches.iter().zip(&replaced) {
        assert_eq!(patch.size(), of.size());
        assert!((patch - of).abs().max().double_value(&[]) <= 32.0 + 1e-3);
        assert!(patch.min().double_value(&[]) >= 0.0 && patch.max().double_value(&[]) <= 255.0);
    }
    let of = |patches: &[Tensor]| classes(patches).unwrap().double_value(&[]);
    assert!(of(&patches) < of(&replaced), "{} {}", of(&patches), of(&replaced));
    // What the classes do not look at is left where it began.
    let green = |p: &Tensor| p.select(1, 1);
    let moved = (green(&patches[0]) - green(&replaced[0])).abs().mean(Kind::Float).double_value(&[]);
    assert!((8.0..24.0).contains(&moved), "noise alone moves by 16 in the mean: {moved}");
}

#[test]
fn patches_have_the_sizes_of_what_they_replace_and_gradients() {
    let replaced = reddish(&[(16, 8), (8, 24)]);
    for kind in ["{kind: flow, preset: tiny}", "{kind: gan, latent: 4, width: 8}"] {
        let generator = open(&settings(kind), 5, Device::Cpu).unwrap();
        let mut noise = Noise::seeded(2);
        initialise(generator.as_ref());
        let patches = generator.generate(&replaced, &mut nobody, &mut noise).unwrap();
        for (patch, of) in patches.iter().zip(&replaced) {
            assert_eq!(patch.size(), of.size(), "{kind}");
            assert!(patch.requires_grad(), "{kind}");
        }
        let again = generator.generate(&replaced, &mut nobody, &mut Noise::seeded(9)).unwrap();
        let same = generator.generate(&replaced, &mut nobody, &mut Noise::seeded(9)).unwrap();
        assert!(again[0].equal(&same[0]) && !again[0].equal(&patches[0]), "{kind}: the noise decides");
        assert!(!generator.fit(&replaced, &patches, &mut noise).unwrap().is_empty(), "{kind}");
        assert!(generator.identity().len() > 4);
    }
}

#[test]
fn samples_go_where_the_classes_are_undecided() {
    // Fitted to patches of red 210 to 226, which the classes are sure of; λ is large, so that the feedback wins.
    let generator = open(&settings("{kind: flow, preset: tiny}"), 3, Device::Cpu).unwrap();
    let rule = "{kind: adamax, lr: 0.02}";
    let rule: optimizer::Settings = crate::yaml::from_str(rule).unwrap();
    let mut optimizer = Optimizer::new(&rule, generator.parameters()).unwrap();
    let replaced = reddish(&[(8, 8), (8, 8), (8, 8), (8, 8)]);
    initialise(generator.as_ref());
    let red = |seed| {
        let patches =
            tch::no_grad(|| generator.generate(&replaced, &mut nobody, &mut Noise::seeded(seed)).unwrap());
        let off = |p: &Tensor| (p.select(1, 0) - 128.0).abs().mean(Kind::Float).double_value(&[]);
        patches.iter().map(off).sum::<f64>() / patches.len() as f64
    };
    let before = red(1);
    for step in 0..120 {
        let mut noise = Noise::seeded(100 + step);
        let patches = generator.generate(&replaced, &mut nobody, &mut noise).unwrap();
        let mut total = classes(&patches).unwrap() * 100.0;
        for Fitted { weight, value, .. } in generator.fit(&replaced, &patches, &mut noise).unwrap() {
            total += value * weight;
        }
        let mut gradients = Gradients::default();
        gradients.add(&total, generator.parameters(), false).unwrap();
        optimizer.step(generator.parameters(), &gradients, 1.0).unwrap();
    }
    let after = red(1);
    assert!(after < before / 2.0, "the mean distance to red 128 was {before}, is {after}");
}

#[test]
fn the_feedback_is_of_the_phase_where_it_is_hybrid() {
    let lessons = |feedback: &str| -> Lessons {
        let text = format!("{{feedback: {feedback}, lambda: 0.5, optimizer: {{kind: adamax, lr: 0.001}}}}");
        crate::yaml::from_str(&text).unwrap()
    };
    let hybrid = Objective::Hybrid {
        beta1: 1.0,
        beta2: 0.3,
        beta3: 0.4,
        beta4: 0.2,
        floor: Some(-10.0),
        margin: None,
    };
    let hybrid = hybrid.terms();
    let of = |name: &str| feedback(&lessons(name), &hybrid);
    let weighted = |weight, term| Weighted { weight, term };
    assert_eq!(of("jensen-shannon"), [weighted(0.5, Term::JensenShannon)]);
    assert_eq!(of("uniform"), [weighted(0.5, Term::Uniform)]);
    let both = [weighted(0.5, Term::DatasetOut), weighted(0.5, Term::Likelihood { floor: None })];
    assert_eq!(of("hybrid"), both);
    // What the phase does not train the segmenter by teaches nothing.
    let [mut switched_off, ..] = [hybrid.clone()];
    switched_off.iter_mut().filter(|w| w.term == Term::DatasetOut).for_each(|w| w.weight = 0.0);
    assert_eq!(feedback(&lessons("hybrid"), &switched_off), both[1..]);
}

#[test]
fn numbers_that_make_no_generator_are_refused() {
    for (kind, said) in [
        ("{kind: gan, width: 1}", "width 1"),
        ("{kind: adversarial, steps: 0}", "steps 0"),
        ("{kind: adversarial, radius: 300}", "radius 300"),
    ] {
        assert!(settings(kind).check().unwrap_err().contains(said), "{kind}");
    }
    let error = open(&settings("{kind: flow, preset: none}"), 1, Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("none"), "{error}");
    assert!(crate::yaml::from_str::<Settings>("{kind: flow, preset: tiny, size: 3}").is_err());
}
