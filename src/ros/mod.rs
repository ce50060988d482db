//! The ROS 2 node: the sole user of `r2r`. A camera topic in; labels, anomaly and a truthful account out.
//!
//! ```text
//! spin thread ──▶ stream ──▶ camera task ──▶ Latest ──▶ inference thread ──▶ publishers
//!  (rcl wait)     (tokio)     counts          one slot    step, publish
//!                                                            │ health
//!                             diagnostics task, 1 Hz ◀───────┘
//! ```
//! `node` wires it, `inference` is the loop of a frame, `outputs` owns the publishers, `health` keeps
//! the books that `diagnostics` publishes. tokio carries control, images never wait in a queue.

mod arguments;
mod camera_info;
mod convert;
mod diagnostics;
mod health;
mod inference;
mod logging;
mod node;
mod outputs;
mod parameters;

pub use node::{NodeError, main};
