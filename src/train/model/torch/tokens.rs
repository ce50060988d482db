//! What is done with tokens, and takes more than a line of libtorch.

use tch::{TchError, Tensor};

/// A length is divided by as at least so much: that of nothing is no number's divisor.
const SHORTEST: f64 = 1e-12;

/// softmax(q·kᵀ/√d + bias)·v for each head: `[B, T, C]` of `[B, T, 3C]`. The bias is `[n, heads, T, T]`, for n of B
/// after n, in turn.
pub(super) fn attention(qkv: &Tensor, heads: usize, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let (batch, count, wide) = qkv.size3()?;
    let (heads, channels) = (heads as i64, wide / 3);
    let deep = channels / heads.max(1);
    let parts = qkv.f_reshape([batch, count, 3, heads, deep])?;
    let part = |i: i64| parts.f_select(2, i)?.f_transpose(1, 2); // [B, heads, T, d]
    let mut qkv = [part(0)?, part(1)?, part(2)?];
    let bias = bias.map(|bias| bias.f_to_kind(parts.f_kind()?)).transpose()?;
    let turns = match &bias {
        Some(bias) => bias.size4()?.0,
        None => 1,
    };
    if turns > 1 {
        for part in &mut qkv {
            *part = part.f_reshape([-1, turns, heads, count, deep])?;
        }
    }
    let [q, k, v] = &qkv;
    // libtorch chooses a kernel that does not keep all T×T products, where it has one.
    let said = Tensor::f_scaled_dot_product_attention(q, k, v, bias.as_ref(), 0.0, false, None, false)?;
    said.f_reshape([batch, heads, count, deep])?.f_transpose(1, 2)?.f_reshape([batch, count, channels])
}

/// `[N, T, K]` of `[N, T, C]` and `[N, K, C]`.
pub(super) fn cosines(x: &Tensor, y: &Tensor) -> Result<Tensor, TchError> {
    let of_length_1 = |tokens: &Tensor| {
        let lengths = tokens.f_norm_scalaropt_dim(2.0, [-1], true)?;
        tokens.f_div(&lengths.f_clamp_min(SHORTEST)?)
    };
    of_length_1(x)?.f_matmul(&of_length_1(y)?.f_transpose(1, 2)?)
}

/// See [`crate::train::model::Ops::cut_to_image`].
///
/// By matrices, as the exporter writes it: libtorch's own resize copies a map to its own size, whatever the scale.
pub(super) fn cut_to_image(x: &Tensor, image: &Tensor, stride: usize) -> Result<Tensor, TchError> {
    let ((_, _, rows, columns), (_, _, height, width)) = (x.size4()?, image.size4()?);
    let stride = stride as i64;
    if (rows * stride, columns * stride) == (height, width) {
        return Ok(x.shallow_clone());
    }
    let matrix = |pixels: i64, cells: i64| {
        let weights = Tensor::f_from_slice(&spread(pixels, cells, stride))?.f_reshape([cells, cells])?;
        weights.f_to_device(x.device())?.f_to_kind(x.f_kind()?)
    };
    let across = x.f_matmul(&matrix(width, columns)?.f_transpose(0, 1)?)?;
    matrix(height, rows)?.f_matmul(&across)
}

/// The matrix `[cells, cells]` that spreads cells of `stride` pixels over fewer pixels than they cover: each is made
/// of the two that its new centre lies between, by nearness.
fn spread(pixels: i64, cells: i64, stride: i64) -> Vec<f32> {
    let (share, last) = (pixels as f32 / (cells * stride) as f32, (cells - 1) as f32);
    let mut weights = Vec::new();
    for i in 0..cells {
        let centre = ((i as f32 + 0.5) * share - 0.5).clamp(0.0, last);
        weights.extend((0..cells).map(|j| (1.0 - (centre - j as f32).abs()).max(0.0)));
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn values(t: &Tensor) -> Vec<f32> {
        Vec::try_from(t.flatten(0, -1)).unwrap()
    }

    /// Waves.
    fn tokens(shape: [i64; 3]) -> Tensor {
        let t = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)) * 0.7;
        t.sin().view(shape)
    }

    #[test]
    fn attention_is_as_defined() {
        let (heads, deep) = (2, 4);
        let qkv = tokens([6, 5, 3 * heads * deep]);
        let biases = [
            None,
            Some(tokens([1, heads, 25]).view([1, heads, 5, 5])),
            Some(tokens([3, heads, 25]).view([3, heads, 5, 5])),
        ];
        for bias in biases {
            let got = attention(&qkv, heads as usize, bias.as_ref()).unwrap();
            assert_eq!(got.size(), [6, 5, heads * deep]);
            for (image, head) in (0..6).flat_map(|n| (0..heads).map(move |h| (n, h))) {
                let part = |i: i64| qkv.select(0, image).narrow(1, (i * heads + head) * deep, deep);
                let mut products = part(0).matmul(&part(1).tr()) / 2.0;
                if let Some(bias) = &bias {
                    products += bias.select(0, image % bias.size()[0]).select(0, head);
                }
                let expected = products.softmax(-1, Kind::Float).matmul(&part(2));
                let difference = got.select(0, image).narrow(1, head * deep, deep) - expected;
                assert!(difference.abs().max().double_value(&[]) < 1e-5, "image {image}, head {head}");
            }
        }
    }

    #[test]
    fn cosines_are_of_directions() {
        let x = Tensor::from_slice(&[3f32, 4.0, 0.0, 0.0]).view([1, 2, 2]);
        let y = Tensor::from_slice(&[10f32, 0.0, -3.0, -4.0, 0.0, 1.0]).view([1, 3, 2]);
        let got = values(&cosines(&x, &y).unwrap());
        // What has no length has no direction, and is at right angles to all.
        let expected = [0.6, -1.0, 0.8, 0.0, 0.0, 0.0];
        assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() < 1e-6), "{got:?}");
    }

    #[test]
    fn what_is_beyond_the_image_is_cut_off() {
        let map = Tensor::from_slice(&[0f32, 1.0, 2.0, 10.0, 11.0, 12.0]).view([1, 1, 2, 3]);
        let image = |height, width| Tensor::zeros([1, 3, height, width], (Kind::Float, Device::Cpu));
        let cut = |height, width| values(&cut_to_image(&map, &image(height, width), 16).unwrap());
        assert_eq!(cut(32, 48), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        // The second row's centre is at pixel 18 of 24, which is 0.625 of the way from the first to the second.
        assert_eq!(cut(24, 48), [0.0, 1.0, 2.0, 6.25, 7.25, 8.25]);
    }
}
