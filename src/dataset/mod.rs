//! Data sets: folders of images and of what is true in them, read into one shape.
//!
//! Place: beside the walk, for those who judge a model (`evaluate`, `calibrate`), fit one or teach one.
//! Whatever a benchmark stores, a [`Truth`] holds one label a pixel: `0..K` a known class, `K` unknown,
//! [`IGNORE`](crate::labels::IGNORE) where nothing is judged.
//!
//! # Reading order, and how a data set is added
//! `entry` says what a data set is: its splits, where their files lie, what the stored values mean. Each data
//! set is one such entry (`camvid`, `cityscapes`, ...) in the list below; hardly one has code of its own.
//! `layout` finds and pairs the files, `table` turns values into labels, `coco` and `folder` read a truth that
//! is no single table. A new set of a known kind is one file with folders, endings and a table.
//!
//! Deliberately does not know: models, scores, metrics. Nothing is guessed or left out in silence: a file that
//! is missing, a value outside the table, a size that differs is an error that names it, for a number over
//! the rest of a set would pass for one over the set.

mod camvid;
mod cityscapes;
mod coco;
mod depth;
mod entry;
mod error;
mod fishyscapes;
mod folder;
mod layout;
mod lost_and_found;
#[cfg(any(feature = "desk", feature = "train"))]
pub mod paste;
mod reader;
mod road_anomaly;
mod set_hash;
mod smiyc;
mod streethazards;
mod table;
mod truth;

use std::path::{Path, PathBuf};

use self::entry::{Depth, Entry};
use self::reader::Reader;
use crate::frame::Size;
use crate::images::{self, Rgb};

pub use self::error::DatasetError;
#[cfg(feature = "train")]
pub(crate) use self::layout::{relative, walk};
pub use self::set_hash::{SetHash, file_line};
pub use self::truth::Truth;

/// Every data set, in the order `--help` lists them.
const ALL: [&Entry; 13] = [
    &cityscapes::CITYSCAPES,
    &streethazards::STREETHAZARDS,
    &fishyscapes::LOST_AND_FOUND,
    &fishyscapes::STATIC,
    &smiyc::ROAD_ANOMALY_21,
    &smiyc::ROAD_OBSTACLE_21,
    &lost_and_found::NO_KNOWN,
    &road_anomaly::ROAD_ANOMALY,
    &lost_and_found::LOST_AND_FOUND,
    &coco::COCO_20_80,
    &coco::PASCAL_COCO,
    &camvid::CAMVID,
    &folder::FOLDER,
];

/// The data sets by name, each with one line that says what it holds and which splits it has.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|entry| (entry.name, entry.about))
}

/// The splits of the data set of that name, the one it is judged on first; none where there is no such data set.
pub fn splits(name: &str) -> Vec<&'static str> {
    let entry = ALL.into_iter().find(|entry| entry.name == name);
    entry.map_or(Vec::new(), |entry| entry.splits.iter().map(|split| split.name).collect())
}

/// Whether the data set of that name has that split.
pub fn has_split(name: &str, split: &str) -> bool {
    ALL.into_iter().any(|entry| entry.name == name && entry.split(Some(split)).is_ok())
}

/// What of a data set is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `None`: the one the field judges on, see [`names`].
    pub split: Option<String>,
    /// Which of two values a set ignores by, where copies of it differ (Fishyscapes: 255, in older ones 2).
    /// `None`: the files tell.
    pub ignore: Option<u8>,
    /// Cityscapes: its void classes stand for the unknown (the paper's Table II) instead of being ignored.
    pub void_as_unknown: bool,
    /// `folder` only: K of the model whose ids its labels hold, to check them by.
    pub classes: Option<usize>,
}

/// What the labels `0..K` of a truth are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classes {
    /// The data set's own, by id.
    Named(&'static [&'static str]),
    /// Those of the model the set was made for.
    Model,
    /// One, the inliers: 0 inlier, 1 anomaly.
    Binary,
}

/// One image and the files that say what is true in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Unique in the set: the path below the image folder without its ending, `/` between folders.
    pub id: String,
    /// The image.
    pub image: PathBuf,
    /// In the order of the layout's families.
    pub(crate) truth: Vec<PathBuf>,
}

impl Sample {
    /// What ids of one city or drive begin with: up to the first `_` or `/`.
    pub fn prefix(&self) -> &str {
        self.id.split(['_', '/']).next().unwrap_or(&self.id)
    }

    /// What the set's hash covers: the image, then each file of its truth.
    pub fn files(&self) -> Vec<&Path> {
        std::iter::once(&self.image).chain(&self.truth).map(PathBuf::as_path).collect()
    }
}

/// A sample, read.
#[derive(Debug)]
pub struct Loaded {
    /// The image.
    pub rgb: Rgb,
    /// What is true in it, of the same size.
    pub truth: Truth,
    /// For [`SetHash::add`]: a [`file_line`] for each of [`Sample::files`].
    pub hash_lines: String,
}

/// One split of a data set, found and paired; images are read when they are asked for.
#[derive(Debug)]
pub struct Dataset {
    entry: &'static Entry,
    root: PathBuf,
    samples: Vec<Sample>,
    depth: Option<Depth>,
    reader: Reader,
    /// Hash lines of what all samples share.
    shared_lines: String,
}

impl Dataset {
    /// Walks the layout below `root` and pairs images with their truth, both ways.
    ///
    /// # Errors
    /// No data set of that name, no such split, an option it does not have; a root that is not its layout,
    /// holds no sample of the split, or holds images without truth or truth without images.
    pub fn open(name: &str, root: &Path, options: &Options) -> Result<Self, DatasetError> {
        let entry = ALL.into_iter().find(|entry| entry.name == name).ok_or_else(|| DatasetError::Name {
            got: name.into(),
            known: names().map(|(name, _)| name).collect(),
        })?;
        let split = entry.split(options.split.as_deref())?;
        let found = layout::find(entry, split, root)?;
        let (depth, mut samples) = (found.layout.depth, found.samples);
        let (reader, shared_lines) = Reader::new(entry, split, found.layout, root, &mut samples, options)?;
        Ok(Self { entry, root: root.into(), samples, depth, reader, shared_lines })
    }

    /// As asked for.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Never: an empty set is not opened.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Sorted by id, the same on every machine.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What the labels of a truth are. A `folder` without `labels/` is [`Classes::Binary`].
    pub fn classes(&self) -> Classes {
        if self.reader.knows_anomalies_only() { Classes::Binary } else { self.entry.classes }
    }

    /// Image and truth, each file read once.
    ///
    /// # Errors
    /// A file that cannot be read or decoded, and those of [`truth`](Self::truth); image and truth of
    /// different sizes.
    pub fn read(&self, sample: &Sample) -> Result<Loaded, DatasetError> {
        let image = images::read(&sample.image)?;
        let files = read_all(&sample.truth)?;
        let read = std::iter::once(&image).chain(&files);
        let hash_lines = sample.files().into_iter().zip(read).map(|(f, bytes)| self.line(f, bytes)).collect();
        let rgb = images::decode_rgb(&image, &sample.image.display().to_string())?;
        let truth = self.reader.truth(sample, &files)?;
        truth.check_size(Size { width: rgb.width, height: rgb.height }, sample)?;
        Ok(Loaded { rgb, truth, hash_lines })
    }

    /// What is true in the image, without reading it.
    ///
    /// # Errors
    /// A file that cannot be read or decoded; a stored value outside the table, with its position.
    pub fn truth(&self, sample: &Sample) -> Result<Truth, DatasetError> {
        self.reader.truth(sample, &read_all(&sample.truth)?)
    }

    /// Metres from the camera, `width × height` of them: NaN where unknown, infinity beyond what a stereo
    /// camera tells. `None` where the set has no depth for this image.
    ///
    /// # Errors
    /// A file that cannot be read or is not in its format; a map that is not of the image's `size`.
    pub fn depth(&self, sample: &Sample, size: Size) -> Result<Option<Vec<f32>>, DatasetError> {
        self.depth.map_or(Ok(None), |files| depth::read(files, &self.root, sample, size))
    }

    /// The hash of the set, to which each sample that counts adds its lines, in the order of
    /// [`samples`](Self::samples). It begins with the files that all share (COCO's annotations).
    pub fn start_hash(&self) -> SetHash {
        let mut hash = SetHash::default();
        hash.add(&self.shared_lines);
        hash
    }

    /// The hash over every sample, for those who do not read the set anyway.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn set_hash(&self) -> Result<String, DatasetError> {
        let mut hash = self.start_hash();
        for file in self.samples.iter().flat_map(Sample::files) {
            hash.add(&self.line(file, &images::read(file)?));
        }
        Ok(hash.finish())
    }

    fn line(&self, file: &Path, bytes: &[u8]) -> String {
        file_line(&layout::relative(&self.root, file), bytes)
    }
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, DatasetError> {
    files.iter().map(|file| Ok(images::read(file)?)).collect()
}

#[cfg(test)]
pub(crate) mod tests;
