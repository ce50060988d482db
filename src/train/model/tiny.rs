//! A few thousand parameters, for tests and smoke runs: one 3×3 convolution at each halving. It learns what
//! colours and edges tell, and nothing more.

use super::blocks::{conv_norm, halved, norm};
use super::ops::Ops;

/// Channels of the features.
pub(super) const CHANNELS: [usize; 4] = [8, 12, 16, 16];

const STEM: usize = 8;

/// Names `encoder.stem.*` and `encoder.half4.*` to `encoder.half32.*`.
pub(super) fn encode<O: Ops>(ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
    let stem = half(ops, "stem", image, 3, STEM)?;
    let at4 = half(ops, "half4", &stem, STEM, CHANNELS[0])?;
    drop(stem);
    let at8 = half(ops, "half8", &at4, CHANNELS[0], CHANNELS[1])?;
    let at16 = half(ops, "half16", &at8, CHANNELS[1], CHANNELS[2])?;
    let at32 = half(ops, "half32", &at16, CHANNELS[2], CHANNELS[3])?;
    Ok([at4, at8, at16, at32])
}

fn half<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    inputs: usize,
    outputs: usize,
) -> Result<O::Value, O::Error> {
    let y = conv_norm(ops, &format!("encoder.{name}"), x, halved(inputs, outputs, 3, 1), norm)?;
    ops.relu(&y)
}
