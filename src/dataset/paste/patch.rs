//! A cut-out at its size in the frame, as sharp as a camera would see it.

use std::ops::Range;

use super::Cutout;
use crate::model::Interpolation;
use crate::preprocess::resample::Axis;

/// A cut-out is enlarged by this much at most: beyond, its blur would give it away.
const MOST_ENLARGED: f64 = 1.25;
/// Around the cut-out, for what the blur spreads.
pub(super) const MARGIN: usize = 2;
/// What a pixel takes from each neighbour along an axis: about the blur of a sharp camera.
const SHARP: f32 = 0.125;
/// The same, once more over alpha alone, for edges that are two pixels soft.
const SOFT: f32 = 0.25;
/// This part of the edge's ramp becomes all of it, 0..1: less of the outside, where a cut-out brings along
/// the background it was cut from.
const RAMP: [f32; 2] = [0.15, 0.9];
/// From this share on a pixel is the object.
const OPAQUE: f32 = 0.5;
/// Up to this share a pixel is left as it was.
const CLEAR: f32 = 0.02;

/// A pixel of the patch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pixel {
    /// 0..255, not multiplied by alpha.
    pub(crate) rgb: [f32; 3],
    /// The object's share, 0..1.
    pub(crate) alpha: f32,
}

impl Pixel {
    /// Nothing of the object is here.
    pub(super) fn clear(&self) -> bool {
        self.alpha <= CLEAR
    }

    /// Mixes a colour into a frame's, by this pixel's share: eq. (15).
    pub(crate) fn mix(&self, colour: [f32; 3], into: &mut [u8]) {
        for (value, colour) in into.iter_mut().zip(colour) {
            let was = f32::from(*value);
            *value = (was + (colour - was) * self.alpha).round() as u8;
        }
    }

    /// From a colour that is multiplied by the alpha beside it; the object's share is another. Where nothing is
    /// seen there is no colour.
    fn of([r, g, b, alpha]: [f32; 4], share: f32) -> Self {
        if alpha > 0.0 {
            Self { rgb: [r, g, b].map(|c| c / alpha), alpha: share }
        } else {
            Self { rgb: [0.0; 3], alpha: 0.0 }
        }
    }

    /// The pixel is the object's, not mixed.
    pub(super) fn opaque(&self) -> bool {
        self.alpha >= OPAQUE
    }
}

/// `width × height` pixels, the cut-out and a margin.
pub(crate) struct Patch {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Pixel>,
}

/// How a cut-out is brought into a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// The longer side, in pixels.
    pub(crate) side: f64,
    /// By so much it is enlarged at most.
    pub(crate) most_enlarged: f64,
    /// Left and right are exchanged.
    pub(crate) mirrored: bool,
    /// Blurred as a sharp camera would, with edges two pixels soft; otherwise each pixel is the object's or
    /// it is not.
    pub(crate) soft: bool,
    /// The variance of a blur on top of that, along each axis, in square pixels.
    pub(crate) spread: f64,
}

impl Patch {
    /// Its pixels that lie within these columns and rows where its first pixel is `at`, each with its column and row.
    pub(crate) fn visible(
        &self,
        at: [i64; 2],
        [columns, rows]: [Range<usize>; 2],
    ) -> impl Iterator<Item = ([usize; 2], &Pixel)> {
        let inside = |at: i64, range: &Range<usize>| usize::try_from(at).ok().filter(|at| range.contains(at));
        let seen = self.pixels.chunks_exact(self.width).zip(at[1]..);
        let seen = seen.filter_map(move |(row, y)| Some((row, inside(y, &rows)?)));
        seen.flat_map(move |(row, y)| {
            let columns = columns.clone();
            let pixels = row.iter().zip(at[0]..);
            pixels.filter_map(move |(pixel, x)| Some(([inside(x, &columns)?, y], pixel)))
        })
    }

    /// The cut-out with a longer side of `side` pixels, or as near to that as it may be enlarged. By area
    /// interpolation, as a camera's pixel gathers light.
    pub(super) fn new(cutout: &Cutout, side: f64, mirrored: bool) -> Self {
        Self::shaped(cutout, Shape { side, most_enlarged: MOST_ENLARGED, mirrored, soft: true, spread: 0.0 })
    }

    /// The same with all that can be chosen. A margin is around it, wider where more is blurred.
    pub(crate) fn shaped(cutout: &Cutout, shape: Shape) -> Self {
        let factor = (shape.side / cutout.width.max(cutout.height) as f64).min(shape.most_enlarged);
        let resized = |length: usize| ((length as f64 * factor).round() as usize).max(1);
        let (width, height) = (resized(cutout.width), resized(cutout.height));
        let inner = resize(cutout, width, height, shape.mirrored);

        // A pass of `side` adds a variance of 2·side.
        let passes = (shape.spread / (2.0 * f64::from(SOFT))).ceil() as usize;
        let margin = MARGIN + passes;
        let (width, height) = (width + 2 * margin, height + 2 * margin);
        let mut seen = vec![[0.0; 4]; width * height];
        let rows = seen.chunks_exact_mut(width).skip(margin);
        for (row, inner) in rows.zip(inner.chunks_exact(width - 2 * margin)) {
            row[margin..width - margin].copy_from_slice(inner);
        }
        for _ in 0..passes {
            blur(&mut seen, width, (shape.spread / (2.0 * passes as f64)) as f32);
        }
        let hard = |alpha: f32| if alpha > OPAQUE { 1.0 } else { 0.0 };
        let pixels = if shape.soft {
            blur(&mut seen, width, SHARP);
            let mut soft = seen.clone();
            blur(&mut soft, width, SOFT);
            let ramp = |alpha: f32| ((alpha - RAMP[0]) / (RAMP[1] - RAMP[0])).clamp(0.0, 1.0);
            seen.iter().zip(&soft).map(|(seen, soft)| Pixel::of(*seen, ramp(soft[3]))).collect()
        } else {
            seen.iter().map(|seen| Pixel::of(*seen, hard(seen[3]))).collect()
        };
        Self { width, height, pixels }
    }

    /// The patch turned about its centre, clockwise, in a rectangle that holds all of it.
    #[cfg(feature = "train")]
    pub(crate) fn turned(&self, radians: f64) -> Self {
        let (sin, cos) = radians.sin_cos();
        let (w, h) = (self.width as f64, self.height as f64);
        let [width, height] = [w * cos.abs() + h * sin.abs(), w * sin.abs() + h * cos.abs()];
        let (width, height) = (width.ceil() as usize, height.ceil() as usize);
        let from_centre = |i: usize, of: usize| i as f64 + 0.5 - of as f64 / 2.0;
        let mut pixels = Vec::with_capacity(width * height);
        for y in (0..height).map(|y| from_centre(y, height)) {
            for x in (0..width).map(|x| from_centre(x, width)) {
                let from = [x * cos + y * sin + w / 2.0 - 0.5, y * cos - x * sin + h / 2.0 - 0.5];
                pixels.push(self.between(from));
            }
        }
        Self { width, height, pixels }
    }

    /// Bilinear; outside of the patch nothing is seen.
    #[cfg(feature = "train")]
    fn between(&self, [x, y]: [f64; 2]) -> Pixel {
        let (left, top) = (x.floor(), y.floor());
        let share = |near: f64, at: f64| (1.0 - (near - at).abs()) as f32;
        let mut sum = [0.0; 4];
        for (column, row) in [(left, top), (left + 1.0, top), (left, top + 1.0), (left + 1.0, top + 1.0)] {
            if column >= 0.0 && row >= 0.0 && column < self.width as f64 && row < self.height as f64 {
                let Pixel { rgb: [r, g, b], alpha } =
                    self.pixels[row as usize * self.width + column as usize];
                add(&mut sum, [r * alpha, g * alpha, b * alpha, alpha], share(column, x) * share(row, y));
            }
        }
        Pixel::of(sum, sum[3])
    }

    /// Of the pixels that are the object's.
    pub(crate) fn colours(&self) -> impl Iterator<Item = [f32; 3]> {
        self.pixels.iter().filter(|pixel| pixel.opaque()).map(|pixel| pixel.rgb)
    }
}

/// Colours multiplied by alpha, and alpha (0..1), of `width × height` pixels.
fn resize(cutout: &Cutout, width: usize, height: usize, mirrored: bool) -> Vec<[f32; 4]> {
    let multiplied: Vec<[f32; 4]> = cutout
        .pixels
        .iter()
        .map(|&[r, g, b, alpha]| {
            let alpha = f32::from(alpha) / 255.0;
            let [r, g, b] = [r, g, b].map(|c| f32::from(c) * alpha);
            [r, g, b, alpha]
        })
        .collect();
    let columns = Axis::new(Interpolation::Area, (0, cutout.width), width);
    let rows = Axis::new(Interpolation::Area, (0, cutout.height), height);
    let mut out = Vec::with_capacity(width * height);
    let mut line = vec![[0.0; 4]; cutout.width];
    for y in 0..height {
        line.fill([0.0; 4]);
        for (row, weight) in rows.taps(y) {
            let row = &multiplied[row * cutout.width..];
            line.iter_mut().zip(row).for_each(|(sum, pixel)| add(sum, *pixel, weight));
        }
        let begin = out.len();
        out.extend((0..width).map(|x| {
            let mut sum = [0.0; 4];
            columns.taps(x).for_each(|(column, weight)| add(&mut sum, line[column], weight));
            sum
        }));
        if mirrored {
            out[begin..].reverse();
        }
    }
    out
}

/// Gives each pixel a part `side` of each neighbour, along rows and then along columns. What is next to a
/// row's end is the margin, which is empty.
fn blur(pixels: &mut [[f32; 4]], width: usize, side: f32) {
    for stride in [1, width] {
        let before = pixels.to_vec();
        for i in stride..pixels.len().saturating_sub(stride) {
            pixels[i] = [0.0; 4];
            for (at, weight) in [(i - stride, side), (i, 1.0 - 2.0 * side), (i + stride, side)] {
                add(&mut pixels[i], before[at], weight);
            }
        }
    }
}

fn add(sum: &mut [f32; 4], pixel: [f32; 4], weight: f32) {
    sum.iter_mut().zip(pixel).for_each(|(s, p)| *s += weight * p);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red on the left, green on the right; opaque.
    fn flag() -> Cutout {
        let pixel = |i: usize| if i % 40 < 20 { [200, 0, 0, 255] } else { [0, 200, 0, 255] };
        Cutout { name: "flag".into(), width: 40, height: 20, pixels: (0..800).map(pixel).collect() }
    }

    fn at(patch: &Patch, x: usize, y: usize) -> Pixel {
        patch.pixels[y * patch.width + x]
    }

    #[test]
    fn the_longer_side_is_what_was_asked_for_but_for_large_ones() {
        for (side, width, height) in [(10.0, 10, 5), (39.6, 40, 20), (0.1, 1, 1), (1e9, 50, 25)] {
            let patch = Patch::new(&flag(), side, false);
            assert_eq!((patch.width - 2 * MARGIN, patch.height - 2 * MARGIN), (width, height));
        }
    }

    #[test]
    fn colours_stay_to_the_edge_and_the_edge_is_soft() {
        let patch = Patch::new(&flag(), 20.0, false);
        let row: Vec<Pixel> = (0..patch.width).map(|x| at(&patch, x, MARGIN + 5)).collect();
        let (inside, edge) = (row[MARGIN + 4], row[MARGIN]);
        assert_eq!((inside.rgb, inside.alpha), ([200.0, 0.0, 0.0], 1.0));
        assert_eq!(edge.rgb, [200.0, 0.0, 0.0], "nothing of what is transparent");
        assert!(edge.opaque() && edge.alpha < 1.0, "{edge:?}");
        assert!(!row[MARGIN - 1].opaque() && !row[MARGIN - 1].clear(), "{:?}", row[MARGIN - 1]);
        assert!(row[0].clear() && row[MARGIN + 20 + 1].clear());
        assert!(row.iter().all(|pixel| (0.0..=1.0).contains(&pixel.alpha)));
    }

    #[test]
    fn a_hard_one_is_all_or_nothing_and_a_spread_one_is_wider() {
        let shape = Shape { side: 20.0, most_enlarged: 1.0, mirrored: false, soft: false, spread: 0.0 };
        let hard = Patch::shaped(&flag(), shape);
        assert!(hard.pixels.iter().all(|pixel| pixel.alpha == 0.0 || pixel.alpha == 1.0));
        assert_eq!(hard.colours().count(), 20 * 10);
        let soft = Patch::shaped(&flag(), Shape { soft: true, ..shape });
        let spread = Patch::shaped(&flag(), Shape { soft: true, spread: 1.3, ..shape });
        let mixed = |patch: &Patch| patch.pixels.iter().filter(|p| p.alpha > 0.02 && p.alpha < 0.98).count();
        assert!(mixed(&spread) > mixed(&soft), "{} {}", mixed(&spread), mixed(&soft));
        assert_eq!(spread.width, soft.width + 2 * 3);
    }

    #[test]
    fn a_mirrored_one_is_the_other_way_round() {
        let (one, other) = (Patch::new(&flag(), 13.0, false), Patch::new(&flag(), 13.0, true));
        for y in 0..one.height {
            for x in 0..one.width {
                let (a, b) = (at(&one, x, y), at(&other, other.width - 1 - x, y));
                // Sums in another order.
                let close = |a: f32, b: f32| (a - b).abs() < 1e-3;
                assert!(close(a.alpha, b.alpha) && (0..3).all(|c| close(a.rgb[c], b.rgb[c])), "{x} {y}");
            }
        }
    }
}
