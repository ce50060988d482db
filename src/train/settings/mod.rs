//! One training as one YAML file: read, checked, and hashed.
//!
//! Place: what `open-set-train run` is told. Unknown keys are refused, for a misspelt one would be a silent
//! default; impossible values are refused before the first image is read. Paths of data sets and negatives are
//! relative to the folder of `--data`; that of pretrained weights to the folder the program is run in.
//!
//! Deliberately does not know: how any of it is done.

mod error;
mod hash;
mod phase;
mod validation;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::labels::{Class, Taxonomy, TaxonomyError};
use crate::model::{ClassEntry, InputSpec, Training};
use crate::train::data::{self, DataError, Normalisation};
use crate::train::generator;
use crate::train::model::{Architecture, DatasetHead, Precision, Spec};
use crate::yaml;

pub use error::SettingsError;
pub use phase::Phase;
pub use validation::{Pasted, Split, Validation};

/// A training.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Everything random is a function of it.
    pub seed: u64,
    /// The K known classes, in the order of the logits, as the data set has them.
    pub classes: Vec<ClassEntry>,
    /// The network.
    pub model: ModelSettings,
    /// What it is taught with.
    pub data: data::Settings,
    /// The share of each source's negatives that training never sees, 0..0.9: what validation pastes is of it.
    #[serde(default)]
    pub held_out: f64,
    /// What makes negatives while it is trained, for phases that have a source `generated`; one for all phases.
    #[serde(default)]
    pub generator: Option<generator::Settings>,
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
    /// Encoder and decoder.
    pub architecture: Architecture,
    /// Channels of the pre-logits; absent where the architecture has its own.
    #[serde(default)]
    pub width: Option<usize>,
    /// How the dataset logit comes about.
    pub dataset_head: DatasetHead,
    /// Weights of the encoder to begin with, safetensors or .pth; absent: random ones.
    #[serde(default)]
    pub pretrained: Option<PathBuf>,
    /// What layers compute in.
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

    /// Whether another text judges by the same frames.
    pub fn judges_as(&self, theirs: &str) -> bool {
        hash::section(theirs, "validation") == hash::section(&self.text, "validation")
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
        if let Err(DataError::Setting { name, got, wanted }) = self.normalisation().check() {
            return value(name, got, wanted);
        }
        if let Some(network) = &self.model.network {
            self.check_network(network)?;
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
        if !(0.0..=0.9).contains(&self.held_out) {
            return value("held_out", self.held_out.to_string(), "a share, 0 to 0.9");
        }
        if let Some(validation) = &self.validation {
            validation.check(self)?;
        }
        if let Some(generator) = &self.generator {
            generator.check().map_err(SettingsError::Generator)?;
        }
        if self.phases.is_empty() {
            return value("phases", "empty".into(), "one phase at least");
        }
        for (i, phase) in self.phases.iter().enumerate() {
            phase.check()?;
            phase.check_head(self.model.network.as_ref().map(|network| network.dataset_head))?;
            phase.check_generator(self.generator.as_ref())?;
            if self.phases[..i].iter().any(|p| p.name == phase.name) {
                let reason = "there are two of this name: each has its own".into();
                return Err(SettingsError::Phase { phase: phase.name.clone(), reason });
            }
        }
        Ok(())
    }

    /// A width is said where there is a choice, and nowhere else; and there is such a network.
    fn check_network(&self, network: &NetworkSettings) -> Result<(), SettingsError> {
        let NetworkSettings { architecture, width, .. } = *network;
        let name = architecture.name();
        let reason = match (architecture.own_width(), width) {
            (Some(own), Some(width)) => {
                Some(format!("{name} has a width of its own, {own}: leave width: {width} out"))
            }
            (None, None) => Some(format!("{name} needs a width, the channels of its pre-logits")),
            _ => self.spec_of(network).check().err().map(|e| e.to_string()),
        };
        reason.map_or(Ok(()), |reason| Err(SettingsError::Network { reason }))
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
        // No network is of width 0: settings without one where one is needed are refused.
        let width = width.or(architecture.own_width()).unwrap_or(0);
        Spec { architecture, classes: self.classes.len(), width, dataset_head }
    }

    /// What the network is fed, as the manifest says it.
    pub fn input(&self) -> InputSpec {
        InputSpec { mean: self.model.mean, std: self.model.std, ..InputSpec::default() }
    }

    /// The same, as training images are treated.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { mean: self.model.mean, std: self.model.std }
    }

    /// The phase of that name, by its place.
    pub fn phase(&self, name: &str) -> Option<usize> {
        self.phases.iter().position(|phase| phase.name == name)
    }
}

#[cfg(test)]
mod tests;
