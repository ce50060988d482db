//! Several sources as one.

use std::path::PathBuf;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    CutoutFolder, Instances, Negative, NegativesError, Noise, Rectangles, SceneView, Settings, Source,
    SourceSettings, Surroundings, Vacancies, Whole,
};

/// Sources and their weights; each negative is of one of them.
#[derive(Debug)]
pub struct Mix {
    /// Each with the sum of the weights up to its own, the last being 1.
    sources: Vec<(f64, Box<dyn Source>)>,
}

impl Mix {
    /// Of sources with weights above 0, at least one.
    pub fn new(sources: Vec<(f64, Box<dyn Source>)>) -> Self {
        let all: f64 = sources.iter().map(|(weight, _)| weight).sum();
        let mut sum = 0.0;
        let up_to = |(weight, source)| {
            sum += weight / all;
            (sum, source)
        };
        Self { sources: sources.into_iter().map(up_to).collect() }
    }

    pub(super) fn open(settings: &Settings, around: &Surroundings<'_>) -> Result<Self, NegativesError> {
        let open = |source: &SourceSettings| -> Result<(f64, Box<dyn Source>), NegativesError> {
            let share = around.share;
            let at = |folder: &PathBuf| around.root.join(folder);
            let opened: Box<dyn Source> = match source {
                SourceSettings::Cutouts { folder, .. } => Box::new(CutoutFolder::read(&at(folder), share)?),
                SourceSettings::Instances { folder, together, .. } => {
                    Box::new(Instances::of_folder(&at(folder), *together, share)?)
                }
                SourceSettings::Rectangles { folder, sides, .. } => {
                    Box::new(Rectangles::of_folder(&at(folder), *sides, share)?)
                }
                SourceSettings::Crops { sides, .. } => {
                    Box::new(Rectangles::of_scenes(around.scenes, around.root, *sides, share)?)
                }
                SourceSettings::Pictures { folder, .. } => Box::new(Whole::of_folder(&at(folder), share)?),
                SourceSettings::Noise { sides, .. } => Box::new(Noise(*sides)),
                SourceSettings::Generated { sides, magnify, blobs, .. } => {
                    Box::new(Vacancies { sides: *sides, magnify: *magnify, blobs: *blobs })
                }
            };
            Ok((source.weight(), opened))
        };
        Ok(Self::new(settings.sources.iter().map(open).collect::<Result<_, _>>()?))
    }
}

impl Source for Mix {
    fn draw(&self, scene: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let at: f64 = rng.random();
        // The sum of all weights may be a rounding error short of 1.
        let chosen = self.sources.iter().position(|(up_to, _)| at < *up_to).unwrap_or(self.sources.len() - 1);
        self.sources[chosen].1.draw(scene, rng)
    }

    fn name(&self) -> String {
        self.sources.iter().map(|(_, source)| source.name()).collect::<Vec<_>>().join(", ")
    }
}
