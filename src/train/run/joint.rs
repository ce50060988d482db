//! The run's generator while a phase trains it along: it fills a batch's vacancies, and learns from what comes of it.

use tch::{Kind, Tensor};

use super::RunError;
use crate::train::data::{Batch, Normalisation, generator as random};
use crate::train::flow::Noise;
use crate::train::generator::{Fitted, Generator, GeneratorError, feedback};
use crate::train::losses::{self, Objective, Term, Weighted};
use crate::train::model::{Mode, Network, Outputs};
use crate::train::negatives::Vacancy;
use crate::train::optimizer::{Gradients, Optimizer, Schedule};
use crate::train::settings::Phase;

/// A generator at work.
pub struct Joint<'a> {
    generator: &'a dyn Generator,
    phase: &'a Phase,
    normalisation: Normalisation,
    learning: Option<Learning<'a>>,
}

/// What moves a generator that learns.
struct Learning<'a> {
    feedback: Vec<Weighted>,
    optimizer: Optimizer,
    schedule: &'a Schedule,
    clip: Option<f64>,
    gradients: Gradients,
}

/// What a batch's vacancies were filled with.
pub struct Filled {
    /// `[1, 3, h, w]` each, what was there at the size that is made: colours of 0 to 255.
    replaced: Vec<Tensor>,
    /// The same sizes; with a graph where the generator learns.
    generated: Vec<Tensor>,
    /// `[N, H, W]`: true on them.
    places: Tensor,
    /// From where it was left.
    noise: Noise,
}

impl<'a> Joint<'a> {
    /// For a phase that has lessons for it, or is its own; otherwise it fills and stays as it is.
    ///
    /// # Errors
    /// libtorch has no memory for the optimizer.
    pub fn begin(
        generator: &'a dyn Generator,
        phase: &'a Phase,
        normalisation: Normalisation,
    ) -> Result<Self, RunError> {
        let new = |settings, schedule, feedback, clip| -> Result<_, RunError> {
            let optimizer = Optimizer::new(settings, generator.parameters())?;
            Ok(Some(Learning { feedback, optimizer, schedule, clip, gradients: Gradients::default() }))
        };
        let learning = match (&phase.objective, &phase.generator) {
            (Objective::Generator, _) => new(&phase.optimizer, &phase.schedule, Vec::new(), phase.clip)?,
            (objective, Some(lessons)) => {
                let feedback = feedback(lessons, &objective.terms());
                let schedule = lessons.schedule.as_ref().unwrap_or(&phase.schedule);
                new(&lessons.optimizer, schedule, feedback, lessons.clip)?
            }
            (_, None) => None,
        };
        Ok(Self { generator, phase, normalisation, learning })
    }

    /// Fits it to whole images, without a segmenter: eq. (16). Gives what it was fitted by.
    ///
    /// # Errors
    /// The generator's; libtorch's.
    pub fn fit(&mut self, batch: &Batch, seed: u64, micro: u64) -> Result<losses::Loss, RunError> {
        let noise = &mut self.noise(seed, micro);
        self.initialise(batch, noise)?;
        let fitted = self.generator.fit(&[self.colours(&batch.images)?], &[], noise)?;
        self.learn_by(None, fitted, false)
    }

    /// Makes the pixels of the batch's vacancies and puts them into its images; nothing, where it has none.
    ///
    /// # Errors
    /// The generator's; the network's, where the generator asks it; libtorch's.
    pub fn fill(
        &self,
        batch: &mut Batch,
        network: &dyn Network,
        seed: u64,
        micro: u64,
    ) -> Result<Option<Filled>, RunError> {
        if batch.vacancies.is_empty() {
            return Ok(None);
        }
        let vacancies = &batch.vacancies;
        let replaced = vacancies.iter().map(|v| {
            let [width, height] = v.1.made.map(|side| side as i64);
            self.colours(&place(&batch.images, v)?.f_adaptive_avg_pool2d([height, width])?)
        });
        let replaced = replaced.collect::<Result<Vec<_>, RunError>>()?;
        let places = Tensor::f_zeros_like(&batch.outliers)?;
        for vacancy in vacancies {
            of_place(&places, vacancy)?.f_copy_(&of_place(&batch.outliers, vacancy)?)?;
        }
        let mut noise = self.noise(seed, micro);
        self.initialise(batch, &mut noise)?;
        let mut judge = |patches: &[Tensor]| -> Result<Tensor, GeneratorError> {
            let asked = |e: &dyn std::error::Error| GeneratorError::Segmenter(e.to_string());
            let images = self.with(&batch.images, &places, vacancies, patches)?;
            let said = network.forward(&images, Mode::Eval).map_err(|e| asked(&e))?;
            let divergence = [Weighted { weight: 1.0, term: Term::JensenShannon }];
            let (s, d) = (&said.logits, &said.dataset_logits);
            let loss = losses::sum(&divergence, s, d, &batch.labels, &places, None).map_err(|e| asked(&e))?;
            Ok(loss.total)
        };
        let generated = self.generator.generate(&replaced, &mut judge, &mut noise)?;
        let images = self.with(&batch.images, &places, vacancies, &generated)?;
        batch.images = images;
        Ok(Some(Filled { replaced, generated, places, noise }))
    }

    /// Gathers its gradients from what the segmenter said of the filled batch. The graph stays whole for the
    /// segmenter's own. Gives what it learns by; `None` where it does not learn.
    ///
    /// # Errors
    /// The generator's; libtorch's.
    pub fn learn(
        &mut self,
        said: &Outputs,
        batch: &Batch,
        filled: Filled,
    ) -> Result<Option<losses::Loss>, RunError> {
        let Some(learning) = &self.learning else { return Ok(None) };
        let (s, d) = (&said.logits, &said.dataset_logits);
        let feedback = losses::sum(&learning.feedback, s, d, &batch.labels, &filled.places, None)?;
        let Filled { replaced, generated, mut noise, .. } = filled;
        let fitted = self.generator.fit(&replaced, &generated, &mut noise)?;
        self.learn_by(Some(feedback), fitted, true).map(Some)
    }

    fn learn_by(
        &mut self,
        feedback: Option<losses::Loss>,
        fitted: Vec<Fitted>,
        keep_graph: bool,
    ) -> Result<losses::Loss, RunError> {
        let mut terms = Vec::new();
        let mut total = Tensor::f_zeros([], (Kind::Float, self.generator.parameters().device()))?;
        for Fitted { name, weight, value } in fitted {
            total = total.f_add(&value.f_mul_scalar(weight)?)?;
            terms.push((name, value.f_detach()?));
        }
        if let Some(feedback) = feedback {
            total = total.f_add(&feedback.total)?;
            terms.extend(feedback.terms.into_iter().map(|(name, value)| (of_generated(name), value)));
        }
        if let Some(learning) = &mut self.learning {
            let share = total.f_mul_scalar(1.0 / self.phase.accumulate as f64)?;
            learning.gradients.add(&share, self.generator.parameters(), keep_graph)?;
        }
        Ok(losses::Loss { total: total.f_detach()?, terms })
    }

    /// Moves it by what was gathered in a step, one of `steps` of the phase; gives the gradients' norm before
    /// clipping.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(&mut self, step: u64, steps: u64) -> Result<f64, RunError> {
        let Some(learning) = &mut self.learning else { return Ok(0.0) };
        let mut gradients = std::mem::take(&mut learning.gradients);
        let norm = gradients.norm()?;
        if let Some(limit) = learning.clip {
            gradients.clip(norm, limit)?;
        }
        // A batch without a vacancy moves nothing; a norm that is none is the caller's to refuse.
        if norm > 0.0 && norm.is_finite() {
            let factor = learning.schedule.factor(step, steps);
            learning.optimizer.step(self.generator.parameters(), &gradients, factor)?;
        }
        Ok(norm)
    }

    /// Of its optimizer, for a checkpoint.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.learning.iter().flat_map(|learning| learning.optimizer.tensors())
    }

    /// Steps that its optimizer has made.
    pub fn steps(&self) -> u64 {
        self.learning.as_ref().map_or(0, |learning| learning.optimizer.steps())
    }

    /// Takes up where another stopped.
    pub fn resume_at(&mut self, steps: u64) {
        if let Some(learning) = &mut self.learning {
            learning.optimizer.resume_at(steps);
        }
    }

    fn initialise(&self, batch: &Batch, noise: &mut Noise) -> Result<(), RunError> {
        if self.generator.is_blank()? {
            self.generator.initialise(&self.colours(&batch.images)?, noise)?;
        }
        Ok(())
    }

    /// A function of (seed, phase, batch): a run that is resumed draws what it would have drawn.
    fn noise(&self, seed: u64, micro: u64) -> Noise {
        Noise::new(random(seed, [&self.phase.name, "generated"], micro))
    }

    /// Normalised pixels back to colours of 0 to 255, which they were.
    fn colours(&self, pixels: &Tensor) -> Result<Tensor, RunError> {
        let [mean, std] = self.statistics(pixels)?;
        Ok(pixels.f_mul(&std)?.f_add(&mean)?.f_mul_scalar(255.0)?.f_round()?.f_contiguous()?)
    }

    /// Images with patches of colours, enlarged to their places, normalised as the images are; eq. (15), m of which is
    /// true in `places`.
    fn with(
        &self,
        images: &Tensor,
        places: &Tensor,
        vacancies: &[(usize, Vacancy)],
        patches: &[Tensor],
    ) -> Result<Tensor, tch::TchError> {
        let mut filled = Tensor::f_empty_like(images)?;
        filled.f_copy_(images)?;
        let [mean, std] = self.statistics(images)?;
        for (vacancy, patch) in vacancies.iter().zip(patches) {
            let mut place = place(&filled, vacancy)?;
            let (_, _, height, width) = place.size4()?;
            let pixels = patch.f_div_scalar(255.0)?.f_sub(&mean)?.f_div(&std)?;
            let pixels = pixels.f_upsample_bilinear2d([height, width], false, None, None)?;
            let mask = of_place(places, vacancy)?;
            let mixed = pixels.f_where_self(&mask, &place)?;
            place.f_copy_(&mixed)?;
        }
        Ok(filled)
    }

    /// Mean and deviation, `[1, 3, 1, 1]`.
    fn statistics(&self, like: &Tensor) -> Result<[Tensor; 2], tch::TchError> {
        let of = |values: &[f32; 3]| {
            Tensor::f_from_slice(values)?.f_view([1, 3, 1, 1])?.f_to_device(like.device())
        };
        Ok([of(&self.normalisation.mean)?, of(&self.normalisation.std)?])
    }
}

/// The name of a term over generated pixels alone, and without a floor, where the segmenter has one like it.
fn of_generated(name: &'static str) -> &'static str {
    match name {
        "dataset_out" => "generated_dataset_out",
        "likelihood_out" => "generated_likelihood_out",
        "uniform_out" => "generated_uniform",
        other => other,
    }
}

/// A view of the vacancy's part of `[N, H, W]`, `[h, w]`.
fn of_place(map: &Tensor, (image, v): &(usize, Vacancy)) -> Result<Tensor, tch::TchError> {
    let rows = map.f_select(0, *image as i64)?.f_narrow(0, v.top as i64, v.height as i64)?;
    rows.f_narrow(1, v.left as i64, v.width as i64)
}

/// A view of the vacancy's pixels, `[1, 3, h, w]`.
fn place(images: &Tensor, (image, v): &(usize, Vacancy)) -> Result<Tensor, tch::TchError> {
    let rows = images.f_narrow(0, *image as i64, 1)?.f_narrow(2, v.top as i64, v.height as i64)?;
    rows.f_narrow(3, v.left as i64, v.width as i64)
}
