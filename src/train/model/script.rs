//! A closed-set segmenter from outside, as TorchScript, with a dataset head of ours on its pre-logits.
//!
//! The module takes images `[N, 3, H, W]` and returns (pre_logits `[N, C, h, w]`, logits `[N, K, h, w]`), both at one
//! stride. Its parameters are trained; its buffers, running statistics among them, are out of tch's reach and could
//! be neither averaged nor put into a checkpoint: so the module is always in evaluation mode, and its batch
//! normalisation keeps the statistics that it came with. The head's own statistics move as usual.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tch::{CModule, Device, IValue, Kind, Tensor};

use crate::atomic;

use super::declare::declare_head;
use super::parameters::Parameters;
use super::part::{Part, Role};
use super::torch::TorchOps;
use super::{Mode, Network, NetworkError, Outputs, Precision, head};

/// Side of the image that tells what the module returns.
const PROBE: i64 = 128;

/// A TorchScript module and a dataset head.
#[derive(Debug)]
pub struct ScriptNetwork {
    module: CModule,
    parameters: Parameters,
    path: PathBuf,
    sha256: String,
    returned: Returned,
}

/// What the module returns, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Returned {
    channels: usize,
    classes: usize,
    stride: usize,
}

/// Why a TorchScript module is no network.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not there, or not to be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// No TorchScript, or a module that does not run on an image.
    #[error("{}: {what}: {source}", .path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: Box<NetworkError>,
    },
    /// Not the two outputs.
    #[error(
        "{} returns {got} for an image [1, 3, {PROBE}, {PROBE}]: it has to return (pre_logits [1, C, h, w], logits \
         [1, K, h, w]), of one size that divides {PROBE}",
        .path.display()
    )]
    Returns {
        /// The file.
        path: PathBuf,
        /// As returned.
        got: String,
    },
    /// Another number of classes.
    #[error("{} has {got} classes, the settings have {expected}", .path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// As asked for.
        expected: usize,
        /// As returned.
        got: usize,
    },
    /// The module or its head could not be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// libtorch's words.
        source: tch::TchError,
    },
}

impl ScriptNetwork {
    /// Opens a module of K classes; the head's first parameters are a function of the seed.
    ///
    /// # Errors
    /// No TorchScript there; other outputs; other classes.
    pub fn open(path: &Path, classes: usize, seed: u64, device: Device) -> Result<Self, ScriptError> {
        let bytes =
            std::fs::read(path).map_err(|source| ScriptError::Unreadable { path: path.into(), source })?;
        let failed = |what| {
            move |source: NetworkError| ScriptError::Module {
                path: path.into(),
                what,
                source: Box::new(source),
            }
        };
        let sha256 = crate::hex::hex(&Sha256::digest(&bytes));
        let load = || {
            let mut module = CModule::load_data_on_device(&mut bytes.as_slice(), device)?;
            module.f_set_eval()?;
            Ok(module)
        };
        let module = load().map_err(failed("no TorchScript module"))?;

        let image = Tensor::f_zeros([1, 3, PROBE, PROBE], (Kind::Float, device));
        let probe = image.and_then(|image| tch::no_grad(|| module.forward_is(&[IValue::Tensor(image)])));
        let probe = probe.map_err(|e| failed("it does not run on an image")(e.into()))?;
        let returned = pair(&probe).and_then(|(pre_logits, logits)| seen(pre_logits, logits));
        let returned =
            returned.ok_or_else(|| ScriptError::Returns { path: path.into(), got: in_words(&probe) })?;
        if returned.classes != classes {
            let got = returned.classes;
            return Err(ScriptError::Classes { path: path.into(), expected: classes, got });
        }
        let parameters = gather(&module)
            .and_then(|trunk| declare_head(trunk, "dataset_head", returned.channels, 1, seed))
            .map_err(failed("its parameters cannot be trained"))?;
        Ok(ScriptNetwork { module, parameters, path: path.into(), sha256, returned })
    }

    /// Writes the module with its parameters as they are now, and the head's in a safetensors file.
    ///
    /// # Errors
    /// What libtorch reports, with the file.
    pub fn save(&self, module: &Path, head: &Path) -> Result<(), ScriptError> {
        let unwritable =
            |path: &Path, source: tch::TchError| ScriptError::Unwritable { path: path.into(), source };
        let save = |beside: &Path| self.module.save(beside);
        atomic::write_with(module, save).map_err(|e| unwritable(module, e))?;
        let mut named = self.parameters.named_tensors();
        named.retain(|(name, _)| Part::of(name) == Some(Part::DatasetHead));
        let save = |beside: &Path| Tensor::write_safetensors(&named, beside);
        atomic::write_with(head, save).map_err(|e| unwritable(head, e))
    }
}

impl Network for ScriptNetwork {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError> {
        let returned = self.module.forward_is(&[IValue::Tensor(images.shallow_clone())])?;
        let (pre_logits, logits) = pair(&returned).ok_or_else(|| NetworkError::Channels {
            layer: self.path.display().to_string(),
            expected: 2,
            got: 1,
        })?;
        let mut ops = TorchOps { parameters: &self.parameters, mode, precision: Precision::F32 };
        let dataset_logits = head(&mut ops, "dataset_head", pre_logits, self.returned.channels, 1)?;
        Ok(Outputs { pre_logits: pre_logits.shallow_clone(), logits: logits.shallow_clone(), dataset_logits })
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn identity(&self) -> String {
        let Returned { channels, classes, .. } = self.returned;
        format!("script classes={classes} width={channels} sha256={}", self.sha256)
    }

    fn stride(&self) -> usize {
        self.returned.stride
    }
}

/// The module's own tensors under our names: matrices and kernels decay, what has one axis does not.
fn gather(module: &CModule) -> Result<Parameters, NetworkError> {
    let mut parameters = Parameters::new();
    for (name, tensor) in module.named_parameters()? {
        let role = match tensor.dim() {
            _ if !tensor.requires_grad() => Role::Buffer,
            0 | 1 => Role::Scale,
            _ => Role::Weight,
        };
        parameters.insert(&format!("{}.{name}", Part::Encoder.prefix()), tensor, role)?;
    }
    Ok(parameters)
}

fn pair(returned: &IValue) -> Option<(&Tensor, &Tensor)> {
    match returned {
        IValue::Tuple(items) => match &items[..] {
            [IValue::Tensor(pre_logits), IValue::Tensor(logits)] => Some((pre_logits, logits)),
            _ => None,
        },
        _ => None,
    }
}

fn seen(pre_logits: &Tensor, logits: &Tensor) -> Option<Returned> {
    let (z, s) = (pre_logits.size4().ok()?, logits.size4().ok()?);
    let fits = (z.0, z.2, z.3) == (s.0, s.2, s.3) && z.2 == z.3 && z.2 > 0 && PROBE % z.2 == 0;
    let number = |n: i64| usize::try_from(n).ok().filter(|n| *n > 0);
    let returned =
        Returned { channels: number(z.1)?, classes: number(s.1)?, stride: number(PROBE / z.2.max(1))? };
    fits.then_some(returned)
}

fn in_words(returned: &IValue) -> String {
    match returned {
        IValue::Tensor(tensor) => format!("a tensor {:?}", tensor.size()),
        IValue::Tuple(items) => format!("({})", items.iter().map(in_words).collect::<Vec<_>>().join(", ")),
        _ => "something else than tensors".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train").join(name)
    }

    fn open(name: &str) -> Result<ScriptNetwork, ScriptError> {
        ScriptNetwork::open(&golden(name), 3, 7, Device::Cpu)
    }

    fn image() -> Tensor {
        let t: Tensor = Tensor::arange(2 * 3 * 32 * 48, (Kind::Float, Device::Cpu)) * 0.7;
        t.sin().view([2, 3, 32, 48])
    }

    fn total(t: &Tensor) -> f64 {
        t.abs().sum(Kind::Double).double_value(&[])
    }

    #[test]
    fn a_module_from_outside_gets_a_head_and_learns() {
        let network = open("script.pt").unwrap();
        assert_eq!(network.stride(), 4);
        assert!(network.identity().starts_with("script classes=3 width=8 sha256="));
        let names: Vec<&str> = network.parameters().iter().map(|(name, _)| name).collect();
        assert!(
            names.contains(&"encoder.trunk.0.weight") && names.contains(&"dataset_head.norm.running_var")
        );

        let outputs = network.forward(&image(), Mode::Train).unwrap();
        assert_eq!(outputs.pre_logits.size(), [2, 8, 8, 12]);
        assert_eq!(outputs.logits.size(), [2, 3, 8, 12]);
        assert_eq!(outputs.dataset_logits.size(), [2, 1, 8, 12]);
        // As make_script.py printed it for this image.
        assert!((total(&outputs.logits) - LOGITS).abs() < 1e-3, "{}", total(&outputs.logits));

        (outputs.logits.square().mean(Kind::Float) + outputs.dataset_logits.mean(Kind::Float)).backward();
        for (name, parameter) in network.parameters().trained() {
            assert!(parameter.tensor.grad().defined(), "{name}");
        }
        // What an optimizer does to a parameter, the module sees.
        let weight = network.parameters().tensor("encoder.trunk.0.weight").unwrap();
        let _ = tch::no_grad(|| weight.shallow_clone().fill_(0.5));
        let after = tch::no_grad(|| network.forward(&image(), Mode::Eval)).unwrap();
        assert!((total(&after.logits) - LOGITS).abs() > 1e-3);

        // And what is saved is what was trained.
        let folder = tempfile::tempdir().unwrap();
        let (module, head) = (folder.path().join("a.pt"), folder.path().join("a.safetensors"));
        network.save(&module, &head).unwrap();
        let again = ScriptNetwork::open(&module, 3, 8, Device::Cpu).unwrap();
        again.parameters().load_part(Part::DatasetHead, &Tensor::read_safetensors(&head).unwrap()).unwrap();
        let outputs = tch::no_grad(|| again.forward(&image(), Mode::Eval)).unwrap();
        assert_eq!(total(&outputs.logits), total(&after.logits));
        assert_eq!(total(&outputs.dataset_logits), total(&after.dataset_logits));
    }

    const LOGITS: f64 = 336.692_18;

    #[test]
    fn other_modules_are_refused_with_what_they_return() {
        let error = open("script_single.pt").unwrap_err().to_string();
        assert!(error.contains("returns a tensor [1, 3, 32, 32] for an image [1, 3, 128, 128]"), "{error}");
        let error = ScriptNetwork::open(&golden("script.pt"), 5, 7, Device::Cpu).unwrap_err().to_string();
        assert!(error.ends_with("script.pt has 3 classes, the settings have 5"), "{error}");
        let error = open("twin.json").unwrap_err().to_string();
        assert!(error.contains("twin.json: no TorchScript module: "), "{error}");
        assert!(open("absent.pt").unwrap_err().to_string().contains("absent.pt cannot be read"));
    }
}
