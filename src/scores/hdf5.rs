//! HDF5 with one dataset `value`, as SegmentMeIfYouCan takes submissions; chunked and compressed as may be.
//!
//! The library is C and keeps one lock: files are read one at a time, whatever the number of threads. It
//! would print its errors; the crate has it silent, and hands them over.

use std::path::Path;

use half::f16;
use hdf5::types::{FloatSize, TypeDescriptor};

use super::{ScoreMap, ScoresError, size};

const DATASET: &str = "value";

pub(super) fn read(path: &Path) -> Result<ScoreMap, ScoresError> {
    // The library's own words for a file that is not there are long, and not the system's.
    std::fs::File::open(path).map_err(|source| ScoresError::Unreadable { path: path.into(), source })?;
    let broken =
        |e: hdf5::Error| ScoresError::Broken { path: path.into(), format: "hdf5", message: cause(&e) };
    let file = hdf5::File::open(path).map_err(broken)?;
    let there = file.member_names().map_err(broken)?;
    if !there.iter().any(|name| name == DATASET) {
        return Err(ScoresError::NoDataset { path: path.into(), there });
    }
    let dataset = file.dataset(DATASET).map_err(broken)?;
    let stored = dataset.dtype().and_then(|t| t.to_descriptor()).map_err(broken)?;
    let shape: Vec<u64> = dataset.shape().into_iter().map(|n| n as u64).collect();
    let (height, width) = size(path, &shape)?;
    let data = match stored {
        // The library's own conversion takes 190 ms for a frame of 2 megapixels, this 9.
        TypeDescriptor::Float(FloatSize::U2) => {
            let values = dataset.read_raw::<f16>().map_err(broken)?;
            values.into_iter().map(f16::to_f32).collect()
        }
        TypeDescriptor::Float(_) | TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) => {
            dataset.read_raw::<f32>().map_err(broken)?
        }
        other => return Err(ScoresError::Type { path: path.into(), got: other.to_string() }),
    };
    Ok(ScoreMap { width, height, data })
}

/// What the library fell over: the innermost of its errors, but for a missing filter, which says so above it.
fn cause(error: &hdf5::Error) -> String {
    let frames = error.stack();
    let mut words = frames.iter().flat_map(|frames| frames.iter()).map(|frame| frame.desc());
    let filter = words.clone().find(|words| words.contains("required filter"));
    match filter {
        Some(filter) => format!("{filter}; write it with gzip or without compression"),
        None => words.next_back().map_or_else(|| error.to_string(), str::to_owned),
    }
}
