//! Hand-computed cases, finite differences, invariances, extremes.

use super::*;
use tch::Device;

const HYBRID: Objective =
    Objective::Hybrid { beta1: 1.0, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor: None, margin: None };
const ALL: [Objective; 6] = [
    Objective::ClosedSet,
    HYBRID,
    Objective::OutlierExposure { weight: 0.5 },
    Objective::EnergyMargin { inlier: -3.0, outlier: Some(-1.0), weight: 0.1 },
    Objective::VoidClassifier { weight: 1.0 },
    Objective::DatasetHead,
];

/// One image of one row: logits of each pixel, dataset logit, label, whether pasted.
struct Row {
    s: Tensor,
    d: Tensor,
    labels: Tensor,
    outliers: Tensor,
}

fn row<const K: usize>(pixels: &[([f64; K], f64, i64, bool)]) -> Row {
    let n = pixels.len() as i64;
    let s: Vec<f64> = (0..K).flat_map(|k| pixels.iter().map(move |p| p.0[k])).collect();
    let d: Vec<f64> = pixels.iter().map(|p| p.1).collect();
    let labels: Vec<i64> = pixels.iter().map(|p| p.2).collect();
    let outliers: Vec<bool> = pixels.iter().map(|p| p.3).collect();
    Row {
        s: Tensor::from_slice(&s).reshape([1, K as i64, 1, n]),
        d: Tensor::from_slice(&d).reshape([1, 1, 1, n]),
        labels: Tensor::from_slice(&labels).reshape([1, 1, n]),
        outliers: Tensor::from_slice(&outliers).reshape([1, 1, n]),
    }
}

impl Row {
    fn loss(&self, objective: Objective) -> Loss {
        loss(&objective, &self.s, &self.d, &self.labels, &self.outliers, None).unwrap()
    }
}

fn value(x: &Tensor) -> f64 {
    x.double_value(&[])
}

fn term(loss: &Loss, name: &str) -> f64 {
    value(&loss.terms.iter().find(|(n, _)| *n == name).unwrap().1)
}

#[track_caller]
fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{got} is not {want}");
}

/// Two inliers, two outliers, one void; K = 2. With s = (ln 3, ln 1): P = (3/4, 1/4), LSE = ln 4.
/// With s = (ln 2, ln 6): P = (1/4, 3/4), LSE = ln 8. With d = ln 3: P(d_out) = 3/4; with 0: 1/2.
fn five() -> Row {
    let (l2, l3, l6) = (2f64.ln(), 3f64.ln(), 6f64.ln());
    row(&[
        ([l3, 0.0], 0.0, 0, false), // −ln P(y|x) = ln 4/3, −ln P(d_in) = ln 2
        ([l2, l6], l3, 0, false),   // −ln P(y|x) = ln 4, −ln P(d_in) = ln 4
        ([l3, 0.0], l3, 255, true), // LSE = ln 4, −ln P(d_out) = ln 4/3
        ([l2, l6], -l3, 255, true), // LSE = ln 8, −ln P(d_out) = ln 4
        ([7.0, -7.0], 9.0, 255, false),
    ])
}

/// ½·ln(16/3), from ln 4/3 and ln 4.
const CLASS: f64 = 0.836_988_216_785_2;

#[test]
fn the_closed_set_loss_by_hand() {
    let loss = five().loss(Objective::ClosedSet);
    close(term(&loss, "class"), (0.287_682_072_451_780_9 + 1.386_294_361_119_890_6) / 2.0);
    close(term(&loss, "class"), CLASS);
    close(value(&loss.total), CLASS);
}

#[test]
fn the_compound_loss_by_hand() {
    let loss = five().loss(Objective::Hybrid {
        beta1: 2.0,
        beta2: 0.3,
        beta3: 0.5,
        beta4: 0.1,
        floor: None,
        margin: None,
    });
    let names: Vec<_> = loss.terms.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["class", "dataset_in", "dataset_out", "likelihood_out"]);
    close(term(&loss, "class"), CLASS);
    // ½·(ln 2 + ln 4) = 1.5·ln 2
    close(term(&loss, "dataset_in"), 1.039_720_770_839_917_9);
    // ½·(ln 4/3 + ln 4), as the classes
    close(term(&loss, "dataset_out"), CLASS);
    // ½·(ln 4 + ln 8) = 2.5·ln 2
    close(term(&loss, "likelihood_out"), 1.732_867_951_399_863_3);
    // 1.673976... + 0.311916... + 0.418494... + 0.173286...
    close(value(&loss.total), 2.577_673_568_354_955);
}

#[test]
fn outliers_below_the_floor_are_not_pushed_further() {
    // Between the two outliers' LSE, ln 4 = 1.386 and ln 8 = 2.079.
    let x = five();
    let floored =
        Objective::Hybrid { beta1: 0.0, beta2: 0.0, beta3: 0.0, beta4: 1.0, floor: Some(1.5), margin: None };
    let logits = x.s.set_requires_grad(true);
    let loss = loss(&floored, &logits, &x.d, &x.labels, &x.outliers, None).unwrap();
    close(value(&loss.total), (1.5 + 8f64.ln()) / 2.0);
    let gradient = Tensor::run_backward(&[&loss.total], &[&logits], false, false).remove(0);
    let of_each = gradient.sum_dim_intlist(1, false, Kind::Double).reshape([5]);
    // softmax adds up to 1, and the mean is over two.
    for (i, expected) in [0.0, 0.0, 0.0, 0.5, 0.0].into_iter().enumerate() {
        close(of_each.double_value(&[i as i64]), expected);
    }
}

#[test]
fn a_margin_keeps_inliers_likely() {
    let margin = Some(Margin { inlier: -2.0, weight: 0.5 });
    let loss = five().loss(Objective::Hybrid {
        beta1: 1.0,
        beta2: 0.0,
        beta3: 0.0,
        beta4: 0.0,
        floor: None,
        margin,
    });
    // Of the inliers' energies, -ln 4 and -ln 8, one is above -2.
    close(term(&loss, "energy_in"), (2.0 - 4f64.ln()).powi(2) / 2.0);
    close(value(&loss.total), CLASS + (2.0 - 4f64.ln()).powi(2) / 4.0);
}

#[test]
fn the_bound_of_eq_12_is_above_eq_11_and_the_class_term_makes_their_difference() {
    // L_x^UB − L_x = E_in[LSE(s) − s_y] = L_cls: which is why it is counted once.
    let x = five();
    let lse = x.s.logsumexp(1, false).reshape([5]);
    let s_y = [3f64.ln(), 2f64.ln()];
    let lse_in = (lse.double_value(&[0]) + lse.double_value(&[1])) / 2.0;
    let out = (lse.double_value(&[2]) + lse.double_value(&[3])) / 2.0;
    let bound = -(s_y[0] + s_y[1]) / 2.0 + out;
    let l_x = -lse_in + out;
    assert!(bound > l_x);
    close(bound - l_x, CLASS);
    // Eqs. (24-26): L_cls + L_x^UB with E_in[−s_y] once is L_cls + E_out[LSE(s)].
    let all = x.loss(Objective::Hybrid {
        beta1: 1.0,
        beta2: 0.0,
        beta3: 0.0,
        beta4: 1.0,
        floor: None,
        margin: None,
    });
    close(value(&all.total), CLASS + bound + (s_y[0] + s_y[1]) / 2.0);
}

#[test]
fn the_dataset_head_by_hand() {
    let loss = five().loss(Objective::DatasetHead);
    close(value(&loss.total), 1.039_720_770_839_917_9 + CLASS);
}

#[test]
fn outlier_exposure_by_hand() {
    let loss = five().loss(Objective::OutlierExposure { weight: 0.5 });
    // Each outlier has P = (¼, ¾) in some order: −½·(ln ¼ + ln ¾) = ½·ln(16/3).
    close(term(&loss, "uniform_out"), CLASS);
    close(value(&loss.total), 1.5 * CLASS);
}

#[test]
fn the_energy_margin_by_hand() {
    // Energies: inliers −ln 4, −ln 8; outliers the same. Margins −1.5 and −1.
    let loss = five().loss(Objective::EnergyMargin { inlier: -1.5, outlier: Some(-1.0), weight: 0.1 });
    // (1.5 − ln 4)² = 0.113705638880109², the other is below its margin.
    close(term(&loss, "energy_in"), 0.006_464_486_157);
    // (ln 4 − 1)² = 0.149223..., (ln 8 − 1)² = 1.165194...
    close(term(&loss, "energy_out"), (0.149_223_333_433 + 1.165_194_041_904) / 2.0);
    let terms = 0.1 * (term(&loss, "energy_in") + term(&loss, "energy_out"));
    close(value(&loss.total), CLASS + terms);
    // Without outliers' margin it is of the known classes alone.
    let alone = Objective::EnergyMargin { inlier: -1.5, outlier: None, weight: 0.1 };
    close(value(&five().loss(alone).total), CLASS + 0.1 * term(&loss, "energy_in"));
    assert!(!alone.needs_outliers() && alone.score().is_none() && alone.check().is_ok());
}

#[test]
fn the_k_plus_1_cross_entropy_is_the_class_and_dataset_terms_of_a_tied_head() {
    let (s, _, labels, outliers) = random(3, 5, 6, 7);
    let g = noise(&[3, 1, 6, 7], 99);
    // Explicitly: cross-entropy over [s, g], the outliers' class the last, a mean for each set.
    let log_posterior = Tensor::cat(&[&s, &g], 1).log_softmax(1, None);
    let mean = |mask: &Tensor, classes: &Tensor| {
        let of_label = log_posterior.gather(1, &classes.unsqueeze(1), false).squeeze_dim(1);
        -value(&of_label.masked_select(mask).mean(Kind::Double))
    };
    let inliers = labels.ne(255);
    let known = labels.where_self(&inliers, &labels.zeros_like());
    let explicit = mean(&inliers, &known) + mean(&outliers, &(labels.zeros_like() + 5));

    let tied = &g - s.logsumexp(1, true);
    let ours = loss(&Objective::VoidClassifier { weight: 1.0 }, &s, &tied, &labels, &outliers, None).unwrap();
    close(value(&ours.total), explicit);
}

#[test]
fn class_weights_are_pytorchs_and_in_the_class_term_alone() {
    let x = five();
    let weights = Tensor::from_slice(&[3.0, 1.0]);
    let labels = Tensor::from_slice(&[0i64, 1, 255, 255, 255]).reshape([1, 1, 5]);
    let got = loss(&HYBRID, &x.s, &x.d, &labels, &x.outliers, Some(&weights)).unwrap();
    // (3·ln 4/3 + 1·ln 4/3) / 4, then labels (0, 0, ...): (3·ln 4/3 + 3·ln 4) / 6.
    close(term(&got, "class"), 0.287_682_072_451_780_9);
    let both = loss(&HYBRID, &x.s, &x.d, &x.labels, &x.outliers, Some(&weights)).unwrap();
    close(term(&both, "class"), CLASS);
    let plain = x.loss(HYBRID);
    for name in ["dataset_in", "dataset_out", "likelihood_out"] {
        close(term(&both, name), term(&plain, name));
    }
    // The second inlier made class 1: −ln ¾; by weights (3·ln 4/3 + 1·ln 4)/4 where it is −ln ¼.
    let s = row(&[([3f64.ln(), 0.0], 0.0, 0, false), ([3f64.ln(), 0.0], 0.0, 1, false)]);
    let got = loss(&Objective::ClosedSet, &s.s, &s.d, &s.labels, &s.outliers, Some(&weights)).unwrap();
    close(value(&got.total), (3.0 * 0.287_682_072_451_780_9 + 1.386_294_361_119_890_6) / 4.0);
}

/// Numbers of no pattern, −3..3, the same everywhere.
fn noise(shape: &[i64], seed: u64) -> Tensor {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let count: i64 = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.random_range(-3.0..3.0)).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// s, d, labels, outliers: about a tenth of the pixels void, a fifth pasted.
fn random(n: i64, classes: i64, h: i64, w: i64) -> (Tensor, Tensor, Tensor, Tensor) {
    let draw = noise(&[n, h, w], 5);
    let outliers = draw.gt(1.8);
    let void = draw.lt(-2.4).logical_or(&outliers);
    let labels = ((noise(&[n, h, w], 6) + 3.0) / 6.0 * classes as f64).floor().to_kind(Kind::Int64);
    let labels = labels.clamp(0, classes - 1).masked_fill(&void, 255);
    (noise(&[n, classes, h, w], 7), noise(&[n, 1, h, w], 8), labels, outliers)
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let weights = Tensor::from_slice(&[1.0, 0.2, 2.5, 0.7]);
    for objective in ALL {
        // From a third of the size: the gradient goes through the upsampling too.
        let (_, _, labels, outliers) = random(2, 4, 6, 9);
        let (s, d) = (noise(&[2, 4, 2, 3], 1), noise(&[2, 1, 2, 3], 2));
        let total = |s: &Tensor, d: &Tensor| {
            loss(&objective, s, d, &labels, &outliers, Some(&weights)).unwrap().total
        };
        let (s_leaf, d_leaf) = (s.set_requires_grad(true), d.set_requires_grad(true));
        (total(&s_leaf, &d_leaf) + (s_leaf.sum(Kind::Double) + d_leaf.sum(Kind::Double)) * 0.0).backward();
        let (s, d) = (s_leaf.detach(), d_leaf.detach());
        let step = 1e-5;
        let differences = |x: &Tensor, grad: Tensor, f: &dyn Fn(&Tensor) -> f64| {
            let flat: Vec<f64> = x.flatten(0, -1).try_into().unwrap();
            let grad: Vec<f64> = grad.contiguous().flatten(0, -1).try_into().unwrap();
            for (i, grad) in grad.iter().enumerate() {
                let at = |by: f64| {
                    let mut moved = flat.clone();
                    moved[i] += by;
                    f(&Tensor::from_slice(&moved).reshape(x.size()))
                };
                let slope = (at(step) - at(-step)) / (2.0 * step);
                assert!((slope - grad).abs() < 1e-8, "{objective:?} {i}: {slope} {grad}");
            }
        };
        differences(&s, s_leaf.grad(), &|moved| value(&total(moved, &d)));
        differences(&d, d_leaf.grad(), &|moved| value(&total(&s, moved)));
    }
}

#[test]
fn a_constant_on_all_logits_moves_the_likelihood_alone() {
    let (s, d, labels, outliers) = random(2, 4, 5, 6);
    let of = |s: &Tensor| loss(&HYBRID, s, &d, &labels, &outliers, None).unwrap();
    let (before, after) = (of(&s), of(&(&s + 2.5)));
    for name in ["class", "dataset_in", "dataset_out"] {
        close(term(&after, name), term(&before, name));
    }
    close(term(&after, "likelihood_out"), term(&before, "likelihood_out") + 2.5);
    let uniform = |s: &Tensor| {
        let objective = Objective::OutlierExposure { weight: 1.0 };
        value(&loss(&objective, s, &d, &labels, &outliers, None).unwrap().total)
    };
    close(uniform(&(&s + 2.5)), uniform(&s));
}

#[test]
fn what_stands_on_void_pixels_changes_nothing() {
    let (s, d, labels, outliers) = random(2, 4, 5, 6);
    let void = labels.eq(255).logical_and(&outliers.logical_not());
    assert!(void.sum(Kind::Int64).int64_value(&[]) > 3);
    let (s2, d2) = (s.masked_fill(&void.unsqueeze(1), 40.0), d.masked_fill(&void.unsqueeze(1), -30.0));
    for objective in ALL {
        let of = |s: &Tensor, d: &Tensor| {
            let s = s.detach().set_requires_grad(true);
            let total = loss(&objective, &s, d, &labels, &outliers, None).unwrap().total;
            (&total + s.sum(Kind::Double) * 0.0).backward();
            let grad = s.grad().masked_select(&void.unsqueeze(1));
            assert_eq!(value(&grad.abs().sum(Kind::Double)), 0.0, "{objective:?}");
            value(&total)
        };
        close(of(&s2, &d2), of(&s, &d));
    }
}

#[test]
fn a_label_under_a_pasted_pixel_is_not_looked_at() {
    let (s, d, labels, outliers) = random(2, 4, 5, 6);
    let seen = labels.masked_fill(&outliers, 1);
    for objective in ALL {
        let of = |labels| value(&loss(&objective, &s, &d, labels, &outliers, None).unwrap().total);
        assert_eq!(of(&seen), of(&labels), "{objective:?}");
    }
}

#[test]
fn extremes_stay_finite() {
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
        let (s, d, labels, outliers) = random(2, 4, 5, 6);
        let (s, d) = ((s.sign() * 1e4).to_kind(kind), (d.sign() * 1e4).to_kind(kind));
        for objective in ALL {
            let (s, d) = (s.detach().set_requires_grad(true), d.detach().set_requires_grad(true));
            let total = loss(&objective, &s, &d, &labels, &outliers, None).unwrap().total;
            assert!(value(&total).is_finite(), "{objective:?}");
            (total + (s.sum(kind) + d.sum(kind)) * 0.0).backward();
            for grad in [s.grad(), d.grad()] {
                assert!(value(&grad.abs().sum(Kind::Double)).is_finite(), "{objective:?}");
            }
        }
    }
}

#[test]
fn an_empty_set_makes_its_terms_zero() {
    let (s, d, labels, outliers) = random(2, 4, 5, 6);
    let (nobody, everybody) = (outliers.zeros_like(), outliers.ones_like());
    let void = labels.ones_like() * 255;
    let weights = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0]);
    for objective in ALL {
        for weights in [None, Some(&weights)] {
            let of = |labels: &Tensor, outliers: &Tensor| {
                let s = s.detach().set_requires_grad(true);
                let loss = loss(&objective, &s, &d, labels, outliers, weights).unwrap();
                (&loss.total + s.sum(Kind::Double) * 0.0).backward();
                assert!(value(&s.grad().abs().sum(Kind::Double)).is_finite());
                loss
            };
            let zero = |loss: &Loss, suffix: &str| {
                for (name, term) in loss.terms.iter().filter(|(name, _)| name.ends_with(suffix)) {
                    assert_eq!(value(term), 0.0, "{objective:?} {name}");
                }
            };
            zero(&of(&labels, &nobody), "_out");
            let outliers_only = of(&labels, &everybody);
            zero(&outliers_only, "_in");
            zero(&outliers_only, "class");
            assert_eq!(value(&of(&void, &nobody).total), 0.0);
        }
    }
}

#[test]
fn maps_at_another_size_are_upsampled_with_half_pixel_centres() {
    let maps = Tensor::from_slice(&[0.0, 1.0]).reshape([1, 1, 1, 2]);
    let wide: Vec<f64> = upsample(&maps, (1, 4)).unwrap().flatten(0, -1).try_into().unwrap();
    assert_eq!(wide, [0.0, 0.25, 0.75, 1.0]);
    let (_, _, labels, outliers) = random(2, 4, 6, 9);
    let (s, d) = (noise(&[2, 4, 2, 3], 1), noise(&[2, 1, 2, 3], 2));
    let large = |x: &Tensor| upsample(x, (6, 9)).unwrap();
    let of = |s: &Tensor, d: &Tensor| value(&loss(&HYBRID, s, d, &labels, &outliers, None).unwrap().total);
    close(of(&large(&s), &large(&d)), of(&s, &d));
}

#[test]
fn shapes_and_labels_that_do_not_fit_are_refused() {
    let (s, d, labels, outliers) = random(2, 4, 5, 6);
    let message = |s: &Tensor, d: &Tensor, labels: &Tensor, outliers: &Tensor, w: Option<&Tensor>| {
        loss(&HYBRID, s, d, labels, outliers, w).unwrap_err().to_string()
    };
    let weights = Tensor::from_slice(&[1.0, 2.0]);
    for (got, want) in [
        (message(&s, &s, &labels, &outliers, None), "dataset_logits is [2, 4, 5, 6]"),
        (message(&s.flatten(2, 3), &d, &labels, &outliers, None), "logits is [2, 4, 30]"),
        (message(&s, &d, &labels.slice(0, 0, 1, 1), &outliers, None), "labels is [1, 5, 6]"),
        (message(&s, &d, &labels, &outliers.slice(1, 0, 2, 1), None), "outliers is [2, 2, 6]"),
        (message(&s, &d, &labels, &outliers, Some(&weights)), "class_weights is [2]"),
        (message(&s, &d, &(&labels + 4).clamp_max(255), &outliers, None), "among labels of 0..4 and 255"),
        (message(&s, &d, &(&labels - 4), &outliers, None), "among labels of 0..4 and 255"),
    ] {
        assert!(got.contains(want), "{got} | {want}");
    }
    assert_eq!(s.device(), Device::Cpu);
}

#[test]
fn settings_are_read_by_kind_and_unknown_keys_are_refused() {
    let read = |yaml: &str| crate::yaml::from_str::<Objective>(yaml).map_err(|e| e.to_string());
    assert_eq!(read("{kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03}"), Ok(HYBRID));
    assert_eq!(read("kind: closed-set"), Ok(Objective::ClosedSet));
    assert_eq!(read("{kind: void-classifier, weight: 1}"), Ok(Objective::VoidClassifier { weight: 1.0 }));
    let floored = "{kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor: -10}";
    assert!(matches!(read(floored), Ok(Objective::Hybrid { floor: Some(-10.0), margin: None, .. })));
    let kept = floored.replace("floor: -10", "margin: {inlier: -9, weight: 0.1}");
    let margin = Some(Margin { inlier: -9.0, weight: 0.1 });
    assert!(matches!(read(&kept), Ok(Objective::Hybrid { floor: None, margin: m, .. }) if m == margin));
    assert!(read(&kept.replace("weight", "share")).is_err());
    for wrong in ["{kind: closed-set, weight: 1}", "{kind: hybrid, beta1: 1}", "{kind: hybird}", "{}"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for objective in ALL {
        let json = serde_json::to_string(&objective).unwrap();
        assert_eq!(serde_json::from_str::<Objective>(&json).unwrap(), objective, "{json}");
        assert!(objective.check().is_ok());
    }
}

#[test]
fn impossible_objectives_are_refused() {
    let hybrid =
        Objective::Hybrid { beta1: 1.0, beta2: -0.3, beta3: 0.3, beta4: 0.03, floor: None, margin: None };
    assert!(hybrid.check().unwrap_err().to_string().starts_with("beta2 is -0.3"));
    let floor = Some(f64::NEG_INFINITY);
    let bottomless =
        Objective::Hybrid { beta1: 1.0, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor, margin: None };
    assert!(bottomless.check().unwrap_err().to_string().starts_with("floor is -inf"));
    for (inlier, weight, said) in
        [(-10.0, -1.0, "margin's weight is -1"), (f64::INFINITY, 1.0, "energy margins: inlier inf")]
    {
        let margin = Some(Margin { inlier, weight });
        let kept = Objective::Hybrid { beta1: 1.0, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor: None, margin };
        assert!(kept.check().unwrap_err().to_string().starts_with(said));
    }
    assert!(Objective::OutlierExposure { weight: f64::NAN }.check().is_err());
    let margins = Objective::EnergyMargin { inlier: -5.0, outlier: Some(-15.0), weight: 0.1 };
    let endless = Objective::EnergyMargin { inlier: f64::NAN, outlier: None, weight: 0.1 };
    assert!(endless.check().unwrap_err().to_string().contains("inlier NaN is no number below infinity"));
    assert!(margins.check().unwrap_err().to_string().contains("inlier -5 is no number below outlier -15"));
}
