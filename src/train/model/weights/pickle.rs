//! The part of Python's pickle that a state dict needs, read without running anything.
//!
//! A pickle is a program for a stack machine that may call any function by name. Here it may build dictionaries,
//! lists, tuples, text, numbers and views of storages; every other name is refused with that name. What is built
//! lies in one arena and refers to itself by index, so that nothing nests and nothing is walked for ever, whatever
//! the file says; each step reads at least one byte, so memory stays within a small multiple of the file.

use tch::Kind;

/// Why a pickle could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The file ends in the middle.
    #[error("its pickle breaks off at byte {at}")]
    Truncated {
        /// From the pickle's start.
        at: usize,
    },
    /// A step that no state dict has.
    #[error("its pickle has the step {code:#04x} at byte {at}, which no state dict needs")]
    Step {
        /// The step's code.
        code: u8,
        /// From the pickle's start.
        at: usize,
    },
    /// Something that would have to be run.
    #[error(
        "it asks for {name}, which is code and is not run: save the state dict alone, \
         torch.save(model.state_dict(), ...)"
    )]
    Global {
        /// Module and name.
        name: String,
    },
    /// Steps that do not fit each other.
    #[error("its pickle is broken at byte {at}: {what}")]
    Broken {
        /// From the pickle's start.
        at: usize,
        /// What does not fit.
        what: &'static str,
    },
}

/// Where a value lies in the arena.
pub(super) type Id = usize;

/// What a pickle can build here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    View(View),
}

/// The names that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Kind),
}

/// Numbers that lie elsewhere in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage {
    /// Text.
    pub key: Id,
    pub kind: Kind,
    pub count: u64,
}

/// A tensor: some of a storage's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub storage: Id,
    pub offset: u64,
    pub sizes: Vec<u64>,
    pub strides: Vec<u64>,
}

/// What a pickle built.
#[derive(Debug)]
pub(super) struct Built {
    pub nodes: Vec<Node>,
    /// What was left on the stack at the end.
    pub root: Id,
    /// Bytes of the program.
    pub length: usize,
}

impl Built {
    pub(super) fn root(&self) -> &Node {
        self.at(self.root)
    }

    pub(super) fn at(&self, id: Id) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::None)
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        text(&self.nodes, id)
    }

    /// All that the program refers to.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
            _ => None,
        })
    }
}

/// The value, if it is a text.
pub(super) fn text(nodes: &[Node], id: Id) -> Option<&str> {
    match nodes.get(id)? {
        Node::Text(text) => Some(text),
        _ => None,
    }
}

/// What a name stands for.
pub(super) fn global(module: &str, name: &str) -> Result<Global, PickleError> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch", "FloatStorage") => Global::StorageOf(Kind::Float),
        ("torch", "DoubleStorage") => Global::StorageOf(Kind::Double),
        ("torch", "HalfStorage") => Global::StorageOf(Kind::Half),
        ("torch", "BFloat16Storage") => Global::StorageOf(Kind::BFloat16),
        ("torch", "LongStorage") => Global::StorageOf(Kind::Int64),
        ("torch", "IntStorage") => Global::StorageOf(Kind::Int),
        ("torch", "BoolStorage") => Global::StorageOf(Kind::Bool),
        _ => return Err(PickleError::Global { name: format!("{module}.{name}") }),
    })
}
