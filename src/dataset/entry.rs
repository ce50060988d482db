//! What a data set is, as data: names, splits, where the files lie, what the stored values mean.

use super::table::{Meaning, Row};
use super::{Classes, DatasetError, Options};

/// All that is particular to one data set.
#[derive(Debug)]
pub(super) struct Entry {
    /// As `--dataset` takes it.
    pub name: &'static str,
    /// One line for `--help`; names each split.
    pub about: &'static str,
    /// The first is the default: the one the field judges on, or the one whose truth is public.
    pub splits: &'static [Split],
    /// What the labels are.
    pub classes: Classes,
    /// How the truth is stored.
    pub values: Values,
}

/// How a truth is stored.
#[derive(Debug)]
pub(super) enum Values {
    /// One gray map; each value means what its row says.
    Table(&'static [Row]),
    /// The same, published in two variants that ignore by different values. One set is of one variant.
    TableIgnoring([u8; 2], &'static [Row]),
    /// COCO's panoptic maps: a colour is a segment, and a JSON file gives its category.
    Panoptic(Stuff),
    /// `labels/` in a model's ids, `ood/` with 0, 1 and 255, or both.
    Folder,
}

/// What COCO's 53 stuff categories (grass, sky, ...) are; the 60 unknown things are unknown anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuff {
    /// As unknown as the unknown things.
    Unknown,
    /// Not judged.
    Ignored,
}

/// A part of a data set that is judged or trained on by itself.
#[derive(Debug)]
pub(super) struct Split {
    /// As `--split` takes it.
    pub name: &'static str,
    /// How copies of the set lie on disks; the first one that is there is read.
    pub layouts: &'static [Layout],
    /// Whether an id is in it, where splits share folders.
    pub holds: fn(&str) -> bool,
}

/// Where images and truth lie below the root. An image and its truth have the same id.
#[derive(Debug)]
pub(super) struct Layout {
    /// The images.
    pub images: Files,
    /// One file of each family belongs to each image.
    pub truth: &'static [Files],
    /// The images are those of a larger set: one without truth is none of this set.
    pub truth_chooses: bool,
    /// Where depth maps lie, if there are any.
    pub depth: Option<Depth>,
}

/// Files of one kind: those below a folder, at any depth, that end in one of the suffixes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files {
    /// Below the root; empty for the root itself.
    pub folder: &'static str,
    /// Ends of file names, in any case of letters.
    pub suffixes: &'static [&'static str],
    /// What of the path is the id.
    pub id: Id,
}

/// What of a file's path is its sample's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// The path below the folder, without the suffix.
    Path,
    /// The file's name without the suffix.
    Name,
    /// The same without the number in front: `0007_A_labels.png` is of `A`.
    AfterNumber,
}

/// How depth is stored. Paths are made of the sample's id.
#[derive(Debug, Clone, Copy)]
pub(super) enum Depth {
    /// `ID_disparity.png` in one folder and `ID_camera.json` in another, as Cityscapes has them.
    Stereo {
        /// Below the root.
        disparity: &'static str,
        /// Below the root.
        camera: &'static str,
    },
    /// `ID.png` of 16 bits, in 1/256 metre, 0 unknown: KITTI's convention.
    Metres {
        /// Below the root.
        folder: &'static str,
    },
}

/// What pictures are called when nothing else is said of them.
pub(super) const PICTURES: &[&str] = &[".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"];

impl Files {
    /// Ids are paths below `folder`.
    pub(super) const fn new(folder: &'static str, suffixes: &'static [&'static str]) -> Self {
        Self { folder, suffixes, id: Id::Path }
    }
}

impl Layout {
    /// Both ways: an image without truth is as wrong as truth without an image.
    pub(super) const fn new(images: Files, truth: &'static [Files]) -> Self {
        Self { images, truth, truth_chooses: false, depth: None }
    }
}

impl Split {
    /// All that its layouts hold.
    pub(super) const fn new(name: &'static str, layouts: &'static [Layout]) -> Self {
        Self { name, layouts, holds: |_| true }
    }
}

impl Entry {
    /// The split of that name, or the default.
    pub(super) fn split(&self, name: Option<&str>) -> Result<&'static Split, DatasetError> {
        let Some(name) = name else { return Ok(&self.splits[0]) };
        self.splits.iter().find(|split| split.name == name).ok_or_else(|| DatasetError::Split {
            set: self.name,
            got: name.into(),
            known: self.splits.iter().map(|split| split.name).collect(),
        })
    }

    /// An option that would change nothing was meant for another data set.
    pub(super) fn check(&self, options: &Options) -> Result<(), DatasetError> {
        let refuse = |option, reason| Err(DatasetError::Option { set: self.name, option, reason });
        let rows = match self.values {
            Values::Table(rows) | Values::TableIgnoring(_, rows) => rows,
            Values::Panoptic(_) | Values::Folder => &[],
        };
        if options.void_as_unknown && !rows.iter().any(|row| row.meaning == Meaning::Void) {
            return refuse("void as unknown".into(), "it has no void classes, cityscapes has");
        }
        match (options.ignore, &self.values) {
            (None, _) => Ok(()),
            (Some(value), Values::TableIgnoring(values, _)) if values.contains(&value) => Ok(()),
            (Some(value), Values::TableIgnoring(..)) => {
                refuse(format!("ignore {value}"), "copies of it ignore by 255 or, older ones, by 2")
            }
            (Some(value), _) => {
                refuse(format!("ignore {value}"), "there is one variant of it, and what it ignores is known")
            }
        }
    }

    /// K.
    pub(super) fn known(&self) -> u8 {
        match self.classes {
            Classes::Named(names) => names.len() as u8, // Far below 255: the test walks them.
            Classes::Binary | Classes::Model => 1,
        }
    }
}
