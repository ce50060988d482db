//! SegmentMeIfYouCan, RoadAnomaly21 and RoadObstacle21: `images/ID.*` with
//! `labels_masks/ID_labels_semantic.png`. Only the truth of the validation images is public. Splits are those
//! of `datasets/tracks.py` and `tracks_extra.py` of adynathos/road-anomaly-benchmark.

use super::Classes;
use super::entry::{Entry, Files, Layout, PICTURES, Split, Values};
use super::table::Meaning::{Ignored, Known, Unknown};
use super::table::{Row, row};

/// `DatasetAnomalyTrack` and `DatasetObstacleTrack` there.
const ROWS: &[Row] = &[row(0, Known(0), "usual"), row(1, Unknown, "anomaly"), row(255, Ignored, "ignore")];

const TRUTH: Files = Files::new("labels_masks", &["_labels_semantic.png"]);
const LAYOUTS: &[Layout] = &[Layout::new(Files::new("images", PICTURES), &[TRUTH])];

pub(super) const ROAD_ANOMALY_21: Entry = Entry {
    name: "road-anomaly-21",
    about: "SMIYC's AnomalyTrack; splits validation (default: the 10 images whose truth is public), test \
            (for those who have its truth), all",
    splits: &[
        Split { holds: is_validation, ..Split::new("validation", LAYOUTS) },
        Split { holds: |id| !is_validation(id), ..Split::new("test", LAYOUTS) },
        Split::new("all", LAYOUTS),
    ],
    classes: Classes::Binary,
    values: Values::Table(ROWS),
};

pub(super) const ROAD_OBSTACLE_21: Entry = Entry {
    name: "road-obstacle-21",
    about: "SMIYC's ObstacleTrack; splits validation (default: the 30 images whose truth is public), test \
            (for those who have its truth; without night and snow storm), all",
    splits: &[
        Split {
            holds: |id| is_validation(id) && !LEFT_OUT.iter().any(|left_out| id.starts_with(left_out)),
            ..Split::new("validation", LAYOUTS)
        },
        Split {
            holds: |id| !is_validation(id) && !["snowstorm", "driveway"].iter().any(|s| id.starts_with(s)),
            ..Split::new("test", LAYOUTS)
        },
        Split::new("all", LAYOUTS),
    ],
    classes: Classes::Binary,
    values: Values::Table(ROWS),
};

/// Validation images that the benchmark does not count (`ObstacleTrack-validation`).
const LEFT_OUT: [&str; 10] = [
    "validation_19",
    "validation_21",
    "validation_22",
    "validation_23",
    "validation_24",
    "validation_25",
    "validation_26",
    "validation_27",
    "validation_28",
    "validation_29",
];

fn is_validation(id: &str) -> bool {
    id.starts_with("validation")
}
