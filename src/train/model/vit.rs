//! The vision transformer's encoder (Dosovitskiy et al. 2021), as timm has it, without its classifier.
//!
//! Where the patches are not as many as were learned positions, positions are resized bilinearly, as Segmenter does
//! (Strudel et al. 2021); what timm does, bicubic with antialiasing, ONNX has only from opset 18 on.
//!
//! Deviation: the class token and its position are one parameter. Nothing reads the one without the other.

use super::ops::{Conv, Ops, Positions, Tokens};
use super::transformer::{Width, block};

/// The numbers of an encoder.
#[derive(Debug)]
pub(super) struct Vit {
    /// Side of a patch, in pixels.
    pub patch: usize,
    pub width: Width,
    pub blocks: usize,
    /// Side of the grid of learned positions.
    pub positions: usize,
}

/// timm's.
const EPSILON: f64 = 1e-6;

/// ViT-B/16. Positions are as many as of an image of 384×384, in which the weights that Segmenter begins with were
/// trained last.
pub(super) static B16: Vit =
    Vit { patch: 16, width: Width { channels: 768, heads: 12, epsilon: EPSILON }, blocks: 12, positions: 24 };

/// Some tens of thousands of parameters, for tests and smoke runs.
pub(super) static TINY: Vit =
    Vit { patch: 16, width: Width { channels: 32, heads: 2, epsilon: EPSILON }, blocks: 2, positions: 4 };

/// An image's patches, encoded.
pub(super) struct Encoded<V> {
    /// The patches, row by row, without the class token.
    pub tokens: V,
    /// A map as high and wide as their grid.
    pub grid: V,
}

/// Names `encoder.patches.*`, `encoder.positions`, `encoder.class_token`, `encoder.block0.*` and on, `encoder.norm.*`.
pub(super) fn encode<O: Ops>(
    vit: &Vit,
    ops: &mut O,
    image: &O::Value,
) -> Result<Encoded<O::Value>, O::Error> {
    let Vit { patch, width, blocks, positions } = *vit;
    let channels = width.channels;
    // As Segmenter pads: what the last patches have beyond the image is the colour that becomes 0.
    let image = ops.pad_to_multiple(image, patch)?;
    let grid = ops.conv("encoder.patches", &image, patches(patch, channels))?;
    drop(image);
    let placed = ops.add_positions("encoder.positions", &grid, Positions { channels, side: positions })?;
    let mut z = ops.to_tokens(&placed)?;
    // timm has it first: attention does not know the order of tokens.
    z = ops.append_tokens("encoder.class_token", &z, Tokens { count: 1, channels })?;
    for i in 0..blocks {
        z = block(ops, &format!("encoder.block{i}"), &z, width)?;
    }
    z = ops.layer_norm("encoder.norm", &z, width.norm())?;
    let tokens = ops.all_but_last(&z, 1)?;
    Ok(Encoded { tokens, grid })
}

/// A linear map of each patch's pixels.
pub(super) fn patches(side: usize, channels: usize) -> Conv {
    Conv { inputs: 3, outputs: channels, kernel: side, stride: side, padding: (0, 0), groups: 1, bias: true }
}
