//! What is seen of a run: a bar on stderr, lines in the log, curves for TensorBoard.

use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use tch::Tensor;

use super::RunError;
use super::checkpoint::Place;
use super::events::Events;
use super::folder::Folder;
use super::verdict::Verdict;
use crate::train::losses::Loss;

/// What a step came to.
#[derive(Debug, Default)]
pub struct StepTold {
    /// The objective, the mean over the step's batches.
    pub loss: f64,
    /// Its terms, each before its weight, and the generator's own.
    pub terms: Means,
    /// The base learning rate times the schedule's factor.
    pub lr: f64,
    /// Before clipping.
    pub gradient_norm: f64,
    /// The generator's, where one is trained along.
    pub generator_norm: Option<f64>,
    /// Seconds that the step waited for its batches.
    pub waited: f64,
    /// Damaged files that were skipped so far.
    pub skipped: usize,
}

impl StepTold {
    /// Adds a batch, one of `of`.
    pub fn add(&mut self, loss: &Loss, of: u64) -> Result<(), RunError> {
        self.loss += loss.total.f_double_value(&[])? / of as f64;
        self.add_terms(&loss.terms)
    }

    /// Adds what else is told by name.
    pub fn add_terms(&mut self, terms: &[(&'static str, Tensor)]) -> Result<(), RunError> {
        for (name, term) in terms {
            self.terms.add(name, term.f_double_value(&[])?);
        }
        Ok(())
    }

    /// A term that is no number, else the loss that is none.
    pub fn check_loss(&self) -> Result<(), (String, f64)> {
        let terms = self.terms.iter().map(|(name, value)| (format!("loss term {name}"), value));
        terms.chain([("the loss".to_owned(), self.loss)]).find(|(_, v)| !v.is_finite()).map_or(Ok(()), Err)
    }

    /// Whether the gradients are numbers.
    pub fn check_norm(&self) -> Result<(), (String, f64)> {
        let norms =
            [("the gradients", Some(self.gradient_norm)), ("the generator's gradients", self.generator_norm)];
        match norms.into_iter().find_map(|(of, norm)| Some((of, norm.filter(|n| !n.is_finite())?))) {
            Some((of, norm)) => Err((format!("the norm of {of}"), norm)),
            None => Ok(()),
        }
    }
}

/// Means by name, in the order they were first added; not every step has every term.
#[derive(Debug, Default)]
pub struct Means(Vec<(&'static str, f64, u64)>);

impl Means {
    fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, sum, count)) => (*sum, *count) = (*sum + value, *count + 1),
            None => self.0.push((name, value, 1)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.0.iter().map(|(name, sum, count)| (*name, sum / *count as f64))
    }
}

/// Tells it.
pub struct Telling {
    bar: ProgressBar,
    log: File,
    folder: Folder,
    events: Events,
    every: u64,
    /// The phase's.
    name: String,
    /// Steps of the phases before it, since TensorBoard has one axis for all.
    before: u64,
    /// Since the last line: steps, their sums, and when it was.
    since: (u64, StepTold, Instant),
}

impl Telling {
    /// Opens log and curves in the run's folder; a line every `every` steps.
    ///
    /// # Errors
    /// A file cannot be made.
    pub fn open(folder: &Folder, every: u64) -> Result<Self, RunError> {
        let write = |source| RunError::Write { path: folder.path().into(), source };
        Ok(Self {
            bar: ProgressBar::hidden(),
            log: File::options().create(true).append(true).open(folder.log()).map_err(write)?,
            events: Events::create(folder.path()).map_err(write)?,
            folder: folder.clone(),
            every,
            name: String::new(),
            before: 0,
            since: (0, StepTold::default(), Instant::now()),
        })
    }

    /// A phase begins, or is taken up; `before` it were so many steps of others; `negatives` are what it pastes.
    pub fn phase(&mut self, name: &str, place: &Place, steps: u64, before: u64, negatives: Option<&str>) {
        self.bar.finish_and_clear();
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}  {msg}  {eta} left");
        self.bar = ProgressBar::new(steps)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(name.to_owned())
            .with_position(place.step);
        self.bar.reset_eta();
        (self.name, self.before) = (name.to_owned(), before);
        self.since = (0, StepTold::default(), Instant::now());
        let of = negatives.map_or(String::new(), |from| format!(", negatives: {from}"));
        self.say(&format!("{name}: step {} of {steps}{of}", place.step));
    }

    /// A step is over; `place` counts it.
    ///
    /// # Errors
    /// Log or curves cannot be written.
    pub fn step(&mut self, place: &Place, steps: u64, told: &StepTold) -> Result<(), RunError> {
        self.bar.set_position(place.step);
        self.add(told);
        if !place.step.is_multiple_of(self.every) && place.step != steps {
            return Ok(());
        }
        let (count, sums, began) =
            std::mem::replace(&mut self.since, (0, StepTold::default(), Instant::now()));
        let mean = |sum: f64| sum / count.max(1) as f64;
        let seconds = mean(began.elapsed().as_secs_f64());
        let terms: Vec<_> = sums.terms.iter().collect();

        let words: Vec<_> = terms.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        let line = format!("loss {:.4} ({})  {seconds:.3} s/step", mean(sums.loss), words.join(", "));
        self.bar.set_message(line.clone());
        if self.bar.is_hidden() {
            let left = std::time::Duration::from_secs_f64(seconds * steps.saturating_sub(place.step) as f64);
            eprintln!("{} {}/{steps}  {line}  {} left", self.name, place.step, HumanDuration(left));
        }

        let mut scalars = vec![
            ("loss/total".to_owned(), mean(sums.loss)),
            ("optimizer/lr".to_owned(), told.lr),
            ("optimizer/gradient_norm".to_owned(), mean(sums.gradient_norm)),
            ("time/seconds_per_step".to_owned(), seconds),
            ("time/seconds_waited".to_owned(), mean(sums.waited)),
        ];
        scalars.extend(sums.generator_norm.map(|norm| ("optimizer/generator_norm".to_owned(), mean(norm))));
        scalars.extend(terms.iter().map(|(name, value)| (format!("loss/{name}"), *value)));
        self.curves(place, &scalars)?;
        let terms: Map<_, _> =
            terms.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        self.write(
            place,
            [
                ("loss", json!(mean(sums.loss))),
                ("terms", Value::Object(terms)),
                ("lr", json!(told.lr)),
                ("gradient_norm", json!(mean(sums.gradient_norm))),
                ("generator_norm", json!(sums.generator_norm.map(mean))),
                ("seconds_per_step", json!(seconds)),
                ("seconds_waited", json!(mean(sums.waited))),
                ("files_skipped", json!(told.skipped)),
            ],
        )
    }

    /// A validation is over.
    ///
    /// # Errors
    /// Log or curves cannot be written.
    pub fn verdict(&mut self, place: &Place, verdict: &Verdict) -> Result<(), RunError> {
        self.say(&format!("{} {}: {}", self.name, place.step, verdict.line()));
        self.curves(place, &verdict.scalars())?;
        self.write(place, [("validation", json!(verdict))])?;
        self.since.2 = Instant::now(); // its time is no step's
        self.bar.reset_eta();
        Ok(())
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn add(&mut self, told: &StepTold) {
        let (count, sums, _) = &mut self.since;
        *count += 1;
        sums.loss += told.loss;
        sums.gradient_norm += told.gradient_norm;
        sums.waited += told.waited;
        told.terms.iter().for_each(|(name, value)| sums.terms.add(name, value));
        if let Some(norm) = told.generator_norm {
            *sums.generator_norm.get_or_insert_default() += norm;
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn curves(&mut self, place: &Place, values: &[(String, f64)]) -> Result<(), RunError> {
        let path = self.events.path().to_path_buf();
        let written = self.events.scalars(self.before + place.step, values);
        written.map_err(|source| RunError::Write { path, source })
    }

    fn write<const N: usize>(&mut self, place: &Place, values: [(&str, Value); N]) -> Result<(), RunError> {
        let mut line = Map::new();
        line.insert("phase".into(), json!(self.name));
        line.insert("step".into(), json!(place.step));
        line.extend(values.map(|(key, value)| (key.to_owned(), value)));
        let line = format!("{}\n", Value::Object(line));
        let written: io::Result<()> = self.log.write_all(line.as_bytes());
        written.map_err(|source| RunError::Write { path: self.folder.log(), source })
    }
}
