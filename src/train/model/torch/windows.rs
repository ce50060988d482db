//! How a grid is cut into windows, and what attention within them adds.

use tch::{Kind, TchError, Tensor};

use crate::train::model::ops::{APART, Window};

/// Windows on a grid of one size.
pub(super) struct Layout {
    window: Window,
    side: i64,
    /// Of the grid.
    size: [i64; 2],
    /// Of the grid with its padding.
    padded: [i64; 2],
    /// Rolled along each axis.
    shift: [i64; 2],
}

/// The next multiple of `side` from n on.
pub(super) fn rounded_up(n: i64, side: usize) -> i64 {
    let side = side.max(1) as i64;
    (n + side - 1) / side * side
}

impl Layout {
    /// On a grid as high and wide as the map `like`.
    pub(super) fn new(like: &Tensor, window: Window) -> Result<Self, TchError> {
        let (_, _, height, width) = like.size4()?;
        let (size, side) = ([height, width], window.side as i64);
        let padded = size.map(|n| rounded_up(n, window.side));
        let shift = padded.map(|n| window.shift_along(n as usize) as i64); // a size is no negative number
        Ok(Self { window, side, size, padded, shift })
    }

    /// `[N·n, side², C]` of `[N, h·w, C]`.
    pub(super) fn cut(&self, tokens: &Tensor) -> Result<Tensor, TchError> {
        let (n, _, channels) = tokens.size3()?;
        let ([height, width], [rows, columns]) = (self.size, self.padded);
        let mut grid = tokens.f_reshape([n, height, width, channels])?;
        if self.padded != self.size {
            grid = grid.f_constant_pad_nd([0, 0, 0, columns - width, 0, rows - height])?;
        }
        if self.shift != [0, 0] {
            grid = grid.f_roll(self.shift.map(|n| -n), [1, 2])?;
        }
        self.partition(&grid)
    }

    /// `[N·n, side², C]` of `[N, rows, columns, C]`.
    fn partition(&self, grid: &Tensor) -> Result<Tensor, TchError> {
        let ((n, _, _, channels), side) = (grid.size4()?, self.side);
        let [down, across] = self.padded.map(|n| n / side);
        let windows = grid.f_reshape([n, down, side, across, side, channels])?;
        windows.f_permute([0, 1, 3, 2, 4, 5])?.f_reshape([-1, side * side, channels])
    }

    /// `[N, h·w, C]` of `[N·n, side², C]`.
    pub(super) fn joined(&self, windows: &Tensor) -> Result<Tensor, TchError> {
        let ((_, _, channels), side) = (windows.size3()?, self.side);
        let ([height, width], [rows, columns]) = (self.size, self.padded);
        let windows = windows.f_reshape([-1, rows / side, columns / side, side, side, channels])?;
        let mut grid = windows.f_permute([0, 1, 3, 2, 4, 5])?.f_reshape([-1, rows, columns, channels])?;
        if self.shift != [0, 0] {
            grid = grid.f_roll(self.shift, [1, 2])?;
        }
        let grid = grid.f_narrow(1, 0, height)?.f_narrow(2, 0, width)?;
        grid.f_reshape([-1, height * width, channels])
    }

    /// What is added to products of tokens of one window, `[1, heads, side², side²]`, or where the grid is rolled
    /// `[n, heads, side², side²]`: of what was `learned` for each relative place, `[places, heads]`.
    pub(super) fn bias(&self, learned: &Tensor) -> Result<Tensor, TchError> {
        let (_, heads) = learned.size2()?;
        let count = self.side * self.side;
        let pairs: Vec<i64> = self.window.relative_place_of_pairs().into_iter().map(|p| p as i64).collect();
        let pairs = Tensor::f_from_slice(&pairs)?.f_to_device(learned.device())?;
        let of_pairs = learned.f_index_select(0, &pairs)?.f_reshape([count, count, heads])?;
        let bias = of_pairs.f_permute([2, 0, 1])?.f_unsqueeze(0)?;
        if self.shift == [0, 0] {
            return Ok(bias);
        }
        let apart = self.apart()?.f_to_kind(Kind::Float)?.f_mul_scalar(f64::from(APART))?;
        bias.f_add(&apart.f_to_device(learned.device())?.f_unsqueeze(1)?)
    }

    /// Whether two tokens of a window were not beside each other before the grid was rolled: `[n, side², side²]`.
    fn apart(&self) -> Result<Tensor, TchError> {
        let ([rows, columns], [down, right]) = (self.padded, self.shift);
        // The rows and columns that came from the beginning are the last ones now.
        let late = |at: i64, length: i64, rolled: i64| i64::from(at >= length - rolled);
        let region = |row, column| 2 * late(row, rows, down) + late(column, columns, right);
        let regions: Vec<i64> =
            (0..rows).flat_map(|row| (0..columns).map(move |column| region(row, column))).collect();
        let regions = Tensor::f_from_slice(&regions)?.f_reshape([1, rows, columns, 1])?;
        let of_windows = self.partition(&regions)?; // [n, side², 1]
        of_windows.f_ne_tensor(&of_windows.f_transpose(1, 2)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn layout(height: i64, width: i64, side: usize, shift: usize) -> Layout {
        let map = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
        Layout::new(&map, Window { side, shift }).unwrap()
    }

    /// Each token's number, from 1 on.
    fn numbered(images: i64, tokens: i64) -> Tensor {
        Tensor::arange(images * tokens, (Kind::Float, Device::Cpu)).view([images, tokens, 1]) + 1.0
    }

    #[test]
    fn windows_go_back_where_they_came_from() {
        for (height, width, side, shift) in [(6, 9, 3, 0), (6, 9, 3, 1), (5, 7, 3, 1), (2, 10, 4, 2)] {
            let (layout, x) = (layout(height, width, side, shift), numbered(2, height * width));
            let cut = layout.cut(&x).unwrap();
            assert_eq!(cut.size()[1..], [(side * side) as i64, 1]);
            assert_eq!(layout.joined(&cut).unwrap(), x, "{height}x{width} {side} {shift}");
        }
    }

    #[test]
    fn windows_are_cut_row_by_row_and_rolled_by_the_shift() {
        let cut = |shift| {
            let cut = layout(3, 4, 2, shift).cut(&numbered(1, 12)).unwrap();
            Vec::<f32>::try_from(cut.flatten(0, -1)).unwrap()
        };
        let plain = [[1, 2, 5, 6], [3, 4, 7, 8], [9, 10, 0, 0], [11, 12, 0, 0]];
        assert_eq!(cut(0), plain.concat().iter().map(|n| *n as f32).collect::<Vec<_>>());
        let rolled = [[6, 7, 10, 11], [8, 5, 12, 9], [0, 0, 2, 3], [0, 0, 4, 1]];
        assert_eq!(cut(1), rolled.concat().iter().map(|n| *n as f32).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_was_beside_each_other_is_together() {
        for (height, width, side, shift) in [(9, 6, 3, 1), (4, 8, 4, 2), (4, 4, 2, 1)] {
            let layout = layout(height, width, side, shift);
            let places = layout.cut(&numbered(1, height * width)).unwrap().squeeze_dim(2) - 1.0;
            let places: Vec<Vec<f32>> = places.try_into().unwrap();
            let apart = layout.apart().unwrap().to_kind(Kind::Int64).flatten(0, -1);
            let apart: Vec<i64> = apart.try_into().unwrap();
            let mut apart = apart.into_iter();
            for window in places {
                for (a, b) in window.iter().flat_map(|a| window.iter().map(move |b| (*a as i64, *b as i64))) {
                    let far = |a: i64, b: i64| (a - b).abs() >= side as i64;
                    let expected = far(a / width, b / width) || far(a % width, b % width);
                    assert_eq!(apart.next(), Some(i64::from(expected)), "{height}x{width}: {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn biases_are_those_of_relative_places() {
        let learned = numbered(1, 9).view([9, 1]).repeat([1, 2]);
        let plain = layout(4, 4, 2, 0).bias(&learned).unwrap();
        assert_eq!(plain.size(), [1, 2, 4, 4]);
        // The first token to the last is the furthest above and to the left.
        assert_eq!(plain.double_value(&[0, 1, 0, 3]), 1.0);
        assert_eq!(plain.double_value(&[0, 1, 3, 0]), 9.0);
        let rolled = layout(4, 4, 2, 1).bias(&learned).unwrap();
        assert_eq!(rolled.size(), [4, 2, 4, 4]);
        assert_eq!(rolled.double_value(&[0, 0, 0, 3]), 1.0);
        assert_eq!(rolled.double_value(&[3, 0, 0, 3]), 1.0 + f64::from(APART));
    }
}
