use super::*;
use crate::frame::Size;

const YAML: &str = "
seed: 1
classes: [{name: road, color: [1, 2, 3]}, {name: sky, color: [4, 5, 6]}]
model: {network: {architecture: tiny, width: 8, dataset_head: tied, precision: bf16}, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}
data: {dataset: camvid, folder: camvid, split: train}
validation: {every: 10, input_size: [64, 48], anomalies: {dataset: folder, folder: static, frames: 5}}
phases:
- name: first
  epochs: 2.5
  batch: 4
  objective: {kind: closed-set}
  optimizer: {kind: adamw, lr: 0.001}
  schedule: {kind: cosine}
  augmentation: {crop: 32}
export:
  input_sizes: [[64, 48]]
  training: {network: n, data: d, licence: l}
";

fn parsed(from: &str, to: &str) -> Result<Written, SettingsError> {
    assert!(from.is_empty() || YAML.contains(from), "{from}");
    Written::parse(&YAML.replacen(from, to, 1))
}

#[test]
fn settings_that_hold() {
    let written = parsed("", "").unwrap();
    let settings = &written.settings;
    assert_eq!((settings.checkpoint_every, settings.log_every, settings.threads), (500, 50, 0));
    assert_eq!(settings.held_out, 0.0);
    assert_eq!(settings.spec().unwrap().0.identity(), "tiny classes=2 width=8 dataset_head=tied");
    assert_eq!((settings.phase("first"), settings.phase("second")), (Some(0), None));
    assert_eq!(settings.phases[0].accumulate, 1);
    let validation = settings.validation.as_ref().unwrap();
    assert_eq!(validation.size(), Some(Size { width: 64, height: 48 }));
    assert!(validation.anomalies.as_ref().is_some_and(|s| s.frames == Some(5)));
}

#[test]
fn a_width_is_said_where_there_is_a_choice() {
    let three = "{name: sky, color: [4, 5, 6]}, {name: car, color: [7, 8, 9]}]";
    let text = YAML.replace("{name: sky, color: [4, 5, 6]}]", three);
    for (architecture, identity) in [
        ("resnet18, width: 8", "resnet18 classes=3 width=8 dataset_head=tied"),
        ("upernet-swin-t, width: 512", "upernet-swin-t classes=3 width=512 dataset_head=tied"),
        ("upernet-swin-b, width: 512", "upernet-swin-b classes=3 width=512 dataset_head=tied"),
        ("upernet-tiny, width: 8", "upernet-tiny classes=3 width=8 dataset_head=tied"),
        ("segmenter-vit-b16", "segmenter-vit-b16 classes=3 width=768 dataset_head=tied"),
        ("segmenter-tiny", "segmenter-tiny classes=3 width=32 dataset_head=tied"),
    ] {
        let written = Written::parse(&text.replace("tiny, width: 8", architecture)).unwrap();
        assert_eq!(written.settings.spec().unwrap().0.identity(), identity);
    }
}

#[test]
fn a_heads_settings_have_no_network() {
    let written =
        parsed("network: {architecture: tiny, width: 8, dataset_head: tied, precision: bf16}, ", "");
    let error = written.unwrap().settings.spec().map(drop).unwrap_err().to_string();
    assert!(error.contains("attach-head"), "{error}");
}

#[test]
fn settings_that_do_not() {
    for (from, to, says) in [
        ("seed: 1\n", "seed: 1\nsede: 2\n", "sede"),
        ("epochs: 2.5", "epoch: 2.5", "epoch"),
        ("seed: 1\n", "", "seed"),
        ("width: 8", "width: 9", "width 9"),
        ("width: 8, ", "", "tiny needs a width"),
        ("architecture: tiny, width: 8", "architecture: upernet-swin-t, width: 6", "width 6"),
        ("architecture: tiny", "architecture: swin-t", "swin-t"),
        ("architecture: tiny, width: 8", "architecture: segmenter-tiny, width: 32", "leave width: 32 out"),
        // There are two.
        ("architecture: tiny, width: 8", "architecture: segmenter-vit-b16", "a Segmenter of 2 classes"),
        ("name: sky", "name: road", "road"),
        ("std: [1, 1, 1]", "std: [1, 0, 1]", "std is [1.0, 0.0, 1.0]"),
        ("every: 10", "every: 0", "validation.every is 0"),
        ("input_size: [64, 48]", "input_size: [64, 4]", "[64, 4]"),
        ("anomalies: {dataset: folder, folder: static, frames: 5}", "", "validation is empty"),
        ("static, frames", "static, frame", "frame"),
        (
            "validation: {",
            "validation: {pasted: {frames: {dataset: camvid, folder: c}, negatives: {sources: []}}, ",
            "one of the two",
        ),
        ("epochs: 2.5", "epochs: 2.5\n  steps: 3", "one of them"),
        ("epochs: 2.5", "epochs: 0", "one of them"),
        ("batch: 4", "batch: 0", "batch 0"),
        ("name: first", "name: last", "neither last nor best"),
        ("name: first", "name: a/b", "letters"),
        ("  batch: 4", "  batch: 4\n  clip: 0", "clip is 0"),
        ("  batch: 4", "  batch: 4\n  ema: 1", "ema is 1"),
        ("kind: closed-set", "kind: outlier-exposure, weight: 0.5", "add negatives"),
        ("kind: closed-set", "kind: close-set", "close-set"),
        ("lr: 0.001", "lr: -1", "lr is -1"),
        ("lr: 0.001", "lr: 0.001, lr_scale: {encodr: 1}", "encodr"),
        ("kind: cosine", "kind: cosine, final: 2", "final is 2"),
        ("crop: 32", "crop: 0", "crop is 0x0"),
        ("[[64, 48]]", "[]", "one [width, height] at least"),
        ("folder: camvid, split: train", "folder: camvid, workers: 0", "workers is 0"),
        ("seed: 1\n", "seed: 1\nheld_out: 1\n", "held_out is 1"),
        (
            "anomalies: {dataset: folder, folder: static, frames: 5}",
            "closed_set: {dataset: camvid, folder: camvid, split: train}",
            "trained on judge nothing",
        ),
        (
            "anomalies: {dataset: folder, folder: static, frames: 5}",
            "pasted: {frames: {dataset: camvid, folder: c}, negatives: {sources: [{kind: crops}]}}",
            "held_out is 0",
        ),
    ] {
        let error = parsed(from, to).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
}

#[test]
fn the_classifier_of_one_more_class_has_a_tied_head() {
    let void = YAML.replace(
        "kind: closed-set}",
        "kind: void-classifier, weight: 1}\n  negatives: {sources: [{kind: crops}]}",
    );
    assert!(Written::parse(&void).is_ok());
    let error = Written::parse(&void.replace("tied", "independent")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("dataset_head: tied"), "{error}");
}

/// A phase with generated negatives, for the run's generator.
const JOINT: &str = "  batch: 4
  negatives: {sources: [{kind: generated}], paste: {objects: [1, 1]}}
  generator: {feedback: jensen-shannon, lambda: 0.03, optimizer: {kind: adamax, lr: 0.00001}}";
const FLOW: &str = "seed: 1\ngenerator: {kind: flow, preset: small}\n";

#[test]
fn a_generator_and_its_lessons_go_together() {
    let with = |run: &str, phase: &str| {
        Written::parse(&YAML.replace("seed: 1\n", run).replace("  batch: 4", phase)).map(|_| ())
    };
    with(FLOW, JOINT).unwrap();
    let adversarial = "seed: 1\ngenerator: {kind: adversarial}\n";
    let (taught, _) = JOINT.split_once("  generator").unwrap();
    with(adversarial, taught).unwrap();
    let alone = YAML.replace("kind: closed-set", "kind: generator");
    Written::parse(&alone.replace("seed: 1\n", FLOW)).unwrap();
    let says = |result: Result<(), SettingsError>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    says(with("seed: 1\n", JOINT), "name one, generator: {kind: flow");
    says(with(adversarial, JOINT), "learns nothing");
    says(with(FLOW, taught), "has no lessons");
    let elsewhere = JOINT.replace("kind: generated", "kind: noise");
    says(with(FLOW, &elsewhere), "none of the negatives' sources is generated");
    says(with(FLOW, &JOINT.replace("0.03", "-1")), "lambda is -1");
    let rising = JOINT.replace("0.03,", "0.03, schedule: {kind: cosine, final: 2},");
    says(with(FLOW, &rising), "generator: schedule: final is 2");
    says(
        with(FLOW, &JOINT.replace("objects: [1, 1]", "objects: [1, 2]")),
        "1..1 where a source is generated",
    );
    says(Written::parse(&alone).map(|_| ()), "name one");
    says(Written::parse(&alone.replace("seed: 1\n", adversarial)).map(|_| ()), "fits a flow");
    let mean = alone.replace("seed: 1\n", FLOW).replace("  batch: 4", "  batch: 4\n  ema: 0.9");
    says(Written::parse(&mean).map(|_| ()), "no ema");
    says(with("seed: 1\ngenerator: {kind: gan, width: 1}\n", JOINT), "width 1");
}

#[test]
fn two_phases_of_one_name_are_refused() {
    let (_, phase) = YAML.split_once("phases:\n").unwrap();
    let (phase, _) = phase.split_once("export:").unwrap();
    let error = parsed("phases:\n", &format!("phases:\n{phase}")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("two of this name"), "{error}");
}

#[test]
fn the_hash_is_of_what_is_learnt() {
    let ours = parsed("", "").unwrap();
    let hash = |from: &str, to: &str| parsed(from, to).unwrap().sha256;
    assert_eq!(ours.sha256.len(), 64);
    assert_eq!(hash("seed: 1", "seed: 1 # one"), ours.sha256);
    assert_eq!(hash("folder: camvid, split: train", "split: train, folder: camvid, workers: 7"), ours.sha256);
    assert_eq!(hash("every: 10", "every: 11"), ours.sha256);
    assert_ne!(hash("seed: 1", "seed: 2"), ours.sha256);
    let theirs = YAML.replace("lr: 0.001", "lr: 0.002").replace("  batch: 4\n", "  batch: 4\n  clip: 5\n");
    assert_eq!(
        ours.differences(&theirs),
        "phases[0].clip: 5, here absent\nphases[0].optimizer.lr: 0.002, here 0.001"
    );
}

#[test]
fn a_file_names_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.yaml");
    let says = |part: &str| {
        let error = Written::read(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("a.yaml") && error.contains(part), "{error}");
    };
    says("No such file");
    std::fs::write(&path, "seed: [").unwrap();
    says("line");
    std::fs::write(&path, YAML).unwrap();
    assert_eq!(Written::read(&path).unwrap().text, YAML);
}

/// Keys of a mapping that the program knows, by what it says of one that it does not.
fn known(text: &str) -> Vec<String> {
    let Err(error) = Written::parse(text) else { return Vec::new() };
    let said = error.to_string();
    let Some((_, expected)) = said.split_once("expected") else {
        assert!(said.contains("there are no fields"), "{said}");
        return Vec::new();
    };
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What is at a place: keys of mappings, places in lists.
fn at<'a>(whole: &'a mut yaml::Value, path: &[yaml::Value]) -> &'a mut yaml::Value {
    path.iter().fold(whole, |value, key| match key.as_u64() {
        Some(place) => value.get_mut(place as usize).unwrap(),
        None => value.get_mut(key).unwrap(),
    })
}

/// The keys that each mapping below does not have, though it may: by putting one into it that nobody knows.
fn absent(whole: &yaml::Value, path: &mut Vec<yaml::Value>, found: &mut Vec<(String, Vec<String>)>) {
    let mut spoilt = whole.clone();
    let inside: Vec<yaml::Value> = match at(&mut spoilt, path) {
        yaml::Value::Mapping(mapping) => {
            let there = mapping.clone();
            mapping.insert("nobody".into(), 1.into());
            let keys = known(&yaml::to_string(&spoilt).unwrap()).into_iter();
            let missing = keys.filter(|key| !there.contains_key(key.as_str()) && key != "nobody");
            found.push((format!("{path:?}"), missing.collect()));
            there.keys().cloned().collect()
        }
        yaml::Value::Sequence(items) => (0..items.len()).map(yaml::Value::from).collect(),
        _ => Vec::new(),
    };
    for key in inside {
        path.push(key);
        absent(whole, path, found);
        path.pop();
    }
}

#[test]
fn the_reference_has_every_key() {
    let text = include_str!("../../../config/train/reference.yaml");
    Written::parse(text).unwrap();
    let mut found = Vec::new();
    absent(&yaml::from_str(text).unwrap(), &mut Vec::new(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    // Once is enough: each further phase or entry of a list need not have all again. What excludes another key stands
    // in a comment.
    let is_told = |key: &str| {
        let starts = [format!("{key}:"), format!("# {key}:"), format!("- {key}:")];
        let within = [format!("{{{key}:"), format!(", {key}:")];
        let tells = |line: &str| {
            starts.iter().any(|s| line.trim_start().starts_with(s)) || within.iter().any(|w| line.contains(w))
        };
        text.lines().any(tells)
    };
    found.iter_mut().for_each(|(_, keys)| keys.retain(|key| !is_told(key)));
    found.retain(|(_, keys)| !keys.is_empty());
    assert_eq!(found, []);
}
