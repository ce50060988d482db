//! ResNet-18's encoder (He et al. 2016), as torchvision has it: 7×7 stem, four stages of two blocks of two 3×3
//! convolutions. Features are what each stage gives, after its last ReLU: 64 channels at stride 4, 128 at 8, 256 at
//! 16, 512 at 32.

use super::blocks::{conv_norm, kept, norm, point};
use super::ops::{Conv, Ops, Pool};

/// Channels of the features.
pub(super) const CHANNELS: [usize; 4] = [64, 128, 256, 512];

const STEM: usize = 64;
const BLOCKS: usize = 2;

/// Names `encoder.stem.*` and `encoder.stage1.block0.{first,second,shortcut}.*` to `encoder.stage4.block1.*`.
pub(super) fn encode<O: Ops>(ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
    let stem =
        Conv { inputs: 3, outputs: STEM, kernel: 7, stride: 2, padding: (3, 3), groups: 1, bias: false };
    let mut x = conv_norm(ops, "encoder.stem", image, stem, norm)?;
    x = ops.relu(&x)?;
    x = ops.max_pool(&x, Pool { kernel: 3, stride: 2, padding: 1 })?;
    let at4 = stage(ops, 1, &x, STEM, 1)?;
    drop(x);
    let at8 = stage(ops, 2, &at4, CHANNELS[0], 2)?;
    let at16 = stage(ops, 3, &at8, CHANNELS[1], 2)?;
    let at32 = stage(ops, 4, &at16, CHANNELS[2], 2)?;
    Ok([at4, at8, at16, at32])
}

/// The first block changes width and size.
fn stage<O: Ops>(
    ops: &mut O,
    number: usize,
    x: &O::Value,
    inputs: usize,
    stride: usize,
) -> Result<O::Value, O::Error> {
    let outputs = CHANNELS[number - 1];
    let mut y = block(ops, &format!("encoder.stage{number}.block0"), x, inputs, outputs, stride)?;
    for i in 1..BLOCKS {
        y = block(ops, &format!("encoder.stage{number}.block{i}"), &y, outputs, outputs, 1)?;
    }
    Ok(y)
}

/// relu(x + f(x)), with x by a 1×1 where f changes its shape.
fn block<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    inputs: usize,
    outputs: usize,
    stride: usize,
) -> Result<O::Value, O::Error> {
    let first = Conv { stride, ..kept(inputs, outputs, 3, 1) };
    let mut y = conv_norm(ops, &format!("{name}.first"), x, first, norm)?;
    y = ops.relu(&y)?;
    y = conv_norm(ops, &format!("{name}.second"), &y, kept(outputs, outputs, 3, 1), norm)?;
    let sum = if inputs == outputs && stride == 1 {
        ops.add(x, &y)?
    } else {
        let shortcut = Conv { stride, ..point(inputs, outputs, false) };
        let x = conv_norm(ops, &format!("{name}.shortcut"), x, shortcut, norm)?;
        ops.add(&x, &y)?
    };
    ops.relu(&sum)
}
