//! Pictures in and out: image files, encoded bytes, camera layouts, videos.
//!
//! Place: before the walk (what a file, a compressed message or a mosaic sensor gives becomes tight rgb8)
//! and after it (label maps to PNG, overlays to JPEG). OpenCV does it, because the pictures a network is
//! trained on are decoded by the same libraries: a pixel here is the pixel there, bit for bit.
//!
//! Deliberately does not know: what a label means, models, ROS, where outputs go.
//!
//! Built without feature `vision` the same functions are here, and say so as an error where they would
//! need OpenCV ([`ImagesError::NotBuilt`]): callers hold no `cfg`.

mod error;
mod file;
mod jpeg;
mod png;
mod rgb;

#[cfg_attr(feature = "vision", path = "opencv.rs")]
#[cfg_attr(not(feature = "vision"), path = "absent.rs")]
mod backend;

#[cfg(all(test, feature = "vision"))]
pub(crate) use backend::write_test_video;
pub use backend::{Video, encode_jpeg_rgb, encode_png_gray, encode_png_rgb};
pub use error::ImagesError;
pub use file::{read_gray, read_rgb, write_atomically};
pub use rgb::to_rgb;

/// The quality of every JPEG written here: that of OpenCV and of ROS's `compressed_image_transport`.
pub const JPEG_QUALITY: u8 = 95;

/// A colour picture, tightly packed: red, green, blue; row 0 is the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width × height × 3` bytes.
    pub data: Vec<u8>,
}

/// One byte per pixel, tightly packed: a label map or a mask; row 0 is the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gray {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width × height` bytes.
    pub data: Vec<u8>,
}

/// The colour picture that encoded bytes (JPEG, PNG, ...) hold, upright as its EXIF says. `name` is how an
/// error calls it.
///
/// # Errors
/// Bytes that are no image, or a JPEG that was cut off: decoders fill the rest with gray and say nothing.
pub fn decode_rgb(bytes: &[u8], name: &str) -> Result<Rgb, ImagesError> {
    if jpeg::is_cut_off(bytes) {
        return Err(ImagesError::CutOff { name: name.into(), bytes: bytes.len() });
    }
    backend::decode_rgb(bytes)?
        .ok_or_else(|| ImagesError::NotAnImage { name: name.into(), bytes: bytes.len() })
}

/// The bytes of a label map or mask, exactly as stored: nothing is scaled, looked up or turned.
///
/// # Errors
/// As [`decode_rgb`]; and a picture of colour, palette, alpha, or of any depth but 8 bits, whose values
/// could only be guessed.
pub fn decode_gray(bytes: &[u8], name: &str) -> Result<Gray, ImagesError> {
    let not_gray = |got| ImagesError::NotGray { name: name.into(), got };
    // What the PNG header says comes first: a decoder would expand it, and the message would be about that.
    if let Some(surprise) = png::surprise(bytes) {
        return Err(not_gray(surprise));
    }
    match backend::decode_as_stored(bytes)? {
        None => Err(ImagesError::NotAnImage { name: name.into(), bytes: bytes.len() }),
        Some(Stored::Gray(gray)) => Ok(gray),
        Some(Stored::Other { channels, bits }) => {
            Err(not_gray(format!("{channels} channels of {bits} bits")))
        }
    }
}

/// What an encoded picture holds before anyone converts it.
#[cfg_attr(not(feature = "vision"), allow(dead_code))]
enum Stored {
    /// One channel of 8 bits.
    Gray(Gray),
    /// Anything else.
    Other { channels: i32, bits: usize },
}

/// Both sides of the promise `data` is `width × height × channels`; everything encoded here is checked so.
#[cfg_attr(not(feature = "vision"), allow(dead_code))]
fn check_length(data: &[u8], width: usize, height: usize, channels: usize) -> Result<(), ImagesError> {
    let expected = width.saturating_mul(height).saturating_mul(channels);
    if expected == 0 || data.len() != expected {
        return Err(ImagesError::Length { got: data.len(), expected, width, height, channels });
    }
    Ok(())
}

#[cfg(all(test, feature = "vision"))]
mod tests;
