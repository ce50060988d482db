//! What torch.save writes: a pickle of views, and the storages that they are views of. Since PyTorch 1.6 both lie
//! in a zip; before, one after the other in a file.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::machine;
use super::pickle::{Built, Node, PickleError, View};
use super::zip;

/// The first pickle of an old file: one number.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const ZIP: &[u8] = b"PK";
/// Under which training scripts keep the state dict in a larger dictionary.
const NESTED: [&str; 4] = ["state_dict", "model_state_dict", "model", "state_dict_ema"];

/// How often a storage may be read, on average.
const MAX_SHARED: usize = 4;

/// Why a PyTorch file gave no tensors.
#[derive(Debug, thiserror::Error)]
pub enum PthError {
    /// In its pickle.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// Around it.
    #[error("not to be read as a PyTorch file: {what}")]
    Broken {
        /// What is missing or does not fit.
        what: String,
    },
    /// One tensor of it.
    #[error("{name}: {what}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What does not fit.
        what: String,
    },
}

fn broken(what: impl Into<String>) -> PthError {
    PthError::Broken { what: what.into() }
}

pub(super) fn is_pth(bytes: &[u8]) -> bool {
    bytes.starts_with(LEGACY) || bytes.starts_with(ZIP)
}

/// The tensors of the state dict, in the file's order.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, PthError> {
    if bytes.starts_with(ZIP) { read_zip(bytes) } else { read_legacy(bytes) }
}

fn read_zip(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, PthError> {
    let entries = zip::entries(bytes).map_err(broken)?;
    let program = entries.iter().find(|entry| entry.name.ends_with("/data.pkl"));
    let program = program.ok_or_else(|| broken("there is no data.pkl in the archive"))?;
    let root = program.name.trim_end_matches("data.pkl");
    if entries.iter().any(|e| e.name.strip_prefix(root) == Some("byteorder") && e.bytes != b"little") {
        return Err(broken("its numbers are big-endian"));
    }
    let data = format!("{root}data/");
    let storages = entries.iter().filter_map(|e| Some((e.name.strip_prefix(&data)?, e.bytes))).collect();
    tensors(&machine::read(program.bytes)?, &storages)
}

fn read_legacy(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, PthError> {
    let mut rest = bytes.get(LEGACY.len()..).unwrap_or_default();
    let mut next = || {
        let built = machine::read(rest)?;
        rest = rest.get(built.length..).unwrap_or_default();
        Ok::<_, PthError>(built)
    };
    let version = next()?;
    if *version.root() != Node::Int(1001) {
        return Err(broken(format!("its protocol is {:?}, not 1001", version.root())));
    }
    let system = next()?;
    if let Node::Dict(pairs) = system.root()
        && pairs.iter().any(|(key, value)| {
            system.text(*key) == Some("little_endian") && *system.at(*value) == Node::Bool(false)
        })
    {
        return Err(broken("its numbers are big-endian"));
    }
    let built = next()?;
    let keys = next()?;
    let Node::List(order) = keys.root() else { return Err(broken("it lists no storages")) };

    // How wide a storage's numbers are is said where it is first referred to.
    let kinds: HashMap<&str, Kind> =
        built.storages().filter_map(|s| Some((built.text(s.key)?, s.kind))).collect();
    let mut storages = HashMap::new();
    for key in order {
        let key = keys.text(*key).ok_or_else(|| broken("a storage's key is no text"))?;
        let cut = || broken(format!("it breaks off at storage {key}"));
        let kind = kinds.get(key).ok_or_else(|| broken(format!("nothing refers to storage {key}")))?;
        let (count, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let count = usize::try_from(i64::from_le_bytes(*count)).map_err(|_| cut())?;
        let length = count.checked_mul(kind.elt_size_in_bytes()).ok_or_else(cut)?;
        let (numbers, after) = after.split_at_checked(length).ok_or_else(cut)?;
        storages.insert(key, numbers);
        rest = after;
    }
    tensors(&built, &storages)
}

/// The dictionary that holds tensors: the whole, or one that training scripts put into a larger one.
fn state_dict(built: &Built) -> Option<Vec<(&str, &View)>> {
    let views = |node: &Node| -> Option<Vec<(&str, &View)>> {
        let Node::Dict(pairs) = node else { return None };
        let named = pairs.iter().filter_map(|(key, value)| match built.at(*value) {
            Node::View(view) => Some((built.text(*key)?, view)),
            _ => None,
        });
        Some(named.collect::<Vec<_>>()).filter(|named| !named.is_empty())
    };
    let root = built.root();
    let Node::Dict(pairs) = root else { return None };
    let nested = || {
        let is_nested = |key| built.text(key).is_some_and(|name| NESTED.contains(&name));
        let mut within = pairs.iter().filter(|(key, _)| is_nested(*key));
        within.find_map(|(_, value)| views(built.at(*value)))
    };
    views(root).or_else(nested)
}

fn tensors(built: &Built, storages: &HashMap<&str, &[u8]>) -> Result<Vec<(String, Tensor)>, PthError> {
    let named = state_dict(built).ok_or_else(|| broken("it holds no dictionary of tensors"))?;
    // Layers may share a tensor; a small file that would fill the memory does more than that.
    let mut room = storages.values().map(|bytes| bytes.len()).sum::<usize>().saturating_mul(MAX_SHARED);
    let mut tensors = Vec::with_capacity(named.len());
    for (name, view) in named {
        let refused = |what| PthError::Tensor { name: name.to_owned(), what };
        let numbers = numbers(built, view, storages).map_err(refused)?;
        room = room.checked_sub(numbers.bytes.len()).ok_or_else(|| {
            refused(format!(
                "with it, tensors are over {MAX_SHARED} times as large as what they are views of"
            ))
        })?;
        let tensor = Tensor::f_from_data_size(&numbers.bytes, &numbers.sizes, numbers.kind);
        tensors.push((name.to_owned(), tensor.map_err(|e| refused(e.to_string()))?));
    }
    Ok(tensors)
}

struct Numbers {
    bytes: Vec<u8>,
    sizes: Vec<i64>,
    kind: Kind,
}

/// A view's numbers, one after the other.
fn numbers(built: &Built, view: &View, storages: &HashMap<&str, &[u8]>) -> Result<Numbers, String> {
    let Node::Storage(storage) = built.at(view.storage) else { return Err("it has no storage".to_owned()) };
    let key = built.text(storage.key).unwrap_or_default();
    let bytes = storages.get(key).ok_or_else(|| format!("storage {key} is not in the file"))?;
    let width = storage.kind.elt_size_in_bytes();
    let there = (bytes.len() / width) as u64;
    if there < storage.count {
        return Err(format!("its storage has {there} numbers in the file, {} were promised", storage.count));
    }
    let outside = || format!("{:?} from {} on is outside its storage of {there}", view.sizes, view.offset);
    let count = view.sizes.iter().try_fold(1u64, |n, size| n.checked_mul(*size)).ok_or_else(outside)?;
    // A view may be larger than its storage where a stride is 0; weights are not.
    if count > there {
        return Err(outside());
    }
    let axes = || view.sizes.iter().zip(&view.strides);
    if count > 0 {
        let span =
            |last: u64, (size, stride): (&u64, &u64)| last.checked_add((size - 1).checked_mul(*stride)?);
        let last = axes().try_fold(view.offset, span).ok_or_else(outside)?;
        if last >= there {
            return Err(outside());
        }
    }
    let mut numbers = Vec::with_capacity(count as usize * width);
    for index in 0..count {
        let (mut rest, mut at) = (index, view.offset);
        for (size, stride) in axes().rev() {
            at += rest % size * stride;
            rest /= size;
        }
        let at = at as usize * width;
        numbers.extend_from_slice(bytes.get(at..at + width).ok_or_else(outside)?);
    }
    let sizes: Vec<i64> = view.sizes.iter().map(|size| *size as i64).collect();
    Ok(Numbers { bytes: numbers, sizes, kind: storage.kind })
}
