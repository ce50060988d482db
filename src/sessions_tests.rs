//! Sessions of fakes, made by a builder that can be told to fail.

use super::*;
use crate::assemble::Identity;
use crate::config::PipelineSettings;
use crate::labels::{Class, Taxonomy};
use crate::model::InputSpec;
use crate::pipeline::Pipeline;
use crate::preprocess::geometry::{Fit, OutputSize};
use crate::score::{Fitted, Score, Scoring};
use crate::segmenter::SegmentError;
use crate::segmenter::fake::FakeSegmenter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SIZE: Size = Size { width: 8, height: 8 };

fn assembly() -> Assembly {
    let settings = PipelineSettings {
        scoring: Scoring::new(Score::Discriminative, 1.0, Fitted::Nothing).unwrap(),
        threshold: 0.0,
        threshold_origin: "test".into(),
        histogram: None,
        input_size: SIZE,
        fit: Fit::Stretch,
        region: None,
        output_size: OutputSize::Camera,
    };
    let class = |name: &str| Class { name: name.into(), color: [0; 3] };
    let segmenter = Box::new(FakeSegmenter::new(SIZE, 1, 2));
    Assembly {
        pipeline: Pipeline::with(&InputSpec::default(), settings, segmenter, None),
        taxonomy: Taxonomy::new(vec![class("a"), class("b")]).unwrap(),
        identity: Identity { model: "m".into(), model_sha256: "s".into(), runtime: "r".into() },
    }
}

/// Counts what it makes; refuses while it is broken.
#[derive(Default)]
struct Workshop {
    made: AtomicUsize,
    broken: AtomicBool,
}

fn sessions(workshop: &Arc<Workshop>) -> Sessions {
    let workshop = Arc::clone(workshop);
    Sessions::new(Arc::new(move || {
        workshop.made.fetch_add(1, Ordering::SeqCst);
        if workshop.broken.load(Ordering::SeqCst) {
            return Err(AssembleError::Segment(SegmentError::Run("the device is gone".into())));
        }
        Ok(vec![assembly()])
    }))
    .unwrap()
}

/// Tends them until something happens.
fn until_event(s: &mut Sessions, now: Instant) -> Event {
    loop {
        match s.tend(now) {
            Some(event) => return event,
            None => std::thread::yield_now(),
        }
    }
}

fn fail(s: &mut Sessions, now: Instant) {
    for _ in 0..3 {
        assert_eq!(s.tend(now), None);
        s.failed("logits were NaN", now);
    }
}

#[test]
fn sessions_that_fail_are_made_anew() {
    let (workshop, now) = (Arc::new(Workshop::default()), Instant::now());
    let mut s = sessions(&workshop);
    assert!(s.at(SIZE).is_ok() && s.all().len() == 1);
    assert!(s.at(Size { width: 1, height: 1 }).is_err());
    fail(&mut s, now);
    assert_eq!(s.tend(now), Some(Event::Rebuilding));
    assert!(s.at(SIZE).map(|_| ()).unwrap_err().ends_with("being made anew, since logits were NaN"));
    assert_eq!(until_event(&mut s, now), Event::Rebuilt);
    assert!(s.at(SIZE).is_ok());
    assert_eq!(workshop.made.load(Ordering::SeqCst), 2);
    assert_eq!(s.succeeded(now).map(|r| (r.failures, r.rebuilds)), Some((3, 1)));
}

#[test]
fn sessions_that_cannot_be_made_are_tried_again_later() {
    let (workshop, start) = (Arc::new(Workshop::default()), Instant::now());
    let mut s = sessions(&workshop);
    workshop.broken.store(true, Ordering::SeqCst);
    fail(&mut s, start);
    assert_eq!(s.tend(start), Some(Event::Rebuilding));
    let Event::NotRebuilt { reason, pause } = until_event(&mut s, start) else { panic!() };
    assert!(reason.contains("the device is gone"), "{reason}");
    assert_eq!(pause, Duration::from_secs(1));
    let reason = s.at(SIZE).map(|_| ()).unwrap_err();
    for part in ["could not be made anew", "the device is gone", "since logits were NaN"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(s.all().is_empty());

    workshop.broken.store(false, Ordering::SeqCst);
    let later = |s: f64| start + Duration::from_secs_f64(s);
    assert_eq!(s.tend(later(0.9)), None);
    assert_eq!(s.tend(later(1.0)), Some(Event::Rebuilding));
    assert_eq!(until_event(&mut s, later(1.1)), Event::Rebuilt);
    assert_eq!(s.succeeded(later(1.2)).map(|r| r.rebuilds), Some(2));
}

#[test]
fn a_builder_that_panics_is_one_that_failed() {
    let made = AtomicUsize::new(0);
    let build = move || -> Built {
        match made.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(vec![assembly()]),
            _ => panic!("on purpose"),
        }
    };
    let mut s = Sessions::new(Arc::new(build)).unwrap();
    let now = Instant::now();
    fail(&mut s, now);
    assert_eq!(s.tend(now), Some(Event::Rebuilding));
    let Event::NotRebuilt { reason, .. } = until_event(&mut s, now) else { panic!() };
    assert!(reason.contains("panicked"), "{reason}");
}
