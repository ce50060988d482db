//! Bad input: each names the file or the folder, and both sides.

use super::*;

fn folder() -> Tree {
    Tree::new().image("images/a.png").gray("ood/a.png", &[0, 1, 255, 0])
}

#[track_caller]
fn check(tree: &Tree, options: &Options, expected: &str) {
    assert_eq!(tree.error("folder", options), expected);
}

#[test]
fn what_is_asked_for_and_is_not_there_is_listed() {
    let tree = folder();
    let error = tree.error("kitti", &Options::default());
    assert!(error.starts_with("no data set is called \"kitti\": there are cityscapes, "), "{error}");
    check(&tree, &split("val"), "folder has no split \"val\": it has all (the first is the default)");
    let error = tree.error("camvid", &split("night"));
    assert_eq!(error, "camvid has no split \"night\": it has test, val, train (the first is the default)");
}

#[test]
fn another_layout_is_described_from_both_sides() {
    let tree = folder();
    let error = tree.error("streethazards", &Options::default());
    assert_eq!(
        error,
        "ROOT does not hold streethazards, split test: looked for test/images/test/**/*.png with \
         test/annotations/test/**/*.png; ROOT holds images/, ood/"
    );
    let tree = Tree::new().image("leftImg8bit/train/ulm/x_leftImg8bit.png").bytes("notes.txt", b"");
    let error = tree.error("cityscapes", &Options::default());
    assert!(error.ends_with("; ROOT holds leftImg8bit/, notes.txt; leftImg8bit holds train/"), "{error}");
    let error = Dataset::open("folder", Path::new("/no/such"), &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("/no/such does not hold folder"), "{error}");
    // The folders are right, and empty.
    let tree = Tree::new().gray("ood/a.png", &[0; 4]).bytes("images/readme.txt", b"");
    let error = tree.error("folder", &Options::default());
    assert!(error.contains("images holds readme.txt"), "{error}");
}

#[test]
fn images_without_truth_and_truth_without_an_image_are_listed() {
    let tree = folder().image("images/b.jpg").gray("ood/c.png", &[0; 4]);
    let expected = "ROOT: images and truth do not pair up: without ood/**/*.png: images/b.jpg; without \
                    images/**/*{.jpg,.jpeg,.png,.webp,.bmp,.tif,.tiff,.ppm}: ood/c.png";
    check(&tree, &Options::default(), expected);

    let tree = (0..9).fold(folder(), |tree, i| tree.image(&format!("images/x{i}.png")));
    let error = tree.error("folder", &Options::default());
    assert!(error.contains("images/x3.png, images/x4.png, ... (9 in all); without"), "{error}");
    assert!(error.ends_with(": none"), "{error}");
}

#[test]
fn two_images_of_one_id_are_one_too_many() {
    let tree = folder().image("images/a.jpg");
    check(&tree, &Options::default(), "images/a.jpg and images/a.png are both called a: take one away");
}

#[test]
fn a_split_without_samples_says_what_ids_there_are() {
    let tree = Tree::new().image("images/zebra0000.jpg").gray("labels_masks/x_labels_semantic.png", &[0; 4]);
    assert_eq!(
        tree.error("road-anomaly-21", &Options::default()),
        "ROOT holds no sample of road-anomaly-21, split validation: the ids there are zebra0000"
    );
}

#[test]
fn a_value_outside_the_table_is_named_with_its_place() {
    let tree = folder().gray("ood/a.png", &[0, 1, 7, 0]);
    check(&tree, &Options::default(), "ood/a.png holds 7 at (2, 0), but its values are 0-1, 255");
    let tree = folder().gray("labels/a.png", &[0, 2, 3, 0]);
    let options = Options { classes: Some(2), ..Options::default() };
    check(&tree, &options, "labels/a.png holds 3 at (2, 0), but its values are 0-2, 255");
}

/// What told the variant and what contradicts it, in whichever order, and in one file.
#[test]
fn two_variants_in_one_set_are_refused() {
    for (first, second) in [([0, 255, 0, 0], [0, 1, 2, 0]), ([2, 0, 0, 0], [0, 1, 255, 0])] {
        let tree = Tree::new()
            .image("images/a.png")
            .gray("labels_masks/a.png", &first)
            .image("images/b.png")
            .gray("labels_masks/b.png", &second);
        let error = tree.error("fishyscapes-static", &Options::default());
        assert!(error.starts_with(&format!("labels_masks/b.png holds {} at (2, 0)", second[2])), "{error}");
        assert!(error.contains("but labels_masks/a.png ignores by"), "{error}");
    }
    let tree = Tree::new().image("images/a.png").gray("labels_masks/a.png", &[0, 255, 2, 0]);
    let error = tree.error("fishyscapes-laf", &Options::default());
    assert!(error.starts_with("labels_masks/a.png holds 2 at (2, 0), but labels_masks/a.png"), "{error}");
}

#[test]
fn label_and_mask_that_contradict_each_other_are_refused() {
    let options = Options { classes: Some(2), ..Options::default() };
    for (labels, at) in [([0, 2, 255, 2], 3), ([0, 1, 255, 0], 1), ([2, 2, 255, 0], 0)] {
        let tree = folder().gray("labels/a.png", &labels);
        let error = tree.error("folder", &options);
        assert!(error.starts_with(&format!("labels/a.png holds {} at ({at}, 0)", labels[at])), "{error}");
        assert!(error.contains("and ood/a.png holds"), "{error}");
    }
    let options = Options { classes: Some(255), ..Options::default() };
    assert!(folder().error("folder", &options).starts_with("folder does not take 255 classes"));
}

#[test]
fn sizes_that_differ_are_both_said() {
    let tree = folder().gray("ood/a.png", &[0; 5]);
    check(&tree, &Options::default(), "ood/a.png is 5x1, but images/a.png is 4x1");
    let tree = folder().gray("labels/a.png", &[0; 5]);
    check(&tree, &Options::default(), "ood/a.png is 4x1, but labels/a.png is 5x1");
}

#[test]
fn an_option_of_another_data_set_is_refused() {
    let tree = folder();
    let void = Options { void_as_unknown: true, ..Options::default() };
    check(&tree, &void, "folder does not take void as unknown: it has no void classes, cityscapes has");
    let ignore = |value| Options { ignore: Some(value), ..Options::default() };
    assert!(tree.error("folder", &ignore(2)).starts_with("folder does not take ignore 2: "));
    let tree = Tree::new().image("images/a.png").gray("labels_masks/a.png", &[0; 4]);
    assert!(
        tree.error("fishyscapes-laf", &ignore(3)).starts_with("fishyscapes-laf does not take ignore 3: ")
    );
}

#[test]
fn what_is_no_picture_is_named() {
    check(
        &folder().bytes("images/a.png", b"hello"),
        &Options::default(),
        "images/a.png is no image that can be decoded (5 bytes)",
    );
    let error = folder().colours("ood/a.png", &[[0; 3]; 4]).error("folder", &Options::default());
    assert!(error.starts_with("ood/a.png holds colour of 8 bits"), "{error}");
}

/// Also through a folder elsewhere; a link to another folder is as good as the folder.
#[cfg(unix)]
#[test]
fn a_link_back_to_where_it_lies_is_refused() {
    use std::os::unix::fs::symlink;
    let tree = folder().bytes("elsewhere/notes.txt", b"");
    symlink(tree.root().join("elsewhere"), tree.root().join("images/more")).unwrap();
    symlink(tree.root().join("elsewhere"), tree.root().join("images/most")).unwrap();
    tree.open("folder", &Options::default()).unwrap();
    symlink(tree.root().join("images"), tree.root().join("elsewhere/back")).unwrap();
    let error = tree.error("folder", &Options::default());
    assert!(
        error.starts_with("images/more/back leads back to ") && error.contains("images, which"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn names_that_a_hash_line_cannot_hold_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let tree = folder();
    let name = std::ffi::OsStr::from_bytes(b"\xFF.png");
    std::fs::write(tree.root().join("images").join(name), "").unwrap();
    assert!(tree.error("folder", &Options::default()).contains("rename it"));
    assert!(folder().image("images/a\nb.png").error("folder", &Options::default()).contains("rename it"));
}
