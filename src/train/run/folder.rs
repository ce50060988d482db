//! Where a run keeps what.
//!
//! ```text
//! OUT/settings.yaml               the settings, as they were read
//! OUT/log.jsonl                   a line every so many steps, and one for each validation
//! OUT/events.out.tfevents.*       the same for TensorBoard, a file for each start
//! OUT/last.safetensors            to resume from
//! OUT/best-PHASE.safetensors      the best validation of the phase
//! OUT/PHASE.safetensors           the end of the phase; its weights are the running means, where it kept some
//! ```
//! A run that was killed and resumed has written some steps twice into the log: of two lines of one step the
//! later holds.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::RunError;
use crate::atomic;

/// A run's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, for a run that begins. What a run left that ended before its first checkpoint is begun anew.
    ///
    /// # Errors
    /// There is a run to resume in it already, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let folder = Self(path.into());
        if folder.last().exists() {
            return Err(RunError::Taken { folder: path.into() });
        }
        fs::create_dir_all(path).map_err(|source| RunError::Write { path: path.into(), source })?;
        match fs::remove_file(folder.log()) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(RunError::Write { path: folder.log(), source })
            }
            _ => Ok(folder),
        }
    }

    /// Of a run that was begun. What it had half written when it was killed is removed.
    ///
    /// # Errors
    /// There is none.
    pub fn resume(path: &Path) -> Result<Self, RunError> {
        let folder = Self(path.into());
        if !folder.last().exists() {
            return Err(RunError::NothingToResume { folder: path.into() });
        }
        atomic::sweep(path).map_err(|source| RunError::Write { path: path.into(), source })?;
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.0.join("settings.yaml")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// The checkpoint to resume from.
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// The best checkpoint of a phase.
    pub fn best(&self, phase: &str) -> PathBuf {
        self.0.join(format!("best-{phase}.safetensors"))
    }

    /// The last checkpoint of a phase.
    pub fn phase(&self, phase: &str) -> PathBuf {
        self.0.join(format!("{phase}.safetensors"))
    }
}
