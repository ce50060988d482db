//! StreetHazards: `test/images/test/TOWN/ID.png` with `test/annotations/test/TOWN/ID.png`, and both in
//! `train/` for the training and validation towns, as its two archives unpack. The test towns are t5 and t6:
//! the folds of the two-city protocol.

use super::Classes;
use super::entry::{Entry, Files, Layout, Split, Values};
use super::table::Meaning::{Ignored, Known, Unknown};
use super::table::{Row, row};

const CLASSES: &[&str] = &[
    "background",
    "building",
    "fence",
    "pedestrian",
    "pole",
    "road line",
    "road",
    "sidewalk",
    "vegetation",
    "car",
    "wall",
    "traffic sign",
];

/// Stored values are one above the ids in `create_dataset.py` of hendrycks/anomaly-seg. The method's protocol
/// ignores "other" and closes the ids up, which leaves K = 12; the sky is part of the background.
const ROWS: &[Row] = &[
    row(1, Known(0), "background"),
    row(2, Known(1), "building"),
    row(3, Known(2), "fence"),
    row(4, Ignored, "other"),
    row(5, Known(3), "pedestrian"),
    row(6, Known(4), "pole"),
    row(7, Known(5), "road line"),
    row(8, Known(6), "road"),
    row(9, Known(7), "sidewalk"),
    row(10, Known(8), "vegetation"),
    row(11, Known(9), "car"),
    row(12, Known(10), "wall"),
    row(13, Known(11), "traffic sign"),
    row(14, Unknown, "anomaly"),
];

const PNG: &[&str] = &[".png"];
const TEST: Files = Files::new("test/annotations/test", PNG);
const VALIDATION: Files = Files::new("train/annotations/validation", PNG);
const TRAINING: Files = Files::new("train/annotations/training", PNG);

pub(super) const STREETHAZARDS: Entry = Entry {
    name: "streethazards",
    about: "12 classes of simulated towns with foreign objects; splits test (default; its towns t5 and t6 are \
            the two folds), validation, train",
    splits: &[
        Split::new("test", &[Layout::new(Files::new("test/images/test", PNG), &[TEST])]),
        Split::new("validation", &[Layout::new(Files::new("train/images/validation", PNG), &[VALIDATION])]),
        Split::new("train", &[Layout::new(Files::new("train/images/training", PNG), &[TRAINING])]),
    ],
    classes: Classes::Named(CLASSES),
    values: Values::Table(ROWS),
};
