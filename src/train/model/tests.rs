//! Networks as they are made and run: shapes at any size, gradients everywhere, numbers of nothing but the seed.

use tch::{Device, Kind, Tensor};

use super::*;

const ARCHITECTURES: [Architecture; 6] = [
    Architecture::Lite0,
    Architecture::Ldn121,
    Architecture::ResNet18,
    Architecture::Tiny,
    Architecture::UperNetTiny,
    Architecture::SegmenterTiny,
];

fn spec(architecture: Architecture, dataset_head: DatasetHead) -> Spec {
    let width = architecture.own_width().unwrap_or(16);
    Spec { architecture, classes: 5, width, dataset_head }
}

fn network(architecture: Architecture) -> TorchNetwork {
    let spec = spec(architecture, DatasetHead::Independent);
    TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap()
}

/// Waves that differ from channel to channel and from sample to sample.
fn images(n: i64, height: i64, width: i64) -> Tensor {
    let count = n * 3 * height * width;
    let t = Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.7;
    (t.sin() * 1.5).view([n, 3, height, width])
}

fn bits(t: &Tensor) -> Vec<u32> {
    Vec::<f32>::try_from(t.flatten(0, -1)).unwrap().into_iter().map(f32::to_bits).collect()
}

fn finite(t: &Tensor) -> bool {
    t.isfinite().all().int64_value(&[]) == 1
}

#[test]
fn every_size_gives_outputs_at_the_stride() {
    for architecture in ARCHITECTURES {
        let network = network(architecture);
        let (channels, stride) = (network.spec().pre_logits() as i64, network.stride() as i64);
        for (height, width) in [(64, 64), (65, 97), (70, 90), (33, 130)] {
            let outputs = tch::no_grad(|| network.forward(&images(1, height, width), Mode::Eval)).unwrap();
            // torchvision's stem and pool round up as ours do.
            let (h, w) = ((height + stride - 1) / stride, (width + stride - 1) / stride);
            assert_eq!(outputs.pre_logits.size(), [1, channels, h, w], "{architecture:?}");
            assert_eq!(outputs.logits.size(), [1, 5, h, w], "{architecture:?}");
            assert_eq!(outputs.dataset_logits.size(), [1, 1, h, w], "{architecture:?}");
            assert!(finite(&outputs.logits) && finite(&outputs.dataset_logits));
        }
    }
}

#[test]
fn every_parameter_that_is_trained_gets_a_gradient_and_no_buffer_does() {
    for architecture in ARCHITECTURES {
        for precision in [Precision::F32, Precision::Bf16] {
            let spec = spec(architecture, DatasetHead::Tied);
            let network = TorchNetwork::new(spec, 7, precision, Device::Cpu).unwrap();
            let outputs = network.forward(&images(2, 64, 64), Mode::Train).unwrap();
            for t in [&outputs.pre_logits, &outputs.logits, &outputs.dataset_logits] {
                assert_eq!(t.kind(), Kind::Float);
            }
            (outputs.logits.square().mean(Kind::Float) + outputs.dataset_logits.mean(Kind::Float)).backward();
            for (name, parameter) in network.parameters().iter() {
                let gradient = parameter.tensor.grad();
                assert_eq!(gradient.defined(), parameter.is_trained(), "{architecture:?} {name}");
                assert!(!gradient.defined() || finite(&gradient), "{architecture:?} {name}");
            }
        }
    }
}

#[test]
fn training_moves_the_running_statistics_and_evaluating_does_not() {
    let network = network(Architecture::Tiny);
    let mean = network.parameters().tensor("encoder.stem.norm.running_mean").unwrap();
    let before = bits(mean);
    tch::no_grad(|| network.forward(&images(2, 64, 64), Mode::Eval)).unwrap();
    assert_eq!(bits(mean), before);
    network.forward(&images(2, 64, 64), Mode::Train).unwrap();
    assert_ne!(bits(mean), before);
}

#[test]
fn a_frozen_part_has_no_gradients_and_keeps_its_statistics() {
    let network = network(Architecture::Tiny);
    let parameters = network.parameters();
    for part in [Part::Encoder, Part::Decoder, Part::ClassHead] {
        parameters.freeze(part, true).unwrap();
    }
    let trained: Vec<&str> = parameters.trained().map(|(name, _)| name).collect();
    let expected = ["conv.bias", "conv.weight", "norm.bias", "norm.weight"];
    assert_eq!(trained, expected.map(|name| format!("dataset_head.{name}")));

    let before = bits(parameters.tensor("encoder.stem.norm.running_mean").unwrap());
    let head = bits(parameters.tensor("dataset_head.norm.running_mean").unwrap());
    let outputs = network.forward(&images(1, 64, 64), Mode::Train).unwrap();
    assert!(!outputs.pre_logits.requires_grad());
    outputs.dataset_logits.mean(Kind::Float).backward();
    assert_eq!(bits(parameters.tensor("encoder.stem.norm.running_mean").unwrap()), before);
    assert_ne!(bits(parameters.tensor("dataset_head.norm.running_mean").unwrap()), head);

    parameters.freeze(Part::Encoder, false).unwrap();
    assert!(network.forward(&images(2, 64, 64), Mode::Train).unwrap().pre_logits.requires_grad());
}

#[test]
fn parameters_are_a_function_of_seed_and_name() {
    let of = |seed, classes| {
        let spec = Spec { classes, ..spec(Architecture::Tiny, DatasetHead::Independent) };
        TorchNetwork::new(spec, seed, Precision::F32, Device::Cpu).unwrap()
    };
    let [a, same, other, wider] = [of(1, 5), of(1, 5), of(2, 5), of(1, 9)];
    for (name, parameter) in a.parameters().iter() {
        let in_other = |n: &TorchNetwork| bits(n.parameters().tensor(name).unwrap());
        let numbers = bits(&parameter.tensor);
        assert_eq!(numbers, in_other(&same), "{name}");
        if parameter.role == Role::Weight {
            assert_ne!(numbers, in_other(&other), "{name}");
        }
        if !name.starts_with("class_head.conv") {
            assert_eq!(numbers, in_other(&wider), "{name}");
        }
    }
    // Fan-out of a 3×3 with 16 outputs: deviation sqrt(2 / 144).
    let weight = a.parameters().tensor("decoder.step4.blend.conv.weight").unwrap();
    let deviation = weight.std(true).double_value(&[]);
    assert!((deviation / (2.0f64 / 144.0).sqrt() - 1.0).abs() < 0.05, "{deviation}");
}

#[test]
fn strides_are_the_architectures() {
    for architecture in ARCHITECTURES {
        let expected = if architecture == Architecture::SegmenterTiny { 16 } else { 4 };
        assert_eq!(network(architecture).stride(), expected, "{architecture:?}");
    }
}

#[test]
fn a_segmenters_logits_are_normalised_over_the_classes() {
    let outputs = network(Architecture::SegmenterTiny).forward(&images(2, 64, 48), Mode::Eval).unwrap();
    let mean = outputs.logits.mean_dim(1, false, Kind::Float);
    assert!(mean.abs().max().double_value(&[]) < 1e-5, "{mean}");
    // The normalisation's epsilon takes a little off.
    let squares = outputs.logits.square().mean_dim(1, false, Kind::Float);
    let (least, most) = (squares.min().double_value(&[]), squares.max().double_value(&[]));
    assert!(0.5 < least && most < 1.0 + 1e-5, "{least} to {most}");
}

#[test]
fn transformers_see_all_of_a_small_image() {
    // A change in one corner is seen in the other.
    for architecture in [Architecture::SegmenterTiny, Architecture::UperNetTiny] {
        let network = network(architecture);
        let (plain, changed) = (images(1, 96, 96), images(1, 96, 96));
        let _ = changed.narrow(2, 0, 16).narrow(3, 0, 16).fill_(3.0);
        let run = |images: &Tensor| {
            let logits = tch::no_grad(|| network.forward(images, Mode::Eval)).unwrap().logits;
            logits.select(2, -1).select(2, -1)
        };
        assert_ne!(bits(&run(&plain)), bits(&run(&changed)), "{architecture:?}");
    }
}

#[test]
fn the_tied_head_is_the_last_of_k_plus_1_classes() {
    let spec = spec(Architecture::Tiny, DatasetHead::Tied);
    let tied = TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap();
    let free = network(Architecture::Tiny); // the same seed, so the same parameters
    let (tied, free) = tch::no_grad(|| {
        let run = |n: &TorchNetwork| n.forward(&images(1, 64, 64), Mode::Eval).unwrap();
        (run(&tied), run(&free))
    });
    let all = Tensor::cat(&[&free.logits, &free.dataset_logits], 1).softmax(1, Kind::Float);
    let last = all.narrow(1, 5, 1);
    assert!((tied.dataset_logits.sigmoid() - last).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn one_value_is_no_statistic() {
    let error = network(Architecture::Tiny).forward(&images(1, 64, 64), Mode::Train).unwrap_err();
    assert_eq!(
        error.to_string(),
        "decoder.pyramid.grid1.norm has one value per channel to take statistics of: train with batches of \
         two samples or more, or with this part frozen"
    );
}

#[test]
fn weights_load_by_name_or_not_at_all() {
    let (a, b) = (network(Architecture::Tiny), network(Architecture::Tiny));
    tch::no_grad(|| {
        for (_, p) in a.parameters().iter() {
            let _ = p.tensor.shallow_clone().fill_(0.25);
        }
    });
    let named = a.parameters().named_tensors();
    b.parameters().load(&named).unwrap();
    for (name, p) in b.parameters().iter() {
        assert_eq!(p.tensor.min().double_value(&[]), 0.25, "{name}");
        assert_eq!(p.tensor.requires_grad(), p.is_trained(), "{name}");
    }

    let fresh = network(Architecture::Tiny);
    let mut named = fresh.parameters().named_tensors();
    named.retain(|(name, _)| name != "class_head.conv.bias");
    named.push(("class_head.conv.offset".to_owned(), Tensor::zeros([5], (Kind::Float, Device::Cpu))));
    assert_eq!(
        b.parameters().load(&named).unwrap_err().to_string(),
        "these weights are another network's: 1 of its parameters are missing there (class_head.conv.bias), 1 \
         are unknown to it (class_head.conv.offset)"
    );
    let mut named = fresh.parameters().named_tensors();
    for (name, tensor) in &mut named {
        if name == "class_head.conv.weight" {
            *tensor = Tensor::zeros([6, 16, 1, 1], (Kind::Float, Device::Cpu));
        }
    }
    assert_eq!(
        b.parameters().load(&named).unwrap_err().to_string(),
        "class_head.conv.weight is [5, 16, 1, 1] in the network and [6, 16, 1, 1] in the weights given"
    );
    // Nothing was changed by either.
    assert_eq!(b.parameters().tensor("class_head.conv.weight").unwrap().min().double_value(&[]), 0.25);
}

#[test]
fn impossible_specs_are_refused() {
    let of = |classes, width| {
        let spec = Spec { classes, width, ..spec(Architecture::Tiny, DatasetHead::Independent) };
        TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap_err().to_string()
    };
    assert_eq!(of(0, 16), "a network of 0 classes: there can be 1 to 254");
    assert_eq!(of(255, 16), "a network of 255 classes: there can be 1 to 254");
    assert_eq!(of(5, 6), "a network of width 6: it has to be a multiple of 4, from 4 to 4096");
    let of = |classes, width| {
        let architecture = Architecture::SegmenterTiny;
        let spec = Spec { architecture, classes, width, dataset_head: DatasetHead::Independent };
        TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap_err().to_string()
    };
    assert_eq!(of(5, 16), "segmenter-tiny has a width of its own, 32, not 16");
    assert!(of(2, 32).starts_with("a Segmenter of 2 classes: "), "{}", of(2, 32));
}

#[test]
fn every_architecture_goes_by_its_name() {
    for architecture in ARCHITECTURES.into_iter().chain([
        Architecture::UperNetSwinT,
        Architecture::UperNetSwinB,
        Architecture::SegmenterVitB16,
    ]) {
        let name = serde_json::to_string(&architecture).unwrap();
        assert_eq!(name, format!("\"{}\"", architecture.name()));
    }
}

#[test]
fn a_spec_is_written_in_the_fields_words() {
    let text = "{\"architecture\":\"ldn-121\",\"classes\":19,\"width\":128,\"dataset_head\":\"independent\"}";
    let spec: Spec = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&spec).unwrap(), text);
    assert_eq!(spec.identity(), "ldn-121 classes=19 width=128 dataset_head=independent");
    assert!(serde_json::from_str::<Spec>(&text.replace("19", "19,\"depth\":3")).is_err());
}

#[test]
fn bf16_is_near_f32() {
    let near = TorchNetwork::new(
        spec(Architecture::Tiny, DatasetHead::Independent),
        7,
        Precision::Bf16,
        Device::Cpu,
    )
    .unwrap();
    let (exact, near) = tch::no_grad(|| {
        let run = |n: &TorchNetwork| n.forward(&images(1, 64, 64), Mode::Eval).unwrap().pre_logits;
        (run(&network(Architecture::Tiny)), run(&near))
    });
    let difference = (&exact - near).abs().max().double_value(&[]) / exact.abs().max().double_value(&[]);
    assert!(difference > 0.0 && difference < 0.05, "{difference}");
}
