//! What PyTorch says of the same networks with the same weights: tests/golden/train, with the programs that made it.

use serde::Deserialize;
use std::collections::BTreeMap;
use tch::{Device, Tensor};

use super::weights::load_encoder;
use super::*;

/// Relative to the largest magnitude. Both sides sum in f32, in other orders; seen is 1e-6 and less.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Encoder {
    names: Vec<(String, Vec<i64>)>,
    cases: Vec<EncoderCase>,
}

#[derive(Deserialize)]
struct EncoderCase {
    height: i64,
    width: i64,
    features: Vec<Sample>,
}

#[derive(Deserialize)]
struct TwinCase {
    height: i64,
    width: i64,
    pre_logits: Sample,
    logits: Sample,
    dataset_logits: Sample,
}

#[derive(Deserialize)]
struct Sample {
    shape: Vec<i64>,
    largest: f64,
    at: Vec<i64>,
    values: Vec<f64>,
}

/// formula.py's numbers.
fn uniform(name: &str, count: usize) -> Vec<f64> {
    let hash = |key: u64, byte: u8| (key ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let key = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    let number = |i: u64| {
        let z = key.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    (1..=count as u64).map(number).collect()
}

fn made(name: &str, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    let scaled = |u: f64| match shape {
        [_, inputs, height, width] => u * (24.0 / (inputs * height * width) as f64).sqrt(),
        [_, inputs] if name.ends_with("weight") => u * (12.0 / *inputs as f64).sqrt(),
        _ if name.ends_with("running_var") || name.ends_with("weight") => u + 1.0,
        _ => u * 0.5,
    };
    let values: Vec<f32> = uniform(name, count).into_iter().map(|u| scaled(u) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

fn image(height: i64, width: i64) -> Tensor {
    let values = uniform("image", (3 * height * width) as usize);
    let values: Vec<f32> = values.into_iter().map(|u| (u * 4.0) as f32).collect();
    Tensor::from_slice(&values).view([1, 3, height, width])
}

fn check(what: &str, got: &Tensor, expected: &Sample) {
    assert_eq!(got.size(), expected.shape, "{what}");
    let flat = Vec::<f32>::try_from(got.flatten(0, -1)).unwrap();
    let largest = flat.iter().fold(0.0, |m: f64, v| m.max(f64::from(v.abs())));
    assert!((largest / expected.largest - 1.0).abs() <= TOLERANCE, "{what}: {largest} {}", expected.largest);
    for (at, value) in expected.at.iter().zip(&expected.values) {
        let got = f64::from(flat[*at as usize]);
        let difference = (got - value).abs() / expected.largest;
        assert!(difference <= TOLERANCE, "{what}: {got} for {value} at {at}");
    }
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = format!("{}/tests/golden/train/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn network(architecture: Architecture, width: usize) -> TorchNetwork {
    let width = architecture.own_width().unwrap_or(width);
    let spec = Spec { architecture, classes: 11, width, dataset_head: DatasetHead::Independent };
    TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap()
}

/// Either memory format: with channels last libtorch takes other kernels.
fn channels_last(t: &Tensor) -> Tensor {
    t.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// Holds an encoder against its entry in encoders.json, of whose tensors so many are a classifier's.
fn encoder_says_what_its_publisher_says(architecture: Architecture, dropped: usize) {
    let (file, name) = ("encoders.json", architecture.name());
    let golden: BTreeMap<String, Encoder> = read(file);
    let Some(golden) = golden.get(name) else {
        panic!("tests/golden/train/{file} has no {name}: run make_encoders.py there");
    };
    let network = network(architecture, 16);
    let named = golden.names.iter().map(|(name, shape)| (name.clone(), made(name, shape))).collect();
    let loaded = load_encoder(network.parameters(), architecture, named).unwrap();
    assert_eq!(loaded.dropped.len(), dropped, "{:?}", loaded.dropped);
    for EncoderCase { height, width, features } in &golden.cases {
        for image in [image(*height, *width), channels_last(&image(*height, *width))] {
            let got = tch::no_grad(|| network.features(&image, Mode::Eval)).unwrap();
            assert_eq!(got.len(), features.len());
            for (i, (got, expected)) in got.iter().zip(features).enumerate() {
                check(&format!("{architecture:?} {height}x{width} feature {i}"), got, expected);
            }
        }
    }
}

#[test]
fn densenet_121_says_what_torchvisions_says() {
    encoder_says_what_its_publisher_says(Architecture::Ldn121, 2); // the classifier
}

#[test]
fn lite0_says_what_its_publishers_says() {
    encoder_says_what_its_publisher_says(Architecture::Lite0, 7); // _conv_head, _bn1 and _fc
}

#[test]
fn resnet_18_says_what_torchvisions_says() {
    encoder_says_what_its_publisher_says(Architecture::ResNet18, 2); // fc
}

#[test]
fn swin_t_says_what_torchvisions_says() {
    encoder_says_what_its_publisher_says(Architecture::UperNetSwinT, 4); // norm and head
}

#[test]
fn swin_b_says_what_torchvisions_says() {
    encoder_says_what_its_publisher_says(Architecture::UperNetSwinB, 4); // norm and head
}

#[test]
fn vit_b16_says_what_timms_says() {
    encoder_says_what_its_publisher_says(Architecture::SegmenterVitB16, 2); // head
}

#[test]
fn the_whole_network_says_what_its_twin_in_pytorch_says() {
    let network = network(Architecture::Lite0, 96);
    let named: Vec<(String, Tensor)> = network
        .parameters()
        .iter()
        .map(|(name, p)| (name.to_owned(), made(name, &p.tensor.size())))
        .collect();
    network.parameters().load(&named).unwrap();
    for case in read::<Vec<TwinCase>>("twin.json") {
        let image = channels_last(&image(case.height, case.width));
        let got = tch::no_grad(|| network.forward(&image, Mode::Eval)).unwrap();
        check("pre_logits", &got.pre_logits, &case.pre_logits);
        check("logits", &got.logits, &case.logits);
        check("dataset_logits", &got.dataset_logits, &case.dataset_logits);
    }
}
