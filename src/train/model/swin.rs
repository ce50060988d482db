//! Swin's encoder (Liu et al. 2021), as torchvision has it, without its classifier: patches of 4×4 pixels, and four
//! stages of blocks that attend within windows, which every other block rolls by half. Features are what each stage
//! gives, c channels at stride 4, 2c at 8, 4c at 16, 8c at 32.

use super::ops::{LayerNorm, Linear, Ops, Window};
use super::transformer::{Width, dense, mlp};
use super::vit::patches;

/// The numbers of an encoder.
#[derive(Debug)]
pub(super) struct Swin {
    /// Of the first stage; each next has twice as many.
    pub channels: usize,
    /// Blocks of each stage.
    pub blocks: [usize; 4],
    /// Heads of each stage.
    pub heads: [usize; 4],
    /// Side of a window, in tokens.
    pub window: usize,
}

/// Side of a patch, in pixels.
const PATCH: usize = 4;

const EPSILON: f64 = 1e-5;

/// Swin-T.
pub(super) static T: Swin = Swin { channels: 96, blocks: [2, 2, 6, 2], heads: [3, 6, 12, 24], window: 7 };

/// Swin-B.
pub(super) static B: Swin = Swin { channels: 128, blocks: [2, 2, 18, 2], heads: [4, 8, 16, 32], window: 7 };

/// Some hundred thousand parameters, for tests and smoke runs. Swin-T, Swin Tiny in full, is another.
pub(super) static TINY: Swin = Swin { channels: 8, blocks: [2, 2, 2, 2], heads: [1, 2, 4, 8], window: 4 };

impl Swin {
    /// Channels of the features.
    pub(super) fn features(&self) -> [usize; 4] {
        [1, 2, 4, 8].map(|times| times * self.channels)
    }
}

/// Names `encoder.patches.{conv,norm}.*`, `encoder.stage1.block0.*` and on, `encoder.merge2.{norm,reduce}.*` to
/// `encoder.merge4.*`, each before the stage of its number.
pub(super) fn encode<O: Ops>(swin: &Swin, ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
    // As published for segmentation; torchvision leaves out the rows and columns that do not fill a patch.
    let image = ops.pad_to_multiple(image, PATCH)?;
    let grid = ops.conv("encoder.patches.conv", &image, patches(PATCH, swin.channels))?;
    drop(image);
    let z = ops.to_tokens(&grid)?;
    let z = ops.layer_norm("encoder.patches.norm", &z, norm(swin.channels))?;
    let at4 = stage(swin, ops, 1, z, &grid)?;
    drop(grid);
    let at8 = coarser(swin, ops, 2, &at4)?;
    let at16 = coarser(swin, ops, 3, &at8)?;
    let at32 = coarser(swin, ops, 4, &at16)?;
    Ok([at4, at8, at16, at32])
}

pub(super) fn norm(channels: usize) -> LayerNorm {
    LayerNorm { channels, epsilon: EPSILON }
}

/// Patch merging: each 2×2 becomes one token of twice the channels; then the stage. A last odd row or column is merged
/// with zeros.
fn coarser<O: Ops>(swin: &Swin, ops: &mut O, number: usize, finer: &O::Value) -> Result<O::Value, O::Error> {
    let channels = swin.features()[number - 2];
    let even = ops.pad_to_multiple(finer, 2)?;
    let grid = ops.space_to_depth(&even)?;
    drop(even);
    let z = ops.to_tokens(&grid)?;
    let z = ops.layer_norm(&format!("encoder.merge{number}.norm"), &z, norm(4 * channels))?;
    let reduce = Linear { inputs: 4 * channels, outputs: 2 * channels, bias: false };
    let z = ops.linear(&format!("encoder.merge{number}.reduce"), &z, reduce)?;
    stage(swin, ops, number, z, &grid)
}

/// Tokens `z` of the grid through a stage's blocks, and back to a map.
fn stage<O: Ops>(
    swin: &Swin,
    ops: &mut O,
    number: usize,
    mut z: O::Value,
    grid: &O::Value,
) -> Result<O::Value, O::Error> {
    let (channels, heads) = (swin.features()[number - 1], swin.heads[number - 1]);
    let width = Width { channels, heads, epsilon: EPSILON };
    for i in 0..swin.blocks[number - 1] {
        let shift = if i % 2 == 1 { swin.window / 2 } else { 0 };
        let name = format!("encoder.stage{number}.block{i}");
        z = block(ops, &name, &z, grid, width, Window { side: swin.window, shift })?;
    }
    ops.to_map(&z, grid)
}

/// z' = z + (S)W-MSA(LN(z)), then z' + MLP(LN(z')). Zeros that fill the last windows up are attended like others, as
/// published. Names `name.attention.{norm,qkv,project}.*`, `name.attention.relative_positions`, `name.mlp.*`.
fn block<O: Ops>(
    ops: &mut O,
    name: &str,
    z: &O::Value,
    grid: &O::Value,
    width: Width,
    window: Window,
) -> Result<O::Value, O::Error> {
    let (channels, name_of) = (width.channels, |layer: &str| format!("{name}.attention.{layer}"));
    let y = ops.layer_norm(&name_of("norm"), z, width.norm())?;
    let y = ops.to_windows(&y, grid, window)?;
    let qkv = ops.linear(&name_of("qkv"), &y, dense(channels, 3 * channels))?;
    let bias = ops.window_bias(&name_of("relative_positions"), grid, width.heads, window)?;
    let y = ops.attention(&qkv, width.heads, Some(&bias))?;
    drop((qkv, bias));
    let y = ops.linear(&name_of("project"), &y, dense(channels, channels))?;
    let y = ops.from_windows(&y, grid, window)?;
    let z = ops.add(z, &y)?;
    mlp(ops, name, &z, width)
}
