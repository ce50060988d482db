//! Running a training: from settings, data and a network to checkpoints.
//!
//! Place: around everything. [`run`] sets a training up, new, resumed or begun from another's weights; `train` is
//! its loop, on one page. The optimizer's, the schedule's and the running mean's state is in checkpoints, and
//! batches are a function of the step, so that a run that was stopped and resumed computes what it would have
//! computed anyway: on one thread bit for bit, on several but for the order of libtorch's sums.
//!
//! libtorch's process groups, with which several GPUs or machines train together, are out of tch's reach: a run
//! has one device.
//!
//! Deliberately does not know: what a network is made of, where its gradients come from, what a sample is.
//!
//! # Modules, in reading order
//! `trained` ▸ `train` ▸ `joint` ▸ [`checkpoint`] ▸ [`verdict`](Verdict), `judge` ▸
//! `telling`, `events` ▸ `folder`, `stop`, `libtorch`

pub mod checkpoint;
mod error;
mod events;
mod feed;
mod folder;
mod joint;
mod judge;
mod libtorch;
mod stop;
mod telling;
mod train;
mod trained;
mod verdict;

use std::path::{Path, PathBuf};

use self::checkpoint::{About, Checkpoint, Place};
use self::feed::Feeds;
use self::folder::Folder;
use self::judge::Judge;
use self::telling::Telling;
use self::train::{Outside, Training};
use super::settings::Written;
use crate::atomic;

pub use error::RunError;
pub use stop::Stop;
pub use train::Ending;
pub use trained::{Trained, fill_generator};
pub use verdict::{ClosedSet, Detection, Verdict};

/// What a run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The network as it is.
    New {
        /// SHA-256 of the file that its encoder is from, if it is; for checkpoints to say.
        pretrained: Option<String>,
    },
    /// The last checkpoint in the run's folder.
    Resume,
    /// The weights of another run's checkpoint (their running means, where it has some), at the phase of that name.
    From {
        /// The file.
        checkpoint: PathBuf,
        /// By name.
        phase: String,
    },
}

/// What a run was.
#[derive(Debug)]
pub struct Report {
    /// Over, or stopped.
    pub ending: Ending,
    /// Of the last validation, if there was one since the start.
    pub verdict: Option<Verdict>,
    /// To resume from; where the run is over, its last phase's.
    pub checkpoint: PathBuf,
    /// Trained so far, all starts together.
    pub seconds: f64,
    /// Damaged files that were skipped since the start; the log names them.
    pub skipped: usize,
}

/// Trains a network, and a generator where there is one, as the settings say, on data sets below `data`, into the
/// folder `out`.
///
/// # Errors
/// [`RunError`]; what was saved before stays.
pub fn run(
    written: &Written,
    trained: &Trained<'_>,
    data: &Path,
    out: &Path,
    start: &Start,
    stop: &Stop,
) -> Result<Report, RunError> {
    let settings = &written.settings;
    // The data is looked at before anything is written: a folder that is missing costs nothing.
    let judge = Judge::open(settings, data)?;
    let feeds = Feeds::open(settings, data, trained.network.parameters().device())?;
    let outside = Outside {
        feed: &mut |phase| feeds.feed(phase),
        judge: &mut |network| judge.as_ref().map_or(Ok(None), |j| j.judge(network, stop)),
    };
    run_with(written, trained, outside, out, start, stop)
}

fn run_with<'a>(
    written: &'a Written,
    trained: &Trained<'a>,
    outside: Outside<'a>,
    out: &Path,
    start: &Start,
    stop: &'a Stop,
) -> Result<Report, RunError> {
    let settings = &written.settings;
    if trained.generator.is_none()
        && let Some(phase) = settings.phases.iter().find(|phase| phase.generates())
    {
        return Err(RunError::NoGenerator { phase: phase.name.clone() });
    }
    let mut about = About {
        format: About::format(),
        identity: trained.network.identity(),
        settings: written.text.clone(),
        settings_sha256: written.sha256.clone(),
        place: Place::default(),
        phase: String::new(),
        seed: settings.seed,
        optimizer_steps: 0,
        steps_before: 0,
        best: None,
        validated: None,
        generator: trained.generator.map(|generator| generator.identity()),
        generator_steps: 0,
        seconds: 0.0,
        pretrained: None,
        trainer: crate::VERSION.into(),
        libtorch: libtorch::check()?,
    };
    let (folder, resumed) = match start {
        Start::Resume => {
            let folder = Folder::resume(out)?;
            let checkpoint = resume(written, trained, &folder)?;
            let kept = &checkpoint.about;
            (about.place, about.best, about.seconds) = (kept.place, kept.best, kept.seconds);
            (about.steps_before, about.validated) = (kept.steps_before, kept.validated);
            about.pretrained.clone_from(&kept.pretrained);
            if !written.judges_as(&kept.settings) {
                // Figures of other frames are no measure for these.
                (about.best, about.validated) = (None, None);
            }
            if kept.libtorch != about.libtorch {
                let version = |of: &Option<String>| of.clone().unwrap_or_else(|| "unknown".into());
                let (theirs, ours) = (version(&kept.libtorch), version(&about.libtorch));
                tracing::warn!("begun with libtorch {theirs}, resumed with {ours}: not the same to the bit");
            }
            (folder, Some(checkpoint))
        }
        Start::New { pretrained } => {
            about.pretrained.clone_from(pretrained);
            (Folder::create(out)?, None)
        }
        Start::From { checkpoint, phase } => {
            let names = || settings.phases.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
            let no_phase = || RunError::NoPhase { got: phase.clone(), known: names() };
            about.place.phase = settings.phase(phase).ok_or_else(no_phase)?;
            let checkpoint = Checkpoint::read(checkpoint)?;
            trained.begin_from(&checkpoint)?;
            about.pretrained = checkpoint.about.pretrained;
            (Folder::create(out)?, None)
        }
    };
    if resumed.is_none() {
        let path = folder.settings();
        let kept = atomic::write(&path, written.text.as_bytes());
        kept.map_err(|source| RunError::Write { path, source })?;
    }

    let mut training = Training {
        settings,
        network: trained.network,
        generator: trained.generator,
        outside,
        telling: Telling::open(&folder, settings.log_every)?,
        place: about.place,
        folder,
        stop,
        resumed,
        about,
        made: 0,
        skipped: 0,
        verdict: None,
    };
    let ending = training.run();
    training.telling.finish();
    let ending = ending.map_err(|source| training.broken(source))?;
    let last = settings.phases.last().filter(|_| ending == Ending::Done);
    Ok(Report {
        ending,
        checkpoint: last.map_or_else(|| training.folder.last(), |phase| training.folder.phase(&phase.name)),
        verdict: training.verdict,
        seconds: training.about.seconds,
        skipped: training.skipped,
    })
}

/// The run's last checkpoint, its weights in the network.
fn resume(written: &Written, trained: &Trained<'_>, folder: &Folder) -> Result<Checkpoint, RunError> {
    let checkpoint = Checkpoint::read(&folder.last())?;
    checkpoint.check_identity(&trained.network.identity())?;
    checkpoint.check_settings(written)?;
    trained.resume_from(&checkpoint)?;
    Ok(checkpoint)
}

#[cfg(test)]
mod joint_tests;
#[cfg(test)]
mod tests;
