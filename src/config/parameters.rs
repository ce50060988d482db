//! Raw: everything that can be set, as the user typed it, with its default.

use super::ParameterValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that can be set, as typed. `config/open_set.param.yaml` shows all of it with the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct Parameters {
    pub model: String,
    pub autostart: bool,
    pub cameras: Vec<String>,
    pub sessions: String,
    pub camera_topic: String,
    pub camera_info_topic: String,
    pub transport: String,
    pub score: String,
    pub temperature: f64,
    pub threshold_override: f64,
    pub input_size: String,
    pub fit: String,
    pub region: String,
    pub mask: String,
    pub output_size: String,
    pub providers: Vec<String>,
    pub threads: i64,
    pub onnxruntime: String,
    pub latency_budget_ms: f64,
    pub over_budget: String,
    pub bad_stamps: String,
    pub on_fault: String,
    pub on_stuck: String,
    pub stuck_after_s: f64,
    pub stale_after_s: f64,
    pub heatmap_range: f64,
    pub hysteresis: Hold,
    pub image: ImageFaults,
    pub drift: DriftWatch,
    pub realtime: RealTime,
    pub publish: Publish,
    /// What cameras have for themselves: `own[CAMERA][NAME]`.
    #[serde(skip)]
    pub own: BTreeMap<String, BTreeMap<String, ParameterValue>>,
}

/// For how long an unknown pixel stays unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct Hold {
    pub delta: f64,
    pub frames: i64,
}

/// When the camera's picture is said to be at fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct ImageFaults {
    pub frozen_after_s: f64,
    pub black_share: f64,
    pub bright_share: f64,
    pub blocked_share: f64,
}

/// When the calibration is said not to describe the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct DriftWatch {
    pub window_s: f64,
    pub warn_psi: f64,
}

/// What is asked of the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct RealTime {
    pub cpus: String,
    pub priority: i64,
    pub lock_memory: bool,
    pub required: bool,
}

/// Which outputs exist. Those that do are still computed only while someone subscribes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct Publish {
    pub labels_compressed: bool,
    pub labels_color: bool,
    pub anomaly: bool,
    pub heatmap: bool,
    pub overlay: bool,
    pub frame_status: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            model: "models/camvid-lite0.yaml".into(),
            autostart: true,
            cameras: Vec::new(),
            sessions: "shared".into(),
            camera_topic: "/camera/image_raw".into(),
            camera_info_topic: String::new(),
            transport: "raw".into(),
            score: "hybrid".into(),
            temperature: 1.0,
            threshold_override: f64::NAN,
            input_size: String::new(),
            fit: "letterbox".into(),
            region: String::new(),
            mask: String::new(),
            output_size: "camera".into(),
            providers: vec!["cpu".into()],
            threads: 0,
            onnxruntime: String::new(),
            latency_budget_ms: 0.0,
            over_budget: "drop".into(),
            bad_stamps: "arrival".into(),
            on_fault: "silent".into(),
            on_stuck: "exit".into(),
            stuck_after_s: 5.0,
            stale_after_s: 1.0,
            heatmap_range: 5.0,
            hysteresis: Hold::default(),
            image: ImageFaults::default(),
            drift: DriftWatch::default(),
            realtime: RealTime::default(),
            publish: Publish::default(),
            own: BTreeMap::new(),
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self { delta: 0.0, frames: 1 }
    }
}

impl Default for ImageFaults {
    fn default() -> Self {
        Self { frozen_after_s: 2.0, black_share: 0.95, bright_share: 0.7, blocked_share: 0.8 }
    }
}

impl Default for DriftWatch {
    fn default() -> Self {
        Self { window_s: 60.0, warn_psi: 0.25 }
    }
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            labels_compressed: true,
            labels_color: true,
            anomaly: true,
            heatmap: true,
            overlay: true,
            frame_status: true,
        }
    }
}
