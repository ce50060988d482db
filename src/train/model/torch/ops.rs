//! The operations, one by one.

use tch::{Kind, Tensor};

use super::{tokens, windows};
use crate::train::model::ops::{BatchNorm, Conv, LayerNorm, Linear, Ops, Pool, Positions, Tokens, Window};
use crate::train::model::parameters::Parameters;
use crate::train::model::part::Part;
use crate::train::model::{Mode, NetworkError, Precision};

/// Ops over tensors.
#[derive(Debug)]
pub struct TorchOps<'a> {
    /// What the layers' names refer to.
    pub parameters: &'a Parameters,
    /// What batch normalisation normalises by.
    pub mode: Mode,
    /// What layers outside the heads compute in.
    pub precision: Precision,
}

impl TorchOps<'_> {
    /// What a layer computes in.
    fn kind(&self, name: &str) -> Kind {
        match (self.precision, Part::of(name)) {
            (Precision::F32, _) | (_, Some(Part::ClassHead | Part::DatasetHead) | None) => Kind::Float,
            (Precision::Bf16, _) => Kind::BFloat16,
        }
    }

    fn tensor(&self, layer: &str, suffix: &str) -> Result<&Tensor, NetworkError> {
        self.parameters.tensor(&format!("{layer}.{suffix}"))
    }
}

impl Ops for TorchOps<'_> {
    type Value = Tensor;
    type Error = NetworkError;

    fn conv(&mut self, name: &str, x: &Tensor, conv: Conv) -> Result<Tensor, NetworkError> {
        let kind = self.kind(name);
        let weight = self.tensor(name, "weight")?;
        let bias = if conv.bias { Some(self.tensor(name, "bias")?) } else { None };
        let (before, after) = (conv.padding.0 as i64, conv.padding.1 as i64);
        let (stride, groups) = (conv.stride as i64, conv.groups as i64);
        let run = || {
            let mut x = x.f_to_kind(kind)?;
            let mut around = before;
            if before != after {
                x = x.f_constant_pad_nd([before, after, before, after])?;
                around = 0;
            }
            let bias = bias.map(|b| b.f_to_kind(kind)).transpose()?;
            x.f_conv2d(&weight.f_to_kind(kind)?, bias, [stride; 2], [around; 2], [1, 1], groups)
        };
        run().map_err(NetworkError::at(name))
    }

    fn batch_norm(&mut self, name: &str, x: &Tensor, norm: BatchNorm) -> Result<Tensor, NetworkError> {
        let frozen = Part::of(name).is_some_and(|part| self.parameters.is_frozen(part));
        let train = self.mode == Mode::Train && !frozen;
        if train && x.numel() <= norm.channels {
            return Err(NetworkError::OneValue { layer: name.to_owned() });
        }
        let [weight, bias, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|suffix| self.tensor(name, suffix));
        let (weight, bias, mean, variance) = (weight?, bias?, mean?, variance?);
        let run = || {
            // The heads' are in f32: what comes from the trunk may not be.
            x.f_to_kind(self.kind(name))?.f_batch_norm(
                Some(weight),
                Some(bias),
                Some(mean),
                Some(variance),
                train,
                norm.momentum,
                norm.epsilon,
                true,
            )
        };
        run().map_err(NetworkError::at(name))
    }

    fn relu(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        x.f_relu().map_err(NetworkError::at("a ReLU"))
    }

    fn relu6(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        x.f_relu6().map_err(NetworkError::at("a ReLU6"))
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor, NetworkError> {
        a.f_add(b).map_err(NetworkError::at("a sum"))
    }

    fn concat(&mut self, parts: &[&Tensor]) -> Result<Tensor, NetworkError> {
        Tensor::f_cat(parts, 1).map_err(NetworkError::at("a concatenation"))
    }

    fn max_pool(&mut self, x: &Tensor, pool: Pool) -> Result<Tensor, NetworkError> {
        let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|n| [n as i64; 2]);
        x.f_max_pool2d(kernel, stride, padding, [1, 1], false).map_err(NetworkError::at("a max pool"))
    }

    fn avg_pool(&mut self, x: &Tensor, pool: Pool) -> Result<Tensor, NetworkError> {
        let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|n| [n as i64; 2]);
        x.f_avg_pool2d(kernel, stride, padding, false, false, None)
            .map_err(NetworkError::at("an average pool"))
    }

    fn adaptive_avg_pool(&mut self, x: &Tensor, side: usize) -> Result<Tensor, NetworkError> {
        x.f_adaptive_avg_pool2d([side as i64; 2]).map_err(NetworkError::at("a grid of means"))
    }

    fn resize_as(&mut self, x: &Tensor, like: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || {
            let (_, _, height, width) = like.size4()?;
            x.f_upsample_bilinear2d([height, width], false, None, None)
        };
        run().map_err(NetworkError::at("a resize"))
    }

    fn subtract_log_sum_exp(&mut self, g: &Tensor, s: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || g.f_subtract(&s.f_logsumexp([1], true)?);
        run().map_err(NetworkError::at("the tied dataset logit"))
    }

    fn gelu(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        x.f_gelu("none").map_err(NetworkError::at("a GELU"))
    }

    fn pad_to_multiple(&mut self, x: &Tensor, side: usize) -> Result<Tensor, NetworkError> {
        let run = || {
            let (_, _, height, width) = x.size4()?;
            let [rows, columns] = [height, width].map(|n| windows::rounded_up(n, side) - n);
            if rows + columns == 0 {
                return Ok(x.shallow_clone());
            }
            x.f_constant_pad_nd([0, columns, 0, rows])
        };
        run().map_err(NetworkError::at("a padding"))
    }

    fn space_to_depth(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        let each_second = |row: i64, column: i64| x.f_slice(2, row, None, 2)?.f_slice(3, column, None, 2);
        let run = || {
            let parts = [each_second(0, 0)?, each_second(1, 0)?, each_second(0, 1)?, each_second(1, 1)?];
            Tensor::f_cat(&parts, 1)
        };
        run().map_err(NetworkError::at("a merging of pixels"))
    }

    fn cut_to_image(&mut self, x: &Tensor, image: &Tensor, stride: usize) -> Result<Tensor, NetworkError> {
        tokens::cut_to_image(x, image, stride).map_err(NetworkError::at("a cut to the image"))
    }

    fn add_positions(&mut self, name: &str, x: &Tensor, _: Positions) -> Result<Tensor, NetworkError> {
        let learned = self.parameters.tensor(name)?;
        let run = || {
            let (_, _, height, width) = x.size4()?;
            x.f_add(&learned.f_upsample_bilinear2d([height, width], false, None, None)?)
        };
        run().map_err(NetworkError::at(name))
    }

    fn to_tokens(&mut self, x: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || x.f_flatten(2, 3)?.f_transpose(1, 2);
        run().map_err(NetworkError::at("a map as tokens"))
    }

    fn to_map(&mut self, x: &Tensor, like: &Tensor) -> Result<Tensor, NetworkError> {
        let run = || {
            let ((n, _, channels), (_, _, height, width)) = (x.size3()?, like.size4()?);
            x.f_transpose(1, 2)?.f_reshape([n, channels, height, width])
        };
        run().map_err(NetworkError::at("tokens as a map"))
    }

    fn to_windows(&mut self, x: &Tensor, like: &Tensor, window: Window) -> Result<Tensor, NetworkError> {
        let run = || windows::Layout::new(like, window)?.cut(x);
        run().map_err(NetworkError::at("a cut into windows"))
    }

    fn from_windows(&mut self, x: &Tensor, like: &Tensor, window: Window) -> Result<Tensor, NetworkError> {
        let run = || windows::Layout::new(like, window)?.joined(x);
        run().map_err(NetworkError::at("windows as a grid"))
    }

    fn linear(&mut self, name: &str, x: &Tensor, linear: Linear) -> Result<Tensor, NetworkError> {
        let kind = self.kind(name);
        let weight = self.tensor(name, "weight")?;
        let bias = if linear.bias { Some(self.tensor(name, "bias")?) } else { None };
        let run = || {
            let bias = bias.map(|b| b.f_to_kind(kind)).transpose()?;
            x.f_to_kind(kind)?.f_linear(&weight.f_to_kind(kind)?, bias)
        };
        run().map_err(NetworkError::at(name))
    }

    fn layer_norm(&mut self, name: &str, x: &Tensor, norm: LayerNorm) -> Result<Tensor, NetworkError> {
        let (weight, bias) = (self.tensor(name, "weight")?, self.tensor(name, "bias")?);
        let run = || {
            let x = x.f_to_kind(Kind::Float)?;
            x.f_layer_norm([norm.channels as i64], Some(weight), Some(bias), norm.epsilon, true)
        };
        run().map_err(NetworkError::at(name))
    }

    fn attention(
        &mut self,
        qkv: &Tensor,
        heads: usize,
        bias: Option<&Tensor>,
    ) -> Result<Tensor, NetworkError> {
        tokens::attention(qkv, heads, bias).map_err(NetworkError::at("attention"))
    }

    fn window_bias(
        &mut self,
        name: &str,
        like: &Tensor,
        _: usize,
        window: Window,
    ) -> Result<Tensor, NetworkError> {
        let learned = self.parameters.tensor(name)?;
        let run = || windows::Layout::new(like, window)?.bias(learned);
        run().map_err(NetworkError::at(name))
    }

    fn append_tokens(&mut self, name: &str, x: &Tensor, _: Tokens) -> Result<Tensor, NetworkError> {
        let learned = self.parameters.tensor(name)?;
        let run = || {
            let (n, _, _) = x.size3()?;
            let learned = learned.f_to_kind(x.f_kind()?)?.f_unsqueeze(0)?.f_expand([n, -1, -1], false)?;
            Tensor::f_cat(&[x, &learned], 1)
        };
        run().map_err(NetworkError::at(name))
    }

    fn all_but_last(&mut self, x: &Tensor, count: usize) -> Result<Tensor, NetworkError> {
        let run = || x.f_narrow(1, 0, x.size3()?.1 - count as i64);
        run().map_err(NetworkError::at("the first tokens"))
    }

    fn last(&mut self, x: &Tensor, count: usize) -> Result<Tensor, NetworkError> {
        let run = || x.f_narrow(1, x.size3()?.1 - count as i64, count as i64);
        run().map_err(NetworkError::at("the last tokens"))
    }

    fn cosines(&mut self, x: &Tensor, y: &Tensor, _: usize) -> Result<Tensor, NetworkError> {
        tokens::cosines(x, y).map_err(NetworkError::at("products of tokens"))
    }
}
