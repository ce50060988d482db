//! Tiny trees of each layout, and what is wrong with them.

mod errors;
mod sets;

use std::path::Path;

use super::*;
use crate::images::{encode_jpeg_rgb, encode_png_gray, encode_png_rgb};

/// A folder of generated files. Pictures are four pixels in a row.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// An image: JPEG by that name, else PNG (which decoders take under any name).
    pub(crate) fn image(self, path: &str) -> Self {
        let mut bytes = Vec::new();
        let rgb = [9; 4 * 3];
        match path.ends_with(".jpg") {
            true => encode_jpeg_rgb(&rgb, 4, 1, &mut bytes).unwrap(),
            false => encode_png_rgb(&rgb, 4, 1, &mut bytes).unwrap(),
        }
        self.bytes(path, &bytes)
    }

    /// A map of one row.
    pub(crate) fn gray(self, path: &str, values: &[u8]) -> Self {
        let mut bytes = Vec::new();
        encode_png_gray(values, values.len(), 1, &mut bytes).unwrap();
        self.bytes(path, &bytes)
    }

    /// A map of one row, a colour a pixel.
    pub(super) fn colours(self, path: &str, values: &[[u8; 3]]) -> Self {
        let mut bytes = Vec::new();
        encode_png_rgb(values.as_flattened(), values.len(), 1, &mut bytes).unwrap();
        self.bytes(path, &bytes)
    }

    pub(super) fn open(&self, name: &str, options: &Options) -> Result<Dataset, DatasetError> {
        Dataset::open(name, self.root(), options)
    }

    /// Every sample of the set: its id and its labels, read in both ways.
    pub(super) fn read(&self, name: &str, options: &Options) -> Vec<(String, Vec<u8>)> {
        let set = self.open(name, options).unwrap();
        assert_eq!((set.name(), set.len(), set.is_empty()), (name, set.samples().len(), false));
        let labels = |sample: &Sample| {
            let loaded = set.read(sample).unwrap();
            assert_eq!(loaded.truth, set.truth(sample).unwrap());
            assert_eq!(loaded.truth.size, Size { width: loaded.rgb.width, height: loaded.rgb.height });
            assert_eq!(loaded.hash_lines.lines().count(), sample.files().len());
            (sample.id.clone(), loaded.truth.labels)
        };
        set.samples().iter().map(labels).collect()
    }

    /// What opening or reading every sample fails with.
    pub(super) fn error(&self, name: &str, options: &Options) -> String {
        let error = match self.open(name, options) {
            Err(error) => Some(error),
            Ok(set) => set.samples().iter().find_map(|sample| set.read(sample).err()),
        };
        let root = self.root().display().to_string();
        error.unwrap().to_string().replace(&format!("{root}/"), "").replace(&root, "ROOT")
    }
}

/// Ids and labels in one line each.
pub(super) fn pairs<const N: usize>(expected: [(&str, &[u8]); N]) -> Vec<(String, Vec<u8>)> {
    expected.into_iter().map(|(id, labels)| (id.to_owned(), labels.to_vec())).collect()
}

pub(super) fn split(name: &str) -> Options {
    Options { split: Some(name.into()), ..Options::default() }
}

#[test]
fn what_help_says_names_each_split() {
    for entry in ALL {
        for split in entry.splits {
            assert!(entry.about.contains(split.name), "{}: {}", entry.name, split.name);
            assert!(!split.layouts.is_empty() && split.layouts.iter().all(|l| !l.truth.is_empty()));
        }
        let default = format!("{} (default", entry.splits[0].name);
        assert!(entry.splits.len() == 1 || entry.about.contains(&default), "{}", entry.name);
    }
    let mut all: Vec<_> = names().map(|(name, _)| name).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 13);
}

#[test]
fn the_prefix_is_the_city_or_the_drive() {
    for (id, prefix) in [
        ("0016E5_07959", "0016E5"),
        ("t5/300", "t5"),
        ("frankfurt/frankfurt_000000_000294", "frankfurt"),
        ("000000000139", "000000000139"),
    ] {
        let sample = Sample { id: id.into(), image: PathBuf::new(), truth: Vec::new() };
        assert_eq!(sample.prefix(), prefix);
    }
}

/// The shell line of `set_hash`, by hand: files in the order of ids, the image first.
#[test]
fn the_hash_is_that_of_the_files_in_order() {
    let tree = Tree::new()
        .image("images/b.png")
        .image("images/a.jpg")
        .gray("ood/a.png", &[0, 1, 255, 0])
        .gray("ood/b.png", &[0; 4]);
    let set = tree.open("folder", &Options::default()).unwrap();
    let mut expected = SetHash::default();
    for file in ["images/a.jpg", "ood/a.png", "images/b.png", "ood/b.png"] {
        expected.add(&file_line(file, &std::fs::read(tree.root().join(file)).unwrap()));
    }
    let expected = expected.finish();
    assert_eq!(set.set_hash().unwrap(), expected);
    let mut incremental = set.start_hash();
    for sample in set.samples() {
        incremental.add(&set.read(sample).unwrap().hash_lines);
    }
    assert_eq!(incremental.finish(), expected);
}

/// The shell of `set_hash`'s documentation, as it stands there.
#[cfg(unix)]
#[test]
fn the_documented_shell_gives_the_same_hash() {
    let tree = Tree::new()
        .image("images/b.png")
        .gray("labels/b.png", &[0; 4])
        .gray("ood/b.png", &[0; 4])
        .image("images/a.jpg")
        .gray("labels/a.png", &[0, 2, 0, 0])
        .gray("ood/a.png", &[0, 1, 0, 0]);
    let documented: Vec<_> = include_str!("../set_hash.rs").split("/// ```").collect();
    let script = documented[1].trim_start_matches("sh").replace("///", "");
    let shell = std::process::Command::new("sh").arg("-c").arg(script).current_dir(tree.root()).output();
    let printed = shell.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match printed.as_deref().map(|text| text.split_whitespace().next()) {
        Ok(Some(hash)) => {
            assert_eq!(hash, tree.open("folder", &Options::default()).unwrap().set_hash().unwrap())
        }
        other => println!("skipped: no sh with sha256sum: {other:?}"),
    }
}

/// Real frames, where there are any.
#[test]
fn real_frames_are_read() {
    let Some(data) = std::env::var_os("OPEN_SET_DATA").map(PathBuf::from) else {
        println!("skipped: OPEN_SET_DATA is not set: no folder with camvid and camvid-static");
        return;
    };
    let set = Dataset::open("camvid", &data.join("camvid"), &Options::default()).unwrap();
    assert_eq!(set.len(), 233);
    assert_eq!(set.samples()[0].id, "0001TP_008550");
    let loaded = set.read(&set.samples()[0]).unwrap();
    assert!(loaded.truth.labels.iter().all(|label| *label < 11 || *label == crate::labels::IGNORE));

    let options = Options { classes: Some(11), ..Options::default() };
    let set = Dataset::open("folder", &data.join("camvid-static"), &options).unwrap();
    assert_eq!((set.len(), set.classes()), (101, Classes::Model));
    for sample in set.samples() {
        let truth = set.truth(sample).unwrap();
        assert_eq!(truth.size, Size { width: 480, height: 360 });
    }
    assert_eq!(set.depth(&set.samples()[0], Size { width: 480, height: 360 }).unwrap(), None);
}
