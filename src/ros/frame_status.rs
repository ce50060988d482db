//! What `~/frame_status` says of one result.

use super::health::{Level, Status, Times, value};
use super::labelled::Labelled;
use crate::assemble::Identity;
use crate::budget::stamps::Stamp;

fn ms(v: f64) -> String {
    format!("{v:.3}")
}

/// Of labels that a network gave. `missed_budget_ms`: the budget, where they are over it.
pub(super) fn labelled(
    of: &Labelled<'_>,
    identity: &Identity,
    provider: &str,
    times: &Times,
    stamp: Stamp,
    missed_budget_ms: Option<f64>,
) -> Status {
    let values = vec![
        value("age_ms", ms(times.latency)),
        value("stamp", stamp.name()),
        value("preprocess_ms", ms(times.work.preprocess)),
        value("inference_ms", ms(times.work.inference)),
        value("score_ms", ms(times.work.score)),
        value("input_size", of.settings.input_size),
        value("output_size", of.segmentation.size),
        value("score", &of.settings.scoring),
        value("threshold", of.settings.threshold),
        value("model", &identity.model),
        value("model_sha256", &identity.model_sha256),
        value("provider", provider),
        value("unknown_share", of.segmentation.counts.unknown_share()),
        value("held_share", held_share(of)),
        value("non_finite_share", of.segmentation.counts.non_finite_share()),
        value("over_budget", missed_budget_ms.is_some()),
        value("safe_state", false),
    ];
    let (level, message) = match missed_budget_ms {
        Some(budget) => (Level::Warn, format!("{:.1} ms is over the budget of {budget} ms", times.latency)),
        None => (Level::Ok, "labelled".into()),
    };
    Status { task: "frame", level, message, values }
}

/// Of the scored pixels, those that are unknown by their past alone.
fn held_share(of: &Labelled<'_>) -> f64 {
    of.segmentation.held as f64 / (of.segmentation.counts.scored as f64).max(1.0)
}

/// Of labels that no network gave.
pub(super) fn all_unknown(reason: &str, age_ms: f64, stamp: Stamp, is_over_budget: bool) -> Status {
    let values = vec![
        value("age_ms", ms(age_ms)),
        value("stamp", stamp.name()),
        value("over_budget", is_over_budget),
        value("safe_state", true),
    ];
    Status { task: "frame", level: Level::Error, message: format!("all unknown: {reason}"), values }
}
