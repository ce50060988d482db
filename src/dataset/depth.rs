//! How far each pixel is, where a data set knows.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::Depth;
use super::truth::check_size;
use super::{DatasetError, Sample};
use crate::frame::Size;
use crate::images::{self, Gray16};

/// What of Cityscapes' camera file is needed.
#[derive(Deserialize)]
struct Camera {
    extrinsic: Extrinsic,
    intrinsic: Intrinsic,
}

#[derive(Deserialize)]
struct Extrinsic {
    /// In metres.
    baseline: f64,
}

#[derive(Deserialize)]
struct Intrinsic {
    /// In pixels.
    fx: f64,
}

/// `None` where there is no map of this sample.
pub(super) fn read(
    files: Depth,
    root: &Path,
    sample: &Sample,
    size: Size,
) -> Result<Option<Vec<f32>>, DatasetError> {
    let path = |folder: &str, end: &str| root.join(folder).join(format!("{}{end}", sample.id));
    let (map, camera) = match files {
        Depth::Metres { folder } => (path(folder, ".png"), None),
        Depth::Stereo { disparity, camera } => {
            (path(disparity, "_disparity.png"), Some(path(camera, "_camera.json")))
        }
    };
    if !map.is_file() {
        return Ok(None);
    }
    let gray = read_map(&map, sample, size)?;
    let metres = match camera {
        None => gray.data.iter().map(|&value| metres(value)).collect(),
        Some(camera) => {
            let scale = baseline_times_focal_length(camera)?;
            gray.data.iter().map(|&value| stereo(value, scale)).collect()
        }
    };
    Ok(Some(metres))
}

fn read_map(map: &Path, sample: &Sample, size: Size) -> Result<Gray16, DatasetError> {
    let gray = images::read_gray16(map)?;
    check_size(map, Size { width: gray.width, height: gray.height }, &sample.image, size)?;
    if gray.bits != 16 {
        let reason = format!("a depth or disparity map has 16 bits a pixel, this one has {}", gray.bits);
        return Err(DatasetError::Content { file: map.into(), reason });
    }
    Ok(gray)
}

fn baseline_times_focal_length(file: PathBuf) -> Result<f64, DatasetError> {
    let read = serde_json::from_slice(&images::read(&file)?);
    let reason = match read {
        Err(error) => format!("no camera file of Cityscapes: {error}"),
        Ok(Camera { extrinsic: Extrinsic { baseline }, intrinsic: Intrinsic { fx } }) => {
            let scale = baseline * fx;
            if scale > 0.0 && scale.is_finite() {
                return Ok(scale);
            }
            format!("baseline {baseline} m and fx {fx} px give no depth")
        }
    };
    Err(DatasetError::Content { file, reason })
}

/// 1/256 metre; 0 is unknown.
fn metres(value: u16) -> f32 {
    if value == 0 { f32::NAN } else { f32::from(value) / 256.0 }
}

/// `baseline·fx / d` with the disparity `d = (value − 1)/256` (cityscapesScripts, README); 0 is unknown. A
/// disparity of 0 is infinitely far.
fn stereo(value: u16, scale: f64) -> f32 {
    if value == 0 { f32::NAN } else { (scale * 256.0 / f64::from(value - 1)) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Options;
    use crate::dataset::tests::Tree;

    const CAMERA: &str =
        r#"{"extrinsic": {"baseline": 0.25, "x": 1.7}, "intrinsic": {"fx": 2048, "fy": 2000}}"#;
    const SIZE: Size = Size { width: 4, height: 1 };

    /// A PNG of 16 bits, uncompressed: nothing here writes one.
    fn png16(values: [u16; 4]) -> Vec<u8> {
        let row: Vec<u8> = std::iter::once(0).chain(values.into_iter().flat_map(u16::to_be_bytes)).collect();
        let (mut a, mut b) = (1u32, 0u32);
        for &byte in &row {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        let length = row.len() as u16;
        let mut zlib = vec![0x78, 1, 1];
        zlib.extend(length.to_le_bytes());
        zlib.extend((!length).to_le_bytes());
        zlib.extend(&row);
        zlib.extend((b << 16 | a).to_be_bytes());
        let header = [4u32.to_be_bytes(), 1u32.to_be_bytes()].concat();
        let chunk = |kind: &[u8], data: &[u8]| {
            let body = [kind, data].concat();
            let crc = !body.iter().fold(!0u32, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |c, _| {
                    (c >> 1) ^ (0xEDB8_8320 & (!(c & 1)).wrapping_add(1))
                })
            });
            [&(data.len() as u32).to_be_bytes()[..], &body, &crc.to_be_bytes()].concat()
        };
        [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", &[&header[..], &[16, 0, 0, 0, 0]].concat()),
            chunk(b"IDAT", &zlib),
            chunk(b"IEND", &[]),
        ]
        .concat()
    }

    fn stereo_tree(disparity: &[u8], camera: &str) -> Tree {
        Tree::new()
            .image("leftImg8bit/test/s/s_1_leftImg8bit.png")
            .gray("gtCoarse/test/s/s_1_gtCoarse_labelIds.png", &[1; 4])
            .bytes("disparity/test/s/s_1_disparity.png", disparity)
            .bytes("camera/test/s/s_1_camera.json", camera.as_bytes())
    }

    fn depth(tree: &Tree, name: &str) -> Result<Option<Vec<f32>>, DatasetError> {
        let set = tree.open(name, &Options::default()).unwrap();
        set.depth(&set.samples()[0], SIZE)
    }

    #[test]
    fn disparity_becomes_metres() {
        let tree = stereo_tree(&png16([0, 1, 257, 13108]), CAMERA);
        let metres = depth(&tree, "lost-and-found").unwrap().unwrap();
        assert!(metres[0].is_nan() && metres[1] == f32::INFINITY, "{metres:?}");
        assert_eq!(metres[2], 512.0);
        assert!((metres[3] - 10.0).abs() < 1e-3, "{metres:?}");
    }

    #[test]
    fn a_folder_of_metres_is_kittis() {
        let tree = Tree::new()
            .image("images/a.png")
            .gray("ood/a.png", &[0; 4])
            .bytes("depth/a.png", &png16([0, 1, 256, 65535]));
        let metres = depth(&tree, "folder").unwrap().unwrap();
        assert!(metres[0].is_nan());
        assert_eq!(metres[1..], [1.0 / 256.0, 1.0, 65535.0 / 256.0]);
    }

    #[test]
    fn no_map_is_no_depth_and_a_wrong_one_is_an_error() {
        let tree = Tree::new().image("images/a.png").gray("ood/a.png", &[0; 4]);
        assert_eq!(depth(&tree, "folder").unwrap(), None);
        let error = depth(&tree.gray("depth/a.png", &[0; 4]), "folder").unwrap_err().to_string();
        assert!(error.contains("depth/a.png: a depth or disparity map has 16 bits a pixel, this one has 8"));

        let check = |tree: Tree, expected: &str| {
            let error = depth(&tree, "lost-and-found").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let map = png16([1; 4]);
        check(stereo_tree(&map, "{}"), "s_1_camera.json: no camera file of Cityscapes: missing field");
        check(stereo_tree(&map, &CAMERA.replace("0.25", "0")), "baseline 0 m and fx 2048 px give no depth");
        let tree = stereo_tree(&map, CAMERA);
        std::fs::remove_file(tree.root().join("camera/test/s/s_1_camera.json")).unwrap();
        check(tree, "no such file");
        check(stereo_tree(&map, CAMERA).gray("disparity/test/s/s_1_disparity.png", &[1; 5]), "is 5x1, but");
    }
}
