//! Interpolation as weights: per output pixel of an axis, which input pixels count how much.
//!
//! Both interpolations are separable, so a pair of [`Axis`] tables is all a resize needs: rows are blended
//! first, all channels at once, then each channel's columns.
//!
//! On one thread: a millisecond shared out is not worth waking the workers just before the network wants the
//! cores.

use super::Bytes;
use super::geometry::Rect;
use crate::model::Interpolation;
use multiversion::multiversion;

/// One axis: for each output pixel the first input pixel that counts, and the weights from it on.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// First input pixel and range of `weights`, per output pixel.
    spans: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<f32>,
    /// Output pixel i is input pixel `from + i`, weight 1.
    copies: bool,
}

impl Axis {
    /// `count` output pixels over `length` input pixels that start at `from`.
    pub fn new(interpolation: Interpolation, (from, length): (usize, usize), count: usize) -> Self {
        let scale = length as f64 / count as f64;
        let mut axis =
            Self { spans: Vec::with_capacity(count), weights: Vec::new(), copies: count == length };
        for i in 0..count {
            let (first, weights) = match interpolation {
                Interpolation::Area if scale > 1.0 => area(i, scale, length),
                _ => linear(i, scale, length),
            };
            let start = axis.weights.len();
            axis.weights.extend(weights.iter().map(|w| *w as f32));
            axis.spans.push((from + first, start..axis.weights.len()));
        }
        axis
    }

    /// The input pixel that output pixel 0 copies, where every output pixel copies the next.
    fn copies_from(&self) -> Option<usize> {
        let (first, _) = self.spans.first()?;
        self.copies.then_some(*first)
    }

    /// The weighted sum for output pixel `x` of values `pixel` apart.
    #[inline(always)]
    fn sum(&self, x: usize, line: &[f32], pixel: usize) -> f32 {
        let (first, range) = &self.spans[x];
        let at = first * pixel;
        match &self.weights[range.clone()] {
            [w] => w * line[at],
            [w, t] => w * line[at] + t * line[at + pixel],
            weights => weights.iter().zip(line[at..].iter().step_by(pixel)).map(|(w, v)| w * v).sum(),
        }
    }

    /// The input pixels that count for output pixel `i`, with their weights.
    pub fn taps(&self, i: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let (first, range) = self.spans[i].clone();
        self.weights[range].iter().enumerate().map(move |(k, w)| (first + k, *w))
    }
}

fn linear(i: usize, scale: f64, length: usize) -> (usize, Vec<f64>) {
    let u = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, (length - 1) as f64);
    let first = u.floor() as usize;
    let t = u - first as f64;
    if t == 0.0 { (first, vec![1.0]) } else { (first, vec![1.0 - t, t]) }
}

fn area(i: usize, scale: f64, length: usize) -> (usize, Vec<f64>) {
    let (start, end) = (i as f64 * scale, ((i + 1) as f64 * scale).min(length as f64));
    let first = start.floor() as usize;
    let last = (end.ceil() as usize).clamp(first + 1, length);
    let cover = |p: usize| (end.min((p + 1) as f64) - start.max(p as f64)).max(0.0);
    let weights: Vec<f64> = (first..last).map(cover).collect();
    let total: f64 = weights.iter().sum();
    (first, weights.iter().map(|w| w / total).collect())
}

/// A pair of axes and the memory of one blended row.
pub(super) struct Resampler {
    columns: Axis,
    rows: Axis,
    /// One output row before its columns are resampled: the source's bytes blended vertically, interleaved
    /// as they came.
    line: Vec<f32>,
}

impl Resampler {
    /// From `source` to a target of `width × height` pixels.
    pub(super) fn new(interpolation: Interpolation, source: Rect, width: usize, height: usize) -> Self {
        let columns = Axis::new(interpolation, source.x_axis(), width);
        Self { columns, rows: Axis::new(interpolation, source.y_axis(), height), line: Vec::new() }
    }

    /// Blends the source rows of output row `y`: once for all channels.
    pub(super) fn blend_rows(&mut self, bytes: &Bytes<'_>, y: usize) {
        self.line.resize(bytes.row_bytes(), 0.0);
        for (i, (source, weight)) in self.rows.taps(y).enumerate() {
            accumulate(&mut self.line, bytes.row(source), weight, i == 0);
        }
    }

    /// One channel of the blended row, `(v·scale + shift)`; `offset` is where the channel stands in a pixel
    /// of `pixel` bytes.
    pub(super) fn columns(&self, offset: usize, pixel: usize, scale: f32, shift: f32, out: &mut [f32]) {
        let line = &self.line[offset..];
        match self.columns.copies_from() {
            // Most cameras are fed at their own size.
            Some(first) => {
                let values = line[first * pixel..].iter().step_by(pixel);
                out.iter_mut().zip(values).for_each(|(o, v)| *o = v * scale + shift);
            }
            None => {
                for (x, o) in out.iter_mut().enumerate() {
                    *o = self.columns.sum(x, line, pixel) * scale + shift;
                }
            }
        }
    }
}

/// `line = weight·row` for the first row that counts, `line += weight·row` for the others.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl+avx512dq", "x86_64+avx2+fma"))]
fn accumulate(line: &mut [f32], row: &[u8], weight: f32, first: bool) {
    if first {
        line.iter_mut().zip(row).for_each(|(l, b)| *l = weight * f32::from(*b));
    } else {
        line.iter_mut().zip(row).for_each(|(l, b)| *l += weight * f32::from(*b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps(axis: &Axis, i: usize) -> Vec<(usize, f32)> {
        axis.taps(i).collect()
    }

    #[test]
    fn equal_sizes_copy() {
        for interpolation in [Interpolation::Bilinear, Interpolation::Area] {
            let axis = Axis::new(interpolation, (3, 5), 5);
            assert_eq!(
                (0..5).map(|i| taps(&axis, i)).collect::<Vec<_>>(),
                (3..8).map(|i| vec![(i, 1.0)]).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn hand_worked_weights() {
        let half = Axis::new(Interpolation::Bilinear, (0, 4), 2);
        assert_eq!(taps(&half, 0), [(0, 0.5), (1, 0.5)]);
        let double = Axis::new(Interpolation::Bilinear, (0, 2), 4);
        assert_eq!(taps(&double, 0), [(0, 1.0)], "clamped at the border");
        assert_eq!(taps(&double, 1), [(0, 0.75), (1, 0.25)]);
        let third = Axis::new(Interpolation::Area, (0, 5), 2);
        assert_eq!(taps(&third, 0), [(0, 0.4), (1, 0.4), (2, 0.2)]);
        assert_eq!(taps(&third, 1), [(2, 0.2), (3, 0.4), (4, 0.4)]);
    }
}
