//! Made-up streams beside a calibration whose scores were even between 0 and 1.

use super::*;

/// Four bins of a quarter each.
fn calibration() -> ScoreHistogram {
    ScoreHistogram { edges: vec![0.25, 0.5, 0.75], shares: vec![0.25; 4] }
}

/// A frame whose scores lie evenly between two numbers.
fn frame(from: f32, to: f32) -> Vec<f32> {
    (0..10_000).map(|i| from + (to - from) * (i as f32 + 0.5) / 10_000.0).collect()
}

struct Stream {
    drift: Drift,
    start: Instant,
}

impl Stream {
    fn new() -> Self {
        let start = Instant::now();
        Self { drift: Drift::new(&calibration(), Duration::from_secs(60), start), start }
    }

    fn at(&self, s: f64) -> Instant {
        self.start + Duration::from_secs_f64(s)
    }

    /// The same frame ten times a second, from one second to another.
    fn play(&mut self, from_s: f64, to_s: f64, frame: &[f32]) {
        for i in 0..((to_s - from_s) * 10.0) as usize {
            let now = self.at(from_s + i as f64 / 10.0);
            self.drift.add(frame, now);
        }
    }

    fn psi(&self, s: f64) -> Option<f64> {
        self.drift.psi(self.at(s))
    }
}

#[test]
fn a_stream_like_the_calibration_is_no_drift() {
    let mut s = Stream::new();
    assert_eq!(s.psi(0.0), None);
    s.play(0.0, 2.9, &frame(0.0, 1.0));
    assert_eq!(s.psi(2.9), None, "not enough yet");
    s.play(2.9, 60.0, &frame(0.0, 1.0));
    assert!(s.psi(60.0).unwrap() < 1e-3, "{:?}", s.psi(60.0));
}

#[test]
fn the_index_is_its_formula() {
    let mut s = Stream::new();
    // Half of the pixels as calibrated, half in the upper two bins.
    s.play(0.0, 20.0, &frame(0.0, 1.0));
    s.play(20.0, 40.0, &frame(0.5, 1.0));
    let term = |p: f64| (p - 0.25) * (p / 0.25f64).ln();
    let expected = 2.0 * term(0.125) + 2.0 * term(0.375);
    assert!((s.psi(40.0).unwrap() - expected).abs() < 1e-3, "{:?} is not {expected}", s.psi(40.0));
}

#[test]
fn a_drift_comes_into_the_window_and_leaves_it() {
    let mut s = Stream::new();
    let psi = |s: &Stream, at: f64| s.psi(at).unwrap();
    s.play(0.0, 60.0, &frame(0.0, 1.0));
    assert!(psi(&s, 60.0) < 0.01, "{}", psi(&s, 60.0));
    s.play(60.0, 120.0, &frame(0.4, 1.4));
    assert!(psi(&s, 120.0) > 0.25, "{}", psi(&s, 120.0));
    s.play(120.0, 180.0, &frame(0.0, 1.0));
    assert!(psi(&s, 180.0) < 0.01, "{}", psi(&s, 180.0));
    assert_eq!(s.psi(300.0), None, "what is old is not held against it");
    s.play(300.0, 310.0, &frame(2.0, 3.0));
    assert!(psi(&s, 310.0) > 1.0);
}

#[test]
fn what_has_no_score_is_not_counted_and_nothing_is_infinite() {
    let mut s = Stream::new();
    let masked = frame(0.0, 1.0).into_iter().enumerate().map(|(i, v)| if i < 5000 { f32::NAN } else { v });
    s.play(0.0, 10.0, &masked.collect::<Vec<_>>());
    let upper_half = 2.0 * (LEAST_SHARE - 0.25) * (LEAST_SHARE / 0.25).ln() + 2.0 * 0.25 * 2f64.ln();
    assert!((s.psi(10.0).unwrap() - upper_half).abs() < 1e-2, "{:?} is not {upper_half}", s.psi(10.0));
    let mut s = Stream::new();
    s.play(0.0, 10.0, &[f32::NAN; 100]);
    s.play(10.0, 20.0, &[]);
    assert_eq!(s.psi(20.0), None);
    let mut s = Stream::new();
    s.play(0.0, 10.0, &[f32::INFINITY, f32::NEG_INFINITY]);
    assert!(s.psi(10.0).unwrap().is_finite());
}

#[test]
fn edges_belong_to_the_bin_below_as_where_they_were_counted() {
    let mut s = Stream::new();
    s.play(0.0, 10.0, &[0.25, 0.5, 0.75, 0.76]);
    assert!(s.psi(10.0).unwrap() < 1e-9, "{:?}", s.psi(10.0));
}
