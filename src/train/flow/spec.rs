//! Which flow: its numbers, by the name that a settings file gives.

use super::FlowError;

/// The names that [`FlowSpec::preset`] knows.
pub(super) const PRESETS: [&str; 4] = ["45-6", "74-10", "small", "tiny"];

/// Channels of a picture.
pub(super) const COLOURS: usize = 3;

/// The numbers of a flow.
///
/// A published name N-g says N = Σ units · modules over the blocks, and g = growth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSpec {
    /// At a half, a quarter and an eighth of the picture's sides.
    pub blocks: [BlockSpec; 3],
    /// g: channels of noise that each unit but the first of a block gets besides; 0: none, and the likelihood is
    /// exact.
    pub growth: usize,
    /// Channels of each layer of the networks inside the couplings.
    pub hidden: usize,
    /// Dense layers of these networks.
    pub layers: usize,
    /// Sides of what they read of a place: odd.
    pub kernel: usize,
}

/// The numbers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSpec {
    /// Chains of modules, with noise between them.
    pub units: usize,
    /// Of each unit.
    pub modules: usize,
}

/// How many channels a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channels {
    /// At its begin.
    pub(super) entry: usize,
    /// Of the latents, the last channels at its end.
    pub(super) latent: usize,
    /// Of what goes on; 0 after the last block.
    pub(super) kept: usize,
}

impl FlowSpec {
    /// A flow by its name.
    ///
    /// | name | blocks, units × modules | growth | parameters | for |
    /// |---|---|---|---|---|
    /// | `45-6` | 5×3, 3×5, 1×15 | 6 | 9.9 million | the paper's joint training, on a GPU |
    /// | `74-10` | 6×5, 4×6, 1×20 | 10 | 37.2 million | DenseFlow's own |
    /// | `small` | 2×2, 2×2, 1×4 | 4 | 0.46 million | a CPU of two cores |
    /// | `tiny` | 2×1, 2×1, 1×1 | 2 | 21 thousand | tests |
    ///
    /// Deviation: how the 45 modules of the paper's flow are dealt to blocks is not published. Here they are dealt as
    /// those of 74-10 are: fewer and longer units from block to block. The widths of the networks inside are not
    /// those of DenseFlow either.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn preset(name: &str) -> Result<Self, FlowError> {
        let blocks =
            |blocks: [(usize, usize); 3]| blocks.map(|(units, modules)| BlockSpec { units, modules });
        Ok(match name {
            "45-6" => Self {
                blocks: blocks([(5, 3), (3, 5), (1, 15)]),
                growth: 6,
                hidden: 64,
                layers: 3,
                kernel: 3,
            },
            "74-10" => Self {
                blocks: blocks([(6, 5), (4, 6), (1, 20)]),
                growth: 10,
                hidden: 96,
                layers: 3,
                kernel: 3,
            },
            "small" => {
                Self { blocks: blocks([(2, 2), (2, 2), (1, 4)]), growth: 4, hidden: 32, layers: 2, kernel: 3 }
            }
            "tiny" => {
                Self { blocks: blocks([(2, 1), (2, 1), (1, 1)]), growth: 2, hidden: 8, layers: 1, kernel: 3 }
            }
            _ => return Err(FlowError::Preset { got: name.to_owned() }),
        })
    }

    /// Whether there is such a flow of pictures.
    ///
    /// # Errors
    /// Which number is none, and what would do.
    pub fn check(&self) -> Result<(), FlowError> {
        let of_blocks =
            self.blocks.iter().flat_map(|b| [("units", b.units, 1, 64), ("modules", b.modules, 1, 64)]);
        let widths = [("growth", self.growth, 0, 64), ("hidden", self.hidden, 1, 1024)];
        for (field, got, least, most) in
            of_blocks.chain(widths).chain([("layers", self.layers, 1, 16), ("kernel", self.kernel, 3, 3)])
        {
            if !(least..=most).contains(&got) {
                return Err(FlowError::Spec { field, got, least, most });
            }
        }
        Ok(())
    }

    /// In one line: two flows of one identity have the same parameters and mean the same by them.
    pub fn identity(&self) -> String {
        let Self { blocks, growth, hidden, layers, kernel: _ } = self; // of pictures, 3: see check
        let blocks = blocks.map(|b| format!("{}x{}", b.units, b.modules)).join(",");
        format!("flow blocks={blocks} growth={growth} hidden={hidden} layers={layers}")
    }

    pub(super) fn channels(&self) -> [Channels; 3] {
        let mut entry = COLOURS * 4;
        let last = self.blocks.len() - 1;
        std::array::from_fn(|index| {
            let end = entry + self.blocks[index].units.saturating_sub(1) * self.growth;
            let latent = if index == last { end } else { end / 2 };
            let channels = Channels { entry, latent, kept: end - latent };
            entry = channels.kept * 4;
            channels
        })
    }
}
