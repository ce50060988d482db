//! Heads on models from outside: `outside.onnx` and its like were written by PyTorch's own exporter.

use super::super::TOLERANCE;
use super::super::tests::{classes, unsettle};
use super::*;
use onnx_protobuf::{Message, ModelProto, NodeProto};
use tch::Kind;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train").join(name)
}

fn info(stride: usize, channels: Channels) -> TrunkInfo {
    let size = |width, height| InputSizeEntry { width, height, stride };
    TrunkInfo {
        classes: classes(3),
        input: InputSpec { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], channels, ..InputSpec::default() },
        input_sizes: vec![size(96, 64), size(61, 83)],
        training: Training { network: "theirs".into(), data: "theirs".into(), licence: "theirs".into() },
    }
}

fn open(name: &str, stride: usize) -> AttachedNetwork {
    AttachedNetwork::open(&golden(name), Some(&info(stride, Channels::Rgb)), false, 7, 1).unwrap()
}

fn head_info() -> HeadInfo {
    HeadInfo { data: "a test".into(), settings_sha256: "00ff".into(), force: false }
}

fn images(n: i64, height: usize, width: usize) -> Tensor {
    let noise = Input::random(Size { width, height: n as usize * height }, 3);
    Tensor::from_slice(&noise.data).view([n, 3, height as i64, width as i64])
}

fn bits(map: Logits<'_>) -> Vec<u32> {
    map.data.iter().map(|v| v.to_bits()).collect()
}

fn nodes(onnx: &[u8]) -> Vec<NodeProto> {
    ModelProto::parse_from_bytes(onnx).unwrap().graph.node.clone()
}

#[test]
fn a_head_on_a_model_from_outside() {
    for (name, stride) in [("outside.onnx", 4), ("outside_upsampled.onnx", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let network = open(name, stride);
        unsettle(network.parameters());
        let exported = network.write(&head_info(), &dir.path().join("theirs.onnx")).unwrap();
        println!("{name}: {}", exported.parity);
        // What was theirs is theirs still, bit for bit; the head is new.
        assert_eq!(exported.parity.differences[..2], [0.0, 0.0], "{name}");
        assert!(exported.parity.differences[2] <= TOLERANCE);
        assert_eq!(exported.parity.sizes.len(), 2);

        let model = Model::load(&exported.manifest).unwrap();
        assert_eq!(model.manifest().input.name, "pixels");
        assert_eq!(model.manifest().training.data, "theirs; dataset head: a test");
        let before = nodes(network.model.onnx());
        assert_eq!(nodes(model.onnx())[..before.len()], before[..]);
        let size = Size { width: 61, height: 83 };
        let run = |model: &Model| {
            let mut s = OnnxSegmenter::reading_pre_logits(model, &network.runtime, size).unwrap();
            s.input().copy_from_slice(&Input::random(size, 1).data);
            s.run().unwrap();
            let dataset_logits = s.dataset_logits().map(|d| (d.height, d.width));
            (bits(s.pre_logits().unwrap()), bits(s.logits()), dataset_logits)
        };
        let (theirs, ours) = (run(&network.model), run(&model));
        assert_eq!((&theirs.0, &theirs.1), (&ours.0, &ours.1));
        let cells = |n: usize| n.div_ceil(stride);
        assert_eq!((theirs.2, ours.2), (None, Some((cells(83), cells(61)))));

        let file = ModelProto::parse_from_bytes(model.onnx()).unwrap();
        assert_eq!(file.producer_name, "pytorch");
        assert!(file.metadata_props.iter().any(|p| p.key == "open_set.settings_sha256" && p.value == "00ff"));
    }
}

#[test]
fn the_head_learns_and_nothing_else_does() {
    let network = open("outside.onnx", 4);
    let names: Vec<&str> = network.parameters().iter().map(|(name, _)| name).collect();
    assert!(names.iter().all(|n| n.starts_with("dataset_head.norm.") || n.starts_with("dataset_head.conv.")));
    let images = images(2, 64, 96);
    // Its own logits say which pixels are to be outliers: a head on its pre-logits can learn that.
    let outlier = |outputs: &Outputs| {
        let class = |k| outputs.logits.narrow(1, k, 1);
        class(0).gt_tensor(&class(1)).to_kind(Kind::Float)
    };
    let mut losses = Vec::new();
    for _ in 0..60 {
        let outputs = network.forward(&images, Mode::Train).unwrap();
        assert!(!outputs.logits.requires_grad() && !outputs.pre_logits.requires_grad());
        let loss = outputs.dataset_logits.binary_cross_entropy_with_logits::<Tensor>(
            &outlier(&outputs),
            None,
            None,
            tch::Reduction::Mean,
        );
        network.parameters().iter().for_each(|(_, p)| p.tensor.shallow_clone().zero_grad());
        loss.backward();
        losses.push(f64::try_from(&loss).unwrap());
        for (_, p) in network.parameters().trained() {
            let _ = tch::no_grad(|| p.tensor.shallow_clone().g_sub_(&(p.tensor.grad() * 0.5)));
        }
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.7 * first, "{first} to {last}");
}

#[test]
fn a_seed_is_a_head_and_planes_are_as_the_model_has_them() {
    let path = golden("outside.onnx");
    let open = |channels| AttachedNetwork::open(&path, Some(&info(4, channels)), false, 7, 1).unwrap();
    let (rgb, bgr) = (open(Channels::Rgb), open(Channels::Bgr));
    assert_eq!(rgb.identity(), bgr.identity());
    assert_eq!(rgb.normalisation(), ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]));
    assert_eq!(bgr.normalisation(), ([0.3, 0.2, 0.1], [0.6, 0.5, 0.4]));
    let images = images(2, 35, 50);
    let said =
        |n: &AttachedNetwork, x: &Tensor| tch::no_grad(|| n.forward(x, Mode::Eval)).unwrap().dataset_logits;
    assert!(said(&rgb, &images.flip([1])).equal(&said(&bgr, &images)));
    assert!(!said(&rgb, &images).equal(&said(&bgr, &images)));
    // Batches are images, one by one; sizes come and go.
    for size in [32, 40, 48, 56, 64, 32] {
        let _ = said(&rgb, &self::images(1, size, size));
    }
    let (alone, both) = (said(&rgb, &images.narrow(0, 1, 1)), said(&rgb, &images).narrow(0, 1, 1));
    assert!(alone.allclose(&both, 1e-5, 1e-6, false), "{}", (alone - both).abs().max());
    assert_eq!(rgb.sessions.borrow().len(), SESSIONS);
}

#[test]
fn a_head_that_is_there_is_replaced_only_if_asked() {
    let dir = tempfile::tempdir().unwrap();
    let first = open("outside.onnx", 4).write(&head_info(), &dir.path().join("first")).unwrap();
    let again = |replace| AttachedNetwork::open(&first.manifest, None, replace, 8, 1);
    let error = again(false).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("has an output \"dataset_logits\" already") && error.contains("--replace"),
        "{error}"
    );
    let network = again(true).unwrap();
    unsettle(network.parameters());
    let second = network.write(&head_info(), &dir.path().join("second")).unwrap();
    assert_eq!(second.parity.differences[..2], [0.0, 0.0]);
    assert_ne!(second.sha256, first.sha256);
    let model = Model::load(&second.manifest).unwrap();
    let file = ModelProto::parse_from_bytes(model.onnx()).unwrap();
    let outputs: Vec<_> = file.graph.output.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(outputs, ["pre_logits", "logits", "dataset_logits"]);
    let keys = file.metadata_props.iter().filter(|p| p.key == "open_set.stride").count();
    assert_eq!(keys, 1);
}

#[test]
fn what_gets_no_head_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.onnx");
    let theirs = ModelProto::parse_from_bytes(&std::fs::read(golden("outside.onnx")).unwrap()).unwrap();
    let says = |edit: &dyn Fn(&mut ModelProto), info: Option<&TrunkInfo>, part: &str| {
        let mut model = theirs.clone();
        edit(&mut model);
        std::fs::write(&path, model.write_to_bytes().unwrap()).unwrap();
        let error = AttachedNetwork::open(&path, info, false, 7, 1).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let good = info(4, Channels::Rgb);
    says(&|_| {}, None, "a file without a manifest");
    let graph = |m: &mut ModelProto, edit: &dyn Fn(&mut onnx_protobuf::GraphProto)| {
        let mut graph = m.graph.take().unwrap();
        edit(&mut graph);
        m.graph = Some(graph).into();
    };
    says(
        &|m| graph(m, &|g| g.output.retain(|o| o.name != "pre_logits")),
        Some(&good),
        "no output \"pre_logits\"",
    );
    says(&|m| graph(m, &|g| g.input.push(g.output[0].clone())), Some(&good), "one image is all it gets");
    says(&|m| m.opset_import[0].version = 8, Some(&good), "opset 8");
    let elsewhere = onnx_protobuf::StringStringEntryProto::default();
    says(
        &|m| graph(m, &|g| g.initializer[0].external_data.push(elsewhere.clone())),
        Some(&good),
        "in another file",
    );
    says(&|m| drop(m.graph.take()), Some(&good), "without a graph");
    says(&|_| {}, Some(&TrunkInfo { classes: classes(4), ..good.clone() }), "has 3 channels, expected 4");
    says(&|_| {}, Some(&info(8, Channels::Rgb)), "the manifest's stride 8");
    std::fs::write(&path, b"\xff\xff\xff").unwrap();
    let error = AttachedNetwork::open(&path, Some(&good), false, 7, 1).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("not an ONNX file"), "{error}");
    let error = AttachedNetwork::open(Path::new("/no/such.onnx"), Some(&good), false, 7, 1);
    assert!(error.map(|_| ()).unwrap_err().to_string().contains("/no/such.onnx"));
}
