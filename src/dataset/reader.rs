//! From a sample's files to its truth, each data set in its way.

use std::path::Path;

use super::coco::Segments;
use super::entry::{Entry, Layout, Split, Values};
use super::folder::Maps;
use super::table::Table;
use super::truth::Truth;
use super::{DatasetError, Options, Sample};
use crate::frame::Size;
use crate::images::decode_gray;

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
