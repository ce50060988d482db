//! Segmenter (Strudel et al. 2021): a vision transformer and a mask transformer, in which an embedding of each class
//! attends the patches and is attended by them. A class's logit at a patch is the product of both embeddings, of length
//! one each, normalised over the classes: a map with one pixel a patch.
//!
//! The pre-logits are the patches' embeddings as the mask transformer gives them, before the class head's projection.
//! Unlike the other networks' logits these are not made of the pre-logits alone, for the classes' embeddings are the
//! image's too: scores that run the class head again, ReAct's, cannot be had.

use super::ops::{LayerNorm, Linear, Ops, Tokens};
use super::transformer::{Width, block, dense};
use super::vit::{self, Vit};

/// Blocks of the mask transformer.
const LAYERS: usize = 2;

/// Of the mask transformer and the class head: PyTorch's own, as published.
const EPSILON: f64 = 1e-5;

/// Fewest classes: of two logits, normalised over the classes, nothing remains but which is larger.
pub(super) const FEWEST_CLASSES: usize = 3;

/// What both transformers and the class head give: maps, one pixel a patch, padding included.
pub(super) struct Masks<V> {
    pub pre_logits: V,
    pub logits: V,
}

/// Names of the encoder as [`vit::encode`]'s, `decoder.project.*`, `decoder.class_tokens`, `decoder.block0.*`,
/// `decoder.block1.*`, `decoder.norm.*`, `class_head.{patches,classes,norm}.*`.
pub(super) fn segment<O: Ops>(
    vit: &Vit,
    classes: usize,
    ops: &mut O,
    image: &O::Value,
) -> Result<Masks<O::Value>, O::Error> {
    let vit::Encoded { tokens, grid } = vit::encode(vit, ops, image)?;
    let width = Width { epsilon: EPSILON, ..vit.width };
    let channels = width.channels;
    let mut z = ops.linear("decoder.project", &tokens, dense(channels, channels))?;
    drop(tokens);
    z = ops.append_tokens("decoder.class_tokens", &z, Tokens { count: classes, channels })?;
    for i in 0..LAYERS {
        z = block(ops, &format!("decoder.block{i}"), &z, width)?;
    }
    z = ops.layer_norm("decoder.norm", &z, width.norm())?;
    let patches = ops.all_but_last(&z, classes)?;
    let tokens = ops.last(&z, classes)?;
    drop(z);
    let pre_logits = ops.to_map(&patches, &grid)?;

    let projection = Linear { inputs: channels, outputs: channels, bias: false };
    let patches = ops.linear("class_head.patches", &patches, projection)?;
    let tokens = ops.linear("class_head.classes", &tokens, projection)?;
    let masks = ops.cosines(&patches, &tokens, classes)?;
    let masks =
        ops.layer_norm("class_head.norm", &masks, LayerNorm { channels: classes, epsilon: EPSILON })?;
    Ok(Masks { pre_logits, logits: ops.to_map(&masks, &grid)? })
}
