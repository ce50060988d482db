//! [`Ops`] by which a description becomes ONNX nodes.
//!
//! Operators and their forms are those that opset 13 and 17 share, so that a head can be put on a graph that
//! others wrote. Sizes are never written down: what depends on the image's height and width is computed in
//! the graph from shapes, for every size, also those no stride divides.

use super::ExportError;
use super::graph::{Attribute, Graph};
use super::weights::Weights;
use crate::train::model::ops::{BatchNorm, Conv, Ops, Pool};
use std::collections::HashMap;

/// A feature map `[1, channels, h, w]` in the graph.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Of the value.
    pub(super) name: String,
    /// Of the feature map.
    pub(super) channels: usize,
}

/// Writes what it is told into a graph.
pub(super) struct Writer<'a> {
    pub(super) graph: Graph,
    weights: &'a Weights,
    /// What was computed from a value's shape, so that it is computed once: by the value's name and what it is.
    from_shapes: HashMap<(String, &'static str, usize), String>,
}

impl<'a> Writer<'a> {
    /// Writes on, with parameters from `weights`.
    pub(super) fn new(graph: Graph, weights: &'a Weights) -> Self {
        Self { graph, weights, from_shapes: HashMap::new() }
    }

    /// A node named after the value it reads.
    fn after(
        &mut self,
        operator: &str,
        x: &Value,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Value {
        let inputs = if inputs.is_empty() { &[x.name.as_str()][..] } else { inputs };
        let name = format!("{}.{}", x.name, operator.to_lowercase());
        Value { name: self.graph.node(operator, &name, inputs, attributes), channels: x.channels }
    }

    /// Parameters of a layer, put into the graph.
    fn weight(&mut self, layer: &str, what: &str, shape: &[usize]) -> Result<String, ExportError> {
        let name = format!("{layer}.{what}");
        let data = self.weights.get(&name, shape)?;
        Ok(self.graph.weights(&name, shape, data))
    }

    /// What `make` computes, or computed before, from the shape of `x`.
    fn once(
        &mut self,
        x: &Value,
        what: &'static str,
        number: usize,
        make: impl FnOnce(&mut Self) -> String,
    ) -> String {
        let key = (x.name.clone(), what, number);
        if let Some(there) = self.from_shapes.get(&key) {
            return there.clone();
        }
        let made = make(self);
        self.from_shapes.insert(key, made.clone());
        made
    }

    fn shape(&mut self, x: &Value) -> String {
        self.once(x, "shape", 0, |s| s.after("Shape", x, &[], &[]).name)
    }

    /// `[h, w]` of x.
    fn height_and_width(&mut self, x: &Value) -> String {
        self.once(x, "height_and_width", 0, |s| {
            let (shape, two, four) = (s.shape(x), s.graph.ints(&[1], &[2]), s.graph.ints(&[1], &[4]));
            s.graph.node("Slice", &format!("{}.height_and_width", x.name), &[&shape, &two, &four], &[])
        })
    }

    /// The matrix `[side, length of the axis]` that takes the means of `side` cells along an axis of x: cell i
    /// covers ⌊i·n/side⌋ to ⌈(i+1)·n/side⌉ of n.
    fn means_along(&mut self, x: &Value, axis: usize, side: usize) -> String {
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
            let float = |s: &mut Self, of: &str| {
                s.graph.node("Cast", &format!("{of}.float"), &[of], &[("to", Attribute::Int(FLOAT))])
            };
            let (inside, count) = (float(s, &inside), float(s, &count));
            node(s, "Div", "means", &[&inside, &count])
        })
    }
}

/// ONNX's number of the type f32.
const FLOAT: i64 = 1;

fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|v| *v as i64).collect())
}

impl Ops for Writer<'_> {
    type Value = Value;
    type Error = ExportError;

    fn conv(&mut self, name: &str, x: &Value, conv: Conv) -> Result<Value, ExportError> {
        let Conv { inputs, outputs, kernel, stride, padding: (before, after), groups, bias } = conv;
        let weight = self.weight(name, "weight", &[outputs, inputs / groups.max(1), kernel, kernel])?;
        let bias = if bias { Some(self.weight(name, "bias", &[outputs])?) } else { None };
        let read: Vec<&str> = [x.name.as_str(), &weight].into_iter().chain(bias.as_deref()).collect();
        let attributes = [
            ("kernel_shape", ints(&[kernel, kernel])),
            ("strides", ints(&[stride, stride])),
            ("pads", ints(&[before, before, after, after])),
            ("group", Attribute::Int(groups as i64)),
        ];
        Ok(Value { name: self.graph.node("Conv", name, &read, &attributes), channels: outputs })
    }

    fn batch_norm(&mut self, name: &str, x: &Value, norm: BatchNorm) -> Result<Value, ExportError> {
        let mut read = vec![x.name.clone()];
        for what in ["weight", "bias", "running_mean", "running_var"] {
            read.push(self.weight(name, what, &[norm.channels])?);
        }
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        let epsilon = [("epsilon", Attribute::Float(norm.epsilon as f32))];
        Ok(Value {
            name: self.graph.node("BatchNormalization", name, &read, &epsilon),
            channels: norm.channels,
        })
    }

    fn relu(&mut self, x: &Value) -> Result<Value, ExportError> {
        Ok(self.after("Relu", x, &[], &[]))
    }

    fn relu6(&mut self, x: &Value) -> Result<Value, ExportError> {
        let (zero, six) = (self.graph.float(0.0), self.graph.float(6.0));
        Ok(self.after("Clip", x, &[&x.name, &zero, &six], &[]))
    }

    fn add(&mut self, a: &Value, b: &Value) -> Result<Value, ExportError> {
        Ok(self.after("Add", a, &[&a.name, &b.name], &[]))
    }

    fn concat(&mut self, parts: &[&Value]) -> Result<Value, ExportError> {
        let [.., last] = parts else {
            return Err(ExportError::Description("a concatenation of nothing".into()));
        };
        let names: Vec<&str> = parts.iter().map(|p| p.name.as_str()).collect();
        let all = self.after("Concat", last, &names, &[("axis", Attribute::Int(1))]);
        Ok(Value { channels: parts.iter().map(|p| p.channels).sum(), ..all })
    }

    fn max_pool(&mut self, x: &Value, pool: Pool) -> Result<Value, ExportError> {
        Ok(self.after("MaxPool", x, &[], &window(pool)))
    }

    fn avg_pool(&mut self, x: &Value, pool: Pool) -> Result<Value, ExportError> {
        // Without count_include_pad: padding is no part of the mean.
        Ok(self.after("AveragePool", x, &[], &window(pool)))
    }

    fn adaptive_avg_pool(&mut self, x: &Value, side: usize) -> Result<Value, ExportError> {
        if side == 1 {
            return Ok(self.after("GlobalAveragePool", x, &[], &[]));
        }
        let (rows, columns) = (self.means_along(x, 2, side), self.means_along(x, 3, side));
        let turned = self.once(x, "columns_turned", side, |s| {
            s.graph.node("Transpose", &format!("{columns}_turned"), &[&columns], &[("perm", ints(&[1, 0]))])
        });
        // Columns first: one product of [C·h, w] by [w, side], and what is left is small.
        let narrow =
            self.graph.node("MatMul", &format!("{}.grid_{side}.narrow", x.name), &[&x.name, &turned], &[]);
        let name = self.graph.node("MatMul", &format!("{}.grid_{side}", x.name), &[&rows, &narrow], &[]);
        Ok(Value { name, channels: x.channels })
    }

    fn resize_as(&mut self, x: &Value, like: &Value) -> Result<Value, ExportError> {
        let to = self.height_and_width(like);
        let channels = self.graph.ints(&[2], &[1, x.channels as i64]);
        let sizes = self.once(like, "sizes", x.channels, |s| {
            let name = format!("{}.size_of_{}", like.name, x.channels);
            s.graph.node("Concat", &name, &[&channels, &to], &[("axis", Attribute::Int(0))])
        });
        let how = [
            ("mode", Attribute::Text("linear")),
            ("coordinate_transformation_mode", Attribute::Text("half_pixel")),
        ];
        Ok(self.after("Resize", x, &[&x.name, "", "", &sizes], &how))
    }

    fn subtract_log_sum_exp(&mut self, g: &Value, s: &Value) -> Result<Value, ExportError> {
        // By the largest logit, not by ReduceLogSumExp: not every runtime keeps that from overflowing.
        let classes = [("axes", ints(&[1])), ("keepdims", Attribute::Int(1))];
        let largest = self.after("ReduceMax", s, &[], &classes);
        let below = self.after("Sub", s, &[&s.name, &largest.name], &[]);
        let odds = self.after("Exp", &below, &[], &[]);
        let axis = self.graph.ints(&[1], &[1]);
        let sum = self.after("ReduceSum", &odds, &[&odds.name, &axis], &[("keepdims", Attribute::Int(1))]);
        let log = self.after("Log", &sum, &[], &[]);
        let lse = self.after("Add", &log, &[&log.name, &largest.name], &[]);
        Ok(self.after("Sub", g, &[&g.name, &lse.name], &[]))
    }
}

fn window(Pool { kernel, stride, padding }: Pool) -> [(&'static str, Attribute); 3] {
    [
        ("kernel_shape", ints(&[kernel, kernel])),
        ("strides", ints(&[stride, stride])),
        ("pads", ints(&[padding, padding, padding, padding])),
    ]
}
