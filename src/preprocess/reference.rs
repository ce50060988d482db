//! The definition of preprocessing for bytes of red, green and blue: per input pixel, in f64.

use super::geometry::Geometry;
use super::resample::Axis;
use crate::frame::{Encoding, Frame};
use crate::model::{Channels, InputSpec, Interpolation};

pub(super) fn preprocess(spec: &InputSpec, frame: &Frame<'_>, g: &Geometry) -> Vec<f32> {
    assert_eq!(frame.encoding(), Encoding::Rgb8);
    let value = |x: usize, y: usize, c: usize| f64::from(frame.data()[y * frame.step() + x * 3 + c]);
    let mut input = vec![0.0; 3 * g.input.width * g.input.height];
    for c in 0..3 {
        let source = if spec.channels == Channels::Bgr { 2 - c } else { c };
        for ty in 0..g.target.height {
            for tx in 0..g.target.width {
                let v = match spec.interpolation {
                    Interpolation::Bilinear => bilinear(g, tx, ty, |x, y| value(x, y, source)),
                    Interpolation::Area => weighted(g, tx, ty, |x, y| value(x, y, source)),
                };
                let normalised = (v / 255.0 - f64::from(spec.mean[c])) / f64::from(spec.std[c]);
                let at = (c * g.input.height + g.target.y + ty) * g.input.width + g.target.x + tx;
                input[at] = normalised as f32;
            }
        }
    }
    input
}

/// Four neighbours of the half-pixel-centred position, clamped into the source.
fn bilinear(g: &Geometry, tx: usize, ty: usize, at: impl Fn(usize, usize) -> f64) -> f64 {
    let axis = |t: usize, from: usize, length: usize, count: usize| {
        let u = ((t as f64 + 0.5) * length as f64 / count as f64 - 0.5).clamp(0.0, (length - 1) as f64);
        let low = u.floor();
        let high = (low as usize + 1).min(length - 1);
        (from + low as usize, from + high, u - low)
    };
    let (x0, x1, tx) = axis(tx, g.source.x, g.source.width, g.target.width);
    let (y0, y1, ty) = axis(ty, g.source.y, g.source.height, g.target.height);
    let upper = at(x0, y0) * (1.0 - tx) + at(x1, y0) * tx;
    let lower = at(x0, y1) * (1.0 - tx) + at(x1, y1) * tx;
    upper * (1.0 - ty) + lower * ty
}

/// The weights of [`Axis`] themselves are checked by hand; this sums them the slow way.
fn weighted(g: &Geometry, tx: usize, ty: usize, at: impl Fn(usize, usize) -> f64) -> f64 {
    let columns = Axis::new(Interpolation::Area, (g.source.x, g.source.width), g.target.width);
    let rows = Axis::new(Interpolation::Area, (g.source.y, g.source.height), g.target.height);
    let row = |y| columns.taps(tx).map(|(x, w)| f64::from(w) * at(x, y)).sum::<f64>();
    rows.taps(ty).map(|(y, w)| f64::from(w) * row(y)).sum()
}
