use super::*;
use crate::frame::Size;
use crate::preprocess::geometry::{Fit, OutputSize};
use crate::score::{Fitted, Score, Scoring};

fn health(budget_ms: f64) -> (Health, Instant) {
    let now = Instant::now();
    let camera = Camera {
        topic: "/camera".into(),
        qos: "best effort".into(),
        budget_ms,
        stale_after: Duration::from_secs(1),
    };
    (Health::new(camera, now), now)
}

fn ready() -> Ready {
    let settings = PipelineSettings {
        scoring: Scoring::new(Score::Hybrid, 1.0, Fitted::Nothing).unwrap(),
        threshold: -0.5,
        threshold_origin: "test".into(),
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
    h.reject("too small".into());
    h.reject("too small".into());
    let s = &h.statuses(t, 0)[0];
    assert_eq!((s.level, s.message.as_str()), (Level::Error, "rejected: too small"));
    assert_eq!(get(s, "frames_rejected"), "2");
    h.publish(t, Times::default(), None);
    assert_eq!(h.statuses(t, 0)[0].level, Level::Ok);
}

#[test]
fn inference_warms_up_runs_fails_and_recovers() {
    let (mut h, t) = health(0.0);
    let inference = |h: &Health, s: u64| h.statuses(t + Duration::from_secs(s), 0)[1].clone();
    assert_eq!(
        (inference(&h, 0).level, inference(&h, 0).message.as_str()),
        (Level::Warn, "warming up for 0 s")
    );
    h.ready(ready());
    assert_eq!((inference(&h, 0).level, get(&inference(&h, 0), "provider")), (Level::Ok, "cpu"));
    assert_eq!(get(&inference(&h, 0), "last_result_age_s"), "none");
    h.fail("broken".into());
    assert_eq!(inference(&h, 0).message, "failed: broken");
    assert_eq!(inference(&h, 0).level, Level::Error);
    h.publish(t, Times::default(), None);
    assert_eq!(inference(&h, 2).message, "running");
    assert_eq!(get(&inference(&h, 2), "last_result_age_s"), "2.000");
}

#[test]
fn a_frame_that_never_ends_is_an_error() {
    let (mut h, t) = health(0.0);
    h.ready(ready());
    h.began(t, 640, 480, "rgb8");
    let inference = |h: &Health, s: u64| h.statuses(t + Duration::from_secs(s), 0)[1].clone();
    assert_eq!(inference(&h, 4).level, Level::Ok);
    let stuck = inference(&h, 9);
    assert_eq!(stuck.level, Level::Error);
    assert!(stuck.message.contains("stuck") && stuck.message.contains("9.0 s"), "{}", stuck.message);
    h.publish(t, Times::default(), None);
    assert_eq!(inference(&h, 9).level, Level::Ok);
}

#[test]
fn latency_over_the_budget_is_told() {
    let (mut h, t) = health(50.0);
    let latency = |h: &Health| h.statuses(t, 0)[2].clone();
    assert_eq!(latency(&h).message, "no frame yet");
    h.publish(t, Times { latency: 49.0, inference: 30.0, ..Times::default() }, None);
    let s = latency(&h);
    assert_eq!((s.level, get(&s, "inference_ms_p99"), get(&s, "frames")), (Level::Ok, "30.000", "1"));
    h.publish(t, Times { latency: 51.0, ..Times::default() }, None);
    assert_eq!(latency(&h).level, Level::Warn);
    assert!(latency(&h).message.contains("51.0") && latency(&h).message.contains("50 ms"));
    h.over_age(120.0);
    assert_eq!(latency(&h).level, Level::Error, "nothing is published, and that is said");
    assert!(latency(&h).message.contains("120.0 ms old"), "{}", latency(&h).message);
    h.publish(t, Times { latency: 10.0, ..Times::default() }, None);
    assert_ne!(latency(&h).level, Level::Error);
}

#[test]
fn a_stamp_ahead_of_the_clock_is_told_and_not_averaged() {
    let (mut h, t) = health(0.0);
    h.publish(t, Times { latency: -2000.0, ..Times::default() }, None);
    let s = h.statuses(t, 0)[2].clone();
    assert_eq!((s.level, get(&s, "frames")), (Level::Warn, "0"));
    assert!(s.message.contains("2000.0 ms ahead"), "{}", s.message);
}

#[test]
fn a_missing_camera_info_is_told() {
    let (mut h, t) = health(0.0);
    h.arrived(t);
    h.publish(t, Times::default(), Some("waiting for /camera_info".into()));
    let s = h.statuses(t, 0)[0].clone();
    assert_eq!((s.level, get(&s, "state")), (Level::Warn, "active"));
    assert!(s.message.contains("waiting for /camera_info"), "{}", s.message);
}

#[test]
fn old_percentiles_do_not_pass_for_present_ones() {
    let (mut h, t) = health(50.0);
    h.publish(t, Times { latency: 20.0, ..Times::default() }, None);
    let later = h.statuses(t + Duration::from_secs(3), 0)[2].clone();
    assert_eq!((later.level, later.message.as_str()), (Level::Warn, "no result for 3.000 s"));
    assert!(!later.values.iter().any(|(k, _)| k == "latency_ms_p50"));
}
