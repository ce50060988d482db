//! What is computed from a map's height and width in the graph.

use super::{FLOAT, Value, Writer};
use crate::train::export::graph::Attribute;

impl Writer<'_> {
    pub(super) fn shape(&mut self, x: &Value) -> String {
        self.once(x, "shape", 0, |s| s.after("Shape", x, &[], &[]).name)
    }

    /// `[h, w]` of x.
    pub(super) fn height_and_width(&mut self, x: &Value) -> String {
        self.once(x, "height_and_width", 0, |s| {
            let (shape, two, four) = (s.shape(x), s.graph.ints(&[1], &[2]), s.graph.ints(&[1], &[4]));
            s.graph.node("Slice", &format!("{}.height_and_width", x.name), &[&shape, &two, &four], &[])
        })
    }

    /// The matrix `[side, length of the axis]` that takes the means of `side` cells along an axis of x: cell i
    /// covers ⌊i·n/side⌋ to ⌈(i+1)·n/side⌉ of n.
    pub(super) fn means_along(&mut self, x: &Value, axis: usize, side: usize) -> String {
        let what = if axis == 2 { "rows" } else { "columns" };
        self.once(x, what, side, |s| {
            let base = format!("{}.{what}_{side}", x.name);
            let node = |s: &mut Self, operator: &str, name: &str, inputs: &[&str]| {
                s.graph.node(operator, &format!("{base}.{name}"), inputs, &[])
            };
            let (zero, one, parts) = (s.graph.ints(&[], &[0]), s.graph.ints(&[], &[1]), side as i64);
            let firsts = s.graph.ints(&[side, 1], &(0..parts).collect::<Vec<_>>());
            let lasts = s.graph.ints(&[side, 1], &(1..=parts).collect::<Vec<_>>());
            let (divisor, up) = (s.graph.ints(&[], &[parts]), s.graph.ints(&[], &[parts - 1]));
            let (shape, axis) = (s.shape(x), s.graph.ints(&[], &[axis as i64]));

            let length = node(s, "Gather", "length", &[&shape, &axis]);
            let places = node(s, "Range", "places", &[&zero, &length, &one]);
            let first = node(s, "Mul", "first_parts", &[&firsts, &length]);
            let first = node(s, "Div", "first", &[&first, &divisor]);
            let last = node(s, "Mul", "last_parts", &[&lasts, &length]);
            let last = node(s, "Add", "last_parts_up", &[&last, &up]);
            let last = node(s, "Div", "last", &[&last, &divisor]);
            let before = node(s, "Less", "before", &[&places, &first]);
            let not_before = node(s, "Not", "not_before", &[&before]);
            let not_after = node(s, "Less", "not_after", &[&places, &last]);
            let inside = node(s, "And", "inside", &[&not_before, &not_after]);
            let count = node(s, "Sub", "count", &[&last, &first]);
            let (inside, count) = (s.float_of(&inside), s.float_of(&count));
            node(s, "Div", "means", &[&inside, &count])
        })
    }

    /// `[1, channels, h, w]`, with the height and width of `like`.
    pub(super) fn size_of_map(&mut self, like: &Value, channels: usize) -> String {
        let size = self.height_and_width(like);
        let before = self.graph.ints(&[2], &[1, channels as i64]);
        self.once(like, "size_of_map", channels, |s| {
            s.joined(&format!("{}.size_of_{channels}", like.name), &[&before, &size])
        })
    }

    /// `[h, w]` of x, each rounded up to a multiple of `side`.
    pub(super) fn rounded_up(&mut self, x: &Value, side: usize) -> String {
        let size = self.height_and_width(x);
        self.once(x, "rounded_up", side, |s| {
            let name = format!("{}.rounded_up_to_{side}", x.name);
            let (side, rest) = (s.graph.ints(&[], &[side as i64]), s.graph.ints(&[], &[side as i64 - 1]));
            let up = s.node("Add", &format!("{name}.more"), &[&size, &rest], &[]);
            let times = s.node("Div", &format!("{name}.times"), &[&up, &side], &[]);
            s.node("Mul", &name, &[&times, &side], &[])
        })
    }

    /// The matrix that spreads cells of `stride` pixels over an axis of the image, which the last cell may go beyond:
    /// each is made of the two that its new centre lies between, by nearness. Of rows `[new, old]`, to be multiplied
    /// from the left; of columns `[old, new]`, from the right.
    pub(super) fn spread_along(&mut self, image: &Value, axis: usize, stride: usize) -> String {
        let what = if axis == 2 { "spread_rows" } else { "spread_columns" };
        self.once(image, what, stride, |s| {
            let base = format!("{}.{what}_{stride}", image.name);
            let node = |s: &mut Self, operator: &str, name: &str, inputs: &[&str]| {
                s.graph.node(operator, &format!("{base}.{name}"), inputs, &[])
            };
            let (zero, one) = (s.graph.ints(&[], &[0]), s.graph.ints(&[], &[1]));
            let (side, rest) = (s.graph.ints(&[], &[stride as i64]), s.graph.ints(&[], &[stride as i64 - 1]));
            let (nothing, half, whole) = (s.graph.float(0.0), s.graph.float(0.5), s.graph.float(1.0));
            let (shape, at) = (s.shape(image), s.graph.ints(&[], &[axis as i64]));

            let pixels = node(s, "Gather", "pixels", &[&shape, &at]);
            let up = node(s, "Add", "pixels_up", &[&pixels, &rest]);
            let cells = node(s, "Div", "cells", &[&up, &side]);
            let covered = node(s, "Mul", "covered", &[&cells, &side]);
            let last = node(s, "Sub", "last", &[&cells, &one]);
            let places = node(s, "Range", "places", &[&zero, &cells, &one]);
            let [pixels, covered] = [pixels, covered].map(|of| s.float_of(&of));
            let [last, places] = [last, places].map(|of| s.float_of(&of));
            let share = node(s, "Div", "share", &[&pixels, &covered]);
            let centres = node(s, "Add", "centres", &[&places, &half]);
            let centres = node(s, "Mul", "centres_within", &[&centres, &share]);
            let centres = node(s, "Sub", "centres_in_cells", &[&centres, &half]);
            let centres = node(s, "Clip", "centres_between", &[&centres, &nothing, &last]);
            let (new, old) = if axis == 2 { (1, 0) } else { (0, 1) };
            let (new, old) = (s.graph.ints(&[1], &[new]), s.graph.ints(&[1], &[old]));
            let centres = node(s, "Unsqueeze", "new", &[&centres, &new]);
            let places = node(s, "Unsqueeze", "old", &[&places, &old]);
            let distances = node(s, "Sub", "differences", &[&centres, &places]);
            let distances = node(s, "Abs", "distances", &[&distances]);
            let nearness = node(s, "Sub", "nearness", &[&whole, &distances]);
            node(s, "Relu", "weights", &[&nearness])
        })
    }

    /// Lists of whole numbers, one after the other.
    pub(super) fn joined(&mut self, name: &str, lists: &[&str]) -> String {
        self.node("Concat", name, lists, &[("axis", Attribute::Int(0))])
    }

    /// As f32.
    pub(super) fn float_of(&mut self, value: &str) -> String {
        self.node("Cast", &format!("{value}.float"), &[value], &[("to", Attribute::Int(FLOAT))])
    }
}
