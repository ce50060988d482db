//! What a parameter is, by its name and its role.

/// What a parameter is to the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of a convolution or a linear map, its weight: trained, decays.
    Weight,
    /// A normalisation's weight or bias, another bias, a learned token or position: trained, does not decay.
    Scale,
    /// Running statistics: kept and averaged, not trained.
    Buffer,
}

/// A share of the network with a learning rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Up to the features.
    Encoder,
    /// From features to pre-logits: a ladder, UPerNet, or a mask transformer.
    Decoder,
    /// f2
    ClassHead,
    /// g
    DatasetHead,
    /// What negatives are drawn from, a flow or another ([`crate::train::generator`]): a network of its own beside the others, whose
    /// optimizer has settings of its own.
    Generator,
}

impl Part {
    /// In the order of a forward pass; the generator, which is in none, last.
    pub const ALL: [Part; 5] =
        [Part::Encoder, Part::Decoder, Part::ClassHead, Part::DatasetHead, Part::Generator];

    /// First component of its parameters' names.
    pub fn prefix(self) -> &'static str {
        match self {
            Part::Encoder => "encoder",
            Part::Decoder => "decoder",
            Part::ClassHead => "class_head",
            Part::DatasetHead => "dataset_head",
            Part::Generator => "generator",
        }
    }

    /// Of a parameter or layer of this name.
    pub fn of(name: &str) -> Option<Part> {
        let first = name.split('.').next()?;
        Part::ALL.into_iter().find(|part| part.prefix() == first)
    }
}
