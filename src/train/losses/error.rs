//! Why there is no loss.

use tch::TchError;

/// What [`super::loss`] and [`super::Objective::check`] refuse.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// Tensors of one batch that do not fit each other.
    #[error("{what} is {got:?} where logits {logits:?} and labels {labels:?} want {expected}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// Its shape.
        got: Vec<i64>,
        /// The shape it must have, in words.
        expected: &'static str,
        /// Of the logits.
        logits: Vec<i64>,
        /// Of the labels.
        labels: Vec<i64>,
    },
    /// A label that is neither a class nor void.
    #[error("label {got} among labels of 0..{classes} and 255 (void): map the data set's ids to the model's")]
    Label {
        /// The label.
        got: i64,
        /// K.
        classes: i64,
    },
    /// A weight of an objective that is no weight.
    #[error("{name} is {got}: a weight of a term is 0 or more, and finite")]
    Weight {
        /// Its name in the settings.
        name: &'static str,
        /// What it is.
        got: f64,
    },
    /// Margins between which there is no room, or that are none.
    #[error(
        "energy margins: inlier {inlier} is no number below {}: inliers have the lower energy",
        outlier.map_or("infinity".into(), |outlier| format!("outlier {outlier}"))
    )]
    Margins {
        /// m_in
        inlier: f64,
        /// m_out
        outlier: Option<f64>,
    },
    /// A floor that is none.
    #[error("floor is {got}: a finite number of nats, or leave it out")]
    Floor {
        /// What it is.
        got: f64,
    },
    /// libtorch.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
}
