//! Which files belong to one frame: scores, labels and, where it is asked for, depth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::inputs::{InputsError, walk};
use super::super::outputs;
use crate::scores;

/// What label files are called beyond the frame's name: SegmentMeIfYouCan's, Fishyscapes' and others'.
const LABEL_ENDS: [&str; 2] = ["_labels_semantic", "_labels"];
/// Lies among SegmentMeIfYouCan's labels, for people.
const COLOURED: &str = "_color";
/// What `open-set segment` calls its scores beyond the frame's name.
const SCORE_ENDS: [&str; 1] = [".anomaly"];
/// How many frames an error names.
const NAMED: usize = 5;

/// The files of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub name: String,
    pub scores: PathBuf,
    pub labels: PathBuf,
    pub depth: Option<PathBuf>,
}

/// Why the files do not make frames.
#[derive(Debug, thiserror::Error)]
pub enum PairsError {
    #[error(transparent)]
    Folder(#[from] InputsError),
    #[error("no {what} in {}: looked for .{}", .folder.display(), .ends.join(", ."))]
    Empty { what: &'static str, folder: PathBuf, ends: Vec<&'static str> },
    #[error("{} and {} are both {what} of {name}: leave one there", .files[0].display(), .files[1].display())]
    Twice { what: &'static str, name: String, files: [PathBuf; 2] },
    #[error("files that belong together are told by their names, but there are {}", .0.join("; "))]
    Missing(Vec<String>),
}

/// One file of a folder.
struct Found {
    /// Of the file, without extension and whatever else its kind adds.
    stem: String,
    /// The same with the folders between.
    path: String,
    file: PathBuf,
}

/// The frames of the folders, by name. Files belong together by their names without extensions, wherever they
/// lie below the folders; where a name comes twice, by their paths below them. Dot files, and what lies in dot
/// folders, are what file managers leave behind.
pub fn find(scores: &Path, labels: &Path, depth: Option<&Path>) -> Result<Vec<Pair>, PairsError> {
    let is_score = |file: &Path| {
        let name = file.to_string_lossy();
        !name.ends_with(outputs::LABELS) && scores::EXTENSIONS.iter().any(|e| has_extension(file, e))
    };
    let is_label = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        has_extension(file, "png") && !stem.ends_with(COLOURED)
    };
    let mut kinds = vec![
        ("scores", list("score files", scores, &scores::EXTENSIONS, &SCORE_ENDS, is_score)?),
        ("labels", list("labels", labels, &["png"], &LABEL_ENDS, is_label)?),
    ];
    if let Some(folder) = depth {
        kinds.push(("depth maps", list("depth maps", folder, &["png"], &[], |f| has_extension(f, "png"))?));
    }
    let by_stem = kinds.iter().all(|(_, found)| {
        let mut seen = BTreeSet::new();
        found.iter().all(|f| seen.insert(&f.stem))
    });
    let mut maps = Vec::new();
    for (what, found) in kinds {
        let mut map = BTreeMap::new();
        for Found { stem, path, file } in found {
            let name = if by_stem { stem } else { path };
            if let Some(other) = map.insert(name.clone(), file.clone()) {
                return Err(PairsError::Twice { what, name, files: [other, file] });
            }
        }
        maps.push((what, map));
    }
    let names: BTreeSet<&String> = maps.iter().flat_map(|(_, map)| map.keys()).collect();
    let gap = |(what, map): &(&str, BTreeMap<String, PathBuf>)| {
        let missing: Vec<&str> =
            names.iter().filter(|n| !map.contains_key(**n)).map(|n| n.as_str()).collect();
        (!missing.is_empty()).then(|| format!("no {what} for {}", some(&missing)))
    };
    let gaps: Vec<String> = maps.iter().filter_map(gap).collect();
    if !gaps.is_empty() {
        return Err(PairsError::Missing(gaps));
    }
    let mut maps = maps.into_iter().map(|(_, map)| map);
    let (scores, mut labels) = (maps.next().unwrap_or_default(), maps.next().unwrap_or_default());
    let mut depths = maps.next().unwrap_or_default();
    let pairs = scores.into_iter().filter_map(|(name, scores)| {
        Some(Pair { scores, labels: labels.remove(&name)?, depth: depths.remove(&name), name })
    });
    Ok(pairs.collect())
}

fn list(
    what: &'static str,
    folder: &Path,
    extensions: &[&'static str],
    ends: &[&str],
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<Found>, PairsError> {
    let mut files = Vec::new();
    walk(folder, &wanted, &mut files)?;
    files.retain(|file| !is_hidden(file.strip_prefix(folder).unwrap_or(file)));
    if files.is_empty() {
        return Err(PairsError::Empty { what, folder: folder.into(), ends: extensions.into() });
    }
    files.sort();
    let found = files.into_iter().map(|file| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let stem = ends.iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(&stem).to_owned();
        let parent = file.strip_prefix(folder).unwrap_or(&file).parent().unwrap_or(Path::new(""));
        Found { path: parent.join(&stem).to_string_lossy().into_owned(), stem, file }
    });
    Ok(found.collect())
}

fn is_hidden(below: &Path) -> bool {
    below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

fn some(names: &[&str]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Empty files below `scores/`, `labels/` and `depth/`.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn pairs(files: &[&str]) -> Result<Vec<Pair>, PairsError> {
        let dir = tree(files);
        let depth = dir.path().join("depth");
        find(
            &dir.path().join("scores"),
            &dir.path().join("labels"),
            depth.exists().then_some(depth.as_path()),
        )
    }

    fn names(files: &[&str]) -> Vec<String> {
        pairs(files).unwrap().into_iter().map(|pair| pair.name).collect()
    }

    #[track_caller]
    fn refused(files: &[&str], words: &str) {
        let error = pairs(files).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn files_belong_together_by_name() {
        assert_eq!(names(&["scores/b.npy", "scores/a.hdf5", "labels/a.png", "labels/b.PNG"]), ["a", "b"]);
        let smiyc = [
            "scores/m/set/a_1.hdf5",
            "labels/a_1_labels_semantic.png",
            "labels/a_1_labels_semantic_color.png",
        ];
        assert_eq!(names(&smiyc), ["a_1"]);
        let fishyscapes = ["scores/0_x.npy", "labels/0_x_labels.png"];
        assert_eq!(names(&fishyscapes), ["0_x"]);
        let depth = pairs(&["scores/a.png", "labels/a.png", "depth/x/a.png"]).unwrap();
        assert!(depth[0].depth.as_ref().unwrap().ends_with("depth/x/a.png"));
    }

    #[test]
    fn what_segment_wrote_is_read() {
        let files = ["scores/a.anomaly.npy", "scores/a.labels.png", "scores/a.overlay.jpg", "labels/a.png"];
        let pairs = pairs(&files).unwrap();
        assert_eq!(pairs.len(), 1);
        assert!(pairs[0].name == "a" && pairs[0].scores.ends_with("a.anomaly.npy"));
    }

    #[test]
    fn what_file_managers_leave_behind_is_no_frame() {
        let files =
            ["scores/a.npy", "scores/._a.npy", "labels/a.png", "labels/._a.png", "labels/.trash/a.png"];
        assert_eq!(names(&files), ["a"]);
    }

    #[test]
    fn one_name_in_several_folders_is_told_apart_by_them() {
        let files = ["scores/x/1.npy", "scores/y/1.npy", "labels/x/1_labels.png", "labels/y/1_labels.png"];
        assert_eq!(names(&files), ["x/1", "y/1"]);
        refused(&["scores/1.npy", "scores/1.h5", "labels/1.png"], "are both scores of 1");
    }

    #[test]
    fn what_has_no_partner_is_named() {
        refused(&["scores/a.npy", "labels/a.png", "labels/b.png"], "but there are no scores for b");
        let one = ["scores/a.npy", "labels/a.png"];
        let more = ["scores/1.h5", "scores/2.h5", "scores/3.h5", "scores/4.h5", "scores/5.h5", "scores/6.h5"];
        refused(&[&one[..], &more].concat(), "no labels for 1, 2, 3, 4, 5 and 1 more");
        refused(
            &[&one[..], &["depth/b.png"]].concat(),
            "no scores for b; no labels for b; no depth maps for a",
        );
        refused(&["scores/a.txt", "labels/a.png"], "no score files in ");
        refused(&["labels/a.png"], "cannot open ");
    }
}
