//! The trainer: makes the models that the node runs.
//!
//! Place: beside the walk. It reads data sets as `evaluate` does, judges by the product's own metrics and
//! writes what the node reads: ONNX and a manifest. libtorch is named in this folder only.
//!
//! # Modules, in reading order
//! [`settings`] ▸ [`scene`], `cache`, [`damage`] ▸ [`negatives`] ▸ [`data`] ▸ [`model`] ▸ [`losses`] ▸ [`optimizer`] ▸ [`flow`] ▸ [`generator`] ▸ [`run`] ▸ [`detector`] ▸ [`export`] ▸ [`toy`] ▸ [`cli`], [`memory`]

mod cache;
pub mod cli;
pub mod damage;
pub mod data;
pub mod detector;
pub mod export;
pub mod flow;
pub mod generator;
pub mod losses;
pub mod memory;
pub mod model;
pub mod negatives;
pub mod optimizer;
pub mod run;
pub mod scene;
pub mod settings;
pub mod toy;
