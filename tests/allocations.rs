//! That a frame allocates nothing in steady state: a counting allocator under the walk of the shipped model, on the
//! thread that walks it, from borrowed pixels to labels and pictures, with all that the node does between.
//!
//! What is counted is Rust's allocator. ONNX Runtime, OpenCV and the middleware use C's, which no one counts here.
//! Two Rust libraries under the walk do allocate, and are told apart from this crate's own code:
//! - `ort` makes its values of the outputs anew in every run (`Session::run_binding`), which a bare run of the network
//!   shows: the same number each time.
//! - `rayon` passes work from a thread that is not its own through a queue made of blocks of 63: each 63rd frame makes
//!   one block.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code)] // an allocator

use open_set::assemble::{Assembly, load};
use open_set::budget::resolution::Rung;
use open_set::budget::stamps::Birth;
use open_set::budget::{BadStamps, Budget, OverBudget, Policy, predictor::Work};
use open_set::config::Parameters;
use open_set::frame::{Encoding, Frame};
use open_set::hysteresis::{Hysteresis, Settings};
use open_set::images;
use open_set::monitor::drift::Drift;
use open_set::monitor::picture::Watch;
use open_set::render::{self, Order};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Jobs of a block of rayon's queue.
const RAYONS_BLOCK: usize = 63;

struct Counting;

thread_local! {
    /// Of this thread, while it is counted.
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn count_one() {
    // A thread that is ending has no cell any more, and is not counted.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
}

// SAFETY: every call goes on to the system's allocator as it came; counting touches a cell of its own thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocated meanwhile.
fn counted(work: impl FnOnce()) -> u64 {
    COUNT.set(Some(0));
    work();
    COUNT.take().unwrap()
}

const CAMERA: (usize, usize) = (640, 360);
const FRAME: Duration = Duration::from_millis(100);

/// What one inference thread has.
struct Walk {
    assembly: Assembly,
    budget: Budget,
    watch: Watch,
    drift: Drift,
    hysteresis: Hysteresis,
    rgb: Vec<u8>,
    pictures: [Vec<u8>; 4],
    began: Instant,
    stamp_ns: i64,
}

impl Walk {
    fn new() -> Self {
        let parameters = Parameters { model: "models/camvid-lite0.yaml".into(), ..Parameters::default() };
        let loaded = load(&[parameters]).unwrap();
        let assembly = (loaded.build)().unwrap().swap_remove(0);
        let settings = assembly.pipeline.settings();
        let policy =
            Policy { budget_ms: Some(1e4), over_budget: OverBudget::Drop, bad_stamps: BadStamps::Drop };
        let began = Instant::now();
        Self {
            budget: Budget::new(policy, vec![Rung { size: settings.input_size, run_ms: 0.0 }]),
            watch: Watch::default(),
            drift: Drift::new(settings.histogram.as_ref().unwrap(), Duration::from_secs(60), began),
            hysteresis: Hysteresis::new(Settings { delta: 0.5, frames: 2 }),
            rgb: Vec::new(),
            pictures: Default::default(),
            began,
            stamp_ns: 1_700_000_000_000_000_000,
            assembly,
        }
    }

    /// One image message's bytes, all the way: the node's own order.
    fn frame(&mut self, encoding: &str, bytes: &[u8]) {
        let Self { assembly, budget, watch, drift, hysteresis, rgb, pictures, began, stamp_ns } = self;
        let Assembly { pipeline, taxonomy, .. } = assembly;
        let (width, height) = CAMERA;
        *stamp_ns += FRAME.as_nanos() as i64;
        *began += FRAME;
        let now = *began;

        let encoding = Encoding::from_name(encoding).unwrap();
        let step = width * encoding.bytes_per_pixel();
        let frame = Frame::new(encoding, width, height, step, bytes).unwrap();
        let birth = Birth::new(*stamp_ns, *stamp_ns + 1_000_000);
        let region = pipeline.settings().region;
        watch.look(&frame, region, pipeline.mask(), now);
        budget.begin(&birth, 1.0, now).unwrap();
        let mut work = Work::default();
        let past = Some((hysteresis, birth.ns()));
        pipeline.step_after(&frame, past, &mut |stage| work.set(stage, 1.0)).unwrap();
        budget.finish(2.0).unwrap();
        work.labels = Some(1.0);
        budget.worked(&work, now);

        let segmentation = pipeline.segmentation().unwrap();
        let geometry = pipeline.geometry().unwrap();
        let settings = pipeline.settings();
        let [labels, color, heatmap, overlay] = pictures;
        labels.clone_from(&segmentation.labels);
        render::color(taxonomy, segmentation, Order::Rgb, color);
        render::heatmap(segmentation, settings.threshold, 5.0, Order::Bgr, heatmap);
        images::to_rgb(&frame, rgb).unwrap();
        render::overlay(taxonomy, segmentation, rgb, geometry, settings.output_size, Order::Bgr, overlay);
        drift.add(&segmentation.anomaly, now);
        let _ = drift.psi(now);
        assert!(budget.resize(now).is_none());
    }
}

/// A picture that differs from frame to frame.
fn noise(bytes: &mut [u8], seed: &mut u32) {
    for byte in bytes {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (*seed >> 24) as u8;
    }
}

#[test]
fn a_frame_allocates_nothing_after_the_first_few() {
    const WARM_UP: usize = 5;
    const FRAMES: usize = 2 * RAYONS_BLOCK;
    let mut walk = Walk::new();
    // Once round each branch that a stream's first seconds take.
    let idle: Vec<u64> = (0..10).map(|_| counted(|| walk.assembly.pipeline.run_idle().unwrap())).collect();
    let orts = idle[WARM_UP];
    assert!(
        idle[WARM_UP..].iter().all(|n| *n == orts),
        "ort's own allocations differ from run to run: {idle:?}"
    );

    let (width, height) = CAMERA;
    let mut seed = 1;
    for (encoding, length) in [("rgb8", width * height * 3), ("nv12", width * height * 3 / 2)] {
        let mut bytes = vec![0; length];
        let mut counts = Vec::with_capacity(WARM_UP + FRAMES);
        for _ in 0..WARM_UP + FRAMES {
            noise(&mut bytes, &mut seed);
            counts.push(counted(|| walk.frame(encoding, &bytes)));
        }
        let steady = &counts[WARM_UP..];
        let more: Vec<_> = steady.iter().enumerate().filter(|(_, n)| **n != orts).collect();
        println!(
            "{encoding}, {FRAMES} frames: a frame {orts} allocations, all of them in ort's run of the network; {} frames \
             one more, in rayon's queue; 0 in this crate's code",
            more.len()
        );
        assert!(more.iter().all(|(_, n)| **n == orts + 1), "{encoding}, ort's are {orts}: {counts:?}");
        assert!(more.len() <= FRAMES / RAYONS_BLOCK + 1, "{encoding}, ort's are {orts}: {counts:?}");
    }
}
