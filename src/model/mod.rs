//! The model contract: a manifest (`models/NAME.yaml`) and the ONNX file it describes, checked once.
//!
//! The manifest says what no ONNX file says: class names and colours, how images were normalised and
//! resized in training, which thresholds were calibrated on what. [`Model::load`] reads both and proves
//! that the file is the one described; the segmenter then proves that the graph's inputs and outputs are.
//!
//! The bytes that were hashed are the bytes that are run: the file is read once.

mod manifest;

pub use manifest::{
    Calibration, Channels, ClassEntry, InputSizeEntry, InputSpec, Interpolation, Manifest, OutputNames,
    PRECISION, Training,
};

use crate::frame::Size;
use crate::labels::{Class, Taxonomy, TaxonomyError};
use crate::score::{Fitted, Score, Scoring, ScoringError};
use crate::yaml::{self, FileError};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

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
        manifest.check().map_err(|reason| ModelError::Manifest { path: path.clone(), reason })?;
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

    /// A score at a temperature, with the statistics that the manifest holds for it.
    ///
    /// # Errors
    /// A temperature that the score does not have, or statistics that were never fitted.
    pub fn scoring(&self, score: Score, temperature: f32) -> Result<Scoring, ScoringError> {
        Scoring::new(score, temperature, Fitted::Nothing)
    }

    /// The calibration of a score at an input size, if the manifest holds one for this very file.
    pub fn calibration(&self, scoring: &Scoring, size: Size) -> Option<&Calibration> {
        let size = size.to_string();
        self.manifest.calibrations.iter().find(|c| {
            (c.score, c.temperature) == (scoring.score(), scoring.temperature())
                && c.input_size == size
                && c.precision == PRECISION
                && c.model_sha256.eq_ignore_ascii_case(&self.manifest.sha256)
        })
    }
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
        let calibration = |score, temperature, size| {
            m.calibration(&m.scoring(score, temperature).unwrap(), size).map(|c| c.threshold)
        };
        let preferred = m.preferred_size();
        assert_eq!(calibration(Score::Hybrid, 1.0, preferred), Some(-0.5));
        assert_eq!(calibration(Score::Generative, 1.0, preferred), None);
        assert_eq!(calibration(Score::Hybrid, 2.0, preferred), None);
        assert_eq!(calibration(Score::Hybrid, 1.0, Size { width: 8, height: 8 }), None);
    }

    #[test]
    fn one_calibration_a_temperature() {
        let second = |edit: &str| {
            let line = MANIFEST.lines().last().unwrap().replace("score: hybrid", edit);
            model(|m| format!("{m}{}\n", line.replace("HASH", &hex(&Sha256::digest(b"not run")))))
        };
        let m = second("score: hybrid, temperature: 2").unwrap();
        let hot = m.scoring(Score::Hybrid, 2.0).unwrap();
        assert_eq!(m.calibration(&hot, m.preferred_size()).unwrap().temperature, 2.0);
        // The other name of a score is the same score.
        let m = second("score: energy").unwrap();
        let energy = m.scoring(Score::Generative, 1.0).unwrap();
        assert!(m.calibration(&energy, m.preferred_size()).is_some());
        for (edit, says) in [
            ("score: hybrid, temperature: 1", "two calibrations of hybrid at 16x8"),
            ("score: hybrid, temperature: 0", "temperature is 0"),
            ("score: sml, temperature: 2", "temperature 1"),
        ] {
            let error = second(edit).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
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
