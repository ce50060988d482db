//! What `open-set fit` found on the training set, as the manifest keeps it.

use crate::score::{Fitted, Score, Scoring};
use serde::{Deserialize, Serialize};

/// The manifest's section `statistics`: one entry a score that needs some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Of [`Score::Sml`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sml: Option<MaxLogits>,
    /// Of [`Score::React`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub react: Option<Clip>,
}

/// The largest logit of inlier pixels, by the class that has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxLogits {
    /// `[K]`.
    pub mean: Vec<f32>,
    /// `[K]`.
    pub deviation: Vec<f32>,
    /// Classes that were predicted too rarely to have statistics of their own: they have those of all
    /// pixels together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<String>,
    /// On what.
    pub fit: Fit,
}

/// Where pre-logits are clipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// The value that so large a share of the set's pre-logits does not exceed.
    pub clip: f32,
    /// That share, between 0 and 1.
    pub quantile: f64,
    /// On what.
    pub fit: Fit,
}

/// What statistics were fitted on and with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Name of the training set.
    pub set: String,
    /// Over the set's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_sha256: Option<String>,
    /// Images in it.
    pub frames: u64,
    /// Network input, `WIDTHxHEIGHT`. The statistics serve other sizes too; thresholds do not.
    pub input_size: String,
    /// Precision variant of the weights.
    pub precision: String,
    /// SHA-256 of the ONNX file: another file refuses them.
    pub model_sha256: String,
    /// Day of the fit, `YYYY-MM-DD`.
    pub date: String,
}

impl Statistics {
    /// As far as `score` reads them.
    pub(super) fn fitted(&self, score: Score) -> Fitted {
        let fitted = match score {
            Score::Sml => self
                .sml
                .as_ref()
                .map(|s| Fitted::MaxLogit { mean: s.mean.clone(), deviation: s.deviation.clone() }),
            Score::React => self.react.as_ref().map(|r| Fitted::Clip(r.clip)),
            _ => None,
        };
        fitted.unwrap_or_default()
    }

    /// What serde's types cannot say: of how many classes, and whether a fit was `made_with` this model.
    ///
    /// # Errors
    /// Which entry is impossible, and what would do.
    pub(super) fn check(
        &self,
        classes: usize,
        made_with: impl Fn(&Fit) -> Result<(), String>,
    ) -> Result<(), String> {
        let fits = [
            (Score::Sml, self.sml.as_ref().map(|s| &s.fit)),
            (Score::React, self.react.as_ref().map(|r| &r.fit)),
        ];
        for (score, fit) in fits.into_iter().filter_map(|(score, fit)| Some((score, fit?))) {
            let wrong = |reason: String| format!("statistics of {score}: {reason}");
            made_with(fit).map_err(wrong)?;
            Scoring::new(score, 1.0, self.fitted(score)).map_err(|e| e.to_string())?;
        }
        if let Some(sml) = &self.sml
            && sml.mean.len() != classes
        {
            return Err(format!(
                "statistics of sml: of {} classes, the manifest has {}: fit again, or remove the block",
                sml.mean.len(),
                classes
            ));
        }
        if let Some(react) = &self.react
            && !(react.quantile > 0.0 && react.quantile < 1.0)
        {
            return Err(format!("statistics of react: quantile {}: between 0 and 1", react.quantile));
        }
        Ok(())
    }
}
