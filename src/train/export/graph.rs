//! An ONNX graph being built: nodes with readable names, constants that stand once, a file at the end.
//!
//! Deliberately does not know: layers, weights' meaning, what is trained.

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    AttributeProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use std::collections::HashSet;

/// Files of this version of the format are read by every ONNX Runtime from 1.10 on, and by TensorRT 8.
const IR_VERSION: i64 = 8;
/// The operator set of [`IR_VERSION`]'s time; nothing newer is needed.
const OPSET: i64 = 17;

/// An attribute's value.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(&'static str),
}

/// One side of a value's declared shape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    /// Always so long.
    Is(usize),
    /// Known at run time; sides of one name are equal.
    Any(&'static str),
}

/// Nodes and constants so far, and every name that is taken.
pub(super) struct Graph {
    proto: GraphProto,
    taken: HashSet<String>,
}

impl Graph {
    /// Without nodes.
    pub(super) fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.into(), ..Default::default() }, taken: HashSet::new() }
    }

    /// To be continued: names of what is in it are taken.
    pub(super) fn of(proto: GraphProto) -> Self {
        let mut taken = HashSet::new();
        taken.extend(proto.node.iter().flat_map(|n| n.output.iter().chain([&n.name]).cloned()));
        taken.extend(proto.initializer.iter().map(|t| t.name.clone()));
        taken.extend(proto.sparse_initializer.iter().map(|t| t.values.name.clone()));
        taken.extend(proto.input.iter().chain(&proto.output).map(|v| v.name.clone()));
        Self { proto, taken }
    }

    /// The name, or where it is taken, it with a number.
    fn unique(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 2;
        while !self.taken.insert(free.clone()) {
            free = format!("{name}_{number}");
            number += 1;
        }
        free
    }

    /// Adds a node of one output, which is called as the node is: `name`, or where it is taken, much like it.
    pub(super) fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = self.unique(name);
        self.proto.node.push(NodeProto {
            op_type: operator.into(),
            name: name.clone(),
            input: inputs.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            ..Default::default()
        });
        name
    }

    /// Adds weights: f32 in row-major order.
    pub(super) fn weights(&mut self, name: &str, shape: &[usize], data: &[f32]) -> String {
        let name = self.unique(name);
        let raw = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.proto.initializer.push(tensor(&name, DataType::FLOAT, shape, raw));
        name
    }

    /// A number, once in the graph.
    pub(super) fn float(&mut self, value: f32) -> String {
        self.constant(format!("float_{value}"), DataType::FLOAT, &[], value.to_le_bytes().to_vec())
    }

    /// Whole numbers of a shape (`[]`: one number), once in the graph.
    pub(super) fn ints(&mut self, shape: &[usize], values: &[i64]) -> String {
        let list = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join("_");
        let mut name = format!("int_{}", list(&mut values.iter().map(i64::to_string)));
        if !shape.is_empty() {
            name += &format!("_of_{}", list(&mut shape.iter().map(usize::to_string)));
        }
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, DataType::INT64, shape, raw)
    }

    /// The constant of this content, whatever it came to be called.
    fn constant(&mut self, name: String, kind: DataType, shape: &[usize], raw: Vec<u8>) -> String {
        let wanted = tensor(&name, kind, shape, raw);
        let same = |t: &&TensorProto| {
            (t.data_type, &t.dims, &t.raw_data) == (wanted.data_type, &wanted.dims, &wanted.raw_data)
                && t.external_data.is_empty()
        };
        if let Some(there) = self.proto.initializer.iter().find(same) {
            return there.name.clone();
        }
        let name = self.unique(&name);
        self.proto.initializer.push(TensorProto { name: name.clone(), ..wanted });
        name
    }

    /// Declares an input.
    pub(super) fn input(&mut self, name: &str, shape: &[Side]) -> String {
        let name = self.unique(name);
        self.proto.input.push(value(&name, shape));
        name
    }

    /// Gives a value to the outside as `name`: its maker calls it so from now on.
    ///
    /// # Errors
    /// The name is taken.
    pub(super) fn output(&mut self, name: &str, is: &str, shape: &[Side]) -> Result<(), String> {
        if !self.taken.insert(name.to_owned()) {
            return Err(format!("the name \"{name}\" of an output is taken"));
        }
        let already = self.proto.output.iter().any(|o| o.name == is);
        let made = self.proto.node.iter().any(|n| n.output.iter().any(|o| o == is));
        // One value under two names, or an input given back, takes a node of its own.
        let is = if already || !made {
            self.node("Identity", &format!("{name}.identity"), &[is], &[])
        } else {
            is.to_owned()
        };
        let names = self.proto.node.iter_mut().flat_map(|n| n.input.iter_mut().chain(&mut n.output));
        names.filter(|n| **n == is).for_each(|n| *n = name.into());
        self.proto.output.push(value(name, shape));
        Ok(())
    }

    /// What was built.
    pub(super) fn into_proto(self) -> GraphProto {
        self.proto
    }
}

/// A file of the graph, with what is to be known about it.
///
/// # Errors
/// More than a file of this format holds (2 GiB).
pub(super) fn file(
    graph: GraphProto,
    (producer, version): (&str, &str),
    metadata: &[(String, String)],
) -> Result<Vec<u8>, String> {
    let model = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { version: OPSET, ..Default::default() }],
        producer_name: producer.into(),
        producer_version: version.into(),
        graph: Some(graph).into(),
        metadata_props: metadata.iter().map(entry).collect(),
        ..Default::default()
    };
    model.write_to_bytes().map_err(|e| e.to_string())
}

/// An entry of the file's metadata.
pub(super) fn entry((key, value): &(String, String)) -> StringStringEntryProto {
    StringStringEntryProto { key: key.clone(), value: value.clone(), ..Default::default() }
}

fn tensor(name: &str, kind: DataType, shape: &[usize], raw_data: Vec<u8>) -> TensorProto {
    let dims = shape.iter().map(|s| *s as i64).collect();
    TensorProto { name: name.into(), dims, data_type: kind as i32, raw_data, ..Default::default() }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.into(), ..Default::default() };
    let kind = match value {
        Attribute::Int(i) => {
            proto.i = *i;
            AttributeType::INT
        }
        Attribute::Ints(ints) => {
            proto.ints.clone_from(ints);
            AttributeType::INTS
        }
        Attribute::Float(f) => {
            proto.f = *f;
            AttributeType::FLOAT
        }
        Attribute::Text(text) => {
            proto.s = text.as_bytes().to_vec();
            AttributeType::STRING
        }
    };
    proto.type_ = kind.into();
    proto
}

/// An f32 tensor's declaration.
fn value(name: &str, shape: &[Side]) -> ValueInfoProto {
    let side = |side: &Side| {
        let value = match side {
            Side::Is(n) => dimension::Value::DimValue(*n as i64),
            Side::Any(name) => dimension::Value::DimParam((*name).into()),
        };
        Dimension { value: Some(value), ..Default::default() }
    };
    let shape = TensorShapeProto { dim: shape.iter().map(side).collect(), ..Default::default() };
    let tensor = type_proto::Tensor {
        elem_type: DataType::FLOAT as i32,
        shape: Some(shape).into(),
        ..Default::default()
    };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), type_: Some(kind).into(), ..Default::default() }
}
