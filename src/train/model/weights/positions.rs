//! A vision transformer's position embeddings, which others keep in one list with the class token's.

use tch::{Kind, Tensor};

use super::super::{NetworkError, Parameters};

/// `[1, channels, side, side]` here; of others' files, until it was taken apart, `[1, 1 + n·n, channels]`.
const POSITIONS: &str = "encoder.positions";
/// `[1, channels]` here, with its position; of others' files `[1, 1, channels]`, without.
const CLASS_TOKEN: &str = "encoder.class_token";

/// Takes the list apart: the class token's position is added to the token, and the others become a map, which is
/// resized bilinearly to the network's own, as Segmenter does when it loads weights that were trained in another size.
/// What is named otherwise, or has our shapes already, stays.
///
/// # Errors
/// A list that is no class token's and a square grid's; libtorch's.
pub(super) fn taken_apart(
    parameters: &Parameters,
    mut named: Vec<(String, Tensor)>,
) -> Result<Vec<(String, Tensor)>, NetworkError> {
    let at = |name: &str| named.iter().position(|(n, _)| n == name);
    let (Some(positions), Some(token)) = (at(POSITIONS), at(CLASS_TOKEN)) else { return Ok(named) };
    let list = &named[positions].1;
    if list.dim() != 3 {
        return Ok(named);
    }
    let list = list.f_to_kind(Kind::Float)?;
    let (_, count, channels) = list.size3()?;
    let side = (count - 1).max(0).isqrt();
    if side == 0 || side * side != count - 1 {
        return Err(NetworkError::Positions { got: list.size() });
    }
    let of_token = list.f_narrow(1, 0, 1)?;
    let whole = named[token].1.f_to_kind(Kind::Float)?.f_add(&of_token)?.f_reshape([1, channels])?;
    let mut grid = list.f_narrow(1, 1, count - 1)?.f_transpose(1, 2)?.f_reshape([1, channels, side, side])?;
    let (_, _, height, width) = parameters.tensor(POSITIONS)?.size4()?;
    if (height, width) != (side, side) {
        grid = grid.f_upsample_bilinear2d([height, width], false, None, None)?;
    }
    named[positions].1 = grid;
    named[token].1 = whole;
    Ok(named)
}
