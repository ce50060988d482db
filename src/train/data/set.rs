//! The samples that are trained on: read, checked, kept in memory as far as they fit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::survey::Survey;
use super::{DataError, Settings};
use crate::dataset::{Classes, Dataset, DatasetError, Loaded, Options};
use crate::labels::IGNORE;
use crate::train::cache::Cache;
use crate::train::damage::Damage;
use crate::train::scene::Scene;

/// One split of a data set, for a model of K classes.
#[derive(Debug)]
pub struct TrainingSet {
    dataset: Dataset,
    classes: u8,
    cache: Cache<Scene>,
    survey: OnceLock<Arc<Survey>>,
    damage: Arc<Damage>,
}

impl TrainingSet {
    /// Finds and pairs the files; none is read yet. `root` is the run's data folder, `classes` the model's K.
    ///
    /// # Errors
    /// Those of [`Dataset::open`]; a data set without classes or with another number of them; settings that
    /// make no sense.
    pub fn open(settings: &Settings, root: &Path, classes: usize) -> Result<Self, DataError> {
        settings.check()?;
        let options = Options {
            split: settings.split.clone(),
            ignore: settings.ignore,
            // Only a folder is in the ids of a model; another data set has classes of its own.
            classes: (settings.dataset == "folder").then_some(classes),
            ..Options::default()
        };
        let dataset = Dataset::open(&settings.dataset, &root.join(&settings.folder), &options)?;
        let name = dataset.name();
        match dataset.classes() {
            Classes::Named(names) if names.len() != classes => {
                return Err(DataError::Classes { dataset: name, got: names.len(), expected: classes });
            }
            Classes::Binary => return Err(DataError::NoClasses { dataset: name }),
            Classes::Named(_) | Classes::Model => {}
        }
        let classes = u8::try_from(classes).ok().filter(|k| (1..IGNORE).contains(k)).ok_or_else(|| {
            DataError::Setting { name: "classes", got: classes.to_string(), wanted: "1 to 254" }
        })?;
        Ok(Self {
            cache: Cache::new(dataset.len(), settings.cache_mb),
            dataset,
            classes,
            survey: OnceLock::new(),
            damage: Arc::new(Damage::new(settings.skip_limit)),
        })
    }

    /// What is read.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// How many steps so many epochs take: the last batch of the last epoch may reach into the next.
    pub fn steps(&self, epochs: f64, batch: usize) -> u64 {
        (epochs * self.dataset.len() as f64 / batch.max(1) as f64).ceil() as u64
    }

    /// The images, for who cuts negatives out of them.
    pub fn images(&self) -> Vec<PathBuf> {
        self.dataset.samples().iter().map(|sample| sample.image.clone()).collect()
    }

    /// What of the files was found damaged; who reads other files for the same run counts them here too.
    pub fn damage(&self) -> &Arc<Damage> {
        &self.damage
    }

    /// A weight for each class: (f + 0.001)^−power of its share f of the labelled pixels, times what makes the
    /// mean over these pixels 1. The first call reads every truth, on all cores.
    ///
    /// # Errors
    /// A truth that cannot be read, or holds what is no label.
    pub fn class_weights(&self, power: f64) -> Result<Vec<f32>, DataError> {
        Ok(self.survey()?.weights(self.classes, power))
    }

    /// How often each class is in each sample.
    pub(super) fn survey(&self) -> Result<Arc<Survey>, DataError> {
        if let Some(survey) = self.survey.get() {
            return Ok(Arc::clone(survey));
        }
        let survey = Arc::new(Survey::of(&self.dataset, self.classes)?);
        Ok(Arc::clone(self.survey.get_or_init(|| survey)))
    }

    /// A sample; `None` where its files are damaged and that is still put up with.
    pub(super) fn scene(&self, index: usize) -> Result<Option<Arc<Scene>>, DataError> {
        let read = || {
            let Loaded { rgb, truth, .. } = self.dataset.read(&self.dataset.samples()[index])?;
            let mut labels = truth.labels;
            // K: what is no class of the model teaches none, and it is no negative of this room's making.
            labels.iter_mut().filter(|label| **label >= self.classes).for_each(|label| *label = IGNORE);
            Ok(Scene { rgb, labels })
        };
        match self.cache.get(index, |scene| scene.rgb.data.len() + scene.labels.len(), read) {
            Ok(scene) => Ok(Some(scene)),
            Err(DatasetError::Image(error)) if Damage::is(&error) => {
                self.damage.skip(error.to_string())?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
