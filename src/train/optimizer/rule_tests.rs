use super::*;

fn settings(kind: Rule) -> Settings {
    Settings {
        kind,
        lr: 0.1,
        lr_scale: LrScale { encoder: 0.5, ..LrScale::default() },
        weight_decay: 0.2,
        betas: [0.9, 0.99],
        epsilon: 1e-8,
        momentum: 0.9,
    }
}

/// A weight of the encoder, a scale of the decoder, a buffer; the loss is a·w² + b·s.
fn parameters() -> Parameters {
    let mut parameters = Parameters::new();
    for (name, value, role) in [
        ("encoder.conv.weight", 2.0f64, Role::Weight),
        ("decoder.norm.weight", 1.0, Role::Scale),
        ("decoder.norm.running_mean", 5.0, Role::Buffer),
    ] {
        parameters.insert(name, Tensor::from_slice(&[value as f32]), role).unwrap();
    }
    parameters
}

fn value(parameters: &Parameters, name: &str) -> f64 {
    parameters.get(name).unwrap().tensor.double_value(&[0])
}

fn gradients(parameters: &Parameters) -> Gradients {
    let w = &parameters.get("encoder.conv.weight").unwrap().tensor;
    let s = &parameters.get("decoder.norm.weight").unwrap().tensor;
    let mut gradients = Gradients::default();
    gradients.add(&(w * w + s * 3.0).sum(tch::Kind::Float), parameters, false).unwrap();
    gradients
}

#[track_caller]
fn check(kind: Rule, expected: [[f64; 2]; 2]) {
    let parameters = parameters();
    let mut optimizer = Optimizer::new(&settings(kind), &parameters).unwrap();
    for [weight, scale] in expected {
        optimizer.step(&parameters, &gradients(&parameters), 1.0).unwrap();
        let got = [value(&parameters, "encoder.conv.weight"), value(&parameters, "decoder.norm.weight")];
        assert!((got[0] - weight).abs() < 1e-6 && (got[1] - scale).abs() < 1e-6, "{got:?}");
    }
    assert_eq!(value(&parameters, "decoder.norm.running_mean"), 5.0);
}

/// By hand: w = 2, g = 2w; s = 1, g = 3; lr 0.05 and 0.1, no decay of s.
#[test]
fn two_steps_by_hand() {
    // w: g = 4 + 0.2·2 = 4.4, m = 4.4, w = 2 − 0.05·4.4 = 1.78; g = 3.56 + 0.356, m = 0.9·4.4 + 3.916 = 7.876.
    check(Rule::Sgd, [[1.78, 0.7], [1.78 - 0.05 * 7.876, 0.7 - 0.1 * 5.7]]);
    // The first step of Adam is the sign of the gradient; AdamW shrinks w first: 2·(1 − 0.05·0.2) = 1.98.
    // Second: g = 3.86, m̂ = (0.09·4 + 0.1·3.86)/(1 − 0.81), v̂ = (0.0099·16 + 0.01·14.8996... )/(1 − 0.9801).
    let (g1, g2): (f64, f64) = (4.0, 2.0 * 1.93);
    let m = (0.9 * 0.1 * g1 + 0.1 * g2) / 0.19;
    let v = (0.99 * 0.01 * g1 * g1 + 0.01 * g2 * g2) / (1.0 - 0.9801);
    check(Rule::AdamW, [[1.93, 0.9], [1.93 * 0.99 - 0.05 * m / v.sqrt(), 0.8]]);
    let (g1, g2): (f64, f64) = (4.4, 2.2 * 1.95);
    let m = (0.9 * 0.1 * g1 + 0.1 * g2) / 0.19;
    let v = (0.99 * 0.01 * g1 * g1 + 0.01 * g2 * g2) / (1.0 - 0.9801);
    check(Rule::Adam, [[1.95, 0.9], [1.95 - 0.05 * m / v.sqrt(), 0.8]]);
    // The same gradients; u = max(0.99·4.4, 4.29) = 4.356.
    check(Rule::Adamax, [[1.95, 0.9], [1.95 - 0.05 * m / 4.356, 0.8]]);
}

#[test]
fn a_rate_of_0_freezes_a_part() {
    let parameters = parameters();
    let frozen =
        Settings { lr_scale: LrScale { encoder: 0.0, ..LrScale::default() }, ..settings(Rule::AdamW) };
    frozen.freeze(&parameters).unwrap();
    let mut optimizer = Optimizer::new(&frozen, &parameters).unwrap();
    assert_eq!(optimizer.tensors().count(), 2);
    optimizer.step(&parameters, &gradients(&parameters), 1.0).unwrap();
    assert_eq!(value(&parameters, "encoder.conv.weight"), 2.0);
    assert!(value(&parameters, "decoder.norm.weight") < 1.0);
    settings(Rule::AdamW).freeze(&parameters).unwrap();
    assert_eq!(gradients(&parameters).iter().count(), 2, "thawed");
}

#[test]
fn a_generator_moves_at_the_base_rate() {
    let mut parameters = Parameters::new();
    parameters.insert("generator.shift", Tensor::from_slice(&[1.0f32]), Role::Scale).unwrap();
    let lr_scale = LrScale { encoder: 0.0, decoder: 0.5, class_head: 0.0, dataset_head: 0.0 };
    let settings = Settings { lr_scale, ..settings(Rule::AdamW) };
    settings.freeze(&parameters).unwrap();
    let mut optimizer = Optimizer::new(&settings, &parameters).unwrap();
    let mut gradients = Gradients::default();
    let shift = &parameters.get("generator.shift").unwrap().tensor;
    gradients.add(&(shift * 3.0).sum(tch::Kind::Float), &parameters, false).unwrap();
    optimizer.step(&parameters, &gradients, 1.0).unwrap();
    assert!((value(&parameters, "generator.shift") - 0.9).abs() < 1e-6);
}

#[test]
fn gradients_add_up_and_are_clipped_together() {
    let parameters = parameters();
    let mut twice = gradients(&parameters);
    let w = &parameters.get("encoder.conv.weight").unwrap().tensor;
    twice.add(&(w * 4.0).sum(tch::Kind::Float), &parameters, false).unwrap();
    // w: 4 + 4, s: 3 (its second gradient does not exist).
    let norm = twice.norm().unwrap();
    assert!((norm - 73f64.sqrt()).abs() < 1e-6);
    twice.clip(norm, 100.0).unwrap();
    assert_eq!(twice.norm().unwrap(), norm);
    twice.clip(norm, 0.5).unwrap();
    assert!((twice.norm().unwrap() - 0.5).abs() < 1e-6);
    // What has no graph has no gradients.
    let mut none = Gradients::default();
    none.add(&Tensor::from_slice(&[1.0f32]).sum(tch::Kind::Float), &parameters, false).unwrap();
    assert_eq!((none.iter().count(), none.norm().unwrap()), (0, 0.0));
}

#[test]
fn what_is_no_number_is_seen() {
    let parameters = parameters();
    let w = &parameters.get("encoder.conv.weight").unwrap().tensor;
    let mut gradients = gradients(&parameters);
    gradients.add(&(w * f64::INFINITY).sum(tch::Kind::Float), &parameters, false).unwrap();
    assert!(!gradients.norm().unwrap().is_finite());
}

#[test]
fn impossible_settings_are_refused() {
    let says = |edit: fn(&mut Settings), part: &str| {
        let mut settings = settings(Rule::AdamW);
        edit(&mut settings);
        let error = settings.check().unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    assert_eq!(settings(Rule::AdamW).check(), Ok(()));
    says(|s| s.lr = 0.0, "lr is 0");
    says(|s| s.lr = f64::NAN, "lr is NaN");
    says(|s| s.lr_scale.encoder = -1.0, "lr_scale is [-1.0");
    says(
        |s| s.lr_scale = LrScale { encoder: 0.0, decoder: 0.0, class_head: 0.0, dataset_head: 0.0 },
        "above",
    );
    says(|s| s.weight_decay = -0.1, "weight_decay is -0.1");
    says(|s| s.betas = [0.9, 1.0], "1.0");
    says(|s| s.epsilon = 0.0, "epsilon is 0");
}
