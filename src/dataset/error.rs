//! Why a data set, or one sample of it, could not be read.

use std::path::PathBuf;

use crate::frame::Size;
use crate::images::ImagesError;

/// See the variants; each names the file or the folder, and both sides of what does not fit.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// No data set is called so.
    #[error("no data set is called \"{got}\": there are {}", .known.join(", "))]
    Name {
        /// As asked for.
        got: String,
        /// All there are.
        known: Vec<&'static str>,
    },
    /// The data set has other splits.
    #[error("{set} has no split \"{got}\": it has {} (the first is the default)", .known.join(", "))]
    Split {
        /// The data set.
        set: &'static str,
        /// As asked for.
        got: String,
        /// All there are.
        known: Vec<&'static str>,
    },
    /// An option that means nothing here was meant for something else.
    #[error("{set} does not take {option}: {reason}")]
    Option {
        /// The data set.
        set: &'static str,
        /// As it is asked for.
        option: String,
        /// What the data set has in its place.
        reason: &'static str,
    },
    /// Other folders than the data set's.
    #[error("{} does not hold {set}, split {split}: looked for {looked_for}; {there}", .root.display())]
    Layout {
        /// As asked for.
        root: PathBuf,
        /// The data set.
        set: &'static str,
        /// The split.
        split: &'static str,
        /// The folders and endings of each layout.
        looked_for: String,
        /// What is there instead.
        there: String,
    },
    /// The folders are right, and nothing in them is of the split.
    #[error("{} holds no sample of {set}, split {split}: {there}", .root.display())]
    Empty {
        /// As asked for.
        root: PathBuf,
        /// The data set.
        set: &'static str,
        /// The split.
        split: &'static str,
        /// What is there instead.
        there: String,
    },
    /// A number over the other samples would pass for one over the set.
    #[error(
        "{}: images and truth do not pair up: without {truth_files}: {}; without {image_files}: {}",
        .root.display(), few(.images_alone), few(.truth_alone)
    )]
    Unpaired {
        /// As asked for.
        root: PathBuf,
        /// How the images are called.
        image_files: String,
        /// How the truth is called.
        truth_files: String,
        /// Images without truth, below the root.
        images_alone: Vec<String>,
        /// Truth without an image, below the root.
        truth_alone: Vec<String>,
    },
    /// Which of the two is meant cannot be told.
    #[error("{} and {} are both called {id}: take one away", .first.display(), .second.display())]
    Twice {
        /// Of both.
        id: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A name that a hash line cannot hold.
    #[error("{}: rename it: file names are UTF-8, without line breaks and backslashes", .path.display())]
    FileName {
        /// The file or folder.
        path: PathBuf,
    },
    /// A value that the data set's table does not have.
    #[error("{} holds {value} at ({x}, {y}), but its values are {expected}", .file.display())]
    Value {
        /// The label map.
        file: PathBuf,
        /// As stored.
        value: u32,
        /// Column, from 0.
        x: usize,
        /// Row, from 0.
        y: usize,
        /// Those of the table.
        expected: String,
    },
    /// Copies of two variants in one set.
    #[error(
        "{} holds {value} at ({x}, {y}), but {} ignores by {ignore}: these are two variants of the set, and \
         files of both are mixed here: fetch it anew", .file.display(), .decided_by.display()
    )]
    TwoVariants {
        /// The label map.
        file: PathBuf,
        /// By which the other variant ignores.
        value: u8,
        /// Column, from 0.
        x: usize,
        /// Row, from 0.
        y: usize,
        /// By which this set ignores.
        ignore: u8,
        /// The file that told.
        decided_by: PathBuf,
    },
    /// Two maps of one image tell two stories.
    #[error(
        "{} holds {label} at ({x}, {y}), and {} holds {ood}: the label is {unknown} (unknown) where, and only \
         where, ood is 1", .labels.display(), .oods.display()
    )]
    Disagree {
        /// The label map.
        labels: PathBuf,
        /// As stored in it.
        label: u8,
        /// The anomaly mask.
        oods: PathBuf,
        /// As stored in it.
        ood: u8,
        /// Column, from 0.
        x: usize,
        /// Row, from 0.
        y: usize,
        /// K.
        unknown: u8,
    },
    /// Pixels that are not those of the image.
    #[error("{} is {got}, but {} is {expected}", .file.display(), .of.display())]
    Size {
        /// The map.
        file: PathBuf,
        /// Its size.
        got: Size,
        /// What it belongs to.
        of: PathBuf,
        /// The size of that.
        expected: Size,
    },
    /// A file that is not what its name says.
    #[error("{}: {reason}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A folder that cannot be looked into.
    #[error("cannot look into {}: {source}", .path.display())]
    Walk {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A link that leads out of a folder and into it again.
    #[error("{} leads back to {}, which it lies in: take the link away", .path.display(), .to.display())]
    Loop {
        /// The link, or a folder behind it.
        path: PathBuf,
        /// Where it leads, links resolved.
        to: PathBuf,
    },
    /// A file that cannot be read or decoded; it is named.
    #[error(transparent)]
    Image(#[from] ImagesError),
}

/// The first few of a list, and how many there are.
pub(super) fn few(items: &[String]) -> String {
    const FIRST: usize = 5;
    match items {
        [] => "none".into(),
        items if items.len() <= FIRST => items.join(", "),
        items => format!("{}, ... ({} in all)", items[..FIRST].join(", "), items.len()),
    }
}
