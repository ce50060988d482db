//! Looks whether inference threads come back from their frames, and acts where one does not.

use super::lock;
use super::station::Roster;
use crate::fault::OnStuck;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(250);

/// For the middleware to send the last words.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Looks until the control thread ends. What is published for images meanwhile is their subscription's.
pub(super) async fn watch_forever(roster: Roster) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut is_told = false;
    loop {
        ticks.tick().await;
        let stuck = look(&roster);
        match (stuck, is_told) {
            (Some((seen, on_stuck)), false) => {
                let what = match on_stuck {
                    OnStuck::Exit => "the node ends, for its supervisor to start it again",
                    OnStuck::AllUnknown => "images that come meanwhile are labelled unknown",
                };
                tracing::error!("stuck: at work on one frame for {:.1} s; {what}", seen.as_secs_f64());
                if on_stuck == OnStuck::Exit {
                    tokio::time::sleep(LAST_WORDS).await;
                    // Without destructors: they would wait for the thread that does not come back.
                    signal_hook::low_level::exit(1);
                }
            }
            (None, true) => tracing::info!("no longer stuck: the frame came to an end"),
            _ => (),
        }
        is_told = stuck.is_some();
    }
}

/// Looks at each camera's. The first that is stuck, for how long it has been, and what is to be done about it.
fn look(roster: &Roster) -> Option<(Duration, OnStuck)> {
    let (stations, now) = (lock(roster), Instant::now());
    // Each is looked at, also after one that is stuck.
    let looks = stations.iter().map(|s| {
        let on_stuck = lock(&s.tuned).settings.fault.on_stuck;
        lock(&s.health).look(now).map(|seen| (seen, on_stuck))
    });
    looks.fold(None, |first, look| first.or(look))
}
