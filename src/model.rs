//! The model contract: a manifest (`models/NAME.yaml`) and the ONNX file it describes, checked once.
//!
//! The manifest says what no ONNX file says: class names and colours, how images were normalised and
//! resized in training, which thresholds were calibrated on what. [`Model::load`] reads both and proves
//! that the file is the one described; the segmenter then proves that the graph's inputs and outputs are.
//!
//! The bytes that were hashed are the bytes that are run: the file is read once.

use crate::frame::Size;
use crate::labels::{Class, Taxonomy, TaxonomyError};
use crate::score::Score;
use crate::yaml::{self, FileError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// `models/NAME.yaml` as written. Unknown keys are refused: a misspelt one would be a silent default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the model is called in logs and diagnostics.
    pub name: String,
    /// The ONNX file, relative to the manifest.
    pub file: PathBuf,
    /// Of the ONNX file, 64 hex digits.
    pub sha256: String,
    /// The K known classes in the order of the logits.
    pub classes: Vec<ClassEntry>,
    /// What the network is fed.
    pub input: InputSpec,
    /// Input sizes offered, the preferred one first.
    pub input_sizes: Vec<InputSizeEntry>,
    /// Names of the graph's outputs.
    pub outputs: OutputNames,
    /// How the model came to be, for people.
    pub training: Training,
    /// Thresholds, one per (score, input size, precision).
    #[serde(default)]
    pub calibrations: Vec<Calibration>,
}

/// A class in the manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassEntry {
    /// E.g. `road`.
    pub name: String,
    /// sRGB.
    pub color: [u8; 3],
}

/// Order of the input's three planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a model's training resized its images; another one at run time shifts its scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Two neighbours an axis, half-pixel centres, no low-pass: OpenCV's `INTER_LINEAR`, PyTorch's
    /// `bilinear` with `align_corners=False`.
    #[default]
    Bilinear,
    /// The mean of what an output pixel covers, OpenCV's `INTER_AREA`; where it enlarges, bilinear.
    Area,
}

/// The image input: f32 `[1, 3, H, W]`, `(x/255 − mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The graph input's name.
    pub name: String,
    /// Order of the planes.
    pub channels: Channels,
    /// Per plane, of values in 0..1.
    pub mean: [f32; 3],
    /// Per plane, of values in 0..1.
    pub std: [f32; 3],
    /// How training resized its images.
    pub interpolation: Interpolation,
}

impl Default for InputSpec {
    fn default() -> Self {
        Self {
            name: "image".into(),
            channels: Channels::Rgb,
            mean: [0.0; 3],
            std: [1.0; 3],
            interpolation: Interpolation::Bilinear,
        }
    }
}

/// One input size and how much coarser its logits are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSizeEntry {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Input pixels a logit, along each axis.
    pub stride: usize,
}

/// Names of the graph's outputs, as the contract calls them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputNames {
    /// f32 `[1, K, h, w]`.
    pub logits: String,
    /// f32 `[1, 1|2, h, w]`; absent from a closed-set model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_logits: Option<String>,
    /// f32 `[1, C, h, w]`; only some scores read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_logits: Option<String>,
}

/// Where a model comes from, in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Encoder, decoder, heads.
    pub network: String,
    /// What it was trained on, and how.
    pub data: String,
    /// What may be done with the weights.
    pub licence: String,
}

/// A threshold and what it was chosen on. It belongs to one score at one input size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Name of the score.
    pub score: String,
    /// Network input, `WIDTHxHEIGHT`.
    pub input_size: String,
    /// Precision variant of the weights, `f32` for the file as it is.
    pub precision: String,
    /// In the score's unit; above it is unknown.
    pub threshold: f32,
    /// Share of anomalous pixels above it on that set.
    pub tpr: f64,
    /// Share of known pixels above it on that set, if it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fpr: Option<f64>,
    /// Name of the calibration set.
    pub set: String,
    /// Over the set's files; absent where it was not made by this product's own tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_sha256: Option<String>,
    /// Images in it.
    pub frames: u64,
    /// SHA-256 of the ONNX file it was made with: another file refuses it.
    pub model_sha256: String,
}

/// The precision variant of a file run as it is.
const PRECISION: &str = "f32";

/// A manifest and its ONNX file, proven to belong together.
pub struct Model {
    manifest: Manifest,
    taxonomy: Taxonomy,
    path: PathBuf,
    onnx: Vec<u8>,
}

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No such file, or not readable.
    #[error("cannot read {what} {path}: {source}")]
    Read {
        /// The manifest or the ONNX file.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not the shape of a manifest.
    #[error("manifest {path} is not valid: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Key and position.
        reason: String,
    },
    /// The classes make no taxonomy.
    #[error("manifest {path}, classes: {source}")]
    Classes {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with them.
        source: TaxonomyError,
    },
    /// Another file than the manifest describes.
    #[error(
        "{path} is not the file its manifest describes: sha256 is {got} ({bytes} bytes), the manifest says \
         {expected}; fetch the file again, or correct the manifest if the model was replaced on purpose \
         (its calibrations do not carry over)"
    )]
    Hash {
        /// The ONNX file.
        path: PathBuf,
        /// Hash of what is there.
        got: String,
        /// Hash in the manifest.
        expected: String,
        /// Length of what is there.
        bytes: usize,
    },
}

impl Model {
    /// Reads `models/NAME.yaml` and the ONNX file beside it.
    ///
    /// # Errors
    /// A file that is missing or unreadable, a manifest with unknown, missing or impossible entries, or an
    /// ONNX file that is not the one described.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let read = |what, path: &Path, source| ModelError::Read { what, path: path.into(), source };
        let manifest: Manifest = yaml::read(path).map_err(|e| match e {
            FileError::Read(source) => read("manifest", path, source),
            FileError::Shape(e) => ModelError::Manifest { path: path.into(), reason: e.to_string() },
        })?;
        let onnx_path = path.parent().unwrap_or(Path::new("")).join(&manifest.file);
        let onnx = std::fs::read(&onnx_path).map_err(|e| read("ONNX file", &onnx_path, e))?;
        Self::from_parts(manifest, path.into(), onnx, &onnx_path)
    }

    fn from_parts(
        manifest: Manifest,
        path: PathBuf,
        onnx: Vec<u8>,
        onnx_path: &Path,
    ) -> Result<Self, ModelError> {
        check(&manifest).map_err(|reason| ModelError::Manifest { path: path.clone(), reason })?;
        let classes =
            manifest.classes.iter().map(|c| Class { name: c.name.clone(), color: c.color }).collect();
        let taxonomy =
            Taxonomy::new(classes).map_err(|source| ModelError::Classes { path: path.clone(), source })?;
        let got = hex(&Sha256::digest(&onnx));
        if !got.eq_ignore_ascii_case(&manifest.sha256) {
            let expected = manifest.sha256.clone();
            return Err(ModelError::Hash { path: onnx_path.into(), got, expected, bytes: onnx.len() });
        }
        Ok(Self { manifest, taxonomy, path, onnx })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The K known classes.
    pub fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// The manifest's path, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ONNX file's bytes, those that were hashed.
    pub fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// The input size used where none is asked for: the manifest's first.
    pub fn preferred_size(&self) -> Size {
        let first = &self.manifest.input_sizes[0]; // `check` refuses an empty list
        Size { width: first.width, height: first.height }
    }

    /// The calibration of a score at an input size, if the manifest holds one for this very file.
    pub fn calibration(&self, score: Score, size: Size) -> Option<&Calibration> {
        let size = size.to_string();
        self.manifest.calibrations.iter().find(|c| {
            c.score == score.name()
                && c.input_size == size
                && c.precision == PRECISION
                && c.model_sha256.eq_ignore_ascii_case(&self.manifest.sha256)
        })
    }
}

/// What serde's types cannot say.
fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.input_sizes.is_empty() {
        return Err("input_sizes is empty: offer at least one".into());
    }
    if let Some(s) = manifest.input_sizes.iter().find(|s| s.width == 0 || s.height == 0 || s.stride == 0) {
        return Err(format!(
            "input_sizes: {}x{} stride {}: all must be positive",
            s.width, s.height, s.stride
        ));
    }
    let InputSpec { mean, std, .. } = &manifest.input;
    if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(format!("input: mean {mean:?}, std {std:?}: finite numbers, std above 0"));
    }
    for c in &manifest.calibrations {
        let known = Score::from_name(&c.score).is_some();
        if !known || !c.threshold.is_finite() || !(0.0..=1.0).contains(&c.tpr) {
            let names = Score::ALL.map(|(_, n)| n).join(", ");
            return Err(format!(
                "calibration of score \"{}\": threshold {}, tpr {}: score is one of {names}, threshold finite, \
                 tpr between 0 and 1",
                c.score, c.threshold, c.tpr
            ));
        }
        let offered = |s: &InputSizeEntry| c.input_size == format!("{}x{}", s.width, s.height);
        if c.precision != PRECISION || !manifest.input_sizes.iter().any(offered) {
            return Err(format!(
                "calibration of score \"{}\": input_size {}, precision {}: the size must be one of input_sizes, \
                 the precision {PRECISION}",
                c.score, c.input_size, c.precision
            ));
        }
        let same = |o: &&Calibration| (&o.score, &o.input_size) == (&c.score, &c.input_size);
        if manifest.calibrations.iter().filter(same).count() > 1 {
            return Err(format!("two calibrations of score \"{}\" at {}: keep one", c.score, c.input_size));
        }
        if !c.model_sha256.eq_ignore_ascii_case(&manifest.sha256) {
            return Err(format!(
                "calibration of score \"{}\" at {} was made with the file of sha256 {}, the manifest's is {}: \
                 calibrate again, or remove the block",
                c.score, c.input_size, c.model_sha256, manifest.sha256
            ));
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const MANIFEST: &str = "
name: tiny
file: tiny.onnx
sha256: HASH
classes: [{name: road, color: [128, 64, 128]}, {name: car, color: [0, 0, 142]}]
input: {name: image, channels: rgb, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25], interpolation: bilinear}
input_sizes: [{width: 16, height: 8, stride: 4}]
outputs: {logits: logits, dataset_logits: dataset_logits}
training: {network: none, data: none, licence: none}
calibrations:
  - {score: hybrid, input_size: 16x8, precision: f32, threshold: -0.5, tpr: 0.95, set: none, frames: 1, model_sha256: HASH}
";

    /// A model whose ONNX file is a few bytes that no one runs: for code that needs a manifest only.
    pub(crate) fn model(edit: impl Fn(String) -> String) -> Result<Model, ModelError> {
        let onnx = b"not run".to_vec();
        let text = edit(MANIFEST.replace("HASH", &hex(&Sha256::digest(&onnx))));
        let manifest = yaml::from_str(&text)
            .map_err(|e| ModelError::Manifest { path: "tiny.yaml".into(), reason: e.to_string() })?;
        Model::from_parts(manifest, "tiny.yaml".into(), onnx, Path::new("tiny.onnx"))
    }

    fn refused(from: &str, to: &str) -> String {
        model(|m| m.replacen(from, to, 1)).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_manifest_that_holds() {
        let m = model(|m| m).unwrap();
        assert_eq!(m.preferred_size(), Size { width: 16, height: 8 });
        assert_eq!(m.calibration(Score::Hybrid, m.preferred_size()).unwrap().threshold, -0.5);
        assert!(m.calibration(Score::Generative, m.preferred_size()).is_none());
        assert!(m.calibration(Score::Hybrid, Size { width: 8, height: 8 }).is_none());
    }

    #[test]
    fn a_manifest_that_does_not() {
        for (from, to, says) in [
            ("name: tiny", "nmae: tiny", "nmae"),
            ("name: tiny\n", "", "name"),
            ("width: 16", "width: wide", "wide"),
            ("width: 16", "width: 0", "0x8"),
            ("std: [0.25, 0.25, 0.25]", "std: [0.25, 0.0, 0.25]", "std"),
            ("name: car", "name: road", "road"),
            ("score: hybrid", "score: hibrid", "hibrid"),
            ("tpr: 0.95", "tpr: 95", "95"),
            ("input_size: 16x8", "input_size: 16X8", "16X8"),
            ("precision: f32", "precision: fp32", "fp32"),
            (
                "calibrations:\n",
                "calibrations:\n  - {score: hybrid, input_size: 16x8, precision: f32, threshold: 0, tpr: 1, set: s, frames: 1, model_sha256: SAME}\n",
                "two calibrations",
            ),
            ("input_sizes: [{width: 16, height: 8, stride: 4}]", "input_sizes: []", "input_sizes"),
            ("sha256: ", "sha256: 00", "00"),
            ("model_sha256: ", "model_sha256: 00", "calibrate again"),
        ] {
            let error = refused(from, to);
            assert!(error.contains(says), "{to}: {error}");
        }
    }

    #[test]
    fn files_that_are_not_there_or_not_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.yaml");
        let load = || Model::load(&path).map(|_| ()).unwrap_err();
        assert!(matches!(load(), ModelError::Read { what: "manifest", .. }));
        let hash = hex(&Sha256::digest(b"whole"));
        std::fs::write(&path, MANIFEST.replace("HASH", &hash)).unwrap();
        assert!(matches!(load(), ModelError::Read { what: "ONNX file", .. }));
        std::fs::write(dir.path().join("tiny.onnx"), b"who").unwrap();
        let error = load();
        assert!(matches!(error, ModelError::Hash { bytes: 3, .. }), "{error}");
        std::fs::write(dir.path().join("tiny.onnx"), b"whole").unwrap();
        assert!(Model::load(&path).is_ok());
    }
}
