//! Another light and another camera for a picture: brightness, contrast, gamma, white balance, colour, blur.

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::settings::Photometric;
use crate::images::{ImagesError, Rgb, blur_rgb};

/// Weights of BT.601 for the gray of a colour.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// What was drawn for one picture.
#[derive(Debug, Clone, PartialEq)]
struct Drawn {
    /// What becomes of each value of each channel, 0..255.
    values: [[f32; 256]; 3],
    /// Then this matrix, unless colours stay as they are.
    mix: Option<[[f32; 3]; 3]>,
    /// Deviation in pixels.
    blur: f64,
}

/// Changes a picture by what is drawn. A picture under strengths of 0 stays as it is, bit for bit.
pub(super) fn change(rgb: &mut Rgb, settings: &Photometric, rng: &mut ChaCha8Rng) -> Result<(), ImagesError> {
    // Drawn even if it is not used: one strength changes nothing of what another draws.
    let drawn = Drawn::draw(settings, rng);
    if *settings == Photometric::default() {
        return Ok(());
    }
    let round = |v: f32| (v + 0.5).clamp(0.0, 255.0) as u8;
    for pixel in rgb.data.as_chunks_mut::<3>().0 {
        let v = [0, 1, 2].map(|c| drawn.values[c][usize::from(pixel[c])]);
        *pixel = match &drawn.mix {
            None => v.map(round),
            Some(mix) => mix.map(|m| round(m[0] * v[0] + m[1] * v[1] + m[2] * v[2])),
        };
    }
    if drawn.blur > 0.0 {
        *rgb = blur_rgb(rgb, drawn.blur)?;
    }
    Ok(())
}

impl Drawn {
    fn draw(settings: &Photometric, rng: &mut ChaCha8Rng) -> Self {
        let mut either_way = |strength: f64| strength * (2.0 * rng.random::<f64>() - 1.0);
        let brightness = either_way(settings.brightness);
        let contrast = either_way(settings.contrast).exp();
        let saturation = either_way(settings.saturation).exp();
        let gamma = either_way(settings.gamma).exp();
        let turn = either_way(settings.hue) * TAU;
        let gains = [(); 3].map(|()| either_way(settings.channels).exp());
        let blur = settings.blur * (2.0 * rng.random::<f64>() - 1.0);

        let value = |gain: f64, v: f64| {
            let v = gain * v.powf(gamma);
            255.0 * ((v - 0.5) * contrast + 0.5 + brightness).clamp(0.0, 1.0)
        };
        let values = gains.map(|gain| std::array::from_fn(|i| value(gain, i as f64 / 255.0) as f32));
        let colours_stay = settings.saturation == 0.0 && settings.hue == 0.0;
        Self { values, mix: (!colours_stay).then(|| mix(saturation, turn)), blur: blur.max(0.0) }
    }
}

/// First the distance from gray times `saturation`, then a turn about the gray axis. Gray stays as it is.
fn mix(saturation: f64, turn: f64) -> [[f32; 3]; 3] {
    let unit = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
    let saturate = |i: usize, j: usize| saturation * unit(i, j) + (1.0 - saturation) * LUMA[j];
    // Rodrigues' formula about (1, 1, 1)/√3.
    let (sin, cos) = turn.sin_cos();
    let rotate = |i: usize, j: usize| {
        let cross = match (3 + j - i) % 3 {
            1 => -1.0,
            2 => 1.0,
            _ => 0.0,
        };
        cos * unit(i, j) + (1.0 - cos) / 3.0 + sin * cross / 3f64.sqrt()
    };
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..3).map(|k| rotate(i, k) * saturate(k, j)).sum::<f64>() as f32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::generator;

    fn picture() -> Rgb {
        Rgb { width: 32, height: 8, data: (0..32 * 8 * 3).map(|i| (i * 7 % 256) as u8).collect() }
    }

    fn changed(settings: &Photometric, number: u64) -> Rgb {
        let mut rgb = picture();
        change(&mut rgb, settings, &mut generator(5, ["light", "test"], number)).unwrap();
        rgb
    }

    #[test]
    fn without_strength_nothing_changes() {
        assert_eq!(changed(&Photometric::default(), 0), picture());
    }

    #[test]
    fn each_strength_changes_something_and_stays_small_when_it_is_small() {
        let none = Photometric::default();
        for (name, settings) in [
            ("brightness", Photometric { brightness: 0.01, ..none.clone() }),
            ("contrast", Photometric { contrast: 0.02, ..none.clone() }),
            ("saturation", Photometric { saturation: 0.02, ..none.clone() }),
            ("gamma", Photometric { gamma: 0.02, ..none.clone() }),
            ("hue", Photometric { hue: 0.002, ..none.clone() }),
            ("channels", Photometric { channels: 0.02, ..none.clone() }),
        ] {
            let far = (0..8).map(|n| changed(&settings, n)).flat_map(|rgb| {
                rgb.data.into_iter().zip(picture().data).map(|(a, b)| a.abs_diff(b)).collect::<Vec<_>>()
            });
            let far = far.max().unwrap();
            assert!((1..8).contains(&far), "{name}: {far}");
        }
    }

    #[test]
    fn half_are_blurred() {
        let settings = Photometric { blur: 3.0, ..Photometric::default() };
        let blurred = (0..100).filter(|n| changed(&settings, *n) != picture()).count();
        assert!((30..70).contains(&blurred), "{blurred}");
    }

    #[test]
    fn colours_turn_and_gray_stays() {
        let near = |m: [[f32; 3]; 3], from: [f32; 3], to: [f32; 3]| {
            let got = m.map(|m| m[0] * from[0] + m[1] * from[1] + m[2] * from[2]);
            assert!(got.iter().zip(to).all(|(a, b)| (a - b).abs() < 1e-3), "{got:?}, not {to:?}");
        };
        near(mix(1.0, TAU / 3.0), [200.0, 0.0, 0.0], [0.0, 200.0, 0.0]);
        near(mix(0.0, 0.0), [100.0, 0.0, 0.0], [29.9; 3]);
        near(mix(1.7, 0.4), [88.0; 3], [88.0; 3]);
    }
}
