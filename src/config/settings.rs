//! Checked: what is meant, in which nothing can be wrong any more.

use super::{ConfigError, Parameters};
use crate::frame::Size;
use crate::model::{Calibration, Model};
use crate::preprocess::geometry::{Fit, OutputSize, Rect};
use crate::score::{Score, Scoring};
use std::path::PathBuf;

/// A checked answer to everything the walk of a frame needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineSettings {
    /// The formula, with its temperature and statistics.
    pub scoring: Scoring,
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
    /// Holds the walk's settings against a model.
    ///
    /// # Errors
    /// A value out of range, a score the model cannot give, or a threshold nobody calibrated or gave.
    pub fn settings(&self, model: &Model) -> Result<PipelineSettings, ConfigError> {
        let score = match Score::from_name(&self.score) {
            Some(score) => score,
            None => choice("score", &self.score, &Score::ALL)?,
        };
        if score.needs_dataset_logits() && model.manifest().outputs.dataset_logits.is_none() {
            return Err(ConfigError::ClosedSet { score: score.name(), model: model.manifest().name.clone() });
        }
        let scoring = model
            .scoring(score, self.temperature as f32)
            .map_err(|source| ConfigError::Scoring { model: model.manifest().name.clone(), source })?;
        let input_size = match self.input_size.as_str() {
            "" => model.preferred_size(),
            text => parse_size(text)?,
        };
        let (threshold, threshold_origin) = self.threshold(model, &scoring, input_size)?;
        let (fit, output_size) = self.layout()?;
        Ok(PipelineSettings {
            scoring,
            threshold,
            threshold_origin,
            input_size,
            fit,
            region: if self.region.is_empty() { None } else { Some(parse_region(&self.region)?) },
            output_size,
        })
    }

    /// How images are laid onto the network's input, and at which size the maps come out.
    ///
    /// # Errors
    /// A word that is none of the choices.
    pub fn layout(&self) -> Result<(Fit, OutputSize), ConfigError> {
        Ok((
            choice("fit", &self.fit, &Fit::ALL)?,
            choice("output_size", &self.output_size, &OutputSize::ALL)?,
        ))
    }

    fn threshold(&self, model: &Model, scoring: &Scoring, size: Size) -> Result<(f32, String), ConfigError> {
        let given = self.threshold_override;
        if (given as f32).is_infinite() {
            return Err(value("threshold_override", given, "a finite number, or NaN for the manifest's"));
        }
        if !given.is_nan() {
            return Ok((given as f32, "threshold_override".into()));
        }
        match model.calibration(scoring, size) {
            Some(c) => {
                Ok((c.threshold, format!("calibrated on {} ({} frames, tpr {})", c.set, c.frames, c.tpr)))
            }
            None => {
                let all = &model.manifest().calibrations;
                let list: Vec<_> = all.iter().map(Calibration::what).collect();
                let offered = if list.is_empty() { "none".into() } else { list.join(", ") };
                let model = model.manifest().name.clone();
                Err(ConfigError::Uncalibrated { model, score: scoring.to_string(), size, offered })
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
