//! EfficientNet-Lite0's encoder (Tan & Le 2019; Lite: ReLU6, no squeeze-and-excitation): 16 inverted residual
//! blocks. Features: 24 channels at stride 4, 40 at 8, 112 at 16, 320 at 32.

use super::blocks::{conv_norm, halved, kept, point};
use super::ops::{BatchNorm, Ops};

/// Channels of the features.
pub(super) const CHANNELS: [usize; 4] = [24, 40, 112, 320];

const STEM: usize = 32;

/// Blocks of one width, of which only the first changes width and, where the stage halves, the size.
struct Stage {
    /// Number of its first block.
    first: usize,
    blocks: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    halves: bool,
    expansion: usize,
}

/// The stages that lead to each feature: one, and perhaps another.
const STAGES: [(Stage, &[Stage]); 4] = [
    (
        Stage { first: 0, blocks: 1, inputs: STEM, outputs: 16, kernel: 3, halves: false, expansion: 1 },
        &[Stage { first: 1, blocks: 2, inputs: 16, outputs: 24, kernel: 3, halves: true, expansion: 6 }],
    ),
    (Stage { first: 3, blocks: 2, inputs: 24, outputs: 40, kernel: 5, halves: true, expansion: 6 }, &[]),
    (
        Stage { first: 5, blocks: 3, inputs: 40, outputs: 80, kernel: 3, halves: true, expansion: 6 },
        &[Stage { first: 8, blocks: 3, inputs: 80, outputs: 112, kernel: 5, halves: false, expansion: 6 }],
    ),
    (
        Stage { first: 11, blocks: 4, inputs: 112, outputs: 192, kernel: 5, halves: true, expansion: 6 },
        &[Stage { first: 15, blocks: 1, inputs: 192, outputs: 320, kernel: 3, halves: false, expansion: 6 }],
    ),
];

/// TensorFlow's, as the weights were trained: decay 0.99.
fn norm(channels: usize) -> BatchNorm {
    BatchNorm { channels, epsilon: 1e-3, momentum: 0.01 }
}

/// Stem and blocks; names `encoder.stem.*` and `encoder.block0.*` to `encoder.block15.*`.
pub(super) fn encode<O: Ops>(ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
    let mut stem = conv_norm(ops, "encoder.stem", image, halved(3, STEM, 3, 1), norm)?;
    stem = ops.relu6(&stem)?;
    let at4 = stages(ops, &stem, &STAGES[0])?;
    drop(stem);
    let at8 = stages(ops, &at4, &STAGES[1])?;
    let at16 = stages(ops, &at8, &STAGES[2])?;
    let at32 = stages(ops, &at16, &STAGES[3])?;
    Ok([at4, at8, at16, at32])
}

fn stages<O: Ops>(ops: &mut O, x: &O::Value, stages: &(Stage, &[Stage])) -> Result<O::Value, O::Error> {
    let (first, others) = stages;
    let mut y = run(ops, x, first)?;
    for stage in *others {
        y = run(ops, &y, stage)?;
    }
    Ok(y)
}

fn run<O: Ops>(ops: &mut O, x: &O::Value, stage: &Stage) -> Result<O::Value, O::Error> {
    let mut y = block(ops, &format!("encoder.block{}", stage.first), x, stage, true)?;
    for i in 1..stage.blocks {
        y = block(ops, &format!("encoder.block{}", stage.first + i), &y, stage, false)?;
    }
    Ok(y)
}

/// 1×1 to more channels, depth-wise, 1×1 back to few; added to its input where they are of one shape.
fn block<O: Ops>(
    ops: &mut O,
    name: &str,
    x: &O::Value,
    stage: &Stage,
    first: bool,
) -> Result<O::Value, O::Error> {
    let inputs = if first { stage.inputs } else { stage.outputs };
    let wide = inputs * stage.expansion;
    let expanded = if stage.expansion > 1 {
        let y = conv_norm(ops, &format!("{name}.expand"), x, point(inputs, wide, false), norm)?;
        Some(ops.relu6(&y)?)
    } else {
        None
    };
    let spatial = if first && stage.halves { halved } else { kept };
    let depthwise = spatial(wide, wide, stage.kernel, wide);
    let mut y =
        conv_norm(ops, &format!("{name}.depthwise"), expanded.as_ref().unwrap_or(x), depthwise, norm)?;
    drop(expanded);
    y = ops.relu6(&y)?;
    y = conv_norm(ops, &format!("{name}.project"), &y, point(wide, stage.outputs, false), norm)?;
    if inputs == stage.outputs && !(first && stage.halves) { ops.add(x, &y) } else { Ok(y) }
}
