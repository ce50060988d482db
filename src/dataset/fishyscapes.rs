//! Fishyscapes LostAndFound and Static, the validation sets.
//!
//! Neither is published as images with truth: LostAndFound is a folder of label maps for some images of
//! LostAndFound, Static one of differences (`.npz`) to add to Cityscapes. So copies have several forms. Read
//! are, in this order:
//!
//! | set | images | truth |
//! |---|---|---|
//! | LostAndFound | `leftImg8bit/**/ID_leftImg8bit.png` | `ood/**/ID_ood_segmentation.png` |
//! | | `**/ID_leftImg8bit.png` | `fishyscapes_lostandfound/NUMBER_ID_labels.png` |
//! | both | `original/ID.png` | `labels/ID.png` |
//! | both | `images/ID.*` | `labels_masks/ID.png` |
//! | Static | `**/ID_rgb.jpg`, `**/ID_rgb.png` | `**/ID_labels.png` |
//!
//! The first and the last are those of matejgrcic/DenseHybrid. The second is that of the archives, unpacked
//! side by side, and of NazirNayal8/RbA; the others are those of copies passed on for PEBAL and for courses.

use super::Classes;
use super::entry::{Entry, Files, Id, Layout, PICTURES, Split, Values};
use super::table::Meaning::{Known, Unknown};
use super::table::{Row, row};

/// `bdlb/fishyscapes` of hermannsblum/bdl-benchmark; 255 is ignored, in older copies 2 (DenseHybrid).
const ROWS: &[Row] = &[row(0, Known(0), "inlier"), row(1, Unknown, "outlier")];
const IGNORED_BY: [u8; 2] = [255, 2];

const OOD: Files = by_name("ood", &["_ood_segmentation.png"]);
const NUMBERED: Files =
    Files { folder: "fishyscapes_lostandfound", suffixes: &["_labels.png"], id: Id::AfterNumber };
const LABELS: Files = Files::new("labels", &[".png"]);
const MASKS: Files = Files::new("labels_masks", &[".png"]);
const BESIDE: Files = by_name("", &["_labels.png"]);

const LEFT: &[&str] = &["_leftImg8bit.png"];
const FOR_PEBAL: Layout = Layout::new(Files::new("original", &[".png"]), &[LABELS]);
const FOR_COURSES: Layout = Layout::new(Files::new("images", PICTURES), &[MASKS]);

/// Wherever below `folder` a file lies.
const fn by_name(folder: &'static str, suffixes: &'static [&'static str]) -> Files {
    Files { folder, suffixes, id: Id::Name }
}

pub(super) const LOST_AND_FOUND: Entry = Entry {
    name: "fishyscapes-laf",
    about: "100 images of LostAndFound, labelled anew; split val",
    splits: &[Split::new(
        "val",
        &[
            Layout { truth_chooses: true, ..Layout::new(by_name("leftImg8bit", LEFT), &[OOD]) },
            Layout { truth_chooses: true, ..Layout::new(by_name("", LEFT), &[NUMBERED]) },
            FOR_PEBAL,
            FOR_COURSES,
        ],
    )],
    classes: Classes::Binary,
    values: Values::TableIgnoring(IGNORED_BY, ROWS),
};

pub(super) const STATIC: Entry = Entry {
    name: "fishyscapes-static",
    about: "30 images of Cityscapes with things pasted in; split val",
    splits: &[Split::new(
        "val",
        &[FOR_PEBAL, FOR_COURSES, Layout::new(by_name("", &["_rgb.jpg", "_rgb.png"]), &[BESIDE])],
    )],
    classes: Classes::Binary,
    values: Values::TableIgnoring(IGNORED_BY, ROWS),
};
