//! The manifest beside the file: its text, and what must not be written over.

use super::ExportError;
use crate::hex::hex;
use crate::model::{ClassEntry, Manifest};
use crate::yaml::{self, FileError};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where a model goes: `NAME.onnx` and `NAME.yaml` in one folder.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) onnx: PathBuf,
    pub(super) manifest: PathBuf,
}

impl Place {
    /// Of `out`: `FOLDER/NAME`, with either ending or none.
    ///
    /// # Errors
    /// No name; a manifest with thresholds or statistics stands there, or something else, and `force` is not
    /// said.
    pub(super) fn new(out: &Path, force: bool) -> Result<Self, ExportError> {
        let ours = out.extension().is_some_and(|e| e == "onnx" || e == "yaml");
        let name = if ours { out.file_stem() } else { out.file_name() };
        let name =
            name.and_then(|n| n.to_str()).ok_or_else(|| ExportError::Name { out: out.into() })?.to_owned();
        let beside = |ending: &str| out.with_file_name(format!("{name}.{ending}"));
        let place = Self { onnx: beside("onnx"), manifest: beside("yaml"), name };
        if !force {
            place.check_free()?;
        }
        Ok(place)
    }

    fn check_free(&self) -> Result<(), ExportError> {
        let occupied = |what: String| ExportError::Occupied { path: self.manifest.clone(), what };
        match yaml::read::<Manifest>(&self.manifest) {
            Err(FileError::Read(e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(occupied(format!("is no manifest of a model ({e})"))),
            Ok(m) if !m.calibrations.is_empty() => {
                let what = m.calibrations.iter().map(|c| c.what()).collect::<Vec<_>>().join(", ");
                Err(occupied(format!("holds thresholds ({what})")))
            }
            Ok(m) if m.statistics.sml.is_some() || m.statistics.react.is_some() => {
                Err(occupied("holds statistics".into()))
            }
            Ok(_) => Ok(()),
        }
    }
}

/// SHA-256 as manifests write it.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The manifest as people would write it. Thresholds and statistics are left out: they were of another file.
///
/// # Errors
/// What the YAML library reports.
pub(super) fn text(manifest: &Manifest) -> Result<String, ExportError> {
    let Manifest { name, file, sha256, classes, input, input_sizes, outputs, training, .. } = manifest;
    let mut text = format!(
        "# Written by open-set-train. Thresholds are added by open-set calibrate.\nname: {}\nfile: {}\nsha256: {sha256}\n\n\
         # In the order of the logits.\nclasses:\n",
        plain(name),
        plain(&file.to_string_lossy())
    );
    for ClassEntry { name, color } in classes {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  - {{name: {}, color: {color:?}}}", plain(name));
    }
    let yaml = |e: yaml::YamlError| ExportError::Manifest(e.to_string());
    let mut section = |key: &str, body: String| text += &format!("\n{key}:\n{}", indented(&body));
    section(
        "input",
        format!(
            "name: {}\nchannels: {}mean: {:?}\nstd: {:?}\ninterpolation: {}",
            plain(&input.name),
            yaml::to_string(&input.channels).map_err(yaml)?,
            input.mean,
            input.std,
            yaml::to_string(&input.interpolation).map_err(yaml)?,
        ),
    );
    let sizes: Vec<String> = input_sizes
        .iter()
        .map(|s| format!("- {{width: {}, height: {}, stride: {}}}", s.width, s.height, s.stride))
        .collect();
    section("input_sizes", sizes.join("\n"));
    section("outputs", yaml::to_string(outputs).map_err(yaml)?);
    section("training", yaml::to_string(training).map_err(yaml)?);
    Ok(text)
}

fn indented(body: &str) -> String {
    body.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("  {line}\n") }).collect()
}

/// The text as it is where YAML takes it for text, in quotes elsewhere.
fn plain(text: &str) -> String {
    let simple = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && yaml::from_str::<yaml::Value>(text).is_ok_and(|v| matches!(v, yaml::Value::String(_)));
    if simple { text.into() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Channels, InputSizeEntry, InputSpec, Interpolation, OutputNames, Statistics, Training,
    };

    fn manifest() -> Manifest {
        let class = |name: &str, color| ClassEntry { name: name.into(), color };
        Manifest {
            name: "a b".into(),
            file: "a b.onnx".into(),
            sha256: "00".into(),
            classes: vec![
                class("road", [1, 2, 255]),
                class("true", [0, 0, 0]),
                class("a: {b}, \"c\" #é", [9; 3]),
            ],
            input: InputSpec {
                name: "image".into(),
                channels: Channels::Bgr,
                mean: [0.485, 0.456, 0.406],
                std: [1.0 / 3.0, 1e-7, 1.0],
                interpolation: Interpolation::Area,
            },
            input_sizes: vec![
                InputSizeEntry { width: 480, height: 360, stride: 4 },
                InputSizeEntry { width: 33, height: 31, stride: 4 },
            ],
            outputs: OutputNames { logits: "s".into(), dataset_logits: Some("g".into()), pre_logits: None },
            training: Training {
                network: "EfficientNet: lite".into(),
                data: "two\n\nlines # no comment\n".into(),
                licence: "'quoted'".into(),
            },
            calibrations: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = text(&manifest()).unwrap();
        let read: Manifest = yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(yaml::to_string(&read).unwrap(), yaml::to_string(&manifest()).unwrap(), "{text}");
        assert!(text.contains("  - {name: road, color: [1, 2, 255]}\n"), "{text}");
        assert!(text.contains("  - {name: \"true\", color"), "{text}");
    }

    #[test]
    fn thresholds_are_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for out in ["m", "m.onnx", "m.yaml"] {
            let place = Place::new(&at(out), false).unwrap();
            assert_eq!((place.name.as_str(), place.onnx, place.manifest), ("m", at("m.onnx"), at("m.yaml")));
        }
        assert_eq!(Place::new(&at("m.1"), false).unwrap().onnx, at("m.1.onnx"));
        assert!(matches!(Place::new(Path::new("/"), false), Err(ExportError::Name { .. })));

        std::fs::write(at("m.yaml"), text(&manifest()).unwrap()).unwrap();
        assert!(Place::new(&at("m"), false).is_ok());
        std::fs::write(at("m.yaml"), crate::model::tests::MANIFEST).unwrap();
        let error = Place::new(&at("m"), false).unwrap_err().to_string();
        assert!(error.contains("hybrid at 16x8") && error.contains("--force"), "{error}");
        assert!(Place::new(&at("m"), true).is_ok());
        std::fs::write(at("m.yaml"), "notes: mine\n").unwrap();
        assert!(matches!(Place::new(&at("m"), false), Err(ExportError::Occupied { .. })));
    }
}
