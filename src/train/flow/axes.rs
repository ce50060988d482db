//! Sums and views along the axes of `[N,C,h,w]`.

use tch::{TchError, Tensor};

/// Over all but the first axis: `[N]`.
pub(super) fn sum_per_image(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_sum_dim_intlist([1i64, 2, 3].as_slice(), false, None)
}

/// One number per channel, `[C]`, as `[1,C,1,1]` in the kind of `like`.
pub(super) fn per_channel(values: &Tensor, like: &Tensor) -> Result<Tensor, TchError> {
    values.f_to_kind(like.f_kind()?)?.f_view([1, -1, 1, 1])
}

/// h · w
pub(super) fn area(x: &Tensor) -> Result<f64, TchError> {
    let (_, _, height, width) = x.size4()?;
    Ok((height * width) as f64)
}
