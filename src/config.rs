//! What the user may set, raw as it was typed and checked as it is used.
//!
//! [`Parameters`] are the node's ROS parameters and, for the walk of a frame, the desk tool's options: one
//! list, one set of defaults, one set of checks. [`Parameters::settings`] holds them against a model and
//! gives [`PipelineSettings`], in which nothing can be wrong any more. Knows nothing of ROS: parameters
//! arrive as names and loose values.

use crate::model::Model;
use crate::preprocess::geometry::{Fit, OutputSize, Rect, Size};
use crate::score::Score;
use crate::yaml::{self, Mapping, Value};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that can be set, as typed. `config/open_set.param.yaml` shows all of it with the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field's sentence stands in DESCRIPTIONS
pub struct Parameters {
    pub model: String,
    pub camera_topic: String,
    pub camera_info_topic: String,
    pub score: String,
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
    pub stale_after_s: f64,
    pub heatmap_range: f64,
    pub publish: Publish,
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
            camera_topic: "/camera/image_raw".into(),
            camera_info_topic: String::new(),
            score: "hybrid".into(),
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
            stale_after_s: 1.0,
            heatmap_range: 5.0,
            publish: Publish::default(),
        }
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
pub const DESCRIPTIONS: [(&str, &str); 22] = [
    ("model", "manifest of the model (models/NAME.yaml); its ONNX file lies beside it"),
    ("camera_topic", "sensor_msgs/Image to segment"),
    ("camera_info_topic", "sensor_msgs/CameraInfo of that camera; empty: camera_info beside camera_topic"),
    (
        "score",
        "anomaly score: hybrid, generative, discriminative, max-logit or msp; higher is more anomalous",
    ),
    (
        "threshold_override",
        "scores above it are unknown, in the score's unit; NaN: the manifest's calibration",
    ),
    ("input_size", "network input WIDTHxHEIGHT; empty: the manifest's first"),
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
        "from image stamp to published labels, in milliseconds; frames already older are not begun, results older say so in frame_status; 0: none",
    ),
    ("stale_after_s", "seconds without an image after which the camera is reported stale"),
    (
        "heatmap_range",
        "score distance from the threshold at which the heatmap's colours end, in the score's unit",
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

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A name that is none of them.
    #[error("parameter {0} is not known; known: {known}", known = DESCRIPTIONS.map(|(n, _)| n).join(", "))]
    Unknown(String),
    /// A known name with another type's value.
    #[error("parameter {parameter} is {got}, it must be of type {expected}")]
    Type {
        /// Its name.
        parameter: String,
        /// The value that came, with its type.
        got: String,
        /// The type it has.
        expected: &'static str,
    },
    /// A parameter file that is not one.
    #[error("parameters: {0}")]
    Shape(String),
    /// A word that is none of the choices.
    #[error("parameter {parameter} is \"{got}\": choose one of {choices}")]
    Choice {
        /// Its name.
        parameter: &'static str,
        /// As typed.
        got: String,
        /// Comma-separated.
        choices: String,
    },
    /// Right type, impossible value.
    #[error("parameter {parameter} is {got}: {expected}")]
    Value {
        /// Its name.
        parameter: &'static str,
        /// As typed.
        got: String,
        /// What would do.
        expected: &'static str,
    },
    /// The score reads what the model does not give.
    #[error(
        "score {score} needs dataset_logits, which model {model} does not have: set score to generative or max-logit"
    )]
    ClosedSet {
        /// As asked for.
        score: &'static str,
        /// By its manifest.
        model: String,
    },
    /// No threshold to be had.
    #[error(
        "model {model} has no calibration of score {score} at {size}; it has {offered}. Set threshold_override, \
         choose one of these, or calibrate"
    )]
    Uncalibrated {
        /// By its manifest.
        model: String,
        /// As asked for.
        score: &'static str,
        /// Of the network input.
        size: Size,
        /// Those in the manifest.
        offered: String,
    },
}

/// A checked answer to everything the walk of a frame needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineSettings {
    /// The formula.
    pub score: Score,
    /// Above it a pixel is UNKNOWN.
    pub threshold: f32,
    /// Where that number comes from, for logs and diagnostics.
    pub threshold_origin: String,
    /// Of the network.
    pub input_size: Size,
    /// How the image meets it.
    pub fit: Fit,
    /// In camera pixels; `None`: the whole image.
    pub region: Option<Rect>,
    /// Of labels and anomaly.
    pub output_size: OutputSize,
}

/// What an ONNX session is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeSettings {
    /// In the order they are to be tried; never empty.
    pub providers: Vec<Provider>,
    /// 0: all cores.
    pub threads: usize,
    /// Where to look for ONNX Runtime first.
    pub library: Option<PathBuf>,
}

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// ONNX Runtime's own kernels.
    Cpu,
    /// NVIDIA CUDA.
    Cuda,
    /// NVIDIA TensorRT.
    TensorRt,
}

impl Provider {
    /// Every provider with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Cpu, "cpu"), (Self::Cuda, "cuda"), (Self::TensorRt, "tensorrt")];

    /// The name in configuration and diagnostics.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, n)| n)
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
        let mut root = Mapping::new();
        for (name, value) in values {
            let Some((_, default)) = defaults.iter().find(|(known, _)| *known == name) else {
                return Err(ConfigError::Unknown(name));
            };
            let value = match (value, default) {
                // ROS users write 1 where 1.0 is meant.
                (ParameterValue::Integer(v), ParameterValue::Double(_)) => ParameterValue::Double(v as f64),
                (value, default) if value.type_name() == default.type_name() => value,
                (value, default) => {
                    let (got, expected) = (value.to_string(), default.type_name());
                    return Err(ConfigError::Type { parameter: name, got, expected });
                }
            };
            match name.split_once('.') {
                None => root.insert(name.into(), value.into()),
                Some((group, key)) => root
                    .entry(group.into())
                    .or_insert_with(|| Mapping::new().into())
                    .as_mapping_mut()
                    .and_then(|group| group.insert(key.into(), value.into())),
            };
        }
        yaml::from_value(root.into()).map_err(|e| ConfigError::Shape(e.to_string()))
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

    /// Holds the walk's settings against a model.
    ///
    /// # Errors
    /// A value out of range, a score the model cannot give, or a threshold nobody calibrated or gave.
    pub fn settings(&self, model: &Model) -> Result<PipelineSettings, ConfigError> {
        let score = choice("score", &self.score, &Score::ALL)?;
        if score.needs_dataset_logits() && model.manifest().outputs.dataset_logits.is_none() {
            return Err(ConfigError::ClosedSet { score: score.name(), model: model.manifest().name.clone() });
        }
        let input_size = match self.input_size.as_str() {
            "" => model.preferred_size(),
            text => parse_size(text)?,
        };
        let (threshold, threshold_origin) = self.threshold(model, score, input_size)?;
        Ok(PipelineSettings {
            score,
            threshold,
            threshold_origin,
            input_size,
            fit: choice("fit", &self.fit, &Fit::ALL)?,
            region: if self.region.is_empty() { None } else { Some(parse_region(&self.region)?) },
            output_size: choice("output_size", &self.output_size, &OutputSize::ALL)?,
        })
    }

    fn threshold(&self, model: &Model, score: Score, size: Size) -> Result<(f32, String), ConfigError> {
        let given = self.threshold_override;
        if (given as f32).is_infinite() {
            return Err(value("threshold_override", given, "a finite number, or NaN for the manifest's"));
        }
        if !given.is_nan() {
            return Ok((given as f32, "threshold_override".into()));
        }
        match model.calibration(score, size) {
            Some(c) => {
                Ok((c.threshold, format!("calibrated on {} ({} frames, tpr {})", c.set, c.frames, c.tpr)))
            }
            None => {
                let all = &model.manifest().calibrations;
                let list: Vec<_> = all.iter().map(|c| format!("{} at {}", c.score, c.input_size)).collect();
                let offered = if list.is_empty() { "none".into() } else { list.join(", ") };
                let model = model.manifest().name.clone();
                Err(ConfigError::Uncalibrated { model, score: score.name(), size, offered })
            }
        }
    }

    /// What an ONNX session is made from.
    ///
    /// # Errors
    /// An unknown or repeated provider, none at all, or a negative number of threads.
    pub fn runtime(&self) -> Result<RuntimeSettings, ConfigError> {
        let providers: Vec<_> = self
            .providers
            .iter()
            .map(|p| choice("providers", p, &Provider::ALL))
            .collect::<Result<_, _>>()?;
        let repeated = providers.iter().enumerate().any(|(i, p)| providers[..i].contains(p));
        // The CPU takes every node it is offered: what stood behind it would never be used.
        let after_cpu = providers.iter().rev().skip(1).any(|p| *p == Provider::Cpu);
        if providers.is_empty() || repeated || after_cpu {
            let expected = "at least one, each once, cpu last";
            return Err(value("providers", format!("{:?}", self.providers), expected));
        }
        let threads = usize::try_from(self.threads)
            .ok()
            .filter(|t| *t <= 1024)
            .ok_or_else(|| value("threads", self.threads, "between 0 (all cores) and 1024"))?;
        let library = (!self.onnxruntime.is_empty()).then(|| PathBuf::from(&self.onnxruntime));
        Ok(RuntimeSettings { providers, threads, library })
    }

    /// Checks what only the node reads.
    ///
    /// # Errors
    /// A topic that is empty, a number out of range.
    pub fn check_node(&self) -> Result<(), ConfigError> {
        check_topic("camera_topic", &self.camera_topic)?;
        if !self.camera_info_topic.is_empty() {
            check_topic("camera_info_topic", &self.camera_info_topic)?;
        }
        let within = |parameter, v: f64, low: f64, high: f64, expected| {
            if v >= low && v <= high { Ok(()) } else { Err(value(parameter, v, expected)) }
        };
        within("latency_budget_ms", self.latency_budget_ms, 0.0, 60_000.0, "0 (none) to 60000")?;
        within("stale_after_s", self.stale_after_s, 0.01, 3600.0, "0.01 to 3600")?;
        within("heatmap_range", self.heatmap_range, 1e-3, 1e3, "0.001 to 1000")
    }

    /// The camera info topic: as set, or `camera_info` beside the image topic `camera`.
    pub fn camera_info_topic(&self, camera: &str) -> String {
        if !self.camera_info_topic.is_empty() {
            return self.camera_info_topic.clone();
        }
        match camera.rsplit_once('/') {
            Some((parent, _)) => format!("{parent}/camera_info"),
            None => "camera_info".into(),
        }
    }
}

fn value(parameter: &'static str, got: impl ToString, expected: &'static str) -> ConfigError {
    ConfigError::Value { parameter, got: got.to_string(), expected }
}

fn choice<T: Copy>(parameter: &'static str, got: &str, all: &[(T, &'static str)]) -> Result<T, ConfigError> {
    all.iter().find(|(_, n)| *n == got).map(|(t, _)| *t).ok_or_else(|| ConfigError::Choice {
        parameter,
        got: got.into(),
        choices: all.iter().map(|(_, n)| *n).collect::<Vec<_>>().join(", "),
    })
}

/// ROS 2's rules for the names of topics.
fn check_topic(parameter: &'static str, topic: &str) -> Result<(), ConfigError> {
    let is_word = |token: &str| {
        token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !token.starts_with(|c: char| c.is_ascii_digit())
    };
    let path = topic.strip_prefix("~/").or(topic.strip_prefix('/')).unwrap_or(topic);
    if path.split('/').all(|token| !token.is_empty() && is_word(token)) {
        return Ok(());
    }
    let expected =
        "a topic's name: words of letters, digits and _ between single /, none beginning with a digit";
    Err(value(parameter, format!("\"{topic}\""), expected))
}

fn parse_size(text: &str) -> Result<Size, ConfigError> {
    let side = |s: &str| s.trim().parse::<usize>().ok().filter(|v| (1..=8192).contains(v));
    text.split_once('x')
        .and_then(|(w, h)| Some(Size { width: side(w)?, height: side(h)? }))
        .ok_or_else(|| value("input_size", text, "WIDTHxHEIGHT, each 1 to 8192, e.g. 480x360"))
}

fn parse_region(text: &str) -> Result<Rect, ConfigError> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([x, y, width, height]) if *width > 0 && *height > 0 => {
            Ok(Rect { x: *x, y: *y, width: *width, height: *height })
        }
        _ => Err(value("region", text, "x,y,width,height in camera pixels, e.g. 0,200,1280,520")),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
