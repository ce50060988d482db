//! The class head alone: the part of a graph between `pre_logits` and `logits`, as a session of its own, for
//! scores that change the pre-logits and ask what becomes of the logits (ReAct).
//!
//! The head is taken out of the model's own graph, so that there are no second weights that could differ.

use super::bound::{Bound, Output, Starter};
use crate::model::Model;
use crate::score::Logits;
use crate::segmenter::SegmentError;
use onnx_protobuf::{GraphProto, Message, ModelProto, NodeProto};
use std::collections::{HashMap, HashSet};

/// Head and network give the same logits but for the order of their sums, which on a GPU are of ten bits;
/// beyond this share of the largest logit they are not the same weights.
const TOLERANCE: f32 = 1e-2;

/// The head, the network's pre-logits that it reads, and the logits it gave last.
pub(super) struct Head {
    bound: Bound,
    pre_logits: Output,
    logits: Output,
}

impl Head {
    /// Takes the head out of the model and proves it: of the network's last `pre_logits`, unclipped, it
    /// must make the network's last `logits`.
    ///
    /// # Errors
    /// Logits that are not made from the pre-logits alone, or a head that does not run or makes others.
    pub(super) fn new(
        starter: &Starter<'_>,
        model: &Model,
        pre_logits: Output,
        logits: Logits<'_>,
    ) -> Result<Self, SegmentError> {
        let contract = |mismatch: String| SegmentError::Contract { path: starter.path.clone(), mismatch };
        let names = &model.manifest().outputs;
        let name = names.pre_logits.as_deref().unwrap_or_default();
        let onnx = extract(model.onnx(), name, &names.logits).map_err(contract)?;
        let Logits { channels, height, width, .. } = pre_logits.view();
        let (bound, [head_logits], _) = starter.start(
            starter.session(&onnx)?,
            (name, [1, channels, height, width]),
            [Some(names.logits.as_str())],
        )?;
        let head_logits = head_logits.ok_or_else(|| contract(format!("no output {}", names.logits)))?;
        let mut head = Self { bound, pre_logits, logits: head_logits };
        head.run(f32::INFINITY).map_err(SegmentError::Run)?;
        check_same(logits, head.logits()).map_err(contract)?;
        Ok(head)
    }

    /// Runs it on the pre-logits of the network's last run, none of them above `clip`.
    ///
    /// # Errors
    /// What the runtime reports.
    pub(super) fn run(&mut self, clip: f32) -> Result<(), String> {
        for (clipped, v) in self.bound.input().iter_mut().zip(self.pre_logits.view().data) {
            // Broken values pass: they must come out as unknown, not as the clip.
            *clipped = if *v > clip && v.is_finite() { clip } else { *v };
        }
        self.bound.run()
    }

    pub(super) fn pre_logits(&self) -> Logits<'_> {
        self.pre_logits.view()
    }

    pub(super) fn logits(&self) -> Logits<'_> {
        self.logits.view()
    }
}

/// Whether the head's logits are the network's.
fn check_same(network: Logits<'_>, head: Logits<'_>) -> Result<(), String> {
    let shape = |l: Logits<'_>| [l.channels, l.height, l.width];
    if shape(network) != shape(head) {
        return Err(format!("logits are {:?}, of the class head alone {:?}", shape(network), shape(head)));
    }
    let scale = network.data.iter().fold(1f32, |m, v| m.max(v.abs()));
    let differ = |(a, b): &(&f32, &f32)| (*a - *b).abs() > TOLERANCE * scale || a.is_nan() != b.is_nan();
    match network.data.iter().zip(head.data).find(differ) {
        Some((a, b)) => {
            Err(format!("a logit is {a}, of the class head alone {b}: they are not the same weights"))
        }
        None => Ok(()),
    }
}

/// The nodes that lead from `pre_logits` to `logits`, with the constants they use, as an ONNX file.
///
/// # Errors
/// Bytes that are no ONNX file; logits that depend on anything else than the pre-logits, or not on them.
pub(super) fn extract(onnx: &[u8], pre_logits: &str, logits: &str) -> Result<Vec<u8>, String> {
    let mut model = ModelProto::parse_from_bytes(onnx).map_err(|e| format!("not an ONNX file: {e}"))?;
    let mut graph = model.graph.take().ok_or("an ONNX file without a graph")?;
    let used = Used::walk(&graph, pre_logits, logits)?;

    let mut node = 0..;
    graph.node.retain(|_| node.next().is_some_and(|i| used.nodes.contains(&i)));
    let is_used = |name: &str| used.constants.contains(name);
    graph.initializer.retain(|t| is_used(&t.name));
    graph.sparse_initializer.retain(|t| is_used(&t.values.name));
    // Old files list constants among the inputs.
    graph.input.retain(|i| is_used(&i.name));
    let pre_logits_info = graph.output.iter().find(|o| o.name == pre_logits).cloned();
    graph.input.push(pre_logits_info.ok_or_else(|| format!("the graph has no output \"{pre_logits}\""))?);
    graph.output.retain(|o| o.name == logits);
    graph.value_info.clear();
    graph.quantization_annotation.clear();
    model.training_info.clear();
    model.graph = Some(graph).into();
    model.write_to_bytes().map_err(|e| format!("the class head does not become a file: {e}"))
}

/// What of a graph the logits are made of, from the pre-logits on.
struct Used {
    /// By their place in the graph.
    nodes: HashSet<usize>,
    constants: HashSet<String>,
}

impl Used {
    /// From the logits back to the pre-logits.
    fn walk(graph: &GraphProto, pre_logits: &str, logits: &str) -> Result<Self, String> {
        if logits == pre_logits {
            return Err(format!(
                "\"{logits}\" is both logits and pre_logits: there is no class head between them"
            ));
        }
        let constants: HashSet<&str> = (graph.initializer.iter().map(|t| t.name.as_str()))
            .chain(graph.sparse_initializer.iter().map(|t| t.values.name.as_str()))
            .collect();
        let makers: HashMap<&str, usize> = (graph.node.iter().enumerate())
            .flat_map(|(i, node)| node.output.iter().map(move |name| (name.as_str(), i)))
            .collect();
        let mut used = Self { nodes: HashSet::new(), constants: HashSet::new() };
        let mut reached = false;
        let mut open = vec![logits];
        while let Some(name) = open.pop() {
            if name == pre_logits {
                reached = true;
            } else if constants.contains(name) {
                used.constants.insert(name.to_owned());
            } else if let Some(&i) = makers.get(name) {
                if used.nodes.insert(i) {
                    let node = &graph.node[i];
                    check_plain(node)?;
                    // An optional input that is not given has no name.
                    open.extend(node.input.iter().map(String::as_str).filter(|n| !n.is_empty()));
                }
            } else {
                return Err(format!(
                    "output \"{logits}\" depends on \"{name}\" by a way around \"{pre_logits}\": it must be made from \
                     pre_logits alone"
                ));
            }
        }
        if reached {
            Ok(used)
        } else {
            Err(format!("output \"{logits}\" does not depend on \"{pre_logits}\""))
        }
    }
}

/// A node with a graph inside may read anything by name: no class head has one.
fn check_plain(node: &NodeProto) -> Result<(), String> {
    if node.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
        return Err(format!(
            "node \"{}\" ({}) between pre_logits and logits holds a graph of its own: such a class head is not read",
            node.name, node.op_type
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_protobuf::{AttributeProto, TensorProto, ValueInfoProto};

    fn node(op: &str, input: &[&str], output: &str) -> NodeProto {
        let strings = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let mut node = NodeProto::new();
        (node.op_type, node.input, node.output) = (op.into(), strings(input), strings(&[output]));
        node
    }

    /// A trunk, a head of two layers with an optional input left out, and another head beside it.
    fn model(edit: impl Fn(&mut GraphProto)) -> Vec<u8> {
        let mut graph = GraphProto::new();
        graph.node = vec![
            node("Conv", &["image", "trunk"], "pre"),
            node("Constant", &[], "six"),
            node("Clip", &["pre", "", "six"], "bounded"),
            node("Conv", &["bounded", "weight"], "logits"),
            node("Conv", &["pre", "other"], "dataset_logits"),
        ];
        let tensor = |name: &&str| TensorProto { name: (*name).into(), ..Default::default() };
        graph.initializer = ["trunk", "weight", "other"].iter().map(tensor).collect();
        let value = |name: &&str| ValueInfoProto { name: (*name).into(), ..Default::default() };
        graph.input = ["image", "weight"].iter().map(value).collect();
        graph.output = ["pre", "logits", "dataset_logits"].iter().map(value).collect();
        edit(&mut graph);
        let mut model = ModelProto::new();
        model.graph = Some(graph).into();
        model.write_to_bytes().unwrap()
    }

    fn refused(edit: impl Fn(&mut GraphProto)) -> String {
        extract(&model(edit), "pre", "logits").unwrap_err()
    }

    #[test]
    fn the_head_is_what_lies_between() {
        let head = ModelProto::parse_from_bytes(&extract(&model(|_| ()), "pre", "logits").unwrap()).unwrap();
        let names = |values: &[ValueInfoProto]| values.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
        let ops: Vec<_> = head.graph.node.iter().map(|n| n.op_type.as_str()).collect();
        assert_eq!(ops, ["Constant", "Clip", "Conv"]);
        assert_eq!(head.graph.initializer.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["weight"]);
        assert_eq!(names(&head.graph.input), ["weight", "pre"]);
        assert_eq!(names(&head.graph.output), ["logits"]);
    }

    #[test]
    fn graphs_without_such_a_head_are_refused() {
        let says = |error: String, part: &str| assert!(error.contains(part), "{error}");
        says(refused(|g| g.node[3].input[0] = "image".into()), "depends on \"image\"");
        says(refused(|g| g.node[3] = node("Add", &["bounded", "image"], "logits")), "depends on \"image\"");
        says(
            refused(|g| g.node[3] = node("Conv", &["six", "weight"], "logits")),
            "does not depend on \"pre\"",
        );
        says(refused(|g| g.node.truncate(3)), "depends on \"logits\"");
        says(refused(|g| g.output.truncate(0)), "no output \"pre\"");
        let mut inner = AttributeProto::new();
        inner.g = Some(GraphProto::new()).into();
        says(refused(|g| g.node[2].attribute = vec![inner.clone()]), "(Clip)");
        says(extract(&model(|_| ()), "pre", "pre").unwrap_err(), "no class head");
        says(extract(b"\xff\xff\xff", "pre", "logits").unwrap_err(), "not an ONNX file");
        says(extract(b"", "pre", "logits").unwrap_err(), "without a graph");
    }
}
