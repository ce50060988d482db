//! The stack machine that runs a pickle's steps, and builds what [`pickle`](super::pickle) allows.

use std::collections::HashMap;

use super::calls;
use super::pickle::{Built, Id, Node, PickleError, global, text};

/// Of the program itself; a state dict's is about 150 bytes a tensor.
const MAX_PROGRAM: usize = 4 << 20;

/// Runs the program that `bytes` begin with.
pub(super) fn read(bytes: &[u8]) -> Result<Built, PickleError> {
    let program = &bytes[..bytes.len().min(MAX_PROGRAM)];
    let mut machine = Machine { program, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new() };
    let root = machine.run()?;
    Ok(Built { nodes: machine.nodes, root, length: machine.at })
}

struct Machine<'a> {
    program: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, PickleError> {
        let mut memo: HashMap<u64, Id> = HashMap::new();
        loop {
            let start = self.at;
            let [code] = self.array()?;
            match code {
                b'.' => return self.pop(),
                0x80 => drop(self.array::<1>()?), // the protocol; what it allows is known by the steps
                0x95 => drop(self.array::<8>()?), // a frame's length
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                b'N' => self.push(Node::None),
                0x88 => self.push(Node::Bool(true)),
                0x89 => self.push(Node::Bool(false)),
                b'J' => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.push(Node::Int(value.into()));
                }
                b'K' => {
                    let [value] = self.array()?;
                    self.push(Node::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.array()?);
                    self.push(Node::Int(value.into()));
                }
                0x8a => self.long()?,
                b'G' => {
                    let value = f64::from_be_bytes(self.array()?);
                    self.push(Node::Float(value));
                }
                0x8c | b'U' => {
                    let [length] = self.array()?;
                    self.text(length.into())?;
                }
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.array()?);
                    self.text(length.into())?;
                }
                b')' => self.push(Node::Tuple(Vec::new())),
                0x85..=0x87 => {
                    let items = self.take(usize::from(code - 0x84))?;
                    self.push(Node::Tuple(items));
                }
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items));
                }
                b']' => self.push(Node::List(Vec::new())),
                b'a' => {
                    let items = self.take(1)?;
                    self.append(items)?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b'}' => self.push(Node::Dict(Vec::new())),
                b's' => {
                    let items = self.take(2)?;
                    self.set(items)?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set(items)?;
                }
                b'q' => {
                    let [slot] = self.array()?;
                    memo.insert(slot.into(), self.top()?);
                }
                b'r' => {
                    let slot = u32::from_le_bytes(self.array()?);
                    memo.insert(slot.into(), self.top()?);
                }
                0x94 => {
                    memo.insert(memo.len() as u64, self.top()?);
                }
                b'h' => {
                    let [slot] = self.array()?;
                    self.recall(&memo, slot.into())?;
                }
                b'j' => {
                    let slot = u32::from_le_bytes(self.array()?);
                    self.recall(&memo, slot.into())?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Node::Global(global(module, name)?));
                }
                0x93 => {
                    let items = self.take(2)?;
                    let text = |at: usize| items.get(at).and_then(|id| text(&self.nodes, *id)).unwrap_or("?");
                    let found = global(text(0), text(1))?;
                    self.push(Node::Global(found));
                }
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                b'b' => self.build()?,
                code => return Err(PickleError::Step { code, at: start }),
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| PickleError::Truncated { at: self.at })
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.program.len());
        let end = end.ok_or(PickleError::Truncated { at: self.program.len() })?;
        let bytes = &self.program[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.program[self.at..];
        let end = rest.iter().position(|b| *b == b'\n');
        let end = end.ok_or(PickleError::Truncated { at: self.program.len() })?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| self.broken("a name that is no text"))
    }

    fn broken(&self, what: &'static str) -> PickleError {
        PickleError::Broken { at: self.at, what }
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn top(&self) -> Result<Id, PickleError> {
        self.stack.last().copied().ok_or(self.broken("nothing on the stack"))
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The uppermost `count`.
    fn take(&mut self, count: usize) -> Result<Vec<Id>, PickleError> {
        let rest = self.stack.len().checked_sub(count).ok_or(self.broken("too little on the stack"))?;
        Ok(self.stack.split_off(rest))
    }

    /// All above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or(self.broken("no mark on the stack"))?))
    }

    fn recall(&mut self, memo: &HashMap<u64, Id>, slot: u64) -> Result<(), PickleError> {
        let id = memo.get(&slot).copied().ok_or(self.broken("a value that was never put by"))?;
        self.stack.push(id);
        Ok(())
    }

    fn long(&mut self) -> Result<(), PickleError> {
        let [length] = self.array()?;
        let bytes = self.bytes(length.into())?;
        let negative = bytes.last().is_some_and(|b| *b >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let low = wide.get_mut(..bytes.len()).ok_or(self.broken("a number of more than 64 bits"))?;
        low.copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn text(&mut self, length: u64) -> Result<(), PickleError> {
        let length = usize::try_from(length).map_err(|_| self.broken("a text longer than memory"))?;
        let text = std::str::from_utf8(self.bytes(length)?);
        let text = text.map_err(|_| self.broken("a text that is none"))?.to_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let list = self.top()?;
        match self.nodes.get_mut(list) {
            Some(Node::List(all)) => all.extend(items),
            _ => return Err(self.broken("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let dict = self.top()?;
        let pairs = items.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?)));
        match self.nodes.get_mut(dict) {
            Some(Node::Dict(all)) if items.len().is_multiple_of(2) => all.extend(pairs),
            _ => return Err(self.broken("keys without values, or for what is no dictionary")),
        }
        Ok(())
    }

    /// Attributes of what is on the stack: a state dict has versions of its modules there, which are left out.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        let built = self.top()?;
        match self.nodes.get(built) {
            Some(Node::Dict(_)) => Ok(()),
            _ => Err(self.broken("attributes of what is no dictionary")),
        }
    }

    /// What is left of a reference to a storage.
    fn storage(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let storage = calls::storage(&self.nodes, id);
        let storage = storage.ok_or(self.broken("a reference to what is no storage of its own"))?;
        self.push(Node::Storage(storage));
        Ok(())
    }

    fn call(&mut self) -> Result<(), PickleError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Some(Node::Global(function)) = self.nodes.get(function) else {
            return Err(self.broken("a call of what is no function"));
        };
        let node = calls::call(&self.nodes, *function, arguments);
        let node = node.ok_or(self.broken("a call with other arguments than torch.save gives it"))?;
        self.push(node);
        Ok(())
    }
}
