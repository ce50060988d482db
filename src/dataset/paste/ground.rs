//! Where objects stand: below the horizon, on ground where the truth names it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Scene;

/// The pixels an object may stand on.
pub(crate) struct Ground {
    /// The horizon's row, from the top.
    pub(super) horizon: f64,
    /// Rows that have any, each with their columns; at least one.
    rows: Vec<(usize, Vec<usize>)>,
}

impl Ground {
    /// `horizon` is a share of the height. The scene has at least one pixel.
    pub(crate) fn new(scene: &Scene<'_>, horizon: f64) -> Self {
        let horizon = horizon * scene.rgb.height as f64;
        let first = (horizon.ceil() as usize).min(scene.rgb.height - 1);
        let rows = |stands: &dyn Fn(u8) -> bool| -> Vec<(usize, Vec<usize>)> {
            let rows = scene.labels.chunks_exact(scene.rgb.width).enumerate().skip(first);
            rows.map(|(y, row)| (y, (0..row.len()).filter(|x| stands(row[*x])).collect::<Vec<_>>()))
                .filter(|(_, columns)| !columns.is_empty())
                .collect()
        };
        let named = rows(&|label| scene.ground.contains(&label));
        Self { horizon, rows: if named.is_empty() { rows(&|_| true) } else { named } }
    }

    /// A column and row to stand on: rows count alike, however much ground they have, so that far objects
    /// are as frequent as near ones.
    pub(crate) fn foot(&self, rng: &mut ChaCha8Rng) -> (usize, usize) {
        let (y, columns) = &self.rows[rng.random_range(0..self.rows.len())];
        (columns[rng.random_range(0..columns.len())], *y)
    }

    /// How far the horizon is above the lower edge of a row, in pixels.
    pub(super) fn depth(&self, foot: usize) -> f64 {
        (foot + 1) as f64 - self.horizon
    }
}
