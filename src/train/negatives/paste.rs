//! Size, place and light of a negative, and eq. (15).

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Framing, MULTIPLE, Negative, Negatives, NegativesError, Paste, Pasted, SceneView, Source, Vacancy, Wanted,
};
use crate::dataset::paste::{self, Cutout, Light, Patch, Pixel, Shape};
use crate::images::Rgb;
use crate::labels::IGNORE;
use crate::train::damage::Damage;
use crate::train::scene::Scene;

/// More than this of a pixel makes it the negative's.
const OUTLIER: f32 = 0.5;
/// Up to this a pixel stays as it was; between the two it is void, and nobody's.
const TOUCHED: f32 = 0.05;
/// By so much a negative is enlarged at most: beyond, it has no detail.
const MOST_ENLARGED: f64 = 1.5;
/// A negative that shows less than this, in pixels, gets another size and place.
const LEAST_PIXELS: usize = 32;
/// So often, before the scene does without it. It stays the same negative: sources keep their weights.
const ATTEMPTS: usize = 8;
/// So often, before a source has nothing but damaged files.
const DAMAGED: usize = 1000;
/// The variance of a sharp camera's blur and of bilinear interpolation, along an axis, in square pixels: an
/// enlarged picture has both of them at its scale.
const BLUR_OF_A_PIXEL: f64 = 1.0 / 4.0 + 1.0 / 6.0;
/// Pixels around a negative that tell its light, along an axis.
const LIGHT_SAMPLES: usize = 48;

pub(super) fn paste(
    negatives: &Negatives,
    scene: &mut Scene,
    framing: &Framing,
    rng: &mut ChaCha8Rng,
) -> Result<Pasted, NegativesError> {
    let settings = &negatives.paste;
    let mut pasted = Pasted { outliers: vec![false; scene.labels.len()], vacancies: Vec::new() };
    if !rng.random_bool(settings.probability) {
        return Ok(pasted);
    }
    let count = rng.random_range(settings.objects[0]..=settings.objects[1]);
    for _ in 0..count {
        let view = SceneView { rgb: &scene.rgb, labels: &scene.labels };
        let (cutout, as_it_is) = match draw(&negatives.source, &view, &negatives.damage, rng)? {
            Negative::Vacancy(wanted) => {
                pasted.vacancies.extend(vacate(&wanted, scene, framing, &mut pasted.outliers, rng));
                continue;
            }
            Negative::Object(cutout) => (cutout, false),
            Negative::AsItIs(cutout) => (cutout, true),
        };
        let drawn = Drawn { cutout: &cutout, as_it_is };
        object(&drawn, negatives, scene, framing, &mut pasted.outliers, rng);
    }
    Ok(pasted)
}

/// Keeps a place for the trainer, anywhere in the image; none, where the image is smaller than the smallest.
fn vacate(
    wanted: &Wanted,
    scene: &mut Scene,
    framing: &Framing,
    outliers: &mut [bool],
    rng: &mut ChaCha8Rng,
) -> Option<Vacancy> {
    let [columns, rows] = &framing.image;
    let [width, height] = [(wanted.sides[0], columns.len()), (wanted.sides[1], rows.len())]
        .map(|(side, image)| side.min(image / MULTIPLE * MULTIPLE));
    if width == 0 || height == 0 {
        return None;
    }
    let left = rng.random_range(columns.start..=columns.end - width);
    let top = rng.random_range(rows.start..=rows.end - height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        if wanted.covers([x, y], [width, height]) {
            let pixel = (top + y) * scene.rgb.width + left + x;
            scene.labels[pixel] = IGNORE;
            outliers[pixel] = true;
        }
    }
    Some(Vacancy { left, top, width, height, made: wanted.made([width, height]) })
}

/// What a source drew.
struct Drawn<'a> {
    cutout: &'a Cutout,
    as_it_is: bool,
}

/// Finds it a size, a place and a light.
fn object(
    drawn: &Drawn<'_>,
    negatives: &Negatives,
    scene: &mut Scene,
    framing: &Framing,
    outliers: &mut [bool],
    rng: &mut ChaCha8Rng,
) {
    let Negatives { paste: settings, ground, classes, .. } = negatives;
    for _ in 0..ATTEMPTS {
        let patch = shape(drawn, settings, &scene.rgb, framing, rng);
        let at = if rng.random_bool(settings.ground.share) {
            on_ground(&patch, scene, ground, *classes, rng)
        } else {
            anywhere(&patch, framing, rng)
        };
        let placed = Placed { patch, at, framing };
        let lit = !drawn.as_it_is && rng.random_bool(settings.match_light);
        if placed.visible(scene.rgb.width).filter(|(_, pixel)| pixel.alpha > OUTLIER).count() >= LEAST_PIXELS
        {
            let light = lit.then(|| placed.light(&scene.rgb));
            placed.mix(light, scene, outliers);
            return;
        }
    }
}

/// A negative; where the file that was drawn is damaged, another one's.
fn draw(
    source: &dyn Source,
    scene: &SceneView<'_>,
    damage: &Damage,
    rng: &mut ChaCha8Rng,
) -> Result<Negative, NegativesError> {
    for _ in 0..DAMAGED {
        match source.draw(scene, rng) {
            Err(NegativesError::Image(error)) if Damage::is(&error) => damage.skip(error.to_string())?,
            drawn => return drawn,
        }
    }
    Err(damage.too_much().into())
}

/// The negative as it will stand in the scene.
fn shape(drawn: &Drawn<'_>, settings: &Paste, rgb: &Rgb, framing: &Framing, rng: &mut ChaCha8Rng) -> Patch {
    let [low, high] = settings.scale;
    let side = low * (high / low).powf(rng.random()) * rgb.width.min(rgb.height) as f64;
    let mirrored = rng.random_bool(settings.flip);
    let soft = rng.random_bool(settings.soft_edge);
    let turn = settings.rotation * (2.0 * rng.random::<f64>() - 1.0);
    let patch = drawn.cutout;
    if drawn.as_it_is {
        let side = patch.width.max(patch.height) as f64;
        let as_it_is = Shape { side, most_enlarged: 1.0, mirrored: false, soft: false, spread: 0.0 };
        return Patch::shaped(patch, as_it_is);
    }
    let softer = if settings.match_sharpness { (framing.enlarged.powi(2) - 1.0).max(0.0) } else { 0.0 };
    let spread = softer * BLUR_OF_A_PIXEL;
    let shaped = Patch::shaped(patch, Shape { side, most_enlarged: MOST_ENLARGED, mirrored, soft, spread });
    if turn == 0.0 { shaped } else { shaped.turned(turn.to_radians()) }
}

/// Its centre is any pixel of the image.
fn anywhere(patch: &Patch, framing: &Framing, rng: &mut ChaCha8Rng) -> [i64; 2] {
    let mut at = |image: &Range<usize>, patch: usize| {
        rng.random_range(image.start..image.end.max(image.start + 1)) as i64 - (patch / 2) as i64
    };
    [at(&framing.image[0], patch.width), at(&framing.image[1], patch.height)]
}

/// Its lowest row of pixels is on the ground.
fn on_ground(patch: &Patch, scene: &Scene, ground: &[u8], classes: u8, rng: &mut ChaCha8Rng) -> [i64; 2] {
    let view = paste::Scene { rgb: &scene.rgb, labels: &scene.labels, classes, ground };
    let (x, y) = paste::Ground::new(&view, 0.0).foot(rng);
    let rows = patch.pixels.chunks_exact(patch.width);
    let foot = rows.clone().rposition(|row| row.iter().any(|pixel| pixel.alpha > OUTLIER)).unwrap_or(0);
    [x as i64 - (patch.width / 2) as i64, y as i64 - foot as i64]
}

/// A patch, and column and row of its first pixel.
struct Placed<'f> {
    patch: Patch,
    at: [i64; 2],
    framing: &'f Framing,
}

impl Placed<'_> {
    /// Its pixels that lie in the image, each with its index in the scene.
    fn visible(&self, width: usize) -> impl Iterator<Item = (usize, &Pixel)> {
        let seen = self.patch.visible(self.at, self.framing.image.clone());
        seen.map(move |([x, y], pixel)| (y * width + x, pixel))
    }

    /// Of the scene around it, half its size further out each way.
    fn light(&self, rgb: &Rgb) -> Light {
        let out = (self.patch.width.max(self.patch.height) / 2) as i64;
        let [in_columns, in_rows] = &self.framing.image;
        let samples = |at: i64, length: usize, image: &Range<usize>| {
            let within = |n: i64| usize::try_from(n).unwrap_or(0).clamp(image.start, image.end);
            let range = within(at - out)..within(at + length as i64 + out);
            let step = (range.len() / LIGHT_SAMPLES).max(1);
            range.step_by(step)
        };
        let columns = samples(self.at[0], self.patch.width, in_columns);
        let around = samples(self.at[1], self.patch.height, in_rows)
            .flat_map(|y| columns.clone().map(move |x| (y * rgb.width + x) * 3))
            .map(|i| [rgb.data[i], rgb.data[i + 1], rgb.data[i + 2]].map(f32::from));
        Light::new(self.patch.colours(), around)
    }

    /// Eq. (15), and what it makes of labels and outliers.
    fn mix(&self, light: Option<Light>, scene: &mut Scene, outliers: &mut [bool]) {
        for (i, pixel) in self.visible(scene.rgb.width).filter(|(_, pixel)| pixel.alpha > TOUCHED) {
            let colour = light.map_or(pixel.rgb, |light| light.on(pixel.rgb));
            pixel.mix(colour, &mut scene.rgb.data[i * 3..i * 3 + 3]);
            scene.labels[i] = IGNORE;
            // The rim of one negative on another is no inlier either.
            outliers[i] |= pixel.alpha > OUTLIER;
        }
    }
}
