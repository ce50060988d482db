//! The light of the place: an object photographed elsewhere, as bright and as vivid as what stands there.

/// Middle gray in sRGB, which a photograph is exposed to on average.
const MIDDLE: f64 = 118.0;
/// How far the light of the place is taken for that of the object, as a power of its ratio to middle gray.
const PLACE: f64 = 0.7;
/// How far an object that is darker or brighter than middle gray is brought to it.
const EXPOSURE: f64 = 0.3;
/// Darker or brighter than by these no object is made: it stays recognisable.
const GAIN: [f64; 2] = [0.25, 1.5];
/// How far the mean colour of the place is taken for that of its light.
const TINT: f64 = 0.4;
/// How far the object becomes as pale as the place.
const PALE: f64 = 0.2;

/// What the light of a place makes of an object's colours.
///
/// Light multiplies: black stays black. What is around a place tells of its light, but its colours are in
/// part its own, as the object's are: so each goes only a part of the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Light {
    /// Factors on red, green and blue.
    gain: [f32; 3],
    /// Factor on what they differ from gray by, 0..1.
    vivid: f32,
}

impl Light {
    /// From the colours of the object and of what is around it, each 0..255.
    pub(crate) fn new(
        object: impl Iterator<Item = [f32; 3]>,
        around: impl Iterator<Item = [f32; 3]>,
    ) -> Self {
        let (object, around) = (Tone::of(object), Tone::of(around));
        let gain = (around.luma / MIDDLE).powf(PLACE) * (MIDDLE / object.luma).powf(EXPOSURE);
        let gain = gain.clamp(GAIN[0], GAIN[1]);
        let tint = around.mean.map(|c| (gain * (c / around.luma).powf(TINT)) as f32);
        Self { gain: tint, vivid: (around.chroma / object.chroma).powf(PALE).min(1.0) as f32 }
    }

    /// A colour of the object in this light, 0..255.
    pub(crate) fn on(self, rgb: [f32; 3]) -> [f32; 3] {
        let gray = luma(rgb.map(f64::from)) as f32;
        [0, 1, 2].map(|i| (self.gain[i] * (gray + (rgb[i] - gray) * self.vivid)).clamp(0.0, 255.0))
    }
}

/// Of many colours. Nothing is below 1, which is as good as none, and can be divided by.
struct Tone {
    mean: [f64; 3],
    /// Of the mean.
    luma: f64,
    /// Mean distance from gray.
    chroma: f64,
}

impl Tone {
    fn of(colours: impl Iterator<Item = [f32; 3]>) -> Self {
        let (mut count, mut sum, mut chroma) = (0.0, [0.0; 3], 0.0);
        for rgb in colours {
            let rgb = rgb.map(f64::from);
            let gray = luma(rgb);
            count += 1.0;
            sum.iter_mut().zip(rgb).for_each(|(s, c)| *s += c);
            chroma += rgb.map(|c| (c - gray).abs()).iter().sum::<f64>();
        }
        let over = |sum: f64| (sum / f64::max(count, 1.0)).max(1.0);
        let mean = sum.map(over);
        Self { mean, luma: luma(mean), chroma: over(chroma) }
    }
}

/// Of BT.601.
fn luma([r, g, b]: [f64; 3]) -> f64 {
    0.299 * r + 0.587 * g + 0.114 * b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light(object: [f32; 3], around: [f32; 3]) -> Light {
        Light::new([object; 9].into_iter(), [around; 9].into_iter())
    }

    #[test]
    fn middle_gray_in_gray_stays() {
        let gray = [118.0; 3];
        let on = light(gray, gray).on(gray);
        assert!(on.iter().all(|c| (c - 118.0).abs() < 1e-3), "{on:?}");
    }

    #[test]
    fn black_stays_black_and_white_is_the_end() {
        for around in [[5.0; 3], [250.0, 200.0, 20.0]] {
            assert_eq!(light([90.0, 60.0, 30.0], around).on([0.0; 3]), [0.0; 3]);
            assert!(light([9.0; 3], around).on([255.0; 3]).iter().all(|c| (0.0..=255.0).contains(c)));
        }
    }

    #[test]
    fn a_tint_and_a_pale_place_show() {
        let [r, _, b] = light([100.0; 3], [80.0, 100.0, 160.0]).on([100.0; 3]);
        assert!(b > r + 5.0, "blue light: {r} {b}");
        let red = [200.0, 40.0, 40.0];
        let [r, g, _] = light(red, [110.0; 3]).on(red);
        assert!(r - g > 50.0 && r / g < 5.0, "still red, and less: {r} {g}");
    }

    #[test]
    fn of_nothing_it_is_dark_and_finite() {
        let on = Light::new(std::iter::empty(), std::iter::empty()).on([255.0; 3]);
        assert!(on.iter().all(|c| c.is_finite()), "{on:?}");
    }
}
