//! The ROS 2 node: the sole user of `r2r`. Camera topics in; labels, anomaly and a truthful account out.
//!
//! ```text
//! spin thread ──▶ stream ──▶ camera task ──▶ Latest ─────▶ inference thread ──▶ publishers
//!  (rcl wait)     (tokio)     counts          a slot each   whose turn it is,
//!                                                           step, publish
//!                                                              │ health
//!                     diagnostics task, 1 Hz; watchdog, 4 Hz ◀─┘
//! ```
//! A `station` is what all parts share of one camera; one camera is the list of one. `node` wires it from
//! what `arguments` and `overrides` say, `spin` is the thread that owns it (`worker`: a thread whose end is
//! noticed), `lifecycle` hears what state is wanted and `supervisor` brings it about; `parameter_services`
//! hear what is to be set and `registry` says whether it may. `camera` fills a slot with what has `arrived`,
//! a `picture`; `inference` is the loop over whose turn it is and `answer` what is done about one image,
//! `convert` reads it, `outputs` owns the publishers (each an `output`; `camera_info` scales one,
//! `frame_status` words another), `safe` answers where no network does, `watchdog` notices one that does not
//! come back, `hygiene` asks the kernel for what real time needs. `health` keeps the books that `diagnostics`
//! publishes, `clock` tells the time, `logging` speaks, `service` answers. tokio carries control; behind the
//! middleware's own short queue an image waits in one slot only.

mod answer;
mod arguments;
mod arrived;
mod camera;
mod camera_info;
mod clock;
mod convert;
mod diagnostics;
mod error;
mod frame_status;
mod health;
mod hygiene;
mod inference;
mod labelled;
mod lifecycle;
mod logging;
mod node;
mod output;
mod outputs;
mod overrides;
mod parameter_services;
mod picture;
mod registry;
mod safe;
mod service;
mod spin;
mod station;
mod supervisor;
mod watchdog;
mod worker;

pub use arguments::UsageError;
pub use error::NodeError;
pub use node::main;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every change under this room's locks is a few assignments: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
