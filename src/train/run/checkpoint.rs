//! All that a run is, in one file: to resume it bit for bit, to begin another, to export.
//!
//! The file is safetensors: `parameters/NAME` as they are trained, `ema/NAME` their running means where the
//! phase keeps them, `optimizer/first/NAME` and `optimizer/second/NAME`. Its metadata has one entry, [`About`] as
//! JSON. It is written beside its name and renamed: a disk that fills up, or a run that is killed, leaves the
//! last one whole.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::atomic;
use crate::train::model::Parameters;

/// The metadata's one key.
const KEY: &str = "open-set-train";

/// Of the layout of these files; another number is refused.
const FORMAT: u32 = 1;

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which phase, from 0; one beyond the last: the run is over.
    pub phase: usize,
    /// Steps made in it.
    pub step: u64,
}

/// What the tensors are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Of the layout of the file.
    pub format: u32,
    /// The network's own line: architecture and its numbers.
    pub identity: String,
    /// The YAML of the run, whole.
    pub settings: String,
    /// SHA-256 over what of it decides what is learnt.
    pub settings_sha256: String,
    /// Where the run stood.
    pub place: Place,
    /// The name of the phase that the weights are of.
    pub phase: String,
    /// Of everything random.
    pub seed: u64,
    /// Steps the optimizer has made in the phase: t of its bias corrections.
    pub optimizer_steps: u64,
    /// Steps of the phases before.
    pub steps_before: u64,
    /// The phase's best validation so far.
    pub best: Option<f64>,
    /// The step of the phase's last validation.
    pub validated: Option<u64>,
    /// Trained so far, all phases together.
    pub seconds: f64,
    /// Version and git revision of the trainer.
    pub trainer: String,
    /// Of the libtorch that computed it, where that is known.
    pub libtorch: Option<String>,
}

impl About {
    /// The number of the layout that this program writes.
    pub fn format() -> u32 {
        FORMAT
    }
}

/// A file, read.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where it was read.
    pub path: PathBuf,
    /// What its tensors are of.
    pub about: About,
    tensors: BTreeMap<String, Tensor>,
}

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not written; what stood there before still does.
    #[error("cannot write checkpoint {path}: {source}; what was there before is untouched")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not readable.
    #[error("cannot read checkpoint {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Readable, but no checkpoint.
    #[error("{path} is no checkpoint of this program: {reason}")]
    NotOne {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Of another network.
    #[error("checkpoint {path} is of {got}, but the settings make {expected}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// Its network.
        got: String,
        /// The network there is.
        expected: String,
    },
    /// The tensors are not those that are wanted.
    #[error("checkpoint {path}, {group}: {reason}")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Parameters, means or moments.
        group: String,
        /// Which are missing, left over or of another shape.
        reason: String,
    },
    /// libtorch refused.
    #[error("checkpoint {path}: {source}")]
    Torch {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: tch::TchError,
    },
}

/// A tensor's bytes, ready to be written.
struct Stored {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

const KINDS: [(Kind, Dtype); 6] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Half, Dtype::F16),
    (Kind::Int64, Dtype::I64),
    (Kind::Uint8, Dtype::U8),
];

impl Stored {
    fn of(tensor: &Tensor) -> Result<Self, tch::TchError> {
        let tensor = tensor.f_detach()?.f_contiguous()?;
        let kind = tensor.f_kind()?;
        let Some((_, dtype)) = KINDS.into_iter().find(|(k, _)| *k == kind) else {
            return Err(tch::TchError::Kind(format!("tensors of {kind:?} are not kept")));
        };
        let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        // A tensor's sides are never negative.
        let shape = tensor.size().iter().map(|s| *s as usize).collect();
        Ok(Self { kind: dtype, shape, bytes })
    }
}

/// Writes a checkpoint, all or not at all.
///
/// # Errors
/// [`CheckpointError::Write`]; the file that had the name is as it was.
pub fn write<'a>(
    path: &Path,
    about: &About,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
) -> Result<(), CheckpointError> {
    let torch = |source| CheckpointError::Torch { path: path.into(), source };
    let failed = |source| CheckpointError::Write { path: path.into(), source };
    let other = |e: &dyn std::error::Error| failed(std::io::Error::other(e.to_string()));
    let mut stored = Vec::new();
    for (name, tensor) in tensors {
        stored.push((name, Stored::of(tensor).map_err(torch)?));
    }
    let mut views = Vec::new();
    for (name, s) in &stored {
        views.push((name, TensorView::new(s.kind, s.shape.clone(), &s.bytes).map_err(|e| other(&e))?));
    }
    let about = serde_json::to_string(about).map_err(|e| other(&e))?;
    let metadata = HashMap::from([(KEY.to_owned(), about)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| other(&e))?;
    atomic::write(path, &bytes).map_err(failed)
}

impl Checkpoint {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not readable, cut off, or no checkpoint of this program and format.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes =
            std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.into(), source })?;
        let not_one = |reason: String| CheckpointError::NotOne { path: path.into(), reason };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| not_one(e.to_string()))?;
        let said = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let said = said.ok_or_else(|| not_one(format!("its metadata has no {KEY}")))?;
        let about: About = serde_json::from_str(said).map_err(|e| not_one(e.to_string()))?;
        if about.format != FORMAT {
            return Err(not_one(format!("it is of format {}, this program reads {FORMAT}", about.format)));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|e| not_one(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let Some((kind, _)) = KINDS.into_iter().find(|(_, d)| *d == view.dtype()) else {
                return Err(not_one(format!("tensor {name} is of {:?}", view.dtype())));
            };
            // Sides are bounded by the length of the file.
            let shape: Vec<i64> = view.shape().iter().map(|s| *s as i64).collect();
            let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)
                .map_err(|source| CheckpointError::Torch { path: path.into(), source })?;
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(Self { path: path.into(), about, tensors })
    }

    /// Holds its network against the one there is.
    ///
    /// # Errors
    /// [`CheckpointError::Identity`], with both.
    pub fn check_identity(&self, expected: &str) -> Result<(), CheckpointError> {
        if self.about.identity == expected {
            return Ok(());
        }
        Err(CheckpointError::Identity {
            path: self.path.clone(),
            got: self.about.identity.clone(),
            expected: expected.into(),
        })
    }

    /// All tensors, by their whole names.
    #[cfg(test)]
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors whose names begin with `group/`, by the rest of their names.
    fn group<'a>(&'a self, group: &str) -> BTreeMap<&'a str, &'a Tensor> {
        let rest = |name: &'a str| name.strip_prefix(group).and_then(|r| r.strip_prefix('/'));
        self.tensors.iter().filter_map(|(name, t)| Some((rest(name)?, t))).collect()
    }

    /// Whether it has such tensors.
    pub fn has(&self, group: &str) -> bool {
        !self.group(group).is_empty()
    }

    /// Fills `into` with the tensors of `group`, by name: `parameters`, `ema` or `optimizer`.
    ///
    /// # Errors
    /// One is missing, left over or of another shape: all of them are named, up to a few; nothing is filled then.
    pub fn fill<'a>(
        &self,
        group: &str,
        into: impl IntoIterator<Item = (String, &'a Tensor)>,
    ) -> Result<(), CheckpointError> {
        let mut found = self.group(group);
        let mut pairs = Vec::new();
        let mut wrong = Vec::new();
        for (name, to) in into {
            match found.remove(name.as_str()) {
                Some(from) if from.size() == to.size() => pairs.push((from, to)),
                Some(from) => {
                    wrong.push(format!("{name} is {:?} in it, not {:?}", from.size(), to.size()));
                }
                None => wrong.push(format!("{name} {:?} is missing in it", to.size())),
            }
        }
        wrong.extend(found.keys().map(|name| format!("{name} is not wanted")));
        if !wrong.is_empty() {
            let more = wrong.len().saturating_sub(LISTED);
            wrong.truncate(LISTED);
            let reason =
                wrong.join("; ") + &if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(CheckpointError::Tensors { path: self.path.clone(), group: group.into(), reason });
        }
        let _no_grad = tch::no_grad_guard();
        for (from, to) in pairs {
            to.shallow_clone()
                .f_copy_(from)
                .map_err(|source| CheckpointError::Torch { path: self.path.clone(), source })?;
        }
        Ok(())
    }

    /// Fills a network: with the running means where there are some, for they are what was judged; else with the
    /// weights as they were trained.
    ///
    /// # Errors
    /// As [`Checkpoint::fill`].
    pub fn fill_judged(&self, parameters: &Parameters) -> Result<(), CheckpointError> {
        let group = if self.has("ema") { "ema" } else { "parameters" };
        self.fill(group, parameters.iter().map(|(name, p)| (name.to_owned(), &p.tensor)))
    }
}

/// Names in an error.
const LISTED: usize = 5;

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
