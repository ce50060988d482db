//! Batch normalisation folded into the convolution before it, where no one else reads that convolution:
//! with γ, β, mean μ and variance σ² of a channel, `γ·(w∗x + b − μ)/√(σ² + ε) + β` is a convolution by
//! `w·γ/√(σ² + ε)` with bias `(b − μ)·γ/√(σ² + ε) + β`. In f64, so that it is rounded once.
//!
//! A normalisation before a convolution (BN-ReLU-conv) has a ReLU between them and stays.

use onnx_protobuf::{GraphProto, NodeProto, TensorProto};
use std::collections::{HashMap, HashSet};

/// PyTorch's and ONNX's own; used where a node does not say.
const EPSILON: f32 = 1e-5;

/// Folds what can be folded, and drops the constants no one reads any more.
///
/// # Errors
/// A node that is not as this crate writes it: nothing is then to be used.
pub(super) fn fold(graph: &mut GraphProto) -> Result<(), String> {
    let mut readers: HashMap<String, usize> = HashMap::new();
    let read = graph.node.iter().flat_map(|n| n.input.iter()).chain(graph.output.iter().map(|o| &o.name));
    read.for_each(|name| *readers.entry(name.clone()).or_default() += 1);
    let mut convolutions: HashMap<String, usize> = (graph.node.iter().enumerate())
        .filter(|(_, n)| n.op_type == "Conv")
        .filter_map(|(i, n)| Some((n.output.first()?.clone(), i)))
        .collect();

    let mut folded = HashSet::new();
    for i in 0..graph.node.len() {
        let norm = &graph.node[i];
        let Some(input) = norm.input.first().filter(|_| norm.op_type == "BatchNormalization") else {
            continue;
        };
        let Some(&conv) = convolutions.get(input).filter(|_| readers.get(input) == Some(&1)) else {
            continue;
        };
        let (weight, bias) = folded_weights(graph, conv, i)?;
        let output = graph.node[i].output.clone();
        let node = &mut graph.node[conv];
        node.input.truncate(1);
        node.input.extend([weight.name.clone(), bias.name.clone()]);
        node.output = output;
        graph.initializer.retain(|t| t.name != weight.name && t.name != bias.name);
        graph.initializer.extend([weight, bias]);
        // Another normalisation may follow.
        convolutions.extend(graph.node[conv].output.first().map(|name| (name.clone(), conv)));
        folded.insert(i);
    }
    let mut i = 0..;
    graph.node.retain(|_| i.next().is_some_and(|i| !folded.contains(&i)));
    let read: HashSet<String> = graph.node.iter().flat_map(|n| n.input.iter().cloned()).collect();
    graph.initializer.retain(|t| read.contains(&t.name));
    Ok(())
}

/// The convolution's new weight and bias.
fn folded_weights(
    graph: &GraphProto,
    conv: usize,
    norm: usize,
) -> Result<(TensorProto, TensorProto), String> {
    let (conv, norm) = (&graph.node[conv], &graph.node[norm]);
    let weight = constant(graph, conv, 1)?;
    let kernels = floats(weight)?;
    let channels = usize::try_from(weight.dims.first().copied().unwrap_or(0)).unwrap_or(0);
    let old_bias = match conv.input.get(2) {
        Some(_) => floats(constant(graph, conv, 2)?)?,
        None => vec![0.0; channels],
    };
    let mut of_norm = Vec::new();
    for input in 1..5 {
        of_norm.push(floats(constant(graph, norm, input)?)?);
    }
    let [gamma, beta, mean, variance] = &of_norm[..] else {
        return Err(format!("\"{}\" is no batch normalisation", norm.name));
    };
    if channels == 0 || of_norm.iter().chain([&old_bias]).any(|v| v.len() != channels) {
        return Err(format!("\"{}\" has {channels} channels, \"{}\" others", conv.name, norm.name));
    }
    let epsilon = norm.attribute.iter().find(|a| a.name == "epsilon").map_or(EPSILON, |a| a.f);

    let mut scaled = Vec::with_capacity(kernels.len());
    let mut bias = Vec::with_capacity(channels);
    for (c, kernel) in kernels.chunks_exact(kernels.len() / channels).enumerate() {
        let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
        scaled.extend(kernel.iter().map(|w| (f64::from(*w) * scale) as f32));
        let shifted = (f64::from(old_bias[c]) - f64::from(mean[c])) * scale;
        bias.push((shifted + f64::from(beta[c])) as f32);
    }
    let raw = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let new_weight = TensorProto { raw_data: raw(&scaled), ..weight.clone() };
    let new_bias = TensorProto {
        name: format!("{}.bias", conv.name),
        dims: vec![channels as i64],
        data_type: weight.data_type,
        raw_data: raw(&bias),
        ..Default::default()
    };
    Ok((new_weight, new_bias))
}

fn constant<'a>(graph: &'a GraphProto, node: &NodeProto, input: usize) -> Result<&'a TensorProto, String> {
    let name = node.input.get(input).map_or("", String::as_str);
    let found = graph.initializer.iter().find(|t| t.name == name);
    found.ok_or_else(|| format!("input {input} of \"{}\" is no constant: \"{name}\"", node.name))
}

fn floats(tensor: &TensorProto) -> Result<Vec<f32>, String> {
    let (values, rest) = tensor.raw_data.as_chunks::<4>();
    let count: i64 = tensor.dims.iter().product();
    if !rest.is_empty() || values.len() as i64 != count {
        return Err(format!(
            "\"{}\" is {:?} but has {} bytes",
            tensor.name,
            tensor.dims,
            tensor.raw_data.len()
        ));
    }
    Ok(values.iter().map(|v| f32::from_le_bytes(*v)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Attribute, Graph};
    use super::*;

    /// conv (1 → 2 channels, 1×1) ▸ norm, with constants chosen so that the result is a whole number.
    fn graph(bias: bool, second_reader: bool) -> GraphProto {
        let mut g = Graph::new("test");
        let image = g.input("image", &[]);
        let weight = g.weights("conv.weight", &[2, 1, 1, 1], &[1.0, -2.0]);
        let mut inputs = vec![image, weight];
        if bias {
            inputs.push(g.weights("conv.bias", &[2], &[3.0, 5.0]));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let conv = g.node("Conv", "conv", &inputs, &[]);
        let mut inputs = vec![conv.clone()];
        for (name, values) in
            [("weight", [2.0, 4.0]), ("bias", [0.5, 0.25]), ("mean", [1.0, 1.0]), ("var", [3.0, 15.0])]
        {
            inputs.push(g.weights(&format!("norm.{name}"), &[2], &values));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let norm = g.node("BatchNormalization", "norm", &inputs, &[("epsilon", Attribute::Float(1.0))]);
        let relu = g.node("Relu", "relu", &[&norm], &[]);
        if second_reader {
            g.output("conv_too", &conv, &[]).unwrap();
        }
        g.output("out", &relu, &[]).unwrap();
        g.into_proto()
    }

    fn values(graph: &GraphProto, name: &str) -> Vec<f32> {
        floats(graph.initializer.iter().find(|t| t.name == name).unwrap()).unwrap()
    }

    #[test]
    fn a_normalisation_is_folded_by_hand_computed_numbers() {
        let mut g = graph(false, false);
        fold(&mut g).unwrap();
        let ops: Vec<_> = g.node.iter().map(|n| n.op_type.as_str()).collect();
        assert_eq!(ops, ["Conv", "Relu"]);
        assert_eq!(g.initializer.len(), 2);
        // Scales: 2/√(3+1) = 1 and 4/√(15+1) = 1.
        assert_eq!(values(&g, "conv.weight"), [1.0, -2.0]);
        assert_eq!(values(&g, "conv.bias"), [-0.5, -0.75]);
        assert_eq!(g.node[1].input, g.node[0].output);

        let mut g = graph(true, false);
        fold(&mut g).unwrap();
        assert_eq!(values(&g, "conv.bias"), [2.5, 4.25]);
        assert_eq!(g.initializer.len(), 2);
    }

    #[test]
    fn two_normalisations_in_a_row_are_both_folded() {
        let mut g = graph(false, false);
        let mut second = g.node[1].clone();
        (second.name, second.input[0], second.output[0]) = ("again".into(), "norm".into(), "again".into());
        g.node.insert(2, second);
        g.node[3].input[0] = "again".into();
        fold(&mut g).unwrap();
        let ops: Vec<_> = g.node.iter().map(|n| n.op_type.as_str()).collect();
        assert_eq!(ops, ["Conv", "Relu"]);
        assert_eq!(values(&g, "conv.bias"), [-1.0, -1.5]);
        assert_eq!(g.initializer.len(), 2);
    }

    #[test]
    fn a_convolution_with_another_reader_stays() {
        let mut g = graph(true, true);
        let before = g.clone();
        fold(&mut g).unwrap();
        assert_eq!(g, before);
    }

    #[test]
    fn a_graph_that_is_not_ours_is_no_panic() {
        let says = |edit: &dyn Fn(&mut GraphProto), part: &str| {
            let mut g = graph(false, false);
            edit(&mut g);
            let error = fold(&mut g).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        says(&|g| drop(g.initializer.remove(0)), "conv.weight");
        says(&|g| g.initializer[1].dims = vec![3], "8 bytes");
        says(&|g| g.node[1].input.truncate(3), "input 3");
        says(
            &|g| {
                g.initializer[0].dims.clear();
                g.initializer[0].raw_data.truncate(4);
            },
            "0 channels",
        );
    }
}
