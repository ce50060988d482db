//! A random rotation, and what Gaussian elimination makes of it. Plain Rust in f64: the numbers a flow begins with
//! depend on no library, and on no number of threads.

/// W = P·L·U, n × n: L below the diagonal with ones on it, U from the diagonal on, P a permutation of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factors {
    /// Row by row: L below the diagonal, U above it, ln |u_ii| on it.
    pub(super) packed: Vec<f32>,
    /// Of u_ii: 1 or −1.
    pub(super) signs: Vec<f32>,
    /// Row i of W is row `rows[i]` of L·U.
    pub(super) rows: Vec<f32>,
}

/// Makes the rows of an n × n matrix of normal numbers orthonormal: then it is a rotation, or one with a reflection,
/// and no direction is more likely than another. By Gram and Schmidt, in the order of operations that keeps what f64
/// loses by it far below what f32 holds.
pub(super) fn orthonormal(normals: &[f32], n: usize) -> Vec<f64> {
    let mut matrix: Vec<f64> = normals.iter().map(|v| f64::from(*v)).collect();
    for row in 0..n {
        let (before, rest) = matrix.split_at_mut(row * n);
        let row = &mut rest[..n];
        for other in before.chunks_exact(n) {
            let along = dot(row, other);
            row.iter_mut().zip(other).for_each(|(r, o)| *r -= along * o);
        }
        let length = dot(row, row).sqrt();
        row.iter_mut().for_each(|r| *r /= length);
    }
    matrix
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gaussian elimination of an n × n matrix that has an inverse, with the largest of a column as its pivot.
pub(super) fn factorise(mut matrix: Vec<f64>, n: usize) -> Factors {
    // Which row of W stands at each place by now.
    let mut order: Vec<usize> = (0..n).collect();
    for column in 0..n {
        let size = |row: &usize| matrix[row * n + column].abs();
        let pivot = (column..n).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(column);
        if pivot != column {
            order.swap(pivot, column);
            (0..n).for_each(|k| matrix.swap(pivot * n + k, column * n + k));
        }
        let (above, below) = matrix.split_at_mut((column + 1) * n);
        let pivots = &above[column * n..];
        for row in below.chunks_exact_mut(n) {
            let factor = row[column] / pivots[column];
            row[column] = factor;
            row[column + 1..].iter_mut().zip(&pivots[column + 1..]).for_each(|(r, p)| *r -= factor * p);
        }
    }
    let mut rows = vec![0.0; n];
    for (place, row) in order.into_iter().enumerate() {
        rows[row] = place as f32;
    }
    let mut signs = Vec::with_capacity(n);
    for diagonal in matrix.iter_mut().step_by(n + 1) {
        signs.push(diagonal.signum() as f32);
        *diagonal = diagonal.abs().ln();
    }
    Factors { packed: matrix.into_iter().map(|v| v as f32).collect(), signs, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::model::numbers::{generator, normals};

    #[test]
    fn the_factors_are_of_a_rotation() {
        for n in [1, 2, 5, 36] {
            let numbers = normals(&mut generator(3, "rotation"), n * n, 1.0);
            let rotation = orthonormal(&numbers, n);
            for (i, a) in rotation.chunks_exact(n).enumerate() {
                for (j, b) in rotation.chunks_exact(n).enumerate() {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((dot(a, b) - expected).abs() < 1e-10, "{n}: rows {i} and {j}");
                }
            }
            let Factors { packed, signs, rows } = factorise(rotation.clone(), n);
            let log_det: f32 = (0..n).map(|i| packed[i * n + i]).sum();
            assert!(log_det.abs() < 1e-5 * n as f32, "{n}: {log_det}");
            for (row, place) in rows.iter().enumerate() {
                let place = *place as usize;
                for column in 0..n {
                    let product: f64 = (0..=place.min(column))
                        .map(|k| {
                            let lower = if k == place { 1.0 } else { f64::from(packed[place * n + k]) };
                            let upper = f64::from(packed[k * n + column]);
                            let upper = if k == column { f64::from(signs[k]) * upper.exp() } else { upper };
                            lower * upper
                        })
                        .sum();
                    let expected = rotation[row * n + column];
                    assert!((product - expected).abs() < 1e-5, "{n}: {row} {column}: {product} {expected}");
                }
            }
        }
    }
}
