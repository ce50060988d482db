//! Which rectangle of the camera image lands on which rectangle of the network's input.
//!
//! Every fit is a pair of whole-pixel rectangles: `letterbox` shrinks the target, `crop` the source,
//! `stretch` neither. What follows (resampling in, sampling the logits out) sees rectangles only.

use crate::frame::Size;
use crate::score::{Sampling, Taps};

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Rect {
    pub(super) fn x_axis(&self) -> (usize, usize) {
        (self.x, self.width)
    }

    pub(super) fn y_axis(&self) -> (usize, usize) {
        (self.y, self.height)
    }

    /// Without its place.
    pub fn size(&self) -> Size {
        Size { width: self.width, height: self.height }
    }

    /// Whether it has pixels and all of them are of an image of that size.
    pub fn is_inside(&self, size: Size) -> bool {
        let end = |from: usize, length: usize| from.checked_add(length);
        self.width > 0
            && self.height > 0
            && end(self.x, self.width).is_some_and(|e| e <= size.width)
            && end(self.y, self.height).is_some_and(|e| e <= size.height)
    }
}

impl std::fmt::Display for Rect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} at ({}, {})", self.width, self.height, self.x, self.y)
    }
}

/// How a source of one shape meets an input of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Fill the input; proportions change.
    Stretch,
    /// Keep proportions, see everything, pad what is left of the input.
    Letterbox,
    /// Keep proportions, fill the input, cut what does not fit off both sides.
    Crop,
}

impl Fit {
    /// Every fit with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Stretch, "stretch"), (Self::Letterbox, "letterbox"), (Self::Crop, "crop")];
}

/// At which size labels and anomaly come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputSize {
    /// The camera's: one label a camera pixel.
    Camera,
    /// The network input's; what the letterbox padded is IGNORE.
    Network,
}

impl OutputSize {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Camera, "camera"), (Self::Network, "network")];
}

/// The region of interest does not lie in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("region {region} is not inside the {camera} image: set region to lie in it, or leave it empty")]
pub struct RegionError {
    /// As configured.
    pub region: Rect,
    /// As the camera sends.
    pub camera: Size,
}

/// The camera's size, the input's size, and the two rectangles that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Of the whole camera image.
    pub camera: Size,
    /// Of the network input.
    pub input: Size,
    /// What is looked at, in camera pixels.
    pub source: Rect,
    /// Where it lands, in input pixels.
    pub target: Rect,
}

impl Geometry {
    /// Lays a region of the camera (all of it where `None`) onto the input.
    ///
    /// # Errors
    /// The region is empty or not inside the image.
    pub fn new(camera: Size, region: Option<Rect>, fit: Fit, input: Size) -> Result<Self, RegionError> {
        let whole = |s: Size| Rect { x: 0, y: 0, width: s.width, height: s.height };
        let region = region.unwrap_or(whole(camera));
        if !region.is_inside(camera) {
            return Err(RegionError { region, camera });
        }
        // The largest size of `shape`'s proportions inside `space`, centred in it, at least a pixel.
        let inscribe = |shape: Rect, space: Rect| {
            let (sw, sh) = (shape.width as f64, shape.height as f64);
            let scale = (space.width as f64 / sw).min(space.height as f64 / sh);
            let width = ((sw * scale).round() as usize).clamp(1, space.width);
            let height = ((sh * scale).round() as usize).clamp(1, space.height);
            let (x, y) = (space.x + (space.width - width) / 2, space.y + (space.height - height) / 2);
            Rect { x, y, width, height }
        };
        let (source, target) = match fit {
            Fit::Stretch => (region, whole(input)),
            Fit::Letterbox => (region, inscribe(region, whole(input))),
            Fit::Crop => (inscribe(whole(input), region), whole(input)),
        };
        Ok(Self { camera, input, source, target })
    }

    /// The size of labels and anomaly.
    pub fn output_size(&self, at: OutputSize) -> Size {
        match at {
            OutputSize::Camera => self.camera,
            OutputSize::Network => self.input,
        }
    }

    /// Where each output pixel looks in logits of `logit_width × logit_height` over the whole input.
    pub fn sampling(&self, at: OutputSize, logit_width: usize, logit_height: usize) -> Sampling {
        let Size { width, height } = self.output_size(at);
        let scored = match at {
            OutputSize::Camera => self.source,
            OutputSize::Network => self.target,
        };
        // Output pixel ▸ input pixel ▸ logit, along one axis.
        let axis = |scored: usize, from: usize, length: usize, input: usize, logits: usize| {
            let per_input = logits as f64 / input as f64;
            Taps::new(scored, length as f64 / scored as f64 * per_input, from as f64 * per_input, logits)
        };
        let (t, i) = (self.target, self.input);
        Sampling {
            width,
            height,
            left: scored.x,
            top: scored.y,
            columns: axis(scored.width, t.x, t.width, i.width, logit_width),
            rows: axis(scored.height, t.y, t.height, i.height, logit_height),
        }
    }

    /// The camera pixel under the centre of each cell of a `height × width` grid over the whole input, row by
    /// row; `None` where that is not of the image.
    pub fn cells(&self, width: usize, height: usize) -> impl Iterator<Item = Option<(usize, usize)>> {
        let centre = |i: usize, input: usize, cells: usize| (2 * i + 1) * input / (2 * cells);
        (0..width * height).map(move |i| {
            let (x, y) =
                (centre(i % width, self.input.width, width), centre(i / width, self.input.height, height));
            self.camera_pixel(OutputSize::Network, x, y)
        })
    }

    /// The camera pixel under an output pixel, nearest; for masks painted at camera size.
    pub fn camera_pixel(&self, at: OutputSize, x: usize, y: usize) -> Option<(usize, usize)> {
        match at {
            OutputSize::Camera => Some((x, y)),
            OutputSize::Network => {
                let axis = |i: usize, (t0, tn): (usize, usize), (s0, sn): (usize, usize)| {
                    let inside = i.checked_sub(t0).filter(|d| *d < tn)?;
                    Some(s0 + ((inside * 2 + 1) * sn / (tn * 2)).min(sn - 1))
                };
                let (t, s) = (self.target, self.source);
                Some((axis(x, t.x_axis(), s.x_axis())?, axis(y, t.y_axis(), s.y_axis())?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: usize, height: usize) -> Size {
        Size { width, height }
    }

    #[test]
    fn fits_of_a_wide_camera_on_a_4_to_3_input() {
        let geometry = |fit| Geometry::new(size(1280, 720), None, fit, size(480, 360)).unwrap();
        let rects = |fit| (geometry(fit).source, geometry(fit).target);
        let whole = Rect { x: 0, y: 0, width: 1280, height: 720 };
        let input = Rect { x: 0, y: 0, width: 480, height: 360 };
        assert_eq!(rects(Fit::Stretch), (whole, input));
        assert_eq!(rects(Fit::Letterbox), (whole, Rect { x: 0, y: 45, width: 480, height: 270 }));
        assert_eq!(rects(Fit::Crop), (Rect { x: 160, y: 0, width: 960, height: 720 }, input));
    }

    #[test]
    fn a_region_outside_the_image_is_refused() {
        let region = Rect { x: 600, y: 0, width: 100, height: 10 };
        let got = Geometry::new(size(640, 480), Some(region), Fit::Stretch, size(8, 8));
        assert_eq!(got, Err(RegionError { region, camera: size(640, 480) }));
        let endless = Rect { x: usize::MAX, y: 0, width: 2, height: 2 };
        assert!(Geometry::new(size(640, 480), Some(endless), Fit::Stretch, size(8, 8)).is_err());
    }

    #[test]
    fn equal_sizes_sample_like_a_plain_upsampling() {
        let g = Geometry::new(size(480, 360), None, Fit::Letterbox, size(480, 360)).unwrap();
        assert_eq!(g.sampling(OutputSize::Camera, 120, 90), Sampling::whole(480, 360, 120, 90));
        assert_eq!(g.sampling(OutputSize::Network, 120, 90), Sampling::whole(480, 360, 120, 90));
    }

    #[test]
    fn cells_stand_for_the_pixel_at_their_centre() {
        // 16x8 onto 8x8 letterboxed, cells of 4x4 input pixels: rows 2..6 of the input are image.
        let g = Geometry::new(size(16, 8), None, Fit::Letterbox, size(8, 8)).unwrap();
        let got: Vec<_> = g.cells(2, 2).collect();
        assert_eq!(got, [Some((5, 1)), Some((13, 1)), None, None]);
        let got: Vec<_> = g.cells(4, 4).collect();
        assert_eq!((&got[..4], got[4], got[12]), (&[None; 4][..], Some((3, 3)), None));
    }

    #[test]
    fn camera_pixels_look_where_their_light_went() {
        // 16x8 onto 8x8 letterboxed: scale ½, rows 2..6. Stride-1 logits.
        let g = Geometry::new(size(16, 8), None, Fit::Letterbox, size(8, 8)).unwrap();
        let s = g.sampling(OutputSize::Camera, 8, 8);
        // Camera row 0's centre ½ is input row 2.25's centre, between input pixels 1 and 2.
        assert_eq!(s.rows.taps[0], (1, 2, 0.75));
        assert_eq!(s.columns.taps[15], (7, 7, 0.0));
        let network = g.sampling(OutputSize::Network, 8, 8);
        assert_eq!((network.top, network.rows.taps.len(), network.rows.taps[0]), (2, 4, (2, 3, 0.0)));
        assert_eq!(g.camera_pixel(OutputSize::Network, 0, 0), None);
        assert_eq!(g.camera_pixel(OutputSize::Network, 7, 5), Some((15, 7)));
    }
}
