//! Whether ONNX Runtime computes from the file what libtorch computes from the checkpoint, through the same
//! segmenter that the node uses.

use super::ExportError;
use crate::config::{Provider, RuntimeSettings};
use crate::frame::Size;
use crate::model::Model;
use crate::score::Logits;
use crate::segmenter::Segmenter;
use crate::segmenter::onnx::OnnxSegmenter;
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// The largest difference of an output, of the largest value in it, that rounding in another order explains.
pub const TOLERANCE: f64 = 1e-4;

/// An image as networks are fed: normalised, `[3, height, width]`, in the order of the model's planes.
#[derive(Debug, Clone)]
pub struct Input {
    /// Of the image.
    pub size: Size,
    /// Row-major.
    pub data: Vec<f32>,
}

/// One output of libtorch's run: `[channels, height, width]`.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) shape: [usize; 3],
    pub(super) data: Vec<f32>,
}

/// The outputs, in the order of [`OUTPUTS`].
pub(super) type Maps = [Map; 3];

/// Outputs of the contract, as the trainer calls them.
pub(super) const OUTPUTS: [&str; 3] = ["pre_logits", "logits", "dataset_logits"];

/// The largest differences found, each of the largest value of its output at that size.
#[derive(Debug, Clone, PartialEq)]
pub struct Parity {
    /// Sizes that were held against each other.
    pub sizes: Vec<Size>,
    /// By output: pre-logits, logits, dataset logits.
    pub differences: [f64; 3],
}

impl fmt::Display for Parity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.sizes.iter().map(Size::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "largest relative differences at {sizes}: ")?;
        for (i, (output, difference)) in OUTPUTS.iter().zip(self.differences).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{output} {difference:.1e}")?;
        }
        Ok(())
    }
}

impl Input {
    /// Noise as images have it after normalisation: uniform between ±2, the same for a seed.
    pub fn random(size: Size, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let data = (0..3 * size.width * size.height).map(|_| rng.random_range(-2.0..2.0)).collect();
        Self { size, data }
    }
}

/// Runs the model on each input and holds its outputs against the `reference`'s.
///
/// # Errors
/// A file that is not the manifest's or does not run, outputs of other shapes, values that are not finite,
/// a difference beyond [`TOLERANCE`].
pub(super) fn check(
    model: &Model,
    inputs: &[Input],
    mut reference: impl FnMut(&Input) -> Result<Maps, ExportError>,
) -> Result<Parity, ExportError> {
    let settings = RuntimeSettings { providers: vec![Provider::Cpu], threads: 0, library: None };
    let mut parity = Parity { sizes: Vec::new(), differences: [0.0; 3] };
    for input in inputs {
        let mut segmenter = OnnxSegmenter::reading_pre_logits(model, &settings, input.size)?;
        segmenter.input().copy_from_slice(&input.data);
        segmenter.run()?;
        let views = [segmenter.pre_logits(), Some(segmenter.logits()), segmenter.dataset_logits()];
        let expected = reference(input)?;
        for (i, (got, expected)) in views.into_iter().zip(&expected).enumerate() {
            let differ =
                |reason: String| ExportError::Parity { output: OUTPUTS[i], size: input.size, reason };
            let got = got.ok_or_else(|| differ("ONNX Runtime gives none".into()))?;
            let difference = difference(got, expected).map_err(differ)?;
            if difference > TOLERANCE {
                return Err(differ(format!("the largest relative difference is {difference:.1e}")));
            }
            parity.differences[i] = parity.differences[i].max(difference);
        }
        parity.sizes.push(input.size);
    }
    Ok(parity)
}

/// The largest difference, of the largest value expected.
fn difference(got: Logits<'_>, expected: &Map) -> Result<f64, String> {
    let shape = [got.channels, got.height, got.width];
    if shape != expected.shape || got.data.len() != expected.data.len() {
        return Err(format!(
            "ONNX Runtime gives {shape:?}, libtorch {:?} (channels, rows, columns)",
            expected.shape
        ));
    }
    if let Some((a, b)) = got.data.iter().zip(&expected.data).find(|(a, b)| !(a.is_finite() && b.is_finite()))
    {
        return Err(format!("ONNX Runtime gives {a} where libtorch gives {b}"));
    }
    let largest = expected.data.iter().fold(0f64, |m, v| m.max(f64::from(v.abs())));
    let furthest = got
        .data
        .iter()
        .zip(&expected.data)
        .fold(0f64, |m, (a, b)| m.max((f64::from(*a) - f64::from(*b)).abs()));
    Ok(if furthest == 0.0 { 0.0 } else { furthest / largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_of_the_largest_value() {
        let of = |got: &[f32], expected: &[f32]| {
            let got = Logits { data: got, channels: 1, height: 1, width: got.len() };
            difference(got, &Map { shape: [1, 1, expected.len()], data: expected.into() })
        };
        assert_eq!(of(&[1.0, -4.0], &[1.5, -4.0]), Ok(0.125));
        assert_eq!(of(&[0.0], &[0.0]), Ok(0.0));
        assert_eq!(of(&[1.0], &[0.0]), Ok(f64::INFINITY));
        assert!(of(&[1.0], &[1.0, 1.0]).unwrap_err().contains("[1, 1, 2]"));
        assert!(of(&[f32::NAN], &[f32::NAN]).unwrap_err().contains("NaN"));
        let noise = Input::random(Size { width: 3, height: 2 }, 7);
        assert_eq!(noise.data, Input::random(noise.size, 7).data);
        assert_eq!(noise.data.len(), 18);
    }
}
