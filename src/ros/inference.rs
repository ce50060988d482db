//! An inference thread: loads the model, then takes the newest image of the camera whose turn it is and has it
//! answered, keeps the books and the sessions, until the slots are closed. With one camera it is always that one's
//! turn.

use super::answer::{Eye, View};
use super::arrived::Arrived;
use super::clock::Clock;
use super::health::{Health, Unpublished};
use super::hygiene;
use super::lock;
use super::logging::Throttle;
use crate::assemble::{AssembleError, Assembly, Check, Loaded};
use crate::budget::Refusal;
use crate::budget::resolution::Rung;
use crate::budget::schedule::Turn;
use crate::latest::{Latest, Waiting};
use crate::realtime;
use crate::sessions::{Event, Sessions};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::oneshot;

/// Runs of the bare network at the warm-up, of which the quickest counts: the others were disturbed.
const WARM_UP_RUNS: usize = 3;

/// What the thread works with besides the model.
pub(super) struct Inference {
    pub(super) slots: Arc<Latest<Arrived>>,
    /// One a camera, in the order of the slots.
    pub(super) eyes: Vec<Eye>,
    pub(super) clock: Clock,
    /// What is asked of the kernel.
    pub(super) realtime: realtime::Settings,
    /// Whom to ask what parameters come to, once the model is loaded.
    pub(super) model: Arc<Mutex<Option<Check>>>,
}

/// What the thread leaves behind: all it worked with but the model, and why it ended.
pub(super) type Ended = (Inference, Result<(), AssembleError>);

impl Inference {
    /// Loads the model, tells when it is `warm`, and works until the slots are closed.
    pub(super) fn run(
        mut self,
        load: impl FnOnce() -> Result<Loaded, AssembleError>,
        warm: oneshot::Sender<()>,
    ) -> Ended {
        let result = load().and_then(|loaded| self.work(loaded, warm));
        (self, result)
    }

    /// Until the slots are closed; a frame that was begun is finished.
    ///
    /// # Errors
    /// Sessions that cannot be made, a network that does not run, a kernel that refuses what is required.
    fn work(&mut self, loaded: Loaded, warm: oneshot::Sender<()>) -> Result<(), AssembleError> {
        let granted = hygiene::ask_for_thread(&self.realtime)?;
        let mut sessions = Sessions::new(loaded.build)?;
        let rungs = match sessions.all() {
            [only] => vec![Rung { size: only.pipeline.settings().input_size, run_ms: 0.0 }], // nothing to compare
            several => several.iter_mut().map(warm_up).collect::<Result<Vec<_>, _>>()?,
        };
        let mut views: Vec<View> = self.eyes.iter().map(|eye| eye.view(&rungs)).collect();
        for (eye, view) in self.eyes.iter().zip(&mut views) {
            eye.announce(view, &mut sessions, None);
        }
        let granted = hygiene::ask_for_process(&self.realtime, granted)?;
        for eye in &self.eyes {
            lock(&eye.station.health).granted(granted.clone());
        }
        *lock(&self.model) = Some(loaded.check);
        let mut complaints: Vec<Complaints> = self.eyes.iter().map(|_| Complaints::default()).collect();
        let _ = warm.send(()); // who is not there any more is leaving
        while let Some((place, arrived)) = self.slots.take(|waiting| turn(waiting, &views, &self.clock)) {
            // Dropping sessions is work as well: a lost device may not come back from it.
            self.each_health(Health::work_began);
            if let Some(event) = sessions.tend(Instant::now()) {
                self.tell(&event, &mut sessions, &mut views);
            }
            if let (Some(eye), Some(view)) = (self.eyes.get_mut(place), views.get_mut(place)) {
                eye.heed(view, &mut sessions);
                let answered = eye.answer(&arrived, view, &mut sessions, &self.clock);
                match answered {
                    Ok(published) => lock(&eye.station.health).published(Instant::now(), &published),
                    Err(unpublished) => {
                        complaints[place].speak(&unpublished, &eye.of_whom());
                        lock(&eye.station.health).unpublished(&unpublished);
                    }
                }
                if let Some(change) = view.resize(Instant::now()) {
                    tracing::info!("input size {change}{}", eye.of_whom());
                    eye.announce(view, &mut sessions, Some(change));
                }
            }
            self.each_health(Health::work_ended);
        }
        Ok(())
    }

    /// Cameras that take turns wait for each other's work: whether it ends concerns each of them.
    fn each_health(&self, tell: fn(&mut Health)) {
        self.eyes.iter().for_each(|eye| tell(&mut lock(&eye.station.health)));
    }

    fn tell(&self, event: &Event, sessions: &mut Sessions, views: &mut [View]) {
        match event {
            Event::Rebuilding => {
                tracing::warn!("the network failed repeatedly: its sessions are being made anew");
                self.each_health(Health::rebuilding);
            }
            Event::Rebuilt => {
                tracing::info!("the sessions were made anew");
                for (eye, view) in self.eyes.iter().zip(views) {
                    eye.retune(sessions);
                    eye.announce(view, sessions, None);
                }
            }
            Event::NotRebuilt { reason, pause } => {
                let pause = pause.as_secs_f64();
                tracing::error!("the sessions could not be made anew: {reason}; next try in {pause:.0} s");
            }
        }
    }
}

/// Whose turn it is.
fn turn(waiting: &Waiting<'_, Arrived>, views: &[View], clock: &Clock) -> Option<Turn> {
    let age_ms = match (waiting.value.birth(), clock.now_ns()) {
        (Some(birth), Ok(now_ns)) => birth.age_ms(now_ns),
        _ => 0.0, // no one knows: it is told when it is taken
    };
    views.get(waiting.slot).map(|view| Turn::new(&view.budget, age_ms, waiting.since, Instant::now()))
}

/// Runs the bare network a few times: what it takes at one size beside another.
fn warm_up(assembly: &mut Assembly) -> Result<Rung, AssembleError> {
    let mut run_ms = f64::INFINITY;
    for _ in 0..WARM_UP_RUNS {
        let began = Instant::now();
        assembly.pipeline.run_idle()?;
        run_ms = run_ms.min(began.elapsed().as_secs_f64() * 1e3);
    }
    let size = assembly.pipeline.settings().input_size;
    tracing::info!("input size {size}: a run of the network takes {run_ms:.1} ms");
    Ok(Rung { size, run_ms })
}

/// Of one camera: once a period each, so that errors are not held back by what is said of every frame.
#[derive(Default)]
struct Complaints {
    errors: Throttle,
    warnings: Throttle,
}

impl Complaints {
    fn speak(&mut self, of: &Unpublished, of_whom: &str) {
        match of {
            Unpublished::NotBegun(Refusal::Stamp(_)) => (), // said once
            Unpublished::Failed(_) | Unpublished::NoTime(_) => {
                if let Some(held) = self.errors.speak(Instant::now()) {
                    tracing::error!(held, "{of}{of_whom}");
                }
            }
            Unpublished::Rejected(_)
            | Unpublished::GivenUp
            | Unpublished::Inactive
            | Unpublished::NotBegun(_)
            | Unpublished::Late(_) => {
                if let Some(held) = self.warnings.speak(Instant::now()) {
                    tracing::warn!(held, "{of}{of_whom}");
                }
            }
        }
    }
}
