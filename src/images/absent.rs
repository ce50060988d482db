//! The room without OpenCV: the signatures of `opencv.rs`, each of which says what is missing.

use std::convert::Infallible;
use std::path::Path;

use super::{ImagesError, Rgb, Stored};
use crate::frame::Frame;

fn absent<T>(what: &'static str) -> Result<T, ImagesError> {
    Err(ImagesError::NotBuilt { what })
}

pub(super) fn decode_rgb(_: &[u8]) -> Result<Option<Rgb>, ImagesError> {
    absent("decoding an image")
}

pub(super) fn decode_as_stored(_: &[u8]) -> Result<Option<Stored>, ImagesError> {
    absent("decoding a label map, a mask or a score map")
}

pub(super) fn connected_components(
    _: &[u8],
    _: usize,
    _: usize,
    _: &mut [i32],
) -> Result<usize, ImagesError> {
    absent("finding connected components")
}

pub(super) fn convert(frame: &Frame<'_>, _: &mut [u8]) -> Result<(), ImagesError> {
    absent(frame.encoding().name())
}

/// Not in this program.
///
/// # Errors
/// Always [`ImagesError::NotBuilt`].
pub fn encode_png_gray(_: &[u8], _: usize, _: usize, _: &mut Vec<u8>) -> Result<(), ImagesError> {
    absent("encoding a png")
}

/// Not in this program.
///
/// # Errors
/// Always [`ImagesError::NotBuilt`].
pub fn encode_png_rgb(_: &[u8], _: usize, _: usize, _: &mut Vec<u8>) -> Result<(), ImagesError> {
    absent("encoding a png")
}

/// Not in this program.
///
/// # Errors
/// Always [`ImagesError::NotBuilt`].
pub fn encode_png_rgba(_: &[u8], _: usize, _: usize, _: &mut Vec<u8>) -> Result<(), ImagesError> {
    absent("encoding a png")
}

pub(super) fn resize_rgb(_: &Rgb, _: usize, _: usize, _: &mut [u8]) -> Result<(), ImagesError> {
    absent("resizing a picture")
}

pub(super) fn blur_rgb(_: &Rgb, _: f64, _: &mut [u8]) -> Result<(), ImagesError> {
    absent("blurring a picture")
}

/// Not in this program.
///
/// # Errors
/// Always [`ImagesError::NotBuilt`].
pub fn encode_jpeg_rgb(_: &[u8], _: usize, _: usize, _: &mut Vec<u8>) -> Result<(), ImagesError> {
    absent("encoding a jpeg")
}

/// A video, of which there is none in this program.
#[derive(Debug)]
pub struct Video(Infallible);

impl Video {
    /// Not in this program.
    ///
    /// # Errors
    /// Always [`ImagesError::NotBuilt`].
    pub fn open(_: &Path) -> Result<Self, ImagesError> {
        absent("decoding a video")
    }

    /// Never called: there is no `Video`.
    ///
    /// # Errors
    /// None.
    pub fn next_frame(&mut self) -> Result<Option<Rgb>, ImagesError> {
        match self.0 {}
    }

    /// Never called: there is no `Video`.
    pub fn fps(&self) -> Option<f64> {
        match self.0 {}
    }

    /// Never called: there is no `Video`.
    pub fn frame_count(&self) -> Option<u64> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_way_to_get_it() {
        let error = Video::open(Path::new("a.mp4")).unwrap_err().to_string();
        assert_eq!(
            error,
            "built without feature vision: decoding a video needs OpenCV; build with --features vision"
        );
    }
}
