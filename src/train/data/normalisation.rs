//! Pixels as the network takes them.

use serde::{Deserialize, Serialize};

use super::DataError;

/// `(x/255 − mean) / std` for each channel: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Of values in 0..1.
    pub mean: [f32; 3],
    /// Of values in 0..1; above 0.
    pub std: [f32; 3],
}

impl Normalisation {
    /// Refuses what cannot be divided by.
    ///
    /// # Errors
    /// A mean outside of 0..1, a deviation that is not above 0.
    pub fn check(&self) -> Result<(), DataError> {
        if !self.mean.iter().all(|m| (0.0..=1.0).contains(m)) {
            let got = format!("{:?}", self.mean);
            return Err(DataError::Setting { name: "mean", got, wanted: "three numbers from 0 to 1" });
        }
        if !self.std.iter().all(|s| *s > 0.0 && s.is_finite()) {
            let got = format!("{:?}", self.std);
            return Err(DataError::Setting { name: "std", got, wanted: "three numbers above 0" });
        }
        Ok(())
    }

    /// What each value of each channel becomes.
    pub(super) fn table(&self) -> [[f32; 256]; 3] {
        [0, 1, 2].map(|c| std::array::from_fn(|v| (v as f32 / 255.0 - self.mean[c]) / self.std[c]))
    }
}
