//! The class head taken out of the shipped model's graph is the one inside it.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used)]

use open_set::config::Parameters;
use open_set::frame::Size;
use open_set::model::Model;
use open_set::segmenter::Segmenter;
use open_set::segmenter::onnx::OnnxSegmenter;
use std::path::Path;

#[test]
fn the_head_makes_the_networks_logits_of_its_pre_logits() {
    let model = Model::load(Path::new("models/camvid-lite0.yaml")).unwrap();
    let runtime = Parameters::default().runtime().unwrap();
    let size = Size { width: 96, height: 64 };
    let mut segmenter = OnnxSegmenter::with_pre_logits(&model, &runtime, size).unwrap();
    for (i, v) in segmenter.input().iter_mut().enumerate() {
        *v = ((i * 7919) % 1000) as f32 / 250.0 - 2.0;
    }
    segmenter.run().unwrap();
    let pre_logits = segmenter.pre_logits().unwrap();
    assert_eq!((pre_logits.channels, pre_logits.height, pre_logits.width), (96, 16, 24));
    let greatest = pre_logits.data.iter().fold(f32::MIN, |a, b| a.max(*b));

    // Unclipped: the same but for the order of sums.
    segmenter.rectify(f32::INFINITY).unwrap();
    let differ = |s: &OnnxSegmenter| {
        let pairs = s.logits().data.iter().zip(s.rectified_logits().unwrap().data);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(differ(&segmenter) < 1e-5, "{}", differ(&segmenter));
    segmenter.rectify(greatest / 4.0).unwrap();
    assert!(differ(&segmenter) > 1e-2, "clipping changed nothing");

    let mut without = OnnxSegmenter::new(&model, &runtime, size).unwrap();
    assert!(without.pre_logits().is_none() && without.rectify(1.0).is_err());
}
