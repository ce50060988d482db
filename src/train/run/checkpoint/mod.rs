//! All that a run is, in one file: to resume it bit for bit, to begin another, to export.
//!
//! The file is safetensors: `parameters/NAME` as they are trained, `ema/NAME` their running means where the
//! phase keeps them, `optimizer/first/NAME` and `optimizer/second/NAME`; of a generator that is trained along
//! `generator/NAME` and `generator-optimizer/...`. Its metadata has one entry, [`About`] as
//! JSON. It is written beside its name and renamed: a disk that fills up, a run that is killed or a power cut
//! leaves the last one whole.

mod about;
mod error;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, Tensor};

use crate::atomic;
use crate::train::model::Parameters;
use crate::train::settings::Written;
use about::FORMAT;

pub use about::{About, Place};
pub use error::CheckpointError;

/// The metadata's one key.
const KEY: &str = "open-set-train";

/// A file, read.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where it was read.
    pub path: PathBuf,
    /// What its tensors are of.
    pub about: About,
    tensors: BTreeMap<String, Tensor>,
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
    atomic::write_durably(path, &bytes).map_err(failed)
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

    /// Holds its settings against others, as far as they decide what is learnt.
    ///
    /// # Errors
    /// [`CheckpointError::Settings`], with what differs.
    pub fn check_settings(&self, ours: &Written) -> Result<(), CheckpointError> {
        if self.about.settings_sha256 == ours.sha256 {
            return Ok(());
        }
        let differences = ours.differences(&self.about.settings);
        Err(CheckpointError::Settings { path: self.path.clone(), differences })
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

    /// Fills `into` with the tensors of `group`, by name: `parameters`, `ema`, `optimizer` and so on.
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
mod tests;
