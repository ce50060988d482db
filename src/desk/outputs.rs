//! The three files of a segmented picture: labels, anomaly, overlay.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::frame::Size;
use crate::images::{self, ImagesError, Rgb};
use crate::labels::Taxonomy;
use crate::npy;
use crate::pipeline::Pipeline;
use crate::render::{self, Order};

/// What is added to a picture's name: 8-bit labels.
pub const LABELS: &str = ".labels.png";
/// f32, in the score's unit.
const ANOMALY: &str = ".anomaly.npy";
/// For people.
pub const OVERLAY: &str = ".overlay.jpg";

/// Writes the files; its buffers are reused from picture to picture.
#[derive(Default)]
pub struct Outputs {
    overlay: Vec<u8>,
    encoded: Vec<u8>,
}

impl Outputs {
    /// The pipeline's last result, over the picture it was of, as `stem` and the kind of each file.
    ///
    /// # Errors
    /// A folder or file that cannot be written.
    pub fn write(
        &mut self,
        stem: &Path,
        rgb: &Rgb,
        pipeline: &Pipeline,
        taxonomy: &Taxonomy,
    ) -> anyhow::Result<()> {
        if let Some(folder) = stem.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| ImagesError::Unwritable { path: folder.into(), source })?;
        }
        let file = |kind: &str| {
            // Not `with_extension`: a name may have dots of its own.
            let mut path = stem.as_os_str().to_owned();
            path.push(kind);
            PathBuf::from(path)
        };
        let missing = "the last step had no result";
        let segmentation = pipeline.segmentation().context(missing)?;
        let Size { width, height } = segmentation.size;

        images::encode_png_gray(&segmentation.labels, width, height, &mut self.encoded)?;
        images::write_atomically(&file(LABELS), &self.encoded)?;

        let anomaly = npy::encode(&segmentation.anomaly, height, width);
        images::write_atomically(&file(ANOMALY), &anomaly)?;

        let geometry = pipeline.geometry().context(missing)?;
        let at = pipeline.settings().output_size;
        render::overlay(taxonomy, segmentation, &rgb.data, geometry, at, Order::Rgb, &mut self.overlay);
        images::encode_jpeg_rgb(&self.overlay, width, height, &mut self.encoded)?;
        images::write_atomically(&file(OVERLAY), &self.encoded)?;
        Ok(())
    }
}
