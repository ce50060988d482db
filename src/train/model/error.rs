//! Why a network could not be made, loaded or run.

use super::part::Part;

/// See the variants; a library's error comes with the layer it was in.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The label 255 is void, and one more stands for unknown.
    #[error("a network of {got} classes: there can be 1 to 254")]
    Classes {
        /// As asked for.
        got: usize,
    },
    /// The pyramid's levels have a quarter of it.
    #[error("a network of width {got}: it has to be a multiple of 4, from 4 to 4096")]
    Width {
        /// As asked for.
        got: usize,
    },
    /// Of two normalised logits only their order is left.
    #[error(
        "a Segmenter of {got} classes: its logits are normalised over the classes, so that there have to be \
         {fewest} or more"
    )]
    FewClasses {
        /// As asked for.
        got: usize,
        /// That would do.
        fewest: usize,
    },
    /// The pre-logits are the encoder's embeddings.
    #[error("{architecture} has a width of its own, {own}, not {got}")]
    OwnWidth {
        /// By name.
        architecture: &'static str,
        /// Its width.
        own: usize,
        /// As asked for.
        got: usize,
    },
    /// Channels that do not fit, in a description.
    #[error("{layer} is described for {expected} channels and gets {got}")]
    Channels {
        /// Name or kind of the layer.
        layer: String,
        /// As described.
        expected: usize,
        /// As given.
        got: usize,
    },
    /// One name, two parameters.
    #[error("two layers are called {name}: give each its own name")]
    Twice {
        /// The parameter.
        name: String,
    },
    /// A layer asks for what was never declared.
    #[error("the network has no parameter {name}")]
    Absent {
        /// The parameter.
        name: String,
    },
    /// Something that an optimizer cannot work on.
    #[error("{name} is {kind:?}{}: a parameter is a 32-bit float of its own", if *.leaf { "" } else { ", computed of others" })]
    NoMaster {
        /// The parameter.
        name: String,
        /// Of its numbers.
        kind: tch::Kind,
        /// Whether it is computed of nothing else.
        leaf: bool,
    },
    /// Names that begin with none of the parts.
    #[error("{name} is in no part of a network: names begin with {}", Part::ALL.map(Part::prefix).join(", "))]
    NoPart {
        /// The parameter.
        name: String,
    },
    /// Weights of another network.
    #[error(
        "these weights are another network's: {missing} of its parameters are missing there ({missing_some}), \
         {surplus} are unknown to it ({surplus_some})"
    )]
    Names {
        /// How many of the network's are not given.
        missing: usize,
        /// A few of them.
        missing_some: String,
        /// How many are given that the network has not.
        surplus: usize,
        /// A few of them.
        surplus_some: String,
    },
    /// Weights of other numbers.
    #[error("{name} is {expected:?} in the network and {got:?} in the weights given")]
    Shape {
        /// The parameter.
        name: String,
        /// In the network.
        expected: Vec<i64>,
        /// As given.
        got: Vec<i64>,
    },
    /// Position embeddings of no grid that a square image has.
    #[error(
        "the position embeddings given are {got:?}: they have to be [1, 1 + n·n, channels], a class token's and \
         a square grid's"
    )]
    Positions {
        /// As given.
        got: Vec<i64>,
    },
    /// The variance of one value is none.
    #[error(
        "{layer} has one value per channel to take statistics of: train with batches of two samples or more, \
         or with this part frozen"
    )]
    OneValue {
        /// The batch normalisation.
        layer: String,
    },
    /// What ONNX Runtime says of a model from outside, on whose pre-logits a head is.
    #[error(transparent)]
    Outside(#[from] crate::segmenter::SegmentError),
    /// What libtorch says of a layer.
    #[error("{layer}: {}", first_line(.source))]
    Layer {
        /// Name or kind of the layer.
        layer: String,
        /// libtorch's words.
        source: tch::TchError,
    },
    /// What libtorch says otherwise.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
}

/// libtorch's message goes on with a trace of its own calls.
fn first_line(e: &tch::TchError) -> String {
    e.to_string().lines().next().unwrap_or_default().to_owned()
}

impl NetworkError {
    /// For `map_err`: says which layer it was.
    pub(super) fn at(layer: &str) -> impl FnOnce(tch::TchError) -> Self {
        let layer = layer.to_owned();
        move |source| NetworkError::Layer { layer, source }
    }
}

/// The first few names, for a message.
pub(super) fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        text.push_str("none");
    }
    if names.next().is_some() {
        text.push_str(", ...");
    }
    text
}
