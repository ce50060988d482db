//! Statuses to messages, and the timer that publishes them whether or not a frame comes.

use super::clock::Clock;
use super::health::Status;
use super::lock;
use super::station::Roster;
use r2r::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus, KeyValue};
use r2r::std_msgs::msg::Header;
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

/// Publishes `/diagnostics` of every camera at 1 Hz until the control thread ends.
pub(super) async fn publish_forever(
    publisher: r2r::Publisher<DiagnosticArray>,
    roster: Roster,
    clock: Clock,
) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let mut message = DiagnosticArray { header: clock.header(), status: Vec::new() };
        for station in &*lock(&roster) {
            let health = lock(&station.health);
            let statuses = health.statuses(Instant::now(), station.slots.replaced(station.place));
            let of_it = array(Header::default(), &station.label, health.hardware_id(), statuses);
            message.status.extend(of_it.status);
        }
        if let Err(error) = publisher.publish(&message) {
            tracing::error!("diagnostics were not published: {error}");
        }
    }
}
