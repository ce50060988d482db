//! What the changes of state do: load the model and warm it up, take up the camera and leave it, free it all.
//!
//! Lives on the main thread. The model is loaded on the thread that runs it, the camera subscribed to on the one
//! that owns the node, so that services, signals and diagnostics are never kept waiting.

use super::camera;
use super::inference::{Ended, Inference};
use super::lifecycle::{Events, Wish, respond};
use super::lock;
use super::node::{NodeError, Worker, ros};
use crate::assemble::{AssembleError, Builder};
use crate::config::Parameters;
use crate::lifecycle::{Action, Machine, Transition};
use r2r::Node;
use r2r::lifecycle_msgs::srv::ChangeState;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Something to be done with the node, by the thread that owns it.
pub(super) type Job = Box<dyn FnOnce(&mut Node) + Send>;

/// Gives what sessions are made from.
pub(super) type Load = Arc<dyn Fn(&Parameters) -> Result<Builder, AssembleError> + Send + Sync>;

/// Makes the changes.
pub(super) struct Supervisor {
    pub(super) load: Load,
    pub(super) parameters: Parameters,
    pub(super) machine: Arc<Mutex<Machine>>,
    pub(super) events: Events,
    pub(super) subscription: camera::Subscription,
    pub(super) jobs: SyncSender<Job>,
    pub(super) control: Handle,
    /// At rest, while there is no model.
    pub(super) resting: Option<Inference>,
    pub(super) worker: Option<Worker<Ended>>,
    /// The task that empties the camera's queue, while there is one.
    pub(super) camera: Option<AbortHandle>,
}

impl Supervisor {
    /// Grants a wish, or says no.
    ///
    /// # Errors
    /// What the node cannot go on after.
    pub(super) async fn grant(&mut self, wish: Wish) -> Result<(), NodeError> {
        let asked = &wish.message.transition;
        let begun = lock(&self.machine).begin(asked.id, &asked.label);
        let success = match begun {
            Ok(transition) => match self.make(transition).await {
                Ok(()) => true,
                Err(error @ (NodeError::Assemble(_) | NodeError::Ros { .. })) => {
                    tracing::error!("{} failed: {error}", transition.label);
                    false
                }
                Err(fatal) => return Err(fatal),
            },
            Err(refused) => {
                tracing::warn!("{refused}");
                false
            }
        };
        respond(wish, ChangeState::Response { success }, "~/change_state");
        Ok(())
    }

    /// Configures and activates, without being asked.
    ///
    /// # Errors
    /// Why that fails.
    pub(super) async fn start(&mut self) -> Result<(), NodeError> {
        for label in ["configure", "activate"] {
            let begun = lock(&self.machine).begin(0, label);
            // Someone may have been quicker with ~/change_state; then it is theirs.
            if let Ok(transition) = begun {
                self.make(transition).await?;
            }
        }
        Ok(())
    }

    /// Makes a change that has begun, and ends it.
    async fn make(&mut self, transition: Transition) -> Result<(), NodeError> {
        self.events.began(&transition);
        self.tell();
        let result = match transition.action {
            Action::Configure => self.configure().await,
            Action::Activate => self.activate().await,
            Action::Deactivate => {
                self.deactivate();
                Ok(())
            }
            Action::CleanUp => self.clean_up().await,
            Action::Shutdown => {
                self.deactivate();
                self.clean_up().await
            }
        };
        let state = lock(&self.machine).end(result.is_ok());
        self.events.ended(&transition, state);
        self.tell();
        tracing::info!("{} {}", state.label(), if result.is_ok() { "now" } else { "still" });
        result
    }

    /// Diagnostics know the state.
    fn tell(&self) {
        let state = lock(&self.machine).state();
        lock(&self.subscription.health).entered(state, Instant::now());
    }

    async fn configure(&mut self) -> Result<(), NodeError> {
        let inference = self.resting.take().ok_or(NodeError::Died("the inference thread"))?;
        self.subscription.slot.open();
        let (load, parameters) = (Arc::clone(&self.load), self.parameters.clone());
        let (warm, is_warm) = oneshot::channel();
        let work = move || inference.run(|| load(&parameters), warm);
        let worker = self.worker.insert(Worker::start("open_set-infer", work)?);
        tokio::select! {
            biased;
            Ok(()) = is_warm => Ok(()),
            () = worker.ended() => {
                self.rest()?;
                Err(NodeError::Died("the inference thread"))
            }
        }
    }

    /// Takes back what the inference thread worked with, which has ended.
    ///
    /// # Errors
    /// Why it ended, where that was not asked for.
    fn rest(&mut self) -> Result<(), NodeError> {
        let ended = self.worker.take().and_then(Worker::join);
        let (inference, result) = ended.ok_or(NodeError::Died("the inference thread"))?;
        self.resting = Some(inference);
        Ok(result?)
    }

    async fn activate(&mut self) -> Result<(), NodeError> {
        let subscription = self.subscription.clone();
        let doing = format!("subscribing to {}", subscription.topic);
        let (sender, subscribed) = oneshot::channel();
        let job = move |node: &mut Node| {
            // Who is not there any more does not want it.
            let _ = sender.send(subscription.subscribe(node));
        };
        let gone = NodeError::Died("the middleware's thread");
        let Ok(()) = self.jobs.try_send(Box::new(job)) else { return Err(gone) };
        let Ok(subscribed) = subscribed.await else { return Err(gone) };
        let drain = subscribed.map_err(ros(doing))?;
        lock(&self.subscription.health).enable(true, Instant::now());
        self.camera = Some(self.control.spawn(drain).abort_handle());
        Ok(())
    }

    /// From now on nothing is published. The middleware lets the subscription go with the next image.
    fn deactivate(&mut self) {
        lock(&self.subscription.health).enable(false, Instant::now());
        if let Some(camera) = self.camera.take() {
            camera.abort();
        }
        self.subscription.slot.discard();
    }

    async fn clean_up(&mut self) -> Result<(), NodeError> {
        self.subscription.slot.close();
        if let Some(worker) = &mut self.worker {
            worker.ended().await;
            self.rest()?;
        }
        lock(&self.subscription.health).freed();
        Ok(())
    }

    /// Waits until the inference thread ends, for as long as there is one.
    pub(super) async fn ended(&mut self) {
        match &mut self.worker {
            Some(worker) => worker.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the inference thread's work for good. The state stays as it is: this is the end of the program.
    ///
    /// # Errors
    /// Why it ended, where that was not asked for.
    pub(super) async fn finish(&mut self) -> Result<(), NodeError> {
        self.subscription.slot.close();
        match &mut self.worker {
            Some(worker) => {
                worker.ended().await;
                self.rest()
            }
            None => Ok(()),
        }
    }
}
