//! A dataset head for a model that others trained: any ONNX segmenter that gives its pre-logits becomes an
//! open-set model.
//!
//! The model is run as it is, by ONNX Runtime; what is trained is BN-ReLU-1×1 on its pre-logits (eq. 8), by
//! the same loop and losses as every network here. Then the head's nodes are put behind the model's own, which
//! are left as they are: its other outputs stay the same, bit for bit.

mod append;

use super::parity::{Input, OUTPUTS};
use super::{ExportError, Exported, Place, Weights, image_of, maps, metadata, write};
use crate::config::{Provider, RuntimeSettings};
use crate::frame::Size;
use crate::images;
use crate::labels::Taxonomy;
use crate::model::{
    Channels, ClassEntry, InputSizeEntry, InputSpec, Manifest, Model, OutputNames, Statistics, Training,
};
use crate::score::Logits;
use crate::segmenter::Segmenter;
use crate::segmenter::onnx::OnnxSegmenter;
use crate::train::model::declare::declare_head;
use crate::train::model::torch::TorchOps;
use crate::train::model::{Mode, Network, NetworkError, Ops, Outputs, Parameters, Precision, head};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// What the head's layers are called, and with them the part that they are.
const HEAD: &str = "dataset_head";

/// Sessions that are kept, one a size: a training has one size, its validation a few.
const SESSIONS: usize = 4;

/// What an ONNX file without a manifest does not say.
#[derive(Debug, Clone)]
pub struct TrunkInfo {
    /// The K known classes in the order of the logits.
    pub classes: Taxonomy,
    /// How its training images were normalised; the name is taken from the graph.
    pub input: InputSpec,
    /// Offered, the preferred one first, each with the stride of the logits.
    pub input_sizes: Vec<InputSizeEntry>,
    /// For people: network, data, licence.
    pub training: Training,
}

/// What is said of the model with its head.
#[derive(Debug, Clone, Default)]
pub struct HeadInfo {
    /// How the head was trained, for people; added to what is said of the data.
    pub data: String,
    /// SHA-256 of the training's settings.
    pub settings_sha256: String,
    /// Whether a manifest with thresholds, which are then lost, may be replaced.
    pub force: bool,
}

/// A model from outside, frozen, and a dataset head on its pre-logits.
pub struct AttachedNetwork {
    /// Without dataset logits, whatever it came with.
    model: Model,
    runtime: RuntimeSettings,
    sessions: RefCell<Vec<OnnxSegmenter>>,
    /// Of the pre-logits.
    channels: usize,
    parameters: Parameters,
}

impl AttachedNetwork {
    /// Reads a model from its manifest, or from an ONNX file with what the file does not say, and runs it once.
    /// The head's parameters are a function of the `seed`; `threads` are ONNX Runtime's, 0: one a core.
    ///
    /// # Errors
    /// A file that cannot be read, is not the manifest's or does not run; no outputs `logits` and
    /// `pre_logits`; dataset logits that are there already, unless they are to be replaced.
    pub fn open(
        path: &Path,
        info: Option<&TrunkInfo>,
        replace: bool,
        seed: u64,
        threads: usize,
    ) -> Result<Self, ExportError> {
        let refused = |reason: String| ExportError::Graph { path: path.into(), reason };
        let (mut manifest, onnx) = if path.extension().is_some_and(|e| e == "onnx") {
            let info = info.ok_or_else(|| {
                refused(
                    "a file without a manifest: its classes, normalisation and sizes must be given".into(),
                )
            })?;
            let onnx = images::read(path)?;
            (bare_manifest(path, info, &onnx).map_err(refused)?, onnx)
        } else {
            let (model, _) = Model::load_to_renew(path)?;
            (model.manifest().clone(), model.onnx().to_vec())
        };
        if manifest.outputs.pre_logits.is_none() {
            return Err(refused("its manifest names no output pre_logits, which the head is to read".into()));
        }
        append::check(&onnx, &manifest, replace).map_err(refused)?;
        manifest.outputs.dataset_logits = None;
        (manifest.calibrations, manifest.statistics) = (Vec::new(), Statistics::default());
        let onnx_path = path.with_file_name(&manifest.file);
        let model = Model::from_parts(manifest, path.into(), onnx, &onnx_path)?;

        let runtime = RuntimeSettings { providers: vec![Provider::Cpu], threads, library: None };
        let first = OnnxSegmenter::reading_pre_logits(&model, &runtime, model.preferred_size())?;
        let channels = first.pre_logits().map_or(0, |p| p.channels);
        let parameters = declare_head(Parameters::new(), HEAD, channels, 1, seed)?;
        Ok(Self { model, runtime, sessions: RefCell::new(vec![first]), channels, parameters })
    }

    /// What the model says of itself; without dataset logits, thresholds and statistics.
    pub fn manifest(&self) -> &Manifest {
        self.model.manifest()
    }

    /// Mean and standard deviation that images are to be normalised by before [`Network::forward`]: of red,
    /// green and blue, in 0..1, whatever the order of the model's planes.
    pub fn normalisation(&self) -> ([f32; 3], [f32; 3]) {
        let InputSpec { mut mean, mut std, channels, .. } = self.manifest().input.clone();
        if channels == Channels::Bgr {
            mean.reverse();
            std.reverse();
        }
        (mean, std)
    }

    /// Writes the model with its head, `NAME.onnx` and `NAME.yaml`, as [`super::export`] does: after a run of
    /// both on noise of every size offered.
    ///
    /// # Errors
    /// As [`super::export`].
    pub fn write(&self, info: &HeadInfo, out: &Path) -> Result<Exported, ExportError> {
        let place = Place::new(out, info.force)?;
        let mut manifest = self.manifest().clone();
        manifest.name.clone_from(&place.name);
        manifest.file = PathBuf::from(format!("{}.onnx", place.name));
        manifest.outputs.dataset_logits = Some(OUTPUTS[2].into());
        manifest.training.network += "; dataset head BN-ReLU-1x1 on its pre-logits";
        if !info.data.is_empty() {
            manifest.training.data += &format!("; dataset head: {}", info.data);
        }
        let stride = manifest.input_sizes.first().map_or(1, |s| s.stride);
        let metadata = metadata(&manifest, stride, &info.settings_sha256);
        let weights = Weights::of(&self.parameters)?;
        let onnx = append::head(self.model.onnx(), &manifest.outputs, self.channels, &weights, &metadata)?;
        let sizes = manifest.input_sizes.iter().map(|s| Size { width: s.width, height: s.height });
        let inputs: Vec<Input> = (0..).zip(sizes).map(|(seed, size)| Input::random(size, seed)).collect();
        write(&place, manifest, onnx, &inputs, |input| {
            let image = image_of(input)?;
            let outputs = tch::no_grad(|| self.run(&image, Mode::Eval))?;
            maps(&outputs)
        })
    }

    /// As [`Network::forward`], of images with the model's own order of planes.
    fn run(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError> {
        let device = self.parameters.device();
        let (n, _, height, width) = images.size4()?;
        let side = |n: i64| usize::try_from(n).unwrap_or(0);
        let size = Size { width: side(width), height: side(height) };
        let (mut pre_logits, mut logits) = (Vec::new(), Vec::new());
        for i in 0..n {
            let image = images.f_select(0, i)?.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
            let image = Vec::<f32>::try_from(image.f_view(-1)?)?;
            let (z, s) = self.run_model(size, &image)?;
            pre_logits.push(z);
            logits.push(s);
        }
        let pre_logits = Tensor::f_cat(&pre_logits, 0)?.f_to_device(device)?;
        let logits = Tensor::f_cat(&logits, 0)?.f_to_device(device)?;
        let mut ops = TorchOps { parameters: &self.parameters, mode, precision: Precision::F32 };
        let outlier = head(&mut ops, HEAD, &pre_logits, self.channels, 1)?;
        // The contract has one grid for both logits; not every model's are at its pre-logits' stride.
        let one_grid = pre_logits.size()[2..] == logits.size()[2..];
        let dataset_logits = if one_grid { outlier } else { ops.resize_as(&outlier, &logits)? };
        Ok(Outputs { pre_logits, logits, dataset_logits })
    }

    /// Pre-logits and logits of one image, `[1, C, h, w]` and `[1, K, h, w]`.
    fn run_model(&self, size: Size, image: &[f32]) -> Result<(Tensor, Tensor), NetworkError> {
        let mut sessions = self.sessions.borrow_mut();
        let at = match sessions.iter().position(|s| s.input_size() == size) {
            Some(at) => at,
            None => {
                sessions.push(OnnxSegmenter::reading_pre_logits(&self.model, &self.runtime, size)?);
                if sessions.len() > SESSIONS {
                    sessions.remove(0);
                }
                sessions.len() - 1
            }
        };
        let session = &mut sessions[at];
        session.input().copy_from_slice(image);
        session.run()?;
        let pre_logits =
            session.pre_logits().ok_or_else(crate::segmenter::SegmentError::made_without_pre_logits)?;
        Ok((tensor(pre_logits)?, tensor(session.logits())?))
    }
}

impl Network for AttachedNetwork {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError> {
        match self.manifest().input.channels {
            Channels::Rgb => self.run(images, mode),
            Channels::Bgr => self.run(&images.f_flip([1])?, mode),
        }
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn identity(&self) -> String {
        format!(
            "dataset head on {} pre-logits of the file of sha256 {}",
            self.channels,
            self.manifest().sha256
        )
    }

    fn stride(&self) -> usize {
        self.manifest().input_sizes.first().map_or(1, |s| s.stride)
    }
}

fn tensor(map: Logits<'_>) -> Result<Tensor, NetworkError> {
    let shape = [1, map.channels as i64, map.height as i64, map.width as i64];
    Ok(Tensor::f_from_slice(map.data)?.f_view(shape)?)
}

/// What would stand in the manifest of a file that has none.
fn bare_manifest(path: &Path, info: &TrunkInfo, onnx: &[u8]) -> Result<Manifest, String> {
    let file = path.file_name().unwrap_or_default();
    Ok(Manifest {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        file: file.into(),
        sha256: super::manifest::sha256(onnx),
        classes: (info.classes.classes().iter())
            .map(|c| ClassEntry { name: c.name.clone(), color: c.color })
            .collect(),
        input: InputSpec { name: append::input_name(onnx)?, ..info.input.clone() },
        input_sizes: info.input_sizes.clone(),
        outputs: OutputNames {
            logits: OUTPUTS[1].into(),
            dataset_logits: None,
            pre_logits: Some(OUTPUTS[0].into()),
        },
        training: info.training.clone(),
        calibrations: Vec::new(),
        statistics: Statistics::default(),
    })
}

#[cfg(test)]
mod tests;
