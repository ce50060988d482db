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
pub use backend::{Video, encode_jpeg_rgb, encode_png_gray, encode_png_rgb, encode_png_rgba};
pub use error::ImagesError;
#[cfg(feature = "vision")]
pub(crate) use file::read;
pub use file::{read_gray, read_gray16, read_rgb, read_rgba, write_atomically};
pub use rgb::to_rgb;

/// The quality of every JPEG written here: that of OpenCV and of ROS's `compressed_image_transport`.
pub const JPEG_QUALITY: u8 = 95;

/// No camera has as many pixels; a broken header may ask for more memory than there is.
pub(crate) const MAX_PIXELS: u64 = 1 << 28;

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

/// Two bytes per pixel: a score or depth map; row 0 is the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gray16 {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Of a value as the file stores it, 8 or 16: values are below 2^bits.
    pub bits: u8,
    /// `width × height` values.
    pub data: Vec<u16>,
}

/// A colour picture with how opaque each pixel is (0: not at all, 255: fully); row 0 is the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgba {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width × height × 4` bytes: red, green, blue, alpha; colours are not multiplied by alpha.
    pub data: Vec<u8>,
}

/// What hangs together in a mask: pixels that touch by a side or a corner do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedComponents {
    /// `width × height`: 0 where the mask is 0, else the component, from 1 on.
    pub labels: Vec<i32>,
    /// Pixels of each component; `areas[0]` is the background's.
    pub areas: Vec<u32>,
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

/// Width and height as the header of a JPEG or a PNG says, without decoding it.
pub fn encoded_size(bytes: &[u8]) -> Option<(u32, u32)> {
    png::size(bytes).or_else(|| jpeg::size(bytes))
}

/// The picture that a camera's compressed message holds: a JPEG or a PNG of 8 bits, as [`decode_rgb`].
///
/// # Errors
/// As there; another format, a picture of more than 2^28 pixels, before it is decoded, and a PNG of another
/// depth, of which a decoder would keep the upper bits and say nothing.
pub fn decode_camera(bytes: &[u8], name: &str) -> Result<Rgb, ImagesError> {
    if jpeg::is_cut_off(bytes) {
        return Err(ImagesError::CutOff { name: name.into(), bytes: bytes.len() });
    }
    let Some((width, height)) = encoded_size(bytes) else {
        return Err(ImagesError::NotAnImage { name: name.into(), bytes: bytes.len() });
    };
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImagesError::TooLarge { name: name.into(), width, height });
    }
    if let Some(bits) = png::bits(bytes).filter(|bits| *bits > 8) {
        let (got, wanted) = (format!("values of {bits} bits"), "a camera's picture has values of 8 bits");
        return Err(ImagesError::Layout { name: name.into(), got, wanted });
    }
    decode_rgb(bytes, name)
}

/// The bytes of a label map or mask, exactly as stored: nothing is scaled, looked up or turned.
///
/// # Errors
/// As [`decode_rgb`]; a PNG of more than 2^28 pixels, before it is decoded; and a picture of colour, palette, alpha, or of any depth but 8 bits, whose values
/// could only be guessed.
pub fn decode_gray(bytes: &[u8], name: &str) -> Result<Gray, ImagesError> {
    let wanted = "labels and masks are gray of 8 bits";
    match decode_stored(bytes, name, &[8], wanted)? {
        Stored::Gray(gray) => Ok(gray),
        other => Err(ImagesError::Layout { name: name.into(), got: other.to_string(), wanted }),
    }
}

/// The values of a score or depth map of 8 or 16 bits, exactly as stored.
///
/// # Errors
/// As [`decode_gray`], with both depths allowed.
pub fn decode_gray16(bytes: &[u8], name: &str) -> Result<Gray16, ImagesError> {
    let wanted = "scores and depths are gray of 8 or 16 bits";
    match decode_stored(bytes, name, &[8, 16], wanted)? {
        Stored::Gray16(gray) => Ok(gray),
        Stored::Gray(Gray { width, height, data }) => {
            Ok(Gray16 { width, height, bits: 8, data: data.into_iter().map(u16::from).collect() })
        }
        other => Err(ImagesError::Layout { name: name.into(), got: other.to_string(), wanted }),
    }
}

/// A picture with its alpha.
///
/// # Errors
/// As [`decode_rgb`]; and a picture without alpha, or of another depth than 8 bits.
pub fn decode_rgba(bytes: &[u8], name: &str) -> Result<Rgba, ImagesError> {
    match backend::decode_as_stored(bytes)? {
        None => Err(ImagesError::NotAnImage { name: name.into(), bytes: bytes.len() }),
        Some(Stored::Rgba(rgba)) => Ok(rgba),
        Some(other) => {
            let wanted = "a cut-out has red, green, blue and alpha of 8 bits";
            Err(ImagesError::Layout { name: name.into(), got: other.to_string(), wanted })
        }
    }
}

/// As stored, where a PNG is gray of one of these depths: a decoder would expand it before one could see.
fn decode_stored(
    bytes: &[u8],
    name: &str,
    gray_bits: &[u8],
    wanted: &'static str,
) -> Result<Stored, ImagesError> {
    if let Some((width, height)) = png::size(bytes)
        && u64::from(width) * u64::from(height) > MAX_PIXELS
    {
        return Err(ImagesError::TooLarge { name: name.into(), width, height });
    }
    if let Some(got) = png::surprise(bytes, gray_bits) {
        return Err(ImagesError::Layout { name: name.into(), got, wanted });
    }
    backend::decode_as_stored(bytes)?
        .ok_or_else(|| ImagesError::NotAnImage { name: name.into(), bytes: bytes.len() })
}

/// The picture in another size: by area (OpenCV's `INTER_AREA`) where it becomes smaller both ways, else
/// bilinear with half-pixel centres.
///
/// # Errors
/// [`ImagesError::Length`] for a side of 0 or pixels that do not fit their size; [`ImagesError::NotBuilt`]
/// without OpenCV.
pub fn resize_rgb(rgb: &Rgb, width: usize, height: usize) -> Result<Rgb, ImagesError> {
    check_length(&rgb.data, rgb.width, rgb.height, 3)?;
    let mut data = vec![0; width.saturating_mul(height).saturating_mul(3).min(MAX_PIXELS as usize * 3)];
    check_length(&data, width, height, 3)?;
    backend::resize_rgb(rgb, width, height, &mut data)?;
    Ok(Rgb { width, height, data })
}

/// The picture blurred by a Gaussian whose deviation is `sigma` pixels; one of 0 or less changes nothing.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit their size; [`ImagesError::NotBuilt`] without OpenCV.
pub fn blur_rgb(rgb: &Rgb, sigma: f64) -> Result<Rgb, ImagesError> {
    check_length(&rgb.data, rgb.width, rgb.height, 3)?;
    if sigma.is_nan() || sigma <= 0.0 {
        return Ok(rgb.clone());
    }
    let mut data = vec![0; rgb.data.len()];
    backend::blur_rgb(rgb, sigma, &mut data)?;
    Ok(Rgb { width: rgb.width, height: rgb.height, data })
}

/// The components of a mask by 8-connectivity. A pixel is in where the mask is not 0.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit the size; [`ImagesError::NotBuilt`] without OpenCV.
pub fn connected_components(
    mask: &[u8],
    width: usize,
    height: usize,
) -> Result<ConnectedComponents, ImagesError> {
    check_length(mask, width, height, 1)?;
    let mut labels = vec![0; mask.len()];
    let mut areas = vec![0; backend::connected_components(mask, width, height, &mut labels)?];
    // Run by run: adding to one number pixel by pixel waits for its memory each time, 5 ms a frame.
    for run in labels.chunk_by(|a, b| a == b) {
        if let Some(area) = areas.get_mut(run[0] as usize) {
            *area += run.len() as u32;
        }
    }
    Ok(ConnectedComponents { labels, areas })
}

/// What an encoded picture holds before anyone converts it.
#[cfg_attr(not(feature = "vision"), allow(dead_code))]
enum Stored {
    /// One channel of 8 bits.
    Gray(Gray),
    /// One channel of 16 bits.
    Gray16(Gray16),
    /// Four channels of 8 bits.
    Rgba(Rgba),
    /// Anything else.
    Other { channels: i32, bits: usize },
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (channels, bits) = match self {
            Self::Gray(_) => (1, 8),
            Self::Gray16(_) => (1, 16),
            Self::Rgba(_) => (4, 8),
            Self::Other { channels, bits } => (*channels, *bits),
        };
        write!(f, "{channels} channel{} of {bits} bits", if channels == 1 { "" } else { "s" })
    }
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
