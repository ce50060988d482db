//! The only user of the YAML crate: text to a checked shape and back, with the file in every error.

use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

/// A YAML value not yet given a shape, e.g. a ROS parameter.
pub(crate) type Value = serde_yaml::Value;
/// A YAML mapping.
pub(crate) type Mapping = serde_yaml::Mapping;

/// What the text or value is not. The position is in the message where the parser knows it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(#[from] serde_yaml::Error);

/// Reads a file into a shape.
///
/// # Errors
/// The file cannot be read, is no YAML, or is not of the shape (unknown key, wrong type, missing key).
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = std::fs::read_to_string(path).map_err(FileError::Read)?;
    from_str(&text).map_err(FileError::Shape)
}

/// Why a file gave no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Not readable as text.
    #[error("{0}")]
    Read(std::io::Error),
    /// Readable, but not of the shape.
    #[error("{0}")]
    Shape(YamlError),
}

/// Reads text into a shape.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// Gives a loose value a shape.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, YamlError> {
    Ok(serde_yaml::from_value(value)?)
}

/// Takes a shape apart into a loose value.
pub(crate) fn to_value<T: Serialize>(shape: &T) -> Result<Value, YamlError> {
    Ok(serde_yaml::to_value(shape)?)
}

/// Writes a shape as text.
#[cfg_attr(not(feature = "desk"), allow(dead_code))] // bags are written at the desk
pub(crate) fn to_string<T: Serialize>(shape: &T) -> Result<String, YamlError> {
    Ok(serde_yaml::to_string(shape)?)
}
