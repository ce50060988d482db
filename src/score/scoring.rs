//! A score ready to compute: its name, its temperature, and what was fitted for it.

use super::Score;
use std::fmt;

/// Temperatures are from here on: a tenth of it and f32 would no longer hold the logits of every network.
const LEAST_TEMPERATURE: f32 = 1e-3;
/// Temperatures are up to here: beyond it all scores of a softmax are the same number.
const GREATEST_TEMPERATURE: f32 = 1e3;

/// What `open-set fit` found on the training set, as far as a score reads it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Fitted {
    /// Nothing: most scores need no more than a pixel's logits.
    #[default]
    Nothing,
    /// For [`Score::Sml`]: of the largest logit, where class k has it. Both `[K]`.
    MaxLogit {
        /// μ_k.
        mean: Vec<f32>,
        /// σ_k, above 0.
        deviation: Vec<f32>,
    },
    /// For [`Score::React`]: what pre-logits are clipped at.
    Clip(f32),
}

/// Why a score cannot be computed so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoringError {
    /// Zero, negative, not finite, or so far out that f32 no longer carries the logits.
    #[error("temperature is {0}: a number from {LEAST_TEMPERATURE} to {GREATEST_TEMPERATURE}")]
    Temperature(f32),
    /// Standardised by statistics of another temperature.
    #[error("score sml at temperature {0}: its statistics are of temperature 1, the only one it has")]
    SmlTemperature(f32),
    /// Needs what was not fitted.
    #[error("score {0} needs statistics of the training set: run open-set fit --score {0} --write")]
    Unfitted(Score),
    /// Fitted, but to nothing that can be computed with.
    #[error("statistics of score {score}: {reason}")]
    Statistics {
        /// That reads them.
        score: Score,
        /// What is wrong with them.
        reason: String,
    },
}

impl Score {
    /// # Errors
    /// A temperature that the score does not have.
    pub fn check_temperature(self, temperature: f32) -> Result<(), ScoringError> {
        if !(LEAST_TEMPERATURE..=GREATEST_TEMPERATURE).contains(&temperature) {
            return Err(ScoringError::Temperature(temperature));
        }
        if self == Self::Sml && temperature != 1.0 {
            return Err(ScoringError::SmlTemperature(temperature));
        }
        Ok(())
    }

    /// For people: its name and, where that is not 1, the temperature.
    pub fn tempered(self, temperature: f32) -> String {
        if temperature == 1.0 { self.to_string() } else { format!("{self} (temperature {temperature})") }
    }
}

/// A score, the temperature that divides every logit it reads, and its statistics: all that a pixel's
/// logits need to become a number.
///
/// Class logits and dataset logit alike are divided, so that the hybrid score is the sum of its two parts
/// at every temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    score: Score,
    temperature: f32,
    fitted: Fitted,
}

impl Scoring {
    /// Puts them together; what `fitted` holds for another score is dropped.
    ///
    /// # Errors
    /// A temperature that the score does not have, statistics that it lacks or that are no statistics.
    pub fn new(score: Score, temperature: f32, fitted: Fitted) -> Result<Self, ScoringError> {
        score.check_temperature(temperature)?;
        let fitted = match (score, fitted) {
            (Score::Sml, fitted @ Fitted::MaxLogit { .. }) | (Score::React, fitted @ Fitted::Clip(_)) => {
                check(&fitted).map_err(|reason| ScoringError::Statistics { score, reason })?;
                fitted
            }
            (Score::Sml | Score::React, _) => return Err(ScoringError::Unfitted(score)),
            _ => Fitted::Nothing,
        };
        Ok(Self { score, temperature, fitted })
    }

    /// The formula.
    pub fn score(&self) -> Score {
        self.score
    }

    /// Divides every logit that is read.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// Mean and deviation of the largest logit, each `[K]`, where the score reads them.
    pub fn class_statistics(&self) -> Option<(&[f32], &[f32])> {
        match &self.fitted {
            Fitted::MaxLogit { mean, deviation } => Some((mean, deviation)),
            _ => None,
        }
    }

    /// Where the score is one of rectified logits: what the pre-logits are clipped at before the class head.
    pub fn clip(&self) -> Option<f32> {
        match self.fitted {
            Fitted::Clip(clip) => Some(clip),
            _ => None,
        }
    }
}

fn check(fitted: &Fitted) -> Result<(), String> {
    match fitted {
        Fitted::Nothing => Ok(()),
        Fitted::MaxLogit { mean, deviation } => {
            if mean.len() != deviation.len() {
                return Err(format!("{} means but {} deviations", mean.len(), deviation.len()));
            }
            let bad = |(m, d): &(&f32, &f32)| !m.is_finite() || !d.is_finite() || **d <= 0.0;
            match mean.iter().zip(deviation).enumerate().find(|(_, pair)| bad(pair)) {
                Some((k, (m, d))) => {
                    Err(format!("mean {m}, deviation {d} of class {k}: finite numbers, deviation above 0"))
                }
                None => Ok(()),
            }
        }
        Fitted::Clip(clip) if clip.is_finite() => Ok(()),
        Fitted::Clip(clip) => Err(format!("clip {clip}: a finite number")),
    }
}

impl fmt::Display for Scoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.score.tempered(self.temperature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_score_needs_is_asked_for() {
        for (score, _) in Score::ALL {
            let bare = Scoring::new(score, 1.0, Fitted::Nothing);
            let needs = matches!(score, Score::Sml | Score::React);
            assert_eq!(bare.is_err(), needs, "{score}");
        }
        let statistics = |mean: &[f32], deviation: &[f32]| Fitted::MaxLogit {
            mean: mean.to_vec(),
            deviation: deviation.to_vec(),
        };
        let says = |score, temperature, fitted, part: &str| {
            let error = Scoring::new(score, temperature, fitted).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        says(Score::Sml, 1.0, Fitted::Clip(1.0), "run open-set fit --score sml");
        says(Score::React, 1.0, statistics(&[0.0], &[1.0]), "run open-set fit --score react");
        says(Score::Sml, 2.0, statistics(&[0.0], &[1.0]), "statistics are of temperature 1");
        says(Score::Sml, 1.0, statistics(&[0.0, 1.0], &[1.0]), "2 means but 1 deviations");
        says(Score::Sml, 1.0, statistics(&[0.0, 1.0], &[1.0, 0.0]), "mean 1, deviation 0 of class 1");
        says(Score::Sml, 1.0, statistics(&[f32::NAN], &[1.0]), "mean NaN");
        says(Score::React, 1.0, Fitted::Clip(f32::INFINITY), "clip inf");
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-4, 1e4] {
            says(Score::Msp, bad, Fitted::Nothing, "from 0.001 to 1000");
        }
    }

    #[test]
    fn a_temperature_is_said_where_there_is_one() {
        let said = |t| Scoring::new(Score::Msp, t, Fitted::Nothing).unwrap().to_string();
        assert_eq!((said(1.0), said(2.0)), ("msp".into(), "msp (temperature 2)".into()));
    }
}
