//! What the few functions of a state dict's pickle make of their arguments; `None`: not what torch.save gives them.

use super::pickle::{Global, Id, Node, Storage, View, text};

/// Of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// ('storage', type, key, device, count), and in old files None: the storage is no part of another one.
pub(super) fn storage(nodes: &[Node], id: Id) -> Option<Storage> {
    let Some(Node::Tuple(items)) = nodes.get(id) else { return None };
    let items = match items[..] {
        [word, kind, key, device, count] => [word, kind, key, device, count],
        [word, kind, key, device, count, last] if nodes.get(last) == Some(&Node::None) => {
            [word, kind, key, device, count]
        }
        _ => return None,
    };
    let [word, kind, key, device, count] = items;
    let (Some("storage"), Some(_), Some(_)) = (text(nodes, word), text(nodes, key), text(nodes, device))
    else {
        return None;
    };
    match (nodes.get(kind)?, nodes.get(count)?) {
        (Node::Global(Global::StorageOf(kind)), Node::Int(count)) => {
            Some(Storage { key, kind: *kind, count: u64::try_from(*count).ok()? })
        }
        _ => None,
    }
}

/// A function's value.
pub(super) fn call(nodes: &[Node], function: Global, arguments: Id) -> Option<Node> {
    match function {
        // Without arguments: older protocols give a list of pairs, which torch.save has not used.
        Global::OrderedDict => tuple(nodes, arguments)?.is_empty().then_some(Node::Dict(Vec::new())),
        Global::RebuildTensor => view(nodes, arguments),
        Global::RebuildParameter => match tuple(nodes, arguments).as_deref() {
            Some([Node::View(view), ..]) => Some(Node::View(view.clone())),
            _ => None,
        },
        Global::StorageOf(_) => None,
    }
}

/// (storage, offset, sizes, strides, ...)
fn view(nodes: &[Node], arguments: Id) -> Option<Node> {
    let Some(Node::Tuple(items)) = nodes.get(arguments) else { return None };
    let [storage, offset, sizes, strides, ..] = items[..] else { return None };
    let Some(Node::Storage(_)) = nodes.get(storage) else { return None };
    let number = |node: &Node| match node {
        Node::Int(value) => u64::try_from(*value).ok(),
        _ => None,
    };
    let numbers = |id| tuple(nodes, id)?.into_iter().map(number).collect::<Option<Vec<u64>>>();
    let (offset, sizes, strides) = (number(nodes.get(offset)?)?, numbers(sizes)?, numbers(strides)?);
    (sizes.len() == strides.len()).then_some(Node::View(View { storage, offset, sizes, strides }))
}

fn tuple(nodes: &[Node], id: Id) -> Option<Vec<&Node>> {
    match nodes.get(id)? {
        // No call here has more arguments; a tuple that is named often is not copied often.
        Node::Tuple(items) if items.len() <= MAX_DIMENSIONS => {
            items.iter().map(|id| nodes.get(*id)).collect()
        }
        _ => None,
    }
}
