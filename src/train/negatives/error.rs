//! Why nothing can be pasted.

use std::path::PathBuf;

use crate::dataset::DatasetError;
use crate::dataset::paste::PasteError;
use crate::images::ImagesError;
use crate::train::damage::TooMuchDamage;

/// See the variants; every one says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum NegativesError {
    /// A setting that is no such thing.
    #[error("negatives: {name} is {got}: take {wanted}")]
    Setting {
        /// As it stands in the YAML.
        name: &'static str,
        /// What stands there.
        got: String,
        /// What may.
        wanted: &'static str,
    },
    /// A class to stand on that there is not.
    #[error("negatives: ground: no class is called \"{got}\": there are {known}")]
    Class {
        /// As it stands in the YAML.
        got: String,
        /// The model's.
        known: String,
    },
    /// A folder that cannot be looked into.
    #[error("negatives: {0}")]
    Folder(#[from] DatasetError),
    /// A folder of cut-outs without any.
    #[error("negatives: {}: {source}", .folder.display())]
    Cutouts {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: Box<PasteError>,
    },
    /// Files among the cut-outs that are none.
    #[error(
        "negatives: {count} files in {} are no cut-outs, {first} for one: {reason}; take them out, or is it \
         another folder?", .folder.display()
    )]
    NotCutouts {
        /// The folder.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// One of them.
        first: String,
        /// What is wrong with that.
        reason: String,
    },
    /// A folder of another layout.
    #[error("negatives: {} holds no {wanted}", .folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Fewer files than shares.
    #[error("negatives: {name} has {files} file(s), held_out is {held_out}: none is left {missing}")]
    Share {
        /// The source.
        name: String,
        /// How many there are.
        files: usize,
        /// As it stands in the YAML.
        held_out: f64,
        /// For whom none is left.
        missing: &'static str,
    },
    /// No mask, or one of another picture.
    #[error("negatives: {}: {reason}", .file.display())]
    Masks {
        /// The picture or the mask.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// More damaged files than are put up with.
    #[error("negatives: {0}")]
    Damage(#[from] TooMuchDamage),
    /// A file that cannot be read or decoded; it is named.
    #[error("negatives: {0}")]
    Image(#[from] ImagesError),
}
