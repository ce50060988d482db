//! Windows on a grid whose size only the graph knows. Batches have one image, so a grid is `[h, w, C]`.

use super::{Value, Writer, ints};
use crate::train::export::ExportError;
use crate::train::export::graph::Attribute;
use crate::train::model::ops::{APART, Window};

/// ONNX's number of the type i64.
const INT64: i64 = 7;

/// `[down, side, across, side]` as `[down, across, side, side]`, and back.
const TURN: [usize; 4] = [0, 2, 1, 3];
/// The same, with channels.
const TURN_WITH_CHANNELS: [usize; 5] = [0, 2, 1, 3, 4];

/// One number for both of a window's: windows of different numbers have different ones, for a shift is below a side.
fn key(window: Window) -> usize {
    window.side * window.side + window.shift
}

impl Writer<'_> {
    /// `[n, side², C]` of `[1, h·w, C]`.
    pub(super) fn cut_into_windows(&mut self, x: &Value, like: &Value, window: Window) -> Value {
        let (side, channels) = (window.side as i64, x.channels as i64);
        let name = format!("{}.windows", x.name);
        let of = |part: &str| format!("{name}.{part}");
        let (size, padded) = (self.height_and_width(like), self.rounded_up(like, window.side));
        let depth = self.graph.ints(&[1], &[channels]);
        let grid_shape = self.once(like, "grid_shape", x.channels, |s| {
            s.joined(&format!("{}.grid_of_{channels}", like.name), &[&size, &depth])
        });
        let mut grid = self.node("Reshape", &of("grid"), &[&x.name, &grid_shape], &[]);
        let pads = self.once(like, "window_pads", window.side, |s| {
            let (before, after) = (s.graph.ints(&[3], &[0, 0, 0]), s.graph.ints(&[1], &[0]));
            let base = format!("{}.pads_to_{side}", like.name);
            let more = s.node("Sub", &format!("{base}.more"), &[&padded, &size], &[]);
            s.joined(&base, &[&before, &more, &after])
        });
        grid = self.node("Pad", &of("padded"), &[&grid, &pads], &[]);
        if window.shift > 0 {
            let rows = self.rolled(like, window, 0);
            let columns = self.rolled(like, window, 1);
            let along = |axis| [("axis", Attribute::Int(axis))];
            grid = self.node("Gather", &of("rolled_up"), &[&grid, &rows], &along(0));
            grid = self.node("Gather", &of("rolled"), &[&grid, &columns], &along(1));
        }
        let (before, after) = (self.graph.ints(&[2], &[-1, side]), self.graph.ints(&[2], &[side, channels]));
        let across = self.windows_along(like, window, 1);
        let shape = self.joined(&of("shape"), &[&before, &across, &after]);
        let cut = self.node("Reshape", &of("cut"), &[&grid, &shape], &[]);
        let cut = self.node("Transpose", &of("turned"), &[&cut], &[("perm", ints(&TURN_WITH_CHANNELS))]);
        let shape = self.graph.ints(&[3], &[-1, side * side, channels]);
        Value { name: self.node("Reshape", &name, &[&cut, &shape], &[]), channels: x.channels }
    }

    /// `[1, h·w, C]` of `[n, side², C]`.
    pub(super) fn join_windows(&mut self, x: &Value, like: &Value, window: Window) -> Value {
        let (side, channels) = (window.side as i64, x.channels as i64);
        let name = format!("{}.joined", x.name);
        let of = |part: &str| format!("{name}.{part}");
        let (size, padded) = (self.height_and_width(like), self.rounded_up(like, window.side));
        let (down, across) = (self.windows_along(like, window, 0), self.windows_along(like, window, 1));
        let each = self.graph.ints(&[3], &[side, side, channels]);
        let shape = self.joined(&of("shape"), &[&down, &across, &each]);
        let windows = self.node("Reshape", &of("windows"), &[&x.name, &shape], &[]);
        let turn = [("perm", ints(&TURN_WITH_CHANNELS))];
        let windows = self.node("Transpose", &of("turned"), &[&windows], &turn);
        let depth = self.graph.ints(&[1], &[channels]);
        let shape = self.joined(&of("padded_shape"), &[&padded, &depth]);
        let mut grid = self.node("Reshape", &of("padded"), &[&windows, &shape], &[]);
        if window.shift > 0 {
            // Only the rows and columns of the grid itself: the padding is left behind.
            let rows = self.rolled_back(like, window, 0);
            let columns = self.rolled_back(like, window, 1);
            let along = |axis| [("axis", Attribute::Int(axis))];
            grid = self.node("Gather", &of("rolled_down"), &[&grid, &rows], &along(0));
            grid = self.node("Gather", &of("rolled_back"), &[&grid, &columns], &along(1));
        } else {
            let (from, axes) = (self.graph.ints(&[2], &[0, 0]), self.graph.ints(&[2], &[0, 1]));
            grid = self.node("Slice", &of("grid"), &[&grid, &from, &size, &axes], &[]);
        }
        let shape = self.graph.ints(&[3], &[1, -1, channels]);
        Value { name: self.node("Reshape", &name, &[&grid, &shape], &[]), channels: x.channels }
    }

    /// `[1, heads, side², side²]`, or where the grid is rolled `[n, heads, side², side²]`.
    pub(super) fn write_window_bias(
        &mut self,
        name: &str,
        like: &Value,
        heads: usize,
        window: Window,
    ) -> Result<Value, ExportError> {
        let learned = self.weights.get(name, &[window.relative_places(), heads])?;
        let pairs = window.relative_place_of_pairs();
        let mut of_heads = Vec::with_capacity(heads * pairs.len());
        for head in 0..heads {
            of_heads.extend(pairs.iter().map(|place| learned[place * heads + head]));
        }
        let shape = [1, heads, window.tokens(), window.tokens()];
        let mut bias = self.graph.weights(name, &shape, &of_heads);
        if window.shift > 0 {
            let apart = self.apart(like, window);
            bias = self.node("Add", &format!("{name}.masked"), &[&bias, &apart], &[]);
        }
        Ok(Value { name: bias, channels: heads })
    }

    /// How many windows there are along an axis of the grid, `[1]`.
    fn windows_along(&mut self, like: &Value, window: Window, axis: i64) -> String {
        let padded = self.rounded_up(like, window.side);
        let what = if axis == 0 { "windows_down" } else { "windows_across" };
        self.once(like, what, window.side, |s| {
            let base = format!("{}.{what}_{}", like.name, window.side);
            let (from, to) = (s.graph.ints(&[1], &[axis]), s.graph.ints(&[1], &[axis + 1]));
            let side = s.graph.ints(&[], &[window.side as i64]);
            let length = s.node("Slice", &format!("{base}.tokens"), &[&padded, &from, &to], &[]);
            s.node("Div", &base, &[&length, &side], &[])
        })
    }

    /// Of an axis of the grid: its length, that with padding, and what is rolled along it; one number each.
    fn along(&mut self, like: &Value, window: Window, axis: i64) -> [String; 3] {
        let (size, padded) = (self.height_and_width(like), self.rounded_up(like, window.side));
        let base = format!("{}.axis_{axis}_by_{}", like.name, window.side);
        let at = self.graph.ints(&[], &[axis]);
        let (none, all) = (self.graph.ints(&[], &[0]), self.graph.ints(&[], &[window.shift as i64]));
        let side = self.graph.ints(&[], &[window.side as i64]);
        let length = self.once(like, ["height", "width"][axis as usize], 0, |s| {
            s.node("Gather", &format!("{base}.length"), &[&size, &at], &[])
        });
        let padded = self.once(like, ["padded_height", "padded_width"][axis as usize], window.side, |s| {
            s.node("Gather", &format!("{base}.padded"), &[&padded, &at], &[])
        });
        let shift = self.once(like, ["shift_down", "shift_right"][axis as usize], key(window), |s| {
            let several = s.node("Less", &format!("{base}.several"), &[&side, &padded], &[]);
            s.node("Where", &format!("{base}.shift"), &[&several, &all, &none], &[])
        });
        [length, padded, shift]
    }

    /// Where each of an axis' places comes from when the padded grid is rolled: (i + shift) mod length.
    fn rolled(&mut self, like: &Value, window: Window, axis: i64) -> String {
        let [_, padded, shift] = self.along(like, window, axis);
        let what = ["rolled_rows", "rolled_columns"][axis as usize];
        self.places(like, window, what, [&padded, &padded], &shift)
    }

    /// The other way round, for the places of the grid itself: (i + length − shift) mod length.
    fn rolled_back(&mut self, like: &Value, window: Window, axis: i64) -> String {
        let [length, padded, shift] = self.along(like, window, axis);
        let what = ["rows_rolled_back", "columns_rolled_back"][axis as usize];
        let back = self.once(like, ["shift_up", "shift_left"][axis as usize], key(window), |s| {
            s.node("Sub", &format!("{}.{what}.by", like.name), &[&padded, &shift], &[])
        });
        self.places(like, window, what, [&length, &padded], &back)
    }

    /// (i + `by`) mod `length` for i below `count`.
    fn places(
        &mut self,
        like: &Value,
        window: Window,
        what: &'static str,
        [count, length]: [&str; 2],
        by: &str,
    ) -> String {
        self.once(like, what, key(window), |s| {
            let base = format!("{}.{what}", like.name);
            let (zero, one) = (s.graph.ints(&[], &[0]), s.graph.ints(&[], &[1]));
            let places = s.node("Range", &format!("{base}.places"), &[&zero, count, &one], &[]);
            let moved = s.node("Add", &format!("{base}.moved"), &[&places, by], &[]);
            s.node("Mod", &base, &[&moved, length], &[])
        })
    }

    /// [`APART`] for tokens of a window that were not beside each other before the grid was rolled, 0 for others:
    /// `[n, 1, side², side²]`.
    fn apart(&mut self, like: &Value, window: Window) -> String {
        let side = window.side as i64;
        let (late_rows, late_columns) = (self.late(like, window, 0), self.late(like, window, 1));
        let across = self.windows_along(like, window, 1);
        self.once(like, "apart", key(window), |s| {
            let base = format!("{}.apart_by_{}", like.name, window.shift);
            let of = |part: &str| format!("{base}.{part}");
            let (first, second) = (s.graph.ints(&[1], &[0]), s.graph.ints(&[1], &[1]));
            let two = s.graph.ints(&[], &[2]);
            let rows = s.node("Unsqueeze", &of("rows"), &[&late_rows, &second], &[]);
            let columns = s.node("Unsqueeze", &of("columns"), &[&late_columns, &first], &[]);
            let rows = s.node("Mul", &of("rows_twice"), &[&rows, &two], &[]);
            let regions = s.node("Add", &of("regions"), &[&rows, &columns], &[]);

            let (before, after) = (s.graph.ints(&[2], &[-1, side]), s.graph.ints(&[1], &[side]));
            let shape = s.joined(&of("shape"), &[&before, &across, &after]);
            let regions = s.node("Reshape", &of("cut"), &[&regions, &shape], &[]);
            let regions = s.node("Transpose", &of("turned"), &[&regions], &[("perm", ints(&TURN))]);
            let tokens = side * side;
            let (one, other) =
                (s.graph.ints(&[4], &[-1, 1, tokens, 1]), s.graph.ints(&[4], &[-1, 1, 1, tokens]));
            let one = s.node("Reshape", &of("one"), &[&regions, &one], &[]);
            let other = s.node("Reshape", &of("other"), &[&regions, &other], &[]);
            let same = s.node("Equal", &of("same"), &[&one, &other], &[]);
            let (nothing, apart) = (s.graph.float(0.0), s.graph.float(APART));
            s.node("Where", &base, &[&same, &nothing, &apart], &[])
        })
    }

    /// 1 for the places of an axis of the rolled grid that came from its beginning, which are its last now; else 0.
    fn late(&mut self, like: &Value, window: Window, axis: i64) -> String {
        let [_, padded, shift] = self.along(like, window, axis);
        let what = ["late_rows", "late_columns"][axis as usize];
        self.once(like, what, key(window), |s| {
            let base = format!("{}.{what}", like.name);
            let (zero, one) = (s.graph.ints(&[], &[0]), s.graph.ints(&[], &[1]));
            let places = s.node("Range", &format!("{base}.places"), &[&zero, &padded, &one], &[]);
            let first = s.node("Sub", &format!("{base}.first"), &[&padded, &shift], &[]);
            let early = s.node("Less", &format!("{base}.early"), &[&places, &first], &[]);
            let late = s.node("Not", &format!("{base}.not_early"), &[&early], &[]);
            s.node("Cast", &base, &[&late], &[("to", Attribute::Int(INT64))])
        })
    }
}
