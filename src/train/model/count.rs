//! How large a network is, and how much work: an [`Ops`] whose values are shapes.

use super::ops::{BatchNorm, Conv, LayerNorm, Linear, Ops, Pool, Positions, Tokens, Window};
use super::{NetworkError, Spec, describe};

/// What a network has and does at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Trained numbers: all parameters but running statistics.
    pub parameters: u64,
    /// Multiplications, each with its addition, of convolutions, linear maps and products of tokens, attention's two
    /// among them; normalisation, pooling and resizing, which hardly weigh, are not counted. One image.
    pub macs: u64,
}

/// Counts a network at `height × width` of the image.
///
/// # Errors
/// A spec that is none.
pub fn count(spec: &Spec, height: usize, width: usize) -> Result<Count, NetworkError> {
    spec.check()?;
    let mut counter = Counter { count: Count { parameters: 0, macs: 0 } };
    describe(spec, &mut counter, &Shape::image(height, width))?;
    Ok(counter.count)
}

/// Of a map; of tokens, which are a map of one column.
#[derive(Debug, Clone, Copy)]
struct Shape {
    channels: usize,
    height: usize,
    width: usize,
    /// How many such an image has: 1, but of a window.
    times: usize,
}

impl Shape {
    fn image(height: usize, width: usize) -> Self {
        Shape { channels: 3, height, width, times: 1 }
    }

    fn tokens(channels: usize, count: usize, times: usize) -> Self {
        Shape { channels, height: count, width: 1, times }
    }

    fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Enough for windows of that side.
    fn rounded_up(self, side: usize) -> Self {
        let up = |n: usize| n.next_multiple_of(side.max(1));
        Shape { height: up(self.height), width: up(self.width), ..self }
    }

    /// With windows of `kernel` every `stride` over `padded` more rows and columns.
    fn windows(self, kernel: usize, stride: usize, padded: usize) -> Shape {
        let side = |n: usize| (n + padded).checked_sub(kernel).map_or(0, |rest| rest / stride.max(1) + 1);
        Shape { height: side(self.height), width: side(self.width), ..self }
    }
}

struct Counter {
    count: Count,
}

impl Ops for Counter {
    type Value = Shape;
    type Error = NetworkError;

    fn conv(&mut self, _: &str, x: &Shape, conv: Conv) -> Result<Shape, NetworkError> {
        let Conv { inputs, outputs, kernel, stride, padding, groups, bias } = conv;
        let y = Shape { channels: outputs, ..x.windows(kernel, stride, padding.0 + padding.1) };
        let weights = outputs * (inputs / groups.max(1)) * kernel * kernel;
        self.count.parameters += (weights + if bias { outputs } else { 0 }) as u64;
        self.count.macs += weights as u64 * y.pixels() as u64;
        Ok(y)
    }

    fn batch_norm(&mut self, _: &str, x: &Shape, norm: BatchNorm) -> Result<Shape, NetworkError> {
        self.count.parameters += 2 * norm.channels as u64;
        Ok(*x)
    }

    fn relu(&mut self, x: &Shape) -> Result<Shape, NetworkError> {
        Ok(*x)
    }

    fn relu6(&mut self, x: &Shape) -> Result<Shape, NetworkError> {
        Ok(*x)
    }

    fn add(&mut self, a: &Shape, _: &Shape) -> Result<Shape, NetworkError> {
        Ok(*a)
    }

    fn concat(&mut self, parts: &[&Shape]) -> Result<Shape, NetworkError> {
        let channels = parts.iter().map(|part| part.channels).sum();
        let (height, width) = parts.first().map_or((0, 0), |part| (part.height, part.width));
        Ok(Shape { channels, height, width, times: 1 })
    }

    fn max_pool(&mut self, x: &Shape, pool: Pool) -> Result<Shape, NetworkError> {
        Ok(x.windows(pool.kernel, pool.stride, 2 * pool.padding))
    }

    fn avg_pool(&mut self, x: &Shape, pool: Pool) -> Result<Shape, NetworkError> {
        Ok(x.windows(pool.kernel, pool.stride, 2 * pool.padding))
    }

    fn adaptive_avg_pool(&mut self, x: &Shape, side: usize) -> Result<Shape, NetworkError> {
        Ok(Shape { height: side, width: side, ..*x })
    }

    fn resize_as(&mut self, x: &Shape, like: &Shape) -> Result<Shape, NetworkError> {
        Ok(Shape { channels: x.channels, ..*like })
    }

    fn subtract_log_sum_exp(&mut self, g: &Shape, _: &Shape) -> Result<Shape, NetworkError> {
        Ok(*g)
    }

    fn gelu(&mut self, x: &Shape) -> Result<Shape, NetworkError> {
        Ok(*x)
    }

    fn pad_to_multiple(&mut self, x: &Shape, side: usize) -> Result<Shape, NetworkError> {
        Ok(x.rounded_up(side))
    }

    fn space_to_depth(&mut self, x: &Shape) -> Result<Shape, NetworkError> {
        Ok(Shape { channels: 4 * x.channels, height: x.height / 2, width: x.width / 2, ..*x })
    }

    fn cut_to_image(&mut self, x: &Shape, _: &Shape, _: usize) -> Result<Shape, NetworkError> {
        Ok(*x)
    }

    fn add_positions(&mut self, _: &str, x: &Shape, positions: Positions) -> Result<Shape, NetworkError> {
        self.count.parameters += (positions.channels * positions.side * positions.side) as u64;
        Ok(*x)
    }

    fn to_tokens(&mut self, x: &Shape) -> Result<Shape, NetworkError> {
        Ok(Shape::tokens(x.channels, x.pixels(), 1))
    }

    fn to_map(&mut self, x: &Shape, like: &Shape) -> Result<Shape, NetworkError> {
        Ok(Shape { channels: x.channels, ..*like })
    }

    fn to_windows(&mut self, x: &Shape, like: &Shape, window: Window) -> Result<Shape, NetworkError> {
        let count = like.rounded_up(window.side).pixels() / window.tokens().max(1);
        Ok(Shape::tokens(x.channels, window.tokens(), count))
    }

    fn from_windows(&mut self, x: &Shape, like: &Shape, _: Window) -> Result<Shape, NetworkError> {
        Ok(Shape::tokens(x.channels, like.pixels(), 1))
    }

    fn linear(&mut self, _: &str, x: &Shape, linear: Linear) -> Result<Shape, NetworkError> {
        let Linear { inputs, outputs, bias } = linear;
        self.count.parameters += (inputs * outputs + if bias { outputs } else { 0 }) as u64;
        self.count.macs += (inputs * outputs) as u64 * (x.pixels() * x.times) as u64;
        Ok(Shape { channels: outputs, ..*x })
    }

    fn layer_norm(&mut self, _: &str, x: &Shape, norm: LayerNorm) -> Result<Shape, NetworkError> {
        self.count.parameters += 2 * norm.channels as u64;
        Ok(*x)
    }

    fn attention(&mut self, qkv: &Shape, _: usize, _: Option<&Shape>) -> Result<Shape, NetworkError> {
        let (channels, count) = (qkv.channels / 3, qkv.pixels());
        self.count.macs += 2 * (count * count * channels) as u64 * qkv.times as u64;
        Ok(Shape { channels, ..*qkv })
    }

    fn window_bias(
        &mut self,
        _: &str,
        like: &Shape,
        heads: usize,
        window: Window,
    ) -> Result<Shape, NetworkError> {
        self.count.parameters += (window.relative_places() * heads) as u64;
        Ok(Shape { channels: heads, ..*like })
    }

    fn append_tokens(&mut self, _: &str, x: &Shape, tokens: Tokens) -> Result<Shape, NetworkError> {
        self.count.parameters += (tokens.count * tokens.channels) as u64;
        Ok(Shape::tokens(x.channels, x.pixels() + tokens.count, x.times))
    }

    fn all_but_last(&mut self, x: &Shape, count: usize) -> Result<Shape, NetworkError> {
        Ok(Shape::tokens(x.channels, x.pixels().saturating_sub(count), x.times))
    }

    fn last(&mut self, x: &Shape, count: usize) -> Result<Shape, NetworkError> {
        Ok(Shape::tokens(x.channels, count, x.times))
    }

    fn cosines(&mut self, x: &Shape, y: &Shape, count: usize) -> Result<Shape, NetworkError> {
        self.count.macs += (x.pixels() * y.pixels() * x.channels) as u64 * x.times as u64;
        Ok(Shape { channels: count, ..*x })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, DatasetHead, Precision, TorchNetwork, features};
    use super::*;
    use crate::train::model::{Network, Part};

    fn spec(architecture: Architecture, classes: usize, width: usize) -> Spec {
        let width = architecture.own_width().unwrap_or(width);
        Spec { architecture, classes, width, dataset_head: DatasetHead::Independent }
    }

    /// Of the encoder alone, one image.
    fn encoder(architecture: Architecture, side: usize) -> Count {
        let mut counter = Counter { count: Count { parameters: 0, macs: 0 } };
        features(&spec(architecture, 5, 16), &mut counter, &Shape::image(side, side)).unwrap();
        counter.count
    }

    /// In units of 10⁹, to two places.
    fn giga(macs: u64) -> f64 {
        (macs as f64 / 1e7).round() / 100.0
    }

    /// method.md, end of section 2: 11.07 M and 205.7 GMAC; the paper's table XI prints 202.3 "GFLOPs".
    #[test]
    fn ldn_121_is_as_large_as_the_papers() {
        let count = count(&spec(Architecture::Ldn121, 19, 128), 1024, 2048).unwrap();
        assert_eq!((count.parameters as f64 / 1e4).round() / 100.0, 11.07, "{count:?}");
        assert_eq!((count.macs as f64 / 1e8).round() / 10.0, 205.7, "{count:?}");
    }

    /// The published 4.69 M (4 652 008 trained numbers, and the statistics) are with a classifier: a 1×1 from 320
    /// to 1280 with normalisation, and 1280 × 1000 with bias.
    #[test]
    fn lite0s_encoder_is_the_published_one_without_its_classifier() {
        let spec = spec(Architecture::Lite0, 11, 96);
        let network = TorchNetwork::new(spec, 7, Precision::F32, tch::Device::Cpu).unwrap();
        let encoder =
            network.parameters().iter().filter(|(_, p)| p.part() == Part::Encoder && p.is_trained());
        let encoder: usize = encoder.map(|(_, p)| p.tensor.numel()).sum();
        assert_eq!(encoder + 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000, 4_652_008);
    }

    /// torchvision says 11 689 512 parameters and 1.81 GMAC at 224×224 of ResNet-18, others 1.82, which count
    /// normalisation too. A classifier of 1000 classes is added by hand. What is left differs by nothing.
    #[test]
    fn resnet_18s_encoder_is_the_published_one() {
        let encoder = encoder(Architecture::ResNet18, 224);
        assert_eq!(encoder.parameters + 512 * 1000 + 1000, 11_689_512);
        assert_eq!(giga(encoder.macs + 512 * 1000), 1.81);
    }

    /// torchvision and timm say 86 567 656 parameters and 17.56 GMAC at 224×224 of ViT-B/16 with 14×14 positions; 16.9
    /// are without attention's products. Here are 24×24 positions, and the class token's is in the token.
    #[test]
    fn vit_b16s_encoder_is_the_published_one() {
        let encoder = encoder(Architecture::SegmenterVitB16, 224);
        let positions = 768 * (24 * 24) - 768 * (14 * 14 + 1);
        assert_eq!(encoder.parameters - positions + 768 * 1000 + 1000, 86_567_656);
        assert_eq!(giga(encoder.macs + 768 * 1000), 17.56);
        let products = 12 * 2 * 197 * 197 * 768;
        assert_eq!(giga(encoder.macs - products), 16.85);
    }

    /// torchvision says 28 288 354 parameters and 4.49 GMAC at 224×224 of Swin-T, 87 768 224 and 15.43 of Swin-B; the
    /// paper 28 M and 4.5, 88 M and 15.4. A last normalisation and a classifier of 1000 classes are added by hand.
    #[test]
    fn swins_encoders_are_the_published_ones() {
        for (architecture, channels, parameters, macs) in [
            (Architecture::UperNetSwinT, 768, 28_288_354, 4.49),
            (Architecture::UperNetSwinB, 1024, 87_768_224, 15.43),
        ] {
            let encoder = encoder(architecture, 224);
            assert_eq!(encoder.parameters + 2 * channels + channels * 1000 + 1000, parameters);
            assert_eq!(giga(encoder.macs + channels * 1000), macs);
        }
    }

    /// The Swin paper says 60 M parameters and 945 GMAC at 512×2048 of Swin-T with UPerNet and 150 classes: with the
    /// auxiliary head, two convolutions on the feature at stride 16, which is added by hand, and without a dataset
    /// head. Counters differ in what of normalisation and resizing they count: 1 % is left for that.
    #[test]
    fn upernet_is_as_large_as_the_published_one() {
        let count = count(&spec(Architecture::UperNetSwinT, 150, 512), 512, 2048).unwrap();
        let auxiliary = 384 * 256 * 9 + 256 * 150;
        let (normalisation, biases, dataset_head) = (2 * 256, 150, 2 * 512 + 512 + 1);
        let parameters = count.parameters + auxiliary + normalisation + biases - dataset_head;
        assert_eq!((parameters as f64 / 1e6).round(), 60.0, "{parameters}");
        let macs = (count.macs + auxiliary * (32 * 128)) as f64 / 1e9;
        assert!((macs / 945.0 - 1.0).abs() < 0.01, "{macs}");
    }

    #[test]
    fn what_is_counted_is_what_is_made() {
        for architecture in [
            Architecture::Lite0,
            Architecture::Ldn121,
            Architecture::ResNet18,
            Architecture::Tiny,
            Architecture::UperNetTiny,
            Architecture::SegmenterTiny,
        ] {
            let spec = spec(architecture, 11, 32);
            let network = TorchNetwork::new(spec.clone(), 7, Precision::F32, tch::Device::Cpu).unwrap();
            assert_eq!(count(&spec, 64, 64).unwrap().parameters, network.parameters().count() as u64);
        }
    }

    #[test]
    fn tiny_ones_are_small() {
        for (architecture, most) in [
            (Architecture::Tiny, 20_000),
            (Architecture::SegmenterTiny, 100_000),
            (Architecture::UperNetTiny, 200_000),
        ] {
            let parameters = count(&spec(architecture, 5, 16), 64, 64).unwrap().parameters;
            assert!((2_000..most).contains(&parameters), "{architecture:?}: {parameters}");
        }
    }
}
