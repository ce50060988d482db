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
    // Counts of batches, and which pairs of a window are at which place: both follow from what is known.
    if theirs.ends_with("num_batches_tracked") || theirs.ends_with("relative_position_index") {
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
        Architecture::ResNet18 => torchvision_resnet(theirs),
        Architecture::UperNetSwinT | Architecture::UperNetSwinB => torchvision_swin(theirs),
        Architecture::SegmenterVitB16 => timm_vit(theirs),
        Architecture::Tiny | Architecture::UperNetTiny | Architecture::SegmenterTiny => None,
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

/// `layer2.0.conv1.weight`, `layer2.0.downsample.1.bias`.
fn torchvision_resnet(theirs: &str) -> Option<Mapped> {
    if theirs.starts_with("fc.") {
        return Some(Mapped::Dropped);
    }
    if let Some(stage) = theirs.strip_prefix("layer") {
        let (number, rest) = stage.split_once('.')?;
        let (block, rest) = rest.split_once('.')?;
        let (layer, suffix) = rest.rsplit_once('.')?;
        let layer = match layer {
            "conv1" => "first.conv",
            "bn1" => "first.norm",
            "conv2" => "second.conv",
            "bn2" => "second.norm",
            "downsample.0" => "shortcut.conv",
            "downsample.1" => "shortcut.norm",
            _ => return None,
        };
        return Some(Mapped::To(format!("encoder.stage{number}.block{block}.{layer}.{suffix}")));
    }
    let (layer, suffix) = theirs.split_once('.')?;
    let layer = match layer {
        "conv1" => "conv",
        "bn1" => "norm",
        _ => return None,
    };
    Some(Mapped::To(format!("encoder.stem.{layer}.{suffix}")))
}

/// `features.1.0.attn.qkv.weight`: stages are 1, 3, 5 and 7 of the features, and mergings 2, 4 and 6. The last
/// normalisation is the classifier's: UPerNet's own are others.
fn torchvision_swin(theirs: &str) -> Option<Mapped> {
    if ["norm.", "head."].iter().any(|classifier| theirs.starts_with(classifier)) {
        return Some(Mapped::Dropped);
    }
    let (number, rest) = theirs.strip_prefix("features.")?.split_once('.')?;
    let number: usize = number.parse().ok()?;
    let ours = match (number, rest.split_once('.')?) {
        (0, ("0", suffix)) => format!("patches.conv.{suffix}"),
        (0, ("2", suffix)) => format!("patches.norm.{suffix}"),
        (2 | 4 | 6, ("norm", suffix)) => format!("merge{}.norm.{suffix}", number / 2 + 1),
        (2 | 4 | 6, ("reduction", suffix)) => format!("merge{}.reduce.{suffix}", number / 2 + 1),
        (1 | 3 | 5 | 7, (block, layer)) => {
            let layer = match layer {
                "attn.relative_position_bias_table" => "attention.relative_positions".to_owned(),
                _ => transformer_block(layer, ["mlp.0", "mlp.3"])?,
            };
            format!("stage{}.block{block}.{layer}", number / 2 + 1)
        }
        _ => return None,
    };
    Some(Mapped::To(format!("encoder.{ours}")))
}

/// `blocks.0.attn.qkv.weight`, and `pos_embed`, of which the class token's row becomes a part of the token
/// ([`super::positions`]).
fn timm_vit(theirs: &str) -> Option<Mapped> {
    if ["head.", "pre_logits."].iter().any(|classifier| theirs.starts_with(classifier)) {
        return Some(Mapped::Dropped);
    }
    let ours = match theirs.split_once('.') {
        None if theirs == "cls_token" => "class_token".to_owned(),
        None if theirs == "pos_embed" => "positions".to_owned(),
        Some(("norm", suffix)) => format!("norm.{suffix}"),
        Some(("patch_embed", rest)) => format!("patches.{}", rest.strip_prefix("proj.")?),
        Some(("blocks", rest)) => {
            let (number, layer) = rest.split_once('.')?;
            format!("block{number}.{}", transformer_block(layer, ["mlp.fc1", "mlp.fc2"])?)
        }
        _ => return None,
    };
    Some(Mapped::To(format!("encoder.{ours}")))
}

/// `attn.qkv.weight` within a block, whose MLP's layers are called `mlp`.
fn transformer_block(theirs: &str, mlp: [&str; 2]) -> Option<String> {
    let (layer, suffix) = theirs.rsplit_once('.')?;
    let layer = match layer {
        "norm1" => "attention.norm",
        "attn.qkv" => "attention.qkv",
        "attn.proj" => "attention.project",
        "norm2" => "mlp.norm",
        _ if layer == mlp[0] => "mlp.widen",
        _ if layer == mlp[1] => "mlp.narrow",
        _ => return None,
    };
    Some(format!("{layer}.{suffix}"))
}
