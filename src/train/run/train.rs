//! The loop, on one page. What each verb does stands in the files beside it.

use std::time::Instant;

use tch::Tensor;

use super::RunError;
use super::checkpoint::{About, Checkpoint, Place};
use super::folder::Folder;
use super::joint::Joint;
use super::stop::Stop;
use super::telling::{StepTold, Telling};
use super::verdict::Verdict;
use crate::train::data::Batch;
use crate::train::generator::Generator;
use crate::train::losses::{self, Objective};
use crate::train::model::{Mode, Network};
use crate::train::optimizer::{Ema, Gradients, Optimizer};
use crate::train::settings::{Phase, Settings};

/// Batches of a phase: that of a step is always the same.
pub trait Batches {
    /// The batch of a step of the phase (of a micro-batch, where several make a step), where the network is.
    fn next(&mut self, step: u64) -> Result<Batch, RunError>;
    /// How many damaged files were skipped so far; the log names them.
    fn skipped(&self) -> usize {
        0
    }
}

/// What a phase is fed.
pub struct Feed {
    pub batches: Box<dyn Batches>,
    /// `[K]`, on the network's device.
    pub class_weights: Option<Tensor>,
    /// Of the phase.
    pub steps: u64,
    /// What negatives are drawn from, in words.
    pub negatives: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All phases are over.
    Done,
    /// It was asked to stop, and saved.
    Stopped,
}

/// What a training is fed by and judged by.
pub struct Outside<'a> {
    /// Opens what a phase is fed.
    pub feed: &'a mut dyn FnMut(&Phase) -> Result<Feed, RunError>,
    pub judge: &'a mut Judges<'a>,
}

/// Judges a network as it is; nothing, where it was asked to stop.
pub type Judges<'a> = dyn FnMut(&dyn Network) -> Result<Option<Verdict>, RunError> + 'a;

/// Whether a phase of so many steps can have its schedule.
pub fn check_schedule(phase: &Phase, steps: u64) -> Result<(), RunError> {
    let at = |reason| RunError::Schedule { phase: phase.name.clone(), reason };
    let of_generator = phase.generator.iter().filter_map(|lessons| lessons.schedule.as_ref());
    std::iter::once(&phase.schedule).chain(of_generator).try_for_each(|s| s.check(steps)).map_err(at)
}

/// A training under way.
pub struct Training<'a> {
    pub settings: &'a Settings,
    pub network: &'a dyn Network,
    /// What makes negatives, where the run has such.
    pub generator: Option<&'a dyn Generator>,
    pub outside: Outside<'a>,
    pub folder: Folder,
    pub telling: Telling,
    pub stop: &'a Stop,
    pub place: Place,
    /// To be resumed from, until its phase has begun.
    pub resumed: Option<Checkpoint>,
    /// What checkpoints say besides.
    pub about: About,
    /// Steps since the start.
    pub made: u64,
    /// Damaged files that were skipped since the start.
    pub skipped: usize,
    pub verdict: Option<Verdict>,
}

/// What a phase has at work.
struct Work<'a> {
    phase: &'a Phase,
    feed: Feed,
    optimizer: Optimizer,
    ema: Option<Ema>,
    joint: Option<Joint<'a>>,
}

impl<'a> Training<'a> {
    /// From where it stands to the end of the last phase, or until it is asked to stop.
    pub fn run(&mut self) -> Result<Ending, RunError> {
        let settings = self.settings;
        while let Some(phase) = settings.phases.get(self.place.phase) {
            let mut work = self.begin(phase)?;
            loop {
                if !self.validate_if_due(&mut work)? || self.stop.is_requested() {
                    self.save(&work, &self.folder.last())?;
                    return Ok(Ending::Stopped);
                }
                if self.place.step == work.feed.steps {
                    break;
                }
                let began = Instant::now();
                let told = self.step(&mut work)?;
                self.place.step += 1;
                self.made += 1;
                self.skipped = told.skipped;
                self.about.seconds += began.elapsed().as_secs_f64();
                self.telling.step(&self.place, work.feed.steps, &told)?;
                if self.place.step.is_multiple_of(settings.checkpoint_every) {
                    self.save(&work, &self.folder.last())?;
                }
            }
            self.end(work)?;
        }
        Ok(Ending::Done)
    }

    /// Batches forward and backward, then one move of the parameters.
    fn step(&self, work: &mut Work) -> Result<StepTold, RunError> {
        let Work { phase, feed, optimizer, ema, joint } = work;
        let (Place { step, .. }, seed) = (self.place, self.settings.seed);
        let (network, parameters) = (self.network, self.network.parameters());
        let factor = phase.schedule.factor(step, feed.steps);
        let mut told = StepTold { lr: phase.optimizer.lr * factor, ..StepTold::default() };
        let mut gradients = Gradients::default();
        let mut ids = Vec::new();
        for micro in step * phase.accumulate..(step + 1) * phase.accumulate {
            let asked = Instant::now();
            let mut batch = feed.batches.next(micro)?;
            told.waited += asked.elapsed().as_secs_f64();
            ids.append(&mut batch.ids);
            if let (Objective::Generator, Some(joint)) = (&phase.objective, &mut *joint) {
                told.add(&joint.fit(&batch, seed, micro)?, phase.accumulate)?;
                told.check_loss().map_err(|what| not_finite(what, &ids))?;
                continue;
            }
            let filled = match joint {
                Some(joint) => joint.fill(&mut batch, network, seed, micro)?,
                None => None,
            };
            let said = network.forward(&batch.images, Mode::Train)?;
            let (labels, outliers) = (&batch.labels, &batch.outliers);
            let weights = feed.class_weights.as_ref();
            let (s, d) = (&said.logits, &said.dataset_logits);
            let loss = losses::loss(&phase.objective, s, d, labels, outliers, weights)?;
            told.add(&loss, phase.accumulate)?;
            // First the generator, whose gradients go back through the segmenter's graph too.
            if let (Some(joint), Some(filled)) = (&mut *joint, filled)
                && let Some(lessons) = joint.learn(&said, &batch, filled)?
            {
                told.add_terms(&lessons.terms)?;
            }
            told.check_loss().map_err(|what| not_finite(what, &ids))?;
            gradients.add(&loss.total.f_mul_scalar(1.0 / phase.accumulate as f64)?, parameters, false)?;
        }
        told.gradient_norm = gradients.norm()?;
        told.check_norm().map_err(|what| not_finite(what, &ids))?;
        if let Some(limit) = phase.clip {
            gradients.clip(told.gradient_norm, limit)?;
        }
        optimizer.step(parameters, &gradients, factor)?;
        if let Some(joint) = joint {
            told.generator_norm = Some(joint.step(step, feed.steps)?);
            told.check_norm().map_err(|what| not_finite(what, &ids))?;
        }
        if let Some(ema) = ema {
            ema.update(parameters, step)?;
        }
        told.skipped = feed.batches.skipped();
        Ok(told)
    }

    /// Every so many steps and at the end of a phase, judges the running means, where there are some, and keeps
    /// the best. False where it was broken off.
    fn validate_if_due(&mut self, work: &mut Work) -> Result<bool, RunError> {
        let Place { step, .. } = self.place;
        let Some(validation) = &self.settings.validation else { return Ok(true) };
        if work.phase.objective == Objective::Generator {
            return Ok(true); // the segmenter is what it was
        }
        let is_due = step == work.feed.steps || (step > 0 && step.is_multiple_of(validation.every));
        if !is_due || self.about.validated == Some(step) {
            return Ok(true);
        }
        let parameters = self.network.parameters();
        work.ema.iter_mut().try_for_each(|ema| ema.swap(parameters))?;
        let judged = (self.outside.judge)(self.network);
        work.ema.iter_mut().try_for_each(|ema| ema.swap(parameters))?;
        let Some(verdict) = judged? else { return Ok(false) };
        self.about.validated = Some(step);
        self.telling.verdict(&self.place, &verdict)?;
        let worth = verdict.worth(&work.phase.objective);
        if worth.is_some_and(|w| self.about.best.is_none_or(|best| w > best)) {
            self.about.best = worth;
            self.save(work, &self.folder.best(&work.phase.name))?;
        }
        self.verdict = Some(verdict);
        Ok(true)
    }

    /// Opens a phase, and takes it up where a checkpoint left it.
    fn begin(&mut self, phase: &'a Phase) -> Result<Work<'a>, RunError> {
        let parameters = self.network.parameters();
        phase.optimizer.freeze(parameters)?;
        let feed = (self.outside.feed)(phase)?;
        check_schedule(phase, feed.steps)?;
        let mut optimizer = Optimizer::new(&phase.optimizer, parameters)?;
        let ema = phase.ema.map(|decay| Ema::new(parameters, decay)).transpose()?;
        let normalisation = self.settings.normalisation();
        let joint = self.generator.map(|g| Joint::begin(g, phase, normalisation)).transpose()?;
        let mut joint = joint.filter(|_| phase.generates());
        if let Some(checkpoint) = self.resumed.take().filter(|_| self.place.step > 0) {
            checkpoint.fill("optimizer", optimizer.tensors())?;
            optimizer.resume_at(checkpoint.about.optimizer_steps);
            if let Some(ema) = &ema {
                checkpoint.fill("ema", ema.tensors().map(|(name, t)| (name.to_owned(), t)))?;
            }
            if let Some(joint) = &mut joint {
                checkpoint.fill("generator-optimizer", joint.tensors())?;
                joint.resume_at(checkpoint.about.generator_steps);
            }
        }
        self.about.phase = phase.name.clone();
        self.telling.phase(
            &phase.name,
            &self.place,
            feed.steps,
            self.about.steps_before,
            feed.negatives.as_deref(),
        );
        Ok(Work { phase, feed, optimizer, ema, joint })
    }

    /// The running means become the weights; the phase's file is written, and the next phase is due.
    fn end(&mut self, mut work: Work) -> Result<(), RunError> {
        if let Some(mut ema) = work.ema.take() {
            ema.swap(self.network.parameters())?;
        }
        self.save(&work, &self.folder.phase(&work.phase.name))?;
        self.place = Place { phase: self.place.phase + 1, step: 0 };
        (self.about.best, self.about.validated) = (None, None);
        self.about.steps_before += work.feed.steps;
        self.save(&work, &self.folder.last())
    }

    fn save(&self, work: &Work, path: &std::path::Path) -> Result<(), RunError> {
        let about = About {
            place: self.place,
            optimizer_steps: work.optimizer.steps(),
            generator_steps: work.joint.as_ref().map_or(0, Joint::steps),
            ..self.about.clone()
        };
        let parameters =
            self.network.parameters().iter().map(|(n, p)| (format!("parameters/{n}"), &p.tensor));
        let means = work.ema.iter().flat_map(Ema::tensors).map(|(n, t)| (format!("ema/{n}"), t));
        let moments = work.optimizer.tensors().map(|(n, t)| (format!("optimizer/{n}"), t));
        let generator = self.generator.iter().flat_map(|generator| generator.parameters().iter());
        let generator = generator.map(|(name, p)| (format!("generator/{name}"), &p.tensor));
        let generator_moments = work.joint.iter().flat_map(Joint::tensors);
        let generator_moments = generator_moments.map(|(n, t)| (format!("generator-optimizer/{n}"), t));
        let of_generator = generator.chain(generator_moments);
        let all = parameters.chain(means).chain(moments).chain(of_generator);
        Ok(super::checkpoint::write(path, &about, all)?)
    }

    /// Where it was when that ended it.
    pub fn broken(&self, source: RunError) -> RunError {
        let phase =
            self.settings.phases.get(self.place.phase).map_or("none", |phase| phase.name.as_str()).to_owned();
        RunError::Broken { phase, step: self.place.step, made: self.made, source: Box::new(source) }
    }
}

fn not_finite((what, value): (String, f64), ids: &[String]) -> RunError {
    RunError::NotFinite { what, value, ids: ids.join(", ") }
}
