//! One training as one YAML file: read, checked, and hashed.
//!
//! Place: what `open-set-train run` is told. Unknown keys are refused, for a misspelt one would be a silent
//! default; impossible values are refused before the first image is read. Paths of data sets and negatives are
//! relative to the folder of `--data`; that of pretrained weights to the folder the program is run in.
//!
//! Deliberately does not know: how any of it is done.

mod hash;
mod phase;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::frame::Size;
use crate::labels::{Class, Taxonomy, TaxonomyError};
use crate::model::{ClassEntry, InputSpec, Training};
use crate::train::data::{self, DataError};
use crate::train::model::{Architecture, DatasetHead, Precision, Spec};
use crate::train::negatives;
use crate::yaml;

pub use phase::Phase;

/// A training.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model's, in its manifest and files.
    pub name: String,
    /// Everything random is a function of it.
    pub seed: u64,
    /// The K known classes, in the order of the logits, as the data set has them.
    pub classes: Vec<ClassEntry>,
    /// The network.
    pub model: ModelSettings,
    /// What it is taught with.
    pub data: data::Settings,
    /// What it is judged on while it learns; absent: nothing.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// In order.
    pub phases: Vec<Phase>,
    /// CPU threads of libtorch; 0: as many as there are cores.
    #[serde(default)]
    pub threads: usize,
    /// Steps between checkpoints.
    #[serde(default = "checkpoint_every")]
    pub checkpoint_every: u64,
    /// Steps between lines of the log.
    #[serde(default = "log_every")]
    pub log_every: u64,
    /// What the exported model's manifest says besides.
    pub export: ExportSettings,
}

/// A network of this crate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// Encoder and ladder.
    pub architecture: Architecture,
    /// Channels of the pre-logits.
    pub width: usize,
    /// How the dataset logit comes about.
    pub dataset_head: DatasetHead,
    /// Weights of the encoder to begin with, safetensors or .pth; absent: random ones.
    #[serde(default)]
    pub pretrained: Option<PathBuf>,
    /// What convolutions compute in.
    pub precision: Precision,
}

/// The network, and what it is fed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// What it is made of; absent where a head is attached to a model that is there already.
    #[serde(default)]
    pub network: Option<NetworkSettings>,
    /// Per channel (red, green, blue), of values in 0..1.
    pub mean: [f32; 3],
    /// Per channel, of values in 0..1.
    pub std: [f32; 3],
}

/// What a network is judged on, every so many steps and at the end of each phase.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Steps between two.
    pub every: u64,
    /// The network's input: images are stretched to it; absent: each image's own size.
    #[serde(default)]
    pub input_size: Option<[usize; 2]>,
    /// Labelled frames: mIoU of the known classes.
    #[serde(default)]
    pub closed_set: Option<Split>,
    /// Frames with anomalies: AP, FPR95 and AUROC of the hybrid score and its two parts.
    #[serde(default)]
    pub anomalies: Option<Split>,
    /// In their place labelled frames, in which anomalies are made.
    #[serde(default)]
    pub pasted: Option<Pasted>,
}

/// A part of a data set, judged as it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// By the name of its layout.
    pub dataset: String,
    /// Its folder, below the run's data folder.
    pub folder: PathBuf,
    /// Absent: the one the field judges on.
    #[serde(default)]
    pub split: Option<String>,
    /// Only so many frames, evenly spread; absent: all.
    #[serde(default)]
    pub frames: Option<usize>,
}

/// Negatives kept from training, pasted into frames by the training's seed: the same in every validation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pasted {
    /// The frames.
    pub frames: Split,
    /// What is pasted: of each source the share that is kept from training.
    pub negatives: negatives::Settings,
}

/// For the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// Input sizes offered, `[width, height]`, the preferred one first.
    pub input_sizes: Vec<[usize; 2]>,
    /// In words.
    pub training: Training,
}

fn checkpoint_every() -> u64 {
    500
}

fn log_every() -> u64 {
    50
}

/// Why settings are not used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not readable, or no such YAML.
    #[error("settings {path}: {reason}")]
    File {
        /// As given.
        path: PathBuf,
        /// Key and position.
        reason: String,
    },
    /// The classes are none.
    #[error("settings, classes: {0}")]
    Classes(#[from] TaxonomyError),
    /// The classes are others than the data set's.
    #[error(
        "the classes of data set {dataset} are {got}, but the settings have {expected}: the same, in its order"
    )]
    OtherClasses {
        /// By name.
        dataset: String,
        /// The set's.
        got: String,
        /// The settings'.
        expected: String,
    },
    /// A number that cannot be.
    #[error("settings, {key} is {got}: {expected}")]
    Value {
        /// Where.
        key: &'static str,
        /// What it is.
        got: String,
        /// What would do.
        expected: &'static str,
    },
    /// The data's section cannot be.
    #[error("settings, data: {0}")]
    Data(#[from] DataError),
    /// A network is wanted of settings for a head.
    #[error(
        "settings, model has no network: say architecture, width, dataset_head, precision, or use attach-head"
    )]
    NoNetwork,
    /// A phase that cannot be.
    #[error("settings, phase {phase}: {reason}")]
    Phase {
        /// By name.
        phase: String,
        /// Both sides.
        reason: String,
    },
}

/// Settings with the text they were read from, which checkpoints keep.
#[derive(Debug, Clone)]
pub struct Written {
    /// What it says.
    pub settings: Settings,
    /// The file, whole.
    pub text: String,
    /// SHA-256 over what of it decides what is learnt, 64 hex digits.
    pub sha256: String,
}

impl Written {
    /// Reads a file and checks it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let file = |reason: String| SettingsError::File { path: path.into(), reason };
        let text = std::fs::read_to_string(path).map_err(|e| file(e.to_string()))?;
        Self::parse(&text).map_err(|e| match e {
            SettingsError::File { reason, .. } => file(reason),
            other => other,
        })
    }

    /// As [`Written::read`], of a text that is there already: a checkpoint's.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let shape = |e: yaml::YamlError| SettingsError::File { path: PathBuf::new(), reason: e.to_string() };
        let settings: Settings = yaml::from_str(text).map_err(shape)?;
        settings.check()?;
        Ok(Self { settings, text: text.to_owned(), sha256: hash::sha256(text).map_err(shape)? })
    }

    /// Where this text and another differ in what is learnt: `key: theirs, here ours`, one a line.
    pub fn differences(&self, theirs: &str) -> String {
        hash::differences(theirs, &self.text)
    }
}

impl Settings {
    /// What serde's types cannot say.
    ///
    /// # Errors
    /// The first thing that is impossible, with both sides.
    pub fn check(&self) -> Result<(), SettingsError> {
        let value = |key, got: String, expected| Err(SettingsError::Value { key, got, expected });
        self.taxonomy()?;
        let ModelSettings { mean, std, .. } = &self.model;
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return value("model", format!("mean {mean:?}, std {std:?}"), "finite numbers, std above 0");
        }
        if let Some(network) = &self.model.network
            && self.spec_of(network).check().is_err()
        {
            let got = format!("{} classes, width {}", self.classes.len(), network.width);
            return value("model", got, "1 to 254 classes, a width that is a multiple of 4, up to 4096");
        }
        for (key, every) in [("checkpoint_every", self.checkpoint_every), ("log_every", self.log_every)] {
            if every == 0 {
                return value(key, "0".into(), "a number of steps, 1 or more");
            }
        }
        if self.threads > 1024 {
            return value("threads", self.threads.to_string(), "0 (all cores) to 1024");
        }
        let sides = self.export.input_sizes.iter().flatten();
        if self.export.input_sizes.is_empty() || sides.clone().any(|s| !(8..=8192).contains(s)) {
            let got = format!("{:?}", self.export.input_sizes);
            return value("export.input_sizes", got, "one [width, height] at least, each 8 to 8192");
        }
        self.data.check()?;
        if let Some(v) = &self.validation {
            v.check()?;
        }
        if self.phases.is_empty() {
            return value("phases", "empty".into(), "one phase at least");
        }
        for (i, phase) in self.phases.iter().enumerate() {
            phase.check()?;
            if self.phases[..i].iter().any(|p| p.name == phase.name) {
                let reason = "there are two of this name: each has its own".into();
                return Err(SettingsError::Phase { phase: phase.name.clone(), reason });
            }
        }
        Ok(())
    }

    /// The known classes.
    ///
    /// # Errors
    /// They are none: too few, or two of a name.
    pub fn taxonomy(&self) -> Result<Taxonomy, TaxonomyError> {
        let class = |c: &ClassEntry| Class { name: c.name.clone(), color: c.color };
        Taxonomy::new(self.classes.iter().map(class).collect())
    }

    /// The network's numbers.
    ///
    /// # Errors
    /// The settings are of a head for another model.
    pub fn spec(&self) -> Result<(Spec, &NetworkSettings), SettingsError> {
        let network = self.model.network.as_ref().ok_or(SettingsError::NoNetwork)?;
        Ok((self.spec_of(network), network))
    }

    fn spec_of(&self, network: &NetworkSettings) -> Spec {
        let NetworkSettings { architecture, width, dataset_head, .. } = *network;
        Spec { architecture, classes: self.classes.len(), width, dataset_head }
    }

    /// What the network is fed, as the manifest says it.
    pub fn input(&self) -> InputSpec {
        InputSpec { mean: self.model.mean, std: self.model.std, ..InputSpec::default() }
    }

    /// The phase of that name, by its place.
    pub fn phase(&self, name: &str) -> Option<usize> {
        self.phases.iter().position(|phase| phase.name == name)
    }
}

impl Validation {
    /// The network's input, where it is one for all images.
    pub fn size(&self) -> Option<Size> {
        self.input_size.map(|[width, height]| Size { width, height })
    }

    fn check(&self) -> Result<(), SettingsError> {
        let value = |key, got: String, expected| Err(SettingsError::Value { key, got, expected });
        if self.every == 0 {
            return value("validation.every", "0".into(), "a number of steps, 1 or more");
        }
        if self.anomalies.is_some() && self.pasted.is_some() {
            return value("validation", "of anomalies and pasted ones".into(), "one of the two");
        }
        if self.closed_set.is_none() && self.anomalies.is_none() && self.pasted.is_none() {
            return value("validation", "empty".into(), "closed_set, anomalies, pasted, or leave it out");
        }
        if let Some([w, h]) = self.input_size.filter(|s| s.iter().any(|side| !(8..=8192).contains(side))) {
            return value("validation.input_size", format!("[{w}, {h}]"), "[width, height], each 8 to 8192");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
