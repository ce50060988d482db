//! The wiring: parameters, subscriptions, threads, and the way out.

use super::arguments::{Arguments, Names, UsageError};
use super::diagnostics::{self, Sources};
use super::health::{Camera, Health, Publishers};
use super::inference::Inference;
use super::lock;
use super::logging;
use super::outputs::{LatestInfo, Outputs};
use super::parameters::{self, Declared};
use crate::assemble::{AssembleError, Assembly};
use crate::config::{ConfigError, Parameters};
use crate::latest::Latest;
use crate::preprocess::geometry::OutputSize;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CameraInfo, Image};
use r2r::{Context, Node, QosProfile};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How the camera is subscribed to, in words for diagnostics.
const CAMERA_QOS: &str = "best effort, volatile, keep last 5";

/// How long a frame, or a model that is being loaded, is waited for at the end.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// Why the node did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
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
    /// A part that must not end did.
    #[error("{0} ended by itself: this is a defect of the program, see its message above")]
    Died(&'static str),
    /// The end was not waited for any longer.
    #[error("{0}: left without waiting for {1}")]
    Unfinished(&'static str, &'static str),
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
/// Exit code 0 after SIGINT or SIGTERM; 2 where command line, parameters or model are not usable; 1 for
/// anything else.
pub fn main<A>(assemble: A) -> ExitCode
where
    A: FnOnce(&Parameters) -> Result<Assembly, AssembleError> + Send + 'static,
{
    logging::start();
    let result = run(assemble);
    if let Err(error) = &result {
        // On the console only: the node that carried /rosout is gone, or never was.
        tracing::error!("{error}");
    }
    result.unwrap_or_else(|error| exit_code(&error))
}

fn exit_code(error: &NodeError) -> ExitCode {
    let usage = matches!(error, NodeError::Usage(_) | NodeError::Config(_) | NodeError::Assemble(_));
    ExitCode::from(if usage { 2 } else { 1 })
}

/// Errors are those of the start; what ends a running node is said while it can still be heard, and comes
/// back as its exit code.
fn run<A>(assemble: A) -> Result<ExitCode, NodeError>
where
    A: FnOnce(&Parameters) -> Result<Assembly, AssembleError> + Send + 'static,
{
    let arguments = Arguments::of_process()?;
    let mut node = Node::create(context()?, "open_set", "").map_err(ros("creating the node"))?;
    logging::attach(&mut node).map_err(ros("creating /rosout"))?;
    let doing = "reading the node's name";
    let names =
        Names::new(node.fully_qualified_name().map_err(ros(doing))?, node.namespace().map_err(ros(doing))?);
    let parameters = {
        let overrides = lock(&node.params);
        parameters::read(&overrides, &arguments)?
    };
    parameters.check_node()?;
    parameters.runtime()?;

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("open_set-tokio")
        .enable_all()
        .build()
        .map_err(system("starting the control thread"))?;
    let mut signals = tokio.block_on(async { Signals::new() })?;
    let mut tasks = JoinSet::new();

    let declared = Arc::new(Mutex::new(Declared::new(&parameters)?));
    let (parameter_services, _changes) =
        node.make_derived_parameter_handler(declared).map_err(ros("declaring parameters"))?;
    // Not among the tasks that end the node: r2r panics where a caller leaves before its answer.
    let services = tokio.spawn(parameter_services);
    tokio.spawn(async move {
        if services.await.is_err() {
            tracing::error!("the parameter services ended: restart the node to have them again");
        }
    });

    let topic = arguments.resolve(&names, &parameters.camera_topic);
    // REP-107's `node: task`, with the namespace, so that two cameras' nodes are told apart.
    let status_name = names.node.trim_start_matches('/').to_owned();
    let (_, output_size) = parameters.layout()?;
    let info = (output_size == OutputSize::Network)
        .then(|| arguments.resolve(&names, &parameters.camera_info_topic(&topic)));
    let info = info.map(|topic| subscribe_info(&mut node, topic, &tokio, &mut tasks)).transpose()?;
    let outputs = Outputs::new(&mut node, &parameters, status_name.clone(), topic.clone(), info)
        .map_err(ros("creating the publishers"))?;

    let camera = Camera {
        topic: topic.clone(),
        qos: CAMERA_QOS.into(),
        budget_ms: parameters.latency_budget_ms,
        stale_after: Duration::from_secs_f64(parameters.stale_after_s),
    };
    let health = Arc::new(Mutex::new(Health::new(camera, Instant::now())));
    let slot = Arc::new(Latest::default());
    let clock = node.get_ros_clock();
    subscribe_camera(&mut node, &topic, &slot, &health, &tokio, &mut tasks)?;

    let diagnostics =
        node.create_publisher("/diagnostics", QosProfile::default()).map_err(ros("creating /diagnostics"))?;
    let sources = Sources {
        node: status_name,
        clock: Arc::clone(&clock),
        health: Arc::clone(&health),
        slot: Arc::clone(&slot),
    };
    tasks.spawn_on(diagnostics::publish_forever(diagnostics, sources), tokio.handle());

    let stop = Arc::new(AtomicBool::new(false));
    let mut spin = Worker::start("open_set-spin", {
        let (stop, health) = (Arc::clone(&stop), Arc::clone(&health));
        move || spin(&mut node, &topic, &health, &stop)
    })?;
    // The model is made ready on the thread that runs it, so that diagnostics speak and signals count meanwhile.
    let inference = Inference {
        slot: Arc::clone(&slot),
        outputs,
        health: Arc::clone(&health),
        clock,
        budget_ms: parameters.latency_budget_ms,
    };
    let mut inference = Worker::start("open_set-infer", move || {
        assemble(&parameters).map(|assembly| inference.run(assembly))
    })?;

    let why = tokio.block_on(async {
        tokio::select! {
            () = signals.next() => {
                tracing::info!("stopping: finishing the frame");
                Ok(())
            }
            () = inference.ended() => Ok(()), // why is asked below
            () = spin.ended() => Err(NodeError::Died("the middleware's thread")),
            _ = tasks.join_next() => Err(NodeError::Died("a control task")),
        }
    });
    // Finish the frame, say how it ended, then stop the middleware and drop it.
    slot.close();
    let hurry = tokio.block_on(async {
        tokio::select! {
            () = inference.ended() => None,
            () = signals.next() => Some("a second signal came"),
            () = tokio::time::sleep(FINISH_WITHIN) => Some("ten seconds passed"),
        }
    });
    if let Some(hurry) = hurry {
        let what = if lock(&health).is_ready() { "the frame in work" } else { "the model to load" };
        tracing::error!("{}", NodeError::Unfinished(hurry, what));
        // Without destructors: they would run under the feet of the thread that is still at work.
        signal_hook::low_level::exit(1);
    }
    let outcome = match inference.join() {
        _ if why.is_err() => why,
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(error.into()),
        None => Err(NodeError::Died("the inference thread")),
    };
    if let Err(error) = &outcome {
        tracing::error!("{error}");
    }
    stop.store(true, Ordering::Relaxed);
    // What it panicked with, it has said; the outcome stands.
    let _ = spin.join();
    Ok(outcome.map_or_else(|error| exit_code(&error), |()| ExitCode::SUCCESS))
}

/// rcl's context from the process's arguments.
fn context() -> Result<Context, NodeError> {
    // The client library panics on arguments that rcl refuses. What is wrong with them rcl has printed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let context = std::panic::catch_unwind(Context::create);
    std::panic::set_hook(hook);
    match context {
        Ok(context) => context.map_err(ros("starting (is HOME or ROS_LOG_DIR set?)")),
        Err(_) => {
            let arguments: Vec<_> = std::env::args_os().skip(1).map(|a| a.display().to_string()).collect();
            let message = format!("ROS 2 does not accept these arguments: {}", arguments.join(" "));
            Err(UsageError(message).into())
        }
    }
}

/// SIGINT and SIGTERM.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> Result<Self, NodeError> {
        let listen = |kind| signal(kind).map_err(system("listening to signals"));
        Ok(Self(listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => (),
            _ = self.1.recv() => (),
        }
    }
}

/// A named thread whose end can be waited for beside other things.
struct Worker<T> {
    thread: JoinHandle<T>,
    ended: oneshot::Receiver<()>,
    has_ended: bool,
}

impl<T: Send + 'static> Worker<T> {
    fn start(name: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Result<Self, NodeError> {
        let (held, ended) = oneshot::channel::<()>();
        let work = move || {
            let _held = held; // dropped at the end, also at one by panic
            work()
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work).map_err(system(name))?;
        Ok(Self { thread, ended, has_ended: false })
    }

    async fn ended(&mut self) {
        if !self.has_ended {
            let _ = (&mut self.ended).await;
            self.has_ended = true;
        }
    }

    /// What the work gave; `None` after a panic.
    fn join(self) -> Option<T> {
        self.thread.join().ok()
    }
}

/// The middleware's loop: wakes on every message, counts the camera's publishers once a second.
fn spin(node: &mut Node, topic: &str, health: &Mutex<Health>, stop: &AtomicBool) {
    let mut counted: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        node.spin_once(Duration::from_millis(50));
        if counted.is_none_or(|t| t.elapsed() > Duration::from_secs(1)) {
            let all = node.get_publishers_info_by_topic(topic, false).unwrap_or_default();
            let is_image = |kind: &str| kind == "sensor_msgs/msg/Image";
            lock(health).publishers(Publishers {
                images: all.iter().filter(|p| is_image(&p.topic_type)).count(),
                other_type: all.into_iter().map(|p| p.topic_type).find(|kind| !is_image(kind)),
            });
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
    tokio: &Runtime,
    tasks: &mut JoinSet<()>,
) -> Result<(), NodeError> {
    let mut images = node
        .subscribe::<Image>(topic, QosProfile::sensor_data())
        .map_err(ros(format!("subscribing to {topic}")))?;
    let (slot, health) = (Arc::clone(slot), Arc::clone(health));
    let drain = async move {
        while let Some(image) = images.next().await {
            lock(&health).arrived(Instant::now());
            slot.put(image);
        }
    };
    tasks.spawn_on(drain, tokio.handle());
    Ok(())
}

fn subscribe_info(
    node: &mut Node,
    topic: String,
    tokio: &Runtime,
    tasks: &mut JoinSet<()>,
) -> Result<LatestInfo, NodeError> {
    let mut infos = node
        .subscribe::<CameraInfo>(&topic, QosProfile::sensor_data())
        .map_err(ros(format!("subscribing to {topic}")))?;
    let newest = Arc::new(Mutex::new(None));
    let info = LatestInfo { topic, newest: Arc::clone(&newest) };
    let drain = async move {
        while let Some(info) = infos.next().await {
            *lock(&newest) = Some(info);
        }
    };
    tasks.spawn_on(drain, tokio.handle());
    Ok(info)
}
