//! The camera's calibration for an output that is not the camera's size.

use crate::preprocess::geometry::Geometry;
use r2r::sensor_msgs::msg::{CameraInfo, RegionOfInterest};

/// The camera info of the network-size output: focal lengths and centres follow the source rectangle onto
/// the target. Distortion is in normalised coordinates and stays as it is.
pub(super) fn scaled(info: &CameraInfo, geometry: &Geometry) -> CameraInfo {
    let (s, t) = (geometry.source, geometry.target);
    let scale_x = t.width as f64 / s.width as f64;
    let scale_y = t.height as f64 / s.height as f64;
    // Pixel centres are at whole numbers in camera models, at halves in the geometry.
    let centre_x = |c: f64| (c + 0.5 - s.x as f64) * scale_x + t.x as f64 - 0.5;
    let centre_y = |c: f64| (c + 0.5 - s.y as f64) * scale_y + t.y as f64 - 0.5;
    let mut out = info.clone();
    (out.width, out.height) = (geometry.input.width as u32, geometry.input.height as u32);
    (out.binning_x, out.binning_y) = (0, 0);
    out.roi = RegionOfInterest::default();
    // Row-major: K is 3x3, P is 3x4.
    for (matrix, columns) in [(&mut out.k, 3), (&mut out.p, 4)] {
        if matrix.len() < 2 * columns {
            continue; // an uncalibrated camera may leave them empty
        }
        matrix[0] *= scale_x;
        matrix[2] = centre_x(matrix[2]);
        matrix[columns + 1] *= scale_y;
        matrix[columns + 2] = centre_y(matrix[columns + 2]);
    }
    if let Some(tx) = out.p.get_mut(3) {
        *tx *= scale_x;
    }
    if let Some(ty) = out.p.get_mut(7) {
        *ty *= scale_y;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::geometry::{Fit, Size};

    #[test]
    fn half_the_size_is_half_the_focal_length() {
        let camera = Size { width: 640, height: 480 };
        let geometry = Geometry::new(camera, None, Fit::Letterbox, Size { width: 320, height: 320 }).unwrap();
        let k = vec![500.0, 0.0, 319.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0];
        let p = vec![500.0, 0.0, 319.5, -60.0, 0.0, 510.0, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0];
        let info = CameraInfo { width: 640, height: 480, k, p, ..CameraInfo::default() };
        let out = scaled(&info, &geometry);
        assert_eq!((out.width, out.height), (320, 320));
        assert_eq!(
            out.k[..6],
            [250.0, 0.0, 159.5, 0.0, 255.0, 159.5],
            "the centre stays the centre, padding and all"
        );
        assert_eq!(out.p[..8], [250.0, 0.0, 159.5, -30.0, 0.0, 255.0, 159.5, 0.0]);
        let empty = CameraInfo { k: vec![], p: vec![], ..info };
        assert_eq!(scaled(&empty, &geometry).width, 320);
    }
}
