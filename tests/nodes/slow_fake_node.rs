//! The real node around a fake segmenter: what a camera sees of a network that is slow, fails or breaks.
//!
//! Set by environment variables, since the node's parameters are the product's:
//! `OPEN_SET_FAKE_DELAY_MS`, `OPEN_SET_FAKE_FAIL_EVERY`, `OPEN_SET_FAKE_NAN_SHARE`, and two files:
//! `OPEN_SET_FAKE_LOAD` says how many times the delay a run takes now; while `OPEN_SET_FAKE_BROKEN` is there, runs
//! fail, the sessions that ran stay broken for good, and no new ones can be made.
//!
//! With `input_size` auto it has two sizes; a run at the smaller takes a quarter of the time.

use open_set::assemble::{AssembleError, Assembly, Identity, Loaded};
use open_set::config::{ConfigError, Parameters, PipelineSettings};
use open_set::frame::Size;
use open_set::images::{Gray, read_gray};
use open_set::labels::{Class, Taxonomy};
use open_set::model::InputSpec;
use open_set::pipeline::Pipeline;
use open_set::score::{Fitted, Logits, Score, Scoring};
use open_set::segmenter::fake::FakeSegmenter;
use open_set::segmenter::{SegmentError, Segmenter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const CLASSES: [&str; 3] = ["low", "mid", "high"];

/// With the threshold of each.
const SIZES: [(Size, f32); 2] =
    [(Size { width: 64, height: 48 }, -0.5), (Size { width: 32, height: 24 }, -0.25)];

fn variable(name: &str) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(0.0)
}

fn file(name: &str) -> PathBuf {
    std::env::var_os(name).map(PathBuf::from).unwrap_or_default()
}

/// Whether the device is gone.
fn check_device() -> Result<(), SegmentError> {
    if file("OPEN_SET_FAKE_BROKEN").exists() {
        let (provider, reason) = ("fake".into(), "the device is gone".into());
        return Err(SegmentError::Provider { provider, reason });
    }
    Ok(())
}

/// A fake on a machine that has other things to do, and that may lose its device.
struct Burdened {
    fake: FakeSegmenter,
    delay_s: f64,
    load: PathBuf,
    is_broken: bool,
}

impl Burdened {
    fn load(&self) -> f64 {
        std::fs::read_to_string(&self.load).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(1.0)
    }
}

impl Segmenter for Burdened {
    fn provider(&self) -> &str {
        self.fake.provider()
    }

    fn input_size(&self) -> Size {
        self.fake.input_size()
    }

    fn input(&mut self) -> &mut [f32] {
        self.fake.input()
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        std::thread::sleep(Duration::from_secs_f64(self.delay_s * self.load()));
        self.is_broken |= check_device().is_err();
        if self.is_broken {
            return Err(SegmentError::Run("the device was lost".into()));
        }
        self.fake.run()
    }

    fn logits(&self) -> Logits<'_> {
        self.fake.logits()
    }

    fn dataset_logits(&self) -> Option<Logits<'_>> {
        self.fake.dataset_logits()
    }
}

/// What a camera's parameters come to. The fake knows two scores, and thresholds of one.
fn settings(parameters: &Parameters) -> Result<Vec<PipelineSettings>, ConfigError> {
    let (fit, output_size) = parameters.layout()?;
    let is_auto = parameters.input_size == "auto";
    let sizes = if is_auto { &SIZES[..] } else { &SIZES[..1] };
    let given = parameters.threshold_override;
    let score = if parameters.score == "max-logit" { Score::MaxLogit } else { Score::Discriminative };
    let scoring = Scoring::new(score, parameters.temperature as f32, Fitted::Nothing)
        .map_err(|source| ConfigError::Scoring { model: "fake".into(), source })?;
    sizes
        .iter()
        .map(|(size, calibrated)| -> Result<_, ConfigError> {
            if given.is_nan() && score == Score::MaxLogit {
                let (model, offered) = ("fake".into(), "discriminative".into());
                let score = scoring.to_string();
                return Err(ConfigError::Uncalibrated { model, score, size: *size, offered });
            }
            Ok(PipelineSettings {
                scoring: scoring.clone(),
                threshold: if given.is_nan() { *calibrated } else { given as f32 },
                threshold_origin: if given.is_nan() { "fake".into() } else { "threshold_override".into() },
                histogram: None,
                input_size: *size,
                fit,
                region: None,
                output_size,
            })
        })
        .collect()
}

fn mask(parameters: &Parameters) -> Result<Option<Gray>, AssembleError> {
    match parameters.mask.as_str() {
        "" => Ok(None),
        path => read_gray(Path::new(path)).map(Some).map_err(AssembleError::Mask),
    }
}

fn load(cameras: &[Parameters]) -> Result<Loaded, AssembleError> {
    let of_each = cameras.iter().map(settings).collect::<Result<Vec<_>, _>>()?;
    let cameras = cameras.to_vec();
    let build = move || {
        check_device()?;
        let sizes = of_each.iter().map(Vec::len).min().unwrap_or(0);
        (0..sizes).map(|i| assemble(&cameras, &of_each, i)).collect::<Result<Vec<_>, AssembleError>>()
    };
    Ok(Loaded { build: Arc::new(build), check: Arc::new(settings) })
}

/// At one size, with a view a camera.
fn assemble(
    cameras: &[Parameters],
    of_each: &[Vec<PipelineSettings>],
    place: usize,
) -> Result<Assembly, AssembleError> {
    let size = SIZES[place].0;
    let fake = FakeSegmenter::new(size, 4, CLASSES.len())
        .failing_every(variable("OPEN_SET_FAKE_FAIL_EVERY") as u64)
        .with_nan_share(variable("OPEN_SET_FAKE_NAN_SHARE"));
    let share = (size.width * size.height) as f64 / (SIZES[0].0.width * SIZES[0].0.height) as f64;
    let segmenter = Burdened {
        fake,
        delay_s: variable("OPEN_SET_FAKE_DELAY_MS") / 1e3 * share,
        load: file("OPEN_SET_FAKE_LOAD"),
        is_broken: false,
    };
    // Brightness in units of classes: byte 40·k is class k.
    let input = InputSpec { mean: [0.0; 3], std: [40.0 / 255.0; 3], ..InputSpec::default() };
    let classes = CLASSES.iter().enumerate();
    let classes = classes.map(|(i, n)| Class { name: (*n).into(), color: [80 * i as u8, 0, 0] }).collect();
    let taxonomy = Taxonomy::new(classes).map_err(|e| ConfigError::Shape(e.to_string()))?;
    let first = of_each[0][place].clone();
    let mut pipeline = Pipeline::with(&input, first, Box::new(segmenter), mask(&cameras[0])?);
    for (parameters, settings) in cameras.iter().zip(of_each).skip(1) {
        pipeline = pipeline.and(settings[place].clone(), mask(parameters)?);
    }
    let identity = Identity { model: "fake".into(), model_sha256: "none".into(), runtime: "none".into() };
    Ok(Assembly { pipeline, taxonomy, identity })
}

fn main() -> ExitCode {
    open_set::ros::main(load)
}
