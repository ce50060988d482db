//! Samples as the network takes them.

use tch::Tensor;

use super::DataError;
use super::normalisation::Normalisation;
use super::sample::Sample;
use crate::train::negatives::Vacancy;

/// What the trainer takes a step on: N samples of one size.
#[derive(Debug)]
pub struct Batch {
    /// `[N, 3, H, W]` f32, normalised; channels last in memory.
    pub images: Tensor,
    /// `[N, H, W]` i64: `0..K`, or 255 for void, which pasted pixels are too.
    pub labels: Tensor,
    /// `[N, H, W]` bool: true on the pixels of negatives.
    pub outliers: Tensor,
    /// Rectangles whose outliers are the trainer's to make, each with its image's number in the batch; the
    /// images show what is to be replaced.
    pub vacancies: Vec<(usize, Vacancy)>,
    /// Which samples these are, N of them.
    pub ids: Vec<String>,
}

/// A batch in plain memory. A worker makes this and no tensor: libtorch would keep a team of threads for
/// each thread that computes with it.
pub(super) struct Plain {
    images: Vec<f32>,
    labels: Vec<i64>,
    outliers: Vec<bool>,
    vacancies: Vec<(usize, Vacancy)>,
    ids: Vec<String>,
    /// Width, height.
    sides: [usize; 2],
}

impl Plain {
    pub(super) fn new(sides: [usize; 2], batch: usize) -> Self {
        let pixels = sides[0] * sides[1] * batch;
        Self {
            images: Vec::with_capacity(pixels * 3),
            labels: Vec::with_capacity(pixels),
            outliers: Vec::with_capacity(pixels),
            vacancies: Vec::new(),
            ids: Vec::with_capacity(batch),
            sides,
        }
    }

    pub(super) fn push(&mut self, sample: Sample, normalisation: &Normalisation) {
        let table = normalisation.table();
        let pixels = sample.scene.rgb.data.as_chunks::<3>().0;
        self.images.extend(
            pixels.iter().flat_map(|pixel| [0, 1, 2].map(|c: usize| table[c][usize::from(pixel[c])])),
        );
        self.labels.extend(sample.scene.labels.iter().map(|label| i64::from(*label)));
        self.outliers.extend(sample.pasted.outliers);
        self.vacancies.extend(sample.pasted.vacancies.into_iter().map(|vacancy| (self.ids.len(), vacancy)));
        self.ids.push(sample.id);
    }

    pub(super) fn tensors(self) -> Result<Batch, DataError> {
        let [width, height] = self.sides.map(|side| side as i64);
        let maps = [self.ids.len() as i64, height, width];
        // Colours lie side by side already: a view of them is channels last.
        let images = Tensor::f_from_slice(&self.images)?.f_view([maps[0], height, width, 3])?;
        Ok(Batch {
            images: images.f_permute([0, 3, 1, 2])?,
            labels: Tensor::f_from_slice(&self.labels)?.f_view(maps)?,
            outliers: Tensor::f_from_slice(&self.outliers)?.f_view(maps)?,
            vacancies: self.vacancies,
            ids: self.ids,
        })
    }
}
