//! Why a flow could not be made or run.

use tch::{Kind, TchError};

use super::STRIDE;
use super::spec::PRESETS;
use crate::train::model::NetworkError;

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A name that stands for no spec.
    #[error("there is no flow {got}: there are {}", PRESETS.join(", "))]
    Preset {
        /// As asked for.
        got: String,
    },
    /// A number of a spec that makes no flow.
    #[error("a flow of {field} {got}: it has to be from {least} to {most}")]
    Spec {
        /// Which number.
        field: &'static str,
        /// As asked for.
        got: usize,
        /// The smallest that there can be.
        least: usize,
        /// The largest.
        most: usize,
    },
    /// A picture that does not come out even when it is halved three times.
    #[error(
        "a picture {height} high and {width} wide: a flow halves both sides three times, so they have to be \
         multiples of {}, such as {} and {}",
        STRIDE,
        nearest(*.height),
        nearest(*.width)
    )]
    Size {
        /// Rows.
        height: i64,
        /// Columns.
        width: i64,
    },
    /// A tensor that is none of what is asked for.
    #[error("{what} are {got:?}: they have to be {expected}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// Its shape.
        got: Vec<i64>,
        /// The shape it must have, in words.
        expected: String,
    },
    /// Numbers that a flow does not compute in.
    #[error("{what} are {got:?}: a flow computes in f32, or in f64 where every digit counts")]
    Kind {
        /// Which tensor.
        what: &'static str,
        /// Of its numbers.
        got: Kind,
    },
    /// NaN or infinity, in what every later number depends on.
    #[error("{what} hold numbers that are not finite: a flow would begin with them")]
    NotFinite {
        /// Which tensor.
        what: &'static str,
    },
    /// Latents of another flow.
    #[error("{got} latents for a flow that has {expected}: one for each block")]
    Latents {
        /// How many there are.
        got: usize,
        /// How many it has.
        expected: usize,
    },
    /// A source of given noise at its end.
    #[error("the noise given is used up: this flow draws more tensors of it")]
    NoNoise,
    /// Used before it was initialised.
    #[error(
        "this flow was not initialised: it learns the scale of its data from a first batch (`initialise`), or \
         loads the parameters of a flow that has"
    )]
    NotInitialised,
    /// Initialised twice.
    #[error("this flow is initialised already: a second time would throw away what it has learnt")]
    Initialised,
    /// Statistics of next to nothing.
    #[error(
        "the last block gets {got} values per channel of this batch, and takes its scale from {least} or \
         more: initialise with more or larger pictures"
    )]
    FewValues {
        /// How many.
        got: i64,
        /// How many there have to be.
        least: i64,
    },
    /// Of the parameters.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What libtorch says.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
}

/// A side that would do.
fn nearest(side: i64) -> i64 {
    (side.saturating_add(STRIDE / 2) / STRIDE).max(1).saturating_mul(STRIDE)
}
