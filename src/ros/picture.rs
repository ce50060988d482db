//! What came from the camera: an image as it is, or one to be decoded. Decoded it is rgb8, or the mosaic that
//! was stored, and from then on an image like any other, with the same checks.

use super::convert;
use crate::images::{self, Rgb};
use r2r::sensor_msgs::msg::{CompressedImage, Image};
use r2r::std_msgs::msg::Header;
use std::borrow::Cow;

/// One message of the camera.
#[derive(Debug)]
pub(super) enum Picture {
    Raw(Image),
    Compressed(CompressedImage),
}

/// As errors call it.
const COMPRESSED: &str = "the compressed image";

impl Picture {
    /// What every result of it carries.
    pub(super) fn header(&self) -> &Header {
        match self {
            Self::Raw(image) => &image.header,
            Self::Compressed(message) => &message.header,
        }
    }

    /// Columns and rows, as far as can be told without decoding; `None` where it is not what it says.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        match self {
            Self::Raw(image) => convert::frame(image).ok().map(|_| (image.width, image.height)),
            Self::Compressed(message) => images::encoded_size(&message.data).filter(is_a_picture_s),
        }
    }

    /// The image.
    ///
    /// # Errors
    /// Why it cannot be decoded, in words.
    pub(super) fn image(&self) -> Result<Cow<'_, Image>, String> {
        match self {
            Self::Raw(image) => Ok(Cow::Borrowed(image)),
            Self::Compressed(message) => decoded(message).map(Cow::Owned),
        }
    }
}

/// Whether what a header says can be: labels of that size may be made without its pixels having been seen.
fn is_a_picture_s((width, height): &(u32, u32)) -> bool {
    (1..=images::MAX_PIXELS).contains(&(u64::from(*width) * u64::from(*height)))
}

fn decoded(message: &CompressedImage) -> Result<Image, String> {
    let CompressedImage { header, format, data } = message;
    // image_transport's format is `ORIGINAL; CODEC compressed [TARGET]`, a camera's own just the codec.
    let original = format.split(';').next().unwrap_or("").trim();
    let is_mosaic = is_mosaic(original, format);
    if is_mosaic && !(format.contains("png") && original.ends_with('8')) {
        return Err(format!(
            "{COMPRESSED} is a mosaic, {original}, as \"{format}\": only one of 8 bits in PNG is still one when it \
             is decoded; send that, or debayer first"
        ));
    }
    let (encoding, width, height, data) = if is_mosaic {
        let gray = images::decode_gray(data, COMPRESSED).map_err(|e| e.to_string())?;
        (original, gray.width, gray.height, gray.data)
    } else {
        let Rgb { width, height, data } =
            images::decode_camera(data, COMPRESSED).map_err(|e| e.to_string())?;
        ("rgb8", width, height, data)
    };
    let of_row = if encoding == "rgb8" { 3 } else { 1 };
    Ok(Image {
        header: header.clone(),
        // No decoder gives sides that do not fit.
        width: width as u32,
        height: height as u32,
        encoding: encoding.into(),
        is_bigendian: 0,
        step: (width * of_row) as u32,
        data,
    })
}

/// Compressed as it was, not in colour: gray to the decoder, not to us.
fn is_mosaic(original: &str, format: &str) -> bool {
    let target = format.rsplit("compressed").next().unwrap_or("").trim();
    original.starts_with("bayer_") && (target.is_empty() || target.starts_with("bayer_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(format: &str, data: Vec<u8>) -> Picture {
        let header = Header { frame_id: "front".into(), ..Header::default() };
        Picture::Compressed(CompressedImage { header, format: format.into(), data })
    }

    /// 3 columns of a colour each, 2 rows.
    const RGB: [u8; 18] = [9, 0, 0, 0, 9, 0, 0, 0, 9, 90, 0, 0, 0, 90, 0, 0, 0, 90];

    fn png() -> Vec<u8> {
        let mut bytes = Vec::new();
        images::encode_png_rgb(&RGB, 3, 2, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn decoded_it_is_an_image_like_any_other() {
        for format in ["png", "rgb8; png compressed bgr8", "", "bayer_rggb8; png compressed bgr8"] {
            let picture = compressed(format, png());
            let image = picture.image().unwrap();
            assert_eq!((image.encoding.as_str(), image.width, image.height, image.step), ("rgb8", 3, 2, 9));
            assert_eq!((&image.data[..], &image.header), (&RGB[..], picture.header()));
            assert!(convert::frame(&image).is_ok());
            assert_eq!(picture.size(), Some((3, 2)));
        }
    }

    #[test]
    fn a_jpeg_is_read_and_half_of_one_is_not() {
        let (gray, mut bytes) = (vec![77; 32 * 16 * 3], Vec::new());
        images::encode_jpeg_rgb(&gray, 32, 16, &mut bytes).unwrap();
        let image = compressed("bgr8; jpeg compressed bgr8", bytes.clone()).image().unwrap().into_owned();
        assert_eq!((image.width, image.height, image.data.len()), (32, 16, gray.len()));
        bytes.truncate(bytes.len() / 2);
        let error = compressed("jpeg", bytes).image().unwrap_err();
        assert!(error.starts_with("the compressed image is a jpeg without its end"), "{error}");
    }

    #[test]
    fn a_mosaic_that_was_stored_as_it_is_stays_one() {
        let mut bytes = Vec::new();
        images::encode_png_gray(&[1, 2, 3, 4, 5, 6, 7, 8], 4, 2, &mut bytes).unwrap();
        let picture = compressed("bayer_rggb8; png compressed ", bytes);
        let image = picture.image().unwrap();
        assert_eq!((image.encoding.as_str(), image.step, image.data.len()), ("bayer_rggb8", 4, 8));
        assert!(convert::frame(&image).is_ok());
        // JPEG mixes neighbours, which are of other colours; of more than 8 bits we read none.
        let gray = compressed("bayer_rggb8; jpeg compressed bayer_rggb8", vec![]).image().unwrap_err();
        assert!(gray.contains("a mosaic, bayer_rggb8") && gray.contains("PNG"), "{gray}");
        assert!(compressed("bayer_rggb16; png compressed ", png()).image().unwrap_err().contains("8 bits"));
        // In colour it is none, whatever it says.
        assert!(compressed("bayer_rggb8; png compressed ", png()).image().is_err());
    }

    #[test]
    fn what_holds_no_picture_is_refused_and_has_no_size() {
        for data in [vec![], vec![7; 100], b"\x89PNG\r\n\x1a\n".to_vec()] {
            let picture = compressed("png", data);
            assert!(picture.image().is_err_and(|e| e.contains("compressed image")));
            assert_eq!(picture.size(), None);
        }
        let raw = Picture::Raw(Image { width: 4, height: 4, encoding: "rgb8".into(), ..Image::default() });
        assert_eq!(raw.size(), None);
    }
}
