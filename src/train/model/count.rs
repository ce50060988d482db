//! How large a network is, and how much work: an [`Ops`] whose values are shapes.

use super::ops::{BatchNorm, Conv, Ops, Pool};
use super::{NetworkError, Spec, describe};

/// What a network has and does at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Trained numbers: weights and biases of convolutions and normalisations, without running statistics.
    pub parameters: u64,
    /// Multiplications, each with its addition, of the convolutions; normalisation, pooling and resizing, which
    /// hardly weigh, are not counted. One image.
    pub macs: u64,
}

/// Counts a network at `height × width` of the image.
///
/// # Errors
/// A spec that is none.
pub fn count(spec: &Spec, height: usize, width: usize) -> Result<Count, NetworkError> {
    spec.check()?;
    let mut counter = Counter { count: Count { parameters: 0, macs: 0 } };
    describe(spec, &mut counter, &Shape { channels: 3, height, width })?;
    Ok(counter.count)
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    channels: usize,
    height: usize,
    width: usize,
}

impl Shape {
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
        self.count.macs += weights as u64 * (y.height * y.width) as u64;
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
        Ok(Shape { channels, height, width })
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
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, DatasetHead, Precision, TorchNetwork};
    use super::*;
    use crate::train::model::{Network, Part};

    fn spec(architecture: Architecture, classes: usize, width: usize) -> Spec {
        Spec { architecture, classes, width, dataset_head: DatasetHead::Independent }
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

    #[test]
    fn what_is_counted_is_what_is_made() {
        for architecture in [Architecture::Lite0, Architecture::Ldn121, Architecture::Tiny] {
            let spec = spec(architecture, 11, 32);
            let network = TorchNetwork::new(spec.clone(), 7, Precision::F32, tch::Device::Cpu).unwrap();
            assert_eq!(count(&spec, 64, 64).unwrap().parameters, network.parameters().count() as u64);
        }
    }

    #[test]
    fn tiny_is_a_few_thousand() {
        let parameters = count(&spec(Architecture::Tiny, 5, 16), 64, 64).unwrap().parameters;
        assert!((2_000..20_000).contains(&parameters), "{parameters}");
    }
}
