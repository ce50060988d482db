//! Why nothing is pasted.

use crate::dataset::DatasetError;

/// See the variants; every one says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum PasteError {
    /// A folder of cut-outs that cannot be looked into.
    #[error(transparent)]
    Folder(#[from] DatasetError),
    /// Nothing to draw from.
    #[error("no cut-out to paste: a cut-out is a PNG with alpha that is not transparent all over")]
    NoCutouts,
    /// Not a number of objects.
    #[error("{}..{} objects a frame: take 1 or more, and no less at the end", .0[0], .0[1])]
    Objects([u32; 2]),
    /// Not a size.
    #[error("scale {}..{}: take numbers above 0, and no less at the end", .0[0], .0[1])]
    Scale([f64; 2]),
    /// No row below it.
    #[error("horizon {0}: take a share of the height, from 0 (the top) to below 1")]
    Horizon(f64),
    /// Two frames, or half of one.
    #[error("{labels} labels for a picture of {width}x{height}: are they of the same frame?")]
    Size {
        /// How many came.
        labels: usize,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// A label without a meaning.
    #[error(
        "label {label} at column {x}, row {y}: with {classes} classes it is 0 to {classes}, or 255 (ignored)"
    )]
    Label {
        /// What stands there.
        label: u8,
        /// Column.
        x: usize,
        /// Row.
        y: usize,
        /// K.
        classes: u8,
    },
}
