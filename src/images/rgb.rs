//! Any camera layout to tight rgb8.
//!
//! The plain layouts are a copy or a swizzle, done here; the others are OpenCV's. The score of every
//! encoding is therefore that of its rgb8, whichever path `preprocess` takes for the plain ones.

use super::{ImagesError, backend};
use crate::frame::{Encoding, Frame};

/// Writes the frame as tight rgb8 into `out`, which takes the size it needs and keeps its memory from call
/// to call. YUV is BT.601 of limited range, Bayer is bilinear: OpenCV's, like `cv_bridge`.
///
/// # Errors
/// [`ImagesError::NotBuilt`] for YUV and Bayer without feature `vision`; otherwise what OpenCV refuses.
pub fn to_rgb(frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), ImagesError> {
    out.resize(frame.width() * frame.height() * 3, 0);
    match frame.encoding() {
        Encoding::Rgb8 => swizzle::<3>(frame, out, |p| p),
        Encoding::Bgr8 => swizzle::<3>(frame, out, |[b, g, r]| [r, g, b]),
        Encoding::Rgba8 => swizzle::<4>(frame, out, |[r, g, b, _]| [r, g, b]),
        Encoding::Bgra8 => swizzle::<4>(frame, out, |[b, g, r, _]| [r, g, b]),
        Encoding::Mono8 => swizzle::<1>(frame, out, |[y]| [y; 3]),
        Encoding::Uyvy
        | Encoding::Yuyv
        | Encoding::Nv12
        | Encoding::BayerRggb8
        | Encoding::BayerBggr8
        | Encoding::BayerGbrg8
        | Encoding::BayerGrbg8 => backend::convert(frame, out)?,
    }
    Ok(())
}

/// Pixels of N bytes to pixels of 3, row by row: the step may be longer than a row.
fn swizzle<const N: usize>(frame: &Frame<'_>, out: &mut [u8], rgb: impl Fn([u8; N]) -> [u8; 3]) {
    let rows = frame.data().chunks_exact(frame.step());
    for (row, out) in rows.zip(out.chunks_exact_mut(frame.width() * 3)) {
        let (pixels, _) = row[..frame.width() * N].as_chunks::<N>();
        for (pixel, out) in pixels.iter().zip(out.as_chunks_mut::<3>().0) {
            *out = rgb(*pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_layouts_give_the_same_picture() {
        let (red, gray) = ([200, 30, 10], [77, 77, 77]);
        for (encoding, pixel, expected) in [
            (Encoding::Rgb8, &[200, 30, 10][..], red),
            (Encoding::Bgr8, &[10, 30, 200], red),
            (Encoding::Rgba8, &[200, 30, 10, 9], red),
            (Encoding::Bgra8, &[10, 30, 200, 9], red),
            (Encoding::Mono8, &[77], gray),
        ] {
            let padded_row = [&pixel.repeat(3)[..], &[99; 5]].concat();
            let data = padded_row.repeat(2);
            let frame = Frame::new(encoding, 3, 2, padded_row.len(), &data).unwrap();
            let mut out = vec![1; 1000];
            to_rgb(&frame, &mut out).unwrap();
            assert_eq!(out, expected.repeat(6), "{encoding}");
        }
    }
}
