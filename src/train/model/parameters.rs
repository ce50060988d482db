//! All that a network keeps, by name.
//!
//! A name's first component says the part (`encoder.`, `decoder.`, `class_head.`, `dataset_head.`, `generator.`), and
//! with it the learning rate; the role says whether weight decay applies, and whether there is a gradient at all.

use std::cell::Cell;
use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::NetworkError;
use super::error::some;
use super::part::{Part, Role};

/// One tensor of a network. A clone of the handle sees the same numbers: libtorch counts references.
#[derive(Debug)]
pub struct Parameter {
    /// f32, a leaf; with a gradient unless it is a buffer or its part is frozen.
    pub tensor: Tensor,
    /// What it is to the optimizer.
    pub role: Role,
    part: Part,
}

impl Parameter {
    /// The part it is in.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Whether an optimizer changes it, unless its part is frozen.
    pub fn is_trained(&self) -> bool {
        self.role != Role::Buffer
    }
}

/// The tensors of a network, in the order of their names.
#[derive(Debug, Default)]
pub struct Parameters {
    entries: BTreeMap<String, Parameter>,
    frozen: [Cell<bool>; Part::ALL.len()],
}

impl Parameters {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The handle itself is kept, so that whoever shares it sees what training makes of it; it is asked
    /// for gradients unless it is a buffer or its part is frozen.
    ///
    /// # Errors
    /// There is one of that name; the name is in no part; the tensor is not f32, or is no leaf.
    pub fn insert(&mut self, name: &str, tensor: Tensor, role: Role) -> Result<(), NetworkError> {
        let part = Part::of(name).ok_or_else(|| NetworkError::NoPart { name: name.to_owned() })?;
        if self.entries.contains_key(name) {
            return Err(NetworkError::Twice { name: name.to_owned() });
        }
        let kind = tensor.f_kind()?;
        if kind != Kind::Float || !tensor.is_leaf() {
            return Err(NetworkError::NoMaster { name: name.to_owned(), kind, leaf: tensor.is_leaf() });
        }
        let trained = role != Role::Buffer && !self.is_frozen(part);
        let tensor = tensor.f_set_requires_grad(trained)?;
        self.entries.insert(name.to_owned(), Parameter { tensor, role, part });
        Ok(())
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, NetworkError> {
        let absent = || NetworkError::Absent { name: name.to_owned() };
        self.get(name).map(|p| &p.tensor).ok_or_else(absent)
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.entries.get(name)
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Parameter)> {
        self.entries.iter().map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// Those that training changes now: no buffers, nothing frozen; in the order of their names.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.iter().filter(|(_, p)| p.is_trained() && !self.is_frozen(p.part))
    }

    /// How many tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many numbers are trained, frozen ones too; running statistics are not counted.
    pub fn count(&self) -> usize {
        self.iter().filter(|(_, p)| p.is_trained()).map(|(_, p)| p.tensor.numel()).sum()
    }

    /// Stops or resumes the training of a part: no gradients, and batch normalisation by its running statistics.
    ///
    /// # Errors
    /// libtorch's.
    pub fn freeze(&self, part: Part, frozen: bool) -> Result<(), NetworkError> {
        self.frozen[part as usize].set(frozen);
        for (_, parameter) in self.iter().filter(|(_, p)| p.part == part && p.is_trained()) {
            // Sets the flag of the tensor itself; what it returns is another handle to it.
            let _same = parameter.tensor.f_set_requires_grad(!frozen)?;
        }
        Ok(())
    }

    /// Whether [`Parameters::freeze`] holds for the part.
    pub fn is_frozen(&self, part: Part) -> bool {
        self.frozen[part as usize].get()
    }

    /// Handles to all tensors, as `Tensor::write_safetensors` takes them. They see later changes.
    pub fn named_tensors(&self) -> Vec<(String, Tensor)> {
        self.iter().map(|(name, p)| (name.to_owned(), p.tensor.shallow_clone())).collect()
    }

    /// Takes the numbers of all parameters from elsewhere, by name; nothing changes when there is an error.
    ///
    /// # Errors
    /// A name is missing or surplus, a shape is another (both sides are named); libtorch's.
    pub fn load(&self, named: &[(String, Tensor)]) -> Result<(), NetworkError> {
        self.load_where(named, |_| true)
    }

    /// As [`Parameters::load`], of one part only: all of its names and no others.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn load_part(&self, part: Part, named: &[(String, Tensor)]) -> Result<(), NetworkError> {
        self.load_where(named, |p| p.part == part)
    }

    fn load_where(
        &self,
        named: &[(String, Tensor)],
        wanted: impl Fn(&Parameter) -> bool,
    ) -> Result<(), NetworkError> {
        let given: BTreeMap<&str, &Tensor> = named.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let wanted: BTreeMap<&str, &Parameter> = self.iter().filter(|(_, p)| wanted(p)).collect();
        let missing: Vec<&str> = wanted.keys().filter(|n| !given.contains_key(*n)).copied().collect();
        let surplus: Vec<&str> = given.keys().filter(|n| !wanted.contains_key(*n)).copied().collect();
        if !missing.is_empty() || !surplus.is_empty() {
            return Err(NetworkError::Names {
                missing: missing.len(),
                missing_some: some(missing),
                surplus: surplus.len(),
                surplus_some: some(surplus),
            });
        }
        let pairs = || wanted.iter().filter_map(|(name, p)| Some((*name, *p, *given.get(name)?)));
        for (name, parameter, tensor) in pairs() {
            let (expected, got) = (parameter.tensor.size(), tensor.size());
            if expected != got {
                return Err(NetworkError::Shape { name: name.to_owned(), expected, got });
            }
        }
        for (name, parameter, tensor) in pairs() {
            tch::no_grad(|| parameter.tensor.shallow_clone().f_copy_(tensor))
                .map_err(NetworkError::at(name))?;
        }
        Ok(())
    }

    /// Where the tensors are; the CPU when there are none.
    pub fn device(&self) -> Device {
        self.entries.values().next().map_or(Device::Cpu, |p| p.tensor.device())
    }
}
