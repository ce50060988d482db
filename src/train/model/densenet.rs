//! DenseNet-121's encoder (Huang et al. 2017), as torchvision has it up to its last dense block: 7×7 stem, dense
//! blocks of 6, 12, 24 and 16 layers that grow by 32 channels. Features are what each block gives, before the
//! transition to the next: 256 channels at stride 4, 512 at 8, 1024 at 16, and normalised once more, as torchvision's
//! `features` end, 1024 at 32.

use super::blocks::{conv_norm, kept, norm, norm_relu_conv, point};
use super::ops::{Conv, Ops, Pool};

/// Channels of the features.
pub(super) const CHANNELS: [usize; 4] = [256, 512, 1024, 1024];

const STEM: usize = 64;
const GROWTH: usize = 32;
/// Channels between a layer's two convolutions, in units of growth.
const BOTTLENECK: usize = 4;
const LAYERS: [usize; 4] = [6, 12, 24, 16];

/// Names `encoder.stem.*`, `encoder.block1.layer1.{squeeze,grow}.*` and on, `encoder.transition1.*` and on,
/// `encoder.norm.*`.
pub(super) fn encode<O: Ops>(ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
    let stem =
        Conv { inputs: 3, outputs: STEM, kernel: 7, stride: 2, padding: (3, 3), groups: 1, bias: false };
    let mut x = conv_norm(ops, "encoder.stem", image, stem, norm)?;
    x = ops.relu(&x)?;
    x = ops.max_pool(&x, Pool { kernel: 3, stride: 2, padding: 1 })?;
    let at4 = block(ops, 1, x, STEM, LAYERS[0])?;
    x = transition(ops, 1, &at4, CHANNELS[0])?;
    let at8 = block(ops, 2, x, CHANNELS[0] / 2, LAYERS[1])?;
    x = transition(ops, 2, &at8, CHANNELS[1])?;
    let at16 = block(ops, 3, x, CHANNELS[1] / 2, LAYERS[2])?;
    x = transition(ops, 3, &at16, CHANNELS[2])?;
    let top = block(ops, 4, x, CHANNELS[2] / 2, LAYERS[3])?;
    let at32 = ops.batch_norm("encoder.norm", &top, norm(CHANNELS[3]))?;
    Ok([at4, at8, at16, at32])
}

/// Each layer reads all that came before it in the block, and adds `GROWTH` channels.
fn block<O: Ops>(
    ops: &mut O,
    number: usize,
    x: O::Value,
    inputs: usize,
    layers: usize,
) -> Result<O::Value, O::Error> {
    let mut all = x;
    for i in 0..layers {
        let (name, read) = (format!("encoder.block{number}.layer{}", i + 1), inputs + i * GROWTH);
        let (squeezed, narrow) = (format!("{name}.squeeze"), BOTTLENECK * GROWTH);
        let y = norm_relu_conv(ops, &squeezed, &all, norm(read), point(read, narrow, false))?;
        let grown = format!("{name}.grow");
        let y = norm_relu_conv(ops, &grown, &y, norm(narrow), kept(narrow, GROWTH, 3, 1))?;
        all = ops.concat(&[&all, &y])?;
    }
    Ok(all)
}

/// To half the channels and half the size; an odd last row or column is left out.
fn transition<O: Ops>(
    ops: &mut O,
    number: usize,
    x: &O::Value,
    channels: usize,
) -> Result<O::Value, O::Error> {
    let name = format!("encoder.transition{number}");
    let y = norm_relu_conv(ops, &name, x, norm(channels), point(channels, channels / 2, false))?;
    ops.avg_pool(&y, Pool { kernel: 2, stride: 2, padding: 0 })
}
