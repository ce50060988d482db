//! The objects: pictures with alpha.

use crate::images::Rgba;

/// What is fainter than this is no part of a cut-out's bounds: strays of the tool it was cut with.
const FAINT: u8 = 8;

/// One object, cut to its bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Cutout {
    pub(super) name: String,
    pub(super) width: usize,
    pub(super) height: usize,
    /// `width × height`: red, green, blue, alpha.
    pub(super) pixels: Vec<[u8; 4]>,
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

    /// What a record calls it.
    pub fn name(&self) -> &str {
        &self.name
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
