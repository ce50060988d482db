//! What a run measures: partial results belong together only where it is the same.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::metrics::components::Smallest;

/// Whose size limits hold for components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// Predictions from 500 pixels on, objects from 100 on.
    AnomalyTrack,
    /// Predictions from 50 pixels on, objects from 10 on.
    ObstacleTrack,
}

impl Track {
    pub fn smallest(self) -> Smallest {
        match self {
            Self::AnomalyTrack => Smallest::ANOMALY_TRACK,
            Self::ObstacleTrack => Smallest::OBSTACLE_TRACK,
        }
    }
}

/// See the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Component metrics, and of which track.
    pub components: Option<Track>,
    /// Of the components; `None`: that of the best pixel F1, which is known once all frames are.
    pub threshold: Option<f32>,
    /// Figures per image besides the pooled ones.
    pub per_image: bool,
    /// Figures by distance besides those of all pixels.
    pub by_distance: bool,
    /// Bins of the quick mode; `None`: exact.
    pub histogram: Option<u32>,
}

impl std::fmt::Display for Settings {
    /// As options.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = Vec::new();
        if let Some(track) = self.components.and_then(|track| track.to_possible_value()) {
            words.push(format!("--components {}", track.get_name()));
        }
        words.extend(self.threshold.map(|threshold| format!("--threshold {threshold}")));
        words.extend(self.per_image.then(|| "--per-image".into()));
        words.extend(self.by_distance.then(|| "--depth".into()));
        words.extend(self.histogram.map(|bins| format!("--histogram {bins}")));
        write!(f, "{}", if words.is_empty() { "no options".into() } else { words.join(" ") })
    }
}
