//! exp and ln for the fast pass: branch-free f32 polynomials that the compiler turns into vector code.
//!
//! libm's are exact to the last bit but are calls, one lane at a time. These are within 2 units in the
//! last place over the ranges the score uses, far inside what f32 logits carry. Coefficients: Cephes
//! `expf`/`logf` (S. Moshier).

/// 1.5·2²³: adding it rounds a small float to an integer and leaves that integer in the low mantissa bits.
const ROUND: f32 = 12_582_912.0;

/// `exp x` for x ≤ 0; below −87 (where f32 leaves its normal range) it stays at exp(−87) ≈ 1.6e-38.
#[inline(always)]
pub(super) fn exp_non_positive(x: f32) -> f32 {
    let x = if x > -87.0 { x } else { -87.0 };
    // x = n·ln 2 + r with |r| ≤ ½ ln 2; ln 2 is split so that n·ln 2 is exact.
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_6e-1;
    p = p * r + 0.5;
    let e = p * r * r + r + 1.0;
    // 2ⁿ: n into the exponent field.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    e * scale
}

/// `ln x` for normal positive x.
#[inline(always)]
pub(super) fn ln_positive(x: f32) -> f32 {
    // x = 2ᵉ·m with m in [√½, √2).
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let e = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let z = m * m;
    let mut p = 7.037_684e-2;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_9e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_8e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 3.333_333e-1;
    let y = p * m * z + e * -2.121_944_4e-4 - 0.5 * z;
    m + y + e * 0.693_359_4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_over_its_range() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_non_positive(x)) - exact).abs() / exact;
            assert!(error < 2.4e-7, "exp({x}): relative error {error:e}");
        }
        assert_eq!(exp_non_positive(0.0), 1.0);
        assert!(exp_non_positive(-1e30) < 2e-38);
        assert!(exp_non_positive(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn ln_is_close_over_its_range() {
        // The score takes ln of (1 + e^-|d|)·Σ e^(s−max), between 1 and 2·254.
        for i in 0..1_000_000 {
            let x = 1.0 + i as f32 * 6e-4;
            let exact = f64::from(x).ln();
            let error = (f64::from(ln_positive(x)) - exact).abs();
            assert!(error < 2.4e-7 * exact.max(1.0), "ln({x}): error {error:e}");
        }
        assert_eq!(ln_positive(1.0), 0.0);
    }
}
