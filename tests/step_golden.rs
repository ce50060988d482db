//! The walk of a frame against one written independently, in Python, float64 and from the paper's formulas
//! (`golden/reference.py`; `golden/make_step_golden.py` made the files): letterbox, normalisation, network,
//! upsampling, score, threshold, all at once.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used)]

use open_set::config::Parameters;
use open_set::frame::Frame;
use open_set::frame::Size;
use open_set::model::Model;
use open_set::pipeline::Pipeline;
use open_set::segmenter::onnx::OnnxSegmenter;
use std::path::Path;

const CAMERA: Size = Size { width: 96, height: 64 };

/// Both sides run the same graph in f32 and differ in the order of its sums, and in f32 against f64
/// before and after it: about 1e-5 on scores of a few nats. A wrong pixel centre, channel order or norm
/// moves scores by 0.1 and more.
const ANOMALY_TOLERANCE: f32 = 1e-3;

/// Pixels whose two best logits, or whose score and threshold, lie closer together than that may go either
/// way: at most 6 of these 6144.
const LABEL_AGREEMENT: f64 = 0.999;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("tests/golden").join(name)).unwrap()
}

#[test]
fn step_is_the_reference_in_python() {
    let parameters = Parameters {
        model: "models/camvid-lite0.yaml".into(),
        input_size: "64x48".into(),
        threshold_override: 24.5, // as in make_step_golden.py
        ..Parameters::default()
    };
    let model = Model::load(Path::new(&parameters.model)).unwrap();
    let settings = parameters.settings(&model).unwrap();
    let segmenter = OnnxSegmenter::new(&model, &parameters.runtime().unwrap(), settings.input_size).unwrap();
    let mut pipeline = Pipeline::new(&model, settings, Box::new(segmenter), None);

    let image = golden("step_image.rgb");
    let frame = Frame::rgb8(CAMERA.width, CAMERA.height, &image).unwrap();
    let got = pipeline.step(&frame, &mut |_| ()).unwrap();
    assert_eq!(got.size, CAMERA);

    let labels = golden("step_labels.u8");
    assert_eq!(got.labels.len(), labels.len());
    let agreeing = got.labels.iter().zip(&labels).filter(|(a, b)| a == b).count();
    assert!(
        agreeing as f64 >= LABEL_AGREEMENT * labels.len() as f64,
        "{agreeing} of {} labels",
        labels.len()
    );

    let anomaly = golden("step_anomaly.f32");
    let anomaly: Vec<f32> = anomaly.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    assert_eq!(got.anomaly.len(), anomaly.len());
    let worst = got.anomaly.iter().zip(&anomaly).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // A NaN would pass as the smaller of two; labels would show it, counts say it.
    assert_eq!(got.counts.non_finite, 0);
    assert!(worst < ANOMALY_TOLERANCE, "anomaly differs by up to {worst}");
}
