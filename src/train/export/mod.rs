//! From what was trained to what the node runs: an ONNX file and its manifest.
//!
//! Place: the trainer's last step. The network's one description ([`super::model::ops`]) is carried out by
//! a writer of ONNX nodes, batch normalisations are folded where that changes nothing, and nothing is
//! written that ONNX Runtime does not compute as libtorch does. [`attach`] puts a dataset
//! head on a graph that others trained.
//!
//! Deliberately does not know: checkpoints' files, settings' files, how anything was trained.

pub mod attach;
mod error;
mod fold;
mod graph;
mod manifest;
mod onnx;
mod parity;
mod weights;

pub use error::ExportError;
pub use parity::{Input, Parity, TOLERANCE};

use crate::atomic;
use crate::frame::Size;
use crate::images;
use crate::labels::Taxonomy;
use crate::model::{
    Channels, ClassEntry, InputSizeEntry, InputSpec, Manifest, Model, OutputNames, Statistics, Training,
};
use crate::train::model::torch::TorchOps;
use crate::train::model::{Mode, Network, Outputs, Precision, TorchNetwork, describe};
use crate::yaml;
use graph::{Graph, Side};
use manifest::Place;
use onnx::{Value, Writer};
use parity::{Map, Maps, OUTPUTS};
use std::path::{Path, PathBuf};
use tch::Tensor;
use weights::Weights;

/// Before the keys of the metadata in the file, so that they meet no one else's.
const METADATA: &str = "open_set.";

/// What the weights do not say.
#[derive(Debug, Clone)]
pub struct ExportInfo {
    /// The K known classes in the order of the logits.
    pub classes: Taxonomy,
    /// How the training images were normalised and resized; the name is the graph input's.
    pub input: InputSpec,
    /// Offered, the preferred one first; the file takes any.
    pub input_sizes: Vec<Size>,
    /// For people: network, data, licence.
    pub training: Training,
    /// SHA-256 of the training's settings.
    pub settings_sha256: String,
    /// On which, beside noise, file and checkpoint are compared, each at its own size.
    pub pictures: Vec<PathBuf>,
    /// Whether a manifest with thresholds, which are then lost, may be replaced.
    pub force: bool,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Exported {
    /// `NAME.onnx`
    pub onnx: PathBuf,
    /// `NAME.yaml`
    pub manifest: PathBuf,
    /// Of the ONNX file.
    pub sha256: String,
    /// How well it agrees with the checkpoint.
    pub parity: Parity,
}

/// Writes `NAME.onnx` and `NAME.yaml`, where `out` is `FOLDER/NAME` with either ending or none: input f32
/// `[1, 3, H, W]` of any height and width, outputs `pre_logits [1, C, h, w]`, `logits [1, K, h, w]` and
/// `dataset_logits [1, 1, h, w]`. Before it is written the file is run on noise of even and odd sizes and on
/// `info.pictures`, and must give what libtorch gives in f32, within [`TOLERANCE`] of each output's largest value.
///
/// # Errors
/// Classes that are not as many as the network's; a manifest with thresholds stands there; ONNX Runtime is not
/// there or gives something else than libtorch; a file that cannot be written.
pub fn export(network: &TorchNetwork, info: &ExportInfo, out: &Path) -> Result<Exported, ExportError> {
    let place = Place::new(out, info.force)?;
    let spec = network.spec();
    if info.classes.len() != spec.classes {
        return Err(ExportError::Classes { network: spec.classes, taxonomy: info.classes.len() });
    }
    let weights = Weights::of(network.parameters())?;
    let mut writer = Writer::new(Graph::new(&place.name), &weights);
    let sides = [Side::Is(1), Side::Is(3), Side::Any("height"), Side::Any("width")];
    let image = Value { name: writer.graph.input(&info.input.name, &sides), channels: 3 };
    let said = describe(spec, &mut writer, &image)?;
    let mut graph = writer.graph;
    for (name, value) in OUTPUTS.iter().zip([said.pre_logits, said.logits, said.dataset_logits]) {
        graph.output(name, &value.name, &cells(value.channels)).map_err(ExportError::Description)?;
    }
    let mut graph = graph.into_proto();
    fold::fold(&mut graph).map_err(ExportError::Description)?;

    let stride = network.stride();
    let classes: Vec<ClassEntry> =
        info.classes.classes().iter().map(|c| ClassEntry { name: c.name.clone(), color: c.color }).collect();
    let manifest = Manifest {
        name: place.name.clone(),
        file: PathBuf::from(format!("{}.onnx", place.name)),
        sha256: String::new(),
        classes,
        input: info.input.clone(),
        input_sizes: (info.input_sizes.iter())
            .map(|s| InputSizeEntry { width: s.width, height: s.height, stride })
            .collect(),
        outputs: OutputNames {
            logits: OUTPUTS[1].into(),
            dataset_logits: Some(OUTPUTS[2].into()),
            pre_logits: Some(OUTPUTS[0].into()),
        },
        training: info.training.clone(),
        calibrations: Vec::new(),
        statistics: Statistics::default(),
    };
    let metadata = metadata(&manifest, stride, &info.settings_sha256);
    let producer = ("open-set-train", crate::VERSION);
    let onnx = graph::file(graph, producer, &metadata).map_err(ExportError::Description)?;
    let inputs = inputs(&manifest, &info.pictures)?;
    write(&place, manifest, onnx, &inputs, |input| {
        // In f32 whatever it was trained in: that is what the file holds.
        let mut ops =
            TorchOps { parameters: network.parameters(), mode: Mode::Eval, precision: Precision::F32 };
        let image = image_of(input)?.f_to_device(network.parameters().device())?;
        let said = tch::no_grad(|| describe(spec, &mut ops, &image))?;
        maps(&Outputs {
            pre_logits: said.pre_logits,
            logits: said.logits,
            dataset_logits: said.dataset_logits,
        })
    })
}

/// Proves the file against the `reference` and writes it, then its manifest.
fn write(
    place: &Place,
    mut manifest: Manifest,
    onnx: Vec<u8>,
    inputs: &[Input],
    reference: impl FnMut(&Input) -> Result<Maps, ExportError>,
) -> Result<Exported, ExportError> {
    manifest.sha256 = manifest::sha256(&onnx);
    let text = manifest::text(&manifest)?;
    let read: Manifest = yaml::from_str(&text).map_err(|e| ExportError::Manifest(e.to_string()))?;
    let model = Model::from_parts(read, place.manifest.clone(), onnx, &place.onnx)?;
    let parity = parity::check(&model, inputs, reference)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Write { path, source }
    };
    if let Some(folder) = place.onnx.parent() {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    // The model first: a manifest that is of another file is refused by whoever loads it.
    atomic::write(&place.onnx, model.onnx()).map_err(failed(&place.onnx))?;
    atomic::write(&place.manifest, text.as_bytes()).map_err(failed(&place.manifest))?;
    Ok(Exported {
        onnx: place.onnx.clone(),
        manifest: place.manifest.clone(),
        sha256: manifest.sha256,
        parity,
    })
}

/// The shape of an output of so many channels.
fn cells(channels: usize) -> [Side; 4] {
    [Side::Is(1), Side::Is(channels), Side::Any("cells_high"), Side::Any("cells_wide")]
}

/// What the file says of itself, for who finds it without its manifest: lists as JSON.
fn metadata(manifest: &Manifest, stride: usize, settings_sha256: &str) -> Vec<(String, String)> {
    let names: Vec<&str> = manifest.classes.iter().map(|c| c.name.as_str()).collect();
    [
        ("classes", serde_json::Value::from(names).to_string()),
        ("mean", format!("{:?}", manifest.input.mean)),
        ("std", format!("{:?}", manifest.input.std)),
        ("stride", stride.to_string()),
        ("settings_sha256", settings_sha256.to_owned()),
        ("git_revision", env!("OPEN_SET_GIT_REVISION").to_owned()),
        ("trainer_version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(key, value)| (format!("{METADATA}{key}"), value))
    .into()
}

/// Noise of even and odd sizes and of the preferred one, then the pictures.
fn inputs(manifest: &Manifest, pictures: &[PathBuf]) -> Result<Vec<Input>, ExportError> {
    let small = [(64, 64), (97, 65), (130, 102)].map(|(width, height)| Size { width, height });
    let preferred = manifest.input_sizes.first().map(|s| Size { width: s.width, height: s.height });
    let noise =
        (0..).zip(small.into_iter().chain(preferred)).map(|(seed, size)| Ok(Input::random(size, seed)));
    noise.chain(pictures.iter().map(|path| picture(path, &manifest.input))).collect()
}

/// A picture as the network is fed, at its own size.
fn picture(path: &Path, spec: &InputSpec) -> Result<Input, ExportError> {
    let rgb = images::read_rgb(path)?;
    let size = Size { width: rgb.width, height: rgb.height };
    let mut data = Vec::with_capacity(3 * size.width * size.height);
    for plane in 0..3 {
        let channel = if spec.channels == Channels::Bgr { 2 - plane } else { plane };
        let (mean, std) = (spec.mean[plane], spec.std[plane]);
        data.extend(rgb.data.as_chunks::<3>().0.iter().map(|p| (f32::from(p[channel]) / 255.0 - mean) / std));
    }
    Ok(Input { size, data })
}

/// `[1, 3, h, w]`
fn image_of(input: &Input) -> Result<Tensor, ExportError> {
    let shape = [1, 3, input.size.height as i64, input.size.width as i64];
    Ok(Tensor::f_from_slice(&input.data)?.f_view(shape)?)
}

/// One image's outputs, out of libtorch.
fn maps(outputs: &Outputs) -> Result<Maps, ExportError> {
    Ok([map(&outputs.pre_logits)?, map(&outputs.logits)?, map(&outputs.dataset_logits)?])
}

fn map(tensor: &Tensor) -> Result<Map, ExportError> {
    let (_, channels, height, width) = tensor.size4()?;
    let shape = [channels, height, width].map(|n| usize::try_from(n).unwrap_or(0));
    Ok(Map { shape, data: weights::numbers(tensor)? })
}

#[cfg(test)]
mod tests;
