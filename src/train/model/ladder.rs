//! The ladder: a spatial pyramid on the coarsest feature, then three steps up, each of which adds a finer feature
//! (Kreso et al. 2020, LDN; Orsic & Segvic 2021, SwiftNet). Its result, at stride 4, are the pre-logits.

use super::blocks::{kept, norm, norm_relu_conv, point};
use super::ops::Ops;

/// The numbers of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ladder {
    /// Channels of the features at strides 4, 8, 16, 32.
    pub features: [usize; 4],
    /// Sides of the pyramid's grids, in the order in which they are put together.
    pub grids: &'static [usize],
    /// Channels of each grid's level.
    pub level: usize,
    /// Channels at strides 4, 8, 16, 32.
    pub widths: [usize; 4],
}

const STRIDES: [usize; 4] = [4, 8, 16, 32];

/// Names `decoder.pyramid.{project,grid1,..,fuse}.*` and `decoder.step16.{skip,blend}.*` to `step4`.
pub(super) fn climb<O: Ops>(
    ladder: &Ladder,
    ops: &mut O,
    features: [O::Value; 4],
) -> Result<O::Value, O::Error> {
    let [at4, at8, at16, at32] = features;
    let mut x = pyramid(ladder, ops, &at32)?;
    drop(at32);
    for (i, finer) in [(2, at16), (1, at8), (0, at4)] {
        let (stride, inputs) = (STRIDES[i], ladder.widths[i + 1]);
        let skip = format!("decoder.step{stride}.skip");
        let skip = norm_relu_conv(
            ops,
            &skip,
            &finer,
            norm(ladder.features[i]),
            point(ladder.features[i], inputs, false),
        )?;
        x = ops.resize_as(&x, &skip)?;
        x = ops.add(&x, &skip)?;
        let blend = format!("decoder.step{stride}.blend");
        x = norm_relu_conv(ops, &blend, &x, norm(inputs), kept(inputs, ladder.widths[i], 3, 1))?;
    }
    Ok(x)
}

/// The feature, and its means over grids of a few cells, which tell each pixel of its surroundings.
fn pyramid<O: Ops>(ladder: &Ladder, ops: &mut O, top: &O::Value) -> Result<O::Value, O::Error> {
    let (inputs, width) = (ladder.features[3], ladder.widths[3]);
    let x = norm_relu_conv(ops, "decoder.pyramid.project", top, norm(inputs), point(inputs, width, false))?;
    let mut levels = Vec::with_capacity(ladder.grids.len());
    for &grid in ladder.grids {
        let name = format!("decoder.pyramid.grid{grid}");
        let cells = ops.adaptive_avg_pool(&x, grid)?;
        let level = norm_relu_conv(ops, &name, &cells, norm(width), point(width, ladder.level, false))?;
        levels.push(ops.resize_as(&level, &x)?);
    }
    let parts: Vec<&O::Value> = std::iter::once(&x).chain(&levels).collect();
    let all = ops.concat(&parts)?;
    let channels = width + ladder.level * ladder.grids.len();
    norm_relu_conv(ops, "decoder.pyramid.fuse", &all, norm(channels), point(channels, width, false))
}
