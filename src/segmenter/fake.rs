//! A segmenter without a network, for tests: what it answers is known beforehand.

use super::{SegmentError, Segmenter};
use crate::frame::Size;
use crate::score::Logits;

/// Turns brightness into classes: with `m` the mean of a cell's normalised input, the logit of class `k` is
/// `−(m − k)²·10`, and the outlier logit is `m − K + ½`. A pixel of brightness k is class k; one brighter
/// than K − ½ is an outlier. Its pre-logit is `m`, which its class head makes the logits of.
pub struct FakeSegmenter {
    size: Size,
    stride: usize,
    classes: usize,
    /// Every so many runs fail; 0: none.
    fail_every: u64,
    /// Share of the cells whose logits are NaN.
    nan_share: f64,
    runs: u64,
    input: Vec<f32>,
    /// `m` of each cell.
    pre_logits: Vec<f32>,
    logits: Vec<f32>,
    rectified: Vec<f32>,
    dataset_logits: Vec<f32>,
}

impl FakeSegmenter {
    /// For `classes` classes at `size`, logits `stride` times coarser.
    pub fn new(size: Size, stride: usize, classes: usize) -> Self {
        let cells = size.width.div_ceil(stride) * size.height.div_ceil(stride);
        Self {
            size,
            stride,
            classes,
            fail_every: 0,
            nan_share: 0.0,
            runs: 0,
            input: vec![0.0; 3 * size.width * size.height],
            pre_logits: vec![0.0; cells],
            logits: vec![0.0; classes * cells],
            rectified: vec![0.0; classes * cells],
            dataset_logits: vec![0.0; cells],
        }
    }

    /// Fails every `n`-th run.
    #[must_use]
    pub fn failing_every(mut self, n: u64) -> Self {
        self.fail_every = n;
        self
    }

    /// Gives this share of the cells, the first rows, NaN logits.
    #[must_use]
    pub fn with_nan_share(mut self, share: f64) -> Self {
        self.nan_share = share;
        self
    }

    fn cells(&self) -> Size {
        Size { width: self.size.width.div_ceil(self.stride), height: self.size.height.div_ceil(self.stride) }
    }
}

impl Segmenter for FakeSegmenter {
    fn provider(&self) -> &str {
        "fake"
    }

    fn input_size(&self) -> Size {
        self.size
    }

    fn input(&mut self) -> &mut [f32] {
        &mut self.input
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        self.runs += 1;
        if self.fail_every > 0 && self.runs.is_multiple_of(self.fail_every) {
            return Err(SegmentError::Run(format!("the fake fails every {} runs", self.fail_every)));
        }
        let Size { width, height } = self.cells();
        let plane = self.size.width * self.size.height;
        for y in 0..height {
            for x in 0..width {
                // The cell's top left pixel stands for it.
                let at = y * self.stride * self.size.width + x * self.stride;
                let m = (0..3).map(|c| self.input[c * plane + at]).sum::<f32>() / 3.0;
                self.pre_logits[y * width + x] = m;
                self.dataset_logits[y * width + x] = m - self.classes as f32 + 0.5;
            }
        }
        head(&self.pre_logits, f32::INFINITY, &mut self.logits);
        let broken = (self.nan_share * (width * height) as f64).round() as usize;
        self.logits[..broken.min(width * height)].fill(f32::NAN);
        Ok(())
    }

    fn logits(&self) -> Logits<'_> {
        let Size { width, height } = self.cells();
        Logits { data: &self.logits, channels: self.classes, height, width }
    }

    fn dataset_logits(&self) -> Option<Logits<'_>> {
        let Size { width, height } = self.cells();
        Some(Logits { data: &self.dataset_logits, channels: 1, height, width })
    }

    fn pre_logits(&self) -> Option<Logits<'_>> {
        let Size { width, height } = self.cells();
        Some(Logits { data: &self.pre_logits, channels: 1, height, width })
    }

    fn rectify(&mut self, clip: f32) -> Result<(), SegmentError> {
        head(&self.pre_logits, clip, &mut self.rectified);
        Ok(())
    }

    fn rectified_logits(&self) -> Option<Logits<'_>> {
        let Size { width, height } = self.cells();
        Some(Logits { data: &self.rectified, channels: self.classes, height, width })
    }
}

/// The class head: `−(m − k)²·10` of each cell's `m`, which is clipped.
fn head(pre_logits: &[f32], clip: f32, logits: &mut [f32]) {
    for (k, plane) in logits.chunks_exact_mut(pre_logits.len().max(1)).enumerate() {
        for (logit, m) in plane.iter_mut().zip(pre_logits) {
            *logit = -(m.min(clip) - k as f32).powi(2) * 10.0;
        }
    }
}
