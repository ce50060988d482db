//! A crop of an image: where it is cut, how it is scaled, which way round it is.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::DataError;
use super::settings::Augmentation;
use crate::images::{Rgb, resize_rgb};
use crate::labels::IGNORE;
use crate::train::negatives::Framing;
use crate::train::scene::Scene;

/// Whole pixels of the image that become the crop; some may lie outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    left: i64,
    top: i64,
    width: usize,
    height: usize,
    mirrored: bool,
}

impl Window {
    /// Draws size, place and direction. `anchor` is a column and row of the scene that must be in it. A
    /// window that is larger than the image holds all of it, at a random place.
    pub(super) fn draw(
        augmentation: &Augmentation,
        scene: &Scene,
        anchor: Option<[usize; 2]>,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let [low, high] = augmentation.scale;
        let scale = low * (high / low).powf(rng.random());
        let [width, height] =
            augmentation.crop.sides().map(|side| ((side as f64 / scale).round() as usize).max(1));
        let mut place = |image: usize, window: usize, anchor: Option<usize>| {
            let (image, window) = (image as i64, window as i64);
            let (mut first, mut last) = ((image - window).min(0), (image - window).max(0));
            if let Some(anchor) = anchor.map(|a| a as i64) {
                first = first.max(anchor - window + 1);
                last = last.min(anchor);
            }
            rng.random_range(first..=last.max(first))
        };
        let left = place(scene.rgb.width, width, anchor.map(|[x, _]| x));
        let top = place(scene.rgb.height, height, anchor.map(|[_, y]| y));
        Self { left, top, width, height, mirrored: rng.random_bool(augmentation.flip) }
    }

    /// What the crop shows of the image.
    pub(super) fn framing(&self, scene: &Scene, crop: [usize; 2]) -> Framing {
        let [mut columns, rows] = [
            (self.left, self.width, crop[0], scene.rgb.width),
            (self.top, self.height, crop[1], scene.rgb.height),
        ]
        .map(|(from, length, side, end)| {
            let (first, last) = self.inside(from, length, end);
            // Pixels that are wholly of the image.
            let first = ((first as i64 - from) as usize * side).div_ceil(length);
            first..((last as i64 - from) as usize * side / length).max(first)
        });
        if self.mirrored {
            columns = crop[0] - columns.end..crop[0] - columns.start;
        }
        Framing { enlarged: crop[0] as f64 / self.width as f64, image: [columns, rows] }
    }

    /// The crop: `fill` and void where the window is outside of the image. Labels are those of the nearest
    /// pixel.
    pub(super) fn cut(&self, scene: &Scene, crop: [usize; 2], fill: [u8; 3]) -> Result<Scene, DataError> {
        let mut rgb = resize_rgb(&self.pixels(&scene.rgb, fill), crop[0], crop[1])?;
        if self.mirrored {
            rgb.data.chunks_exact_mut(crop[0] * 3).for_each(|row| row.as_chunks_mut::<3>().0.reverse());
        }
        Ok(Scene { rgb, labels: self.labels(scene, crop) })
    }

    fn pixels(&self, rgb: &Rgb, fill: [u8; 3]) -> Rgb {
        let (columns, rows) = (self.inside(self.left, self.width, rgb.width), self.height);
        let mut data = Vec::with_capacity(self.width * rows * 3);
        for y in (self.top..).take(rows) {
            let row = usize::try_from(y).ok().filter(|y| *y < rgb.height);
            let Some(row) = row.filter(|_| columns.1 > columns.0) else {
                data.extend((0..self.width).flat_map(|_| fill));
                continue;
            };
            let before = (columns.0 as i64 - self.left) as usize;
            data.extend((0..before).flat_map(|_| fill));
            data.extend_from_slice(
                &rgb.data[(row * rgb.width + columns.0) * 3..(row * rgb.width + columns.1) * 3],
            );
            data.extend((before + columns.1 - columns.0..self.width).flat_map(|_| fill));
        }
        Rgb { width: self.width, height: rows, data }
    }

    /// The part of `from..from + length` that lies in `0..end`.
    fn inside(&self, from: i64, length: usize, end: usize) -> (usize, usize) {
        let within = |n: i64| usize::try_from(n).unwrap_or(0).min(end);
        (within(from), within(from + length as i64))
    }

    fn labels(&self, scene: &Scene, [width, height]: [usize; 2]) -> Vec<u8> {
        // The source pixel under the centre of each of the crop's.
        let nearest = |from: i64, window: usize, side: usize, end: usize| -> Vec<Option<usize>> {
            let at = |i: usize| from + ((2 * i + 1) * window / (2 * side)) as i64;
            (0..side).map(|i| usize::try_from(at(i)).ok().filter(|at| *at < end)).collect()
        };
        let mut columns = nearest(self.left, self.width, width, scene.rgb.width);
        if self.mirrored {
            columns.reverse();
        }
        let mut labels = Vec::with_capacity(width * height);
        for row in nearest(self.top, self.height, height, scene.rgb.height) {
            let Some(row) = row.map(|y| &scene.labels[y * scene.rgb.width..][..scene.rgb.width]) else {
                labels.extend((0..width).map(|_| IGNORE));
                continue;
            };
            labels.extend(columns.iter().map(|x| x.map_or(IGNORE, |x| row[x])));
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Crop;
    use super::*;
    use crate::train::data::generator;

    /// Each pixel tells where it is, in colour and in label.
    fn scene(width: usize, height: usize) -> Scene {
        let at = |i: usize| (i % width, i / width);
        let data = (0..width * height).flat_map(|i| [at(i).0 as u8, at(i).1 as u8, 9]).collect();
        let labels = (0..width * height).map(|i| (at(i).0 + at(i).1) as u8).collect();
        Scene { rgb: Rgb { width, height, data }, labels }
    }

    fn augmentation(crop: [usize; 2], scale: [f64; 2], flip: f64) -> Augmentation {
        Augmentation { crop: Crop::Sides(crop), scale, flip, ..Augmentation::default() }
    }

    #[test]
    fn without_scaling_colours_and_labels_are_those_of_the_image() {
        let scene = scene(40, 30);
        for (crop, flip) in [([12, 7], 0.0), ([12, 7], 1.0), ([55, 20], 0.0), ([55, 45], 1.0)] {
            for i in 0..20 {
                let mut rng = generator(1, ["window", "test"], i);
                let window = Window::draw(&augmentation(crop, [1.0, 1.0], flip), &scene, None, &mut rng);
                let cut = window.cut(&scene, crop, [200, 201, 202]).unwrap();
                assert_eq!(
                    (cut.rgb.width, cut.rgb.height, cut.labels.len()),
                    (crop[0], crop[1], crop[0] * crop[1])
                );
                let Framing { enlarged, image: [columns, rows] } = window.framing(&scene, crop);
                assert_eq!((enlarged, columns.len(), rows.len()), (1.0, crop[0].min(40), crop[1].min(30)));
                for (i, label) in cut.labels.iter().enumerate() {
                    let shown = columns.contains(&(i % crop[0])) && rows.contains(&(i / crop[0]));
                    assert_eq!(*label != IGNORE, shown);
                }
                let mut void = 0;
                for (pixel, label) in cut.rgb.data.as_chunks::<3>().0.iter().zip(&cut.labels) {
                    match *label {
                        IGNORE => assert_eq!(*pixel, [200, 201, 202]),
                        label => assert_eq!((pixel[0] + pixel[1], pixel[2]), (label, 9)),
                    }
                    void += usize::from(*label == IGNORE);
                }
                let outside = crop[0] * crop[1] - crop[0].min(40) * crop[1].min(30);
                assert_eq!(void, outside, "all of the image that fits is there");
                let [a, b] = [cut.rgb.data[0], cut.rgb.data[(crop[0] - 1) * 3]];
                assert!(crop[0] > 40 || (b > a) == (flip == 0.0), "mirrored or not: {a} {b}");
            }
        }
    }

    #[test]
    fn scaled_labels_stay_with_their_colours() {
        let scene = scene(90, 90);
        for i in 0..40 {
            let mut rng = generator(2, ["window", "test"], i);
            let window = Window::draw(&augmentation([48, 32], [0.6, 2.0], 0.5), &scene, None, &mut rng);
            let cut = window.cut(&scene, [48, 32], [0; 3]).unwrap();
            let stretch = 1.0 / window.framing(&scene, [48, 32]).enlarged;
            assert!((0.5..1.7).contains(&stretch), "{stretch}");
            for (pixel, label) in cut.rgb.data.as_chunks::<3>().0.iter().zip(&cut.labels) {
                let sum = f64::from(pixel[0]) + f64::from(pixel[1]);
                assert!((sum - f64::from(*label)).abs() <= 2.5 + stretch, "{sum} {label}");
            }
        }
    }

    #[test]
    fn an_anchor_is_in_the_crop_wherever_it_is() {
        let scene = scene(64, 48);
        for (i, anchor) in [[0, 0], [63, 47], [0, 47], [31, 5]].into_iter().cycle().take(200).enumerate() {
            let mut rng = generator(3, ["window", "test"], i as u64);
            let window =
                Window::draw(&augmentation([20, 20], [0.2, 2.0], 0.5), &scene, Some(anchor), &mut rng);
            let inside =
                |at: usize, from: i64, length: usize| (from..from + length as i64).contains(&(at as i64));
            assert!(inside(anchor[0], window.left, window.width), "{anchor:?} {window:?}");
            assert!(inside(anchor[1], window.top, window.height), "{anchor:?} {window:?}");
        }
    }
}
