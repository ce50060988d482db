//! The fast pass on the CPU: one sweep over the output, bands of rows over the cores.
//!
//! Per band and block of 128 columns, the two logit rows around an output row are widened to the
//! output's columns once and serve every output row between them; what is left per pixel is a vertical
//! blend over K+1 channels, max, Σ exp and one ln. The logits at full size never exist in memory.
//!
//! The inner loops run over fixed arrays of `f32` lanes so that the compiler vectorises them, compiled for
//! each x86-64 level and chosen at run time. No fused multiply-add: every level gives the same bits.

use super::math::{exp_non_positive, ln_positive};
use super::{Counts, Logits, Outputs, Sampling, Score, Scoring};
use crate::labels::IGNORE;
use multiversion::multiversion;
use rayon::prelude::*;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Columns handled at once: K+1 channels of two rows of it stay in the first-level cache for K ≤ 32.
const BLOCK: usize = 128;
/// Output rows of one unit of work: enough to make widening rare, few enough to share among cores.
const BAND: usize = 32;

type Lanes = [f32; BLOCK];

/// Why the pass was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FusionError {
    /// A segmenter whose planes are not what it says.
    #[error("{name} holds {got} values, but {channels}x{height}x{width} make {expected}")]
    Length {
        /// Which output.
        name: &'static str,
        /// Values in the buffer.
        got: usize,
        /// Values the shape promises.
        expected: usize,
        /// Planes.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The two outputs are on different grids.
    #[error("logits are {0}x{1} but dataset_logits are {2}x{3} (height x width): both must share one grid")]
    Grid(usize, usize, usize, usize),
    /// Neither 1 (outlier) nor 2 (inlier, outlier).
    #[error("dataset_logits have {0} channels: 1 (outlier) or 2 (inlier, outlier) are read")]
    DatasetChannels(usize),
    /// The score reads what the model does not give.
    #[error("score {0} needs dataset_logits, which this model does not have: choose score generative")]
    NoDatasetLogits(Score),
    /// The statistics are of another model's classes.
    #[error("score {score} has statistics of {statistics} classes, the logits have {classes}: fit it again")]
    Statistics {
        /// That reads them.
        score: Score,
        /// K they were made for.
        statistics: usize,
        /// K of the logits.
        classes: usize,
    },
    /// The scored rectangle is not inside the output.
    #[error("sampling scores {0}x{1} pixels at ({2}, {3}) of an output of {4}x{5}")]
    Rectangle(usize, usize, usize, usize, usize, usize),
    /// The taps were made for other logits.
    #[error("sampling looks at logit {tap} of an axis of {length}: it was made for another grid")]
    Sampling {
        /// The largest index asked for.
        tap: u32,
        /// How many there are.
        length: usize,
    },
}

/// Starts the process's scoring threads, named, `threads` of them (0: one a core). The first call decides;
/// without one they start unnamed at the first pass.
///
/// # Errors
/// The system gives no threads, or they run already in another number.
pub fn start_workers(threads: usize) -> Result<(), String> {
    static STARTED: OnceLock<Result<usize, String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let built = builder.thread_name(|i| format!("open_set-score-{i}")).build_global();
        built.map(|()| threads).map_err(|e| e.to_string())
    });
    match started {
        Ok(running) if *running == threads => Ok(()),
        Ok(running) => {
            Err(format!("{running} were asked for before, {threads} now: a process has one number"))
        }
        Err(error) => Err(error.clone()),
    }
}

/// A worker's memory for one block of columns.
#[derive(Default)]
struct Scratch {
    /// Logit rows widened to the block's columns: K planes, then the outlier logit.
    upper: Vec<Lanes>,
    lower: Vec<Lanes>,
    /// The blended channels of one output row.
    blended: Vec<Lanes>,
}

/// The pass; holds the workers' memory from frame to frame.
pub struct Fusion {
    scratch: Vec<Mutex<Scratch>>,
}

impl Default for Fusion {
    /// Without memory: it grows at the first frame.
    fn default() -> Self {
        let workers = rayon::current_num_threads().max(1);
        Self { scratch: (0..workers).map(|_| Mutex::default()).collect() }
    }
}

impl Fusion {
    /// Writes labels (u8, `[height, width]` of `sampling`) and anomaly (f32, same shape); every pixel is
    /// written: outside the sampled rectangle [`IGNORE`] and NaN. Vectors are resized when the size changed.
    ///
    /// # Errors
    /// Shapes that disagree; nothing is written then.
    pub fn run(
        &mut self,
        scoring: &Scoring,
        threshold: f32,
        Outputs { logits, dataset_logits }: Outputs<'_>,
        sampling: &Sampling,
        labels: &mut Vec<u8>,
        anomaly: &mut Vec<f32>,
    ) -> Result<Counts, FusionError> {
        let score = scoring.score();
        let dataset_logits = if score.needs_dataset_logits() {
            Some(dataset_logits.ok_or(FusionError::NoDatasetLogits(score))?)
        } else {
            None
        };
        let statistics = scoring.class_statistics().map_or(logits.channels, |(mean, _)| mean.len());
        if statistics != logits.channels {
            return Err(FusionError::Statistics { score, statistics, classes: logits.channels });
        }
        check(logits, dataset_logits, sampling)?;
        let pixels = sampling.width * sampling.height;
        labels.resize(pixels, IGNORE);
        anomaly.resize(pixels, f32::NAN);

        for scratch in &mut self.scratch {
            let s = scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
            for planes in [&mut s.upper, &mut s.lower, &mut s.blended] {
                planes.resize(logits.channels + 1, [0.0; BLOCK]);
            }
        }
        let job = Job { logits, dataset_logits, sampling, scoring, threshold };
        let scratch = &self.scratch;
        let band_pixels = (BAND * sampling.width).max(1);
        let counts = labels
            .par_chunks_mut(band_pixels)
            .zip(anomaly.par_chunks_mut(band_pixels))
            .enumerate()
            .map(|(band, (labels, anomaly))| {
                // One scratch a worker: the lock is never waited for, it only proves the exclusivity.
                let worker = rayon::current_thread_index().unwrap_or(0) % scratch.len().max(1);
                let mut scratch = scratch[worker].lock().unwrap_or_else(PoisonError::into_inner);
                job.band(band * BAND, labels, anomaly, &mut scratch)
            })
            .reduce(Counts::default, |mut a, b| {
                a += b;
                a
            });
        Ok(counts)
    }
}

fn check(logits: Logits<'_>, dataset: Option<Logits<'_>>, sampling: &Sampling) -> Result<(), FusionError> {
    for (name, l) in [("logits", Some(logits)), ("dataset_logits", dataset)] {
        let Some(l) = l else { continue };
        let expected = l.channels.saturating_mul(l.height).saturating_mul(l.width);
        if l.data.len() != expected || expected == 0 {
            let Logits { channels, height, width, data } = l;
            return Err(FusionError::Length { name, got: data.len(), expected, channels, height, width });
        }
    }
    if let Some(d) = dataset {
        if (d.height, d.width) != (logits.height, logits.width) {
            return Err(FusionError::Grid(logits.height, logits.width, d.height, d.width));
        }
        if !(1..=2).contains(&d.channels) {
            return Err(FusionError::DatasetChannels(d.channels));
        }
    }
    let Sampling { width, height, left, top, columns, rows } = sampling;
    let (scored_width, scored_height) = (columns.taps.len(), rows.taps.len());
    if left + scored_width > *width || top + scored_height > *height {
        return Err(FusionError::Rectangle(scored_width, scored_height, *left, *top, *width, *height));
    }
    for (taps, length) in [(&sampling.columns, logits.width), (&sampling.rows, logits.height)] {
        let tap = taps.taps.iter().map(|t| t.0.max(t.1)).max().unwrap_or(0);
        if tap as usize >= length {
            return Err(FusionError::Sampling { tap, length });
        }
    }
    Ok(())
}

/// What every band shares.
struct Job<'a> {
    logits: Logits<'a>,
    dataset_logits: Option<Logits<'a>>,
    sampling: &'a Sampling,
    scoring: &'a Scoring,
    threshold: f32,
}

impl Job<'_> {
    /// Output rows from `first` on, as many as `labels` holds.
    fn band(&self, first: usize, labels: &mut [u8], anomaly: &mut [f32], scratch: &mut Scratch) -> Counts {
        let Sampling { width, left, top, columns, rows, .. } = self.sampling;
        let (width, left, top) = (*width, *left, *top);
        let right = left + columns.taps.len();
        let mut counts = Counts::default();
        let inside = |y: usize| y >= top && y < top + rows.taps.len();
        for (i, (labels, anomaly)) in
            labels.chunks_exact_mut(width).zip(anomaly.chunks_exact_mut(width)).enumerate()
        {
            let (l, a) = if inside(first + i) { (left, right) } else { (width, width) };
            labels[..l].fill(IGNORE);
            anomaly[..l].fill(f32::NAN);
            labels[a..].fill(IGNORE);
            anomaly[a..].fill(f32::NAN);
        }
        for start in (0..columns.taps.len()).step_by(BLOCK) {
            let block = &columns.taps[start..columns.taps.len().min(start + BLOCK)];
            let mut held = (u32::MAX, u32::MAX);
            for i in 0..labels.len() / width {
                if !inside(first + i) {
                    continue;
                }
                let (upper, lower, weight) = rows.taps[first + i - top];
                if held.0 != upper {
                    // Going down, the last lower row is the next upper row.
                    if held.1 == upper {
                        std::mem::swap(&mut scratch.upper, &mut scratch.lower);
                        held = (held.1, held.0);
                    } else {
                        self.widen(upper, block, &mut scratch.upper);
                        held.0 = upper;
                    }
                }
                if held.1 != lower {
                    self.widen(lower, block, &mut scratch.lower);
                    held.1 = lower;
                }
                let at = i * width + left + start;
                counts += finish(
                    self.scoring,
                    self.threshold,
                    (&scratch.upper, &scratch.lower, weight),
                    &mut scratch.blended,
                    &mut labels[at..at + block.len()],
                    &mut anomaly[at..at + block.len()],
                );
            }
        }
        counts
    }

    /// One logit row at the block's columns, all channels, into `planes`, divided by the temperature: here, where
    /// a logit serves several output rows, that is next to nothing.
    fn widen(&self, row: u32, block: &[(u32, u32, f32)], planes: &mut [Lanes]) {
        let row_of = |l: &Logits<'_>, channel: usize| {
            let start = (channel * l.height + row as usize) * l.width;
            start..start + l.width
        };
        let (classes, outlier) = planes.split_at_mut(self.logits.channels);
        for (k, lanes) in classes.iter_mut().enumerate() {
            widen_row(&self.logits.data[row_of(&self.logits, k)], block, lanes);
        }
        if let (Some(g), Some(lanes)) = (&self.dataset_logits, outlier.first_mut()) {
            widen_row(&g.data[row_of(g, g.channels - 1)], block, lanes);
            if g.channels == 2 {
                let mut inlier = [0.0; BLOCK];
                widen_row(&g.data[row_of(g, 0)], block, &mut inlier);
                for (d, i) in lanes.iter_mut().zip(&inlier) {
                    *d -= i;
                }
            }
        }
        let temperature = self.scoring.temperature();
        if temperature != 1.0 {
            let scale = temperature.recip();
            let outlier = outlier.iter_mut().filter(|_| self.dataset_logits.is_some());
            for lanes in classes.iter_mut().chain(outlier) {
                lanes.iter_mut().for_each(|v| *v *= scale);
            }
        }
    }
}

/// Horizontal blend of one row of one plane.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl+avx512dq", "x86_64+avx2+fma"))]
fn widen_row(row: &[f32], block: &[(u32, u32, f32)], lanes: &mut Lanes) {
    for (lane, (a, b, t)) in lanes.iter_mut().zip(block) {
        let (a, b) = (row[*a as usize], row[*b as usize]);
        *lane = a + (b - a) * t;
    }
}

/// Vertical blend, argmax, score and label of one block of one output row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl+avx512dq", "x86_64+avx2+fma"))]
fn finish(
    scoring: &Scoring,
    threshold: f32,
    (upper, lower, weight): (&[Lanes], &[Lanes], f32),
    blended: &mut [Lanes],
    labels: &mut [u8],
    anomaly: &mut [f32],
) -> Counts {
    for ((v, a), b) in blended.iter_mut().zip(upper).zip(lower) {
        for i in 0..BLOCK {
            v[i] = a[i] + (b[i] - a[i]) * weight;
        }
    }
    let (outlier, classes) = match blended.split_last() {
        Some(parts) => parts,
        None => return Counts::default(),
    };
    let mut max = [f32::NEG_INFINITY; BLOCK];
    let mut best = [0u32; BLOCK];
    // 0·v is 0 for a finite v and NaN for any other: the sum remembers.
    let mut broken = [0f32; BLOCK];
    for (k, v) in classes.iter().enumerate() {
        for i in 0..BLOCK {
            let above = v[i] > max[i];
            max[i] = if above { v[i] } else { max[i] };
            best[i] = if above { k as u32 } else { best[i] };
            broken[i] += 0.0 * v[i];
        }
    }
    let score = scoring.score();
    // Σ e^(s−max), which is 1/max_y P(y|x).
    let mut sum = [0f32; BLOCK];
    let mut value = [0f32; BLOCK];
    match score {
        Score::MaxLogit | Score::Discriminative | Score::Sml => (),
        // And Σ (s−max)·e^(s−max).
        Score::Entropy => {
            for v in classes {
                for i in 0..BLOCK {
                    let gap = v[i] - max[i];
                    let e = exp_non_positive(gap);
                    sum[i] += e;
                    // Where e is at its floor the product is nothing, however wide the gap.
                    value[i] += if gap > -87.0 { gap * e } else { 0.0 };
                }
            }
        }
        Score::Hybrid | Score::Generative | Score::Msp | Score::OhMsp | Score::React => {
            for v in classes {
                for i in 0..BLOCK {
                    sum[i] += exp_non_positive(v[i] - max[i]);
                }
            }
        }
    }
    match score {
        // min(d,0) − ln(1+e^−|d|) − max − ln Σ e^(s−max), with the two logarithms taken as one.
        Score::Hybrid => {
            for i in 0..BLOCK {
                let d = outlier[i];
                let spread = (1.0 + exp_non_positive(-d.abs())) * sum[i];
                value[i] = non_positive(d) - max[i] - ln_positive(spread);
                broken[i] += 0.0 * d;
            }
        }
        Score::Generative | Score::React => (0..BLOCK).for_each(|i| value[i] = -max[i] - ln_positive(sum[i])),
        Score::Discriminative => {
            for i in 0..BLOCK {
                let d = outlier[i];
                value[i] = non_positive(d) - ln_positive(1.0 + exp_non_positive(-d.abs()));
                broken[i] += 0.0 * d;
            }
        }
        Score::MaxLogit => (0..BLOCK).for_each(|i| value[i] = -max[i]),
        Score::Msp => (0..BLOCK).for_each(|i| value[i] = -1.0 / sum[i]),
        Score::Entropy => (0..BLOCK).for_each(|i| value[i] = ln_positive(sum[i]) - value[i] / sum[i]),
        // P(d_in|x) = σ(−d) = e^min(−d,0) / (1 + e^−|d|).
        Score::OhMsp => {
            for i in 0..BLOCK {
                let d = outlier[i];
                let inlier = exp_non_positive(non_positive(-d));
                value[i] = -inlier / ((1.0 + exp_non_positive(-d.abs())) * sum[i]);
                broken[i] += 0.0 * d;
            }
        }
        Score::Sml => standardise(scoring, &best, &max, &mut value),
    }
    let unknown_label = classes.len() as u32;
    let (mut unknown, mut non_finite) = (0u32, 0u32);
    for i in 0..BLOCK {
        value[i] += broken[i];
        // Not `value > threshold`: NaN must come out as unknown.
        let is_known = value[i] <= threshold;
        best[i] = if is_known { best[i] } else { unknown_label };
    }
    for ((label, b), (out, v)) in labels.iter_mut().zip(&best).zip(anomaly.iter_mut().zip(&value)) {
        *label = *b as u8;
        *out = *v;
        unknown += u32::from(*b == unknown_label);
        non_finite += u32::from(v.is_nan());
    }
    Counts { scored: labels.len() as u64, unknown: unknown.into(), non_finite: non_finite.into() }
}

/// −(max − μ_k)/σ_k of the best class k of each lane.
#[inline(never)] // beside the other scores, its look-ups lane by lane would spoil their vector code
fn standardise(scoring: &Scoring, best: &[u32; BLOCK], max: &Lanes, value: &mut Lanes) {
    // Always there: a `Scoring` of sml is not made without.
    let Some((mean, deviation)) = scoring.class_statistics() else { return };
    for ((v, k), max) in value.iter_mut().zip(best).zip(max) {
        *v = (mean[*k as usize] - max) / deviation[*k as usize];
    }
}

/// min(d, 0) without the care for NaN that `f32::min` takes: `broken` knows of those.
#[inline(always)]
fn non_positive(d: f32) -> f32 {
    if d < 0.0 { d } else { 0.0 }
}

#[cfg(test)]
#[path = "cpu_tests.rs"]
mod tests;
