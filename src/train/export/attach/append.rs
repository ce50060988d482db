//! Nodes behind a graph that others made: what is in it stays as it is.

use super::super::graph::{Graph, entry};
use super::super::onnx::{Value, Writer};
use super::super::parity::OUTPUTS;
use super::super::weights::Weights;
use super::super::{ExportError, cells};
use super::HEAD;
use crate::model::{Manifest, OutputNames};
use crate::train::model::{Ops, head as described};
use onnx_protobuf::tensor_shape_proto::Dimension;
use onnx_protobuf::{GraphProto, Message, ModelProto, NodeProto, ValueInfoProto};

/// From this version of the operators on, a head's are what they are today, a resize aside.
const OLDEST: i64 = 9;
/// The first in which a resize is what it is today.
const OLDEST_RESIZE: i64 = 13;

/// The only input that is no constant.
///
/// # Errors
/// Bytes that are no ONNX file, or one with several inputs.
pub(super) fn input_name(onnx: &[u8]) -> Result<String, String> {
    let graph = parse(onnx)?.1;
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let names: Vec<&str> = graph.input.iter().map(|i| i.name.as_str()).filter(|n| !constant(n)).collect();
    match names[..] {
        [name] => Ok(name.to_owned()),
        _ => Err(format!("its inputs are {names:?}, one image is all it gets")),
    }
}

/// Whether a head can be put on it.
///
/// # Errors
/// Why not, and what would do.
pub(super) fn check(onnx: &[u8], manifest: &Manifest, replace: bool) -> Result<(), String> {
    let (model, graph) = parse(onnx)?;
    let outputs: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let names = &manifest.outputs;
    for name in [Some(&names.logits), names.pre_logits.as_ref()].into_iter().flatten() {
        if !outputs.contains(&name.as_str()) {
            return Err(format!(
                "it has no output \"{name}\", but {outputs:?}: export it with its pre-logits as well"
            ));
        }
    }
    let there = names.dataset_logits.as_deref().unwrap_or(OUTPUTS[2]);
    if !replace && (names.dataset_logits.is_some() || outputs.contains(&there)) {
        return Err(format!("it has an output \"{there}\" already: replace it with --replace"));
    }
    if graph.initializer.iter().any(|t| !t.external_data.is_empty()) {
        return Err("its weights are in another file: save it with all its data in one".into());
    }
    let version = opset(&model);
    if version < OLDEST {
        return Err(format!("it is of opset {version}: export it with opset {OLDEST} or later"));
    }
    Ok(())
}

/// The file with BN-ReLU-1×1 on its pre-logits, and that as output `dataset_logits`, on the logits' grid.
///
/// # Errors
/// As [`check`]; a name of ours that stands for something else there; an opset too old to resize.
pub(super) fn head(
    onnx: &[u8],
    names: &OutputNames,
    channels: usize,
    weights: &Weights,
    metadata: &[(String, String)],
) -> Result<Vec<u8>, ExportError> {
    let written = ExportError::Description;
    let (mut model, mut graph) = parse(onnx).map_err(written)?;
    let pre_logits = names.pre_logits.as_deref().unwrap_or(OUTPUTS[0]);
    let one_grid = same_grid(&graph, pre_logits, &names.logits);
    free_name(&mut graph, OUTPUTS[2]).map_err(written)?;

    let mut writer = Writer::new(Graph::of(graph), weights);
    let read = Value { name: pre_logits.to_owned(), channels };
    let mut outlier = described(&mut writer, HEAD, &read, channels, 1)?;
    if !one_grid {
        let version = opset(&model);
        if version < OLDEST_RESIZE {
            return Err(ExportError::Description(format!(
                "its logits have another size than its pre-logits, and opset {version} has no resize for that: \
                 export the model with opset {OLDEST_RESIZE} or later"
            )));
        }
        outlier = writer.resize_as(&outlier, &Value { name: names.logits.clone(), channels: 0 })?;
    }
    let mut graph = writer.graph;
    graph.output(OUTPUTS[2], &outlier.name, &cells(1)).map_err(written)?;
    let mut graph = graph.into_proto();
    declare_as(&mut graph, OUTPUTS[2], &names.logits);
    model.graph = Some(graph).into();
    model.metadata_props.retain(|p| metadata.iter().all(|(key, _)| *key != p.key));
    model.metadata_props.extend(metadata.iter().map(entry));
    model.write_to_bytes().map_err(|e| ExportError::Description(e.to_string()))
}

fn parse(onnx: &[u8]) -> Result<(ModelProto, GraphProto), String> {
    let mut model = ModelProto::parse_from_bytes(onnx).map_err(|e| format!("not an ONNX file: {e}"))?;
    let graph = model.graph.take().ok_or("an ONNX file without a graph")?;
    Ok((model, graph))
}

/// The version of ONNX's own operators.
fn opset(model: &ModelProto) -> i64 {
    let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    model.opset_import.iter().find(|o| own(&o.domain)).map_or(0, |o| o.version)
}

/// Whether two outputs are declared with the same height and width: equal numbers, or equal expressions.
fn same_grid(graph: &GraphProto, a: &str, b: &str) -> bool {
    let declared = |name: &str| {
        let sides = sides(graph.output.iter().find(|o| o.name == name)?)?;
        sides.iter().all(|d| d.value.is_some()).then_some(sides)
    };
    let same = |(a, b): (&Dimension, &Dimension)| a.value == b.value;
    matches!((declared(a), declared(b)), (Some(a), Some(b)) if a.iter().zip(&b).all(same))
}

/// Declares an output's height and width as another's: the model's own names for them say something else than ours.
fn declare_as(graph: &mut GraphProto, output: &str, like: &str) {
    let wanted = graph.output.iter().find(|o| o.name == like).and_then(sides);
    for declared in graph.output.iter_mut().filter(|o| o.name == output) {
        let dims =
            &mut declared.type_.mut_or_insert_default().mut_tensor_type().shape.mut_or_insert_default().dim;
        dims.truncate(2);
        dims.extend(wanted.clone().unwrap_or_else(|| vec![Dimension::new(); 2]));
    }
}

/// An output's declared height and width.
fn sides(output: &ValueInfoProto) -> Option<Vec<Dimension>> {
    let sides = output.type_.tensor_type().shape.dim.get(2..)?;
    (sides.len() == 2).then(|| sides.to_vec())
}

/// Makes a name free: an output of that name is none any more, and its value is called otherwise.
fn free_name(graph: &mut GraphProto, name: &str) -> Result<(), String> {
    graph.output.retain(|o| o.name != name);
    let calls = |n: &NodeProto| n.input.iter().chain(&n.output).any(|i| i == name);
    if !graph.node.iter().any(calls) {
        return Ok(());
    }
    if graph.node.iter().any(|n| n.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty())) {
        return Err(format!(
            "\"{name}\" cannot be replaced in a graph with graphs inside: export it without"
        ));
    }
    let mut number = 1;
    let mut other = format!("{name}_replaced");
    while graph.node.iter().any(|n| n.input.iter().chain(&n.output).any(|i| *i == other)) {
        number += 1;
        other = format!("{name}_replaced_{number}");
    }
    let values = graph.node.iter_mut().flat_map(|n| n.input.iter_mut().chain(&mut n.output));
    values.filter(|v| *v == name).for_each(|v| v.clone_from(&other));
    graph.node.iter_mut().filter(|n| n.name == name).for_each(|n| n.name.clone_from(&other));
    graph.value_info.retain(|v| v.name != name);
    Ok(())
}
