//! The model contract: a manifest (`models/NAME.yaml`) and the ONNX file it describes, checked once.
//!
//! The manifest says what no ONNX file says: class names and colours, how images were normalised and
//! resized in training, which thresholds were calibrated on what. [`Model::load`] reads both and proves
//! that the file is the one described; the segmenter then proves that the graph's inputs and outputs are.
//!
//! The bytes that were hashed are the bytes that are run: the file is read once.

mod manifest;
mod statistics;

pub use manifest::{
    Calibration, Channels, ClassEntry, InputSizeEntry, InputSpec, Interpolation, Manifest, Method,
    OutputNames, PRECISION, ScoreHistogram, Training,
};
pub use statistics::{Clip, Fit, MaxLogits, Statistics};

use crate::atomic;
use crate::frame::Size;
use crate::hex::hex;
use crate::labels::{Class, Taxonomy, TaxonomyError};
use crate::score::{Score, Scoring, ScoringError};
use crate::yaml::{self, FileError, SectionError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A manifest and its ONNX file, proven to belong together.
pub struct Model {
    manifest: Manifest,
    taxonomy: Taxonomy,
    path: PathBuf,
    onnx: Vec<u8>,
}

/// Why a model was not loaded, or its manifest not written.
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
    /// The manifest stays as it was.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The manifest.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Model {
    /// Reads `models/NAME.yaml` and the ONNX file beside it.
    ///
    /// # Errors
    /// A file that is missing or unreadable, a manifest with unknown, missing or impossible entries, or an
    /// ONNX file that is not the one described.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let (manifest, onnx, onnx_path) = Self::read(path)?;
        Self::from_parts(manifest, path.into(), onnx, &onnx_path)
    }

    /// As [`Model::load`], but for who is about to calibrate or fit: thresholds and statistics that were made
    /// with another file, for which `load` refuses the manifest, are left out, and named. What is written to
    /// the manifest afterwards takes them out of it.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_to_renew(path: &Path) -> Result<(Self, Vec<String>), ModelError> {
        let (mut manifest, onnx, onnx_path) = Self::read(path)?;
        let dropped = manifest.drop_stale();
        let model = Self::from_parts(manifest, path.into(), onnx, &onnx_path)?;
        Ok((model, dropped))
    }

    fn read(path: &Path) -> Result<(Manifest, Vec<u8>, PathBuf), ModelError> {
        let read = |what, path: &Path, source| ModelError::Read { what, path: path.into(), source };
        let manifest: Manifest = yaml::read(path).map_err(|e| match e {
            FileError::Read(source) => read("manifest", path, source),
            FileError::Shape(e) => ModelError::Manifest { path: path.into(), reason: e.to_string() },
        })?;
        let onnx_path = path.parent().unwrap_or(Path::new("")).join(&manifest.file);
        let onnx = std::fs::read(&onnx_path).map_err(|e| read("ONNX file", &onnx_path, e))?;
        Ok((manifest, onnx, onnx_path))
    }

    /// A model whose file was not read from `onnx_path`, or not yet written there.
    ///
    /// # Errors
    /// As [`Model::load`], without reading.
    pub(crate) fn from_parts(
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

    /// Puts a section into the manifest's file, all or not at all, every byte outside it as it was; `value` makes
    /// it of what the file says now. What was
    /// written to the file since it was loaded is kept, but for what was made with another ONNX file; what the
    /// new text says must hold as a whole.
    ///
    /// # Errors
    /// A file that is gone, not writable or written so that a section cannot be replaced; a section that
    /// makes a manifest no one would load. The file is as it was then.
    pub fn write_section<T: Serialize>(
        &self,
        key: &str,
        value: impl FnOnce(&Manifest) -> T,
    ) -> Result<(), ModelError> {
        let (path, text) = self.text_with(key, value)?;
        let write = |source| ModelError::Write { path: self.path.clone(), source };
        // An atomic write makes a new file: who has made this one read-only would not be asked.
        if std::fs::metadata(&path).map_err(write)?.permissions().readonly() {
            return Err(write(std::io::Error::other("it is read-only")));
        }
        atomic::write_durably(&path, text.as_bytes()).map_err(write)
    }

    /// The manifest's file, a link followed so that it stays one, and its text with that section.
    fn text_with<T: Serialize>(
        &self,
        key: &str,
        value: impl FnOnce(&Manifest) -> T,
    ) -> Result<(PathBuf, String), ModelError> {
        let unreadable = |source| ModelError::Read { what: "manifest", path: self.path.clone(), source };
        let path = std::fs::canonicalize(&self.path).map_err(unreadable)?;
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let invalid = |reason: String| ModelError::Manifest { path: self.path.clone(), reason };
        Ok((path, with_section(&text, key, value).map_err(invalid)?))
    }

    /// Whether a section can be written: what would be refused after a run is refused before it.
    ///
    /// # Errors
    /// As [`Model::write_section`].
    pub fn check_writable(&self) -> Result<(), ModelError> {
        self.text_with("calibrations", |now| now.calibrations.clone()).map(drop)
    }

    /// Puts a threshold into the manifest's file, in place of the one of the same score, temperature and size.
    ///
    /// # Errors
    /// As [`Model::write_section`].
    pub fn write_calibration(&self, new: &Calibration) -> Result<(), ModelError> {
        let other = |c: &&Calibration| {
            (c.score, c.temperature, &c.input_size) != (new.score, new.temperature, &new.input_size)
        };
        self.write_section("calibrations", |now| -> Vec<Calibration> {
            now.calibrations.iter().filter(other).chain([new]).cloned().collect()
        })
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
        Scoring::new(score, temperature, self.manifest.statistics.fitted(score))
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

/// The manifest's text without what was made with another file, with that section, and sound.
fn with_section<T: Serialize>(
    text: &str,
    key: &str,
    value: impl FnOnce(&Manifest) -> T,
) -> Result<String, String> {
    let said = |e: SectionError| e.to_string();
    let mut text = text.to_owned();
    let mut manifest: Manifest = yaml::from_str(&text).map_err(|e| e.to_string())?;
    if !manifest.drop_stale().is_empty() {
        text = yaml::replace_section(&text, "calibrations", &manifest.calibrations).map_err(said)?;
        text = yaml::replace_section(&text, "statistics", &manifest.statistics).map_err(said)?;
    }
    text = yaml::replace_section(&text, key, &value(&manifest)).map_err(said)?;
    yaml::from_str::<Manifest>(&text).map_err(|e| e.to_string())?.check()?;
    Ok(text)
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

    const STATISTICS: &str = "statistics:
  sml: {mean: [5, 7.5], deviation: [1, 0.5], fit: FIT}
  react: {clip: 1.25, quantile: 0.99, fit: FIT}
";
    const FIT: &str = "{set: none, set_sha256: '00', frames: 1, input_size: 16x8, precision: f32, \
                       model_sha256: HASH, date: '2026-01-31'}";

    fn with_statistics(from: &str, to: &str) -> Result<Model, ModelError> {
        let section = STATISTICS.replace("FIT", FIT).replacen(from, to, 1);
        model(|m| format!("{m}{section}").replace("HASH", &hex(&Sha256::digest(b"not run"))))
    }

    #[test]
    fn statistics_make_scores() {
        let bare = model(|m| m).unwrap();
        assert_eq!(bare.scoring(Score::Sml, 1.0), Err(ScoringError::Unfitted(Score::Sml)));
        let m = with_statistics("", "").unwrap();
        let sml = m.scoring(Score::Sml, 1.0).unwrap();
        assert_eq!(sml.class_statistics(), Some((&[5.0, 7.5][..], &[1.0, 0.5][..])));
        assert_eq!(m.scoring(Score::React, 2.0).unwrap().clip(), Some(1.25));
        assert_eq!(m.scoring(Score::Hybrid, 1.0).unwrap().clip(), None);
    }

    #[test]
    fn statistics_that_do_not_hold() {
        for (from, to, says) in [
            ("[5, 7.5]", "[5]", "1 means but 2 deviations"),
            ("[5, 7.5], deviation: [1, 0.5]", "[5], deviation: [1]", "of 1 classes, the manifest has 2"),
            ("[5, 7.5]", "[5, .nan]", "mean NaN"),
            ("[1, 0.5]", "[1, 0]", "deviation 0 of class 1"),
            ("clip: 1.25", "clip: .inf", "clip inf"),
            ("quantile: 0.99", "quantile: 99", "quantile 99"),
            ("input_size: 16x8", "input_size: 8x8", "statistics of sml: input_size 8x8"),
            ("model_sha256: HASH", "model_sha256: 00", "fit again, or remove the block"),
            ("sml:", "slm:", "slm"),
        ] {
            let error = with_statistics(from, to).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
    }

    #[test]
    fn a_section_is_written_or_nothing_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.yaml");
        let hash = hex(&Sha256::digest(b"whole"));
        let text = format!("{}# The end.\n", MANIFEST.replace("HASH", &hash));
        std::fs::write(dir.path().join("tiny.onnx"), b"whole").unwrap();
        std::fs::write(&path, &text).unwrap();
        let m = Model::load(&path).unwrap();

        let clip = |clip, model_sha256: &str| {
            let fit = yaml::from_str::<Fit>(&FIT.replace("HASH", model_sha256)).unwrap();
            Statistics { react: Some(Clip { clip, quantile: 0.5, fit }), sml: None }
        };
        m.write_section("statistics", |_| clip(2.5, &hash)).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.starts_with(&text), "{written}");
        let m = Model::load(&path).unwrap();
        assert_eq!(m.manifest().statistics, clip(2.5, &hash));

        for bad in [clip(f32::NAN, &hash), clip(1.0, "00")] {
            let error = m.write_section("statistics", |_| bad.clone()).unwrap_err();
            assert!(matches!(error, ModelError::Manifest { .. }), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        std::fs::remove_file(&path).unwrap();
        let error = m.write_section("statistics", |_| clip(1.0, &hash)).unwrap_err();
        assert!(matches!(error, ModelError::Read { .. }), "{error}");
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
