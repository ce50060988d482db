//! What others call the layers of the encoders.

use super::super::Architecture;

/// What a name of a file is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// One of our parameters.
    To(String),
    /// Of a part that we do not have or do not take.
    Dropped,
    /// Of no part at all.
    Ignored,
    /// Nothing we know.
    Unknown,
}

pub(super) fn ours(architecture: Architecture, theirs: &str) -> Mapped {
    // What torch.nn.DataParallel puts before every name.
    let theirs = theirs.strip_prefix("module.").unwrap_or(theirs);
    if theirs.ends_with("num_batches_tracked") {
        return Mapped::Ignored;
    }
    if theirs.starts_with("encoder.") {
        return Mapped::To(theirs.to_owned());
    }
    if ["decoder.", "class_head.", "dataset_head."].iter().any(|part| theirs.starts_with(part)) {
        return Mapped::Dropped;
    }
    let mapped = match architecture {
        Architecture::Lite0 => efficientnet_lite(theirs),
        Architecture::Ldn121 => torchvision_densenet(theirs),
        Architecture::Tiny => None,
    };
    mapped.unwrap_or(Mapped::Unknown)
}

/// `_blocks.3._depthwise_conv.weight`, as efficientnet_lite_pytorch has it.
fn efficientnet_lite(theirs: &str) -> Option<Mapped> {
    if ["_conv_head.", "_bn1.", "_fc."].iter().any(|classifier| theirs.starts_with(classifier)) {
        return Some(Mapped::Dropped);
    }
    if let Some(block) = theirs.strip_prefix("_blocks.") {
        let (number, rest) = block.split_once('.')?;
        let (layer, suffix) = rest.split_once('.')?;
        let layer = match layer {
            "_expand_conv" => "expand.conv",
            "_bn0" => "expand.norm",
            "_depthwise_conv" => "depthwise.conv",
            "_bn1" => "depthwise.norm",
            "_project_conv" => "project.conv",
            "_bn2" => "project.norm",
            _ => return None,
        };
        return Some(Mapped::To(format!("encoder.block{number}.{layer}.{suffix}")));
    }
    let (layer, suffix) = theirs.split_once('.')?;
    let layer = match layer {
        "_conv_stem" => "conv",
        "_bn0" => "norm",
        _ => return None,
    };
    Some(Mapped::To(format!("encoder.stem.{layer}.{suffix}")))
}

/// `features.denseblock1.denselayer2.norm1.weight`; files of before 2019 have `norm.1`.
fn torchvision_densenet(theirs: &str) -> Option<Mapped> {
    if theirs.starts_with("classifier.") {
        return Some(Mapped::Dropped);
    }
    let theirs = theirs.strip_prefix("features.").unwrap_or(theirs);
    if let Some(block) = theirs.strip_prefix("denseblock") {
        let (block, rest) = block.split_once(".denselayer")?;
        let (number, rest) = rest.split_once('.')?;
        let (layer, suffix) = rest.rsplit_once('.')?;
        let layer = match layer {
            "norm1" | "norm.1" => "squeeze.norm",
            "conv1" | "conv.1" => "squeeze.conv",
            "norm2" | "norm.2" => "grow.norm",
            "conv2" | "conv.2" => "grow.conv",
            _ => return None,
        };
        return Some(Mapped::To(format!("encoder.block{block}.layer{number}.{layer}.{suffix}")));
    }
    if let Some(rest) = theirs.strip_prefix("transition") {
        return Some(Mapped::To(format!("encoder.transition{rest}")));
    }
    let (layer, suffix) = theirs.split_once('.')?;
    let layer = match layer {
        "conv0" => "stem.conv",
        "norm0" => "stem.norm",
        "norm5" => "norm",
        _ => return None,
    };
    Some(Mapped::To(format!("encoder.{layer}.{suffix}")))
}
