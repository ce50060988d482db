//! What is done with tokens, and takes more than one node.

use super::{Value, Writer, ints};
use crate::train::export::ExportError;
use crate::train::export::graph::Attribute;
use crate::train::model::ops::Linear;

/// A length is divided by as at least so much.
const SHORTEST: f32 = 1e-12;

impl Writer<'_> {
    /// The weight stands in the graph as `[inputs, outputs]`, so that tokens of any number are multiplied by it.
    pub(super) fn write_linear(
        &mut self,
        name: &str,
        x: &Value,
        linear: Linear,
    ) -> Result<Value, ExportError> {
        let Linear { inputs, outputs, bias } = linear;
        let called = format!("{name}.weight");
        let rows = self.weights.get(&called, &[outputs, inputs])?;
        let mut turned = Vec::with_capacity(rows.len());
        for input in 0..inputs {
            turned.extend(rows.iter().skip(input).step_by(inputs.max(1)));
        }
        let weight = self.graph.weights(&called, &[inputs, outputs], &turned);
        let bias = if bias { Some(self.weight(name, "bias", &[outputs])?) } else { None };
        let product = match bias {
            None => self.node("MatMul", name, &[&x.name, &weight], &[]),
            Some(bias) => {
                let product = self.node("MatMul", &format!("{name}.product"), &[&x.name, &weight], &[]);
                self.node("Add", name, &[&product, &bias], &[])
            }
        };
        Ok(Value { name: product, channels: outputs })
    }

    /// See [`crate::train::model::Ops::attention`].
    pub(super) fn write_attention(&mut self, qkv: &Value, heads: usize, bias: Option<&Value>) -> Value {
        let channels = qkv.channels / 3;
        let deep = channels / heads.max(1);
        let name = format!("{}.attention", qkv.name);
        let of = |part: &str| format!("{name}.{part}");
        let by_heads = self.graph.ints(&[5], &[0, 0, 3, heads as i64, deep as i64]);
        let parts = self.node("Reshape", &of("by_heads"), &[&qkv.name, &by_heads], &[]);
        let turn = [("perm", ints(&[2, 0, 3, 1, 4]))];
        let parts = self.node("Transpose", &of("parts"), &[&parts], &turn); // [3, B, heads, T, d]
        let [q, k, v] = [("q", 0), ("k", 1), ("v", 2)].map(|(part, at)| {
            let at = self.graph.ints(&[], &[at]);
            self.node("Gather", &of(part), &[&parts, &at], &[("axis", Attribute::Int(0))])
        });
        let scale = self.graph.float((1.0 / (deep.max(1) as f64).sqrt()) as f32);
        let q = self.node("Mul", &of("q_scaled"), &[&q, &scale], &[]);
        let k = self.node("Transpose", &of("k_turned"), &[&k], &[("perm", ints(&[0, 1, 3, 2]))]);
        let mut products = self.node("MatMul", &of("products"), &[&q, &k], &[]);
        if let Some(bias) = bias {
            products = self.node("Add", &of("biased"), &[&products, &bias.name], &[]);
        }
        let shares = self.node("Softmax", &of("shares"), &[&products], &[("axis", Attribute::Int(-1))]);
        let said = self.node("MatMul", &of("of_heads"), &[&shares, &v], &[]);
        let said = self.node("Transpose", &of("of_tokens"), &[&said], &[("perm", ints(&[0, 2, 1, 3]))]);
        let together = self.graph.ints(&[3], &[0, 0, channels as i64]);
        Value { name: self.node("Reshape", &name, &[&said, &together], &[]), channels }
    }

    /// The tokens from one to before another, both counted from the end where they are below 0.
    pub(super) fn some_tokens(&mut self, x: &Value, what: &str, from: i64, to: i64) -> Value {
        let (from, to) = (self.graph.ints(&[1], &[from]), self.graph.ints(&[1], &[to]));
        let axis = self.graph.ints(&[1], &[1]);
        let name = format!("{}.{what}", x.name);
        Value { name: self.node("Slice", &name, &[&x.name, &from, &to, &axis], &[]), channels: x.channels }
    }

    /// Each token divided by its length.
    pub(super) fn of_length_1(&mut self, x: &Value) -> Value {
        let along = [("axes", Attribute::Ints(vec![-1])), ("keepdims", Attribute::Int(1))];
        let shortest = self.graph.float(SHORTEST);
        let lengths = self.after("ReduceL2", x, &[], &along);
        let lengths = self.after("Max", &lengths, &[&lengths.name, &shortest], &[]);
        self.after("Div", x, &[&x.name, &lengths.name], &[])
    }
}
