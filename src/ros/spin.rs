//! The thread that owns the node: the middleware's loop, and what others have done by it.

use super::error::NodeError;
use super::health::Publishers;
use super::lock;
use super::station::{Roster, Station};
use crate::config::Transport;
use r2r::Node;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What may wait for the middleware's thread: changes of state come one after the other, parameters one a call.
pub(super) const JOBS: usize = 16;

/// As errors call it.
pub(super) const MIDDLEWARE: &str = "the middleware's thread";

/// Something to be done with the node.
pub(super) type Job = Box<dyn FnOnce(&mut Node) + Send>;

/// Has things done by the thread that owns the node.
#[derive(Clone)]
pub(super) struct Jobs(SyncSender<Job>);

impl Jobs {
    /// With room for so many that wait; the thread takes them from the other end.
    pub(super) fn new(room: usize) -> (Self, Receiver<Job>) {
        let (sender, waiting) = sync_channel(room);
        (Self(sender), waiting)
    }

    /// What the work gives.
    ///
    /// # Errors
    /// The thread is gone.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        let (sender, done) = oneshot::channel();
        let job = move |node: &mut Node| {
            // Who is not there any more does not want it.
            let _ = sender.send(work(node));
        };
        let gone = || NodeError::Died(MIDDLEWARE);
        // Waits for room, at most as long as the thread takes to come round.
        self.0.send(Box::new(job)).map_err(|_| gone())?;
        done.await.map_err(|_| gone())
    }

    /// Has it done soon; whether there was room for it.
    pub(super) fn put(&self, work: impl FnOnce(&mut Node) + Send + 'static) -> bool {
        self.0.try_send(Box::new(work)).is_ok()
    }
}

/// The middleware's loop: wakes on every message, does what others want done with the node, counts the cameras'
/// publishers and the nodes of this one's name, by its `own` topic, once a second.
pub(super) fn spin(node: &mut Node, jobs: &Receiver<Job>, roster: &Roster, own: &str, stop: &AtomicBool) {
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
