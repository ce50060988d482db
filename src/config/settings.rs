//! Checked: what is meant, in which nothing can be wrong any more.

use super::ranges::whole;
use super::words::{choice, value};
use super::{ConfigError, Parameters};
use crate::frame::Size;
use crate::model::{Calibration, Model, ScoreHistogram};
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
    /// How the score was distributed where the threshold was calibrated.
    pub histogram: Option<ScoreHistogram>,
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

/// The input size that is not one: whichever of the model's fits the latency budget.
const AUTO: &str = "auto";

impl Parameters {
    /// Checks of the walk's settings what can be checked without a model.
    ///
    /// # Errors
    /// A word that is none of the choices, a text that is no size or no region, a number out of range.
    pub fn walk(&self) -> Result<(), ConfigError> {
        let score = self.score()?;
        if let Err(source) = score.check_temperature(self.temperature as f32) {
            return Err(ConfigError::Shape(source.to_string()));
        }
        self.given_threshold()?;
        if !matches!(self.input_size.as_str(), "" | AUTO) {
            parse_size(&self.input_size)?;
        }
        self.region()?;
        self.layout().map(|_| ())
    }

    /// Holds the walk's settings against a model.
    ///
    /// # Errors
    /// A value out of range, a score the model cannot give, or a threshold nobody calibrated or gave.
    pub fn settings(&self, model: &Model) -> Result<PipelineSettings, ConfigError> {
        let scoring = self.scoring(model)?;
        let input_size = match self.input_size.as_str() {
            "" => model.preferred_size(),
            text => parse_size(text)?,
        };
        self.settings_at(model, &scoring, input_size)
    }

    /// As [`Parameters::settings`], of every input size that may be used: one, or, where `input_size` is auto,
    /// all those that the score is calibrated at. Each has its own threshold.
    ///
    /// # Errors
    /// Also: auto without a budget to choose by, or with one threshold for all sizes.
    pub fn choices(&self, model: &Model) -> Result<Vec<PipelineSettings>, ConfigError> {
        if self.input_size != AUTO {
            return Ok(vec![self.settings(model)?]);
        }
        if self.budget()?.budget_ms.is_none() {
            return Err(value("input_size", AUTO, "a size: auto chooses by latency_budget_ms, which is 0"));
        }
        if !self.threshold_override.is_nan() {
            let expected = "NaN where input_size is auto: every size has a threshold of its own";
            return Err(value("threshold_override", self.threshold_override, expected));
        }
        let scoring = self.scoring(model)?;
        let offered = model.manifest().input_sizes.iter();
        let offered = offered.map(|s| Size { width: s.width, height: s.height });
        let mut sizes: Vec<Size> = offered.filter(|s| model.calibration(&scoring, *s).is_some()).collect();
        if sizes.is_empty() {
            sizes.push(model.preferred_size()); // which then says what is missing
        }
        sizes.into_iter().map(|size| self.settings_at(model, &scoring, size)).collect()
    }

    fn score(&self) -> Result<Score, ConfigError> {
        match Score::from_name(&self.score) {
            Some(score) => Ok(score),
            None => choice("score", &self.score, &Score::ALL),
        }
    }

    fn scoring(&self, model: &Model) -> Result<Scoring, ConfigError> {
        let score = self.score()?;
        if score.needs_dataset_logits() && model.manifest().outputs.dataset_logits.is_none() {
            return Err(ConfigError::ClosedSet { score: score.name(), model: model.manifest().name.clone() });
        }
        model
            .scoring(score, self.temperature as f32)
            .map_err(|source| ConfigError::Scoring { model: model.manifest().name.clone(), source })
    }

    fn settings_at(
        &self,
        model: &Model,
        scoring: &Scoring,
        input_size: Size,
    ) -> Result<PipelineSettings, ConfigError> {
        let (threshold, threshold_origin, histogram) = self.threshold(model, scoring, input_size)?;
        let (fit, output_size) = self.layout()?;
        Ok(PipelineSettings {
            scoring: scoring.clone(),
            threshold,
            threshold_origin,
            histogram,
            input_size,
            fit,
            region: self.region()?,
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

    /// `None`: the whole image.
    fn region(&self) -> Result<Option<Rect>, ConfigError> {
        if self.region.is_empty() { Ok(None) } else { parse_region(&self.region).map(Some) }
    }

    /// `None`: the calibration's.
    fn given_threshold(&self) -> Result<Option<f32>, ConfigError> {
        let given = self.threshold_override;
        if (given as f32).is_infinite() {
            return Err(value("threshold_override", given, "a finite number, or NaN for the manifest's"));
        }
        Ok((!given.is_nan()).then_some(given as f32))
    }

    /// The threshold, where it comes from, and what its calibration saw.
    fn threshold(
        &self,
        model: &Model,
        scoring: &Scoring,
        size: Size,
    ) -> Result<(f32, String, Option<ScoreHistogram>), ConfigError> {
        if let Some(given) = self.given_threshold()? {
            return Ok((given, "threshold_override".into(), None));
        }
        match model.calibration(scoring, size) {
            Some(c) => {
                let origin = format!("calibrated on {} ({} frames, tpr {})", c.set, c.frames, c.tpr);
                Ok((c.threshold, origin, c.histogram.clone()))
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
        let threads = whole("threads", self.threads)?;
        let library = (!self.onnxruntime.is_empty()).then(|| PathBuf::from(&self.onnxruntime));
        Ok(RuntimeSettings { providers, threads, library })
    }
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
