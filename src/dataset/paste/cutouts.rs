//! The objects: pictures with alpha, from a folder.

use std::path::Path;

use super::PasteError;
use crate::dataset::file_line;
use crate::dataset::layout::{relative, walk};
use crate::images::{self, ImagesError, Rgba, decode_rgba};

/// What is fainter than this is no part of a cut-out's bounds: strays of the tool it was cut with.
const FAINT: u8 = 8;

/// One object, cut to its bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Cutout {
    pub(crate) name: String,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `width × height`: red, green, blue, alpha.
    pub(crate) pixels: Vec<[u8; 4]>,
}

impl Cutout {
    /// The part of the picture that can be seen; `None` where none can.
    pub fn new(name: &str, picture: &Rgba) -> Option<Self> {
        let (pixels, _) = picture.data.as_chunks::<4>();
        let rows = || pixels.chunks_exact(picture.width.max(1));
        let seen = |pixel: &[u8; 4]| pixel[3] >= FAINT;
        let top = rows().position(|row| row.iter().any(seen))?;
        let bottom = rows().rposition(|row| row.iter().any(seen))? + 1;
        let left = rows().filter_map(|row| row.iter().position(seen)).min()?;
        let right = rows().filter_map(|row| row.iter().rposition(seen)).max()? + 1;
        let pixels = rows().take(bottom).skip(top).flat_map(|row| &row[left..right]).copied().collect();
        Some(Self { name: name.into(), width: right - left, height: bottom - top, pixels })
    }

    /// Its file, from the folder of cut-outs, with `/` between folders.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The cut-outs of a folder.
#[derive(Debug, Default)]
pub struct Cutouts {
    /// In the order of names.
    pub found: Vec<Cutout>,
    /// A line of `sha256sum` for each one's file.
    pub hash_lines: Vec<String>,
    /// Pictures that are no cut-outs: the file, and what it is instead.
    pub left_out: Vec<(String, String)>,
    /// Files that cannot be read or decoded, and why.
    pub failed: Vec<(String, ImagesError)>,
}

impl Cutouts {
    /// Every PNG with alpha in the folder, and in the folders in it.
    ///
    /// # Errors
    /// A folder that cannot be looked into, or no cut-out in it.
    pub fn read(folder: &Path) -> Result<Self, PasteError> {
        let mut cutouts = Self::default();
        walk(folder, &mut |path| {
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
                cutouts.add(relative(folder, &path), images::read(&path));
            }
            Ok(())
        })?;
        if cutouts.found.is_empty() { Err(PasteError::NoCutouts) } else { Ok(cutouts) }
    }

    fn add(&mut self, name: String, file: Result<Vec<u8>, ImagesError>) {
        let picture = file.and_then(|bytes| Ok((decode_rgba(&bytes, &name)?, file_line(&name, &bytes))));
        match picture.map(|(picture, line)| (Cutout::new(&name, &picture), line)) {
            Ok((Some(cutout), line)) => {
                self.found.push(cutout);
                self.hash_lines.push(line.trim_end().into());
            }
            Ok((None, _)) => self.left_out.push((name, "it is transparent all over".into())),
            Err(ImagesError::Layout { got, .. }) => self.left_out.push((name, format!("it holds {got}"))),
            Err(error) => self.failed.push((name, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutout_is_what_can_be_seen() {
        let mut data = vec![0; 5 * 4 * 4];
        for (x, y) in [(1, 1), (3, 2)] {
            data[(y * 5 + x) * 4..][..4].copy_from_slice(&[x as u8, y as u8, 7, 200]);
        }
        data[3] = FAINT - 1; // a stray in the corner
        let cutout = Cutout::new("a", &Rgba { width: 5, height: 4, data }).unwrap();
        assert_eq!((cutout.width, cutout.height), (3, 2));
        assert_eq!((cutout.pixels[0], cutout.pixels[5]), ([1, 1, 7, 200], [3, 2, 7, 200]));
        assert_eq!(cutout.pixels[1], [0; 4]);
        assert_eq!(Cutout::new("b", &Rgba { width: 2, height: 2, data: vec![0; 16] }), None);
    }
}
