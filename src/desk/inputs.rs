//! What the user typed (files, folders, videos) as one row of pictures, each with a name for its outputs.
//!
//! Nothing is decoded before its turn. A picture that cannot be read is handed on as the error it is, so
//! that the rest goes on; a path that is not there, or a row without pictures, is the user's to correct
//! and ends the run before it begins.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::outputs;
use crate::images::{ImagesError, Rgb, Video, read_rgb};

/// What is looked for in folders. A file that is named itself is tried whatever it is called.
const IMAGES: [&str; 9] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp", "ppm", "pgm"];
const VIDEOS: [&str; 8] = ["mp4", "avi", "mkv", "mov", "webm", "m4v", "mpg", "mpeg"];

/// Why there is nothing to do.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// A path that is not there, or cannot be looked into.
    #[error("cannot open {}: {source}", .path.display())]
    Path {
        /// As typed, or found in a folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Paths that are there, and hold nothing.
    #[error("no pictures in {}: looked for .{}", list(.typed), [&IMAGES[..], &VIDEOS[..]].concat().join(", ."))]
    Empty {
        /// As typed.
        typed: Vec<PathBuf>,
    },
}

/// One picture of the row.
pub struct Picture {
    /// Where its outputs go, relative to the output folder and without extension: unique in the row.
    pub name: PathBuf,
    /// Where it came from, for messages.
    pub source: String,
    /// The pixels, or why there are none.
    pub rgb: Result<Rgb, ImagesError>,
}

/// The row: images and videos in the order typed, those of a folder by name.
#[derive(Debug)]
pub struct Inputs {
    files: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    path: PathBuf,
    name: PathBuf,
}

impl Inputs {
    /// Looks at what is there. Folders are walked to their leaves, but not through links to other folders;
    /// what an earlier run wrote there is left out, so that a second one does not eat the first.
    ///
    /// # Errors
    /// A path that is not there, or no picture at all.
    pub fn find(typed: &[PathBuf]) -> Result<Self, InputsError> {
        let mut found = Vec::new();
        for path in typed {
            let path_error = |source| InputsError::Path { path: path.clone(), source };
            let real = fs::canonicalize(path).map_err(path_error)?;
            if real.is_dir() {
                let mut files = Vec::new();
                walk(&real, &|path| is_image(path) || is_video(path), &mut files)?;
                files.sort();
                let depth = real.components().count();
                found.extend(files.into_iter().map(|f| (f.components().count() - depth, f)));
            } else {
                found.push((1, real));
            }
        }
        let mut seen = HashSet::new();
        found.retain(|(_, path)| seen.insert(path.clone()));
        if found.is_empty() {
            return Err(InputsError::Empty { typed: typed.to_vec() });
        }
        let names = unique_names(&found);
        let files = found.into_iter().zip(names).map(|((_, path), name)| Input { path, name }).collect();
        Ok(Self { files })
    }

    /// How many files there are, never none.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Those of them that are videos.
    pub fn videos(&self) -> Vec<&Path> {
        self.files.iter().map(|f| f.path.as_path()).filter(|p| is_video(p)).collect()
    }

    /// How many pictures will come; `None` where a video is among them that does not say.
    pub fn count(&self) -> Option<u64> {
        let count = |path: &Path| {
            if is_video(path) { Video::open(path).ok()?.frame_count() } else { Some(1) }
        };
        self.files.iter().map(|input| count(&input.path)).sum()
    }

    /// The pictures, each decoded when it is asked for.
    pub fn pictures(self) -> impl Iterator<Item = Picture> {
        self.files.into_iter().flat_map(|Input { path, name }| -> Box<dyn Iterator<Item = Picture>> {
            let source = path.display().to_string();
            if !is_video(&path) {
                return Box::new(std::iter::once_with(move || Picture {
                    rgb: read_rgb(&path),
                    name,
                    source,
                }));
            }
            match Video::open(&path) {
                Ok(video) => Box::new(frames(video, path, name)),
                Err(error) => Box::new(std::iter::once(Picture { name, source, rgb: Err(error) })),
            }
        })
    }
}

/// The frames of a video as `NAME/000000`, `NAME/000001`, ...; it ends with its last frame or first error,
/// and a video without frames is an error.
fn frames(mut video: Video, path: PathBuf, name: PathBuf) -> impl Iterator<Item = Picture> {
    let mut broken = false;
    (0u64..).map_while(move |index| {
        if broken {
            return None;
        }
        let rgb = match video.next_frame().transpose() {
            None if index > 0 => return None,
            None => Err(ImagesError::NotAVideo { path: path.clone() }),
            Some(rgb) => rgb,
        };
        broken = rgb.is_err();
        let source = format!("{} frame {index}", path.display());
        Some(Picture { name: name.join(format!("{index:06}")), source, rgb })
    })
}

/// The files that are wanted, of a folder and all below it, in no order; links to other folders are not followed.
///
/// # Errors
/// A folder that cannot be looked into.
pub fn walk(
    dir: &Path,
    wanted: &impl Fn(&Path) -> bool,
    found: &mut Vec<PathBuf>,
) -> Result<(), InputsError> {
    let path_error = |source| InputsError::Path { path: dir.into(), source };
    for entry in fs::read_dir(dir).map_err(path_error)? {
        let entry = entry.map_err(path_error)?;
        let (kind, path) = (entry.file_type().map_err(path_error)?, entry.path());
        if kind.is_dir() {
            walk(&path, wanted, found)?;
        } else if wanted(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// A name for each file: the path below the folder that was typed, without extension. Names that would be
/// the same take in turn their extension and one more folder of their path, until they differ.
fn unique_names(found: &[(usize, PathBuf)]) -> Vec<PathBuf> {
    let mut levels = vec![0; found.len()];
    loop {
        let names: Vec<_> =
            found.iter().zip(&levels).map(|((depth, path), l)| name(path, *depth, *l)).collect();
        let mut count = HashMap::new();
        names.iter().for_each(|name| *count.entry(name).or_insert(0) += 1);
        let clashing: Vec<usize> = (0..names.len()).filter(|i| count[&names[*i]] > 1).collect();
        if clashing.is_empty() {
            return names;
        }
        clashing.into_iter().for_each(|i| levels[i] += 1);
    }
}

/// The last `depth` parts of a path and more with each level; at last the whole path, which is unique.
fn name(path: &Path, depth: usize, level: usize) -> PathBuf {
    let parts: Vec<_> = path.components().filter(|c| matches!(c, Component::Normal(_))).collect();
    let skip = parts.len().checked_sub(depth + level / 2);
    let name: PathBuf = parts[skip.unwrap_or(0)..].iter().collect();
    if level % 2 == 1 || skip.is_none() { name } else { name.with_extension("") }
}

fn is_image(path: &Path) -> bool {
    let name = path.to_string_lossy();
    has_extension(path, &IMAGES) && !name.ends_with(outputs::LABELS) && !name.ends_with(outputs::OVERLAY)
}

fn is_video(path: &Path) -> bool {
    has_extension(path, &VIDEOS)
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    path.extension().is_some_and(|e| known.iter().any(|k| e.eq_ignore_ascii_case(k)))
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that a tree of files gets when `typed` of it are typed.
    fn check(files: &[&str], typed: &[&str], expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let typed: Vec<_> = typed.iter().map(|t| root.path().join(t)).collect();
        let inputs = Inputs::find(&typed).unwrap();
        let names: Vec<_> = inputs.files.iter().map(|f| f.name.to_str().unwrap()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_folder_is_walked_by_name_and_its_paths_are_kept() {
        let files = ["in/b/2.png", "in/b/1.JPG", "in/a.jpeg", "in/notes.txt", "in/z.mp4"];
        check(&files, &["in"], &["a", "b/1", "b/2", "z"]);
    }

    #[test]
    fn what_is_typed_keeps_its_order_and_comes_once() {
        check(&["b.png", "a.png", "odd.name"], &["b.png", "a.png", "b.png"], &["b", "a"]);
        check(&["odd.name"], &["odd.name"], &["odd"]);
        check(&["dots.in.name.png"], &["dots.in.name.png"], &["dots.in.name"]);
    }

    #[test]
    fn equal_names_take_what_tells_them_apart() {
        check(&["1.jpg", "1.png", "2.png"], &["."], &["1.jpg", "1.png", "2"]);
        check(&["left/1.png", "right/1.png", "right/2.png"], &["left", "right"], &["left/1", "right/1", "2"]);
        check(&["a/x/1.png", "b/x/1.png"], &["a/x/1.png", "b/x/1.png"], &["a/x/1", "b/x/1"]);
    }

    #[test]
    fn the_outputs_of_an_earlier_run_are_no_inputs() {
        check(&["1.png", "1.labels.png", "out/1.overlay.jpg"], &["."], &["1"]);
    }

    #[test]
    fn nothing_to_do_is_an_error_that_names_what_was_typed() {
        let root = tempfile::tempdir().unwrap();
        let find = |path: &Path| Inputs::find(&[path.into()]).unwrap_err().to_string();
        let missing = find(&root.path().join("missing"));
        assert!(missing.contains("missing"), "{missing}");
        let empty = find(root.path());
        assert!(empty.starts_with("no pictures in") && empty.contains(".jpg"), "{empty}");
    }

    #[test]
    fn a_picture_that_cannot_be_read_stands_in_the_row_as_its_error() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a.png", "b.mp4"] {
            fs::write(root.path().join(file), "nothing").unwrap();
        }
        let inputs = Inputs::find(&[root.path().into()]).unwrap();
        let pictures: Vec<_> = inputs.pictures().collect();
        assert_eq!(pictures.len(), 2);
        for picture in pictures {
            assert!(picture.rgb.unwrap_err().to_string().contains(&picture.source));
        }
    }
}
