//! An object at its place, and how it is mixed into the frame.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::ground::Ground;
use super::light::Light;
use super::patch::{MARGIN, Patch, Pixel};
use super::{Cutout, Object, Pasted, Scene};
use crate::images::Rgb;
use crate::labels::IGNORE;

/// A cut-out that was drawn, with all that was drawn about it.
pub(super) struct Placed<'a> {
    cutout: &'a Cutout,
    mirrored: bool,
    patch: Patch,
    /// Column and row of the patch's first pixel in the frame.
    at: [i64; 2],
    /// The row it stands on.
    foot: usize,
    /// Width and height of the frame.
    frame: [usize; 2],
}

impl<'a> Placed<'a> {
    /// Draws place, size and direction.
    pub(super) fn draw(
        cutout: &'a Cutout,
        ground: &Ground,
        scale: [f64; 2],
        frame: &Rgb,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let (x, foot) = ground.foot(rng);
        let scale = scale[0] * (scale[1] / scale[0]).powf(rng.random());
        let mirrored = rng.random();
        let patch = Patch::new(cutout, scale * ground.depth(foot), mirrored);
        let at = [x as i64 - (patch.width / 2) as i64, (foot + 1 + MARGIN) as i64 - patch.height as i64];
        Self { cutout, mirrored, patch, at, foot, frame: [frame.width, frame.height] }
    }

    pub(super) fn foot(&self) -> usize {
        self.foot
    }

    /// How many pixels of the frame it takes.
    pub(super) fn pixels(&self) -> usize {
        self.visible().filter(|(_, pixel)| pixel.opaque()).count()
    }

    /// The pixels both take, as a share of the smaller.
    pub(super) fn overlap(&self, other: &Self) -> f64 {
        let shared = self
            .visible()
            .filter(|(at, pixel)| pixel.opaque() && other.pixel(*at).is_some_and(Pixel::opaque));
        shared.count() as f64 / self.pixels().min(other.pixels()).max(1) as f64
    }

    /// Mixes it into the frame: where it is mostly itself the label becomes unknown, where the frame shines
    /// through, ignored, unless that is another object.
    pub(super) fn blend(&self, scene: &Scene<'_>, ground: &Ground, pasted: &mut Pasted) {
        let light = Light::new(self.patch.colours(), self.surroundings(scene, ground));
        for ([x, y], pixel) in self.visible().filter(|(_, pixel)| !pixel.clear()) {
            let i = y * self.frame[0] + x;
            pixel.mix(light.on(pixel.rgb), &mut pasted.rgb.data[i * 3..i * 3 + 3]);
            let label = &mut pasted.labels[i];
            if pixel.opaque() {
                *label = scene.classes;
            } else if *label != scene.classes {
                *label = IGNORE;
            }
        }
    }

    pub(super) fn record(&self, ground: &Ground) -> Object {
        let [width, height] = [self.patch.width, self.patch.height].map(|n| (n - 2 * MARGIN) as i64);
        let [left, top] = self.at.map(|n| n + MARGIN as i64);
        Object {
            cutout: self.cutout.name().into(),
            bounds: [left, top, width, height],
            scale: width.max(height) as f64 / ground.depth(self.foot),
            mirrored: self.mirrored,
        }
    }

    /// The patch's pixels that lie in the frame, each with its column and row there.
    fn visible(&self) -> impl Iterator<Item = ([usize; 2], &Pixel)> {
        self.patch.visible(self.at, self.frame.map(|side| 0..side))
    }

    /// What the patch has at a pixel of the frame.
    fn pixel(&self, at: [usize; 2]) -> Option<&Pixel> {
        let x = usize::try_from(at[0] as i64 - self.at[0]).ok().filter(|x| *x < self.patch.width)?;
        let y = usize::try_from(at[1] as i64 - self.at[1]).ok()?;
        self.patch.pixels.get(y * self.patch.width + x)
    }

    /// The colours of the frame around the object, half its size further out each way; below the horizon,
    /// for the sky lights what stands before it from behind.
    fn surroundings<'s>(&self, scene: &Scene<'s>, ground: &Ground) -> impl Iterator<Item = [f32; 3]> + 's {
        let Rgb { width, ref data, .. } = *scene.rgb;
        let out = (self.patch.width.max(self.patch.height) / 2) as i64;
        let range = |at: i64, length: usize, least: usize, end: usize| {
            let within = |n: i64| usize::try_from(n).unwrap_or(0).clamp(least, end);
            within(at - out)..within(at + length as i64 + out)
        };
        let rows =
            range(self.at[1], self.patch.height, (ground.horizon as usize).min(self.foot), self.frame[1]);
        let columns = range(self.at[0], self.patch.width, 0, self.frame[0]);
        rows.flat_map(move |y| columns.clone().map(move |x| (y * width + x) * 3))
            .map(|i| [data[i], data[i + 1], data[i + 2]].map(f32::from))
    }
}
