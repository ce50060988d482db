//! The wiring: parameters, subscriptions, threads, and the way out.

use super::diagnostics;
use super::health::{Facts, Health};
use super::inference::Inference;
use super::logging;
use super::outputs::{self, LatestInfo, Outputs};
use super::parameters::{self, Declared};
use crate::assemble::{AssembleError, Assembly};
use crate::config::{ConfigError, Parameters};
use crate::latest::Latest;
use crate::score::cpu;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CameraInfo, Image};
use r2r::{Context, Node, QosProfile};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How the camera is subscribed to, in words for diagnostics.
const CAMERA_QOS: &str = "best effort, volatile, keep last 5";

/// Why the node did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The parameters.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Model, runtime or mask.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The middleware.
    #[error("ROS 2 says {error} while {doing}")]
    Ros {
        /// What was being done.
        doing: String,
        /// rcl's word.
        error: r2r::Error,
    },
    /// Threads, signals.
    #[error("{doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// The thread that does the work is gone.
    #[error("the inference thread ended by itself: this is a defect of the program, see its message above")]
    InferenceDied,
}

fn ros(doing: impl Into<String>) -> impl FnOnce(r2r::Error) -> NodeError {
    let doing = doing.into();
    move |error| NodeError::Ros { doing, error }
}

fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> NodeError {
    move |error| NodeError::System { doing, error }
}

/// A program's main: runs the node around what `assemble` makes of the parameters.
///
/// Exit code 0 after SIGINT or SIGTERM, 2 where parameters or model are not usable, 1 for anything else.
pub fn main(assemble: impl FnOnce(&Parameters) -> Result<Assembly, AssembleError>) -> ExitCode {
    logging::start();
    match run(assemble) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            let usage = matches!(error, NodeError::Config(_) | NodeError::Assemble(_));
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(assemble: impl FnOnce(&Parameters) -> Result<Assembly, AssembleError>) -> Result<(), NodeError> {
    let context = Context::create().map_err(ros("reading the ROS arguments"))?;
    let mut node = Node::create(context, "open_set", "").map_err(ros("creating the node"))?;
    logging::attach(node.logger());

    let parameters = {
        let overrides = node.params.lock().unwrap_or_else(PoisonError::into_inner);
        parameters::read(&overrides)?
    };
    parameters.check_node()?;
    let threads = parameters.runtime()?.threads;
    cpu::start_workers(threads).map_err(system("starting the scoring threads"))?;

    let Assembly { pipeline, taxonomy, identity } = assemble(&parameters)?;
    let settings = pipeline.settings().clone();

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("open_set-tokio")
        .enable_all()
        .build()
        .map_err(system("starting the control thread"))?;

    let declared = Arc::new(Mutex::new(Declared::new(&parameters)?));
    let (parameter_services, _changes) =
        node.make_derived_parameter_handler(declared).map_err(ros("declaring parameters"))?;
    tokio.spawn(parameter_services);

    let info = match outputs::wants_camera_info(&settings) {
        true => Some(subscribe_info(&mut node, &parameters.camera_info_topic(), &tokio)?),
        false => None,
    };
    let provider = pipeline.provider().to_owned();
    let outputs = Outputs::new(&mut node, &parameters, settings.clone(), taxonomy, info)
        .map_err(ros("creating the publishers"))?;

    let topic = parameters.camera_topic.clone();
    let facts = Facts {
        topic: topic.clone(),
        qos: CAMERA_QOS.into(),
        identity,
        settings,
        provider,
        budget_ms: parameters.latency_budget_ms,
        stale_after: Duration::from_secs_f64(parameters.stale_after_s),
    };
    let health = Arc::new(Mutex::new(Health::new(facts, Instant::now())));
    let slot = Arc::new(Latest::default());
    let clock = node.get_ros_clock();

    subscribe_camera(&mut node, &topic, &slot, &health, &tokio)?;
    let publishers = Arc::new(AtomicUsize::new(0));
    let diagnostics =
        node.create_publisher("/diagnostics", QosProfile::default()).map_err(ros("creating /diagnostics"))?;
    tokio.spawn(diagnostics::publish_forever(
        diagnostics,
        node.name().map_err(ros("reading the node's name"))?,
        Arc::clone(&clock),
        Arc::clone(&health),
        {
            let slot = Arc::clone(&slot);
            move || slot.replaced()
        },
        Arc::clone(&publishers),
    ));

    let inference = Inference { slot: Arc::clone(&slot), pipeline, outputs, health, clock };
    let inference = thread("open_set-infer", move || inference.run())?;
    let stop = Arc::new(AtomicBool::new(false));
    let spin = thread("open_set-spin", {
        let stop = Arc::clone(&stop);
        move || spin(&mut node, &topic, &publishers, &stop)
    })?;

    let ended = tokio.block_on(wait_for_end(&inference));
    // Finish the frame, then stop the middleware, then drop it.
    slot.close();
    let died = inference.join().is_err();
    stop.store(true, Ordering::Relaxed);
    let _ = spin.join();
    match ended {
        Err(error) => Err(error),
        Ok(()) if died => Err(NodeError::InferenceDied),
        Ok(()) => Ok(()),
    }
}

fn thread(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NodeError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(system(name))
}

/// Waits for SIGINT or SIGTERM, and for the inference thread, which must not end before them.
async fn wait_for_end(inference: &JoinHandle<()>) -> Result<(), NodeError> {
    let doing = "listening to signals";
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system(doing))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system(doing))?;
    let mut watch = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = watch.tick() => if inference.is_finished() { return Err(NodeError::InferenceDied) },
        }
    }
    tracing::info!("stopping: finishing the frame");
    Ok(())
}

/// The middleware's loop: wakes on every message, counts the camera's publishers once a second.
fn spin(node: &mut Node, topic: &str, publishers: &AtomicUsize, stop: &AtomicBool) {
    let mut counted: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        node.spin_once(Duration::from_millis(50));
        if counted.is_none_or(|t| t.elapsed() > Duration::from_secs(1)) {
            let count = node.get_publishers_info_by_topic(topic, false).map_or(0, |p| p.len());
            publishers.store(count, Ordering::Relaxed);
            counted = Some(Instant::now());
        }
    }
}

/// Every image goes straight into the slot: the stream's own queue would keep the oldest.
fn subscribe_camera(
    node: &mut Node,
    topic: &str,
    slot: &Arc<Latest<Image>>,
    health: &Arc<Mutex<Health>>,
    tokio: &tokio::runtime::Runtime,
) -> Result<(), NodeError> {
    let mut images = node
        .subscribe::<Image>(topic, QosProfile::sensor_data())
        .map_err(ros(format!("subscribing to {topic}")))?;
    let (slot, health) = (Arc::clone(slot), Arc::clone(health));
    tokio.spawn(async move {
        while let Some(image) = images.next().await {
            health.lock().unwrap_or_else(PoisonError::into_inner).arrived(Instant::now());
            slot.put(image);
        }
    });
    Ok(())
}

fn subscribe_info(
    node: &mut Node,
    topic: &str,
    tokio: &tokio::runtime::Runtime,
) -> Result<LatestInfo, NodeError> {
    let mut infos = node
        .subscribe::<CameraInfo>(topic, QosProfile::sensor_data())
        .map_err(ros(format!("subscribing to {topic}")))?;
    let latest = LatestInfo::default();
    let newest = Arc::clone(&latest);
    tokio.spawn(async move {
        while let Some(info) = infos.next().await {
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(info);
        }
    });
    Ok(latest)
}
