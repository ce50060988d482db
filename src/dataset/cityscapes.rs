//! Cityscapes: `leftImg8bit/SPLIT/CITY/ID_leftImg8bit.png`, `gtFine/SPLIT/CITY/ID_gtFine_labelIds.png`, and
//! `disparity/` with `camera/` where they were fetched. The public truth of `test` is all void.

use super::Classes;
use super::entry::{Depth, Entry, Files, Layout, Split, Values};
use super::table::Meaning::{Ignored, Known, Void};
use super::table::{Row, row};

/// The classes that are evaluated, by train id.
pub(super) const CLASSES: &[&str] = &[
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
];

/// Label ids to train ids: `helpers/labels.py` of mcordts/cityscapesScripts. What is not evaluated is void,
/// but for what the paper's Table II leaves out even there: unlabeled, ego vehicle, rectification border,
/// out of roi, licence plate.
const ROWS: &[Row] = &[
    row(0, Ignored, "unlabeled"),
    row(1, Ignored, "ego vehicle"),
    row(2, Ignored, "rectification border"),
    row(3, Ignored, "out of roi"),
    row(4, Void, "static"),
    row(5, Void, "dynamic"),
    row(6, Void, "ground"),
    row(7, Known(0), "road"),
    row(8, Known(1), "sidewalk"),
    row(9, Void, "parking"),
    row(10, Void, "rail track"),
    row(11, Known(2), "building"),
    row(12, Known(3), "wall"),
    row(13, Known(4), "fence"),
    row(14, Void, "guard rail"),
    row(15, Void, "bridge"),
    row(16, Void, "tunnel"),
    row(17, Known(5), "pole"),
    row(18, Void, "polegroup"),
    row(19, Known(6), "traffic light"),
    row(20, Known(7), "traffic sign"),
    row(21, Known(8), "vegetation"),
    row(22, Known(9), "terrain"),
    row(23, Known(10), "sky"),
    row(24, Known(11), "person"),
    row(25, Known(12), "rider"),
    row(26, Known(13), "car"),
    row(27, Known(14), "truck"),
    row(28, Known(15), "bus"),
    row(29, Void, "caravan"),
    row(30, Void, "trailer"),
    row(31, Known(16), "train"),
    row(32, Known(17), "motorcycle"),
    row(33, Known(18), "bicycle"),
    // Its id is -1: the released maps do not draw it, others store it as a byte.
    row(255, Ignored, "licence plate"),
];

const fn layout(images: &'static str, truth: &'static [Files], depth: Depth) -> Layout {
    Layout { depth: Some(depth), ..Layout::new(Files::new(images, &["_leftImg8bit.png"]), truth) }
}

const LABELS: &[&str] = &["_gtFine_labelIds.png"];
const VAL: Files = Files::new("gtFine/val", LABELS);
const TRAIN: Files = Files::new("gtFine/train", LABELS);
const TEST: Files = Files::new("gtFine/test", LABELS);

pub(super) const CITYSCAPES: Entry = Entry {
    name: "cityscapes",
    about: "19 classes of German cities; its void classes are ignored or, if asked, unknown; splits val \
            (default), train, test",
    splits: &[
        Split::new(
            "val",
            &[layout(
                "leftImg8bit/val",
                &[VAL],
                Depth::Stereo { disparity: "disparity/val", camera: "camera/val" },
            )],
        ),
        Split::new(
            "train",
            &[layout(
                "leftImg8bit/train",
                &[TRAIN],
                Depth::Stereo { disparity: "disparity/train", camera: "camera/train" },
            )],
        ),
        Split::new(
            "test",
            &[layout(
                "leftImg8bit/test",
                &[TEST],
                Depth::Stereo { disparity: "disparity/test", camera: "camera/test" },
            )],
        ),
    ],
    classes: Classes::Named(CLASSES),
    values: Values::Table(ROWS),
};
