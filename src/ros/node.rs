//! The wiring: parameters, services, threads, and the way out.

use super::arguments::{Arguments, Names, UsageError};
use super::clock::Clock;
use super::diagnostics;
use super::health::Publishers;
use super::lifecycle::{self, Events};
use super::lock;
use super::logging;
use super::parameter_services;
use super::parameters;
use super::registry::{Kept, Registry};
use super::station::{Naming, Roster, Station, stations};
use super::supervisor::{Job, Load, Supervisor};
use super::watchdog;
use crate::assemble::{AssembleError, Loaded};
use crate::config::{ConfigError, Parameters, Transport};
use r2r::{Context, Node, QosProfile};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What may wait for the middleware's thread: changes of state come one after the other, parameters one a call.
const JOBS: usize = 16;

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

pub(super) fn ros(doing: impl Into<String>) -> impl FnOnce(r2r::Error) -> NodeError {
    let doing = doing.into();
    move |error| NodeError::Ros { doing, error }
}

fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> NodeError {
    move |error| NodeError::System { doing, error }
}

/// A program's main: runs the node around what `load` makes of the cameras' parameters.
///
/// Exit code 0 after SIGINT or SIGTERM; 2 where command line, parameters or model are not usable; 1 for
/// anything else.
pub fn main<L>(load: L) -> ExitCode
where
    L: Fn(&[Parameters]) -> Result<Loaded, AssembleError> + Send + Sync + 'static,
{
    logging::start();
    let result = run(Arc::new(load));
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
fn run(load: Load) -> Result<ExitCode, NodeError> {
    let arguments = Arguments::of_process()?;
    let mut node = Node::create(context()?, "open_set", "").map_err(ros("creating the node"))?;
    logging::attach(&mut node).map_err(ros("creating /rosout"))?;
    let doing = "reading the node's name";
    let names =
        Names::new(node.fully_qualified_name().map_err(ros(doing))?, node.namespace().map_err(ros(doing))?);
    let naming = Naming { arguments: Arc::new(arguments), names };
    let (parameters, uses_sim_time) = {
        let overrides = lock(&node.params);
        (parameters::read(&overrides, &naming.arguments)?, parameters::use_sim_time(&overrides))
    };
    let autostart = parameters.autostart;
    parameters.runtime()?;
    for camera in parameters.of_cameras()? {
        camera.parameters.layout()?;
    }
    let roster: Roster = Arc::new(Mutex::new(stations(&parameters, &naming)?));
    if uses_sim_time {
        let source = node.get_time_source();
        source.enable_sim_time(&mut node).map_err(ros("following /clock"))?;
    }

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("open_set-tokio")
        .enable_all()
        .build()
        .map_err(system("starting the control thread"))?;
    let mut signals = tokio.block_on(async { Signals::new() })?;
    let mut tasks = JoinSet::new();

    let clock = Clock::new(node.get_ros_clock());
    let (jobs, waiting) = std::sync::mpsc::sync_channel(JOBS);
    let registry = Arc::new(Registry {
        machine: Arc::default(),
        model: Arc::default(),
        roster: Arc::clone(&roster),
        jobs: jobs.clone(),
        uses_sim_time,
        kept: Mutex::new(Kept { parameters, is_stale: false }),
    });
    let name = naming.names.node.clone();
    let mut services = parameter_services::offer(&mut node, &registry, clock.clone(), name)
        .map_err(ros("offering the parameter services"))?;
    let (lifecycle_services, mut wishes) =
        lifecycle::offer(&mut node, &registry.machine).map_err(ros("offering the lifecycle services"))?;
    services.extend(lifecycle_services);
    for service in services {
        tasks.spawn_on(service, tokio.handle());
    }
    let events = Events::new(&mut node).map_err(ros("creating ~/transition_event"))?;
    let diagnostics =
        node.create_publisher("/diagnostics", QosProfile::default()).map_err(ros("creating /diagnostics"))?;
    let publish = diagnostics::publish_forever(diagnostics, Arc::clone(&roster), clock.clone());
    tasks.spawn_on(publish, tokio.handle());
    tasks.spawn_on(watchdog::watch_forever(Arc::clone(&roster)), tokio.handle());

    let stop = Arc::new(AtomicBool::new(false));
    let mut spin = Worker::start("open_set-spin", {
        let (stop, roster) = (Arc::clone(&stop), Arc::clone(&roster));
        // Each node has it once, whatever else it publishes.
        let own = naming.resolve("~/transition_event");
        move || spin(&mut node, &waiting, &roster, &own, &stop)
    })?;
    let mut supervisor = Supervisor {
        load,
        registry,
        naming,
        roster: Arc::clone(&roster),
        clock,
        events,
        jobs,
        control: tokio.handle().clone(),
        workers: Vec::new(),
        resting: Vec::new(),
        subscriptions: Vec::new(),
        cameras: JoinSet::new(),
        infos: JoinSet::new(),
    };

    let why = tokio.block_on(async {
        tokio::select! {
            () = signals.next() => {
                tracing::info!("stopping: finishing the frame");
                Ok(())
            }
            ended = supervisor.live(&mut wishes, autostart) => ended,
            () = spin.ended() => Err(NodeError::Died("the middleware's thread")),
            _ = tasks.join_next() => Err(NodeError::Died("a control task")),
        }
    });
    // Finish the frame, say how it ended, then stop the middleware and drop it.
    let finished = tokio.block_on(async {
        tokio::select! {
            finished = supervisor.finish() => Ok(finished),
            () = signals.next() => Err("a second signal came"),
            () = tokio::time::sleep(FINISH_WITHIN) => Err("ten seconds passed"),
        }
    });
    let outcome = match finished {
        Ok(finished) => why.and(finished),
        Err(hurry) => {
            let is_ready = lock(&roster).iter().all(|station| lock(&station.health).is_ready());
            let what = if is_ready { "the frame in work" } else { "the model to load" };
            tracing::error!("{}", NodeError::Unfinished(hurry, what));
            // Without destructors: they would run under the feet of the thread that is still at work.
            signal_hook::low_level::exit(1)
        }
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
        Ok(context) => context
            .map_err(ros("starting (is HOME or ROS_LOG_DIR set, and a folder that can be written to?)")),
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

/// The middleware's loop: wakes on every message, does what others want done with the node, counts the cameras'
/// publishers and the nodes of this one's name, by its `own` topic, once a second.
fn spin(node: &mut Node, jobs: &Receiver<Job>, roster: &Roster, own: &str, stop: &AtomicBool) {
    let mut counted: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        node.spin_once(Duration::from_millis(50));
        for job in jobs.try_iter() {
            job(node);
        }
        if counted.is_none_or(|t| t.elapsed() > Duration::from_secs(1)) {
            let stations = lock(roster).clone();
            let of_our_name = node.get_publishers_info_by_topic(own, false).map_or(0, |all| all.len());
            for station in &stations {
                count_publishers(node, station);
                lock(&station.health).namesakes(of_our_name.saturating_sub(1));
            }
            counted = Some(Instant::now());
        }
    }
}

fn count_publishers(node: &Node, station: &Station) {
    let wanted = match station.transport {
        Transport::Raw => "sensor_msgs/msg/Image",
        Transport::Compressed => "sensor_msgs/msg/CompressedImage",
    };
    let all = node.get_publishers_info_by_topic(&station.source, false).unwrap_or_default();
    lock(&station.health).publishers(Publishers {
        images: all.iter().filter(|p| p.topic_type == wanted).count(),
        other_type: all.into_iter().map(|p| p.topic_type).find(|kind| kind != wanted),
    });
}
