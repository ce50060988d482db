//! [`Ops`] by which a description becomes ONNX nodes.
//!
//! Operators and their forms, layer normalisation's aside, are those that opset 13 and 17 share, so that a head can be
//! put on a graph that others wrote. Sizes are never written down: what depends on the image's height and width is
//! computed in the graph from shapes, for every size, also those no stride, patch or window divides. So every network
//! is exported once, for all sizes.

mod shapes;
mod tokens;
mod windows;

use super::ExportError;
use super::graph::{Attribute, Graph};
use super::weights::Weights;
use crate::train::model::ops::{BatchNorm, Conv, LayerNorm, Linear, Ops, Pool, Positions, Tokens, Window};
use std::collections::HashMap;

/// A feature map `[1, channels, h, w]` in the graph, or tokens `[1, T, channels]`, of windows `[n, T, channels]`.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Of the value.
    pub(super) name: String,
    /// Of the feature map, or of each token.
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

    /// A node of a name of its own.
    fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.graph.node(operator, name, inputs, attributes)
    }

    /// A parameter, put into the graph.
    fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<String, ExportError> {
        let data = self.weights.get(name, shape)?;
        Ok(self.graph.weights(name, shape, data))
    }

    /// Parameters of a layer, put into the graph.
    fn weight(&mut self, layer: &str, what: &str, shape: &[usize]) -> Result<String, ExportError> {
        self.parameter(&format!("{layer}.{what}"), shape)
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
        let sizes = self.size_of_map(like, x.channels);
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

    fn gelu(&mut self, x: &Value) -> Result<Value, ExportError> {
        let root = self.graph.float(std::f32::consts::SQRT_2);
        let (one, half) = (self.graph.float(1.0), self.graph.float(0.5));
        let scaled = self.after("Div", x, &[&x.name, &root], &[]);
        let erf = self.after("Erf", &scaled, &[], &[]);
        let sum = self.after("Add", &erf, &[&erf.name, &one], &[]);
        let twice = self.after("Mul", &sum, &[&x.name, &sum.name], &[]);
        Ok(self.after("Mul", &twice, &[&twice.name, &half], &[]))
    }

    fn pad_to_multiple(&mut self, x: &Value, side: usize) -> Result<Value, ExportError> {
        let (from, to) = (self.height_and_width(x), self.rounded_up(x, side));
        let name = format!("{}.padded_to_{side}", x.name);
        let more = self.node("Sub", &format!("{name}.more"), &[&to, &from], &[]);
        let none = self.graph.ints(&[6], &[0; 6]);
        let pads = self.joined(&format!("{name}.pads"), &[&none, &more]);
        Ok(Value { name: self.node("Pad", &name, &[&x.name, &pads], &[]), channels: x.channels })
    }

    fn space_to_depth(&mut self, x: &Value) -> Result<Value, ExportError> {
        let (ends, axes) = (self.graph.ints(&[2], &[i64::MAX; 2]), self.graph.ints(&[2], &[2, 3]));
        let steps = self.graph.ints(&[2], &[2, 2]);
        let mut parts = Vec::new();
        for (row, column) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let starts = self.graph.ints(&[2], &[row, column]);
            let name = format!("{}.each_second_from_{row}_{column}", x.name);
            let name = self.node("Slice", &name, &[&x.name, &starts, &ends, &axes, &steps], &[]);
            parts.push(Value { name, channels: x.channels });
        }
        self.concat(&parts.iter().collect::<Vec<_>>())
    }

    fn cut_to_image(&mut self, x: &Value, image: &Value, stride: usize) -> Result<Value, ExportError> {
        // Where the stride divides the image both are the unit matrix.
        let (rows, columns) = (self.spread_along(image, 2, stride), self.spread_along(image, 3, stride));
        let name = format!("{}.cut", x.name);
        let across = self.node("MatMul", &format!("{name}.across"), &[&x.name, &columns], &[]);
        Ok(Value { name: self.node("MatMul", &name, &[&rows, &across], &[]), channels: x.channels })
    }

    fn add_positions(&mut self, name: &str, x: &Value, positions: Positions) -> Result<Value, ExportError> {
        let Positions { channels, side } = positions;
        let learned = Value { name: self.parameter(name, &[1, channels, side, side])?, channels };
        let resized = self.resize_as(&learned, x)?;
        self.add(x, &resized)
    }

    fn to_tokens(&mut self, x: &Value) -> Result<Value, ExportError> {
        let shape = self.graph.ints(&[3], &[0, 0, -1]);
        let flat = self.after("Reshape", x, &[&x.name, &shape], &[]);
        Ok(self.after("Transpose", &flat, &[], &[("perm", ints(&[0, 2, 1]))]))
    }

    fn to_map(&mut self, x: &Value, like: &Value) -> Result<Value, ExportError> {
        let turned = self.after("Transpose", x, &[], &[("perm", ints(&[0, 2, 1]))]);
        let sizes = self.size_of_map(like, x.channels);
        Ok(self.after("Reshape", &turned, &[&turned.name, &sizes], &[]))
    }

    fn to_windows(&mut self, x: &Value, like: &Value, window: Window) -> Result<Value, ExportError> {
        Ok(self.cut_into_windows(x, like, window))
    }

    fn from_windows(&mut self, x: &Value, like: &Value, window: Window) -> Result<Value, ExportError> {
        Ok(self.join_windows(x, like, window))
    }

    fn linear(&mut self, name: &str, x: &Value, linear: Linear) -> Result<Value, ExportError> {
        self.write_linear(name, x, linear)
    }

    fn layer_norm(&mut self, name: &str, x: &Value, norm: LayerNorm) -> Result<Value, ExportError> {
        let weight = self.weight(name, "weight", &[norm.channels])?;
        let bias = self.weight(name, "bias", &[norm.channels])?;
        let how = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(norm.epsilon as f32))];
        let normalised = self.node("LayerNormalization", name, &[&x.name, &weight, &bias], &how);
        Ok(Value { name: normalised, channels: norm.channels })
    }

    fn attention(&mut self, qkv: &Value, heads: usize, bias: Option<&Value>) -> Result<Value, ExportError> {
        Ok(self.write_attention(qkv, heads, bias))
    }

    fn window_bias(
        &mut self,
        name: &str,
        like: &Value,
        heads: usize,
        window: Window,
    ) -> Result<Value, ExportError> {
        self.write_window_bias(name, like, heads, window)
    }

    fn append_tokens(&mut self, name: &str, x: &Value, tokens: Tokens) -> Result<Value, ExportError> {
        let Tokens { count, channels } = tokens;
        let data = self.weights.get(name, &[count, channels])?;
        let learned = self.graph.weights(name, &[1, count, channels], data);
        Ok(self.after("Concat", x, &[&x.name, &learned], &[("axis", Attribute::Int(1))]))
    }

    fn all_but_last(&mut self, x: &Value, count: usize) -> Result<Value, ExportError> {
        Ok(self.some_tokens(x, "all_but_last", 0, -(count as i64)))
    }

    fn last(&mut self, x: &Value, count: usize) -> Result<Value, ExportError> {
        Ok(self.some_tokens(x, "last", -(count as i64), i64::MAX))
    }

    fn cosines(&mut self, x: &Value, y: &Value, count: usize) -> Result<Value, ExportError> {
        let (x, y) = (self.of_length_1(x), self.of_length_1(y));
        let turned = self.after("Transpose", &y, &[], &[("perm", ints(&[0, 2, 1]))]);
        let products = self.after("MatMul", &x, &[&x.name, &turned.name], &[]);
        Ok(Value { channels: count, ..products })
    }
}

fn window(Pool { kernel, stride, padding }: Pool) -> [(&'static str, Attribute); 3] {
    [
        ("kernel_shape", ints(&[kernel, kernel])),
        ("strides", ints(&[stride, stride])),
        ("pads", ints(&[padding, padding, padding, padding])),
    ]
}
