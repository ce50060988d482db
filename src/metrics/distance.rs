//! Bins of distance: how far away anomalies are still found (5 m each, from 5 to 50 m, Table X).

/// How many bins there are.
pub const BINS: usize = 9;

/// In metres: the width of a bin, and where the first begins.
const WIDTH: f32 = 5.0;

/// The bin of a distance in metres; `None` outside all of them, and for an unknown distance (NaN).
pub fn bin(metres: f32) -> Option<usize> {
    let bin = (metres / WIDTH).floor() - 1.0;
    (bin >= 0.0 && bin < BINS as f32).then_some(bin as usize)
}

/// Where a bin begins and ends, in metres; the end belongs to the next.
pub fn range(bin: usize) -> (f32, f32) {
    ((bin + 1) as f32 * WIDTH, (bin + 2) as f32 * WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_begin_at_their_first_metre() {
        for i in 0..BINS {
            let (from, to) = range(i);
            assert_eq!((bin(from), bin(to.next_down())), (Some(i), Some(i)));
        }
        assert_eq!((range(0).0, range(BINS - 1).1), (5.0, 50.0));
        for outside in [0.0, 4.99, 50.0, -7.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert_eq!(bin(outside), None, "{outside}");
        }
    }
}
