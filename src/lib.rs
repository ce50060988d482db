//! Real-time open-set perception for vehicles.
//!
//! For each pixel of a camera image: which known class it is, or that it is something the network was
//! never taught. An ONNX segmenter gives class logits and dataset logits; the hybrid anomaly score
//! `ln P(d_out|x) − ln p̂(x)` (DenseHybrid, eq. 9) and a calibrated threshold turn them into K+1 labels.
//!
//! # The walk of a frame
//! ```text
//! camera topic ─▶ latest ─────▶ preprocess ───▶ segmenter ─────────▶ score ─────────▶ publish
//!                 one slot,     u8 ▶ f32        logits [K,h',w']     labels u8 [H,W]
//!                 counts what   [3,h,w]         dataset logits       anomaly f32 [H,W]
//!                 it replaces                   [1|2,h',w']
//! ```
//! [`pipeline::Pipeline::step`] is that walk without its two ends: no clock, no I/O, no ROS. The node and
//! every desk tool call the same `step`, which is what makes a number from the desk true on the road.
//!
//! # Modules, in reading order
//! [`labels`] ▸ [`frame`] ▸ [`model`] ▸ [`config`] ▸ [`preprocess`] ▸ [`segmenter`] ▸ [`score`] ▸
//! [`hysteresis`] ▸ [`pipeline`] ▸ [`latest`], [`window`], [`budget`], [`monitor`], [`fault`], [`lifecycle`],
//! [`realtime`] ▸ [`render`] ▸
//! [`images`] ▸ [`metrics`], [`calibrate`] ▸ `dataset` ▸ `assemble`, `sessions` ▸ `bag`, `scores`, `desk` ▸
//! `ros` ▸ `train`
//!
//! # Invariants
//! 1. `r2r`, `ort`, `opencv`, `libc`, `mcap`, `cdr_encoding`, `hdf5`, `npyz`, `tch`, `safetensors` and the YAML crate are
//!    each named in one folder or file only (`ros/`, `segmenter/onnx/`, `images/`, `realtime/`, `bag/`, `scores/`,
//!    `train/`, `yaml.rs`),
//!    `onnx_protobuf` where ONNX is read and where it is written: `tests/invariants.rs` reads the sources.
//! 2. The anomaly score has one definition, [`score::reference`]; every fast path is tested against it.
//! 3. A result carries its input's stamp and frame_id, or it is not published.
//! 4. Nothing falls back in silence: another provider, size or threshold than asked for is an error.
//! 5. In steady state `Pipeline::step` allocates nothing in this crate's own code: `tests/allocations.rs` counts, and
//!    names what the libraries under it do.
//! 6. Inference runs on one named thread per session; tokio carries control, never tensors.
//! 7. A threshold belongs to a model, a score, its temperature and an input size: it lives in the model's
//!    manifest, with the hash of the file it was made with.
//!
//! # Features
//! None: the pure core, plain Rust. `vision`: ONNX Runtime and OpenCV. `desk`: the tool `open-set`.
//! `node` (default): the ROS 2 node. `train`: the trainer `open-set-train`, on libtorch.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

/// Version and revision of this build, as results and diagnostics carry it.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("OPEN_SET_GIT_REVISION"), ")");

#[cfg(feature = "vision")]
pub mod assemble;
mod atomic;
#[cfg(feature = "desk")]
pub mod bag;
pub mod budget;
pub mod calibrate;
pub mod config;
#[cfg(feature = "vision")]
pub mod dataset;
#[cfg(feature = "desk")]
pub mod desk;
pub mod fault;
pub mod frame;
mod hex;
pub mod hysteresis;
pub mod images;
pub mod labels;
pub mod latest;
pub mod lifecycle;
pub mod metrics;
pub mod model;
pub mod monitor;
#[cfg(any(feature = "desk", feature = "train"))]
mod npy;
pub mod pipeline;
pub mod preprocess;
pub mod realtime;
pub mod render;
#[cfg(feature = "node")]
pub mod ros;
pub mod score;
#[cfg(feature = "desk")]
pub mod scores;
pub mod segmenter;
#[cfg(feature = "vision")]
pub mod sessions;
#[cfg(feature = "train")]
pub mod train;
pub mod window;
mod yaml;
