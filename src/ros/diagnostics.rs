//! Statuses to messages, and the timer that publishes them whether or not a frame comes.

use super::camera::Arrived;
use super::clock::Clock;
use super::health::{Health, Status};
use super::lock;
use crate::latest::Latest;
use r2r::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus, KeyValue};
use r2r::std_msgs::msg::Header;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An array of statuses, each named `node: task` (REP-107).
pub(super) fn array(
    header: Header,
    node: &str,
    hardware_id: &str,
    statuses: impl IntoIterator<Item = Status>,
) -> DiagnosticArray {
    let key_value = |(key, value)| KeyValue { key, value };
    let status = statuses
        .into_iter()
        .map(|s| DiagnosticStatus {
            level: s.level as u8,
            name: format!("{node}: {}", s.task),
            message: s.message,
            hardware_id: hardware_id.to_owned(),
            values: s.values.into_iter().map(key_value).collect(),
        })
        .collect();
    DiagnosticArray { header, status }
}

/// Where a diagnosis comes from.
pub(super) struct Sources {
    /// As statuses are named.
    pub(super) node: String,
    pub(super) clock: Clock,
    pub(super) health: Arc<Mutex<Health>>,
    /// Counts what it replaced.
    pub(super) slot: Arc<Latest<Arrived>>,
}

/// Publishes `/diagnostics` at 1 Hz until the control thread ends.
pub(super) async fn publish_forever(publisher: r2r::Publisher<DiagnosticArray>, sources: Sources) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let Sources { node, clock, health, slot } = &sources;
        let header = clock.header();
        let message = {
            let health = lock(health);
            let statuses = health.statuses(Instant::now(), slot.replaced());
            array(header, node, health.topic(), statuses)
        };
        if let Err(error) = publisher.publish(&message) {
            tracing::error!("diagnostics were not published: {error}");
        }
    }
}
