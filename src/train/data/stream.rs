//! Batches, made ahead by worker threads and handed out in the order of steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::batch::Plain;
use super::sample::Maker;
use super::{Batch, DataError, Plan, TrainingSet};
use crate::train::negatives::Negatives;

/// A worker is ahead by so many batches, and by the one it is at.
const AHEAD: usize = 1;

/// The batches of a phase. The batch of step s holds positions `s·N..(s+1)·N` of an endless sequence, one
/// shuffle of the set after another: it is a function of the plan, the step and the files. A trainer that
/// accumulates over several batches counts these as steps.
#[derive(Debug)]
pub struct Stream {
    set: Arc<TrainingSet>,
    negatives: Option<Arc<Negatives>>,
    plan: Arc<Plan>,
    running: Option<Running>,
}

impl Stream {
    /// Checks the plan. Threads start with the first batch that is asked for.
    ///
    /// # Errors
    /// A plan that makes no sense; where samples are drawn by class, a truth that cannot be read.
    pub fn open(
        set: Arc<TrainingSet>,
        negatives: Option<Arc<Negatives>>,
        plan: Plan,
    ) -> Result<Self, DataError> {
        plan.augmentation.check()?;
        for (name, got) in [("batch", plan.batch), ("workers", plan.workers)] {
            if !(1..=4096).contains(&got) {
                return Err(DataError::Setting { name, got: got.to_string(), wanted: "1 to 4096" });
            }
        }
        if plan.augmentation.class_uniform > 0.0 {
            set.survey()?;
        }
        Ok(Self { set, negatives, plan: Arc::new(plan), running: None })
    }

    /// The batch of a step, on the CPU. Asked for in order, batches are ready ahead; a step out of order
    /// starts the workers anew from there.
    ///
    /// # Errors
    /// A file that cannot be read or holds what is no label; more damaged files than are put up with; no
    /// memory for the batch. After an error the next call starts anew.
    pub fn next(&mut self, step: u64) -> Result<Batch, DataError> {
        let mut running = match self.running.take().filter(|running| running.next == step) {
            Some(running) => running,
            None => self.start(step)?,
        };
        let made = running.take()?;
        self.running = Some(running);
        made.tensors()
    }

    /// What is pasted, if anything is.
    pub fn negatives(&self) -> Option<&Negatives> {
        self.negatives.as_deref()
    }

    /// How many damaged files were skipped so far, by all streams of the set.
    pub fn skipped(&self) -> usize {
        self.set.damage().count()
    }

    fn start(&self, step: u64) -> Result<Running, DataError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running { workers: Vec::new(), next: step, stop: Arc::clone(&stop) };
        for i in 0..self.plan.workers {
            let maker = Maker::new(Arc::clone(&self.set), self.negatives.clone(), Arc::clone(&self.plan))?;
            let (to, from) = sync_channel(AHEAD);
            let (every, stop, plan) = (self.plan.workers, Arc::clone(&stop), Arc::clone(&self.plan));
            let thread = Builder::new()
                .name(format!("data-{i}"))
                .spawn(move || work(maker, &plan, (step + i as u64..).step_by(every), &to, &stop))
                .map_err(DataError::Thread)?;
            running.workers.push(Worker { from: Some(from), thread: Some(thread) });
        }
        Ok(running)
    }
}

type Made = Result<Plain, DataError>;

/// Makes the batches of these steps until nobody wants them, or one cannot be made.
fn work(
    mut maker: Maker,
    plan: &Plan,
    steps: impl Iterator<Item = u64>,
    to: &SyncSender<Made>,
    stop: &AtomicBool,
) {
    for step in steps {
        let mut batch = Plain::new(plan.augmentation.crop.sides(), plan.batch);
        for position in (step.wrapping_mul(plan.batch as u64)..).take(plan.batch) {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            match maker.sample(position) {
                Ok(sample) => batch.push(sample, &plan.normalisation),
                Err(error) => {
                    let _ = to.send(Err(error)); // Where nobody listens any more, nobody needs it.
                    return;
                }
            }
        }
        if to.send(Ok(batch)).is_err() {
            return;
        }
    }
}

/// Workers that take turns: worker i of n makes every n-th batch.
#[derive(Debug)]
struct Running {
    /// The one whose turn it is comes first.
    workers: Vec<Worker>,
    /// The step whose batch comes next.
    next: u64,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Worker {
    /// Taken when it ends.
    from: Option<Receiver<Made>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn take(&mut self) -> Made {
        let first = self.workers.first().and_then(|worker| worker.from.as_ref());
        let made = first.and_then(|from| from.recv().ok());
        self.workers.rotate_left(1);
        self.next += 1;
        made.unwrap_or(Err(DataError::Worker))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // First all queues, so that no worker waits to be heard; then each is at its end within a sample.
        self.workers.iter_mut().for_each(|worker| drop(worker.from.take()));
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a data worker panicked: this is a defect, please report it");
            }
        }
    }
}
