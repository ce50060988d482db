//! Scenes that are drawn, not photographed: for tests and for a first run on a machine without data.
//!
//! A road that narrows towards a horizon, with grass beside it, houses and sky behind it and vehicles on it;
//! and cut-outs whose shapes and colours none of these has. Easy on purpose: a few thousand parameters learn
//! it in seconds, and no number on it says anything about a street.

use std::fs;
use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{DataError, generator};
use crate::images::{ImagesError, encode_png_gray, encode_png_rgb, encode_png_rgba, write_atomically};

/// Names and colours of the classes, by id.
pub const CLASSES: [(&str, [u8; 3]); 5] = [
    ("sky", [70, 130, 180]),
    ("house", [70, 70, 70]),
    ("grass", [107, 142, 35]),
    ("road", [128, 64, 128]),
    ("vehicle", [0, 0, 142]),
];
const SKY: u8 = 0;
const HOUSE: u8 = 1;
const GRASS: u8 = 2;
const ROAD: u8 = 3;
const VEHICLE: u8 = 4;

/// How many cut-outs are written.
const CUTOUTS: usize = 24;
/// Their longest side.
const CUTOUT_SIDE: usize = 96;

/// Writes `count` scenes of `size` (width, height) in the layout of data set `folder` (`images/`, `labels/`),
/// and `cutouts/` for negatives. The same seed gives the same files.
///
/// # Errors
/// No scene, a side under 32 or over 4096, a folder that already holds scenes, a disk that is full.
pub fn write(out: &Path, count: usize, size: [usize; 2], seed: u64) -> Result<(), DataError> {
    if count == 0 {
        return Err(DataError::Setting { name: "count", got: "0".into(), wanted: "1 or more scenes" });
    }
    if size.iter().any(|side| !(32..=4096).contains(side)) {
        let got = format!("{}x{}", size[0], size[1]);
        return Err(DataError::Setting { name: "size", got, wanted: "sides of 32 to 4096 pixels" });
    }
    for folder in ["images", "labels", "cutouts"].map(|name| out.join(name)) {
        if folder.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            let wanted = "a folder for new files, for old ones would be mixed in";
            return Err(DataError::Setting { name: "out", got: folder.display().to_string(), wanted });
        }
        fs::create_dir_all(&folder).map_err(|source| ImagesError::Unwritable { path: folder, source })?;
    }
    let mut bytes = Vec::new();
    for i in 0..count {
        let scene = Drawing::scene(size, &mut generator(seed, ["generated", "scene"], i as u64));
        encode_png_rgb(&scene.rgb, size[0], size[1], &mut bytes)?;
        write_atomically(&out.join(format!("images/{i:04}.png")), &bytes)?;
        encode_png_gray(&scene.labels, size[0], size[1], &mut bytes)?;
        write_atomically(&out.join(format!("labels/{i:04}.png")), &bytes)?;
    }
    for i in 0..CUTOUTS {
        let rgba = cutout(&mut generator(seed, ["generated", "cut-out"], i as u64));
        encode_png_rgba(&rgba, CUTOUT_SIDE, CUTOUT_SIDE, &mut bytes)?;
        write_atomically(&out.join(format!("cutouts/{i:02}.png")), &bytes)?;
    }
    Ok(())
}

/// A scene while it is drawn, from far to near.
struct Drawing {
    width: usize,
    rgb: Vec<u8>,
    labels: Vec<u8>,
    /// Of the day: factors on all colours.
    light: [f64; 3],
}

impl Drawing {
    fn scene([width, height]: [usize; 2], rng: &mut ChaCha8Rng) -> Self {
        let day = rng.random_range(0.7..1.1);
        let light = [(); 3].map(|()| day * rng.random_range(0.93..1.07));
        let pixels = width * height;
        let mut drawing = Self { width, rgb: vec![0; pixels * 3], labels: vec![SKY; pixels], light };
        let (w, h) = (width as f64, height as f64);
        let horizon = h * rng.random_range(0.35..0.5);

        drawing.fill(rng, SKY, |_, y| (y < horizon).then(|| [150.0, 185.0 + 40.0 * y / horizon, 240.0]));
        drawing.fill(rng, GRASS, |x, y| {
            let blade = 12.0 * (x * 1.7 + y * 2.3).sin();
            (y >= horizon).then_some([70.0 + blade, 140.0 + blade, 50.0])
        });
        let mut left = -w * rng.random_range(0.0..0.2);
        while left < w {
            let right = left + w * rng.random_range(0.12..0.3);
            let roof = horizon - h * rng.random_range(0.08..0.3);
            let wall = [rng.random_range(140.0..190.0), rng.random_range(90.0..120.0), 80.0];
            let pane = h * 0.035;
            drawing.fill(rng, HOUSE, |x, y| {
                let window = ((x - left) / pane) as i64 % 3 == 1 && ((y - roof) / pane) as i64 % 3 == 1;
                let inside = (left..right).contains(&x) && (roof..horizon + 1.0).contains(&y);
                inside.then_some(if window { [60.0, 60.0, 70.0] } else { wall })
            });
            left = right + w * rng.random_range(0.0..0.12);
        }

        let (vanishing, middle) = (w * rng.random_range(0.35..0.65), w * rng.random_range(0.3..0.7));
        let half = w * rng.random_range(0.3..0.55);
        // 0 at the horizon, 1 at the lower edge.
        let near = |y: f64| (y - horizon) / (h - horizon);
        let centre = |y: f64| vanishing + (middle - vanishing) * near(y);
        drawing.fill(rng, ROAD, |x, y| {
            let from_centre = (x - centre(y)).abs();
            let painted = from_centre < 0.03 * half * near(y) && (6.0 / (near(y) + 0.15)) as i64 % 2 == 0;
            let gray = if painted { 225.0 } else { 95.0 };
            (y >= horizon && from_centre < half * (0.03 + near(y))).then_some([gray, gray, gray + 5.0])
        });
        let mut feet: Vec<f64> = (0..rng.random_range(1..4)).map(|_| rng.random_range(0.1..0.85)).collect();
        feet.sort_by(f64::total_cmp);
        for depth in feet {
            let foot = horizon + depth * (h - horizon);
            let side = half * (0.1 + 0.45 * depth);
            let middle = centre(foot) + rng.random_range(-0.6..0.6) * half * near(foot);
            let paint = [[190.0, 40.0, 40.0], [40.0, 60.0, 180.0], [230.0, 230.0, 235.0]];
            let paint = paint[rng.random_range(0..paint.len())];
            drawing.fill(rng, VEHICLE, |x, y| {
                let (across, up) = ((x - middle) / side, (foot - y) / side);
                let body = across.abs() < 0.5 && (0.08..0.4).contains(&up);
                let cabin = across.abs() < 0.33 && (0.4..0.65).contains(&up);
                let wheel = ((across.abs() - 0.32).powi(2) + (up - 0.1).powi(2)).sqrt() < 0.1;
                match (wheel, body, cabin) {
                    (true, ..) => Some([25.0; 3]),
                    (_, true, _) => Some(paint),
                    (_, _, true) => Some([70.0, 90.0, 110.0]),
                    _ => None,
                }
            });
        }
        drawing
    }

    /// Gives the class to those pixels that `colour` has a colour for (0..255, by column and row).
    fn fill(&mut self, rng: &mut ChaCha8Rng, class: u8, colour: impl Fn(f64, f64) -> Option<[f64; 3]>) {
        let pixels = self.rgb.as_chunks_mut::<3>().0.iter_mut().zip(&mut self.labels);
        for (i, (pixel, label)) in pixels.enumerate() {
            let (x, y) = ((i % self.width) as f64 + 0.5, (i / self.width) as f64 + 0.5);
            let Some(colour) = colour(x, y) else { continue };
            let grain = rng.random_range(-7.0..7.0);
            *pixel = [0, 1, 2].map(|c| (colour[c] * self.light[c] + grain).clamp(0.0, 255.0) as u8);
            *label = class;
        }
    }
}

/// A blob of three to seven lobes, striped in two colours that no class has.
fn cutout(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let colours = [[250.0, 220.0, 30.0], [230.0, 40.0, 200.0], [250.0, 140.0, 20.0], [40.0, 220.0, 210.0]];
    let first = rng.random_range(0..colours.len());
    let second = (first + rng.random_range(1..colours.len())) % colours.len();
    let lobes = f64::from(rng.random_range(3..8_u32));
    let (depth, turn) = (rng.random_range(0.1..0.4), rng.random_range(0.0..6.3_f64));
    let (narrow, stripe) = (rng.random_range(0.5..1.0), rng.random_range(4.0..14.0));
    let radius = CUTOUT_SIDE as f64 / 2.0 - 1.0;
    let pixel = |i: usize| {
        let from_centre = |n: usize| (n as f64 + 0.5) - CUTOUT_SIDE as f64 / 2.0;
        let (x, y) = (from_centre(i % CUTOUT_SIDE) / narrow, from_centre(i / CUTOUT_SIDE));
        let edge = radius * (1.0 - depth * (0.5 + 0.5 * (lobes * y.atan2(x) + turn).cos()));
        let opaque = (edge - x.hypot(y)).clamp(0.0, 1.0);
        let along = x * turn.cos() + y * turn.sin();
        let colour = colours[if (along / stripe).floor() as i64 % 2 == 0 { first } else { second }];
        let shade = 1.0 - 0.35 * (y / radius + 1.0) / 2.0;
        let [r, g, b] = colour.map(|c: f64| (c * shade) as u8);
        [r, g, b, (opaque * 255.0) as u8]
    };
    (0..CUTOUT_SIDE * CUTOUT_SIDE).flat_map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, Options};

    #[test]
    fn the_same_seed_writes_the_same_set_and_it_can_be_read() {
        let dirs = [7, 7, 8].map(|seed| {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), 6, [96, 64], seed).unwrap();
            (dir, seed)
        });
        let read = |i: usize, name: &str| fs::read(dirs[i].0.path().join(name)).unwrap();
        for name in ["images/0003.png", "labels/0005.png", "cutouts/11.png"] {
            assert_eq!(read(0, name), read(1, name));
            assert_ne!(read(0, name), read(2, name), "{name}");
        }
        let options = Options { classes: Some(CLASSES.len()), ..Options::default() };
        let set = Dataset::open("folder", dirs[0].0.path(), &options).unwrap();
        let mut seen = [0; CLASSES.len()];
        for sample in set.samples() {
            set.read(sample).unwrap().truth.labels.iter().for_each(|label| seen[usize::from(*label)] += 1);
        }
        assert!(seen.iter().all(|pixels| *pixels > 300), "each class is there: {seen:?}");
    }

    #[test]
    fn what_would_be_mixed_or_be_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(dir.path(), 0, [96, 64], 1).unwrap_err().to_string().starts_with("count is 0"));
        assert!(write(dir.path(), 1, [96, 8], 1).unwrap_err().to_string().starts_with("size is 96x8"));
        write(dir.path(), 1, [96, 64], 1).unwrap();
        assert!(write(dir.path(), 1, [96, 64], 1).unwrap_err().to_string().starts_with("out is"));
    }
}
