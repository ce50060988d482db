//! What frames come to together; saved for a run over another shard, merged with what that has saved.
//!
//! A partial result is two files: FILE (JSON: settings, frames, counts, components) and FILE.scores (the ranking).
//! FILE carries its own SHA-256 and that of its FILE.scores: figures of files that were changed, or of two runs,
//! would look like any others.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::Failure;
use super::super::figures::{ImageFigures, TPR};
use super::frame::{Frame, STRATA, side};
use super::settings::Settings;
use crate::hex::hex;
use crate::images::{ImagesError, write_atomically};
use crate::metrics::components::Components;
use crate::metrics::curve::Curve;
use crate::metrics::ranking::{Limits, Ranking, RankingError, Side};

/// Told in each file, and changed with the meaning of what is in it.
const FORMAT: &str = "open-set metrics, partial result 2";

/// Why partial results do not come together.
#[derive(Debug, thiserror::Error)]
pub enum TallyError {
    #[error("cannot read {}: {source}", .file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{} is no partial result of this version: {reason}", .file.display())]
    Foreign { file: PathBuf, reason: String },
    #[error("{} is damaged: its text does not make the SHA-256 it carries: copy or compute it again",
        .file.display())]
    Damaged { file: PathBuf },
    #[error("{} has the SHA-256 {got}, but {} belongs with {named}: they are of two runs; copy both files again",
        .ranking.display(), .file.display())]
    Apart { file: PathBuf, ranking: PathBuf, got: String, named: String },
    #[error("{} was made with {theirs}, the others with {ours}: make all with the same options", .file.display())]
    Settings { file: PathBuf, ours: String, theirs: String },
    #[error("{} holds the frame {name}, which was there already: each frame counts once", .file.display())]
    Twice { file: PathBuf, name: String },
    #[error(transparent)]
    Ranking(#[from] RankingError),
}

/// All frames so far.
pub struct Tally {
    pub ranking: Ranking,
    pub state: State,
}

/// What is not in the ranking.
#[derive(Serialize, Deserialize)]
pub struct State {
    format: String,
    /// Of this file's text with nothing here.
    sha256: String,
    /// Of FILE.scores.
    scores_sha256: String,
    pub settings: Settings,
    /// By name, so that their order is the same however they came.
    pub frames: BTreeMap<String, Option<ImageFigures>>,
    pub failed: Vec<Failure>,
    pub pixels: u64,
    pub ignored: u64,
    pub components: Components,
}

impl Tally {
    pub fn new(settings: Settings) -> Result<Self, RankingError> {
        let ranking = match settings.histogram {
            Some(bins) => Ranking::quick(STRATA, bins)?,
            None => Ranking::new(STRATA, Limits::default()),
        };
        let state = State {
            format: FORMAT.into(),
            sha256: String::new(),
            scores_sha256: String::new(),
            settings,
            frames: BTreeMap::new(),
            failed: Vec::new(),
            pixels: 0,
            ignored: 0,
            components: Components::default(),
        };
        Ok(Self { ranking, state })
    }

    pub fn add(&mut self, name: &str, frame: &Frame) -> Result<(), RankingError> {
        self.ranking.extend(&frame.strata, &frame.scores.data)?;
        self.state.frames.insert(name.into(), frame.curve.as_ref().and_then(ImageFigures::of));
        self.state.ignored += frame.ignored;
        self.state.pixels += frame.strata.len() as u64 - frame.ignored;
        if let Some(components) = &frame.components {
            self.state.components.add(components);
        }
        Ok(())
    }

    /// The pooled curve.
    pub fn curve(&mut self, levels: &[f64]) -> Result<Curve, RankingError> {
        self.ranking.curve(side, levels)
    }

    /// The curve of the strata that are in `bins`.
    pub fn curve_of(&mut self, is_in: impl Fn(usize) -> bool) -> Result<Curve, RankingError> {
        let side = |stratum: usize| -> Option<Side> { side(stratum).filter(|_| is_in(stratum)) };
        self.ranking.curve(side, &[TPR])
    }

    pub fn save(&mut self, file: &Path) -> anyhow::Result<()> {
        let (ranking, new) = (ranking_of(file), file.with_added_extension("scores.new"));
        self.ranking.save(&new)?;
        self.state.scores_sha256 = sha256_of(&new)?;
        self.state.sha256.clear();
        self.state.sha256 = sha256(&serde_json::to_string_pretty(&self.state)?);
        // An old FILE goes before its scores do, the new one comes last: where it is, all is.
        let unwritable = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ImagesError::Unwritable { path, source }
        };
        match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(file)(error).into()),
            _ => fs::rename(&new, &ranking).map_err(unwritable(&ranking))?,
        }
        Ok(write_atomically(file, &serde_json::to_vec_pretty(&self.state)?)?)
    }

    pub fn load(file: &Path) -> Result<Self, TallyError> {
        let unreadable = |source| TallyError::Unreadable { file: file.into(), source };
        let foreign = |reason| TallyError::Foreign { file: file.into(), reason };
        let json = fs::read_to_string(file).map_err(unreadable)?;
        let state: State = serde_json::from_str(&json).map_err(|e| foreign(e.to_string()))?;
        if state.format != FORMAT {
            return Err(foreign(format!("it is {:?}, this is {FORMAT:?}", state.format)));
        }
        if sha256(&json.replacen(&state.sha256, "", 1)) != state.sha256 {
            return Err(TallyError::Damaged { file: file.into() });
        }
        let scores = ranking_of(file);
        let ranking = Ranking::load(&scores, Limits::default())?;
        let got = sha256_of(&scores)?;
        if got != state.scores_sha256 {
            let named = state.scores_sha256;
            return Err(TallyError::Apart { file: file.into(), ranking: scores, got, named });
        }
        Ok(Self { ranking, state })
    }

    /// Takes in another partial result, which `file` was.
    pub fn merge(&mut self, other: Self, file: &Path) -> Result<(), TallyError> {
        let (ours, theirs) = (&self.state.settings, &other.state.settings);
        if ours != theirs {
            let (ours, theirs) = (format!("{ours}"), format!("{theirs}"));
            return Err(TallyError::Settings { file: file.into(), ours, theirs });
        }
        if let Some(name) = other.state.frames.keys().find(|name| self.state.frames.contains_key(*name)) {
            return Err(TallyError::Twice { file: file.into(), name: name.clone() });
        }
        self.ranking.merge(other.ranking)?;
        self.state.frames.extend(other.state.frames);
        self.state.failed.extend(other.state.failed);
        self.state.failed.sort_by(|a, b| a.input.cmp(&b.input));
        self.state.pixels += other.state.pixels;
        self.state.ignored += other.state.ignored;
        self.state.components.merge(&other.state.components);
        Ok(())
    }
}

fn sha256(text: &str) -> String {
    hex(Sha256::digest(text).as_slice())
}

/// Of a file too large for the memory.
fn sha256_of(path: &Path) -> Result<String, RankingError> {
    let failed = |source| RankingError::Read { path: path.into(), source };
    let mut input = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let mut digest = Sha256::new();
    loop {
        let bytes = input.fill_buf().map_err(failed)?;
        if bytes.is_empty() {
            return Ok(hex(digest.finalize().as_slice()));
        }
        digest.update(bytes);
        let read = bytes.len();
        input.consume(read);
    }
}

fn ranking_of(file: &Path) -> PathBuf {
    file.with_added_extension("scores")
}
