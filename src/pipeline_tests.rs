//! The walk with a fake segmenter: what goes where, what is masked, what is refused.

use super::*;
use crate::preprocess::geometry::{Fit, OutputSize, Rect};
use crate::score::{Fitted, Score, Scoring};
use crate::segmenter::fake::FakeSegmenter;

const K: usize = 3;

/// Brightness in units of classes: byte 40 is class 1, 80 class 2, 120 and up an outlier.
fn input_spec() -> InputSpec {
    InputSpec { mean: [0.0; 3], std: [40.0 / 255.0; 3], ..InputSpec::default() }
}

fn settings(edit: impl Fn(&mut PipelineSettings)) -> PipelineSettings {
    let mut s = PipelineSettings {
        scoring: Scoring::new(Score::Discriminative, 1.0, Fitted::Nothing).unwrap(),
        threshold: -0.5,
        threshold_origin: "test".into(),
        histogram: None,
        input_size: Size { width: 8, height: 8 },
        fit: Fit::Stretch,
        region: None,
        output_size: OutputSize::Camera,
    };
    edit(&mut s);
    s
}

fn pipeline(settings: PipelineSettings, mask: Option<Gray>) -> Pipeline {
    let segmenter = FakeSegmenter::new(settings.input_size, 1, K);
    Pipeline::with(&input_spec(), settings, Box::new(segmenter), mask)
}

/// Columns of brightness: `bytes[x]` down the whole column.
fn columns(bytes: &[u8], height: usize) -> Vec<u8> {
    (0..height).flat_map(|_| bytes.iter().flat_map(|b| [*b; 3])).collect()
}

fn run(p: &mut Pipeline, bytes: &[u8], height: usize) -> Result<Segmentation, StepError> {
    let data = columns(bytes, height);
    p.step(&Frame::rgb8(bytes.len(), height, &data).unwrap(), &mut |_| ()).cloned()
}

const BYTES: [u8; 8] = [0, 0, 40, 40, 80, 80, 160, 160];

#[test]
fn labels_know_classes_and_unknown() {
    let got = run(&mut pipeline(settings(|_| ()), None), &BYTES, 8).unwrap();
    assert_eq!(got.labels[..8], [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!((got.counts.scored, got.counts.unknown, got.counts.non_finite), (64, 16, 0));
    assert!(got.anomaly[7] > -0.5 && got.anomaly[0] < -0.5);
}

#[test]
fn stages_are_told_in_order() {
    let data = columns(&BYTES, 8);
    let mut told = Vec::new();
    let mut p = pipeline(settings(|_| ()), None);
    p.step(&Frame::rgb8(8, 8, &data).unwrap(), &mut |s| told.push(s)).unwrap();
    assert_eq!(told, [Stage::Preprocess, Stage::Inference, Stage::Score]);
}

#[test]
fn sizes_may_change_from_frame_to_frame() {
    let mut p = pipeline(settings(|s| s.fit = Fit::Letterbox), None);
    for (width, height) in [(8, 8), (16, 8), (8, 16), (8, 8)] {
        let bytes: Vec<u8> = (0..width).map(|x| BYTES[x * 8 / width]).collect();
        let got = run(&mut p, &bytes, height).unwrap();
        assert_eq!((got.size, got.labels.len()), (Size { width, height }, width * height));
        assert_eq!((got.labels[0], got.labels[width - 1]), (0, 3));
        assert!(!got.labels.contains(&IGNORE));
    }
}

#[test]
fn outside_the_region_nothing_is_said() {
    let region = Some(Rect { x: 2, y: 1, width: 4, height: 6 });
    let got = run(&mut pipeline(settings(|s| s.region = region), None), &BYTES, 8).unwrap();
    for (i, (label, anomaly)) in got.labels.iter().zip(&got.anomaly).enumerate() {
        let inside = (2..6).contains(&(i % 8)) && (1..7).contains(&(i / 8));
        assert_eq!((*label != IGNORE, !anomaly.is_nan()), (inside, inside), "pixel {i}");
    }
    assert_eq!(got.counts.scored, 24);
    let outside = Some(Rect { x: 6, y: 0, width: 4, height: 4 });
    let error = run(&mut pipeline(settings(|s| s.region = outside), None), &BYTES, 8).unwrap_err();
    assert!(matches!(error, StepError::Region(_)) && error.is_input(), "{error}");
}

#[test]
fn network_size_output_ignores_the_padding() {
    let s = settings(|s| (s.output_size, s.fit) = (OutputSize::Network, Fit::Letterbox));
    let got = run(&mut pipeline(s, None), &BYTES, 4).unwrap();
    assert_eq!(got.size, Size { width: 8, height: 8 });
    assert!(got.labels[..16].iter().all(|l| *l == IGNORE));
    assert_eq!(got.labels[16..24], [0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn masked_pixels_are_never_labelled_nor_counted() {
    let mut data = vec![0; 64];
    data[6..8].fill(255); // two outlier pixels of the first row
    let mask = Gray { width: 8, height: 8, data };
    let got = run(&mut pipeline(settings(|_| ()), Some(mask.clone())), &BYTES, 8).unwrap();
    assert_eq!(got.labels[4..10], [2, 2, 255, 255, 0, 0]);
    assert!(got.anomaly[6].is_nan());
    assert_eq!((got.counts.scored, got.counts.unknown), (62, 14));
    let error = run(&mut pipeline(settings(|_| ()), Some(mask)), &BYTES, 4).unwrap_err();
    assert!(error.to_string().contains("mask is 8x8 but the image is 8x4"), "{error}");
}

#[test]
fn another_score_of_the_same_frame_is_what_its_own_walk_gives() {
    let mask = Gray { width: 8, height: 8, data: (0..64).map(|i| u8::from(i % 8 == 3)).collect() };
    let region = Some(Rect { x: 1, y: 1, width: 6, height: 6 });
    let walk = |score| {
        let scoring = Scoring::new(score, 2.0, Fitted::Nothing).unwrap();
        pipeline(settings(|s| (s.region, s.scoring) = (region, scoring.clone())), Some(mask.clone()))
    };
    let mut p = walk(Score::Discriminative);
    let entropy = Scoring::new(Score::Entropy, 2.0, Fitted::Nothing).unwrap();
    let mut again = Vec::new();
    let error = p.score_again(&entropy, &mut again).unwrap_err();
    assert!(matches!(error, StepError::NoResult), "{error}");

    let before = run(&mut p, &BYTES, 8).unwrap();
    p.score_again(&entropy, &mut again).unwrap();
    let bits = |map: &[f32]| map.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&again), bits(&run(&mut walk(Score::Entropy), &BYTES, 8).unwrap().anomaly));
    let kept = p.segmentation().unwrap();
    assert_eq!((bits(&kept.anomaly), &kept.labels), (bits(&before.anomaly), &before.labels));
    p.score_again(&p.settings().scoring.clone(), &mut again).unwrap();
    assert_eq!(bits(&again), bits(&before.anomaly));
}

#[test]
fn react_scores_and_labels_what_the_head_makes_of_clipped_pre_logits() {
    // The fake's pre-logit is the brightness in classes: clipped at 1, classes 2 and 3 look like class 1.
    let react = Scoring::new(Score::React, 1.0, Fitted::Clip(1.0)).unwrap();
    let energy = Scoring::new(Score::Generative, 1.0, Fitted::Nothing).unwrap();
    let of = |scoring: &Scoring| {
        pipeline(settings(|s| (s.scoring, s.threshold) = (scoring.clone(), f32::MAX)), None)
    };
    let (mut rectified, mut plain) = (of(&react), of(&energy));
    let got = run(&mut rectified, &BYTES, 8).unwrap();
    assert_eq!(got.labels[..8], [0, 0, 1, 1, 1, 1, 1, 1]);
    let want = run(&mut plain, &[0, 0, 40, 40, 40, 40, 40, 40], 8).unwrap();
    assert_eq!(got.anomaly, want.anomaly);
    // From one run of the network, either from the other.
    let mut again = Vec::new();
    rectified.score_again(&energy, &mut again).unwrap();
    assert_eq!(again, run(&mut plain, &BYTES, 8).unwrap().anomaly);
    plain.score_again(&react, &mut again).unwrap();
    assert_eq!(again, got.anomaly);
    assert_eq!(rectified.pre_logits().unwrap().data[..8], [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
}

#[test]
fn react_without_pre_logits_says_so() {
    let s = settings(|s| s.scoring = Scoring::new(Score::React, 1.0, Fitted::Clip(1.0)).unwrap());
    let segmenter = Broken(FakeSegmenter::new(s.input_size, 1, K), Vec::new(), 0);
    let error = run(&mut Pipeline::with(&input_spec(), s, Box::new(segmenter), None), &BYTES, 8).unwrap_err();
    assert!(error.to_string().contains("react needs pre_logits"), "{error}");
}

/// A segmenter whose first so many logits are broken.
struct Broken(FakeSegmenter, Vec<f32>, usize);

impl Segmenter for Broken {
    fn provider(&self) -> &str {
        "fake"
    }
    fn input_size(&self) -> Size {
        self.0.input_size()
    }
    fn input(&mut self) -> &mut [f32] {
        self.0.input()
    }
    fn run(&mut self) -> Result<(), SegmentError> {
        self.0.run()?;
        self.1 = self.0.logits().data.to_vec();
        self.1[..self.2].fill(f32::INFINITY);
        Ok(())
    }
    fn logits(&self) -> crate::score::Logits<'_> {
        crate::score::Logits { data: &self.1, ..self.0.logits() }
    }
    fn dataset_logits(&self) -> Option<crate::score::Logits<'_>> {
        self.0.dataset_logits()
    }
}

#[test]
fn a_few_broken_logits_are_unknown_and_many_are_a_fault() {
    let size = Size { width: 32, height: 8 };
    let run = |broken| {
        let s = settings(|s| s.input_size = size);
        let segmenter = Broken(FakeSegmenter::new(size, 1, K), Vec::new(), broken);
        let data = vec![0; 32 * 8 * 3];
        let mut p = Pipeline::with(&input_spec(), s, Box::new(segmenter), None);
        p.step(&Frame::rgb8(32, 8, &data).unwrap(), &mut |_| ()).cloned()
    };
    let got = run(2).unwrap();
    assert_eq!((got.labels[0], got.labels[1], got.labels[2]), (3, 3, 0));
    assert!(got.anomaly[0].is_nan());
    assert_eq!((got.counts.unknown, got.counts.non_finite), (2, 2));
    let error = run(3).unwrap_err();
    assert!(matches!(error, StepError::NonFinite { share } if share > 0.011) && !error.is_input(), "{error}");
}

#[test]
fn a_failed_run_is_an_error_and_the_next_frame_is_fine() {
    let s = settings(|_| ());
    let segmenter = FakeSegmenter::new(s.input_size, 1, K).failing_every(2);
    let mut p = Pipeline::with(&input_spec(), s, Box::new(segmenter), None);
    assert!(run(&mut p, &BYTES, 8).is_ok());
    assert!(matches!(run(&mut p, &BYTES, 8), Err(StepError::Segment(_))));
    assert!(p.segmentation().is_none(), "a stale result would be published");
    assert!(run(&mut p, &BYTES, 8).is_ok());
}

#[test]
fn cameras_that_take_turns_leave_nothing_to_each_other() {
    // A wide picture is padded above and below, a tall one left and right.
    let letterbox = |threshold: f32| {
        settings(|s| (s.fit, s.threshold, s.output_size) = (Fit::Letterbox, threshold, OutputSize::Network))
    };
    let alone = |threshold: f32, mask: Option<Gray>, width: usize, height: usize| {
        run(&mut pipeline(letterbox(threshold), mask), &BYTES[8 - width..], height).unwrap()
    };
    let mask = Gray { width: 4, height: 8, data: (0..32).map(|i| u8::from(i % 4 == 0)).collect() };
    let (wide, tall) = (alone(-0.5, None, 8, 4), alone(5.0, Some(mask.clone()), 4, 8));
    assert_ne!(wide.labels, tall.labels);
    let mut both = pipeline(letterbox(-0.5), None).and(letterbox(5.0), Some(mask));
    for _ in 0..3 {
        for (camera, width, height, expected) in [(0, 8, 4, &wide), (1, 4, 8, &tall)] {
            both.turn_to(camera);
            assert!(both.segmentation().is_none(), "that is another camera's");
            let got = run(&mut both, &BYTES[8 - width..], height).unwrap();
            assert_eq!((&got.labels, got.counts), (&expected.labels, expected.counts), "camera {camera}");
        }
    }
    both.turn_to(7);
    assert!(both.segmentation().is_some() && both.settings().threshold == 5.0, "there is no such camera");
}

#[test]
fn a_threshold_may_change_from_frame_to_frame() {
    let mut p = pipeline(settings(|_| ()), None);
    let before = run(&mut p, &BYTES, 8).unwrap();
    p.retune(&settings(|s| {
        (s.threshold, s.threshold_origin) = (100.0, "another".into());
        s.output_size = OutputSize::Network;
    }));
    let after = run(&mut p, &BYTES, 8).unwrap();
    assert!(before.counts.unknown > 0 && after.counts.unknown == 0);
    let settings = p.settings();
    assert_eq!((settings.threshold_origin.as_str(), settings.output_size), ("another", OutputSize::Camera));
}

/// A pixel model is translation equivariant up to its stride.
#[test]
fn shifting_the_image_by_a_stride_shifts_the_labels() {
    let s = settings(|s| s.input_size = Size { width: 32, height: 8 });
    let segmenter = || Box::new(FakeSegmenter::new(Size { width: 32, height: 8 }, 4, K));
    let bytes: Vec<u8> = (0..32).map(|x| BYTES[x / 4]).collect();
    let shifted: Vec<u8> = (0..32).map(|x| if x < 4 { 0 } else { bytes[x - 4] }).collect();
    let a = run(&mut Pipeline::with(&input_spec(), s.clone(), segmenter(), None), &bytes, 8).unwrap();
    let b = run(&mut Pipeline::with(&input_spec(), s, segmenter(), None), &shifted, 8).unwrap();
    for x in 4..24 {
        assert_eq!(a.labels[x], b.labels[x + 4], "column {x}");
    }
}

#[test]
fn labels_are_held_where_the_past_is_given() {
    use crate::hysteresis::{Hysteresis, Settings};
    // Byte 120 is just over the threshold, 110 is .08 below it.
    let mut hysteresis = Hysteresis::new(Settings { delta: 0.3, frames: 1 });
    let mask = Gray { width: 8, height: 8, data: (0..64).map(|i| u8::from(i < 8)).collect() };
    let mut p = pipeline(settings(|_| ()), Some(mask));
    let mut see = |byte: u8, past: Option<i64>| {
        let data = columns(&[byte; 8], 8);
        let past = past.map(|stamp_ns| (&mut hysteresis, stamp_ns));
        let got = p.step_after(&Frame::rgb8(8, 8, &data).unwrap(), past, &mut |_| ()).unwrap();
        (got.labels[0], got.labels[63], got.counts.unknown, got.held)
    };
    assert_eq!(see(120, Some(1)), (IGNORE, 3, 56, 0));
    assert_eq!(see(110, Some(2)), (IGNORE, 3, 56, 56));
    assert_eq!(see(110, None), (IGNORE, 2, 0, 0));
    assert_eq!(see(110, Some(1)), (IGNORE, 2, 0, 0), "an earlier frame");
}
