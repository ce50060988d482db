//! What is exported, run by ONNX Runtime and held against libtorch.

use super::*;
use crate::config::{Provider, RuntimeSettings};
use crate::labels::Class;
use crate::segmenter::onnx::OnnxSegmenter;
use crate::train::model::{Architecture, DatasetHead, Spec};
use onnx_protobuf::{Message, ModelProto, NodeProto};
use tch::Device;

pub(super) fn classes(count: usize) -> Taxonomy {
    let class = |i: usize| Class { name: format!("class {i}"), color: [i as u8, 100, 200] };
    Taxonomy::new((0..count).map(class).collect()).unwrap()
}

pub(super) fn info(size: (usize, usize)) -> ExportInfo {
    ExportInfo {
        classes: classes(5),
        input: InputSpec { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..InputSpec::default() },
        input_sizes: vec![Size { width: size.0, height: size.1 }],
        training: Training {
            network: "a test".into(),
            data: "none: it is a test".into(),
            licence: "any".into(),
        },
        settings_sha256: "00ff".into(),
        pictures: Vec::new(),
        force: false,
    }
}

/// A network as after a training: its normalisations do something, and are by the statistics of what they see.
fn trained(architecture: Architecture, dataset_head: DatasetHead, precision: Precision) -> TorchNetwork {
    let width = architecture.own_width().unwrap_or(16);
    let spec = Spec { architecture, classes: 5, width, dataset_head };
    let network = TorchNetwork::new(spec, 7, precision, Device::Cpu).unwrap();
    let parameters = network.parameters();
    unsettle(parameters);
    let statistics = || parameters.iter().filter(|(_, p)| !p.is_trained());
    tch::no_grad(|| {
        statistics().for_each(|(_, p)| drop(p.tensor.shallow_clone().zero_()));
        let noise = Input::random(Size { width: 128, height: 256 }, 5);
        let images = Tensor::from_slice(&noise.data).view([2, 3, 128, 128]);
        network.forward(&images, Mode::Train).unwrap();
        for (name, statistic) in statistics() {
            // A pass leaves the batch's statistics times the momentum.
            let slow = architecture == Architecture::Lite0 && name.starts_with("encoder.");
            let _ = statistic.tensor.shallow_clone().g_div_scalar_(if slow { 0.01 } else { 0.1 });
        }
    });
    network
}

/// Gives normalisations scales, and heads, positions and tokens weights, that differ from channel to channel.
pub(super) fn unsettle(parameters: &crate::train::model::Parameters) {
    for (name, parameter) in parameters.iter() {
        let phase = f64::from(name.bytes().map(u32::from).sum::<u32>());
        let numbers = Tensor::arange(parameter.tensor.numel() as i64, (tch::Kind::Float, Device::Cpu));
        let wave = (numbers * 1.7 + phase).sin().view(&parameter.tensor.size()[..]);
        let mut tensor = parameter.tensor.shallow_clone();
        tch::no_grad(|| match name {
            n if n.ends_with("norm.weight") => tensor.copy_(&(wave * 0.4 + 1.0)),
            n if n.ends_with("bias") => tensor.copy_(&(wave * 0.3)),
            n if n.contains("head.conv") => tensor.copy_(&wave),
            n if ["positions", "token", "tokens"].iter().any(|what| n.ends_with(what)) => tensor.copy_(&wave),
            _ => {}
        });
    }
}

fn said(export: &Exported) -> ModelProto {
    ModelProto::parse_from_bytes(&std::fs::read(&export.onnx).unwrap()).unwrap()
}

/// Some frames of CamVid, or why not.
fn pictures(count: usize) -> Vec<PathBuf> {
    let Some(data) = std::env::var_os("OPEN_SET_DATA").filter(|d| !d.is_empty()) else {
        println!("skipped: real images, OPEN_SET_DATA is not set");
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(data).join("camvid/test")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            let labels = entry.to_string_lossy().contains("label");
            match entry.extension().and_then(|e| e.to_str()) {
                _ if labels => {}
                _ if entry.is_dir() => open.push(entry),
                Some("png" | "jpg") => found.push(entry),
                _ => {}
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no images under OPEN_SET_DATA/camvid/test");
    let step = found.len().div_ceil(count);
    found.into_iter().step_by(step).collect()
}

#[test]
fn every_network_is_the_same_in_onnx_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let (own, tied) = (DatasetHead::Independent, DatasetHead::Tied);
    for (architecture, heads) in [
        (Architecture::Tiny, &[own, tied][..]),
        (Architecture::Lite0, &[own][..]),
        (Architecture::Ldn121, &[tied][..]),
        (Architecture::ResNet18, &[own][..]),
        (Architecture::UperNetTiny, &[own][..]),
        (Architecture::SegmenterTiny, &[own, tied][..]),
    ] {
        for &head in heads {
            let out = dir.path().join(format!("{architecture:?}-{head:?}"));
            let network = trained(architecture, head, Precision::F32);
            let info = ExportInfo { pictures: pictures(2), ..info((161, 95)) };
            let exported = export(&network, &info, &out).unwrap();
            println!("{architecture:?} {head:?}: {}", exported.parity);
            assert_eq!(exported.parity.sizes.len(), 4 + info.pictures.len());
            // A normalisation that is left stands before a ReLU, or before another that does (DenseNet's last).
            let graph = said(&exported).graph;
            for norm in graph.node.iter().filter(|n| n.op_type == "BatchNormalization") {
                let readers: Vec<_> =
                    graph.node.iter().filter(|n| n.input.contains(&norm.output[0])).collect();
                let fits = |n: &&NodeProto| n.op_type == "Relu" || n.op_type == norm.op_type;
                assert!(readers.iter().all(fits), "{}", norm.name);
                let maker = graph.node.iter().find(|n| n.output[0] == norm.input[0]).unwrap();
                let shared = graph.node.iter().filter(|n| n.input.contains(&maker.output[0])).count() > 1;
                assert!(
                    maker.op_type != "Conv" || shared || maker.output[0] == "pre_logits",
                    "{}",
                    norm.name
                );
            }
        }
    }
}

#[test]
fn a_segmenter_is_at_its_own_stride_and_has_no_head_to_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let network = trained(Architecture::SegmenterTiny, DatasetHead::Independent, Precision::F32);
    let exported = export(&network, &info((80, 48)), &dir.path().join("segmenter")).unwrap();
    let model = Model::load(&exported.manifest).unwrap();
    assert_eq!(model.manifest().input_sizes[0].stride, 16);
    // Its classes' embeddings are the image's: ReAct, which runs the class head on clipped pre-logits, is refused.
    let settings = RuntimeSettings { providers: vec![Provider::Cpu], threads: 1, library: None };
    let error = OnnxSegmenter::with_pre_logits(&model, &settings, model.preferred_size());
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("it must be made from pre_logits alone"), "{error}");
}

#[test]
fn what_is_written_is_a_model_of_this_product() {
    let dir = tempfile::tempdir().unwrap();
    let network = trained(Architecture::Tiny, DatasetHead::Independent, Precision::F32);
    let exported = export(&network, &info((64, 48)), &dir.path().join("tiny.onnx")).unwrap();
    let model = Model::load(&exported.manifest).unwrap();
    assert_eq!(model.manifest().sha256, exported.sha256);
    assert_eq!(model.taxonomy(), &classes(5));
    assert_eq!(model.preferred_size(), Size { width: 64, height: 48 });
    assert_eq!(model.manifest().input.mean, [0.485, 0.456, 0.406]);
    assert_eq!(model.manifest().training.data, "none: it is a test");
    // Also the class head alone, for the scores that run it again.
    let settings = RuntimeSettings { providers: vec![Provider::Cpu], threads: 1, library: None };
    assert!(OnnxSegmenter::with_pre_logits(&model, &settings, model.preferred_size()).is_ok());

    let file = said(&exported);
    assert_eq!((file.ir_version, file.opset_import[0].version), (8, 17));
    assert_eq!(
        (file.producer_name.as_str(), file.producer_version.as_str()),
        ("open-set-train", crate::VERSION)
    );
    let meta = |key: &str| {
        let found = file.metadata_props.iter().find(|p| p.key == format!("open_set.{key}"));
        found.map(|p| p.value.clone()).unwrap_or_default()
    };
    assert_eq!(meta("classes"), r#"["class 0","class 1","class 2","class 3","class 4"]"#);
    assert_eq!((meta("mean"), meta("stride")), ("[0.485, 0.456, 0.406]".into(), "4".into()));
    assert_eq!(
        (meta("settings_sha256"), meta("trainer_version")),
        ("00ff".into(), env!("CARGO_PKG_VERSION").into())
    );
    assert!(!meta("git_revision").is_empty() && meta("std").starts_with("[0.229"));

    // Names are the layers', each once; constants stand once.
    let mut names: Vec<&str> = file.graph.node.iter().map(|n| n.name.as_str()).collect();
    assert!(names.contains(&"encoder.stem.conv"), "{names:?}");
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    let constants = file.graph.initializer.iter().filter(|t| t.data_type != 1);
    let mut contents: Vec<_> = constants.map(|t| (t.dims.clone(), t.raw_data.clone())).collect();
    let count = contents.len();
    contents.sort_unstable();
    contents.dedup();
    assert_eq!(contents.len(), count);

    // The same again is the same file.
    let again = export(&network, &info((64, 48)), &dir.path().join("tiny.onnx")).unwrap();
    assert_eq!(again.sha256, exported.sha256);
}

#[test]
fn what_was_trained_in_bf16_is_exported_in_f32() {
    let dir = tempfile::tempdir().unwrap();
    let network = trained(Architecture::Tiny, DatasetHead::Tied, Precision::Bf16);
    let exported = export(&network, &info((64, 48)), &dir.path().join("tiny")).unwrap();
    assert!(exported.parity.differences.iter().all(|d| *d <= TOLERANCE), "{}", exported.parity);
}

#[test]
fn nothing_is_written_where_something_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("tiny");
    let network = trained(Architecture::Tiny, DatasetHead::Independent, Precision::F32);
    let says = |info: &ExportInfo, out: &Path, part: &str| {
        let error = export(&network, info, out).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{part}");
    };
    let good = || info((64, 48));
    says(&ExportInfo { classes: classes(6), ..good() }, &out, "5 classes apart, the data set has 6");
    says(&ExportInfo { input_sizes: Vec::new(), ..good() }, &out, "input_sizes is empty");
    says(&ExportInfo { pictures: vec!["/no/such.png".into()], ..good() }, &out, "/no/such.png");
    says(&good(), Path::new("/proc/no/such/folder/tiny"), "cannot write /proc");
    let broken = network.parameters().tensor("class_head.conv.weight").unwrap();
    let _ = tch::no_grad(|| broken.shallow_clone().fill_(f64::NAN));
    says(&good(), &out, "logits of the ONNX file and of the checkpoint differ at input 64x64");
}

#[test]
fn another_networks_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let network = trained(Architecture::Tiny, DatasetHead::Independent, Precision::F32);
    let exported = export(&network, &info((64, 48)), &dir.path().join("tiny")).unwrap();
    let model = Model::load(&exported.manifest).unwrap();
    let weight = network.parameters().tensor("dataset_head.conv.weight").unwrap();
    let _ = tch::no_grad(|| weight.shallow_clone().g_mul_scalar_(1.001));
    let noise = [Input::random(Size { width: 33, height: 47 }, 1)];
    let error = parity::check(&model, &noise, |input| {
        maps(&tch::no_grad(|| network.forward(&image_of(input).unwrap(), Mode::Eval)).unwrap())
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("dataset_logits of the ONNX file and of the checkpoint differ at input 33x47"),
        "{error}"
    );
}
