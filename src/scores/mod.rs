//! Score files of any method: one anomaly score per pixel, higher where it is more anomalous.
//!
//! Read are NumPy's `.npy`; `.hdf5` and `.h5` with a dataset `value`, as methods are submitted to
//! SegmentMeIfYouCan; and gray `.png` of 8 or 16 bits, whose values are the scores. Whatever the type in the
//! file, scores become f32. That is exact for floats of 16 and 32 bits and for integers up to 2^24; others
//! are rounded to the nearest f32, so that scores which differed by less than that are ties afterwards.
//!
//! Deliberately does not know: truth, thresholds, and which file belongs to which frame.

mod hdf5;
mod npy;

use std::path::{Path, PathBuf};

use crate::images::{self, ImagesError, MAX_PIXELS};

/// What a score file's name ends in.
pub const EXTENSIONS: [&str; 4] = ["npy", "hdf5", "h5", "png"];

/// The scores of one frame; row 0 is the top.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMap {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width × height`, row by row.
    pub data: Vec<f32>,
}

/// Why a file gave no scores. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum ScoresError {
    /// Not there, or the system does not give its bytes.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// As it was asked for.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another kind of file.
    #[error("{} is no score file: their names end in .{}", .path.display(), EXTENSIONS.join(", ."))]
    Kind {
        /// As it was asked for.
        path: PathBuf,
    },
    /// Damaged, or not what its name says.
    #[error("{} cannot be read as {format}: {message}", .path.display())]
    Broken {
        /// As it was asked for.
        path: PathBuf,
        /// What was expected.
        format: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The scores have another name, or there are none.
    #[error("{} has no dataset value, but {}: the scores are looked for under value", .path.display(), list(.there))]
    NoDataset {
        /// As it was asked for.
        path: PathBuf,
        /// What is there instead.
        there: Vec<String>,
    },
    /// Text, structures, complex numbers and the like.
    #[error("{} holds {got}, but scores are floats of 16, 32 or 64 bits, or integers", .path.display())]
    Type {
        /// As it was asked for.
        path: PathBuf,
        /// As the format calls it.
        got: String,
    },
    /// No map, or no map of a picture.
    #[error(
        "{} has the shape {got:?}, but scores are [height, width], with a 1 before or after where there are \
         three, and at most {MAX_PIXELS} of them",
        .path.display()
    )]
    Shape {
        /// As it was asked for.
        path: PathBuf,
        /// As stored.
        got: Vec<u64>,
    },
    /// The picture, where it is one.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

/// The scores in a file; its name tells the format.
///
/// # Errors
/// See [`ScoresError`].
pub fn read(path: &Path) -> Result<ScoreMap, ScoresError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "npy" => npy::read(path),
        "hdf5" | "h5" => hdf5::read(path),
        "png" => {
            let images::Gray16 { width, height, data, .. } = images::read_gray16(path)?;
            Ok(ScoreMap { width, height, data: data.into_iter().map(f32::from).collect() })
        }
        _ => Err(ScoresError::Kind { path: path.into() }),
    }
}

/// Height and width of an array that is a map.
fn size(path: &Path, shape: &[u64]) -> Result<(usize, usize), ScoresError> {
    let error = || ScoresError::Shape { path: path.into(), got: shape.into() };
    let (height, width) = match *shape {
        [height, width] | [1, height, width] | [height, width, 1] => (height, width),
        _ => return Err(error()),
    };
    match height.checked_mul(width) {
        Some(1..=MAX_PIXELS) => Ok((height as usize, width as usize)),
        _ => Err(error()),
    }
}

fn list(there: &[String]) -> String {
    if there.is_empty() { "nothing".into() } else { there.join(", ") }
}

#[cfg(test)]
mod tests;
