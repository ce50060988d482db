//! The objectives, as settings name them, and the terms they are sums of.

use super::LossError;
use crate::score::Score;
use serde::{Deserialize, Serialize};

/// What a phase of a training minimises.
///
/// In YAML: `{kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03}`, with `floor: -10` or without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", from = "Written")]
pub enum Objective {
    /// The known classes alone, eq. (10).
    ClosedSet,
    /// The compound loss of the paper, eqs. (14) and (41):
    /// L = −E_in\[β1·ln P(y|x) + β2·ln P(d_in|x)\] − E_out\[β3·ln(1−P(d_in|x)) − β4·ln p̂(x)\].
    Hybrid {
        /// Of the classes of inliers; 1 in the paper.
        beta1: f64,
        /// Of inliers being told from outliers.
        beta2: f64,
        /// Of outliers being told from inliers.
        beta3: f64,
        /// Of the likelihood of outliers, which is made smaller.
        beta4: f64,
        /// ln p̂(x) of an outlier pixel, nats, below which it is small enough and teaches nothing more; `None`: there
        /// is no such level.
        ///
        /// Deviation: the paper has none, and the last term no lower bound. At the paper's learning rates it does
        /// not get far; at larger ones outliers that are found already go on to be pushed, to hundreds of nats
        /// below, and the features that this takes are missing where classes are told apart. With a floor these add
        /// no gradient; the others keep their share of the mean, one part in the number of outliers each.
        floor: Option<f64>,
        /// Weight · E_in\[max(0, E − inlier)²\] beside them, as in the energy margin below; `None`: nothing.
        ///
        /// Deviation: the paper has none. Eq. (41) leaves the likelihood of inliers to the class posterior, and what a
        /// closed-set training with a margin made likely is forgotten, unless negatives are so much like anomalies
        /// that the last term holds it by itself.
        margin: Option<Margin>,
    },
    /// Baseline, outlier exposure (Hendrycks et al., 2019): eq. (10) + weight · E_out\[cross-entropy between
    /// the uniform distribution and P(y|x)\].
    OutlierExposure {
        /// λ; 0.5 where it was published.
        weight: f64,
    },
    /// Baseline, the energy margin (Liu et al., 2020), with E(x) = −ln p̂(x): eq. (10) +
    /// weight · (E_in\[max(0, E − inlier)²\] + E_out\[max(0, outlier − E)²\]). Margins of −15 and −5 and a weight
    /// of 0.1 are usual for segmentation.
    ///
    /// Without m_out it is of the known classes alone, a closed-set training: rare classes and the borders between
    /// classes, which cross-entropy leaves as unlikely as what is strange, become as likely as the rest.
    EnergyMargin {
        /// m_in: energies of inliers are pushed below it.
        inlier: f64,
        /// m_out: energies of outliers are pushed above it; `None`: there are none.
        outlier: Option<f64>,
        /// λ
        weight: f64,
    },
    /// Baseline, the classifier of K+1 classes whose last is void: cross-entropy over
    /// softmax(\[s, g\]), with g the void logit.
    ///
    /// With a tied dataset head, d = g − LSE(s), it falls apart into terms that are here already. Write
    /// Σ = e^LSE(s) for the sum over the K classes. The K+1 posteriors are
    /// - void: e^g / (Σ + e^g) = 1 / (1 + e^−(g − LSE(s))) = σ(d) = P(d_out|x);
    /// - class y: e^(s_y) / (Σ + e^g) = (e^(s_y) / Σ) · (Σ / (Σ + e^g)) = P(y|x) · P(d_in|x).
    ///
    /// So the cross-entropy is −ln P(y|x) − ln P(d_in|x) on an inlier and −ln P(d_out|x) on an outlier: its
    /// means are L_cls + L_d, eqs. (10) and (13). What makes it another model is the tied head, not the loss.
    VoidClassifier {
        /// Of the outliers' mean; 1 is the plain L_cls + L_d.
        weight: f64,
    },
    /// The dataset head alone, L_d of eq. (13): for a trunk that stays as it is.
    DatasetHead,
    /// The run's generator alone, fitted to whole crops by eq. (16); the segmenter is not asked and stays as it is.
    Generator,
}

/// What keeps inliers likely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// m_in: energies of inliers, −ln p̂(x) in nats, are pushed below it.
    pub inlier: f64,
    /// Its weight.
    pub weight: f64,
}

/// An objective as it is read: variants with braces, since serde lets unknown keys pass on those without.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    ClosedSet {},
    Hybrid { beta1: f64, beta2: f64, beta3: f64, beta4: f64, floor: Option<f64>, margin: Option<Margin> },
    OutlierExposure { weight: f64 },
    EnergyMargin { inlier: f64, outlier: Option<f64>, weight: f64 },
    VoidClassifier { weight: f64 },
    DatasetHead {},
    Generator {},
}

impl From<Written> for Objective {
    fn from(written: Written) -> Self {
        match written {
            Written::ClosedSet {} => Self::ClosedSet,
            Written::Hybrid { beta1, beta2, beta3, beta4, floor, margin } => {
                Self::Hybrid { beta1, beta2, beta3, beta4, floor, margin }
            }
            Written::OutlierExposure { weight } => Self::OutlierExposure { weight },
            Written::EnergyMargin { inlier, outlier, weight } => {
                Self::EnergyMargin { inlier, outlier, weight }
            }
            Written::VoidClassifier { weight } => Self::VoidClassifier { weight },
            Written::DatasetHead {} => Self::DatasetHead,
            Written::Generator {} => Self::Generator,
        }
    }
}

/// One mean of an objective. s are a pixel's logits, d its dataset logit, y its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// L_cls, eq. (10): E_in\[−ln P(y|x)\] = E_in\[−s_y + LSE(s)\], by class weights where there are any.
    ///
    /// It is also the inlier part of eq. (12), E_in\[−s_y\], which is counted once (24-26): maximising s_y
    /// against LSE(s) of inliers is left to the class posterior.
    Class,
    /// The first part of L_d, eq. (13): E_in\[−ln P(d_in|x)\] = E_in\[−ln σ(−d)\].
    ///
    /// Deviation: from the reference code, which averages L_d over all pixels; here each part is a mean over
    /// its own, as the paper writes it.
    DatasetIn,
    /// The second part of L_d, eq. (13): E_out\[−ln(1 − P(d_in|x))\] = E_out\[−ln σ(d)\].
    DatasetOut,
    /// The outliers' part of eqs. (11) and (12): E_out\[ln p̂(x)\] = E_out\[LSE(s)\]. It has no lower bound, unless
    /// it is E_out\[max(LSE(s), floor)\].
    Likelihood {
        /// Of the hybrid objective.
        floor: Option<f64>,
    },
    /// Outlier exposure: E_out\[−1/K · Σ_k ln P(k|x)\] = E_out\[LSE(s) − 1/K · Σ_k s_k\]; at least ln K.
    Uniform,
    /// L_jsd, eq. (17), over the outliers: see [`jensen_shannon_to_uniform`](super::jensen_shannon_to_uniform).
    JensenShannon,
    /// E_in\[max(0, −LSE(s) − margin)²\]
    EnergyIn {
        /// m_in
        margin: f64,
    },
    /// E_out\[max(0, margin + LSE(s))²\]
    EnergyOut {
        /// m_out
        margin: f64,
    },
}

/// A term and its share in an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// 0 or more.
    pub weight: f64,
    /// The mean.
    pub term: Term,
}

impl Term {
    /// As logs and curves call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::DatasetIn => "dataset_in",
            Self::DatasetOut => "dataset_out",
            Self::Likelihood { .. } => "likelihood_out",
            Self::Uniform => "uniform_out",
            Self::JensenShannon => "jensen_shannon",
            Self::EnergyIn { .. } => "energy_in",
            Self::EnergyOut { .. } => "energy_out",
        }
    }
}

impl Objective {
    /// The sum that the objective is.
    pub fn terms(&self) -> Vec<Weighted> {
        let sum = |terms: &[(f64, Term)]| {
            terms.iter().map(|&(weight, term)| Weighted { weight, term }).collect::<Vec<_>>()
        };
        match *self {
            Self::ClosedSet => sum(&[(1.0, Term::Class)]),
            Self::Hybrid { beta1, beta2, beta3, beta4, floor, margin } => {
                let mut terms = sum(&[
                    (beta1, Term::Class),
                    (beta2, Term::DatasetIn),
                    (beta3, Term::DatasetOut),
                    (beta4, Term::Likelihood { floor }),
                ]);
                terms.extend(margin.map(|Margin { inlier, weight }| Weighted {
                    weight,
                    term: Term::EnergyIn { margin: inlier },
                }));
                terms
            }
            Self::OutlierExposure { weight } => sum(&[(1.0, Term::Class), (weight, Term::Uniform)]),
            Self::EnergyMargin { inlier, outlier, weight } => {
                let mut terms = sum(&[(1.0, Term::Class), (weight, Term::EnergyIn { margin: inlier })]);
                terms.extend(outlier.map(|margin| Weighted { weight, term: Term::EnergyOut { margin } }));
                terms
            }
            Self::VoidClassifier { weight } => {
                sum(&[(1.0, Term::Class), (1.0, Term::DatasetIn), (weight, Term::DatasetOut)])
            }
            Self::DatasetHead => sum(&[(1.0, Term::DatasetIn), (1.0, Term::DatasetOut)]),
            Self::Generator => Vec::new(),
        }
    }

    /// Whether batches need pasted negatives for it to be what it says.
    pub fn needs_outliers(&self) -> bool {
        self.score().is_some()
    }

    /// The score whose anomalies it is to find: by it the best checkpoint is chosen. `None`: it is of known
    /// classes alone.
    pub fn score(&self) -> Option<Score> {
        match self {
            Self::ClosedSet | Self::EnergyMargin { outlier: None, .. } | Self::Generator => None,
            Self::Hybrid { .. } | Self::DatasetHead => Some(Score::Hybrid),
            Self::OutlierExposure { .. } => Some(Score::Msp),
            Self::EnergyMargin { .. } => Some(Score::Generative),
            Self::VoidClassifier { .. } => Some(Score::Discriminative),
        }
    }

    /// Whether it teaches the dataset head anything.
    pub fn trains_dataset_head(&self) -> bool {
        let of_head = |w: &Weighted| w.weight > 0.0 && matches!(w.term, Term::DatasetIn | Term::DatasetOut);
        self.terms().iter().any(of_head)
    }

    /// Refuses numbers that make no objective, before a training starts.
    ///
    /// # Errors
    /// A weight below 0 or not finite; margins of energy that are not finite or in the wrong order; a floor
    /// that is not finite.
    pub fn check(&self) -> Result<(), LossError> {
        let weights: &[(&'static str, f64)] = match *self {
            Self::ClosedSet | Self::DatasetHead | Self::Generator => &[],
            Self::Hybrid { beta1, beta2, beta3, beta4, floor, margin } => {
                if let Some(got) = floor.filter(|floor| !floor.is_finite()) {
                    return Err(LossError::Floor { got });
                }
                let Margin { inlier, weight } = margin.unwrap_or(Margin { inlier: 0.0, weight: 0.0 });
                if !inlier.is_finite() {
                    return Err(LossError::Margins { inlier, outlier: None });
                }
                &[
                    ("beta1", beta1),
                    ("beta2", beta2),
                    ("beta3", beta3),
                    ("beta4", beta4),
                    ("margin's weight", weight),
                ]
            }
            Self::OutlierExposure { weight } | Self::VoidClassifier { weight } => &[("weight", weight)],
            Self::EnergyMargin { inlier, outlier, weight } => {
                let is_below = |outlier: f64| outlier.is_finite() && inlier < outlier;
                if !inlier.is_finite() || !outlier.is_none_or(is_below) {
                    return Err(LossError::Margins { inlier, outlier });
                }
                &[("weight", weight)]
            }
        };
        match weights.iter().find(|(_, w)| !(w.is_finite() && *w >= 0.0)) {
            Some(&(name, got)) => Err(LossError::Weight { name, got }),
            None => Ok(()),
        }
    }
}
