//! Raw: what the user typed, by name, with its type and its default.

use super::{ConfigError, cameras};
use crate::yaml::{self, Mapping, Value};
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

/// One sentence a parameter, in the order they are declared; shown by `ros2 param describe`.
pub const DESCRIPTIONS: [(&str, &str); 44] = [
    ("model", "manifest of the model (models/NAME.yaml); its ONNX file lies beside it"),
    (
        "autostart",
        "configure and activate at the start; false: wait for a lifecycle manager's ~/change_state",
    ),
    (
        "cameras",
        "names of several cameras, each with topic (/NAME/image_raw), region, mask, threshold and budget of its own (NAME.camera_topic, ...) and outputs in ~/NAME/; empty: one without a name",
    ),
    ("sessions", "shared: cameras take turns at one network, who waits longest first; each: one a camera"),
    ("camera_topic", "sensor_msgs/Image to segment"),
    ("camera_info_topic", "sensor_msgs/CameraInfo of that camera; empty: camera_info beside camera_topic"),
    (
        "transport",
        "as image_transport names it: raw, or compressed (sensor_msgs/CompressedImage, JPEG or PNG, on camera_topic/compressed)",
    ),
    (
        "score",
        "anomaly score: hybrid, generative (or energy), discriminative, msp, max-logit, entropy, oh-msp, sml or react; higher is more anomalous",
    ),
    ("temperature", "divides every logit the score reads; 0.001 to 1000, sml has 1 only"),
    (
        "threshold_override",
        "scores above it are unknown, in the score's unit; NaN: the manifest's calibration",
    ),
    (
        "input_size",
        "network input WIDTHxHEIGHT; empty: the manifest's first; auto: the largest calibrated one that keeps latency_budget_ms",
    ),
    ("fit", "how the image meets the input: stretch, letterbox (keep proportions, pad) or crop"),
    ("region", "part of the image to segment, x,y,width,height in camera pixels; empty: all of it"),
    ("mask", "PNG of the camera's size whose non-zero pixels (ego vehicle) are never labelled; empty: none"),
    ("output_size", "size of labels and anomaly: camera or network"),
    (
        "providers",
        "execution providers in order: tensorrt, cuda, cpu; without cpu in the list every node of the graph must run on the others",
    ),
    ("threads", "CPU threads of inference, and as many of scoring, which take turns; 0: all cores"),
    (
        "onnxruntime",
        "path of libonnxruntime.so; empty: ORT_DYLIB_PATH, beside the program, the private prefix",
    ),
    (
        "latency_budget_ms",
        "from image stamp to published labels, in milliseconds; frames that cannot make it are not begun; 0: none",
    ),
    (
        "over_budget",
        "what becomes of a result that missed the budget: drop, or flag (published, and its frame_status says so)",
    ),
    (
        "bad_stamps",
        "images whose stamp is zero or ahead of the clock: arrival (their age counts from when they came) or drop",
    ),
    (
        "on_fault",
        "what is published for an image that the network fails on: silent (nothing) or all_unknown (labels of K everywhere)",
    ),
    (
        "on_stuck",
        "what is done about a frame that is not finished: exit (code 1, for a supervisor) or all_unknown (labels of K everywhere for each image that comes meanwhile)",
    ),
    ("stuck_after_s", "seconds of work on one frame after which it is called stuck"),
    ("stale_after_s", "seconds without an image after which the camera is reported stale"),
    (
        "heatmap_range",
        "score distance from the threshold at which the heatmap's colours end, in the score's unit",
    ),
    (
        "hysteresis.delta",
        "an unknown pixel is known again only when its score is so far below the threshold, in the score's unit; 0: at it",
    ),
    ("hysteresis.frames", "and only when it has been in so many frames in a row, 1 to 100"),
    ("image.frozen_after_s", "seconds of the very same picture after which it is reported frozen; 0: never"),
    ("image.black_share", "share of dark pixels above which the picture is reported black; 0: never"),
    ("image.bright_share", "share of white pixels above which it is reported over-exposed; 0: never"),
    ("image.blocked_share", "share of it without texture above which it is reported blocked; 0: never"),
    ("drift.window_s", "seconds of scores that are held against the calibration's histogram; 0: none"),
    (
        "drift.warn_psi",
        "population stability index from which on the calibration is said not to describe the stream",
    ),
    (
        "realtime.cpus",
        "CPUs that the inference thread and those it starts run on, e.g. 2,4-7, with threads set; empty: any",
    ),
    (
        "realtime.priority",
        "SCHED_FIFO priority of the inference thread and those it starts, 1 to 99; 0: none",
    ),
    ("realtime.lock_memory", "keep all of the process's memory in RAM (mlockall), once the model is warm"),
    (
        "realtime.required",
        "refuse to start where the system does not grant one of these; false: say so and go on",
    ),
    ("publish.labels_compressed", "offer ~/labels/compressed (PNG)"),
    ("publish.labels_color", "offer ~/labels/color (rgb8)"),
    ("publish.anomaly", "offer ~/anomaly (32FC1)"),
    ("publish.heatmap", "offer ~/anomaly/heatmap (bgr8)"),
    ("publish.overlay", "offer ~/overlay (bgr8)"),
    ("publish.frame_status", "offer ~/frame_status (DiagnosticArray with each result's header)"),
];

/// A parameter's value with its type, as ROS and YAML know them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the variants are the types' names
pub enum ParameterValue {
    Bool(bool),
    Integer(i64),
    Double(f64),
    String(String),
    Strings(Vec<String>),
}

impl ParameterValue {
    /// As ROS calls it.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Strings(_) => "string array",
        }
    }
}

impl ParameterValue {
    /// It, where it is of the same type as another.
    fn typed_as(self, other: &Self, parameter: &str) -> Result<Self, ConfigError> {
        match (self, other) {
            // ROS users write 1 where 1.0 is meant.
            (Self::Integer(v), Self::Double(_)) => Ok(Self::Double(v as f64)),
            (value, other) if value.type_name() == other.type_name() => Ok(value),
            (value, other) => {
                let (got, expected) = (value.to_string(), other.type_name());
                Err(ConfigError::Type { parameter: parameter.to_owned(), got, expected })
            }
        }
    }
}

impl std::fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.type_name();
        match self {
            Self::Bool(v) => write!(f, "{kind} {v}"),
            Self::Integer(v) => write!(f, "{kind} {v}"),
            Self::Double(v) => write!(f, "{kind} {v}"),
            Self::String(v) => write!(f, "{kind} \"{v}\""),
            Self::Strings(v) => write!(f, "{kind} {v:?}"),
        }
    }
}

impl From<ParameterValue> for Value {
    fn from(value: ParameterValue) -> Self {
        match value {
            ParameterValue::Bool(v) => v.into(),
            ParameterValue::Integer(v) => v.into(),
            ParameterValue::Double(v) => v.into(),
            ParameterValue::String(v) => v.into(),
            ParameterValue::Strings(v) => v.into(),
        }
    }
}

impl Parameters {
    /// From names and values, nested ones dotted (`publish.anomaly`); what is not named keeps its default.
    ///
    /// # Errors
    /// A name that is not known, a value of another type.
    pub fn from_values(
        values: impl IntoIterator<Item = (String, ParameterValue)>,
    ) -> Result<Self, ConfigError> {
        let defaults = Self::default().to_values()?;
        let default = |name: &str| defaults.iter().find(|(known, _)| *known == name).map(|(_, v)| v);
        let values: Vec<(String, ParameterValue)> = values.into_iter().collect();
        let named = values.iter().find_map(|(name, value)| match value {
            ParameterValue::Strings(cameras) if name == "cameras" => Some(cameras.clone()),
            _ => None,
        });
        let named = named.unwrap_or_default();
        let mut root = Mapping::new();
        let mut own: BTreeMap<String, BTreeMap<String, ParameterValue>> = BTreeMap::new();
        for (name, value) in values {
            match (default(&name), cameras::split(&name)) {
                (Some(default), _) => {
                    let value = value.typed_as(default, &name)?;
                    match name.split_once('.') {
                        None => root.insert(name.into(), value.into()),
                        Some((group, key)) => root
                            .entry(group.into())
                            .or_insert_with(|| Mapping::new().into())
                            .as_mapping_mut()
                            .and_then(|group| group.insert(key.into(), value.into())),
                    };
                }
                (None, Some((camera, _))) if !named.iter().any(|n| n == camera) => {
                    let (camera, cameras) = (camera.to_owned(), named.join(", "));
                    return Err(ConfigError::NoCamera { parameter: name, camera, cameras });
                }
                (None, Some((camera, key))) => {
                    let Some(default) = default(key) else { return Err(ConfigError::Unknown(name)) };
                    let value = value.typed_as(default, &name)?;
                    own.entry(camera.to_owned()).or_default().insert(key.to_owned(), value);
                }
                (None, None) => return Err(ConfigError::Unknown(name)),
            }
        }
        let mut parameters: Self =
            yaml::from_value(root.into()).map_err(|e| ConfigError::Shape(e.to_string()))?;
        parameters.own = own;
        Ok(parameters)
    }

    /// Names and values, nested ones dotted, in the order of [`DESCRIPTIONS`].
    ///
    /// # Errors
    /// None that these types can give; YAML's are passed on rather than ignored.
    pub fn to_values(&self) -> Result<Vec<(&'static str, ParameterValue)>, ConfigError> {
        let shape = |e: String| ConfigError::Shape(e);
        let root = yaml::to_value(self).map_err(|e| shape(e.to_string()))?;
        let lookup = |name: &str| name.split('.').try_fold(&root, |v, key| v.get(key)).cloned();
        let loose = |v: Value| match v {
            Value::Bool(b) => Some(ParameterValue::Bool(b)),
            Value::String(s) => Some(ParameterValue::String(s)),
            Value::Sequence(s) => s
                .iter()
                .map(|v| v.as_str().map(Into::into))
                .collect::<Option<_>>()
                .map(ParameterValue::Strings),
            Value::Number(n) if n.is_f64() => n.as_f64().map(ParameterValue::Double),
            Value::Number(n) => n.as_i64().map(ParameterValue::Integer),
            _ => None,
        };
        DESCRIPTIONS
            .iter()
            .map(|(name, _)| {
                lookup(name)
                    .and_then(loose)
                    .map(|v| (*name, v))
                    .ok_or_else(|| shape(format!("{name} is described but not a parameter")))
            })
            .collect()
    }
}
