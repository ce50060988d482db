//! What may be set when, without a node: a model that knows two scores, and no thread at work.

use super::super::arguments::Names;
use super::super::spin::Job;
use super::super::station::{Naming, stations};
use super::*;
use crate::frame::Size;
use crate::preprocess::geometry::{Fit, OutputSize};
use crate::score::{Fitted, Score, Scoring};
use std::sync::mpsc::Receiver;

/// Thresholds of msp at two sizes, of hybrid at one.
fn model(parameters: &Parameters) -> Result<Vec<PipelineSettings>, ConfigError> {
    let (score, sides) = match parameters.score.as_str() {
        "hybrid" => (Score::Hybrid, &[8][..]),
        "discriminative" => (Score::Discriminative, &[8][..]),
        "msp" => (Score::Msp, &[8, 16][..]),
        other => return Err(ConfigError::Shape(format!("{other} is not calibrated"))),
    };
    let given = parameters.threshold_override;
    let settings = |side: &usize| PipelineSettings {
        scoring: Scoring::new(score, 1.0, Fitted::Nothing).unwrap(),
        threshold: if given.is_nan() { 1.0 } else { given as f32 },
        threshold_origin: "test".into(),
        histogram: None,
        input_size: Size { width: *side, height: *side },
        fit: Fit::Stretch,
        region: None,
        output_size: OutputSize::Camera,
    };
    Ok(sides.iter().map(settings).collect())
}

fn registry(cameras: &[&str]) -> (Registry, Receiver<Job>) {
    let cameras = cameras.iter().map(|c| (*c).to_owned()).collect();
    let parameters = Parameters { cameras, ..Parameters::default() };
    let names = Names::new("/open_set".into(), "/".into());
    let all = stations(&parameters, &Naming { arguments: Arc::default(), names }).unwrap();
    let (jobs, waiting) = Jobs::new(1);
    let registry = Registry {
        machine: Arc::default(),
        model: Arc::default(),
        roster: Arc::new(Mutex::new(all)),
        jobs,
        uses_sim_time: false,
        kept: Mutex::new(Kept { parameters, is_stale: false }),
    };
    (registry, waiting)
}

/// Configured, and active where that is asked for.
fn running(cameras: &[&str], is_active: bool) -> (Registry, Receiver<Job>) {
    let (r, jobs) = registry(cameras);
    for label in ["configure", "activate"].iter().take(1 + usize::from(is_active)) {
        lock(&r.machine).begin(0, label).unwrap();
        lock(&r.machine).end(true);
    }
    let check: Check = Arc::new(model);
    *lock(&r.model) = Some(check);
    (r, jobs)
}

fn set(r: &Registry, name: &str, value: ParameterValue) -> Result<(), String> {
    r.set(&[(name.to_owned(), Some(value))])
}

fn text(v: &str) -> ParameterValue {
    ParameterValue::String(v.into())
}

fn get(r: &Registry, name: &str) -> Option<ParameterValue> {
    r.values().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

fn says(result: Result<(), String>, words: &[&str]) {
    let error = result.unwrap_err();
    assert!(words.iter().all(|w| error.contains(w)), "{error}");
}

fn threshold(r: &Registry, camera: usize) -> Option<f32> {
    let roster = lock(&r.roster);
    let tuned = lock(&roster[camera].tuned);
    tuned.walk.as_ref().map(|walk| walk[0].threshold)
}

#[test]
fn what_the_loop_reads_is_taken_up_at_once() {
    let (r, _jobs) = running(&[], true);
    set(&r, "latency_budget_ms", ParameterValue::Double(70.0)).unwrap();
    let tuned = |r: &Registry| {
        let roster = lock(&r.roster);
        let tuned = lock(&roster[0].tuned);
        (tuned.version, tuned.settings.budget.budget_ms, tuned.walk.is_some())
    };
    assert_eq!(tuned(&r), (1, Some(70.0), false));
    set(&r, "image.black_share", ParameterValue::Integer(1)).unwrap();
    set(&r, "threshold_override", ParameterValue::Double(2.5)).unwrap();
    assert_eq!((tuned(&r), threshold(&r, 0)), ((3, Some(70.0), true), Some(2.5)));
    assert_eq!(get(&r, "threshold_override"), Some(ParameterValue::Double(2.5)));
    assert!(!r.is_stale());
}

#[test]
fn labels_are_held_from_now_on_and_the_kernel_is_asked_once() {
    let (r, _jobs) = running(&["front", "left"], true);
    set(&r, "hysteresis.delta", ParameterValue::Double(0.5)).unwrap();
    for station in lock(&r.roster).iter() {
        let held = lock(&station.tuned).settings.hysteresis;
        assert_eq!(held.map(|h| (h.delta, h.frames)), Some((0.5, 1)));
    }
    says(set(&r, "hysteresis.frames", ParameterValue::Integer(0)), &["hysteresis.frames is 0"]);
    says(set(&r, "realtime.priority", ParameterValue::Integer(5)), &["realtime.priority", "restart"]);
}

#[test]
fn another_score_switches_to_its_threshold_or_is_refused() {
    let (r, _jobs) = running(&[], true);
    set(&r, "score", text("discriminative")).unwrap();
    assert_eq!(threshold(&r, 0), Some(1.0));
    says(set(&r, "score", text("entropy")), &["entropy is not calibrated"]);
    says(set(&r, "score", text("msp")), &["calibrated at 8x8, 16x16", "sessions are of 8x8"]);
    assert_eq!(get(&r, "score"), Some(text("discriminative")), "what is refused changes nothing");
}

#[test]
fn what_things_are_made_from_waits_for_the_node_to_be_inactive() {
    let (r, _jobs) = running(&[], true);
    for (name, value) in [
        ("model", "other.yaml"),
        ("camera_topic", "/x"),
        ("mask", "ego.png"),
        ("region", "0,0,8,8"),
        ("transport", "compressed"),
        ("sessions", "each"),
    ] {
        says(set(&r, name, text(value)), &["parameter", name, "inactive"]);
    }
    // What it is already may be said again.
    set(&r, "transport", text("raw")).unwrap();
    assert_eq!(get(&r, "mask"), Some(text("")));
    let (r, _jobs) = running(&[], false);
    set(&r, "model", text("models/other.yaml")).unwrap();
    assert!(r.is_stale());
    // What the old model would say of it is of no interest any more.
    set(&r, "score", text("entropy")).unwrap();
    let taken = r.take_up();
    assert_eq!(
        (taken.model.as_str(), taken.score.as_str(), r.is_stale()),
        ("models/other.yaml", "entropy", false)
    );
    let (r, _jobs) = registry(&[]);
    set(&r, "model", text("models/other.yaml")).unwrap();
    assert!(!r.is_stale(), "nothing is loaded that could be");
}

#[test]
fn what_cannot_be_is_refused_in_any_state_with_its_reason() {
    for (r, _jobs) in [registry(&[]), running(&[], false), running(&[], true)] {
        says(set(&r, "treshold", ParameterValue::Double(1.0)), &["parameter treshold is not known"]);
        says(set(&r, "score", ParameterValue::Integer(3)), &["parameter score is integer 3", "string"]);
        says(set(&r, "latency_budget_ms", ParameterValue::Double(-1.0)), &["latency_budget_ms", "60000"]);
        says(set(&r, "image.black_share", ParameterValue::Double(2.0)), &["image.black_share is 2"]);
        says(set(&r, "autostart", ParameterValue::Bool(false)), &["autostart", "restart"]);
        says(set(&r, "use_sim_time", ParameterValue::Bool(true)), &["use_sim_time", "restart"]);
        says(set(&r, "threads", ParameterValue::Integer(2)), &["threads", "restart"]);
        says(set(&r, "score", text("hybird")), &["score", "hybird", "hybrid"]);
        says(set(&r, "temperature", ParameterValue::Double(-1.0)), &["temperature is -1"]);
        set(&r, "autostart", ParameterValue::Bool(true)).unwrap();
        says(r.set(&[("score".into(), None)]), &["parameter score", "type"]);
        r.set(&[]).unwrap();
    }
}

#[test]
fn a_threshold_of_one_score_is_not_another_s() {
    let (r, _jobs) = running(&["front", "left"], true);
    let atomically = |wanted: &[(&str, ParameterValue)]| {
        let wanted: Vec<Wanted> =
            wanted.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
        r.set(&wanted)
    };
    set(&r, "left.threshold_override", ParameterValue::Double(7.0)).unwrap();
    says(
        set(&r, "score", text("discriminative")),
        &["left.threshold_override 7", "unit of score hybrid", "set_parameters_atomically", ".nan"],
    );
    let of_the_node =
        [("score", text("discriminative")), ("threshold_override", ParameterValue::Double(0.5))];
    says(atomically(&of_the_node), &["left.threshold_override 7"]);
    let own = ("left.threshold_override", ParameterValue::Double(0.25));
    atomically(&[("score", text("discriminative")), own]).unwrap();
    assert_eq!((threshold(&r, 0), threshold(&r, 1)), (Some(1.0), Some(0.25)));
    set(&r, "left.threshold_override", ParameterValue::Double(f64::NAN)).unwrap();
    set(&r, "score", text("hybrid")).unwrap();
    assert_eq!((threshold(&r, 0), threshold(&r, 1)), (Some(1.0), Some(1.0)));
    // The same score said again changes no unit.
    set(&r, "threshold_override", ParameterValue::Double(3.0)).unwrap();
    set(&r, "score", text("hybrid")).unwrap();
}

#[test]
fn all_or_none() {
    let (r, _jobs) = running(&[], true);
    let both = |budget_ms: f64| {
        let budget = Some(ParameterValue::Double(budget_ms));
        r.set(&[
            ("stale_after_s".into(), Some(ParameterValue::Double(3.0))),
            ("latency_budget_ms".into(), budget),
        ])
    };
    says(both(-1.0), &["latency_budget_ms"]);
    assert_eq!(get(&r, "stale_after_s"), Some(ParameterValue::Double(1.0)));
    both(50.0).unwrap();
    assert_eq!(get(&r, "stale_after_s"), Some(ParameterValue::Double(3.0)));
}

#[test]
fn a_camera_is_tuned_alone() {
    let (r, _jobs) = running(&["front", "left"], true);
    set(&r, "left.threshold_override", ParameterValue::Double(7.0)).unwrap();
    assert_eq!((threshold(&r, 0), threshold(&r, 1)), (Some(1.0), Some(7.0)));
    set(&r, "threshold_override", ParameterValue::Double(3.0)).unwrap();
    assert_eq!((threshold(&r, 0), threshold(&r, 1)), (Some(3.0), Some(7.0)), "its own wins over the node's");
    says(set(&r, "left.camera_topic", text("/x")), &["left.camera_topic", "inactive"]);
    says(set(&r, "rear.mask", text("")), &["camera rear", "[front, left]"]);
}

#[test]
fn outputs_are_switched_by_the_thread_that_owns_the_node() {
    let (r, jobs) = running(&[], true);
    set(&r, "publish.overlay", ParameterValue::Bool(true)).unwrap();
    assert!(jobs.try_recv().is_err(), "it was on");
    set(&r, "publish.overlay", ParameterValue::Bool(false)).unwrap();
    says(set(&r, "publish.anomaly", ParameterValue::Bool(false)), &["busy", "try again"]);
    assert_eq!(get(&r, "publish.anomaly"), Some(ParameterValue::Bool(true)));
    assert!(jobs.try_recv().is_ok() && jobs.try_recv().is_err());
}

#[test]
fn while_a_change_of_state_is_under_way_nothing_is_set() {
    let (r, _jobs) = registry(&[]);
    lock(&r.machine).begin(0, "configure").unwrap();
    says(set(&r, "threshold_override", ParameterValue::Double(1.0)), &["configuring", "try again"]);
}
