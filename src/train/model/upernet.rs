//! UPerNet (Xiao et al. 2018), as published with Swin: means over grids of a few cells tell the coarsest feature of its
//! surroundings; each finer feature gets the sum of all coarser ones; and all four together, at stride 4, are mixed by
//! a convolution. What that gives are the pre-logits: the normalisation and the ReLU after it are those that the class
//! head begins with, so that the class head is the published one, and the dataset head has its own.
//!
//! Deviation: no dropout before the class head and no auxiliary loss on the feature at stride 16, both of which only
//! training has.

use super::blocks::{conv_norm, kept, norm, point};
use super::ops::{Conv, Ops};
use super::swin;

/// The numbers of a UPerNet.
#[derive(Debug)]
pub(super) struct UperNet {
    /// Channels of the features at strides 4, 8, 16, 32.
    pub features: [usize; 4],
    /// Channels of all that is made of them.
    pub width: usize,
}

/// Sides of the grids of means.
const GRIDS: [usize; 4] = [1, 2, 3, 6];

/// Names `decoder.norm4.*` to `decoder.norm32.*`, `decoder.pyramid.{grid1,..,fuse}.*`, `decoder.step16.{skip,blend}.*`
/// to `decoder.step4.*`, `decoder.fuse.conv.*`.
pub(super) fn fuse<O: Ops>(
    upernet: &UperNet,
    ops: &mut O,
    features: [O::Value; 4],
) -> Result<O::Value, O::Error> {
    let (channels, width) = (upernet.features, upernet.width);
    let [at4, at8, at16, at32] = features;
    let at32 = normalised(ops, 32, at32, channels[3])?;
    let p32 = pyramid(upernet, ops, at32)?;
    let p16 = step(ops, 16, at16, channels[2], &p32, width)?;
    let p8 = step(ops, 8, at8, channels[1], &p16, width)?;
    let p4 = step(ops, 4, at4, channels[0], &p8, width)?;

    let finest = blended(ops, 4, &p4, width)?;
    drop(p4);
    let mut coarser = vec![];
    for (stride, level) in [(8, p8), (16, p16)] {
        let level = blended(ops, stride, &level, width)?;
        coarser.push(ops.resize_as(&level, &finest)?);
    }
    coarser.push(ops.resize_as(&p32, &finest)?);
    let parts: Vec<&O::Value> = std::iter::once(&finest).chain(&coarser).collect();
    let all = ops.concat(&parts)?;
    ops.conv("decoder.fuse.conv", &all, kept(4 * width, width, 3, 1))
}

/// A feature, and all that is coarser.
fn step<O: Ops>(
    ops: &mut O,
    stride: usize,
    feature: O::Value,
    channels: usize,
    coarser: &O::Value,
    width: usize,
) -> Result<O::Value, O::Error> {
    let feature = normalised(ops, stride, feature, channels)?;
    let skip = format!("decoder.step{stride}.skip");
    let skip = conv_norm_relu(ops, &skip, &feature, point(channels, width, false))?;
    let coarser = ops.resize_as(coarser, &skip)?;
    ops.add(&skip, &coarser)
}

fn blended<O: Ops>(ops: &mut O, stride: usize, level: &O::Value, width: usize) -> Result<O::Value, O::Error> {
    conv_norm_relu(ops, &format!("decoder.step{stride}.blend"), level, kept(width, width, 3, 1))
}

/// What is read of a transformer is normalised first: its stages end with a sum.
fn normalised<O: Ops>(
    ops: &mut O,
    stride: usize,
    feature: O::Value,
    channels: usize,
) -> Result<O::Value, O::Error> {
    let tokens = ops.to_tokens(&feature)?;
    let tokens = ops.layer_norm(&format!("decoder.norm{stride}"), &tokens, swin::norm(channels))?;
    ops.to_map(&tokens, &feature)
}

/// The feature and its means over grids, mixed.
fn pyramid<O: Ops>(upernet: &UperNet, ops: &mut O, top: O::Value) -> Result<O::Value, O::Error> {
    let (inputs, width) = (upernet.features[3], upernet.width);
    let mut levels = vec![];
    for grid in GRIDS {
        let cells = ops.adaptive_avg_pool(&top, grid)?;
        let name = format!("decoder.pyramid.grid{grid}");
        let level = conv_norm_relu(ops, &name, &cells, point(inputs, width, false))?;
        levels.push(ops.resize_as(&level, &top)?);
    }
    let parts: Vec<&O::Value> = std::iter::once(&top).chain(&levels).collect();
    let all = ops.concat(&parts)?;
    conv_norm_relu(ops, "decoder.pyramid.fuse", &all, kept(inputs + GRIDS.len() * width, width, 3, 1))
}

fn conv_norm_relu<O: Ops>(ops: &mut O, name: &str, x: &O::Value, conv: Conv) -> Result<O::Value, O::Error> {
    let x = conv_norm(ops, name, x, conv, norm)?;
    ops.relu(&x)
}
