//! The desk tool `open-set`: its command line, and what each command does with files.
//!
//! Place: around the walk of a frame, as the node is, with files where the node has topics. The walk itself
//! is the node's: what is measured here holds on the road.
//!
//! Deliberately does not know: ROS, and how any pixel is computed. Results go to stdout, progress and
//! failures to stderr; one unreadable input never ends a run.

mod ahead;
mod bag;
mod calibrate;
mod data;
mod dataset;
mod evaluate;
mod figures;
mod fit;
mod flicker;
mod inputs;
mod metrics;
mod outputs;
mod progress;
mod segment;
mod survey;
mod walk;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::bag::BagError;
use crate::images::ImagesError;
use crate::metrics::ranking::RankingError;
use crate::model::ModelError;
use crate::pipeline::StepError;

/// Open-set segmentation at the desk: files in, files out, no ROS.
///
/// Exit status: 0 all done; 1 some input failed (it is named, the others are done) or the disk did;
/// 2 nothing was begun, or nothing could come of it: the options, the model or the inputs are not right.
#[derive(Debug, Parser)]
#[command(name = "open-set", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Segment images and videos: label maps, anomaly maps and overlays as files.
    Segment(segment::Args),
    /// Judge a model on a labelled data set.
    Evaluate(evaluate::Args),
    /// Choose the threshold of a score on a labelled data set.
    Calibrate(calibrate::Args),
    /// Measure any method's score files against labels: AP, AUROC, FPR95, best F1, components.
    Metrics(metrics::Args),
    /// Find what the scores sml and react have to know of the training set.
    ///
    /// On the split `train` where --split names no other, and on its known pixels alone: what is unknown or not
    /// annotated does not count. The statistics are printed as the manifest's section.
    Fit(fit::Args),
    /// Count how often labels change between known and unknown, with and without hysteresis.
    Flicker(flicker::Args),
    /// Make rosbag2 bags.
    #[command(subcommand)]
    Bag(BagCommand),
    /// Make data sets.
    #[command(subcommand)]
    Dataset(DatasetCommand),
}

#[derive(Debug, Subcommand)]
enum BagCommand {
    /// Turn a video or a folder of images into a bag of camera messages (MCAP).
    FromVideo(bag::Args),
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    /// Paste foreign objects into labelled frames: a test set of anomalies.
    ///
    /// As in Fishyscapes Static: objects stand on the ground, grow towards the camera, take a part of the
    /// light of their place and have soft edges; they cast no shadows. Written is a data set `folder`: images/
    /// (PNG), labels/ (K on objects, 255 on their rims and where nothing was labelled) and ood/ (0, 1, 255),
    /// and paste.json, which says what stands where. The same seed makes the same set.
    Paste(dataset::Args),
}

/// An input without a result.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failure {
    input: String,
    error: String,
}

/// Ends a run that has begun.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BrokenOff(String);

/// Does what the command line says.
///
/// # Errors
/// Whatever ended the run; [`exit_code`] tells how it counts.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let failures = match &cli.command {
        Command::Segment(args) => segment::run(args)?,
        Command::Evaluate(args) => evaluate::run(args)?,
        Command::Calibrate(args) => calibrate::run(args)?,
        Command::Metrics(args) => metrics::run(args)?,
        Command::Fit(args) => fit::run(args)?,
        Command::Flicker(args) => flicker::run(args)?,
        Command::Bag(BagCommand::FromVideo(args)) => bag::run(args)?,
        Command::Dataset(DatasetCommand::Paste(args)) => dataset::run(args)?,
    };
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What ends a run ends it before the first picture, and counts as clap's own errors do; but for what can
/// go wrong later: results that can no longer be written, a network that fails, too many frames that do.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let later = match error.downcast_ref() {
        Some(
            BagError::Exists { .. }
            | BagError::Unnamed { .. }
            | BagError::Unreadable { .. }
            | BagError::NoCamera { .. },
        ) => false,
        Some(_) => true,
        None => {
            error.is::<ImagesError>()
                || error.is::<std::io::Error>()
                || error.is::<RankingError>()
                || error.is::<StepError>()
                || matches!(error.downcast_ref(), Some(ModelError::Write { .. }))
                || error.is::<BrokenOff>()
                || error.is::<metrics::MetricsError>()
        }
    };
    if later { ExitCode::FAILURE } else { ExitCode::from(2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
