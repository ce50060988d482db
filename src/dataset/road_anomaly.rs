//! RoadAnomaly: `frames/ID.webp` (or `.jpg`) with `frames/ID.labels/labels_semantic.png`, 60 images.

use super::Classes;
use super::entry::{Entry, Files, Layout, Split, Values};
use super::table::Meaning::{Known, Unknown};
use super::table::{Row, row};

/// The `readme.md` that comes with it.
const ROWS: &[Row] = &[row(0, Known(0), "background"), row(2, Unknown, "anomaly")];

/// Not every picture: below `frames/` the maps are pictures as well.
const FRAMES: &[&str] = &[".webp", ".jpg", ".jpeg"];
const TRUTH: Files = Files::new("frames", &[".labels/labels_semantic.png"]);

pub(super) const ROAD_ANOMALY: Entry = Entry {
    name: "road-anomaly",
    about: "animals and things on roads, nothing ignored; split all",
    splits: &[Split::new("all", &[Layout::new(Files::new("frames", FRAMES), &[TRUTH])])],
    classes: Classes::Binary,
    values: Values::Table(ROWS),
};
