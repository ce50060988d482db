//! The stream as the trainer sees it, over small sets written here.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::dataset::tests::Tree;
use crate::images::{Rgb, encode_png_gray, encode_png_rgb, encode_png_rgba};
use crate::train::damage::Damage;
use crate::train::negatives;

const SIZE: [usize; 2] = [48, 36];

/// `count` pictures in the folder layout: red tells the sample, the left half is class 0, the right class 1,
/// the lowest rows class 2 in every third.
fn write_set(root: &Path, count: usize) {
    let [width, height] = SIZE;
    fs::create_dir_all(root.join("images")).unwrap();
    fs::create_dir_all(root.join("labels")).unwrap();
    for sample in 0..count {
        let data: Vec<u8> = (0..width * height)
            .flat_map(|i| [sample as u8 * 10, (i % width) as u8, (i / width) as u8])
            .collect();
        let label = |i: usize| match (i % width, i / width) {
            (_, y) if y >= height - 3 && sample % 3 == 0 => 2,
            (x, _) => u8::from(x >= width / 2),
        };
        let labels: Vec<u8> = (0..width * height).map(label).collect();
        let mut bytes = Vec::new();
        encode_png_rgb(&data, width, height, &mut bytes).unwrap();
        fs::write(root.join(format!("images/s{sample:02}.png")), &bytes).unwrap();
        encode_png_gray(&labels, width, height, &mut bytes).unwrap();
        fs::write(root.join(format!("labels/s{sample:02}.png")), &bytes).unwrap();
    }
}

fn settings() -> Settings {
    Settings {
        dataset: "folder".into(),
        folder: "set".into(),
        split: None,
        ignore: None,
        cache_mb: 1,
        workers: 2,
        skip_limit: 0,
    }
}

fn plan(workers: usize) -> Plan {
    let augmentation = Augmentation {
        crop: Crop::Sides([32, 24]),
        photometric: Photometric { brightness: 0.1, contrast: 0.1, blur: 1.0, ..Photometric::default() },
        ..Augmentation::default()
    };
    let normalisation = Normalisation { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    Plan { seed: 5, phase: "closed".into(), batch: 3, augmentation, within: false, normalisation, workers }
}

fn open(root: &Path, settings: &Settings) -> Arc<TrainingSet> {
    Arc::new(TrainingSet::open(settings, root, 3).unwrap())
}

fn cutouts(root: &Path) -> Arc<Negatives> {
    let folder = root.join("cutouts");
    fs::create_dir_all(&folder).unwrap();
    for i in 0..4_u8 {
        let data: Vec<u8> = (0..30 * 20).flat_map(|_| [250, 40 * i, 5, 255]).collect();
        let mut bytes = Vec::new();
        encode_png_rgba(&data, 30, 20, &mut bytes).unwrap();
        fs::write(folder.join(format!("{i}.png")), &bytes).unwrap();
    }
    let settings = negatives::Settings {
        sources: vec![negatives::SourceSettings::Cutouts { folder: "cutouts".into(), weight: 1.0 }],
        paste: negatives::Paste { scale: [0.3, 0.9], ..negatives::Paste::default() },
    };
    let classes = ["a", "b", "c"].map(String::from);
    let around = negatives::Surroundings {
        root,
        classes: &classes,
        scenes: &[],
        damage: &Arc::new(Damage::new(0)),
        share: negatives::Share::Train(0.25),
    };
    Arc::new(Negatives::open(&settings, &around).unwrap())
}
use negatives::Negatives;

fn same(a: &Batch, b: &Batch) -> bool {
    a.ids == b.ids && a.images.equal(&b.images) && a.labels.equal(&b.labels) && a.outliers.equal(&b.outliers)
}

#[test]
fn a_batch_is_a_function_of_its_step() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("set"), 7);
    let (set, negatives) = (open(dir.path(), &settings()), cutouts(dir.path()));
    let stream =
        |workers| Stream::open(Arc::clone(&set), Some(Arc::clone(&negatives)), plan(workers)).unwrap();
    let (mut one, mut three) = (stream(1), stream(3));
    let batches: Vec<Batch> = (0..8).map(|step| one.next(step).unwrap()).collect();
    for step in [0, 1, 2, 6, 7, 3, 4] {
        assert!(same(&three.next(step).unwrap(), &batches[step as usize]), "step {step}");
    }
    assert!((1..8).all(|i| !same(&batches[i], &batches[i - 1])));

    let mut other = Stream::open(Arc::clone(&set), None, Plan { seed: 6, ..plan(1) }).unwrap();
    assert!(!other.next(0).unwrap().images.equal(&batches[0].images));
    let mut without = Stream::open(set, None, plan(1)).unwrap();
    let without = without.next(0).unwrap();
    assert_eq!(without.ids, batches[0].ids, "negatives change no order");
    assert!(!bool::try_from(without.outliers.any()).unwrap());
}

#[test]
fn a_batch_is_as_the_trainer_expects_it() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("set"), 5);
    let set = open(dir.path(), &settings());
    let mut stream = Stream::open(Arc::clone(&set), Some(cutouts(dir.path())), plan(2)).unwrap();
    let (mut ids, mut pasted) = (Vec::new(), 0);
    for step in 0..5 {
        let batch = stream.next(step).unwrap();
        assert_eq!(batch.images.size(), [3, 3, 24, 32]);
        assert_eq!((batch.images.kind(), batch.images.stride()), (tch::Kind::Float, vec![2304, 1, 96, 3]));
        assert_eq!((batch.labels.size(), batch.labels.kind()), (vec![3, 24, 32], tch::Kind::Int64));
        assert_eq!((batch.outliers.size(), batch.outliers.kind()), (vec![3, 24, 32], tch::Kind::Bool));
        let outliers: Vec<bool> = batch.outliers.flatten(0, -1).try_into().unwrap();
        let labels: Vec<i64> = batch.labels.flatten(0, -1).try_into().unwrap();
        assert!(labels.iter().all(|label| (0..3).contains(label) || *label == 255));
        assert!(outliers.iter().zip(&labels).all(|(out, label)| !out || *label == 255));
        pasted += outliers.iter().filter(|out| **out).count();
        ids.extend(batch.ids);
    }
    for epoch in ids.chunks_exact(5) {
        let mut epoch = epoch.to_vec();
        epoch.sort();
        assert_eq!(epoch, ["s00", "s01", "s02", "s03", "s04"]);
    }
    assert!(pasted > 15 * 50, "{pasted}");
    assert_eq!((set.steps(3.0, 3), set.steps(1.0, 3)), (5, 2));
}

#[test]
fn classes_that_are_rare_come_as_often_as_others_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("set"), 6);
    let set = open(dir.path(), &settings());
    let share = |class_uniform| {
        let augmentation = Augmentation {
            class_uniform,
            crop: Crop::Square(12),
            scale: [1.0, 1.0],
            ..Augmentation::default()
        };
        let plan = Plan { augmentation, ..plan(1) };
        let mut stream = Stream::open(Arc::clone(&set), None, plan).unwrap();
        let has_rare = |step| {
            let labels = stream.next(step).unwrap().labels;
            (0..3).filter(|i| labels.get(*i).eq(2).any().try_into().unwrap()).count()
        };
        (0..20).map(has_rare).sum::<usize>() as f64 / 60.0
    };
    let (plain, uniform) = (share(0.0), share(1.0));
    assert!(uniform > 0.33 && plain < uniform, "{plain} {uniform}");
    let weights = set.class_weights(0.5).unwrap();
    assert!((weights[0] - weights[1]).abs() < 0.01 && weights[2] > 2.0 * weights[0], "{weights:?}");
}

#[test]
fn damaged_files_are_skipped_up_to_the_limit_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    write_set(&root, 5);
    fs::write(root.join("images/s03.png"), "no picture").unwrap();
    let batches = |skip_limit| {
        let set = open(dir.path(), &Settings { skip_limit, ..settings() });
        let mut stream = Stream::open(Arc::clone(&set), None, plan(2)).unwrap();
        let ids: Result<Vec<_>, _> = (0..4).map(|step| stream.next(step).map(|batch| batch.ids)).collect();
        (ids, set.damage().count())
    };
    let (ids, skipped) = batches(1);
    let ids = ids.unwrap();
    assert!(ids.iter().all(|ids| ids.len() == 3 && !ids.contains(&"s03".into())), "{ids:?}");
    assert_eq!(skipped, 1);
    let error = batches(0).0.unwrap_err().to_string();
    assert!(
        error.contains("1 files") && error.contains("limit is 0") && error.contains("s03.png"),
        "{error}"
    );

    write_set(&root, 5);
    let mut bytes = Vec::new();
    encode_png_gray(&vec![9; SIZE[0] * SIZE[1]], SIZE[0], SIZE[1], &mut bytes).unwrap();
    fs::write(root.join("labels/s01.png"), &bytes).unwrap();
    let error = batches(5).0.unwrap_err().to_string();
    assert!(error.contains("labels/s01.png holds 9 at (0, 0)"), "a wrong label is no damage: {error}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_set(&dir.path().join("set"), 2);
    let set = open(dir.path(), &settings());
    for (name, augmentation) in [
        ("crop", Augmentation { crop: Crop::Sides([0, 9]), ..Augmentation::default() }),
        ("scale", Augmentation { scale: [2.0, 1.0], ..Augmentation::default() }),
        ("scale", Augmentation { scale: [f64::NAN, 1.0], ..Augmentation::default() }),
        ("flip", Augmentation { flip: 1.5, ..Augmentation::default() }),
    ] {
        let error = Stream::open(Arc::clone(&set), None, Plan { augmentation, ..plan(1) }).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
    let error = Stream::open(set, None, plan(0)).unwrap_err().to_string();
    assert!(error.starts_with("workers is 0"), "{error}");
    let error = TrainingSet::open(
        &Settings { dataset: "camvid".into(), split: Some("train".into()), ..settings() },
        dir.path(),
        3,
    );
    assert!(error.unwrap_err().to_string().contains("looked for"));
}

#[test]
fn the_settings_are_read_as_they_are_documented() {
    let text = "crop: [640, 352]\nscale: [0.5, 2]\nphotometric: {brightness: 0.2, hue: 0.02}\n";
    let read: Augmentation = crate::yaml::from_str(text).unwrap();
    assert_eq!((read.crop.sides(), read.photometric.hue, read.flip), ([640, 352], 0.02, 0.5));
    let read: Augmentation = crate::yaml::from_str("crop: 128\n").unwrap();
    assert_eq!(read.crop.sides(), [128, 128]);
    assert!(crate::yaml::from_str::<Augmentation>("crops: 128\n").is_err());
    let read: Settings = crate::yaml::from_str("dataset: camvid\nfolder: camvid\nsplit: train\n").unwrap();
    assert_eq!((read.cache_mb, read.workers, read.skip_limit), (1024, 2, 8));
    let text = "sources: [{kind: cutouts, folder: cutouts}]\npaste: {objects: [1, 2]}\n";
    let read: negatives::Settings = crate::yaml::from_str(text).unwrap();
    assert_eq!(read.paste.objects, [1, 2]);
    assert!(crate::yaml::from_str::<negatives::Settings>("sources: [{kind: cutout, folder: c}]").is_err());
}

#[test]
fn a_data_set_with_classes_of_its_own_is_trained_on() {
    let cityscapes = Tree::new()
        .image("leftImg8bit/train/ulm/ulm_0_19_leftImg8bit.png")
        .gray("gtFine/train/ulm/ulm_0_19_gtFine_labelIds.png", &[7, 33, 4, 3]);
    let streethazards = Tree::new()
        .image("train/images/training/t1-2/7.png")
        .gray("train/annotations/training/t1-2/7.png", &[6, 1, 13, 4]);
    let camvid =
        Tree::new().image("train/images/0006R0_1.jpg").gray("train/labels/0006R0_1.png", &[0, 10, 11, 3]);
    for (name, tree, classes, expected) in [
        ("cityscapes", cityscapes, 19, [0, 18, 255, 255]),
        ("streethazards", streethazards, 12, [4, 0, 11, 255]),
        ("camvid", camvid, 11, [0, 10, 255, 3]),
    ] {
        let of =
            Settings { dataset: name.into(), folder: "".into(), split: Some("train".into()), ..settings() };
        let augmentation = Augmentation {
            crop: Crop::Sides([4, 1]),
            scale: [1.0, 1.0],
            flip: 0.0,
            ..Augmentation::default()
        };
        let set = Arc::new(TrainingSet::open(&of, tree.root(), classes).unwrap());
        let mut stream = Stream::open(set, None, Plan { batch: 1, augmentation, ..plan(1) }).unwrap();
        let labels = Vec::<i64>::try_from(stream.next(0).unwrap().labels.flatten(0, -1)).unwrap();
        assert_eq!(labels, expected, "{name}");
        let error = TrainingSet::open(&of, tree.root(), classes + 1).unwrap_err().to_string();
        assert!(
            error.contains(&format!("has {classes} classes, but the model has {}", classes + 1)),
            "{error}"
        );
    }
}

#[test]
fn a_window_within_is_of_the_image_alone() {
    let image = |width, height| Rgb { width, height, data: vec![0; width * height * 3] };
    let within = Plan { within: true, ..plan(1) };
    // The crop is 32×24.
    for (size, scale) in [([320, 240], [0.5, 2.0]), ([40, 48], [0.8, 2.0]), ([20, 12], [2.0, 2.0])] {
        let of = |plan: &Plan| plan.augmentation_of(&image(size[0], size[1])).scale;
        assert_eq!(
            of(&Plan {
                augmentation: Augmentation { scale: [0.5, 2.0], ..plan(1).augmentation },
                ..within.clone()
            }),
            scale
        );
        assert_eq!(of(&plan(1)), plan(1).augmentation.scale);
    }
}
