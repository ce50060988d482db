use super::*;
use crate::budget::{BadStamps, OverBudget, Policy};
use crate::model::tests::model;
use crate::preprocess::geometry::Rect;
use crate::score::Score;
use crate::yaml::{self, Mapping, Value};
use proptest::prelude::*;
use std::time::Duration;

fn parameters(edit: impl Fn(&mut Parameters)) -> Parameters {
    let mut p = Parameters::default();
    edit(&mut p);
    p
}

fn settings(edit: impl Fn(&mut Parameters)) -> Result<PipelineSettings, ConfigError> {
    parameters(edit).settings(&model(|m| m).unwrap())
}

#[test]
fn defaults_take_size_and_threshold_from_the_manifest() {
    let s = settings(|_| ()).unwrap();
    assert_eq!(
        (s.scoring.score(), s.threshold, s.input_size),
        (Score::Hybrid, -0.5, Size { width: 16, height: 8 })
    );
    assert!(s.threshold_origin.contains("calibrated on none"), "{}", s.threshold_origin);
    assert_eq!(s.region, None);
    parameters(|_| ()).node().unwrap();
    parameters(|_| ()).runtime().unwrap();
}

#[test]
fn every_parameter_is_described_and_survives_the_way_through_values() {
    let p = parameters(|p| {
        p.threshold_override = 1.5;
        p.publish.overlay = false;
        p.providers = vec!["cuda".into(), "cpu".into()];
    });
    let values = p.to_values().unwrap();
    assert_eq!(values.len(), DESCRIPTIONS.len());
    let owned = values.into_iter().map(|(n, v)| (n.to_owned(), v));
    assert_eq!(Parameters::from_values(owned).unwrap(), p);
    // No field without a description: the shape has as many leaves as there are names.
    let Value::Mapping(root) = yaml::to_value(&p).unwrap() else { panic!() };
    let leaves: usize = root.values().map(|v| v.as_mapping().map_or(1, Mapping::len)).sum();
    assert_eq!(leaves, DESCRIPTIONS.len());
}

#[test]
fn the_shipped_parameter_file_is_exactly_the_defaults() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/open_set.param.yaml");
    let file: Value = yaml::read(&path).unwrap();
    let parameters = file.get("/**").and_then(|v| v.get("ros__parameters")).unwrap().clone();
    let leaves = |v: &Value| -> usize {
        v.as_mapping().unwrap().values().map(|v| v.as_mapping().map_or(1, Mapping::len)).sum()
    };
    assert_eq!(leaves(&parameters), DESCRIPTIONS.len(), "the file shows every parameter");
    let p: Parameters = yaml::from_value(parameters).unwrap();
    assert_eq!(
        p.to_values().map(|v| format!("{v:?}")),
        Parameters::default().to_values().map(|v| format!("{v:?}"))
    );
}

#[test]
fn names_and_types_that_are_wrong_are_named() {
    let from = |name: &str, v| Parameters::from_values([(name.to_owned(), v)]).unwrap_err();
    let error = from("treshold", ParameterValue::Double(1.0)).to_string();
    assert!(error.starts_with("parameter treshold is not known; known: model, "), "{error}");
    let error = from("publish.labels_colour", ParameterValue::Bool(true)).to_string();
    assert!(error.starts_with("parameter publish.labels_colour is not known"), "{error}");
    assert_eq!(from("publish", ParameterValue::Bool(true)), ConfigError::Unknown("publish".into()));
    let error = from("threads", ParameterValue::String("two".into())).to_string();
    assert_eq!(error, "parameter threads is string \"two\", it must be of type integer");
    // ROS users write 1 where 1.0 is meant.
    let one = [("threshold_override".to_owned(), ParameterValue::Integer(1))];
    assert_eq!(Parameters::from_values(one).unwrap().threshold_override, 1.0);
}

#[test]
fn values_that_cannot_be_are_refused_with_what_could() {
    let says = |result: Result<(), ConfigError>, parts: &[&str]| {
        let error = result.unwrap_err().to_string();
        assert!(parts.iter().all(|p| error.contains(p)), "{error}");
    };
    let walk = |edit: fn(&mut Parameters)| settings(edit).map(|_| ());
    says(walk(|p| p.score = "hybird".into()), &["score", "hybird", "max-logit"]);
    says(walk(|p| p.fit = "squash".into()), &["fit", "squash", "letterbox"]);
    says(walk(|p| p.output_size = "half".into()), &["output_size", "network"]);
    says(walk(|p| p.threshold_override = f64::INFINITY), &["threshold_override", "inf"]);
    says(walk(|p| p.input_size = "480".into()), &["input_size", "480x360"]);
    says(walk(|p| p.input_size = "0x10".into()), &["input_size", "0x10"]);
    says(walk(|p| p.region = "1,2,3".into()), &["region", "1,2,3"]);
    says(walk(|p| p.input_size = "32x16".into()), &["32x16", "hybrid at 16x8", "threshold_override"]);
    says(walk(|p| p.score = "generative".into()), &["generative", "hybrid at 16x8"]);
    says(walk(|p| p.temperature = 2.0), &["of score hybrid (temperature 2) at", "it has hybrid at 16x8"]);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        let result = settings(|p| p.temperature = bad).map(|_| ());
        says(result, &["temperature is", "0.001 to 1000"]);
    }
    says(walk(|p| p.score = "sml".into()), &["model tiny", "open-set fit --score sml --write"]);
    says(walk(|p| p.score = "react".into()), &["model tiny", "open-set fit --score react --write"]);
    let node = |edit: fn(&mut Parameters)| parameters(edit).node().map(|_| ());
    for bad in ["", "/", "front camera!", "a//b", "/a/", "/1a", "~a/b c"] {
        let result = parameters(|p| p.camera_topic = bad.into()).node().map(|_| ());
        says(result, &["parameter camera_topic is", bad]);
    }
    for good in ["image", "/front/image_raw", "~/image", "/a1/_b"] {
        parameters(|p| p.camera_topic = good.into()).node().unwrap();
    }
    says(node(|p| p.transport = "theora".into()), &["transport", "theora", "raw, compressed"]);
    says(node(|p| p.latency_budget_ms = -1.0), &["latency_budget_ms", "-1"]);
    says(node(|p| p.latency_budget_ms = f64::NAN), &["latency_budget_ms", "NaN"]);
    says(node(|p| p.over_budget = "late".into()), &["over_budget", "late", "drop, flag"]);
    says(node(|p| p.bad_stamps = "now".into()), &["bad_stamps", "now", "arrival, drop"]);
    let unseen = |p: &mut Parameters| (p.latency_budget_ms, p.publish.frame_status) = (50.0, false);
    says(node(unseen), &["publish.frame_status is false", "latency_budget_ms"]);
    says(node(|p| p.on_fault = "panic".into()), &["on_fault", "panic", "silent, all_unknown"]);
    says(node(|p| p.on_stuck = "wait".into()), &["on_stuck", "wait", "exit, all_unknown"]);
    says(node(|p| p.stuck_after_s = 0.0), &["stuck_after_s", "0.5 to 3600"]);
    says(node(|p| p.stale_after_s = 0.0), &["stale_after_s"]);
    says(node(|p| p.image.frozen_after_s = -1.0), &["image.frozen_after_s", "-1", "0 (never)"]);
    says(node(|p| p.image.black_share = 1.5), &["image.black_share", "1.5"]);
    says(node(|p| p.image.blocked_share = f64::NAN), &["image.blocked_share", "NaN"]);
    says(node(|p| p.drift.warn_psi = 0.0), &["drift.warn_psi", "0.001 to 100"]);
    says(node(|p| p.drift.window_s = -60.0), &["drift.window_s", "-60"]);
    let runtime = |edit: fn(&mut Parameters)| parameters(edit).runtime().map(|_| ());
    says(runtime(|p| p.providers = vec!["gpu".into()]), &["providers", "gpu", "cuda"]);
    says(runtime(|p| p.providers = vec![]), &["providers", "at least one"]);
    says(runtime(|p| p.providers = vec!["cpu".into(), "cuda".into()]), &["providers", "cpu last"]);
    says(walk(|p| p.threshold_override = 1e300), &["threshold_override", "finite"]);
    says(runtime(|p| p.threads = -1), &["threads", "-1"]);
}

#[test]
fn what_needs_no_model_is_refused_without_one() {
    let says = |edit: fn(&mut Parameters), parts: &[&str]| {
        let error = parameters(edit).walk().unwrap_err().to_string();
        assert!(parts.iter().all(|p| error.contains(p)), "{error}");
    };
    says(|p| p.score = "hybird".into(), &["score", "hybird", "max-logit"]);
    says(|p| p.fit = "squash".into(), &["fit", "squash", "letterbox"]);
    says(|p| p.temperature = -1.0, &["temperature is -1", "0.001 to 1000"]);
    says(|p| p.threshold_override = f64::INFINITY, &["threshold_override", "inf"]);
    says(|p| p.input_size = "big".into(), &["input_size", "big", "480x360"]);
    says(|p| p.region = "abc".into(), &["region", "abc"]);
    for good in ["", "auto", "480x360"] {
        parameters(|p| p.input_size = good.into()).walk().unwrap();
    }
}

#[test]
fn auto_is_every_size_with_a_calibration_and_its_own_threshold() {
    let three_sizes = model(|m| {
        let hash = m.lines().find_map(|l| l.strip_prefix("sha256: ")).unwrap().to_owned();
        let sizes = "{width: 16, height: 8, stride: 4}, {width: 64, height: 32, stride: 4}, \
                     {width: 32, height: 16, stride: 4}";
        let m = m.replace("{width: 16, height: 8, stride: 4}", sizes);
        format!(
            "{m}  - {{score: hybrid, input_size: 32x16, precision: f32, threshold: -0.25, tpr: 0.95, set: none, \
             frames: 1, model_sha256: {hash}}}\n"
        )
    })
    .unwrap();
    let auto = |edit: fn(&mut Parameters)| {
        let base = |p: &mut Parameters| (p.input_size, p.latency_budget_ms) = ("auto".into(), 50.0);
        let mut p = parameters(base);
        edit(&mut p);
        p.choices(&three_sizes)
    };
    let got: Vec<_> = auto(|_| ()).unwrap().iter().map(|s| (s.input_size.to_string(), s.threshold)).collect();
    assert_eq!(got, [("16x8".to_owned(), -0.5), ("32x16".to_owned(), -0.25)]);
    let says = |edit: fn(&mut Parameters), parts: &[&str]| {
        let error = auto(edit).unwrap_err().to_string();
        assert!(parts.iter().all(|p| error.contains(p)), "{error}");
    };
    says(|p| p.latency_budget_ms = 0.0, &["input_size is auto", "latency_budget_ms"]);
    says(|p| p.threshold_override = 1.0, &["threshold_override is 1", "every size"]);
    says(|p| p.score = "generative".into(), &["no calibration of score generative"]);
    // A size that is named is the only one.
    let one = auto(|p| p.input_size = "32x16".into()).unwrap();
    assert_eq!((one.len(), one[0].threshold), (1, -0.25));
}

#[test]
fn watching_is_switched_off_by_0() {
    let s = parameters(|_| ()).node().unwrap();
    assert_eq!((s.picture.frozen_after, s.picture.blocked_share), (Some(Duration::from_secs(2)), Some(0.8)));
    assert_eq!(s.drift.map(|d| d.window), Some(Duration::from_secs(60)));
    let off = |p: &mut Parameters| {
        p.image =
            ImageFaults { frozen_after_s: 0.0, black_share: 0.0, bright_share: 0.0, blocked_share: 0.0 };
        p.drift.window_s = 0.0;
    };
    let s = parameters(off).node().unwrap();
    assert_eq!((s.picture.frozen_after, s.picture.black_share, s.picture.blocked_share), (None, None, None));
    assert_eq!(s.drift, None);
}

#[test]
fn a_budget_of_0_is_none() {
    let policy = |edit: fn(&mut Parameters)| parameters(edit).budget().unwrap();
    let none = Policy { budget_ms: None, over_budget: OverBudget::Drop, bad_stamps: BadStamps::Arrival };
    assert_eq!(policy(|_| ()), none);
    let flag = Policy { budget_ms: Some(80.0), over_budget: OverBudget::Flag, bad_stamps: BadStamps::Drop };
    let set = |p: &mut Parameters| {
        (p.latency_budget_ms, p.over_budget, p.bad_stamps) = (80.0, "flag".into(), "drop".into());
    };
    assert_eq!(policy(set), flag);
}

#[test]
fn an_explicit_threshold_needs_no_calibration() {
    let s = settings(|p| {
        p.score = "max-logit".into();
        p.input_size = "32x16".into();
        p.threshold_override = -3.0;
        p.region = "4, 0, 8, 8".into();
    })
    .unwrap();
    assert_eq!((s.threshold, s.threshold_origin.as_str()), (-3.0, "threshold_override"));
    assert_eq!(s.region, Some(Rect { x: 4, y: 0, width: 8, height: 8 }));
}

#[test]
fn a_closed_set_model_says_so() {
    let closed = model(|m| {
        m.replace("outputs: {logits: logits, dataset_logits: dataset_logits}", "outputs: {logits: logits}")
    })
    .unwrap();
    let error = Parameters::default().settings(&closed).unwrap_err();
    assert!(matches!(error, ConfigError::ClosedSet { .. }), "{error}");
    let p = parameters(|p| (p.score, p.threshold_override) = ("energy".into(), 0.0));
    assert_eq!(p.settings(&closed).unwrap().scoring.score(), Score::Generative);
}

#[test]
fn the_camera_info_topic_is_the_sibling() {
    let default = parameters(|_| ());
    assert_eq!(default.camera_info_topic("/front/image_raw"), "/front/camera_info");
    assert_eq!(default.camera_info_topic("image"), "camera_info");
    assert_eq!(parameters(|p| p.camera_info_topic = "/x".into()).camera_info_topic("/y/z"), "/x");
}

proptest! {
    #[test]
    fn no_text_panics(
        name in "[a-z_.]{0,20}", text in ".*", number: f64, integer: i64,
        score in ".*", temperature: f64, size in "[0-9x, ]*", region in "[0-9,\\- ]*",
    ) {
        for v in [ParameterValue::String(text), ParameterValue::Double(number), ParameterValue::Integer(integer)] {
            let _ = Parameters::from_values([(name.clone(), v)]);
        }
        let _ = settings(|p| {
            (p.score, p.input_size, p.region) = (score.clone(), size.clone(), region.clone());
            (p.threshold_override, p.temperature) = (number, temperature);
        });
        let _ = yaml::from_str::<Parameters>(&size);
    }
}
