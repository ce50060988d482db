//! Whole files: bytes in, bytes out, and errors that tell a missing file from a wrong one.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Gray, Gray16, ImagesError, Rgb, Rgba, decode_gray, decode_gray16, decode_rgb, decode_rgba};
use crate::atomic;

/// The colour picture in a file, as [`decode_rgb`].
///
/// # Errors
/// No such file, one that cannot be read, and those of [`decode_rgb`].
pub fn read_rgb(path: &Path) -> Result<Rgb, ImagesError> {
    decode_rgb(&read(path)?, &path.display().to_string())
}

/// The label map or mask in a file, as [`decode_gray`].
///
/// # Errors
/// No such file, one that cannot be read, and those of [`decode_gray`].
pub fn read_gray(path: &Path) -> Result<Gray, ImagesError> {
    decode_gray(&read(path)?, &path.display().to_string())
}

/// The score or depth map in a file, as [`decode_gray16`].
///
/// # Errors
/// No such file, one that cannot be read, and those of [`decode_gray16`].
pub fn read_gray16(path: &Path) -> Result<Gray16, ImagesError> {
    decode_gray16(&read(path)?, &path.display().to_string())
}

/// The picture with alpha in a file, as [`decode_rgba`].
///
/// # Errors
/// No such file, one that cannot be read, and those of [`decode_rgba`].
pub fn read_rgba(path: &Path) -> Result<Rgba, ImagesError> {
    decode_rgba(&read(path)?, &path.display().to_string())
}

/// Puts `bytes` at `path` all or not at all: a run that is killed leaves no half picture that a later one
/// would take for a result.
///
/// # Errors
/// A path that cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ImagesError> {
    atomic::write(path, bytes).map_err(|source| ImagesError::Unwritable { path: path.into(), source })
}

/// The bytes of a file, for those who do more with them than decode.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ImagesError> {
    fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => ImagesError::Missing { path: path.into() },
        _ => ImagesError::Unreadable { path: path.into(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_and_one_that_is_no_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_rgb(&dir.path().join("none.png")), Err(ImagesError::Missing { .. })));
        assert!(matches!(read_rgb(dir.path()), Err(ImagesError::Unreadable { .. })));
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_atomically(&dir.path().join("no/such/a.png"), b"x").unwrap_err().to_string();
        assert!(error.contains("no/such/a.png:"), "{error}");
    }
}
