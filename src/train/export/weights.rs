//! What a network has learned, by name, out of libtorch: plain numbers in row-major order.

use super::ExportError;
use crate::train::model::Parameters;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// A parameter's shape and values.
pub(super) type Array = (Vec<usize>, Vec<f32>);

/// Parameters and buffers by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// All of a network's.
    ///
    /// # Errors
    /// What libtorch reports.
    pub(super) fn of(parameters: &Parameters) -> Result<Self, ExportError> {
        let array = |tensor: &Tensor| -> Result<Array, ExportError> {
            let shape = tensor.size().into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
            Ok((shape, numbers(tensor)?))
        };
        parameters.iter().map(|(name, p)| Ok((name.to_owned(), array(&p.tensor)?))).collect()
    }

    /// The parameter of that name and shape.
    ///
    /// # Errors
    /// There is none, or it has another shape.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], ExportError> {
        let other = |got: String| ExportError::Parameter { name: name.into(), expected: shape.into(), got };
        let (found, values) = self.0.get(name).ok_or_else(|| other("not there".into()))?;
        if found != shape {
            return Err(other(format!("{found:?}")));
        }
        Ok(values)
    }
}

impl FromIterator<(String, Array)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, Array)>>(arrays: I) -> Self {
        Self(arrays.into_iter().collect())
    }
}

/// A tensor's values in row-major order, whatever its memory's.
///
/// # Errors
/// What libtorch reports.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, ExportError> {
    let plain = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    // A view of what is not contiguous would be refused, and a copy of channels_last is still channels_last.
    Ok(Vec::try_from(plain.f_contiguous()?.f_view(-1)?)?)
}
