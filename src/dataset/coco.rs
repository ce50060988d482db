//! COCO20/80 and Pascal-COCO: the 20 classes of PASCAL VOC are known, the rest of COCO is not.
//!
//! Of COCO panoptic (2017): `val2017/*.jpg`, the maps `panoptic_val2017/*.png` and `panoptic_val2017.json`, in
//! `annotations/` as released or beside the images. A map's colour is a segment's id, `R + 256·G + 65536·B`;
//! the JSON file gives its category, and what is of no segment (0) is ignored. 80 categories are things, 53
//! are stuff.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::{Entry, Files, Layout, Split, Stuff, Values};
use super::error::few;
use super::set_hash::file_line;
use super::truth::Truth;
use super::{Classes, DatasetError, Sample, layout};
use crate::frame::Size;
use crate::images::{self, decode_rgb};
use crate::labels::IGNORE;

/// COCO's id and name of each class of PASCAL VOC, in VOC's order: `panoptic_coco_categories.json` of
/// cocodataset/panopticapi, and the 20 classes of the VOC 2012 challenge.
const KNOWN: [(u32, &str); 20] = [
    (5, "airplane"),
    (2, "bicycle"),
    (16, "bird"),
    (9, "boat"),
    (44, "bottle"),
    (6, "bus"),
    (3, "car"),
    (17, "cat"),
    (62, "chair"),
    (21, "cow"),
    (67, "dining table"),
    (18, "dog"),
    (19, "horse"),
    (4, "motorcycle"),
    (1, "person"),
    (64, "potted plant"),
    (20, "sheep"),
    (63, "couch"),
    (7, "train"),
    (72, "tv"),
];

/// The same as VOC calls them.
const CLASSES: &[&str] = &[
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

const UNKNOWN: u8 = CLASSES.len() as u8;

/// The split that holds only images with a known class and without an unknown one.
const TRAIN: &str = "train";

const VAL_RELEASED: Files = Files::new("annotations/panoptic_val2017", &[".png"]);
const VAL_BESIDE: Files = Files::new("panoptic_val2017", &[".png"]);
const TRAIN_RELEASED: Files = Files::new("annotations/panoptic_train2017", &[".png"]);
const TRAIN_BESIDE: Files = Files::new("panoptic_train2017", &[".png"]);
const VAL: Split = Split::new(
    "val",
    &[
        Layout::new(Files::new("val2017", &[".jpg"]), &[VAL_RELEASED]),
        Layout::new(Files::new("val2017", &[".jpg"]), &[VAL_BESIDE]),
    ],
);

pub(super) const COCO_20_80: Entry = Entry {
    name: "coco20-80",
    about: "20 VOC classes known, COCO's 60 other things unknown, stuff ignored; splits val (default), \
            train (images with known and without unknown classes)",
    splits: &[
        VAL,
        Split::new(
            TRAIN,
            &[
                Layout::new(Files::new("train2017", &[".jpg"]), &[TRAIN_RELEASED]),
                Layout::new(Files::new("train2017", &[".jpg"]), &[TRAIN_BESIDE]),
            ],
        ),
    ],
    classes: Classes::Named(CLASSES),
    values: Values::Panoptic(Stuff::Ignored),
};

/// Its training set is PASCAL VOC's, which is not read here.
pub(super) const PASCAL_COCO: Entry = Entry {
    name: "pascal-coco",
    about: "20 VOC classes known, COCO's other 113 categories unknown; split val",
    splits: &[VAL],
    classes: Classes::Named(CLASSES),
    values: Values::Panoptic(Stuff::Unknown),
};

/// The label of each segment of each image.
#[derive(Debug)]
pub(super) struct Segments {
    file: PathBuf,
    /// By sample; ids of segments in order.
    images: HashMap<String, Box<[(u32, u8)]>>,
}

#[derive(Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Annotation {
    file_name: String,
    segments_info: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    id: u32,
    category_id: u32,
}

#[derive(Deserialize)]
struct Category {
    id: u32,
    name: String,
    isthing: u8,
}

impl Segments {
    /// Also gives the hash line of the JSON file, which all samples share.
    pub(super) fn read(
        entry: &Entry,
        split: &Split,
        layout: &Layout,
        root: &Path,
        stuff: Stuff,
        samples: &mut Vec<Sample>,
    ) -> Result<(Self, String), DatasetError> {
        let file = annotations_file(root, layout)?;
        let bytes = images::read(&file)?;
        let line = file_line(&layout::relative(root, &file), &bytes);
        let content = |reason| DatasetError::Content { file: file.clone(), reason };
        let parsed: Annotations = serde_json::from_slice(&bytes)
            .map_err(|error| content(format!("no panoptic annotations of COCO: {error}")))?;
        let labels = labels(&parsed.categories, stuff).map_err(content)?;
        let mut images = HashMap::new();
        for image in parsed.annotations {
            let mut segments = Vec::with_capacity(image.segments_info.len());
            for Segment { id, category_id } in image.segments_info {
                let Some(label) = labels.get(&category_id) else {
                    let reason = format!("{}: category {category_id} is not in the list", image.file_name);
                    return Err(content(reason));
                };
                segments.push((id, *label));
            }
            segments.sort_unstable();
            let name = image.file_name.strip_suffix(".png").unwrap_or(&image.file_name);
            images.insert(name.to_owned(), segments.into_boxed_slice());
        }
        let alone: Vec<String> =
            samples.iter().map(|s| &s.id).filter(|id| !images.contains_key(*id)).cloned().collect();
        if !alone.is_empty() {
            return Err(content(format!("no annotation of {}", few(&alone))));
        }
        if split.name == TRAIN {
            samples.retain(|sample| images.get(&sample.id).is_some_and(|segments| is_closed_world(segments)));
            if samples.is_empty() {
                let there = "every image has an unknown class or no known one".into();
                let (set, split) = (entry.name, split.name);
                return Err(DatasetError::Empty { root: root.into(), set, split, there });
            }
        }
        Ok((Self { file, images }, line))
    }

    pub(super) fn truth(&self, sample: &Sample, png: &[u8]) -> Result<Truth, DatasetError> {
        let file = &sample.truth[0];
        let rgb = decode_rgb(png, &file.display().to_string())?;
        let segments = self.images.get(&sample.id).map_or(&[][..], |segments| segments);
        let size = Size { width: rgb.width, height: rgb.height };
        let mut labels = Vec::with_capacity(size.width * size.height);
        // Neighbours are mostly of one segment.
        let mut last = (0, IGNORE);
        for (at, [r, g, b]) in rgb.data.as_chunks::<3>().0.iter().enumerate() {
            let id = u32::from_le_bytes([*r, *g, *b, 0]);
            if id != last.0 {
                let label = match segments.binary_search_by_key(&id, |(id, _)| *id) {
                    Ok(found) => segments[found].1,
                    Err(_) if id == 0 => IGNORE,
                    Err(_) => {
                        return Err(DatasetError::Value {
                            file: file.clone(),
                            value: id,
                            x: at % size.width,
                            y: at / size.width,
                            expected: format!("the segments that {} lists for it", self.file.display()),
                        });
                    }
                };
                last = (id, label);
            }
            labels.push(last.1);
        }
        Ok(Truth { size, labels })
    }
}

/// Beside the folder of maps, or in `annotations/`.
fn annotations_file(root: &Path, layout: &Layout) -> Result<PathBuf, DatasetError> {
    let maps = root.join(layout.truth[0].folder);
    let beside = maps.with_extension("json");
    let name = beside.file_name().unwrap_or_default();
    let released = root.join("annotations").join(name);
    if beside.is_file() || released.is_file() {
        return Ok(if beside.is_file() { beside } else { released });
    }
    Err(images::ImagesError::Missing { path: released }.into())
}

/// The label of each category. The file's own list counts, where the 20 known ones are as published.
fn labels(categories: &[Category], stuff: Stuff) -> Result<HashMap<u32, u8>, String> {
    let there: HashSet<_> = categories.iter().map(|c| (c.id, c.name.as_str())).collect();
    if let Some((id, name)) = KNOWN.iter().find(|known| !there.contains(known)) {
        return Err(format!("its list of categories has no {id} \"{name}\", as COCO's has"));
    }
    let label = |category: &Category| match KNOWN.iter().position(|(id, _)| *id == category.id) {
        Some(known) => known as u8, // Of 20.
        None if category.isthing == 1 || stuff == Stuff::Unknown => UNKNOWN,
        None => IGNORE,
    };
    Ok(categories.iter().map(|category| (category.id, label(category))).collect())
}

fn is_closed_world(segments: &[(u32, u8)]) -> bool {
    segments.iter().any(|(_, label)| *label < UNKNOWN) && segments.iter().all(|(_, label)| *label != UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::tests::{Tree, pairs, split};
    use crate::dataset::{Options, SetHash};

    /// COCO's list, shortened to what counts: the known ones, an unknown thing, stuff.
    fn categories() -> String {
        let known = KNOWN.map(|(id, name)| format!(r#"{{"id": {id}, "name": "{name}", "isthing": 1}}"#));
        let others = [(22, "elephant", 1), (149, "road", 0)];
        let others = others.map(|(id, name, thing)| {
            format!(r#"{{"id": {id}, "name": "{name}", "isthing": {thing}, "color": [1, 2, 3]}}"#)
        });
        [&known[..], &others].concat().join(", ")
    }

    fn json(images: &[(&str, &[(u32, u32)])]) -> String {
        let images = images.iter().map(|(name, segments)| {
            let segments = segments
                .iter()
                .map(|(id, category)| format!(r#"{{"id": {id}, "category_id": {category}, "iscrowd": 0}}"#));
            let segments: Vec<_> = segments.collect();
            format!(r#"{{"file_name": "{name}.png", "segments_info": [{}]}}"#, segments.join(", "))
        });
        let images: Vec<_> = images.collect();
        format!(r#"{{"categories": [{}], "annotations": [{}]}}"#, categories(), images.join(", "))
    }

    const PERSON: [u8; 3] = [1, 2, 3];
    const PERSON_ID: u32 = 1 + 2 * 256 + 3 * 65536;
    const ELEPHANT: [u8; 3] = [7, 0, 0];
    const ROAD: [u8; 3] = [0, 9, 0];
    const ALL: &[(u32, u32)] = &[(PERSON_ID, 1), (7, 22), (9 * 256, 149)];

    fn one_image(folder: &str) -> Tree {
        Tree::new()
            .image("val2017/000000000139.jpg")
            .colours(&format!("{folder}panoptic_val2017/000000000139.png"), &[PERSON, ELEPHANT, ROAD, [0; 3]])
            .bytes(&format!("{folder}panoptic_val2017.json"), json(&[("000000000139", ALL)]).as_bytes())
    }

    #[test]
    fn stuff_is_unknown_in_one_and_ignored_in_the_other() {
        for folder in ["annotations/", ""] {
            let tree = one_image(folder);
            let id = "000000000139";
            assert_eq!(
                tree.read("pascal-coco", &Options::default()),
                pairs([(id, &[14, UNKNOWN, UNKNOWN, IGNORE])])
            );
            assert_eq!(
                tree.read("coco20-80", &Options::default()),
                pairs([(id, &[14, UNKNOWN, IGNORE, IGNORE])])
            );
        }
    }

    #[test]
    fn voc_has_twenty_classes_in_alphabetical_order() {
        assert_eq!((KNOWN.len(), CLASSES.len()), (20, 20));
        assert!(CLASSES.is_sorted());
        let differ: Vec<_> = KNOWN.iter().zip(CLASSES).filter(|(a, b)| a.1 != **b).map(|(_, b)| *b).collect();
        assert_eq!(differ, ["aeroplane", "diningtable", "motorbike", "pottedplant", "sofa", "tvmonitor"]);
    }

    #[test]
    fn training_images_have_known_classes_and_no_unknown_one() {
        let images: [(&str, &[(u32, u32)]); 4] =
            [("a", &[(1, 1), (2, 149)]), ("b", &[(1, 1), (2, 22)]), ("c", &[(1, 149)]), ("d", &[])];
        let tree = images.iter().fold(Tree::new(), |tree, (name, _)| {
            tree.image(&format!("train2017/{name}.jpg"))
                .colours(&format!("annotations/panoptic_train2017/{name}.png"), &[[1, 0, 0]; 4])
        });
        let tree = tree.bytes("annotations/panoptic_train2017.json", json(&images).as_bytes());
        assert_eq!(tree.read("coco20-80", &split("train")), pairs([("a", &[14; 4])]));
        let tree = tree.bytes(
            "annotations/panoptic_train2017.json",
            json(&images.map(|(n, _)| (n, &[][..]))).as_bytes(),
        );
        let error = tree.error("coco20-80", &split("train"));
        assert!(error.contains("split train: every image has an unknown class or no known one"), "{error}");
    }

    #[test]
    fn the_annotations_are_part_of_the_hash() {
        let tree = one_image("");
        let set = tree.open("pascal-coco", &Options::default()).unwrap();
        let mut hash = SetHash::default();
        for file in ["panoptic_val2017.json", "val2017/000000000139.jpg", "panoptic_val2017/000000000139.png"]
        {
            hash.add(&file_line(file, &std::fs::read(tree.root().join(file)).unwrap()));
        }
        assert_eq!(set.set_hash().unwrap(), hash.finish());
    }

    #[test]
    fn bad_annotations_are_named() {
        let check = |tree: Tree, expected: &str| {
            let error = tree.error("pascal-coco", &Options::default());
            assert!(error.contains(expected), "{error}");
        };
        let with = |json: String| one_image("").bytes("panoptic_val2017.json", json.as_bytes());
        check(with("[".into()), "panoptic_val2017.json: no panoptic annotations of COCO: EOF");
        check(with(json(&[])), "panoptic_val2017.json: no annotation of 000000000139");
        check(
            with(json(&[("000000000139", &[(1, 12)])])),
            "000000000139.png: category 12 is not in the list",
        );
        check(
            with(json(&[("000000000139", ALL)]).replace("couch", "sofa")),
            "its list of categories has no 63 \"couch\"",
        );
        check(
            with(json(&[("000000000139", &ALL[1..])])),
            "panoptic_val2017/000000000139.png holds 197121 at (0, 0), but its values are the segments that \
             panoptic_val2017.json lists for it",
        );
        let tree =
            Tree::new().image("val2017/1.jpg").colours("annotations/panoptic_val2017/1.png", &[PERSON; 4]);
        check(tree, "no such file: annotations/panoptic_val2017.json");
    }
}
