//! The real node around a fake segmenter: what a camera sees of a network that is slow, fails or breaks.
//!
//! Set by environment variables, since the node's parameters are the product's:
//! `OPEN_SET_FAKE_DELAY_MS`, `OPEN_SET_FAKE_FAIL_EVERY`, `OPEN_SET_FAKE_NAN_SHARE`.

use open_set::assemble::{AssembleError, Assembly, Identity};
use open_set::config::{ConfigError, Parameters, PipelineSettings};
use open_set::frame::Size;
use open_set::labels::{Class, Taxonomy};
use open_set::model::InputSpec;
use open_set::pipeline::Pipeline;
use open_set::score::{Fitted, Score, Scoring};
use open_set::segmenter::fake::FakeSegmenter;
use std::process::ExitCode;
use std::time::Duration;

const CLASSES: [&str; 3] = ["low", "mid", "high"];

fn variable(name: &str) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(0.0)
}

fn assemble(parameters: &Parameters) -> Result<Assembly, AssembleError> {
    let size = Size { width: 64, height: 48 };
    let segmenter = FakeSegmenter::new(size, 4, CLASSES.len())
        .with_delay(Duration::from_secs_f64(variable("OPEN_SET_FAKE_DELAY_MS") / 1e3))
        .failing_every(variable("OPEN_SET_FAKE_FAIL_EVERY") as u64)
        .with_nan_share(variable("OPEN_SET_FAKE_NAN_SHARE"));
    let (fit, output_size) = parameters.layout()?;
    let scoring = Scoring::new(Score::Discriminative, 1.0, Fitted::Nothing)
        .map_err(|source| ConfigError::Scoring { model: "fake".into(), source })?;
    let settings = PipelineSettings {
        scoring,
        threshold: -0.5,
        threshold_origin: "fake".into(),
        input_size: size,
        fit,
        region: None,
        output_size,
    };
    // Brightness in units of classes: byte 40·k is class k.
    let input = InputSpec { mean: [0.0; 3], std: [40.0 / 255.0; 3], ..InputSpec::default() };
    let classes = CLASSES.iter().enumerate();
    let classes = classes.map(|(i, n)| Class { name: (*n).into(), color: [80 * i as u8, 0, 0] }).collect();
    let taxonomy = Taxonomy::new(classes).map_err(|e| ConfigError::Shape(e.to_string()))?;
    Ok(Assembly {
        pipeline: Pipeline::with(&input, settings, Box::new(segmenter), None),
        taxonomy,
        identity: Identity { model: "fake".into(), model_sha256: "none".into(), runtime: "none".into() },
    })
}

fn main() -> ExitCode {
    open_set::ros::main(assemble)
}
