//! From the settings of a phase to its batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tch::{Device, Tensor};

use super::RunError;
use super::judge::frames::check_classes;
use super::train::{Batches, Feed, check_schedule};
use crate::train::data::{Batch, DataError, Normalisation, Plan, Stream, TrainingSet};
use crate::train::losses::Objective;
use crate::train::negatives::{Negatives, Share, Surroundings};
use crate::train::settings::{Phase, Settings};

/// The training split, for all phases.
pub struct Feeds {
    set: Arc<TrainingSet>,
    seed: u64,
    held_out: f64,
    workers: usize,
    normalisation: Normalisation,
    data: PathBuf,
    classes: Vec<String>,
    device: Device,
}

impl Feeds {
    /// Finds samples and negatives of every phase, so that what is wrong with the last is said before the first
    /// begins; no sample is read yet.
    ///
    /// # Errors
    /// A data set that cannot be opened, or is of other classes than the model; negatives that cannot be opened;
    /// a phase whose plan or schedule makes no sense.
    pub fn open(settings: &Settings, data: &Path, device: Device) -> Result<Self, RunError> {
        let classes: Vec<String> = settings.classes.iter().map(|c| c.name.clone()).collect();
        let set = TrainingSet::open(&settings.data, data, classes.len())?;
        check_classes(set.dataset(), &classes)?;
        let feeds = Self {
            set: Arc::new(set),
            seed: settings.seed,
            held_out: settings.held_out,
            workers: settings.data.workers,
            normalisation: settings.normalisation(),
            data: data.into(),
            classes,
            device,
        };
        for phase in &settings.phases {
            let (_, steps) = feeds.stream(phase)?;
            check_schedule(phase, steps)?;
        }
        Ok(feeds)
    }

    /// What a phase is fed.
    ///
    /// # Errors
    /// Negatives that cannot be opened; labels that cannot be read, where they are counted.
    pub fn feed(&self, phase: &Phase) -> Result<Feed, RunError> {
        let (stream, steps) = self.stream(phase)?;
        let class_weights = if phase.class_weights > 0.0 {
            let weights = self.set.class_weights(phase.class_weights)?;
            Some(Tensor::f_from_slice(&weights)?.f_to_device(self.device)?)
        } else {
            None
        };
        let negatives = stream.negatives().map(Negatives::describe);
        let batches = Box::new(OnDevice { stream, device: self.device });
        Ok(Feed { batches, class_weights, steps, negatives })
    }

    /// The batches of a phase, whose threads start with the first, and how many steps it has.
    fn stream(&self, phase: &Phase) -> Result<(Stream, u64), RunError> {
        let root = self.data.as_path();
        let (scenes, damage) = (&self.set.images(), self.set.damage());
        let around =
            Surroundings { root, classes: &self.classes, share: Share::Train(self.held_out), scenes, damage };
        let negatives = phase.negatives.as_ref().map(|n| Negatives::open(n, &around));
        let negatives = negatives.transpose().map_err(DataError::from)?.map(Arc::new);
        let plan = Plan {
            seed: self.seed,
            phase: phase.name.clone(),
            batch: phase.batch,
            augmentation: phase.augmentation.clone(),
            // A density would learn what fills a crop up before all else.
            within: phase.objective == Objective::Generator,
            normalisation: self.normalisation,
            workers: self.workers,
        };
        let stream = Stream::open(Arc::clone(&self.set), negatives, plan)?;
        let per_step = phase.batch.saturating_mul(phase.accumulate as usize);
        let steps = phase.steps.unwrap_or_else(|| self.set.steps(phase.epochs.unwrap_or_default(), per_step));
        Ok((stream, steps))
    }
}

/// Batches where the network is.
struct OnDevice {
    stream: Stream,
    device: Device,
}

impl Batches for OnDevice {
    fn next(&mut self, step: u64) -> Result<Batch, RunError> {
        let batch = self.stream.next(step)?;
        if self.device == Device::Cpu {
            return Ok(batch);
        }
        Ok(Batch {
            images: batch.images.f_to_device(self.device)?,
            labels: batch.labels.f_to_device(self.device)?,
            outliers: batch.outliers.f_to_device(self.device)?,
            vacancies: batch.vacancies,
            ids: batch.ids,
        })
    }

    fn skipped(&self) -> usize {
        self.stream.skipped()
    }
}
