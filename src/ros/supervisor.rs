//! What the changes of state do: load the model and warm it up, take up the cameras and leave them, free it all.
//!
//! Lives on the main thread. A model is loaded on the thread that runs it; outputs and subscriptions are made on
//! the one that owns the node, so that services, signals and diagnostics are never kept waiting.

use super::answer::Eye;
use super::camera::Subscription;
use super::camera_info::{self, LatestInfo};
use super::clock::Clock;
use super::error::{NodeError, ros};
use super::inference::{Ended, Inference};
use super::lifecycle::{Events, Wish};
use super::lock;
use super::outputs::Outputs;
use super::registry::Registry;
use super::service::{Task, respond};
use super::spin::Jobs;
use super::station::{Naming, Roster, Station, stations};
use super::worker::Worker;
use crate::assemble::{AssembleError, Loaded};
use crate::config::Parameters;
use crate::fault::OnStuck;
use crate::lifecycle::{Action, Transition};
use crate::preprocess::geometry::OutputSize;
use r2r::Node;
use r2r::lifecycle_msgs::srv::ChangeState;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Gives what the sessions of so many cameras are made from.
pub(super) type Load = Arc<dyn Fn(&[Parameters]) -> Result<Loaded, AssembleError> + Send + Sync>;

const INFERENCE: &str = "the inference thread";

/// Makes the changes.
pub(super) struct Supervisor {
    pub(super) load: Load,
    /// With the machine, the model and the parameters in force.
    pub(super) registry: Arc<Registry>,
    pub(super) naming: Naming,
    pub(super) roster: Roster,
    pub(super) clock: Clock,
    pub(super) events: Events,
    pub(super) jobs: Jobs,
    pub(super) control: Handle,
    /// One a network: that of all cameras, or one each.
    pub(super) workers: Vec<Worker<Ended>>,
    /// Cameras that no thread works for: theirs has ended, or never began.
    pub(super) resting: Vec<Eye>,
    /// While the node is active or could be.
    pub(super) subscriptions: Vec<Subscription>,
    /// The tasks that empty the cameras' queues, while the node is active.
    pub(super) cameras: JoinSet<()>,
    /// And those of their infos, as long as there are outputs.
    pub(super) infos: JoinSet<()>,
}

/// Of one camera, made by the thread that owns the node.
type Made = (Eye, Option<Task>);

impl Supervisor {
    /// Starts by itself, where that is wanted, then grants wishes.
    ///
    /// # Errors
    /// What the node cannot go on after.
    pub(super) async fn live(
        &mut self,
        wishes: &mut mpsc::Receiver<Wish>,
        autostart: bool,
    ) -> Result<(), NodeError> {
        if autostart {
            self.start().await?;
        }
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(wish) => self.grant(wish).await?,
                    None => return Err(NodeError::Died("a lifecycle service")),
                },
                which = self.ended() => {
                    self.finish().await?;
                    return Err(NodeError::Died(which));
                }
            }
        }
    }

    /// Grants a wish, or says no.
    async fn grant(&mut self, wish: Wish) -> Result<(), NodeError> {
        let asked = &wish.message.transition;
        let begun = lock(&self.registry.machine).begin(asked.id, &asked.label);
        let success = match begun {
            Ok(transition) => match self.make(transition).await {
                Ok(()) => true,
                Err(error @ (NodeError::Assemble(_) | NodeError::Config(_) | NodeError::Ros { .. })) => {
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

    /// Configures and activates, without being asked. Wishes wait until this is over.
    async fn start(&mut self) -> Result<(), NodeError> {
        for label in ["configure", "activate"] {
            let begun = lock(&self.registry.machine).begin(0, label);
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
        let state = lock(&self.registry.machine).end(result.is_ok());
        self.events.ended(&transition, state);
        self.tell();
        tracing::info!("{} {}", state.label(), if result.is_ok() { "now" } else { "still" });
        result
    }

    /// Diagnostics know the state.
    fn tell(&self) {
        let state = lock(&self.registry.machine).state();
        for station in &*lock(&self.roster) {
            lock(&station.health).entered(state, Instant::now());
        }
    }

    async fn configure(&mut self) -> Result<(), NodeError> {
        let result = self.set_up().await;
        if result.is_err() {
            // What was made before it failed is not left behind; why it failed is worth more than how that went.
            let _ = self.clean_up().await;
        }
        result
    }

    async fn set_up(&mut self) -> Result<(), NodeError> {
        let all = stations(&self.registry.take_up(), &self.naming)?;
        *lock(&self.roster) = all.clone();
        self.tell();
        let (naming, clock) = (self.naming.clone(), self.clock.clone());
        let made = self.jobs.run(move |node| -> Vec<Result<Made, NodeError>> {
            all.into_iter().map(|station| eye(node, station, &naming, &clock)).collect()
        });
        let mut lanes: Vec<Vec<Eye>> = Vec::new();
        let mut failed = None;
        for made in made.await? {
            let (eye, info) = match made {
                Ok(made) => made,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            if let Some(info) = info {
                self.infos.spawn_on(info, &self.control);
            }
            let instead = lock(&eye.station.tuned).settings.fault.on_stuck == OnStuck::AllUnknown;
            self.subscriptions.push(Subscription {
                station: eye.station.clone(),
                clock: self.clock.clone(),
                instead: instead.then(|| eye.safe.clone()),
            });
            // Who shares slots shares a network; cameras stand in the slots' order.
            match lanes.last_mut() {
                Some(lane) if eye.station.place > 0 => lane.push(eye),
                _ => lanes.push(vec![eye]),
            }
        }
        let mut lanes = lanes.into_iter();
        while failed.is_none()
            && let Some(eyes) = lanes.next()
        {
            failed = self.warm_up(eyes).await.err();
        }
        // Publishers are destroyed, not dropped: the client library would keep them.
        self.resting.extend(lanes.flatten());
        failed.map_or(Ok(()), Err)
    }

    /// Starts the thread of these cameras' network, and waits until it is warm.
    async fn warm_up(&mut self, eyes: Vec<Eye>) -> Result<(), NodeError> {
        let Some(Eye { station, .. }) = eyes.first() else { return Ok(()) };
        let slots = Arc::clone(&station.slots);
        let realtime = lock(&station.tuned).settings.realtime.clone();
        let parameters: Vec<Parameters> = eyes.iter().map(|eye| eye.station.parameters.clone()).collect();
        let model = Arc::clone(&self.registry.model);
        let inference = Inference { slots, eyes, clock: self.clock.clone(), realtime, model };
        let load = Arc::clone(&self.load);
        let (warm, is_warm) = oneshot::channel();
        let work = move || inference.run(|| load(&parameters), warm);
        // Kept before it is waited for: who stops waiting must still find it.
        self.workers.push(Worker::start("open_set-infer", work)?);
        let has_ended = match self.workers.last_mut() {
            Some(worker) => tokio::select! {
                biased;
                Ok(()) = is_warm => false,
                () = worker.ended() => true,
            },
            None => true,
        };
        if has_ended {
            self.rest()?;
            return Err(NodeError::Died(INFERENCE));
        }
        Ok(())
    }

    /// Takes back the cameras of the last inference thread, which has ended.
    ///
    /// # Errors
    /// Why it ended, where that was not asked for.
    fn rest(&mut self) -> Result<(), NodeError> {
        let ended = self.workers.pop().and_then(Worker::join);
        let (inference, result) = ended.ok_or(NodeError::Died(INFERENCE))?;
        self.resting.extend(inference.eyes);
        Ok(result?)
    }

    async fn activate(&mut self) -> Result<(), NodeError> {
        if self.registry.is_stale() {
            // What was set since the model was loaded is in the sessions, subscriptions and outputs.
            self.clean_up().await?;
            let configured = self.configure().await;
            if configured.is_err() {
                self.registry.mark_stale(); // nothing is loaded: the next try begins here
            }
            configured?;
        }
        let result = self.subscribe().await;
        if result.is_err() {
            self.deactivate();
        }
        result
    }

    async fn subscribe(&mut self) -> Result<(), NodeError> {
        for subscription in self.subscriptions.clone() {
            let station = subscription.station.clone();
            let drain = self.jobs.run(move |node| subscription.subscribe(node)).await?;
            let drain = drain.map_err(ros(format!("subscribing to {}", station.source)))?;
            lock(&station.health).enable(true, Instant::now());
            self.cameras.spawn_on(drain, &self.control);
        }
        Ok(())
    }

    /// From now on nothing is published. The middleware lets subscriptions go with their next image.
    fn deactivate(&mut self) {
        for Subscription { station, .. } in &self.subscriptions {
            lock(&station.health).enable(false, Instant::now());
        }
        self.cameras = JoinSet::new(); // dropped, the others are aborted
        for Subscription { station, .. } in &self.subscriptions {
            station.slots.discard(station.place);
        }
    }

    async fn clean_up(&mut self) -> Result<(), NodeError> {
        let outcome = self.finish().await;
        self.subscriptions.clear();
        self.infos = JoinSet::new();
        *lock(&self.registry.model) = None;
        let eyes = std::mem::take(&mut self.resting);
        self.jobs.run(move |node| eyes.into_iter().for_each(|eye| eye.outputs.destroy(node))).await?;
        for station in &*lock(&self.roster) {
            lock(&station.health).freed();
        }
        outcome
    }

    /// Waits until a part ends that must not, for as long as there are such; says which.
    async fn ended(&mut self) -> &'static str {
        let workers: Vec<_> = self.workers.iter_mut().map(|worker| Box::pin(worker.ended())).collect();
        let cameras = &mut self.cameras;
        let a_worker = async move {
            if workers.is_empty() {
                std::future::pending::<()>().await;
            }
            futures::future::select_all(workers).await;
        };
        let a_camera = async move {
            if cameras.join_next().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = a_worker => INFERENCE,
            () = a_camera => "a camera's task",
        }
    }

    /// Ends the inference threads' work for good. The state stays as it is.
    ///
    /// # Errors
    /// Why one ended, where that was not asked for.
    pub(super) async fn finish(&mut self) -> Result<(), NodeError> {
        for station in &*lock(&self.roster) {
            station.slots.close();
        }
        let mut outcome = Ok(());
        while let Some(worker) = self.workers.last_mut() {
            worker.ended().await;
            outcome = outcome.and(self.rest());
        }
        outcome
    }
}

/// A station's outputs, and what keeps its camera info at hand, where that is published.
fn eye(node: &mut Node, station: Station, naming: &Naming, clock: &Clock) -> Result<Made, NodeError> {
    let (_, output_size) = station.parameters.layout()?;
    let (info, task): (Option<LatestInfo>, Option<Task>) = if output_size == OutputSize::Network {
        let asked = station.parameters.camera_info_topic(&station.topic);
        let topic = naming.resolve(&asked);
        let doing = ros(format!("subscribing to {topic}"));
        let (info, task) = camera_info::subscribe(node, &asked, topic).map_err(doing)?;
        (Some(info), Some(task))
    } else {
        (None, None)
    };
    let outputs = Outputs::new(node, &station, info).map_err(ros("creating the publishers"))?;
    let safe = outputs.safe_state(station.clone(), clock.clone());
    Ok((Eye { station, outputs, safe }, task))
}
