//! The invertible 1×1 convolution (Glow; Kingma and Dhariwal, 2018): y = W·x at each pixel, W a rotation at first.
//!
//! W is kept as its factors P·L·U with |u_ii| = e^(packed_ii), not as a matrix. So
//! - ln |det W| = Σ packed_ii is a sum: no elimination at each step, and no inverse matrix for its gradient;
//! - W has an inverse whatever training makes of the parameters: no step leads to a singular matrix;
//! - the inverse is two triangular systems, which are solved without pivots, whose choice would have no gradient.
//!
//! Both W and its inverse are computed in f64 and rounded once: they are C × C, little beside pictures, and what
//! is left of W⁻¹·W − 1 is f32's rounding of the products with pixels.

use tch::{Kind, Tensor};

use super::FlowError;
use super::axes::area;
use super::rotation::{factorise, orthonormal};
use crate::train::model::Role;
use crate::train::model::declare::Declare;

/// See [`super::rotation::Factors`].
#[derive(Debug)]
pub(super) struct Mix {
    /// `[C,C]`, trained. Weights do not decay here: a rotation is no larger than the identity.
    packed: Tensor,
    /// `[C]`
    signs: Tensor,
    /// `[C]`, whole numbers in f32 as all that is kept.
    rows: Tensor,
}

impl Mix {
    pub(super) fn declare(declare: &mut Declare, name: &str, channels: usize) -> Result<Self, FlowError> {
        let n = channels as i64;
        let of = |suffix: &str| format!("{name}.{suffix}");
        let numbers = declare.normals(&of("packed"), channels * channels, 1.0);
        let start = factorise(orthonormal(&numbers, channels), channels);
        Ok(Self {
            packed: declare.shared(&of("packed"), &start.packed, &[n, n], Role::Scale)?,
            signs: declare.shared(&of("signs"), &start.signs, &[n], Role::Buffer)?,
            rows: declare.shared(&of("rows"), &start.rows, &[n], Role::Buffer)?,
        })
    }

    /// y, and ln |det| = h·w·Σ packed_ii, the same for all pictures: `[]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor), FlowError> {
        let [lower, upper] = self.triangles()?;
        let weight = lower.f_matmul(&upper)?.f_index_select(0, &self.rows()?)?;
        let log_det = self.packed.f_diagonal(0, 0, 1)?.f_sum(x.f_kind()?)?.f_mul_scalar(area(x)?)?;
        Ok((apply(&weight, x)?, log_det))
    }

    /// x = U⁻¹·L⁻¹·Pᵀ·y
    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor, FlowError> {
        let [lower, upper] = self.triangles()?;
        let one = identity(&lower)?;
        let inverse = lower.f_linalg_solve_triangular(&one, false, true, true)?;
        let inverse = upper.f_linalg_solve_triangular(&inverse, true, true, false)?;
        apply(&inverse.f_index_select(1, &self.rows()?)?, y)
    }

    /// L and U, f64.
    fn triangles(&self) -> Result<[Tensor; 2], FlowError> {
        let packed = self.packed.f_to_kind(Kind::Double)?;
        let diagonal = packed.f_diagonal(0, 0, 1)?.f_exp()?.f_mul(&self.signs.f_to_kind(Kind::Double)?)?;
        let lower = packed.f_tril(-1)?.f_add(&identity(&packed)?)?;
        let upper = packed.f_triu(1)?.f_add(&diagonal.f_diag_embed(0, -2, -1)?)?;
        Ok([lower, upper])
    }

    fn rows(&self) -> Result<Tensor, FlowError> {
        Ok(self.rows.f_to_kind(Kind::Int64)?)
    }
}

/// 1, in the size, the kind and the place of `matrix`.
fn identity(matrix: &Tensor) -> Result<Tensor, FlowError> {
    let (side, _) = matrix.size2()?;
    Ok(Tensor::f_eye(side, (matrix.f_kind()?, matrix.device()))?)
}

/// `matrix`, `[C,C]`, times each pixel of `[N,C,h,w]`, in the kind of the pixels.
fn apply(matrix: &Tensor, x: &Tensor) -> Result<Tensor, FlowError> {
    let kernel = matrix.f_to_kind(x.f_kind()?)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
    Ok(x.f_conv2d(&kernel, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1)?)
}
