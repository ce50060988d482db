//! From camera pixels to the network's input: u8 of any encoding to f32 `[3, h, w]`, normalised.
//!
//! [`geometry`] says which rectangle of the camera lands on which rectangle of the input; [`resample`] holds
//! the interpolation as weights per axis. [`Preprocess::run`] is the only way through; `reference` is its
//! plain definition, for tests. Encodings with subsampled colour or a mosaic are converted to rgb8 by
//! `images` first.

pub mod geometry;
#[cfg(test)]
mod reference;
pub mod resample;

use crate::frame::{Encoding, Frame, Size};
use crate::images::{self, ImagesError};
use crate::model::{Channels, InputSpec, Interpolation};
use geometry::Geometry;
use resample::Resampler;

/// Multiply-add per input channel that turns a byte into the network's number, and where the byte stands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Normalise {
    scale: [f32; 3],
    shift: [f32; 3],
}

/// Geometries whose tables are kept: cameras that take turns at one network have one each.
const KEPT: usize = 16;

/// The preprocessing for one network input; keeps its tables for the geometries of the last frames.
pub struct Preprocess {
    normalise: Normalise,
    channels: Channels,
    interpolation: Interpolation,
    /// The newest last.
    resamplers: Vec<(Geometry, Resampler)>,
    /// What the last frame did not write to is 0 for this one.
    cleared: Option<Geometry>,
    /// Where subsampled or mosaic encodings are converted to.
    converted: Vec<u8>,
}

impl Preprocess {
    /// For a model's input.
    pub fn new(spec: &InputSpec) -> Self {
        // (v/255 − mean)/std = v·scale + shift
        let scale = spec.std.map(|s| 1.0 / (255.0 * s));
        let shift = [0, 1, 2].map(|c| -spec.mean[c] / spec.std[c]);
        Self {
            normalise: Normalise { scale, shift },
            channels: spec.channels,
            interpolation: spec.interpolation,
            resamplers: Vec::new(),
            cleared: None,
            converted: Vec::new(),
        }
    }

    /// Fills `input`, `[3, geometry.input.height, geometry.input.width]`. Input pixels outside the
    /// geometry's target rectangle are 0: the mean colour.
    ///
    /// # Errors
    /// An encoding that needs OpenCV in a build without it.
    pub fn run(
        &mut self,
        frame: &Frame<'_>,
        geometry: &Geometry,
        input: &mut [f32],
    ) -> Result<(), ImagesError> {
        let direct = Bytes::of(frame);
        let bytes = match direct {
            Some(bytes) => bytes,
            None => {
                images::to_rgb(frame, &mut self.converted)?;
                let (width, step) = (frame.width(), frame.width() * 3);
                Bytes { data: &self.converted, width, step, pixel: 3, rgb: [0, 1, 2] }
            }
        };
        if self.cleared != Some(*geometry) {
            input.fill(0.0);
            self.cleared = Some(*geometry);
        }
        let place = match self.resamplers.iter().position(|(of, _)| of == geometry) {
            Some(place) => place,
            None => {
                if self.resamplers.len() >= KEPT {
                    self.resamplers.remove(0);
                }
                let Size { width, height } = geometry.target.size();
                let resampler = Resampler::new(self.interpolation, geometry.source, width, height);
                self.resamplers.push((*geometry, resampler));
                self.resamplers.len() - 1
            }
        };
        let (_, resampler) = &mut self.resamplers[place];
        let order = match self.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let (size, target) = (geometry.input, geometry.target);
        for y in 0..target.height {
            resampler.blend_rows(&bytes, y);
            for (c, plane) in input.chunks_exact_mut(size.width * size.height).take(3).enumerate() {
                let start = (target.y + y) * size.width + target.x;
                let row = &mut plane[start..start + target.width];
                let Normalise { scale, shift } = self.normalise;
                resampler.columns(bytes.rgb[order[c]], bytes.pixel, scale[c], shift[c], row);
            }
        }
        Ok(())
    }
}

/// Pixels that can be sampled where they lie.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    data: &'a [u8],
    /// In pixels.
    width: usize,
    step: usize,
    /// Bytes from pixel to pixel.
    pixel: usize,
    /// Where red, green and blue stand in a pixel.
    rgb: [usize; 3],
}

impl<'a> Bytes<'a> {
    /// `None` for encodings whose pixels are not bytes of red, green and blue side by side.
    fn of(frame: &Frame<'a>) -> Option<Self> {
        let (pixel, rgb) = match frame.encoding() {
            Encoding::Rgb8 => (3, [0, 1, 2]),
            Encoding::Bgr8 => (3, [2, 1, 0]),
            Encoding::Rgba8 => (4, [0, 1, 2]),
            Encoding::Bgra8 => (4, [2, 1, 0]),
            Encoding::Mono8 => (1, [0, 0, 0]),
            _ => return None,
        };
        Some(Self { data: frame.data(), width: frame.width(), step: frame.step(), pixel, rgb })
    }

    /// Bytes of a row, without what pads it.
    fn row_bytes(&self) -> usize {
        self.width * self.pixel
    }

    fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.step..][..self.row_bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::geometry::{Fit, Rect};
    use super::*;
    use proptest::prelude::*;

    fn spec(interpolation: Interpolation, channels: Channels) -> InputSpec {
        InputSpec {
            mean: [0.4, 0.5, 0.6],
            std: [0.2, 0.25, 0.3],
            interpolation,
            channels,
            ..InputSpec::default()
        }
    }

    fn picture(width: usize, height: usize, bytes: usize) -> Vec<u8> {
        (0..width * height * bytes).map(|i| ((i * 2_654_435_761usize) >> 7) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn fast_equals_reference(
            (w, h) in (1usize..40, 1usize..40), (iw, ih) in (1usize..50, 1usize..50),
            fit in 0..3usize, interpolation in 0..2usize, bgr: bool, pad in 0usize..5,
        ) {
            let data = picture(1, h, w * 3 + pad);
            let frame = Frame::new(Encoding::Rgb8, w, h, w * 3 + pad, &data).unwrap();
            let interpolation = [Interpolation::Bilinear, Interpolation::Area][interpolation];
            let channels = if bgr { Channels::Bgr } else { Channels::Rgb };
            let fit = [Fit::Stretch, Fit::Letterbox, Fit::Crop][fit];
            let geometry = Geometry::new(Size { width: w, height: h }, None, fit, Size { width: iw, height: ih }).unwrap();
            let spec = spec(interpolation, channels);
            let mut fast = vec![9.0; 3 * iw * ih];
            Preprocess::new(&spec).run(&frame, &geometry, &mut fast).unwrap();
            let slow = reference::preprocess(&spec, &frame, &geometry);
            for (a, b) in fast.iter().zip(&slow) {
                prop_assert!((a - b).abs() < 2e-5, "{} vs {}", a, b);
            }
        }
    }

    #[test]
    fn every_plain_encoding_says_the_same() {
        let (w, h) = (6, 4);
        let rgb = picture(w, h, 3);
        let size = Size { width: w, height: h };
        let geometry = Geometry::new(size, None, Fit::Stretch, size).unwrap();
        let spec = spec(Interpolation::Bilinear, Channels::Rgb);
        let run = |encoding: Encoding, data: &[u8]| {
            let frame = Frame::new(encoding, w, h, w * encoding.bytes_per_pixel(), data).unwrap();
            let mut input = vec![0.0; 3 * w * h];
            Preprocess::new(&spec).run(&frame, &geometry, &mut input).unwrap();
            input
        };
        let want = run(Encoding::Rgb8, &rgb);
        assert!((want[0] - (f32::from(rgb[0]) / 255.0 - 0.4) / 0.2).abs() < 1e-6);
        let swap = |p: &[u8], alpha: bool, bgr: bool| -> Vec<u8> {
            let mut q = if bgr { vec![p[2], p[1], p[0]] } else { p.to_vec() };
            q.extend(alpha.then_some(77));
            q
        };
        for (encoding, alpha, bgr) in
            [(Encoding::Bgr8, false, true), (Encoding::Rgba8, true, false), (Encoding::Bgra8, true, true)]
        {
            let data: Vec<u8> = rgb.chunks(3).flat_map(|p| swap(p, alpha, bgr)).collect();
            assert_eq!(run(encoding, &data), want, "{encoding}");
        }
        let mono: Vec<u8> = rgb.chunks(3).map(|p| p[0]).collect();
        let grey: Vec<u8> = mono.iter().flat_map(|v| [*v; 3]).collect();
        assert_eq!(run(Encoding::Mono8, &mono), run(Encoding::Rgb8, &grey));
    }

    #[test]
    fn padding_is_the_mean_colour_after_any_earlier_frame() {
        let spec = spec(Interpolation::Bilinear, Channels::Rgb);
        let mut preprocess = Preprocess::new(&spec);
        let input_size = Size { width: 8, height: 8 };
        let mut input = vec![0.0; 3 * 64];
        for (w, h) in [(8, 8), (8, 4)] {
            let data = vec![255; w * h * 3];
            let frame = Frame::rgb8(w, h, &data).unwrap();
            let geometry =
                Geometry::new(Size { width: w, height: h }, None, Fit::Letterbox, input_size).unwrap();
            preprocess.run(&frame, &geometry, &mut input).unwrap();
        }
        let geometry = Geometry::new(Size { width: 8, height: 4 }, None, Fit::Letterbox, input_size).unwrap();
        assert_eq!(geometry.target, Rect { x: 0, y: 2, width: 8, height: 4 });
        assert!(
            input[..16].iter().all(|v| *v == 0.0)
                && input[16] > 1.0
                && input[48..64].iter().all(|v| *v == 0.0)
        );
    }
}
