//! The ROS 2 node: the sole user of `r2r`. A camera topic in; labels, anomaly and a truthful account out.
//!
//! ```text
//! spin thread ──▶ stream ──▶ camera task ──▶ Latest ──▶ inference thread ──▶ publishers
//!  (rcl wait)     (tokio)     counts          one slot    step, publish
//!                                                            │ health
//!                   diagnostics task, 1 Hz; watchdog, 4 Hz ◀─┘
//! ```
//! `node` wires it from what `arguments` and `parameters` say, `lifecycle` hears what state is wanted and
//! `supervisor` brings it about. `camera` fills the slot, `inference` is the loop of a frame, `convert` reads a
//! message, `outputs` owns the publishers (`camera_info` scales one of them, `frame_status` words another), `safe`
//! answers where no network does, `watchdog` notices one that does not come back. `health` keeps the books that
//! `diagnostics` publishes, `clock` tells the time, `logging` speaks. tokio carries control; behind the
//! middleware's own short queue an image waits in one slot only.

mod arguments;
mod camera;
mod camera_info;
mod clock;
mod convert;
mod diagnostics;
mod frame_status;
mod health;
mod inference;
mod lifecycle;
mod logging;
mod node;
mod outputs;
mod parameters;
mod safe;
mod supervisor;
mod watchdog;

pub use arguments::UsageError;
pub use node::{NodeError, main};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every change under this room's locks is a few assignments: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
