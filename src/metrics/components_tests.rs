//! Frames worked by hand, and random ones against the definitions written out over sets of pixels.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const ALL: Smallest = Smallest { prediction: 1, object: 1 };

/// Two drawings of one frame: `#` is predicted; `#` is an object, `x` is ignored.
fn found(smallest: Smallest, predicted: &[&str], truth: &[&str]) -> FrameComponents {
    let size = (truth[0].len(), truth.len());
    let scores: Vec<f32> = predicted.concat().bytes().map(|b| if b == b'#' { 1.0 } else { 0.0 }).collect();
    let label = |b| match b {
        b'#' => OBJECT,
        b'x' => IGNORE,
        _ => 0,
    };
    let truth: Vec<u8> = truth.concat().bytes().map(label).collect();
    FrameComponents::find(smallest, &scores, &truth, size, 0.5).unwrap()
}

#[track_caller]
fn check(found: &FrameComponents, objects: &[(u32, u32)], predictions: &[(u32, u32)]) {
    let sorted = |shares: &[Share]| {
        let mut pairs: Vec<_> = shares.iter().map(|s| (s.part, s.whole)).collect();
        pairs.sort_unstable();
        pairs
    };
    assert_eq!(sorted(&found.objects), objects, "sIoU");
    assert_eq!(sorted(&found.predictions), predictions, "PPV");
}

fn figures(frames: &[FrameComponents]) -> ComponentFigures {
    let mut all = Components::default();
    frames.iter().for_each(|frame| all.add(frame));
    all.figures()
}

/// What it covers of the one object is no loss to the other; what lies on neither is a loss to both.
#[test]
fn one_prediction_across_two_objects() {
    let frame = found(
        ALL,
        &["........", ".######.", "........"], // 2 + 2 on nothing + 2
        &["........", "###..###", "........"],
    );
    check(&frame, &[(2, 5), (2, 5)], &[(4, 6)]);
    let ComponentFigures { siou_gt, ppv, f1_star, tp, fn_, fp, .. } = figures(&[frame]);
    assert_eq!((siou_gt, ppv), (Some(0.4), Some(4.0 / 6.0)));
    // τ .25 to .40: both found, no false alarm, F1 1; .45 to .65: both missed; .70 and .75: a false alarm too.
    assert_eq!((tp, fn_, fp), (8.0 / 11.0, 14.0 / 11.0, 2.0 / 11.0));
    assert_eq!(f1_star, Some(4.0 / 11.0));
}

#[test]
fn two_predictions_on_one_object_are_one_answer() {
    let frame = found(ALL, &["##..##", "##..##"], &[".####.", ".####."]);
    check(&frame, &[(4, 12)], &[(2, 4), (2, 4)]);
}

#[test]
fn pixels_that_touch_by_a_corner_are_one_component() {
    let diagonal = ["#...", ".#..", "..#.", "...#"];
    check(&found(ALL, &diagonal, &diagonal), &[(4, 4)], &[(4, 4)]);
    let ring = ["###", "#.#", "###"];
    check(&found(ALL, &ring, &["...", ".#.", "..."]), &[(0, 1)], &[(0, 8)]);
}

/// A hole in a prediction costs the object its pixels, one in an object costs the prediction.
#[test]
fn holes() {
    let (ring, full) = (["....", "###.", "#.#.", "###."], ["....", "###.", "###.", "###."]);
    check(&found(ALL, &ring, &full), &[(8, 9)], &[(8, 8)]);
    check(&found(ALL, &full, &ring), &[(8, 9)], &[(8, 9)]);
    // Inside the hole, and not touching it.
    let around = ["#####", "#...#", "#.#.#", "#...#", "#####"];
    check(&found(ALL, &around, &around), &[(1, 1), (16, 16)], &[(1, 1), (16, 16)]);
}

/// Predictions on ignored pixels are gone before components are made: the rest may fall apart.
#[test]
fn ignored_areas_cut_predictions() {
    let frame = found(ALL, &["#####", "....."], &["##x..", "....."]);
    check(&frame, &[(2, 2)], &[(0, 2), (2, 2)]);
    let cut_below_the_limit = Smallest { prediction: 3, object: 1 };
    check(&found(cut_below_the_limit, &["#####", "....."], &["##x..", "....."]), &[(0, 2)], &[]);
    check(&found(ALL, &["##", "##"], &["xx", "xx"]), &[], &[]);
}

#[test]
fn components_at_the_size_limit_count() {
    let limits = Smallest { prediction: 4, object: 3 };
    let truth = ["###.......", "..........", "##........"];
    // The prediction of 4 stays, that of 3 is dropped; the object of 3 counts, that of 2 is ignored.
    check(&found(limits, &["####......", "..........", ".......###"], &truth), &[(3, 4)], &[(3, 4)]);
}

/// The limit on predictions comes first: 5 pixels are enough, though 2 of them count nowhere afterwards.
#[test]
fn small_objects_leave_the_predictions_over_them() {
    let limits = Smallest { prediction: 5, object: 3 };
    let truth = ["##......", "........", "........"];
    check(&found(limits, &["#####...", "........", "........"], &truth), &[], &[(0, 3)]);
    // A prediction with nothing left is no false alarm.
    let limits = Smallest { prediction: 2, object: 3 };
    check(&found(limits, &["##......", "........", "........"], &truth), &[], &[]);
}

#[test]
fn the_tracks_limits() {
    // Predictions of 500 and 499, objects of 100 and 99, in one row each, with a row between.
    let (width, row) = (600, |n: usize| [vec![1u8; n], vec![0; 600 - n]].concat());
    let none = vec![0u8; width];
    let truth = [row(100), none.clone(), row(99), none.clone(), none.clone()].concat();
    let scores: Vec<f32> =
        [row(500), none.clone(), none.clone(), none, row(499)].concat().into_iter().map(f32::from).collect();
    let found = |smallest| FrameComponents::find(smallest, &scores, &truth, (width, 5), 0.5).unwrap();
    check(&found(Smallest::ANOMALY_TRACK), &[(100, 500)], &[(100, 500)]);
    check(&found(Smallest::OBSTACLE_TRACK), &[(0, 99), (100, 500)], &[(0, 499), (100, 500)]);
}

#[test]
fn what_is_undefined_is_none() {
    let nothing = ["....", "...."];
    let something = ["##..", "...."];
    let empty = figures(&[found(ALL, &nothing, &nothing)]);
    assert_eq!((empty.siou_gt, empty.ppv, empty.f1_star), (None, None, None));
    let no_objects = figures(&[found(ALL, &something, &nothing)]);
    assert_eq!((no_objects.siou_gt, no_objects.ppv, no_objects.f1_star), (None, Some(0.0), None));
    assert_eq!((no_objects.tp, no_objects.fn_, no_objects.fp), (0.0, 0.0, 1.0));
    let no_predictions = figures(&[found(ALL, &nothing, &something)]);
    assert_eq!(
        (no_predictions.siou_gt, no_predictions.ppv, no_predictions.f1_star),
        (Some(0.0), None, Some(0.0))
    );
}

#[test]
fn everything_predicted() {
    let frame = found(ALL, &["####", "####"], &["#...", "#..#"]);
    check(&frame, &[(1, 6), (2, 7)], &[(3, 8)]);
}

#[test]
fn a_level_that_is_met_exactly_is_reached() {
    for level in LEVELS {
        let part = level as u32;
        assert!(
            Share { part, whole: 20 }.reaches(level) && Share { part: part * 7, whole: 140 }.reaches(level)
        );
        assert!(!Share { part: part * 7 - 1, whole: 140 }.reaches(level));
    }
}

#[test]
fn the_threshold_is_strict_and_nan_is_above_it() {
    let find = |scores: [f32; 4], threshold| {
        FrameComponents::find(ALL, &scores, &[0; 4], (4, 1), threshold).unwrap().predictions.len()
    };
    assert_eq!(find([0.5, 0.0, 0.6, 0.0], 0.5), 1);
    assert_eq!(find([f32::NAN, 0.0, 0.5, f32::INFINITY], f32::INFINITY), 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = FrameComponents::find(ALL, &[0.0; 5], &[0; 6], (3, 2), 0.0).unwrap_err().to_string();
    assert_eq!(error, "5 scores and 6 pixels of truth, but 3x2 make 6");
}

type Pixels = BTreeSet<usize>;

/// Components by flooding, as sets of pixels.
fn flood(inside: &[bool], width: usize) -> Vec<Pixels> {
    let mut left: Pixels = (0..inside.len()).filter(|i| inside[*i]).collect();
    let mut components = Vec::new();
    while let Some(first) = left.pop_first() {
        let (mut component, mut open) = (Pixels::new(), vec![first]);
        while let Some(i) = open.pop() {
            component.insert(i);
            let near =
                |j: &usize| (i % width).abs_diff(j % width) <= 1 && (i / width).abs_diff(j / width) <= 1;
            let touched: Vec<usize> = left.iter().copied().filter(near).collect();
            left.retain(|j| !touched.contains(j));
            open.extend(touched);
        }
        components.push(component);
    }
    components
}

/// The definitions at the head of the module, word by word.
fn naive(smallest: Smallest, predicted: &[bool], truth: &[u8], width: usize) -> [Vec<(u32, u32)>; 2] {
    let judged: Vec<bool> = predicted.iter().zip(truth).map(|(p, t)| *p && *t != IGNORE).collect();
    let mut predictions = flood(&judged, width);
    predictions.retain(|p| p.len() >= smallest.prediction as usize);
    let (objects, ignored): (Vec<_>, Vec<_>) =
        flood(&truth.iter().map(|t| *t == OBJECT).collect::<Vec<_>>(), width)
            .into_iter()
            .partition(|k| k.len() >= smallest.object as usize);
    let ignored: Pixels = ignored.into_iter().flatten().collect();
    let predictions: Vec<Pixels> = predictions
        .into_iter()
        .map(|p| p.difference(&ignored).copied().collect::<Pixels>())
        .filter(|p| !p.is_empty())
        .collect();
    let siou = objects.iter().map(|k| {
        let touching = predictions.iter().filter(|p| !p.is_disjoint(k));
        let union: Pixels = touching.flatten().copied().collect();
        let others: Pixels = objects.iter().filter(|o| *o != k).flatten().copied().collect();
        let whole = k.union(&union).count() - union.intersection(&others).count();
        (k.intersection(&union).count() as u32, whole as u32)
    });
    let any: Pixels = objects.iter().flatten().copied().collect();
    let ppv = predictions.iter().map(|p| (p.intersection(&any).count() as u32, p.len() as u32));
    let sorted = |mut pairs: Vec<(u32, u32)>| {
        pairs.sort_unstable();
        pairs
    };
    [sorted(siou.collect()), sorted(ppv.collect())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn fast_is_naive(
        width in 1..12usize,
        cells in prop::collection::vec((prop::bool::weighted(0.4), 0..10u8), 1..120),
        prediction in 1..6u32,
        object in 1..6u32,
    ) {
        let height = cells.len() / width;
        prop_assume!(height > 0);
        let cells = &cells[..width * height];
        let predicted: Vec<bool> = cells.iter().map(|c| c.0).collect();
        let truth: Vec<u8> =
            cells.iter().map(|c| [0, 0, 0, 0, 0, OBJECT, OBJECT, OBJECT, OBJECT, IGNORE][usize::from(c.1)]).collect();
        let scores: Vec<f32> = predicted.iter().map(|p| if *p { 1.0 } else { -1.0 }).collect();
        let smallest = Smallest { prediction, object };
        let frame = FrameComponents::find(smallest, &scores, &truth, (width, height), 0.0).unwrap();
        let [objects, predictions] = naive(smallest, &predicted, &truth, width);
        check(&frame, &objects, &predictions);
    }

    /// Shards and their order never show, not in the last bit either.
    #[test]
    fn merged_is_whole(mut parts in prop::collection::vec((0..50u32, 50..90u32), 0..40), cut in 0..40usize) {
        let frame = |&(part, whole): &(u32, u32)| {
            let share = Share { part, whole };
            FrameComponents { objects: vec![share], predictions: vec![share, Share { part: 1, ..share }] }
        };
        let all = |parts: &[(u32, u32)]| {
            let mut all = Components::default();
            parts.iter().for_each(|p| all.add(&frame(p)));
            all
        };
        let whole = all(&parts);
        parts.reverse();
        let (a, b) = parts.split_at(cut.min(parts.len()));
        let mut merged = all(b);
        merged.merge(&all(a));
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.figures(), whole.figures());
    }
}
