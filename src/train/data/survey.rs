//! How often each class is there: one pass over the truth, on all cores.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::DataError;
use crate::dataset::{Dataset, DatasetError};
use crate::train::damage::Damage;

/// Added to a class's frequency: at a power of 0.5, one that is hardly there weighs 30 times one that is
/// everywhere, not more.
const RARE: f64 = 1e-3;

/// Pixels of each class, in each sample.
#[derive(Debug)]
pub(super) struct Survey {
    /// `[samples][K]`
    counts: Vec<Vec<u64>>,
    /// The samples that have a class, for each class that any has.
    having: Vec<(u8, Vec<usize>)>,
}

impl Survey {
    /// Damaged truth counts as empty: reading the sample says so.
    pub(super) fn of(dataset: &Dataset, classes: u8) -> Result<Self, DataError> {
        let count = |sample| {
            let mut counts = [0_u64; 256];
            match dataset.truth(sample) {
                Ok(truth) => truth.labels.iter().for_each(|label| counts[usize::from(*label)] += 1),
                Err(DatasetError::Image(error)) if Damage::is(&error) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(counts[..usize::from(classes)].to_vec())
        };
        Ok(Self::new(dataset.samples().par_iter().map(count).collect::<Result<_, DataError>>()?, classes))
    }

    fn new(counts: Vec<Vec<u64>>, classes: u8) -> Self {
        let having = |class: u8| -> Vec<usize> {
            (0..counts.len()).filter(|i| counts[*i][usize::from(class)] > 0).collect()
        };
        let having =
            (0..classes).map(|class| (class, having(class))).filter(|(_, of)| !of.is_empty()).collect();
        Self { counts, having }
    }

    /// A class, each as likely as any other, and a sample that has it; `None` where nothing is labelled.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Option<(u8, usize)> {
        let (class, samples) = self.having.get(rng.random_range(0..self.having.len().max(1)))?;
        Some((*class, samples[rng.random_range(0..samples.len())]))
    }

    /// See [`TrainingSet::class_weights`](super::TrainingSet::class_weights).
    pub(super) fn weights(&self, classes: u8, power: f64) -> Vec<f32> {
        let pixels = |class: usize| self.counts.iter().map(|counts| counts[class]).sum::<u64>() as f64;
        let pixels: Vec<f64> = (0..usize::from(classes)).map(pixels).collect();
        let all = pixels.iter().sum::<f64>().max(1.0);
        let raw: Vec<f64> = pixels.iter().map(|n| (n / all + RARE).powf(-power)).collect();
        let mean = pixels.iter().zip(&raw).map(|(n, w)| n / all * w).sum::<f64>();
        raw.iter().map(|w| if mean > 0.0 { w / mean } else { 1.0 }).map(|w| w as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::generator;

    #[test]
    fn weights_are_by_the_root_and_their_mean_over_pixels_is_1() {
        let survey = Survey::new(vec![vec![900, 0, 0], vec![0, 100, 0]], 3);
        let weights = survey.weights(3, 0.5);
        assert!((0.9 * weights[0] + 0.1 * weights[1] - 1.0).abs() < 1e-6, "{weights:?}");
        assert!((weights[1] / weights[0] - (0.901_f32 / 0.101).sqrt()).abs() < 1e-4, "{weights:?}");
        assert!(survey.weights(3, 0.0).iter().all(|w| (w - 1.0).abs() < 1e-6));
        assert!(weights[2] > weights[1] && weights[2] < 35.0 * weights[0], "{weights:?}");
        assert_eq!(Survey::new(vec![vec![0, 0]], 2).weights(2, 0.5), [1.0, 1.0], "nothing labelled");
    }

    #[test]
    fn classes_are_drawn_evenly_from_the_samples_that_have_them() {
        let survey = Survey::new(vec![vec![900, 0, 1], vec![50, 0, 0], vec![70, 0, 0]], 3);
        let mut rng = generator(1, ["survey", "test"], 0);
        let mut drawn = [0; 3];
        for _ in 0..1000 {
            let (class, sample) = survey.draw(&mut rng).unwrap();
            drawn[usize::from(class)] += 1;
            assert!(class != 2 || sample == 0);
        }
        assert!(drawn[1] == 0 && (400..600).contains(&drawn[0]), "{drawn:?}");
        assert_eq!(Survey::new(vec![vec![0]], 1).draw(&mut rng), None);
    }
}
