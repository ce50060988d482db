//! The camera's calibration: the newest at hand, and made for an output that is not the camera's size.

use super::lock;
use super::service::Task;
use crate::frame::Size;
use crate::preprocess::geometry::Geometry;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CameraInfo, RegionOfInterest};
use r2r::{Node, QosProfile};
use std::sync::{Arc, Mutex};

/// The newest camera info and where it comes from; written by its subscription.
#[derive(Clone)]
pub(super) struct LatestInfo {
    pub(super) topic: String,
    pub(super) newest: Arc<Mutex<Option<CameraInfo>>>,
}

/// Subscribes to camera infos; the task keeps the newest at hand for good. `asked` is the topic before remapping.
pub(super) fn subscribe(node: &mut Node, asked: &str, topic: String) -> r2r::Result<(LatestInfo, Task)> {
    let mut infos = node.subscribe::<CameraInfo>(asked, QosProfile::sensor_data())?;
    let newest = Arc::new(Mutex::new(None));
    let info = LatestInfo { topic, newest: Arc::clone(&newest) };
    let drain: Task = Box::pin(async move {
        while let Some(info) = infos.next().await {
            *lock(&newest) = Some(info);
        }
    });
    Ok((info, drain))
}

/// The camera info of the network-size output: focal lengths and centres follow the sensor's window and
/// binning onto the image, then the source rectangle onto the target. Distortion is in normalised
/// coordinates and stays as it is.
///
/// # Errors
/// The info is for images of another size: both sizes.
pub(super) fn scaled(info: &CameraInfo, geometry: &Geometry) -> Result<CameraInfo, String> {
    // A message may leave these 0, which means 1 and the whole sensor.
    let binning = |b: u32| b.max(1) as usize;
    let (bin_x, bin_y) = (binning(info.binning_x), binning(info.binning_y));
    let window = match (info.roi.width, info.roi.height) {
        (0, 0) => Size { width: info.width as usize, height: info.height as usize },
        (width, height) => Size { width: width as usize, height: height as usize },
    };
    let image = Size { width: window.width / bin_x, height: window.height / bin_y };
    if image != geometry.camera {
        return Err(format!("camera_info is for {image} images, the camera sends {}", geometry.camera));
    }

    // Along an axis: sensor pixel ▸ image pixel ▸ output pixel. Pixel centres are at whole numbers in camera
    // models, at halves in the geometry.
    let (s, t) = (geometry.source, geometry.target);
    let (along_x, along_y) = (t.width as f64 / s.width as f64, t.height as f64 / s.height as f64);
    let (scale_x, scale_y) = (along_x / bin_x as f64, along_y / bin_y as f64);
    let centre = |c: f64, offset: u32, scale: f64, along: f64, from: usize, to: usize| {
        (c + 0.5 - f64::from(offset)) * scale - from as f64 * along + to as f64 - 0.5
    };
    let centre_x = |c: f64| centre(c, info.roi.x_offset, scale_x, along_x, s.x, t.x);
    let centre_y = |c: f64| centre(c, info.roi.y_offset, scale_y, along_y, s.y, t.y);

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
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::geometry::Fit;

    fn info() -> CameraInfo {
        let k = vec![500.0, 0.0, 319.5, 0.0, 510.0, 239.5, 0.0, 0.0, 1.0];
        let p = vec![500.0, 0.0, 319.5, -60.0, 0.0, 510.0, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0];
        CameraInfo { width: 640, height: 480, k, p, ..CameraInfo::default() }
    }

    fn geometry(width: usize, height: usize) -> Geometry {
        Geometry::new(Size { width, height }, None, Fit::Letterbox, Size { width: 320, height: 320 }).unwrap()
    }

    #[test]
    fn half_the_size_is_half_the_focal_length() {
        let out = scaled(&info(), &geometry(640, 480)).unwrap();
        assert_eq!((out.width, out.height), (320, 320));
        // The centre stays the centre, padding and all.
        assert_eq!(out.k[..6], [250.0, 0.0, 159.5, 0.0, 255.0, 159.5]);
        assert_eq!(out.p[..8], [250.0, 0.0, 159.5, -30.0, 0.0, 255.0, 159.5, 0.0]);
        let empty = CameraInfo { k: vec![], p: vec![], ..info() };
        assert_eq!(scaled(&empty, &geometry(640, 480)).unwrap().width, 320);
    }

    #[test]
    fn binning_and_the_sensors_window_come_before_the_image() {
        let binned = CameraInfo { binning_x: 2, binning_y: 2, ..info() };
        let out = scaled(&binned, &geometry(320, 240)).unwrap();
        assert_eq!(out.k[..6], [250.0, 0.0, 159.5, 0.0, 255.0, 159.5]);
        assert_eq!((out.binning_x, out.roi.width), (0, 0));
        let roi =
            RegionOfInterest { x_offset: 160, y_offset: 120, width: 320, height: 240, ..Default::default() };
        let windowed = CameraInfo { roi, ..info() };
        let out = scaled(&windowed, &geometry(320, 240)).unwrap();
        assert_eq!(out.k[..6], [500.0, 0.0, 159.5, 0.0, 510.0, 159.5]);
    }

    #[test]
    fn another_resolution_is_refused() {
        let error = scaled(&info(), &geometry(1280, 720)).unwrap_err();
        assert!(error.contains("640x480") && error.contains("1280x720"), "{error}");
    }
}
