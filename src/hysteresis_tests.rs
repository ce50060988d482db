//! Scores and pictures made up: what is held, what is let go, and what is forgotten.

use super::*;
use crate::frame::{Encoding, Size};
use crate::preprocess::geometry::{Fit, Rect};
use proptest::prelude::*;

/// τ is 0.
const UNKNOWN: u8 = 1;
const FRAME_NS: i64 = 100_000_000;

/// A gray camera whose labels have its size.
struct Camera {
    hysteresis: Hysteresis,
    size: Size,
    at: OutputSize,
    stamp_ns: i64,
}

/// What the threshold alone says.
fn plain(scores: &[f32]) -> Vec<u8> {
    scores.iter().map(|s| if *s <= 0.0 { 0 } else { UNKNOWN }).collect()
}

impl Camera {
    fn new(width: usize, height: usize, delta: f32, frames: u8) -> Self {
        let (size, hysteresis) = (Size { width, height }, Hysteresis::new(Settings { delta, frames }));
        Self { hysteresis, size, at: OutputSize::Camera, stamp_ns: 1_700_000_000 * 1_000_000_000 }
    }

    /// The labels of a frame of this picture, a frame's time after the last.
    fn see(&mut self, picture: &[u8], scores: &[f32]) -> Vec<u8> {
        let mut labels = plain(scores);
        let Size { width, height } = self.size;
        let frame = Frame::new(Encoding::Mono8, width, height, width, picture).unwrap();
        let geometry = Geometry::new(self.size, None, Fit::Stretch, Size { width: 8, height: 8 }).unwrap();
        self.stamp_ns += FRAME_NS;
        let moment = Moment {
            frame: &frame,
            geometry: &geometry,
            at: self.at,
            threshold: 0.0,
            unknown: UNKNOWN,
            stamp_ns: self.stamp_ns,
        };
        let before = labels.clone();
        let held = self.hysteresis.hold(&moment, &mut labels, scores);
        assert_eq!(held, before.iter().zip(&labels).filter(|(a, b)| a != b).count() as u64);
        labels
    }

    /// The labels of one pixel over the scores of as many frames, its picture being this.
    fn pixel(&mut self, frames: &[(u8, f32)]) -> Vec<u8> {
        frames.iter().map(|(bright, score)| self.see(&[*bright], &[*score])[0]).collect()
    }

    fn scores(&mut self, scores: &[f32]) -> Vec<u8> {
        self.pixel(&scores.iter().map(|s| (90, *s)).collect::<Vec<_>>())
    }
}

#[test]
fn a_pixel_that_wavers_is_held() {
    let wavering = [-3.0, 0.2, -0.2, 0.1, -0.4, 0.3, -0.5, -3.0, -0.2];
    assert_eq!(plain(&wavering), [0, 1, 0, 1, 0, 1, 0, 0, 0]);
    // At most τ − δ it is known, a moment later still.
    assert_eq!(Camera::new(1, 1, 0.5, 1).scores(&wavering), [0, 1, 1, 1, 1, 1, 0, 0, 0]);
    let held: Vec<u8> = Camera::new(1, 1, 0.6, 1).scores(&wavering);
    assert_eq!(held, [0, 1, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn it_is_known_after_so_many_frames_in_a_row() {
    let low_for_two = [1.0, -9.0, -9.0, -0.1, -9.0, -9.0, -9.0, -0.1];
    assert_eq!(Camera::new(1, 1, 0.5, 3).scores(&low_for_two), [1, 1, 1, 1, 1, 1, 0, 0]);
    assert_eq!(Camera::new(1, 1, 0.5, 2).scores(&low_for_two), [1, 1, 0, 0, 0, 0, 0, 0]);
    // Without δ every score that is not over τ counts.
    assert_eq!(Camera::new(1, 1, 0.0, 2).scores(&[1.0, -0.1, 1.0, 0.0, -0.1]), [1, 1, 1, 1, 0]);
}

#[test]
fn a_moving_square_leaves_no_trail() {
    const WIDTH: usize = 40;
    const HEIGHT: usize = 12;
    // Where it has been the score is nearly that of something unknown: the picture alone tells.
    for (background, delta, frames) in [(-0.2, 0.5, 1), (-0.2, 0.5, 5), (-9.0, 0.5, 5)] {
        let mut camera = Camera::new(WIDTH, HEIGHT, delta, frames);
        for left in 0..WIDTH - 6 {
            let inside = |i: usize| (left..left + 6).contains(&(i % WIDTH)) && (3..9).contains(&(i / WIDTH));
            let picture: Vec<u8> = (0..WIDTH * HEIGHT).map(|i| if inside(i) { 200 } else { 90 }).collect();
            let scores: Vec<f32> =
                (0..WIDTH * HEIGHT).map(|i| if inside(i) { 2.0 } else { background }).collect();
            assert_eq!(camera.see(&picture, &scores), plain(&scores), "at {left}");
        }
    }
}

#[test]
fn one_of_its_backgrounds_brightness_is_let_go_by_its_score() {
    let mut camera = Camera::new(8, 1, 0.5, 1);
    for at in 0..8 {
        let scores: Vec<f32> = (0..8).map(|x| if x == at { 2.0 } else { -1.0 }).collect();
        assert_eq!(camera.see(&[90; 8], &scores), plain(&scores));
    }
    // Asked to outlast two low frames, it cannot tell: the trail is two pixels long and no longer.
    let mut camera = Camera::new(8, 1, 0.5, 3);
    for at in 0..8usize {
        let scores: Vec<f32> = (0..8).map(|x| if x == at { 2.0 } else { -1.0 }).collect();
        let trail: Vec<u8> = (0..8).map(|x| u8::from(x <= at && x + 2 >= at)).collect();
        assert_eq!(camera.see(&[90; 8], &scores), trail);
    }
}

#[test]
fn a_sensors_noise_is_no_change_and_a_slow_one_is() {
    let noisy = [(90, 1.0), (100, -0.1), (78, -0.1), (113, -0.1), (114, -0.1), (90, -0.1)];
    assert_eq!(Camera::new(1, 1, 0.5, 1).pixel(&noisy), [1, 1, 1, 1, 0, 0]);
    let dusk: Vec<(u8, f32)> = (0..6).map(|i| (90 - 10 * i, if i == 0 { 1.0 } else { -0.1 })).collect();
    assert_eq!(Camera::new(1, 1, 0.5, 1).pixel(&dusk), [1, 1, 1, 0, 0, 0]);
    // Over the threshold it is remembered anew.
    let anew = [(90, 1.0), (120, 1.0), (125, -0.1)];
    assert_eq!(Camera::new(1, 1, 0.5, 1).pixel(&anew), [1, 1, 1]);
}

#[test]
fn what_does_not_follow_is_judged_by_itself() {
    let between = |change: fn(&mut Camera)| {
        let mut camera = Camera::new(2, 2, 0.5, 3);
        camera.see(&[90; 4], &[1.0; 4]);
        change(&mut camera);
        let pixels = camera.size.width * camera.size.height;
        camera.see(&vec![90; pixels], &vec![-0.1; pixels])
    };
    assert_eq!(between(|_| ()), [1; 4]);
    assert_eq!(between(|c| c.stamp_ns += LONGEST_GAP_NS - FRAME_NS), [1; 4]);
    assert_eq!(between(|c| c.stamp_ns += LONGEST_GAP_NS), [0; 4], "a gap");
    assert_eq!(between(|c| c.stamp_ns -= FRAME_NS), [0; 4], "the same stamp");
    assert_eq!(between(|c| c.stamp_ns -= 5 * FRAME_NS), [0; 4], "an earlier one");
    assert_eq!(between(|c| c.size = Size { width: 4, height: 1 }), [0; 4], "another size");
    assert_eq!(between(|c| c.size = Size { width: 4, height: 2 }), [0; 8]);
    // Back at the first size nothing of it is left.
    let mut camera = Camera::new(2, 2, 0.5, 3);
    for (size, score, label) in [((2, 2), 1.0, 1), ((2, 1), -0.1, 0), ((2, 2), -0.1, 0)] {
        camera.size = Size { width: size.0, height: size.1 };
        let pixels = size.0 * size.1;
        assert_eq!(camera.see(&vec![90; pixels], &vec![score; pixels]), vec![label; pixels]);
    }
}

#[test]
fn another_threshold_is_another_scene() {
    let (size, picture) = (Size { width: 1, height: 1 }, [90]);
    let frame = Frame::new(Encoding::Mono8, 1, 1, 1, &picture).unwrap();
    let geometry = Geometry::new(size, None, Fit::Stretch, size).unwrap();
    let mut hysteresis = Hysteresis::new(Settings { delta: 0.5, frames: 1 });
    let mut label = |threshold: f32, stamp_ns: i64| {
        let (at, unknown) = (OutputSize::Camera, UNKNOWN);
        let moment = Moment { frame: &frame, geometry: &geometry, at, threshold, unknown, stamp_ns };
        let mut labels = [u8::from(0.0 > threshold)];
        hysteresis.hold(&moment, &mut labels, &[0.0]);
        labels[0]
    };
    assert_eq!((label(-0.1, 1), label(0.1, 2)), (1, 0));
}

#[test]
fn what_is_not_looked_at_has_no_past() {
    let mut camera = Camera::new(1, 1, 0.5, 3);
    camera.see(&[90], &[f32::NAN]);
    assert_eq!(camera.scores(&[-0.1]), [1], "NaN is unknown, and held");
    let frame = Frame::new(Encoding::Mono8, 1, 1, 1, &[90]).unwrap();
    let size = Size { width: 1, height: 1 };
    let geometry = Geometry::new(size, None, Fit::Stretch, Size { width: 8, height: 8 }).unwrap();
    camera.stamp_ns += FRAME_NS;
    let moment = Moment {
        frame: &frame,
        geometry: &geometry,
        at: OutputSize::Camera,
        threshold: 0.0,
        unknown: UNKNOWN,
        stamp_ns: camera.stamp_ns,
    };
    let mut labels = [IGNORE];
    assert_eq!(camera.hysteresis.hold(&moment, &mut labels, &[f32::NAN]), 0);
    assert_eq!(labels, [IGNORE]);
    assert_eq!(camera.scores(&[-0.1]), [0]);
}

#[test]
fn labels_of_the_networks_size_look_at_their_own_pixel() {
    // 4x2 onto 4x4 letterboxed: label row 1 is camera row 0.
    let (camera, input) = (Size { width: 4, height: 2 }, Size { width: 4, height: 4 });
    let region = Some(Rect { x: 0, y: 0, width: 4, height: 2 });
    let geometry = Geometry::new(camera, region, Fit::Letterbox, input).unwrap();
    let mut hysteresis = Hysteresis::new(Settings { delta: 1.0, frames: 1 });
    let mut see = |picture: &[u8; 8], score: f32, stamp_ns: i64| {
        let frame = Frame::new(Encoding::Mono8, 4, 2, 4, picture).unwrap();
        let (at, unknown, threshold) = (OutputSize::Network, UNKNOWN, 0.0);
        let moment = Moment { frame: &frame, geometry: &geometry, at, threshold, unknown, stamp_ns };
        let mut scores = [f32::NAN; 16];
        scores[4..12].fill(score);
        let mut labels: Vec<u8> = plain(&scores);
        labels[..4].fill(IGNORE);
        labels[12..].fill(IGNORE);
        hysteresis.hold(&moment, &mut labels, &scores);
        labels[4..12].to_vec()
    };
    assert_eq!(see(&[90; 8], 1.0, 1), [1; 8]);
    let mut moved = [90; 8];
    moved[2] = 200;
    assert_eq!(see(&moved, -0.5, 2), [1, 1, 0, 1, 1, 1, 1, 1]);
}

proptest! {
    #[test]
    fn delta_0_and_1_frame_are_the_plain_threshold(
        frames in prop::collection::vec(prop::collection::vec((any::<f32>(), any::<u8>()), 6), 1..8),
    ) {
        let mut camera = Camera::new(3, 2, 0.0, 1);
        for frame in &frames {
            let (scores, picture): (Vec<f32>, Vec<u8>) = frame.iter().copied().unzip();
            prop_assert_eq!(camera.see(&picture, &scores), plain(&scores));
        }
    }

    #[test]
    fn nothing_unknown_becomes_known_and_nothing_new_unknown(
        frames in prop::collection::vec(prop::collection::vec((-2f32..2.0, 80u8..120), 4), 1..12),
        delta in 0f32..2.0, n in 1u8..5,
    ) {
        let mut camera = Camera::new(2, 2, delta, n);
        let mut was_unknown = [false; 4];
        for frame in &frames {
            let (scores, picture): (Vec<f32>, Vec<u8>) = frame.iter().copied().unzip();
            let labels = camera.see(&picture, &scores);
            for (i, (label, plain)) in labels.iter().zip(plain(&scores)).enumerate() {
                prop_assert!(plain == 0 || *label == UNKNOWN);
                prop_assert!(*label == plain || was_unknown[i]);
                was_unknown[i] = *label == UNKNOWN;
            }
        }
    }
}
