//! What a network is judged on while it learns.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Settings, SettingsError};
use crate::dataset;
use crate::frame::Size;
use crate::train::negatives;

/// What a network is judged on, every so many steps and at the end of each phase.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Steps between two.
    pub every: u64,
    /// The network's input: images are stretched to it; absent: each image's own size.
    #[serde(default)]
    pub input_size: Option<[usize; 2]>,
    /// Labelled frames: mIoU of the known classes.
    #[serde(default)]
    pub closed_set: Option<Split>,
    /// Frames with anomalies: AP, FPR95 and AUROC of the hybrid score and its two parts.
    #[serde(default)]
    pub anomalies: Option<Split>,
    /// In their place labelled frames, in which anomalies are made.
    #[serde(default)]
    pub pasted: Option<Pasted>,
}

/// A part of a data set, judged as it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// By the name of its layout.
    pub dataset: String,
    /// Its folder, below the run's data folder.
    pub folder: PathBuf,
    /// Absent: the one the field judges on.
    #[serde(default)]
    pub split: Option<String>,
    /// Only so many frames, evenly spread; absent: all.
    #[serde(default)]
    pub frames: Option<usize>,
}

/// Negatives kept from training, pasted into frames by the training's seed: the same in every validation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pasted {
    /// The frames.
    pub frames: Split,
    /// What is pasted: of each source the share that is kept from training.
    pub negatives: negatives::Settings,
}

impl Validation {
    /// The network's input, where it is one for all images.
    pub fn size(&self) -> Option<Size> {
        self.input_size.map(|[width, height]| Size { width, height })
    }

    pub(super) fn check(&self, of: &Settings) -> Result<(), SettingsError> {
        let value = |key, got: String, expected| Err(SettingsError::Value { key, got, expected });
        if self.every == 0 {
            return value("validation.every", "0".into(), "a number of steps, 1 or more");
        }
        if self.anomalies.is_some() && self.pasted.is_some() {
            return value("validation", "of anomalies and pasted ones".into(), "one of the two");
        }
        if self.closed_set.is_none() && self.anomalies.is_none() && self.pasted.is_none() {
            return value("validation", "empty".into(), "closed_set, anomalies, pasted, or leave it out");
        }
        if let Some([w, h]) = self.input_size.filter(|s| s.iter().any(|side| !(8..=8192).contains(side))) {
            return value("validation.input_size", format!("[{w}, {h}]"), "[width, height], each 8 to 8192");
        }
        if self.pasted.is_some() && of.held_out == 0.0 {
            let expected = "above 0: what validation pastes is kept from training";
            return value("held_out", "0".into(), expected);
        }
        if self.pasted.as_ref().is_some_and(|pasted| pasted.negatives.have_vacancies()) {
            let expected =
                "sources that are there before the training: what it generates itself judges nothing";
            return value("validation.pasted", "a source that is generated".into(), expected);
        }
        let judged = [&self.closed_set, &self.anomalies].into_iter().flatten();
        for split in judged.chain(self.pasted.as_ref().map(|pasted| &pasted.frames)) {
            let first = || dataset::splits(&split.dataset).first().copied();
            let same_split = split.split.as_deref().or_else(first) == of.data.split.as_deref().or_else(first);
            if (&split.dataset, &split.folder) == (&of.data.dataset, &of.data.folder) && same_split {
                let got = format!("on the frames of data ({}, {})", split.dataset, split.folder.display());
                return value(
                    "validation",
                    got,
                    "another split or folder: frames that are trained on judge nothing",
                );
            }
        }
        Ok(())
    }
}
