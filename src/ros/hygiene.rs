//! Asks the kernel for what [`crate::realtime`] is about, and tells the log what became of it.

use crate::assemble::AssembleError;
use crate::realtime::{Report, Settings, system};

/// For the calling thread, before it has sessions: their threads inherit it.
///
/// # Errors
/// A wish that is required and refused.
pub(super) fn ask_for_thread(settings: &Settings) -> Result<Report, AssembleError> {
    let mut report = Report::default();
    system::thread(settings, &mut report);
    check(settings, report)
}

/// For the process, once all that a frame needs is there; then all of the report goes to the log.
///
/// # Errors
/// A wish that is required and refused.
pub(super) fn ask_for_process(settings: &Settings, mut report: Report) -> Result<Report, AssembleError> {
    system::process(settings, &mut report);
    let report = check(settings, report)?;
    for (is_granted, line) in report.lines() {
        if is_granted {
            tracing::info!("{line}");
        } else {
            tracing::warn!("{line}");
        }
    }
    Ok(report)
}

fn check(settings: &Settings, report: Report) -> Result<Report, AssembleError> {
    match report.refused() {
        Some(refused) if settings.required => Err(AssembleError::RealTime(refused)),
        _ => Ok(report),
    }
}
