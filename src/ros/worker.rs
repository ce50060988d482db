//! A named thread whose end can be waited for beside other things.

use super::error::{NodeError, system};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// See the module.
pub(super) struct Worker<T> {
    thread: JoinHandle<T>,
    ended: oneshot::Receiver<()>,
    has_ended: bool,
}

impl<T: Send + 'static> Worker<T> {
    pub(super) fn start(
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Self, NodeError> {
        let (held, ended) = oneshot::channel::<()>();
        let work = move || {
            let _held = held; // dropped at the end, also at one by panic
            work()
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work).map_err(system(name))?;
        Ok(Self { thread, ended, has_ended: false })
    }

    pub(super) async fn ended(&mut self) {
        if !self.has_ended {
            let _ = (&mut self.ended).await;
            self.has_ended = true;
        }
    }

    /// What the work gave; `None` after a panic.
    pub(super) fn join(self) -> Option<T> {
        self.thread.join().ok()
    }
}
