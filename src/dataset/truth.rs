//! What is true in an image, whichever way its data set stores it.

use std::path::Path;

use super::{DatasetError, Sample};
use crate::frame::Size;

/// One label a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Of the label map, which is that of the image.
    pub size: Size,
    /// `width × height` labels, row 0 is the top: `0..K` known, `K` unknown,
    /// [`IGNORE`](crate::labels::IGNORE) not judged. A binary truth has K = 1: 0 inlier, 1 anomaly.
    pub labels: Vec<u8>,
}

impl Truth {
    /// For those who decode the image themselves.
    ///
    /// # Errors
    /// [`DatasetError::Size`] where the truth is not of the image's size.
    pub fn check_size(&self, image: Size, sample: &Sample) -> Result<(), DatasetError> {
        check_size(&sample.truth[0], self.size, &sample.image, image)
    }
}

/// Two pictures of one size.
pub(super) fn check_size(file: &Path, got: Size, of: &Path, expected: Size) -> Result<(), DatasetError> {
    if got == expected {
        return Ok(());
    }
    Err(DatasetError::Size { file: file.into(), got, of: of.into(), expected })
}
