//! Pictures for people: label colours, the anomaly heatmap, the overlay. No consumer computes with these.

use crate::labels::{IGNORE, Taxonomy};
use crate::pipeline::Segmentation;
use crate::preprocess::geometry::{Geometry, OutputSize};

/// Order of the three bytes of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Red first (`rgb8`).
    Rgb,
    /// Blue first (`bgr8`).
    Bgr,
}

impl Order {
    fn place(self, [r, g, b]: [u8; 3]) -> [u8; 3] {
        match self {
            Self::Rgb => [r, g, b],
            Self::Bgr => [b, g, r],
        }
    }
}

/// The label map in the manifest's colours: `[height, width, 3]`.
pub fn color(taxonomy: &Taxonomy, segmentation: &Segmentation, order: Order, out: &mut Vec<u8>) {
    let palette = taxonomy.palette().map(|c| order.place(c));
    out.clear();
    out.extend(segmentation.labels.iter().flat_map(|l| palette[usize::from(*l)]));
}

/// Colours below and above the threshold: cool up to it, warm from it, so that the decision is seen as a
/// change of hue. Ends at `threshold ± range`.
const COOL: [[u8; 3]; 3] = [[8, 10, 48], [38, 70, 150], [176, 204, 230]];
const WARM: [[u8; 3]; 3] = [[255, 226, 120], [240, 110, 30], [150, 0, 20]];

/// The anomaly map on a fixed colour scale around the threshold: `[height, width, 3]`; NaN is black.
pub fn heatmap(segmentation: &Segmentation, threshold: f32, range: f32, order: Order, out: &mut Vec<u8>) {
    let shade = |ramp: &[[u8; 3]; 3], t: f32| {
        let t = t.clamp(0.0, 1.0) * 2.0;
        let i = usize::from(t >= 1.0);
        let f = t - i as f32;
        [0, 1, 2].map(|c| (f32::from(ramp[i][c]) * (1.0 - f) + f32::from(ramp[i + 1][c]) * f).round() as u8)
    };
    // 256 steps a side: no pixel computes a colour.
    let table =
        |ramp| -> [[u8; 3]; 256] { std::array::from_fn(|i| order.place(shade(ramp, i as f32 / 255.0))) };
    let (cool, warm) = (table(&COOL), table(&WARM));
    out.clear();
    out.extend(segmentation.anomaly.iter().flat_map(|a| {
        let t = (a - threshold) / range;
        if t.is_nan() {
            [0; 3]
        } else if t > 0.0 {
            warm[(t.min(1.0) * 255.0) as usize]
        } else {
            cool[((1.0 + t.max(-1.0)) * 255.0) as usize]
        }
    }));
}

/// The camera's picture tinted by label, unknown strongly and outlined: `[height, width, 3]` of the output's
/// size. `rgb` is the camera image, tight rgb8, of `geometry.camera`.
pub fn overlay(
    taxonomy: &Taxonomy,
    segmentation: &Segmentation,
    rgb: &[u8],
    geometry: &Geometry,
    at: OutputSize,
    order: Order,
    out: &mut Vec<u8>,
) {
    let palette = taxonomy.palette();
    let unknown = taxonomy.unknown();
    let (width, height) = (segmentation.size.width, segmentation.size.height);
    let labels = &segmentation.labels;
    let is_unknown = |x: usize, y: usize| labels[y * width + x] == unknown;
    let on_edge = |x: usize, y: usize| {
        // Two pixels wide, so that it survives being shown smaller.
        let low = |v: usize| v.saturating_sub(2);
        let (x1, y1) = ((x + 2).min(width - 1), (y + 2).min(height - 1));
        [(low(x), y), (x1, y), (x, low(y)), (x, y1)].iter().any(|(x, y)| !is_unknown(*x, *y))
    };
    out.clear();
    out.reserve(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let label = labels[y * width + x];
            let base = geometry
                .camera_pixel(at, x, y)
                .and_then(|(cx, cy)| rgb.get((cy * geometry.camera.width + cx) * 3..)?.first_chunk::<3>())
                .copied()
                .unwrap_or_default();
            let ink = palette[usize::from(label)];
            let share = match label {
                IGNORE => 128,
                l if l == unknown && on_edge(x, y) => 256,
                l if l == unknown => 140,
                _ => 90,
            };
            let mix = [0, 1, 2]
                .map(|c| ((u32::from(base[c]) * (256 - share) + u32::from(ink[c]) * share) / 256) as u8);
            out.extend(order.place(mix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;
    use crate::labels::{Class, UNKNOWN_COLOR};
    use crate::preprocess::geometry::Fit;

    fn taxonomy() -> Taxonomy {
        let class = |name: &str, color| Class { name: name.into(), color };
        Taxonomy::new(vec![class("road", [10, 20, 30]), class("car", [40, 50, 60])]).unwrap()
    }

    fn segmentation(width: usize, height: usize, labels: &[u8], anomaly: &[f32]) -> Segmentation {
        Segmentation {
            size: Size { width, height },
            labels: labels.to_vec(),
            anomaly: anomaly.to_vec(),
            ..Segmentation::default()
        }
    }

    #[test]
    fn labels_take_their_colours_in_either_order() {
        let s = segmentation(4, 1, &[0, 1, 2, 255], &[0.0; 4]);
        let mut out = vec![9; 3];
        color(&taxonomy(), &s, Order::Rgb, &mut out);
        assert_eq!(out, [10, 20, 30, 40, 50, 60, 0, 255, 255, 0, 0, 0]);
        color(&taxonomy(), &s, Order::Bgr, &mut out);
        assert_eq!(out[..3], [30, 20, 10]);
    }

    #[test]
    fn the_heatmap_changes_hue_at_the_threshold() {
        let s = segmentation(6, 1, &[0; 6], &[-9.0, 1.0, 1.001, 9.0, f32::NAN, f32::INFINITY]);
        let mut out = Vec::new();
        heatmap(&s, 1.0, 2.0, Order::Rgb, &mut out);
        let pixel = |i: usize| [out[i * 3], out[i * 3 + 1], out[i * 3 + 2]];
        assert_eq!(pixel(0), COOL[0]);
        assert_eq!(pixel(1), COOL[2], "at the threshold it is known");
        assert_eq!(pixel(2), WARM[0]);
        assert_eq!(pixel(3), WARM[2]);
        assert_eq!(pixel(4), [0; 3]);
        assert_eq!(pixel(5), WARM[2]);
    }

    #[test]
    fn the_overlay_outlines_unknown() {
        let size = Size { width: 7, height: 7 };
        let geometry = Geometry::new(size, None, Fit::Stretch, size).unwrap();
        let mut labels = [0; 49];
        for y in 1..6 {
            labels[y * 7 + 1..y * 7 + 6].fill(2);
        }
        let s = segmentation(7, 7, &labels, &[0.0; 49]);
        let mut out = Vec::new();
        overlay(&taxonomy(), &s, &[100; 147], &geometry, OutputSize::Camera, Order::Rgb, &mut out);
        let pixel = |x: usize, y: usize| &out[(y * 7 + x) * 3..(y * 7 + x) * 3 + 3];
        assert_eq!(pixel(1, 1), UNKNOWN_COLOR, "edge");
        assert_eq!(pixel(3, 3), [45, 184, 184], "middle: 140/256 of the colour");
        assert_eq!(pixel(0, 0), [68, 71, 75], "road: 90/256 of the colour");
    }
}
