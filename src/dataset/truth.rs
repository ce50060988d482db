//! What is true in an image, whichever way its data set stores it.

use std::path::Path;

use super::coco::Segments;
use super::entry::{Entry, Layout, Split, Values};
use super::folder::Maps;
use super::table::Table;
use super::{DatasetError, Options, Sample};
use crate::frame::Size;
use crate::images::decode_gray;

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

/// The way of one data set, decided once for the set.
#[derive(Debug)]
pub(super) enum Reader {
    Table(Box<Table>),
    Panoptic(Segments),
    Folder(Maps),
}

impl Reader {
    /// Also gives the hash lines of what all samples share, and takes samples out that are not of the split
    /// by what is in them.
    pub(super) fn new(
        entry: &'static Entry,
        split: &Split,
        layout: &Layout,
        root: &Path,
        samples: &mut Vec<Sample>,
        options: &Options,
    ) -> Result<(Self, String), DatasetError> {
        entry.check(options)?;
        let table = |rows| Table::new(rows, entry.known(), options);
        Ok(match entry.values {
            Values::Table(rows) => (Self::Table(Box::new(table(rows))), String::new()),
            Values::TableIgnoring(values, rows) => {
                (Self::Table(Box::new(table(rows).ignoring(values, samples, options)?)), String::new())
            }
            Values::Panoptic(stuff) => {
                let (segments, lines) = Segments::read(entry, split, layout, root, stuff, samples)?;
                (Self::Panoptic(segments), lines)
            }
            Values::Folder => (Self::Folder(Maps::new(layout, options)?), String::new()),
        })
    }

    /// Whether the labels are 0 and 1 although the data set may have classes.
    pub(super) fn knows_anomalies_only(&self) -> bool {
        matches!(self, Self::Folder(maps) if !maps.has_labels())
    }

    /// From the bytes of `sample.truth`, in that order.
    pub(super) fn truth(&self, sample: &Sample, files: &[Vec<u8>]) -> Result<Truth, DatasetError> {
        match self {
            Self::Table(table) => {
                let gray = decode_gray(&files[0], &sample.truth[0].display().to_string())?;
                let labels = table.labels(&gray, &sample.truth[0])?;
                Ok(Truth { size: Size { width: gray.width, height: gray.height }, labels })
            }
            Self::Panoptic(segments) => segments.truth(sample, &files[0]),
            Self::Folder(maps) => maps.truth(sample, files),
        }
    }
}
