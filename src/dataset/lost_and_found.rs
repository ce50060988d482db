//! LostAndFound, and the part of it that SegmentMeIfYouCan judges: `leftImg8bit/SPLIT/SCENE/ID_leftImg8bit.png`
//! with `gtCoarse/SPLIT/SCENE/ID_gtCoarse_labelIds.png`, `disparity/` and `camera/` as in Cityscapes.
//!
//! LostAndFound-noKnown has no files of its own: it is the test split without the scenes whose obstacles are
//! people and bicycles. The benchmark also drops the frames that have no label at all; they are kept here, all
//! ignored: no figure over pixels or objects changes by them, but there are more images than its 1043.

use super::Classes;
use super::entry::{Depth, Entry, Files, Layout, Split, Values};
use super::table::Meaning::{Ignored, Known, Unknown};
use super::table::{Row, row, rows};

/// `LAF_CLASSES` in `datasets/tracks.py` of adynathos/road-anomaly-benchmark. The data set's own table names
/// the obstacles, 2 to 43; what it calls no hazard (flat wood, wheel caps) is an obstacle here as there.
const ROWS: &[Row] =
    &[row(0, Ignored, "background"), row(1, Known(0), "free space"), rows(2, 200, Unknown, "obstacle")];

const LABELS: &[&str] = &["_gtCoarse_labelIds.png"];
const TEST: Files = Files::new("gtCoarse/test", LABELS);
const TRAIN: Files = Files::new("gtCoarse/train", LABELS);

/// Images may have been packed anew: `_leftImg8bit.webp`.
const IMAGES: &[&str] = &["_leftImg8bit.png", "_leftImg8bit.webp", "_leftImg8bit.jpg"];

const TEST_LAYOUTS: &[Layout] = &[Layout {
    depth: Some(Depth::Stereo { disparity: "disparity/test", camera: "camera/test" }),
    ..Layout::new(Files::new("leftImg8bit/test", IMAGES), &[TEST])
}];

const TRAIN_LAYOUTS: &[Layout] = &[Layout {
    depth: Some(Depth::Stereo { disparity: "disparity/train", camera: "camera/train" }),
    ..Layout::new(Files::new("leftImg8bit/train", IMAGES), &[TRAIN])
}];

pub(super) const LOST_AND_FOUND: Entry = Entry {
    name: "lost-and-found",
    about: "small obstacles on the free space, the rest ignored; splits test (default), train",
    splits: &[Split::new("test", TEST_LAYOUTS), Split::new("train", TRAIN_LAYOUTS)],
    classes: Classes::Binary,
    values: Values::Table(ROWS),
};

pub(super) const NO_KNOWN: Entry = Entry {
    name: "laf-noknown",
    about: "SMIYC's LostAndFound-noKnown: lost-and-found without people and bicycles; split test",
    splits: &[Split { holds: has_no_known, ..Split::new("test", TEST_LAYOUTS) }],
    classes: Classes::Binary,
    values: Values::Table(ROWS),
};

/// `LostAndFound-testNoKnown` in the same file.
fn has_no_known(id: &str) -> bool {
    let name = id.rsplit('/').next().unwrap_or(id);
    ![
        "15_Rechbergstr_Deckenpfronn",
        "01_Hanns_Klemm_Str_45_000006",
        "01_Hanns_Klemm_Str_45_000007",
        "10_Schlossberg_9_000004",
    ]
    .iter()
    .any(|known| name.starts_with(known))
}
