//! The room with OpenCV: decoding, encoding, colour conversion, video. Nothing else names the crate.
//!
//! Every `Mat` over memory of this side is made by the constructors that check its length and carry its
//! lifetime: no `unsafe`. The `_def` forms are those that stay the same between OpenCV's minor versions.

use std::path::Path;

use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{
    CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_32S, DataType, Mat, Rect, ToInputArray, Vec2b, Vec3b, Vec4b,
    Vector,
};
use opencv::prelude::*;
use opencv::{imgcodecs, imgproc, videoio};

use super::{Gray, Gray16, ImagesError, JPEG_QUALITY, Rgb, Rgba, Stored, check_length};
use crate::frame::{Encoding, Frame};

pub(super) fn decode_rgb(bytes: &[u8]) -> Result<Option<Rgb>, ImagesError> {
    decode(bytes, imgcodecs::IMREAD_COLOR)?.map(|bgr| rgb_of(&bgr)).transpose()
}

pub(super) fn decode_as_stored(bytes: &[u8]) -> Result<Option<Stored>, ImagesError> {
    let Some(mat) = decode(bytes, imgcodecs::IMREAD_UNCHANGED)? else { return Ok(None) };
    let (width, height) = (mat.cols() as usize, mat.rows() as usize);
    let pixels = "reading pixels";
    Ok(Some(match mat.typ() {
        CV_8UC1 => {
            let data = mat.data_typed::<u8>().map_err(said(pixels))?.to_vec();
            Stored::Gray(Gray { width, height, data })
        }
        CV_16UC1 => {
            let data = mat.data_typed::<u16>().map_err(said(pixels))?.to_vec();
            Stored::Gray16(Gray16 { width, height, bits: 16, data })
        }
        CV_8UC4 => {
            let bgra = mat.data_typed::<Vec4b>().map_err(said(pixels))?;
            let data = bgra.iter().flat_map(|p| [p[2], p[1], p[0], p[3]]).collect();
            Stored::Rgba(Rgba { width, height, data })
        }
        _ => Stored::Other { channels: mat.channels(), bits: mat.elem_size1() * 8 },
    }))
}

/// Labels into `labels`, `width × height` of them; gives their number, the background's 0 counted.
pub(super) fn connected_components(
    mask: &[u8],
    width: usize,
    height: usize,
    labels: &mut [i32],
) -> Result<usize, ImagesError> {
    let mask = Mat::new_rows_cols_with_bytes::<u8>(int(height)?, int(width)?, mask)
        .map_err(said("wrapping pixels"))?;
    let ours = labels.as_ptr();
    let mut out = Mat::new_rows_cols_with_data_mut::<i32>(int(height)?, int(width)?, labels)
        .map_err(said("wrapping labels"))?;
    let count =
        imgproc::connected_components_with_algorithm(&mask, &mut out, 8, CV_32S, imgproc::CCL_DEFAULT)
            .map_err(said("connected components"))?;
    if out.data() != ours.cast() {
        let message = format!("the result is not {width}x{height} of 32 bits");
        return Err(ImagesError::Library { what: "connected components", message });
    }
    Ok(count as usize)
}

/// YUV and Bayer to tight rgb8. `out` holds exactly `width × height × 3` bytes.
pub(super) fn convert(frame: &Frame<'_>, out: &mut [u8]) -> Result<(), ImagesError> {
    let code = match frame.encoding() {
        Encoding::Uyvy => imgproc::COLOR_YUV2RGB_UYVY,
        Encoding::Yuyv => imgproc::COLOR_YUV2RGB_YUY2,
        Encoding::Nv12 => imgproc::COLOR_YUV2RGB_NV12,
        // ROS names a mosaic by the top left 2x2, OpenCV by the 2x2 one row and one column further in.
        Encoding::BayerRggb8 => imgproc::COLOR_BayerBG2RGB,
        Encoding::BayerBggr8 => imgproc::COLOR_BayerRG2RGB,
        Encoding::BayerGbrg8 => imgproc::COLOR_BayerGR2RGB,
        Encoding::BayerGrbg8 => imgproc::COLOR_BayerGB2RGB,
        plain => {
            return Err(ImagesError::Library {
                what: "colour conversion",
                message: format!("{plain} needs none"),
            });
        }
    };
    let (bytes, step) = (frame.encoding().bytes_per_pixel(), frame.step());
    let row = frame.width() * bytes;
    // A step that is no whole number of pixels cannot be a Mat's width: such a frame is packed first. It
    // allocates, which is accepted for a layout no camera driver is known to send.
    let packed: Vec<u8>;
    let (data, step) = if step.is_multiple_of(bytes) {
        (frame.data(), step)
    } else {
        packed = frame.data().chunks_exact(step).flat_map(|r| &r[..row]).copied().collect();
        (&packed[..], row)
    };
    match bytes {
        2 => convert_view::<Vec2b>(frame, data, step / 2, code, out),
        _ => convert_view::<u8>(frame, data, step, code, out),
    }
}

/// `step` is in pixels of type `T`: the padding makes part of the Mat, and is then left out of the view.
fn convert_view<T: DataType>(
    frame: &Frame<'_>,
    data: &[u8],
    step: usize,
    code: i32,
    out: &mut [u8],
) -> Result<(), ImagesError> {
    let padded =
        Mat::new_rows_cols_with_bytes::<T>(int(data.len() / size_of::<T>() / step)?, int(step)?, data)
            .map_err(said("wrapping pixels"))?;
    let view =
        Mat::roi(&padded, Rect::new(0, 0, int(frame.width())?, padded.rows())).map_err(said("cropping"))?;
    cvt_into(&view, code, frame.width(), frame.height(), out)
}

/// Encodes `width × height` bytes as a gray PNG into `out`, replacing what was there.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit the size.
pub fn encode_png_gray(
    data: &[u8],
    width: usize,
    height: usize,
    out: &mut Vec<u8>,
) -> Result<(), ImagesError> {
    check_length(data, width, height, 1)?;
    let gray = Mat::new_rows_cols_with_bytes::<u8>(int(height)?, int(width)?, data)
        .map_err(said("wrapping pixels"))?;
    encode(".png", &gray, Vector::new(), out)
}

/// Encodes `width × height × 3` bytes as a colour PNG into `out`, replacing what was there.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit the size.
pub fn encode_png_rgb(
    data: &[u8],
    width: usize,
    height: usize,
    out: &mut Vec<u8>,
) -> Result<(), ImagesError> {
    encode(".png", &bgr_of(data, width, height)?, Vector::new(), out)
}

/// Encodes `width × height × 4` bytes (red, green, blue, alpha) as a PNG into `out`, replacing what was there.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit the size.
pub fn encode_png_rgba(
    data: &[u8],
    width: usize,
    height: usize,
    out: &mut Vec<u8>,
) -> Result<(), ImagesError> {
    check_length(data, width, height, 4)?;
    let rgba = Mat::new_rows_cols_with_bytes::<Vec4b>(int(height)?, int(width)?, data)
        .map_err(said("wrapping pixels"))?;
    let mut bgra = Mat::default();
    imgproc::cvt_color_def(&rgba, &mut bgra, imgproc::COLOR_RGBA2BGRA).map_err(said("colour conversion"))?;
    encode(".png", &bgra, Vector::new(), out)
}

/// By area where it becomes smaller both ways, as a camera's pixel gathers light; bilinear, with half-pixel
/// centres, where it does not.
pub(super) fn resize_rgb(rgb: &Rgb, width: usize, height: usize, out: &mut [u8]) -> Result<(), ImagesError> {
    let what = "resizing";
    let from = Mat::new_rows_cols_with_bytes::<Vec3b>(int(rgb.height)?, int(rgb.width)?, &rgb.data)
        .map_err(said("wrapping pixels"))?;
    let smaller = width <= rgb.width && height <= rgb.height;
    let how = if smaller { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
    let size = opencv::core::Size::new(int(width)?, int(height)?);
    into_ours(what, width, height, out, |to| imgproc::resize(&from, to, size, 0.0, 0.0, how))
}

/// A Gaussian of that deviation in pixels; the border is mirrored.
pub(super) fn blur_rgb(rgb: &Rgb, sigma: f64, out: &mut [u8]) -> Result<(), ImagesError> {
    let what = "blurring";
    let from = Mat::new_rows_cols_with_bytes::<Vec3b>(int(rgb.height)?, int(rgb.width)?, &rgb.data)
        .map_err(said("wrapping pixels"))?;
    let by_sigma = opencv::core::Size::new(0, 0);
    into_ours(what, rgb.width, rgb.height, out, |to| imgproc::gaussian_blur_def(&from, to, by_sigma, sigma))
}

/// Encodes `width × height × 3` bytes as a JPEG of [`JPEG_QUALITY`] into `out`, replacing what was there.
///
/// # Errors
/// [`ImagesError::Length`] for pixels that do not fit the size.
pub fn encode_jpeg_rgb(
    data: &[u8],
    width: usize,
    height: usize,
    out: &mut Vec<u8>,
) -> Result<(), ImagesError> {
    let params = Vector::from_iter([imgcodecs::IMWRITE_JPEG_QUALITY, i32::from(JPEG_QUALITY)]);
    encode(".jpg", &bgr_of(data, width, height)?, params, out)
}

/// A video file, from its first frame to its last.
#[derive(Debug)]
pub struct Video {
    capture: videoio::VideoCapture,
    /// Reused: the decoder writes each frame into the memory of the one before.
    bgr: Mat,
}

impl Video {
    /// Opens the file with OpenCV's FFmpeg backend, the one every build of it has: tried in turn, the others
    /// would start a media framework with threads, caches and messages of its own for each wrong file.
    ///
    /// # Errors
    /// No such file, or no video.
    pub fn open(path: &Path) -> Result<Self, ImagesError> {
        // OpenCV takes a missing path for a camera, an address or a pattern of file names, and tries them.
        if !path.is_file() {
            return Err(ImagesError::Missing { path: path.into() });
        }
        let capture = videoio::VideoCapture::from_file(path, videoio::CAP_FFMPEG);
        let capture = capture.map_err(said("opening a video"))?;
        if !capture.is_opened().map_err(said("opening a video"))? {
            return Err(ImagesError::NotAVideo { path: path.into() });
        }
        Ok(Self { capture, bgr: Mat::default() })
    }

    /// The next frame; `None` after the last. A file that was cut off ends where it can be decoded to.
    ///
    /// # Errors
    /// What OpenCV refuses.
    pub fn next_frame(&mut self) -> Result<Option<Rgb>, ImagesError> {
        let got = self.capture.read(&mut self.bgr).map_err(said("decoding a video"))?;
        (got && !self.bgr.empty()).then(|| rgb_of(&self.bgr)).transpose()
    }

    /// Frames per second, as the container says; `None` where it does not.
    pub fn fps(&self) -> Option<f64> {
        self.property(videoio::CAP_PROP_FPS)
    }

    /// How many frames there should be, as the container says; `None` where it does not.
    pub fn frame_count(&self) -> Option<u64> {
        self.property(videoio::CAP_PROP_FRAME_COUNT).map(|n| n as u64)
    }

    /// Containers that do not know give zero, a negative number or NaN.
    fn property(&self, id: i32) -> Option<f64> {
        self.capture.get(id).ok().filter(|v| v.is_finite() && *v > 0.0)
    }
}

/// `None` for bytes no decoder takes.
fn decode(bytes: &[u8], flags: i32) -> Result<Option<Mat>, ImagesError> {
    if bytes.is_empty() {
        return Ok(None); // OpenCV throws where it could say so.
    }
    let bytes = Mat::from_slice(bytes).map_err(said("wrapping bytes"))?;
    let mat = imgcodecs::imdecode(&bytes, flags).map_err(said("decoding an image"))?;
    Ok((!mat.empty()).then_some(mat))
}

fn rgb_of(bgr: &Mat) -> Result<Rgb, ImagesError> {
    if bgr.typ() != CV_8UC3 {
        let message = format!("a picture of type {} instead of {CV_8UC3} (8-bit, 3 channels)", bgr.typ());
        return Err(ImagesError::Library { what: "decoding", message });
    }
    let (width, height) = (bgr.cols() as usize, bgr.rows() as usize);
    let mut data = vec![0; width * height * 3];
    cvt_into(bgr, imgproc::COLOR_BGR2RGB, width, height, &mut data)?;
    Ok(Rgb { width, height, data })
}

fn bgr_of(data: &[u8], width: usize, height: usize) -> Result<Mat, ImagesError> {
    check_length(data, width, height, 3)?;
    let rgb = Mat::new_rows_cols_with_bytes::<Vec3b>(int(height)?, int(width)?, data)
        .map_err(said("wrapping pixels"))?;
    let mut bgr = Mat::default();
    imgproc::cvt_color_def(&rgb, &mut bgr, imgproc::COLOR_RGB2BGR).map_err(said("colour conversion"))?;
    Ok(bgr)
}

/// Colour conversion straight into memory of this side.
fn cvt_into(
    src: &impl ToInputArray,
    code: i32,
    width: usize,
    height: usize,
    out: &mut [u8],
) -> Result<(), ImagesError> {
    into_ours("colour conversion", width, height, out, |to| imgproc::cvt_color_def(src, to, code))
}

/// What an operation gives, straight into memory of this side: `width × height × 3` bytes.
fn into_ours(
    what: &'static str,
    width: usize,
    height: usize,
    out: &mut [u8],
    operation: impl FnOnce(&mut BoxedRefMut<'_, Mat>) -> opencv::Result<()>,
) -> Result<(), ImagesError> {
    let ours = out.as_ptr();
    let mut wrapped = Mat::new_rows_cols_with_bytes_mut::<Vec3b>(int(height)?, int(width)?, out)
        .map_err(said("wrapping pixels"))?;
    operation(&mut wrapped).map_err(said(what))?;
    // A destination of the right size and type is written in place; another is replaced by a new one, and
    // the result would be lost without a word.
    if wrapped.data() != ours {
        let message = format!("the result is not {width}x{height}x3 of 8 bits");
        return Err(ImagesError::Library { what, message });
    }
    Ok(())
}

/// Without parameters a PNG is written with zlib level 1, run lengths and one filter. Asking for level 1 by
/// name also asks for a trial of every filter per row: a 1080p label map takes 13 ms instead of 5, and is
/// as large.
fn encode(
    extension: &str,
    image: &impl ToInputArray,
    params: Vector<i32>,
    out: &mut Vec<u8>,
) -> Result<(), ImagesError> {
    let mut encoded = Vector::new();
    let done =
        imgcodecs::imencode(extension, image, &mut encoded, &params).map_err(said("encoding an image"))?;
    if !done {
        let message = format!("the {extension} encoder gave up");
        return Err(ImagesError::Library { what: "encoding an image", message });
    }
    out.clear();
    out.extend_from_slice(encoded.as_slice());
    Ok(())
}

fn said(what: &'static str) -> impl FnOnce(opencv::Error) -> ImagesError {
    move |error| ImagesError::Library { what, message: error.message }
}

/// OpenCV counts in `int`.
fn int(n: usize) -> Result<i32, ImagesError> {
    i32::try_from(n)
        .map_err(|_| ImagesError::Library { what: "size", message: format!("{n} is over {}", i32::MAX) })
}

/// Frames of one colour each, 64x48 at 10 per second.
#[cfg(test)]
pub(crate) fn write_test_video(path: &Path, colours: &[[u8; 3]]) {
    use opencv::core::Size;
    let fourcc = videoio::VideoWriter::fourcc('M', 'J', 'P', 'G').unwrap();
    let mut writer = videoio::VideoWriter::new(path, fourcc, 10.0, Size::new(64, 48), true).unwrap();
    for colour in colours {
        writer.write(&bgr_of(&colour.repeat(64 * 48), 64, 48).unwrap()).unwrap();
    }
    writer.release().unwrap();
}
