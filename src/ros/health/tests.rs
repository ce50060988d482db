use super::*;
use crate::assemble::Identity;
use crate::budget::predictor::Work;
use crate::config::{Parameters, PipelineSettings};
use crate::frame::Size;
use crate::model::ScoreHistogram;
use crate::preprocess::geometry::{Fit, OutputSize};
use crate::score::{Fitted, Score, Scoring};

fn health(budget_ms: f64) -> (Health, Instant) {
    let now = Instant::now();
    let parameters = Parameters { latency_budget_ms: budget_ms, ..Parameters::default() };
    let topic = String::from("/camera");
    let camera = Camera { hardware_id: topic.clone(), topic, qos: "best effort".into() };
    let mut health = Health::new(camera, &parameters.node().unwrap(), now);
    health.entered(State::Active, now);
    health.enable(true, now);
    (health, now)
}

/// A result of that latency.
fn published(latency: f64) -> Published {
    Published {
        times: Times { latency, ..Times::default() },
        stamp: Stamp::Good,
        is_over_budget: false,
        work_p95_ms: None,
        psi: None,
        no_camera_info: None,
    }
}

fn reject(h: &mut Health, reason: &str) {
    h.unpublished(&Unpublished::Rejected(reason.into()));
}

fn ready() -> Ready {
    let settings = PipelineSettings {
        scoring: Scoring::new(Score::Hybrid, 1.0, Fitted::Nothing).unwrap(),
        threshold: -0.5,
        threshold_origin: "test".into(),
        histogram: None,
        input_size: Size { width: 8, height: 8 },
        fit: Fit::Stretch,
        region: None,
        output_size: OutputSize::Camera,
    };
    let identity = Identity { model: "m".into(), model_sha256: "s".into(), runtime: "r".into() };
    Ready { identity, settings, provider: "cpu".into() }
}

fn get<'a>(status: &'a Status, key: &str) -> &'a str {
    &status.values.iter().find(|(k, _)| k == key).unwrap().1
}

#[test]
fn a_camera_waits_is_active_goes_stale_and_comes_back() {
    let (mut h, t) = health(0.0);
    h.publishers(Publishers { images: 0, other_type: Some("sensor_msgs/msg/CompressedImage".into()) });
    let camera = |h: &Health, s: f64| h.statuses(t + Duration::from_secs_f64(s), 2)[0].clone();
    let waiting = camera(&h, 3.0);
    assert_eq!((waiting.level, get(&waiting, "state")), (Level::Warn, "waiting"));
    assert!(waiting.message.contains("/camera") && waiting.message.contains("best effort"));
    assert!(waiting.message.contains("0 publishers of images, but one of sensor_msgs/msg/CompressedImage"));
    h.arrived(t + Duration::from_secs(4));
    assert_eq!(get(&camera(&h, 4.5), "state"), "active");
    assert_eq!(get(&camera(&h, 4.5), "frames_replaced"), "2");
    let stale = camera(&h, 6.3);
    assert_eq!((stale.level, get(&stale, "state")), (Level::Warn, "stale"));
    assert!(stale.message.contains("2.3 s"), "{}", stale.message);
    h.arrived(t + Duration::from_secs(7));
    assert_eq!(camera(&h, 7.0).level, Level::Ok);
}

#[test]
fn a_refused_image_is_told_until_a_good_one_is_published() {
    let (mut h, t) = health(0.0);
    h.arrived(t);
    reject(&mut h, "too small");
    reject(&mut h, "too small");
    let s = &h.statuses(t, 0)[0];
    assert_eq!((s.level, s.message.as_str()), (Level::Error, "rejected: too small"));
    assert_eq!(get(s, "frames_rejected"), "2");
    h.published(t, &published(0.0));
    assert_eq!(h.statuses(t, 0)[0].level, Level::Ok);
}

#[test]
fn inference_warms_up_runs_fails_and_recovers() {
    let (mut h, t) = health(0.0);
    let inference = |h: &Health, s: u64| h.statuses(t + Duration::from_secs(s), 0)[1].clone();
    h.entered(State::Configuring, t);
    assert_eq!(
        (inference(&h, 7).level, inference(&h, 7).message.as_str()),
        (Level::Warn, "warming up for 7 s")
    );
    h.ready(ready(), None);
    h.entered(State::Active, t);
    assert_eq!((inference(&h, 0).level, get(&inference(&h, 0), "provider")), (Level::Ok, "cpu"));
    assert_eq!(get(&inference(&h, 0), "last_result_age_s"), "none");
    h.unpublished(&Unpublished::Failed("broken".into()));
    assert_eq!(inference(&h, 0).message, "failed: broken");
    assert_eq!(inference(&h, 0).level, Level::Error);
    h.published(t, &published(0.0));
    assert_eq!(inference(&h, 2).message, "running");
    assert_eq!(get(&inference(&h, 2), "last_result_age_s"), "2.000");
}

#[test]
fn a_change_of_size_is_told() {
    let (mut h, t) = health(100.0);
    h.ready(ready(), None);
    let told = |h: &Health| {
        let s = h.statuses(t, 0)[1].clone();
        ["input_size", "input_size_changes", "last_change"].map(|key| get(&s, key).to_owned())
    };
    assert_eq!(told(&h), ["8x8", "0", "none"]);
    let [from, to] = [16, 8].map(|side| Size { width: side, height: side });
    h.ready(ready(), Some(Change { from, to, from_ms: 120.0, to_ms: 60.0, budget_ms: 100.0 }));
    assert_eq!(told(&h), ["8x8", "1", "16x16 to 8x8: labels 120.0 ms old become 60.0 of 100 ms"]);
}

#[test]
fn a_frame_that_never_ends_is_an_error() {
    let (mut h, t) = health(0.0);
    h.ready(ready(), None);
    h.work_began();
    let look_until = |h: &mut Health, from: u64, until: u64| {
        (from * 4..until * 4).find_map(|i| h.look(t + Duration::from_millis(i * 250)))
    };
    let inference = |h: &Health| h.statuses(t, 0)[1].clone();
    assert_eq!(look_until(&mut h, 0, 5), None);
    assert_eq!((inference(&h).level, h.is_stuck()), (Level::Ok, false));
    look_until(&mut h, 5, 9);
    assert!(h.is_stuck());
    let stuck = inference(&h);
    assert_eq!(stuck.level, Level::Error);
    assert!(stuck.message.contains("stuck: at work on one frame for 5."), "{}", stuck.message);
    h.all_unknown();
    h.work_ended();
    h.unpublished(&Unpublished::GivenUp);
    let s = inference(&h);
    assert_eq!((s.level, get(&s, "results_all_unknown"), h.is_stuck()), (Level::Ok, "1", false));
}

#[test]
fn latency_over_the_budget_is_told() {
    let (mut h, t) = health(50.0);
    let latency = |h: &Health| h.statuses(t, 0)[2].clone();
    assert_eq!(latency(&h).message, "no frame yet");
    let work = Work { inference: 30.0, labels: Some(1.0), ..Work::default() };
    let times = Times { latency: 49.0, work, ..Times::default() };
    h.published(t, &Published { times, work_p95_ms: Some(31.0), ..published(0.0) });
    let s = latency(&h);
    assert_eq!((s.level, get(&s, "inference_ms_p99"), get(&s, "frames")), (Level::Ok, "30.000", "1"));
    assert_eq!((get(&s, "labels_ms_p50"), get(&s, "predicted_work_ms")), ("1.000", "31.000"));
    h.published(t, &Published { is_over_budget: true, ..published(51.0) });
    let s = latency(&h);
    assert_eq!((s.level, get(&s, "results_over_budget")), (Level::Warn, "1"));
    assert!(s.message.contains("51.0") && s.message.contains("50 ms"), "{}", s.message);
}

#[test]
fn what_is_not_begun_or_dropped_for_want_of_time_is_counted_and_told() {
    let (mut h, t) = health(50.0);
    let at = |h: &Health, s: u64, status: usize| h.statuses(t + Duration::from_secs(s), 0)[status].clone();
    let would_miss = Refusal::WouldMiss { age_ms: 30.0, work_ms: 40.0, budget_ms: 50.0 };
    let over_age = Refusal::OverAge { age_ms: 120.0, budget_ms: 50.0 };
    let late = Late { age_ms: 60.0, labels_ms: 1.0, budget_ms: 50.0 };

    h.arrived(t);
    h.unpublished(&late.into());
    assert_eq!(at(&h, 0, 2).level, Level::Error, "nothing is published, and that is said");
    assert!(at(&h, 0, 2).message.contains("60.0 ms old"), "{}", at(&h, 0, 2).message);
    h.published(t, &published(10.0));
    assert_eq!(at(&h, 0, 2).level, Level::Ok);
    h.unpublished(&would_miss.into());
    assert_eq!(at(&h, 0, 2).level, Level::Warn, "others are published");
    assert!(at(&h, 0, 2).message.contains("takes 40.0 ms more"), "{}", at(&h, 0, 2).message);
    h.arrived(t + Duration::from_secs(3));
    assert_eq!(at(&h, 3, 2).level, Level::Error, "not any more");
    h.published(t + Duration::from_secs(3), &published(10.0));
    h.unpublished(&over_age.into());
    assert_eq!(at(&h, 3, 2).level, Level::Error, "no network is fast enough");
    assert!(at(&h, 3, 2).message.contains("120.0 ms old"), "{}", at(&h, 3, 2).message);

    let s = at(&h, 3, 0);
    let counts = ["frames_late", "frames_would_miss", "frames_over_age", "frames_bad_stamp", "frames_out"];
    assert_eq!(counts.map(|key| get(&s, key)), ["1", "1", "1", "0", "2"]);
}

#[test]
fn a_stamp_that_tells_no_age_is_told_and_its_age_not_averaged() {
    let (mut h, t) = health(0.0);
    let latency = |h: &Health| h.statuses(t, 0)[2].clone();
    h.published(t, &Published { stamp: Stamp::Ahead { ms: 2000.0 }, ..published(7.0) });
    let s = latency(&h);
    assert_eq!((s.level, get(&s, "frames"), get(&s, "stamps_ahead")), (Level::Warn, "0", "1"));
    assert!(s.message.contains("2000.0 ms ahead of the clock"), "{}", s.message);
    h.published(t, &published(7.0));
    assert_eq!((latency(&h).level, get(&latency(&h), "frames")), (Level::Ok, "1"));
    h.arrived(t);
    h.unpublished(&Unpublished::NotBegun(Refusal::Stamp(Stamp::Zero)));
    let s = latency(&h);
    assert_eq!((s.level, get(&s, "stamps_zero")), (Level::Warn, "1"));
    assert!(s.message.contains("stamps are zero"), "{}", s.message);
    assert_eq!(get(&h.statuses(t, 0)[0], "frames_bad_stamp"), "1");
}

#[test]
fn other_limits_count_from_now_on() {
    let (mut h, t) = health(0.0);
    h.arrived(t);
    h.published(t, &published(40.0));
    h.looked(t + Duration::from_millis(600), Findings { dark_share: 0.9, ..Findings::default() });
    let levels = |h: &Health| [0, 2, 3].map(|i| h.statuses(t + Duration::from_millis(900), 0)[i].level);
    assert_eq!(levels(&h), [Level::Ok; 3]);
    let mut p = Parameters { latency_budget_ms: 30.0, stale_after_s: 0.5, ..Parameters::default() };
    p.image.black_share = 0.5;
    h.set(&p.node().unwrap());
    assert_eq!(levels(&h), [Level::Warn; 3]);
}

#[test]
fn a_missing_camera_info_is_told() {
    let (mut h, t) = health(0.0);
    h.arrived(t);
    let no_camera_info = Some("waiting for /camera_info".into());
    h.published(t, &Published { no_camera_info, ..published(0.0) });
    let s = h.statuses(t, 0)[0].clone();
    assert_eq!((s.level, get(&s, "state")), (Level::Warn, "active"));
    assert!(s.message.contains("waiting for /camera_info"), "{}", s.message);
}

#[test]
fn old_percentiles_do_not_pass_for_present_ones() {
    let (mut h, t) = health(50.0);
    h.published(t, &published(20.0));
    let later = h.statuses(t + Duration::from_secs(3), 0)[2].clone();
    assert_eq!((later.level, later.message.as_str()), (Level::Warn, "no result for 3.000 s"));
    assert!(!later.values.iter().any(|(k, _)| k == "latency_ms_p50"));
}

#[test]
fn a_picture_at_fault_is_told() {
    let (mut h, t) = health(0.0);
    let image = |h: &Health| h.statuses(t, 0)[3].clone();
    assert_eq!((image(&h).level, image(&h).message.as_str()), (Level::Ok, "no frame yet"));
    let unchanged = Duration::from_secs(3);
    h.looked(t, Findings { unchanged, dark_share: 1.0, ..Findings::default() });
    let s = image(&h);
    assert_eq!((s.level, get(&s, "dark_share"), get(&s, "unchanged_s")), (Level::Warn, "1.000", "3.000"));
    assert_eq!(s.message, "frozen: the same picture for 3.0 s; black: 100 % of the picture is dark");
    h.looked(t, Findings::default());
    assert_eq!(image(&h).level, Level::Ok);
    let later = h.statuses(t + Duration::from_secs(3), 0)[3].clone();
    assert_eq!((later.message.as_str(), later.values.len()), ("no frame for 3.000 s", 0));
    h.enable(true, t);
    assert_eq!(image(&h).message, "no frame yet");
}

#[test]
fn a_calibration_that_no_longer_fits_is_told() {
    let (mut h, t) = health(0.0);
    let drift = |h: &Health| h.statuses(t, 0)[4].clone();
    h.ready(ready(), None);
    assert!(drift(&h).message.starts_with("not watched"), "{}", drift(&h).message);
    let mut calibrated = ready();
    calibrated.settings.histogram = Some(ScoreHistogram { edges: vec![0.0], shares: vec![0.5, 0.5] });
    h.ready(calibrated, None);
    assert_eq!(drift(&h).message, "not enough frames yet");
    h.published(t, &Published { psi: Some(0.1), ..published(1.0) });
    assert_eq!((drift(&h).level, get(&drift(&h), "psi")), (Level::Ok, "0.1000"));
    let later = h.statuses(t + Duration::from_secs(3), 0)[4].clone();
    assert_eq!((later.message.as_str(), get(&later, "psi")), ("no result for 3.000 s", "none"));
    h.published(t, &Published { psi: Some(0.3), ..published(1.0) });
    assert_eq!(drift(&h).level, Level::Warn);
    assert!(drift(&h).message.contains("0.30 over 60 s"), "{}", drift(&h).message);
}

#[test]
fn the_state_is_told_and_silence_is_no_fault_where_it_is_wanted() {
    let (mut h, t) = health(0.0);
    h.ready(ready(), None);
    h.published(t, &published(10.0));
    h.unpublished(&Unpublished::Failed("broken".into()));
    h.entered(State::Inactive, t);
    h.enable(false, t);
    let later = h.statuses(t + Duration::from_secs(100), 0);
    assert_eq!((later[0].level, get(&later[0], "state")), (Level::Ok, "not subscribed"));
    assert!(later[0].message.contains("/camera: the node is inactive"), "{}", later[0].message);
    assert_eq!((later[1].level, later[1].message.as_str()), (Level::Ok, "inactive"));
    assert_eq!((later[2].level, later[2].message.as_str()), (Level::Ok, "no frame yet"));
    assert!(!h.is_enabled() && h.is_ready());
    h.unpublished(&Unpublished::Inactive);
    assert_eq!(get(&h.statuses(t, 0)[0], "frames_inactive"), "1");
    h.freed();
    h.entered(State::Unconfigured, t);
    assert_eq!((h.statuses(t, 0)[1].message.as_str(), h.is_ready()), ("unconfigured", false));
}

#[test]
fn what_the_kernel_refused_is_told() {
    use crate::realtime::{Outcome, Report, Wish};
    let (mut h, t) = health(0.0);
    h.ready(ready(), None);
    let mut granted = Report::default();
    granted.add(Wish::LockMemory, Outcome::Granted(String::new()));
    h.granted(granted.clone());
    let s = &h.statuses(t, 0)[1];
    assert_eq!((s.level, s.message.as_str()), (Level::Ok, "running"));
    assert_eq!(get(s, "realtime.lock_memory"), "mlockall: granted");
    let (reason, advice) = ("not permitted (os error 1)".into(), "ulimit -r 50".into());
    granted.add(Wish::Priority(50), Outcome::Refused { reason, advice });
    h.granted(granted);
    let s = &h.statuses(t, 0)[1];
    assert_eq!(s.level, Level::Warn);
    assert!(
        s.message.starts_with("running, but realtime.priority: SCHED_FIFO 50 refused: "),
        "{}",
        s.message
    );
    assert!(s.message.ends_with("ulimit -r 50"), "{}", s.message);
}

#[test]
fn a_node_of_the_same_name_is_told() {
    let (mut h, t) = health(0.0);
    h.ready(ready(), None);
    h.namesakes(1);
    let s = &h.statuses(t, 0)[1];
    assert_eq!((s.level, get(s, "namesakes")), (Level::Warn, "1"));
    assert!(s.message.starts_with("running, but 1 more of this name"), "{}", s.message);
    h.namesakes(0);
    assert_eq!(h.statuses(t, 0)[1].level, Level::Ok);
}
