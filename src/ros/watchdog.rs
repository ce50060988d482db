//! Looks whether the inference thread comes back from its frame, and acts where it does not.

use super::health::Health;
use super::lock;
use crate::fault::OnStuck;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(250);

/// For the middleware to send the last words.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Looks until the control thread ends. What is published for images meanwhile is their subscription's.
pub(super) async fn watch_forever(health: Arc<Mutex<Health>>, on_stuck: OnStuck) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut is_told = false;
    loop {
        ticks.tick().await;
        let stuck = lock(&health).look(Instant::now());
        match (stuck, is_told) {
            (Some(seen), false) => {
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
