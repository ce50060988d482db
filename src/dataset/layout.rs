//! Finds the files of a split and pairs images with their truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::entry::{Entry, Files, Id, Layout, Split};
use super::error::few;
use super::{DatasetError, Sample};

/// Files by their sample's id.
type ById = BTreeMap<String, PathBuf>;

/// The layout that is there, and its samples by id; never none.
pub(super) struct Found {
    pub layout: &'static Layout,
    pub samples: Vec<Sample>,
}

/// The first layout whose folders are there and whose images are not none.
pub(super) fn find(entry: &Entry, split: &'static Split, root: &Path) -> Result<Found, DatasetError> {
    for layout in split.layouts {
        let is_there = |files: &Files| root.join(files.folder).is_dir();
        if !is_there(&layout.images) || !layout.truth.iter().all(is_there) {
            continue;
        }
        let images = list(root, &layout.images)?;
        if !images.is_empty() {
            return Ok(Found { layout, samples: pair(entry, split, layout, images, root)? });
        }
    }
    let looked_for: Vec<_> = split.layouts.iter().map(Layout::describe).collect();
    Err(DatasetError::Layout {
        root: root.into(),
        set: entry.name,
        split: split.name,
        looked_for: looked_for.join(", or "),
        there: there(root, split),
    })
}

fn pair(
    entry: &Entry,
    split: &Split,
    layout: &Layout,
    mut images: ById,
    root: &Path,
) -> Result<Vec<Sample>, DatasetError> {
    let ids: Vec<String> = images.keys().cloned().collect();
    images.retain(|id, _| (split.holds)(id));
    let mut truths = Vec::new();
    for files in layout.truth {
        let mut truth = list(root, files)?;
        truth.retain(|id, _| (split.holds)(id));
        if layout.truth_chooses {
            images.retain(|id, _| truth.contains_key(id));
        }
        let images_alone = without(&images, &truth, root);
        let truth_alone = without(&truth, &images, root);
        if !images_alone.is_empty() || !truth_alone.is_empty() {
            return Err(DatasetError::Unpaired {
                root: root.into(),
                image_files: layout.images.describe(),
                truth_files: files.describe(),
                images_alone,
                truth_alone,
            });
        }
        truths.push(truth);
    }
    if images.is_empty() {
        let there = format!("the ids there are {}", few(&ids));
        return Err(DatasetError::Empty { root: root.into(), set: entry.name, split: split.name, there });
    }
    let sample = |(id, image): (String, PathBuf)| Sample {
        truth: truths.iter_mut().filter_map(|truth| truth.remove(&id)).collect(),
        id,
        image,
    };
    Ok(images.into_iter().map(sample).collect())
}

/// Those of one kind whose id the other kind lacks, below the root.
fn without(files: &ById, others: &ById, root: &Path) -> Vec<String> {
    let alone = files.iter().filter(|(id, _)| !others.contains_key(*id));
    alone.map(|(_, file)| relative(root, file)).collect()
}

/// A path below the root as hash lines and messages hold it: `/` between folders, on every system.
pub(crate) fn relative(root: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(root).unwrap_or(file).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn list(root: &Path, files: &Files) -> Result<ById, DatasetError> {
    let folder = root.join(files.folder);
    let mut found = ById::new();
    walk(&folder, &mut |path| {
        let Some(id) = files.id_of(&relative(&folder, &path)) else { return Ok(()) };
        match found.insert(id.clone(), path.clone()) {
            Some(first) => Err(DatasetError::Twice { id, first, second: path }),
            None => Ok(()),
        }
    })?;
    Ok(found)
}

/// Every file below `folder`, links followed, in the order of names. A link back to a folder it lies in would
/// give its files again and again: it is an error.
pub(crate) fn walk(
    folder: &Path,
    each: &mut impl FnMut(PathBuf) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    walk_in(folder, &mut Vec::new(), each)
}

/// `above`: the folders on the way here, links resolved.
fn walk_in(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    each: &mut impl FnMut(PathBuf) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let real = folder.canonicalize().map_err(|source| DatasetError::Walk { path: folder.into(), source })?;
    if above.contains(&real) {
        return Err(DatasetError::Loop { path: folder.into(), to: real });
    }
    above.push(real);
    for path in entries(folder)? {
        // Any file could be one of the set's, so any name must be one that a hash line can hold.
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) if name.starts_with('.') => continue, // What file managers leave behind.
            Some(name) if !name.contains(['\n', '\r', '\\']) => {}
            _ => return Err(DatasetError::FileName { path }),
        }
        if path.is_dir() {
            walk_in(&path, above, each)?;
        } else {
            each(path)?;
        }
    }
    above.pop();
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let walk = |source| DatasetError::Walk { path: folder.into(), source };
    let paths = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = paths.map_err(walk)?;
    paths.sort();
    Ok(paths)
}

impl Files {
    /// `gtFine/val/**/*_gtFine_labelIds.png`
    pub(super) fn describe(&self) -> String {
        let folder = if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) };
        match self.suffixes {
            [suffix] => format!("{folder}**/*{suffix}"),
            suffixes => format!("{folder}**/*{{{}}}", suffixes.join(",")),
        }
    }

    /// `None` for a path that is of another kind.
    fn id_of(&self, path: &str) -> Option<String> {
        let stem = self.suffixes.iter().find_map(|suffix| {
            let (stem, end) = path.split_at_checked(path.len().checked_sub(suffix.len())?)?;
            end.eq_ignore_ascii_case(suffix).then_some(stem)
        })?;
        let name = stem.rsplit('/').next().unwrap_or(stem);
        let id = match self.id {
            Id::Path => stem,
            Id::Name => name,
            Id::AfterNumber => name.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('_')?,
        };
        (!id.is_empty() && !id.ends_with('/')).then(|| id.into())
    }
}

impl Layout {
    fn describe(&self) -> String {
        let truth: Vec<_> = self.truth.iter().map(Files::describe).collect();
        format!("{} with {}", self.images.describe(), truth.join(" and "))
    }
}

/// What is in the root, and in those folders that are only part of the way to what was looked for.
fn there(root: &Path, split: &Split) -> String {
    let mut folders = vec![root.to_path_buf()];
    for files in split.layouts.iter().flat_map(|layout| layout.truth.iter().chain([&layout.images])) {
        let folder = root.join(files.folder);
        if let Some(deepest) = folder.ancestors().find(|f| f.is_dir())
            && !folders.iter().any(|f| f == deepest)
        {
            folders.push(deepest.into());
        }
    }
    let holds = |folder: &PathBuf| match entries(folder) {
        Err(error) => error.to_string(),
        Ok(paths) => {
            let slash = |path: &PathBuf| if path.is_dir() { "/" } else { "" };
            let names: Vec<_> = paths.iter().map(|p| relative(folder, p) + slash(p)).collect();
            format!("{} holds {}", folder.display(), few(&names))
        }
    };
    folders.iter().map(holds).collect::<Vec<_>>().join("; ")
}
