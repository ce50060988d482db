//! The sessions of a running node: which there are, and how they are made anew when they fail.
//!
//! New ones are made on a thread of their own, so that who waits for frames goes on; the old ones are dropped
//! first, since two do not fit into every device's memory. Used from one thread.

use crate::assemble::{AssembleError, Assembly, Builder};
use crate::fault::{Guard, Recovery};
use crate::frame::Size;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Built = Result<Vec<Assembly>, AssembleError>;

/// What happened to the sessions, for the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// They failed too often: new ones are being made.
    Rebuilding,
    /// New ones are there; whether they work, the next frame shows.
    Rebuilt,
    /// New ones could not be made.
    NotRebuilt {
        /// Why.
        reason: String,
        /// How long until the next try.
        pause: Duration,
    },
}

enum State {
    Ready(Vec<Assembly>),
    Building(JoinHandle<Built>),
    Missing(String),
}

/// The sessions.
pub struct Sessions {
    builder: Builder,
    state: State,
    guard: Guard,
    /// What they failed on last, in words: the reason for all that follows.
    cause: String,
}

impl Sessions {
    /// Makes the first ones. Blocks while they warm up.
    ///
    /// # Errors
    /// What the builder says.
    pub fn new(builder: Builder) -> Result<Self, AssembleError> {
        let state = State::Ready(builder()?);
        Ok(Self { builder, state, guard: Guard::default(), cause: String::new() })
    }

    /// Those that there are, one an input size.
    pub fn all(&mut self) -> &mut [Assembly] {
        match &mut self.state {
            State::Ready(assemblies) => assemblies,
            State::Building(_) | State::Missing(_) => &mut [],
        }
    }

    /// The one of an input size.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn at(&mut self, size: Size) -> Result<&mut Assembly, String> {
        match &mut self.state {
            State::Ready(assemblies) => assemblies
                .iter_mut()
                .find(|a| a.pipeline.settings().input_size == size)
                .ok_or_else(|| format!("there is no session of input size {size}")),
            State::Building(_) => Err(format!("the sessions are being made anew, since {}", self.cause)),
            State::Missing(reason) => Err(format!(
                "the sessions could not be made anew: {reason}; they failed, since {}",
                self.cause
            )),
        }
    }

    /// A frame failed on one of them.
    pub fn failed(&mut self, cause: &str, now: Instant) {
        cause.clone_into(&mut self.cause);
        self.guard.failed(now);
    }

    /// A frame did not.
    pub fn succeeded(&mut self, now: Instant) -> Option<Recovery> {
        self.guard.succeeded(now)
    }

    /// Does what is due: to be asked for each frame.
    pub fn tend(&mut self, now: Instant) -> Option<Event> {
        if matches!(&self.state, State::Building(thread) if thread.is_finished()) {
            return Some(self.built(now));
        }
        if matches!(self.state, State::Building(_)) || !self.guard.wants_rebuild(now) {
            return None;
        }
        self.guard.rebuilding(now);
        self.state = State::Missing("it has just begun".into()); // drops the old ones
        let builder = self.builder.clone();
        let thread = std::thread::Builder::new().name("open_set-build".into()).spawn(move || builder());
        Some(match thread {
            Ok(thread) => {
                self.state = State::Building(thread);
                Event::Rebuilding
            }
            Err(error) => self.missing(error.to_string(), now),
        })
    }

    fn built(&mut self, now: Instant) -> Event {
        let state = std::mem::replace(&mut self.state, State::Missing(String::new()));
        let State::Building(thread) = state else { return Event::Rebuilding };
        match thread.join() {
            Ok(Ok(assemblies)) => {
                self.state = State::Ready(assemblies);
                Event::Rebuilt
            }
            Ok(Err(error)) => self.missing(error.to_string(), now),
            Err(_) => self.missing("the thread that made them panicked".into(), now),
        }
    }

    fn missing(&mut self, reason: String, now: Instant) -> Event {
        self.guard.not_rebuilt(now);
        self.state = State::Missing(reason.clone());
        Event::NotRebuilt { reason, pause: self.guard.pause(now) }
    }
}

impl Drop for Sessions {
    /// A runtime must not be unloaded under the feet of the thread that makes sessions with it.
    fn drop(&mut self) {
        if let State::Building(thread) = std::mem::replace(&mut self.state, State::Missing(String::new())) {
            let _ = thread.join(); // what it made or said is of no use any more
        }
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
