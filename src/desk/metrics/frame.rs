//! One frame: its files read and checked, and all that can be said of it alone.

use std::path::{Path, PathBuf};

use super::super::figures::TPR;
use super::pairs::Pair;
use super::settings::{Settings, Track};
use crate::images::{self, Gray16, ImagesError};
use crate::labels::IGNORE;
use crate::metrics::components::{ComponentsError, FrameComponents};
use crate::metrics::curve::Curve;
use crate::metrics::distance;
use crate::metrics::ranking::{Limits, Ranking, RankingError, Side};
use crate::scores::{self, ScoreMap, ScoresError};

/// What labels and depth maps say, as the strata of the ranking: pixels that are no anomaly and pixels that
/// are, for each bin of distance and for all that lies outside the bins.
pub const STRATA: usize = 2 * (distance::BINS + 1);

/// Why a frame cannot be judged. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error(transparent)]
    Scores(#[from] ScoresError),
    #[error(transparent)]
    Images(#[from] ImagesError),
    #[error("{} is {}x{}, but the scores of that frame, {}, are {}x{}", .file.display(), .size.0, .size.1,
        .scores.display(), .scored.0, .scored.1)]
    Size { file: PathBuf, size: (usize, usize), scores: PathBuf, scored: (usize, usize) },
    #[error(
        "{} has the value {value}, but labels are 0 (inlier), 1 (anomaly) and {ignore} (ignored){}",
        .file.display(), other(*.value, *.ignore)
    )]
    Value { file: PathBuf, value: u8, ignore: u8 },
    #[error("{} has {bits} bits a pixel, but a depth map has 16, in 1/256 metre", .file.display())]
    Depth { file: PathBuf, bits: u8 },
    #[error(transparent)]
    Components(#[from] ComponentsError),
    #[error(transparent)]
    Ranking(#[from] RankingError),
}

/// A frame, read.
pub struct Frame {
    pub scores: ScoreMap,
    /// For each score, the stratum it belongs to, or [`Ranking::SKIP`].
    pub strata: Vec<u16>,
    /// Pixels that are not judged.
    pub ignored: u64,
    /// Where components and their threshold were asked for.
    pub components: Option<FrameComponents>,
    /// Where figures per image were asked for.
    pub curve: Option<Curve>,
}

/// Which side a stratum is on.
pub fn side(stratum: usize) -> Option<Side> {
    Some(if stratum % 2 == 1 { Side::Positive } else { Side::Negative })
}

/// Which bin of distance a stratum is in; [`distance::BINS`]: none of them.
pub fn bin(stratum: usize) -> usize {
    stratum / 2
}

/// Reads a frame's files and computes what it alone can tell. `ignore` is the label of pixels that are not judged.
pub fn read(pair: &Pair, settings: &Settings, ignore: u8) -> Result<Frame, FrameError> {
    let (scores, truth) = scores_and_truth(pair, ignore)?;
    let size = (scores.width, scores.height);
    let depth = pair.depth.as_deref().map(|file| metres(file, &pair.scores, size)).transpose()?;
    let outside = distance::BINS;
    let stratum = |(i, label): (usize, &u8)| match label {
        0 | 1 => {
            let bin = depth.as_ref().map_or(outside, |metres| distance::bin(metres[i]).unwrap_or(outside));
            2 * bin as u16 + u16::from(*label)
        }
        _ => Ranking::SKIP,
    };
    let strata: Vec<u16> = truth.iter().enumerate().map(stratum).collect();
    let curve = if settings.per_image { Some(curve(&strata, &scores.data)?) } else { None };
    let components = match (settings.components, settings.threshold) {
        (Some(track), Some(threshold)) => Some(find(track, &scores, &truth, threshold)?),
        _ => None,
    };
    let ignored = truth.iter().filter(|t| **t == IGNORE).count() as u64;
    Ok(Frame { scores, strata, ignored, components, curve })
}

/// The components alone, for a threshold that was not known before.
pub fn components(
    pair: &Pair,
    track: Track,
    threshold: f32,
    ignore: u8,
) -> Result<FrameComponents, FrameError> {
    let (scores, truth) = scores_and_truth(pair, ignore)?;
    find(track, &scores, &truth, threshold)
}

fn find(
    track: Track,
    scores: &ScoreMap,
    truth: &[u8],
    threshold: f32,
) -> Result<FrameComponents, FrameError> {
    let size = (scores.width, scores.height);
    Ok(FrameComponents::find(track.smallest(), &scores.data, truth, size, threshold)?)
}

/// Scores, and as many labels of 0, 1 and [`IGNORE`].
fn scores_and_truth(pair: &Pair, ignore: u8) -> Result<(ScoreMap, Vec<u8>), FrameError> {
    let scores = scores::read(&pair.scores)?;
    let mut labels = images::read_gray(&pair.labels)?;
    check_size(&pair.labels, (labels.width, labels.height), &pair.scores, (scores.width, scores.height))?;
    if let Some(&value) = labels.data.iter().find(|v| **v > 1 && **v != ignore) {
        return Err(FrameError::Value { file: pair.labels.clone(), value, ignore });
    }
    for label in labels.data.iter_mut().filter(|label| **label == ignore) {
        *label = IGNORE;
    }
    Ok((scores, labels.data))
}

/// A depth map in metres, NaN where it does not know: KITTI's convention.
fn metres(file: &Path, scores: &Path, scored: (usize, usize)) -> Result<Vec<f32>, FrameError> {
    let Gray16 { width, height, bits, data } = images::read_gray16(file)?;
    check_size(file, (width, height), scores, scored)?;
    if bits != 16 {
        return Err(FrameError::Depth { file: file.into(), bits });
    }
    Ok(data.into_iter().map(|v| if v == 0 { f32::NAN } else { f32::from(v) / 256.0 }).collect())
}

fn check_size(
    file: &Path,
    size: (usize, usize),
    scores: &Path,
    scored: (usize, usize),
) -> Result<(), FrameError> {
    if size == scored {
        return Ok(());
    }
    Err(FrameError::Size { file: file.into(), size, scores: scores.into(), scored })
}

/// The curve of one frame: always exact, a frame fits into memory.
fn curve(strata: &[u16], scores: &[f32]) -> Result<Curve, RankingError> {
    let mut ranking = Ranking::new(STRATA, Limits { keys_in_memory: usize::MAX, ..Limits::default() });
    ranking.extend(strata, scores)?;
    ranking.curve(side, &[TPR])
}

/// The other value that copies of these data sets have for what is ignored.
fn other(value: u8, ignore: u8) -> String {
    match value {
        2 | IGNORE if value != ignore => {
            format!("; if {value} is what these labels ignore, give --ignore {value}")
        }
        _ => String::new(),
    }
}
