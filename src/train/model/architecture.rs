//! The architectures that there are, by name, and what each is made of.

use serde::{Deserialize, Serialize};

use super::ladder::{self, Ladder};
use super::ops::Ops;
use super::swin::{self, Swin};
use super::upernet::{self, UperNet};
use super::vit::{self, Vit};
use super::{densenet, lite0, resnet, tiny};

/// The encoders, each with what makes one map of its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// EfficientNet-Lite0, pyramid of grids 1, 2, 4, one width.
    #[serde(rename = "lite0")]
    Lite0,
    /// DenseNet-121, pyramid of grids 8, 4, 2, 1, widths 512, 256, 256, 128: LDN-121 of the paper.
    #[serde(rename = "ldn-121")]
    Ldn121,
    /// ResNet-18, the ladder as Lite0's.
    #[serde(rename = "resnet18")]
    ResNet18,
    /// Swin-T and UPerNet, which was published with a width of 512.
    #[serde(rename = "upernet-swin-t")]
    UperNetSwinT,
    /// Swin-B and UPerNet.
    #[serde(rename = "upernet-swin-b")]
    UperNetSwinB,
    /// Segmenter with ViT-B/16, at stride 16.
    #[serde(rename = "segmenter-vit-b16")]
    SegmenterVitB16,
    /// A few thousand parameters, for tests and smoke runs.
    #[serde(rename = "tiny")]
    Tiny,
    /// A small Swin and UPerNet, for tests and smoke runs.
    #[serde(rename = "upernet-tiny")]
    UperNetTiny,
    /// A Segmenter with a small ViT, for tests and smoke runs.
    #[serde(rename = "segmenter-tiny")]
    SegmenterTiny,
}

/// What an architecture is made of.
#[derive(Debug)]
pub(super) enum Design {
    /// Features at strides 4 to 32, and what makes one map at stride 4 of them.
    Pyramid(Pyramid, Decoder),
    /// A vision transformer and a mask transformer.
    Segmenter(&'static Vit),
}

/// An encoder that gives feature maps at strides 4, 8, 16 and 32.
#[derive(Debug)]
pub(super) enum Pyramid {
    Lite0,
    DenseNet121,
    ResNet18,
    Swin(&'static Swin),
    Tiny,
}

/// What makes one map at stride 4 of such features.
#[derive(Debug)]
pub(super) enum Decoder {
    Ladder(Ladder),
    UperNet(UperNet),
}

impl Architecture {
    /// As the settings file has it.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Lite0 => "lite0",
            Architecture::Ldn121 => "ldn-121",
            Architecture::ResNet18 => "resnet18",
            Architecture::UperNetSwinT => "upernet-swin-t",
            Architecture::UperNetSwinB => "upernet-swin-b",
            Architecture::SegmenterVitB16 => "segmenter-vit-b16",
            Architecture::Tiny => "tiny",
            Architecture::UperNetTiny => "upernet-tiny",
            Architecture::SegmenterTiny => "segmenter-tiny",
        }
    }

    /// Channels of the pre-logits, where the architecture leaves no choice.
    pub fn own_width(self) -> Option<usize> {
        match self.design(0) {
            Design::Pyramid(..) => None,
            Design::Segmenter(vit) => Some(vit.width.channels),
        }
    }

    /// With pre-logits of so many channels, where there is a choice.
    pub(super) fn design(self, width: usize) -> Design {
        let w = width;
        let ladder = |encoder, features, grids: &'static [usize], level, widths| {
            Design::Pyramid(encoder, Decoder::Ladder(Ladder { features, grids, level, widths }))
        };
        let narrow = |encoder, features| ladder(encoder, features, &[1, 2, 4], w / 4, [w; 4]);
        let upernet = |swin: &'static Swin| {
            let decoder = UperNet { features: swin.features(), width };
            Design::Pyramid(Pyramid::Swin(swin), Decoder::UperNet(decoder))
        };
        match self {
            Architecture::Lite0 => narrow(Pyramid::Lite0, lite0::CHANNELS),
            Architecture::ResNet18 => narrow(Pyramid::ResNet18, resnet::CHANNELS),
            Architecture::Tiny => narrow(Pyramid::Tiny, tiny::CHANNELS),
            Architecture::Ldn121 => {
                let widths = [w, 2 * w, 2 * w, 4 * w];
                ladder(Pyramid::DenseNet121, densenet::CHANNELS, &[8, 4, 2, 1], w, widths)
            }
            Architecture::UperNetSwinT => upernet(&swin::T),
            Architecture::UperNetSwinB => upernet(&swin::B),
            Architecture::UperNetTiny => upernet(&swin::TINY),
            Architecture::SegmenterVitB16 => Design::Segmenter(&vit::B16),
            Architecture::SegmenterTiny => Design::Segmenter(&vit::TINY),
        }
    }
}

impl Pyramid {
    pub(super) fn encode<O: Ops>(&self, ops: &mut O, image: &O::Value) -> Result<[O::Value; 4], O::Error> {
        match self {
            Pyramid::Lite0 => lite0::encode(ops, image),
            Pyramid::DenseNet121 => densenet::encode(ops, image),
            Pyramid::ResNet18 => resnet::encode(ops, image),
            Pyramid::Swin(swin) => swin::encode(swin, ops, image),
            Pyramid::Tiny => tiny::encode(ops, image),
        }
    }
}

impl Decoder {
    pub(super) fn decode<O: Ops>(&self, ops: &mut O, features: [O::Value; 4]) -> Result<O::Value, O::Error> {
        match self {
            Decoder::Ladder(ladder) => ladder::climb(ladder, ops, features),
            Decoder::UperNet(upernet) => upernet::fuse(upernet, ops, features),
        }
    }
}
