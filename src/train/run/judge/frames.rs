//! The frames that a validation walks through, each with what is true in it.

use std::path::Path;
use std::sync::Arc;

use crate::dataset::{Classes, Dataset, Options, Sample};
use crate::images::Rgb;
use crate::train::damage::Damage;
use crate::train::data::{DataError, generator};
use crate::train::negatives::{Framing, Negatives, Share, Surroundings};
use crate::train::run::RunError;
use crate::train::scene::Scene;
use crate::train::settings::{self, Settings, SettingsError, Split};

/// Frames of one data set.
pub struct Frames {
    dataset: Dataset,
    samples: Vec<Sample>,
    /// The truth of an anomalous pixel.
    unknown: u8,
    /// Where anomalies are made here.
    pasted: Option<Pasted>,
}

/// Negatives that training never sees.
struct Pasted {
    negatives: Negatives,
    seed: u64,
}

impl Frames {
    /// For closed-set figures: their classes must be the model's.
    pub fn labelled(split: &Split, data: &Path, classes: &[String]) -> Result<Self, RunError> {
        let frames = Self::open(split, data, classes.len())?;
        check_classes(&frames.dataset, classes)?;
        Ok(frames)
    }

    /// For figures of anomalies: whatever their classes are.
    pub fn with_anomalies(split: &Split, data: &Path, classes: &[String]) -> Result<Self, RunError> {
        Self::open(split, data, classes.len())
    }

    /// For figures of anomalies, which are pasted here.
    pub fn pasted(
        of: &settings::Pasted,
        data: &Path,
        classes: &[String],
        Settings { seed, held_out, .. }: &Settings,
    ) -> Result<Self, RunError> {
        let frames = Self::labelled(&of.frames, data, classes)?;
        let scenes: Vec<_> = frames.dataset.samples().iter().map(|sample| sample.image.clone()).collect();
        // None is left out of a validation: figures of other frames are no measure.
        let (share, damage) = (Share::HeldOut(*held_out), &Arc::new(Damage::new(0)));
        let around = Surroundings { root: data, classes, share, scenes: &scenes, damage };
        let negatives = Negatives::open(&of.negatives, &around).map_err(DataError::from)?;
        Ok(Self { pasted: Some(Pasted { negatives, seed: *seed }), ..frames })
    }

    fn open(split: &Split, data: &Path, classes: usize) -> Result<Self, RunError> {
        let options = Options {
            split: split.split.clone(),
            classes: (split.dataset == "folder").then_some(classes),
            ..Options::default()
        };
        let dataset = Dataset::open(&split.dataset, &data.join(&split.folder), &options)?;
        let unknown = match dataset.classes() {
            Classes::Binary => 1,
            Classes::Model => classes as u8, // 254 at most
            Classes::Named(names) => names.len() as u8,
        };
        let all = dataset.samples();
        let count = split.frames.unwrap_or(all.len()).clamp(1, all.len());
        let samples = (0..count).map(|i| all[i * all.len() / count].clone()).collect();
        Ok(Self { dataset, samples, unknown, pasted: None })
    }

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    pub fn unknown(&self) -> u8 {
        self.unknown
    }

    /// The image, and one label a pixel.
    pub fn read(&self, index: usize) -> Result<(Rgb, Vec<u8>), RunError> {
        let loaded = self.dataset.read(&self.samples[index])?;
        let Some(Pasted { negatives, seed }) = &self.pasted else {
            return Ok((loaded.rgb, loaded.truth.labels));
        };
        let mut scene = Scene { rgb: loaded.rgb, labels: loaded.truth.labels };
        // Of the frame alone: every validation of every run with this seed sees the same.
        let mut rng = generator(*seed, ["validation", "negatives"], index as u64);
        let framing = Framing::whole(&scene.rgb);
        let pasted = negatives.paste(&mut scene, &framing, &mut rng).map_err(DataError::from)?;
        for (label, _) in scene.labels.iter_mut().zip(pasted.outliers).filter(|(_, outlier)| *outlier) {
            *label = self.unknown;
        }
        Ok((scene.rgb, scene.labels))
    }
}

/// A data set with classes of its own must have the model's, in its order; a folder is in the model's ids.
pub fn check_classes(dataset: &Dataset, classes: &[String]) -> Result<(), RunError> {
    let got = match dataset.classes() {
        Classes::Model => return Ok(()),
        Classes::Named(names) if names.iter().eq(classes) => return Ok(()),
        Classes::Named(names) => names.join(", "),
        Classes::Binary => "inlier and anomaly alone".into(),
    };
    let (dataset, expected) = (dataset.name().into(), classes.join(", "));
    Err(SettingsError::OtherClasses { dataset, got, expected }.into())
}
