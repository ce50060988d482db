//! The few sequences of layers that every network repeats. A value that nobody reads any more is dropped here, on
//! return: without gradients it then costs nothing.

use super::ops::{BatchNorm, Conv, Ops};

/// 1×1.
pub(super) fn point(inputs: usize, outputs: usize, bias: bool) -> Conv {
    Conv { inputs, outputs, kernel: 1, stride: 1, padding: (0, 0), groups: 1, bias }
}

/// Odd kernel, stride 1, size kept, no bias.
pub(super) fn kept(inputs: usize, outputs: usize, kernel: usize, groups: usize) -> Conv {
    let around = kernel / 2;
    Conv { inputs, outputs, kernel, stride: 1, padding: (around, around), groups, bias: false }
}

/// Odd kernel, stride 2, ⌈h/2⌉ rows out of h, no bias. Zeros lie mostly after the input: at even sizes these are
/// the windows of TensorFlow's SAME, which EfficientNet's weights were trained with.
///
/// Deviation: SAME moves its windows by a pixel at odd sizes; here they stay, so that what is exported has fixed
/// padding and a pixel's features do not depend on the far edge's parity.
pub(super) fn halved(inputs: usize, outputs: usize, kernel: usize, groups: usize) -> Conv {
    let before = kernel.saturating_sub(2) / 2;
    let padding = (before, kernel - 1 - before);
    Conv { inputs, outputs, kernel, stride: 2, padding, groups, bias: false }
}

/// Parameters `name.conv.*` and `name.norm.*`.
pub(super) fn conv_norm<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    conv: Conv,
    norm: fn(usize) -> BatchNorm,
) -> Result<O::Value, O::Error> {
    let x = ops.conv(&format!("{name}.conv"), x, conv)?;
    ops.batch_norm(&format!("{name}.norm"), &x, norm(conv.outputs))
}

/// Parameters `name.norm.*` and `name.conv.*`.
pub(super) fn norm_relu_conv<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    norm: BatchNorm,
    conv: Conv,
) -> Result<O::Value, O::Error> {
    let x = ops.batch_norm(&format!("{name}.norm"), x, norm)?;
    let x = ops.relu(&x)?;
    ops.conv(&format!("{name}.conv"), &x, conv)
}

/// As PyTorch's `BatchNorm2d` is by default.
pub(super) fn norm(channels: usize) -> BatchNorm {
    BatchNorm { channels, epsilon: 1e-5, momentum: 0.1 }
}
