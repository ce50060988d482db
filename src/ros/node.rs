//! The wiring: parameters, services, threads, and the way out.

use super::arguments::{Arguments, Names, UsageError};
use super::clock::Clock;
use super::diagnostics;
use super::error::{NodeError, exit_code, ros, system};
use super::lifecycle::{self, Events};
use super::lock;
use super::logging;
use super::overrides;
use super::parameter_services;
use super::registry::{Kept, Registry};
use super::spin::{JOBS, Jobs, MIDDLEWARE, spin};
use super::station::{Naming, Roster, stations};
use super::supervisor::{Load, Supervisor};
use super::watchdog;
use super::worker::Worker;
use crate::assemble::{AssembleError, Loaded};
use crate::config::Parameters;
use r2r::{Context, Node, QosProfile};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// How long a frame, or a model that is being loaded, is waited for at the end.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

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
        let all = lock(&node.params);
        (overrides::read(&all, &naming.arguments)?, overrides::use_sim_time(&all))
    };
    let autostart = parameters.autostart;
    parameters.runtime()?;
    for camera in parameters.of_cameras()? {
        camera.parameters.walk()?;
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
    let (jobs, waiting) = Jobs::new(JOBS);
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
            () = spin.ended() => Err(NodeError::Died(MIDDLEWARE)),
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
