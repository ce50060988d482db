//! A phase of a training: how long, on what, by which objective and rule.

use serde::Deserialize;

use super::SettingsError;
use crate::train::data::Augmentation;
use crate::train::flow;
use crate::train::generator::{self, Lessons};
use crate::train::losses::Objective;
use crate::train::model::DatasetHead;
use crate::train::negatives;
use crate::train::optimizer::{self, Schedule};

/// One phase. The next one begins at the weights this one ends with (their running means, where it keeps them),
/// with an optimizer and a schedule of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// In logs, and of the phase's files; unique.
    pub name: String,
    /// How many steps it has; or `epochs`.
    #[serde(default)]
    pub steps: Option<u64>,
    /// How often each sample is seen, a number above 0; or `steps`.
    #[serde(default)]
    pub epochs: Option<f64>,
    /// What becomes of a sample.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Samples a forward pass.
    pub batch: usize,
    /// Batches whose gradients make one step: their mean. Each batch's means are its own, so a batch without an
    /// outlier adds nothing to the outliers' terms.
    #[serde(default = "one")]
    pub accumulate: u64,
    /// What is minimised.
    pub objective: Objective,
    /// E_in of ln P(y|x) is weighted by (f + 0.001)^−p of each class's share f of the training split; p in 0..1: 0
    /// leaves it as it is, 0.5 is 1/√f, 1 makes all classes weigh the same. Weights make rare classes found more
    /// often than they are there, which costs their precision.
    #[serde(default)]
    pub class_weights: f64,
    /// What is pasted; absent: nothing.
    #[serde(default)]
    pub negatives: Option<negatives::Settings>,
    /// How the run's generator is trained along; absent where it has nothing to learn.
    #[serde(default)]
    pub generator: Option<Lessons>,
    /// The rule.
    pub optimizer: optimizer::Settings,
    /// How its rate goes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Gradients of a larger norm are scaled to it; absent: as they are.
    #[serde(default)]
    pub clip: Option<f64>,
    /// Decay of the running mean of the weights, 0..1; absent: none is kept. At step t it is (t + 1)/(t + 10) at most,
    /// so that the mean is over the last ninth of the steps or so, however slow the decay.
    #[serde(default)]
    pub ema: Option<f64>,
}

fn one() -> u64 {
    1
}

impl Phase {
    /// Whether it has work for the run's generator.
    pub fn generates(&self) -> bool {
        let vacancies = self.negatives.as_ref().is_some_and(negatives::Settings::have_vacancies);
        vacancies || self.objective == Objective::Generator
    }

    /// Whether what it asks of the run's generator is what there is.
    pub(super) fn check_generator(&self, of_run: Option<&generator::Settings>) -> Result<(), SettingsError> {
        let learns = of_run.map(generator::Settings::learns);
        let alone = self.objective == Objective::Generator;
        let is_flows = |side: &usize| side.is_multiple_of(flow::STRIDE as usize);
        let reason = match (self.generates(), learns, &self.generator) {
            (true, None, _) => {
                "it has negatives or an objective of a generator: name one, generator: {kind: flow, preset: small}"
            }
            (true, Some(false), Some(_)) => {
                "generator: an adversarial one learns nothing, leave the lessons out"
            }
            (true, Some(true), None) if !alone => {
                "its generator has no lessons: add generator: {feedback, lambda, optimizer}"
            }
            (true, _, Some(_)) if alone => {
                "objective generator: the phase's own optimizer moves it, leave the lessons out"
            }
            (false, _, Some(_)) => "generator has lessons, but none of the negatives' sources is generated",
            (true, Some(_), _) if alone && !matches!(of_run, Some(generator::Settings::Flow { .. })) => {
                "objective generator fits a flow, which the run's is not"
            }
            (true, Some(_), _) if alone && (self.ema.is_some() || self.negatives.is_some()) => {
                "objective generator leaves the segmenter as it is: no ema, no negatives"
            }
            (true, Some(_), _) if alone && !self.augmentation.crop.sides().iter().all(is_flows) => {
                "objective generator fits a flow to whole crops: their sides are multiples of 8"
            }
            (_, _, Some(lessons)) if lessons.feedback.terms(&self.objective.terms()).is_empty() => {
                "generator: feedback hybrid is of the objective's terms of outliers, and this one has none: take \
                 jensen-shannon, or objective hybrid"
            }
            _ => return Ok(()),
        };
        Err(SettingsError::Phase { phase: self.name.clone(), reason: reason.into() })
    }

    /// Whether the network's head is one that the objective can train; `None`: a head of its own, attached.
    pub(super) fn check_head(&self, head: Option<DatasetHead>) -> Result<(), SettingsError> {
        if matches!(self.objective, Objective::VoidClassifier { .. }) && head != Some(DatasetHead::Tied) {
            let reason =
                "objective void-classifier is one softmax over K+1 classes: it needs dataset_head: tied";
            return Err(SettingsError::Phase { phase: self.name.clone(), reason: reason.into() });
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let says = |reason: String| Err(SettingsError::Phase { phase: self.name.clone(), reason });
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.name.is_empty() || !self.name.chars().all(is_word) || ["last", "best"].contains(&&*self.name)
        {
            return says("its name is a file's: letters, digits, - and _, and neither last nor best".into());
        }
        match (self.steps, self.epochs) {
            (Some(steps), None) if steps > 0 => (),
            (None, Some(epochs)) if epochs.is_finite() && epochs > 0.0 => (),
            (steps, epochs) => {
                return says(format!("steps {steps:?}, epochs {epochs:?}: one of them, above 0"));
            }
        }
        if self.batch == 0 || self.accumulate == 0 {
            return says(format!("batch {}, accumulate {}: 1 or more", self.batch, self.accumulate));
        }
        if let Some(clip) = self.clip.filter(|c| !(c.is_finite() && *c > 0.0)) {
            return says(format!("clip is {clip}: a norm above 0, or leave it out"));
        }
        if let Some(decay) = self.ema.filter(|d| !(0.0..1.0).contains(d)) {
            return says(format!("ema is {decay}: 0 or more, below 1, or leave it out"));
        }
        if self.objective.needs_outliers() && self.negatives.is_none() {
            return says(format!(
                "objective {:?} needs outliers, but nothing is pasted: add negatives",
                self.objective
            ));
        }
        if let Some(negatives) = &self.negatives {
            negatives.check().or_else(|e| says(format!("negatives: {e}")))?;
        }
        if !(0.0..=1.0).contains(&self.class_weights) {
            return says(format!("class_weights is {}: a power of 1/frequency, 0 to 1", self.class_weights));
        }
        if let Some(lessons) = &self.generator {
            lessons.check().or_else(|reason| says(format!("generator: {reason}")))?;
        }
        self.augmentation.check().or_else(|e| says(format!("augmentation: {e}")))?;
        self.optimizer.check().or_else(|reason| says(format!("optimizer: {reason}")))?;
        // Of epochs the number of steps is known once the split is read; it is checked again then.
        self.schedule
            .check(self.steps.unwrap_or(u64::MAX))
            .or_else(|reason| says(format!("schedule: {reason}")))?;
        self.objective.check().or_else(|e| says(format!("objective: {e}")))
    }
}
