//! What transformers repeat (Vaswani et al. 2017, normalised first, as Dosovitskiy et al. 2021 have it).
//!
//! Deviation: neither dropout nor stochastic depth, which are published with these networks: a network here is a
//! function of its parameters and its input, so that a run that is resumed computes the same bits.

use super::ops::{LayerNorm, Linear, Ops};

/// Channels of an MLP's middle, for one of its tokens.
const EXPANSION: usize = 4;

/// The numbers of a transformer's blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    pub channels: usize,
    pub heads: usize,
    /// Of the layer normalisations.
    pub epsilon: f64,
}

impl Width {
    pub(super) fn norm(self) -> LayerNorm {
        LayerNorm { channels: self.channels, epsilon: self.epsilon }
    }
}

/// With bias.
pub(super) fn dense(inputs: usize, outputs: usize) -> Linear {
    Linear { inputs, outputs, bias: true }
}

/// z' = z + MSA(LN(z)), then z' + MLP(LN(z')). Names `name.attention.{norm,qkv,project}.*` and on as [`mlp`]'s.
pub(super) fn block<O: Ops>(
    ops: &mut O,
    name: &str,
    z: &O::Value,
    width: Width,
) -> Result<O::Value, O::Error> {
    let (channels, name_of) = (width.channels, |layer: &str| format!("{name}.attention.{layer}"));
    let y = ops.layer_norm(&name_of("norm"), z, width.norm())?;
    let qkv = ops.linear(&name_of("qkv"), &y, dense(channels, 3 * channels))?;
    let y = ops.attention(&qkv, width.heads, None)?;
    drop(qkv);
    let y = ops.linear(&name_of("project"), &y, dense(channels, channels))?;
    let z = ops.add(z, &y)?;
    mlp(ops, name, &z, width)
}

/// z + MLP(LN(z)). Names `name.mlp.{norm,widen,narrow}.*`.
pub(super) fn mlp<O: Ops>(ops: &mut O, name: &str, z: &O::Value, width: Width) -> Result<O::Value, O::Error> {
    let (channels, wide) = (width.channels, EXPANSION * width.channels);
    let y = ops.layer_norm(&format!("{name}.mlp.norm"), z, width.norm())?;
    let y = ops.linear(&format!("{name}.mlp.widen"), &y, dense(channels, wide))?;
    let y = ops.gelu(&y)?;
    let y = ops.linear(&format!("{name}.mlp.narrow"), &y, dense(wide, channels))?;
    ops.add(z, &y)
}
